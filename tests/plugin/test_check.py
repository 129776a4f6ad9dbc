#!/usr/bin/env python3
"""`weir service check` before production: all that is wrong with a declaration at once, and every function that no fold may call."""
import os, shutil, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Tap
from plugin import Installed

tap = Tap()
number = 0


def variant(*pairs, files=("service.c",)):
    """counter.so with text of its sources replaced."""
    global number
    number += 1
    folder = os.path.join(weir.folder, "variant-%d" % number)
    shutil.copytree(os.path.join(weir.folder, "counter"), folder)
    for name in files:
        path = os.path.join(folder, name)
        with open(path) as file:
            text = file.read()
        for old, new in pairs:
            if old not in text:
                raise RuntimeError("%s does not have: %s" % (name, old))
            text = text.replace(old, new)
        with open(path, "w") as file:
            file.write(text)
    weir.run(["make", "-B"], folder)
    return os.path.join(folder, "counter.so")


def calls(statement, *more):
    return variant(("#include <weir/plugin.h>\n", "#include <weir/plugin.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n#include <unistd.h>\n"),
                   ("    weir_metric_add(out, 0, 1);", "    weir_metric_add(out, 0, (uint64_t)(%s));" % statement), *more)


def finds(name, so, *wanted, flags=()):
    code, out, err = weir.weir("service", "check", so, *flags)
    tap.ok(code not in (0, None) and code > 0 and all(word in out + err for word in wanted), name, "exit %s\nwanted %s\n%s" % (code, wanted, out + err))


with Installed() as weir:
    so = weir.make("counter")
    code, out, err = weir.weir("service", "check", so)
    tap.ok(code == 0 and "service counter, version 2" in out and "none of them forbidden" in out, "the counter has nothing wrong", out + err)
    said = weir.run(["make", "check"], os.path.dirname(so))
    tap.ok("none of them forbidden" in said, "its Makefile asks the same", said)
    code, out, err = weir.weir("service", "check", "exchange")
    tap.ok(code == 0 and "exchange" in out, "a service of the binary is checked by its name", out + err)

    for what, statement, word in (("the clock", "time(NULL)", "time is in the record"), ("randomness", "rand()", "no randomness"),
                                  ("a read", "read(0, NULL, 0)", "no input or output"), ("a print", 'printf("%d\\n", 1)', "output record"),
                                  ("a sleep", "usleep(1)", "holds up its lane"), ("the environment", 'getenv("X") != NULL', "rows of .settings"),
                                  ("the end of the process", "(exit(1), 1)", "process is the node's")):
        finds("a fold that calls %s is found" % what, calls(statement), " calls ", word, "not fit to run")
    finds("all of them at once", calls("time(NULL) + rand() + usleep(1)"), "calls time", "calls rand", "calls usleep")
    code, out, err = weir.weir("service", "check", calls("time(NULL) + rand()"), "--allow", "time", "--allow", "rand")
    tap.ok(code == 0, "what is allowed by name is passed over", out + err)
    with_tools = (".digest = digest,\n", ".digest = digest,\n    .tools = tools,\n")
    tools = ("WEIR_SERVICE(counter)", "static int run(int argc, char **argv) {\n    (void)argv;\n    return argc;\n}\n"
             'static const struct weir_tool tools[] = {{"look", "", "Looks.", run}, {0}};\n\nWEIR_SERVICE(counter)')
    tooled = calls("time(NULL)", with_tools, tools)
    code, out, err = weir.weir("service", "check", tooled)
    tap.ok(code == 0 and "calls time" in out and "well for its tools" in out, "a service with tools is told and not refused", out + err)

    code, out, err = weir.weir("service", "run", tooled, "look", "--a", "b")
    tap.equal((code, err), (3, ""), "its tool runs with what follows its name, and its exit code is weir's")
    code, out, err = weir.weir("service", "run", tooled, "lok")
    tap.ok(code != 0 and "did you mean look" in err, "a tool that it does not have is answered with the nearest", err)

    finds("each fault of a declaration is listed",
          variant((".version_replays = 2", ".version_replays = 7"), ('"counter.changes"', '"other.changes"'), (".query = query_get, ", ""),
                  ("static enum weir_error query_get(", "__attribute__((unused)) static enum weir_error query_get("),
                  ('"names_max", WEIR_SETTING_UINT, "65536"', '"Names", WEIR_SETTING_UINT, "65536"'),
                  ('REASON_FULL, "NAMES_FULL", "There is no room for another name: raise counter.names_max.", 507',
                   'REASON_FULL, "NAMES_FULL", "There is no room.", 200')),
          ".version_replays is 7", "topic other.changes", "query without .query", 'setting "Names"', "reason NAMES_FULL")
    finds("a function that nobody has is named", calls("weir_later(1)", ("static void change(", "int weir_later(int x);\nstatic void change(")),
          "calls weir_later", "not fit to run")
    finds("a file that is not there", "./none.so", "there is no file ./none.so")
    finds("a name that nobody has", "nonesuch", "nonesuch.so")
tap.done()
