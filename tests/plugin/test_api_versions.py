#!/usr/bin/env python3
"""Objects built with other headers than this weir's: older ones run, newer ones and other majors are refused with both versions,
and what a mistake in the build leaves behind is named before anything of the service runs."""
import os, re, shutil, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Tap
from plugin import Installed

tap = Tap()


def says(name, so, *wanted):
    code, words = weir.refused("--service", so)
    tap.ok(code not in (0, None) and code > 0 and all(word in words for word in wanted), name,
           "exit %s\nwanted %s\n%s" % (code, wanted, words))


def headers(name, changes):
    """A copy of the installed headers with [(file, pattern, replacement)]; each pattern must be there once."""
    folder = os.path.join(weir.folder, "include-" + name)
    shutil.copytree(weir.headers, os.path.join(folder, "weir"))
    for file_name, pattern, replacement in changes:
        path = os.path.join(folder, "weir", file_name)
        with open(path) as file:
            text, count = re.subn(pattern, replacement, file.read(), flags=re.S)
        if count != 1:
            raise RuntimeError("%s: %s is there %d times" % (file_name, pattern, count))
        with open(path, "w") as file:
            file.write(text)
    return folder


def build(name, changes, counter=lambda text: text, flags=()):
    """counter.so built with such headers."""
    folder = os.path.join(weir.folder, name)
    shutil.copytree(os.path.join(weir.folder, "counter"), folder)
    path = os.path.join(folder, "service.c")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(counter(text))
    include = headers(name, changes)
    weir.run(["make", "-B", "WEIR_CFLAGS=-I%s %s" % (include, " ".join(flags))], folder)
    return os.path.join(folder, "counter.so")


def version(major, minor):
    return [("plugin.h", r"#define WEIR_API_MAJOR \d+", "#define WEIR_API_MAJOR %d" % major),
            ("plugin.h", r"#define WEIR_API_MINOR \d+", "#define WEIR_API_MINOR %d" % minor)]


def without_last_field(text, struct):
    """The header's text with `struct` as it was before its last field was added."""
    body = re.search(r"^struct %s \{\n(.*?)^\};" % struct, text, re.S | re.M)
    code = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), body.group(1), flags=re.S)  # a comment may have a semicolon
    last = code.rindex(";")
    return text[:body.start(1) + code.rindex(";", 0, last) + 1] + "\n" + text[body.end(1):]


SHORTER = ("weir_service", "weir_topic", "weir_record_type", "weir_route")
UNTOLD = [("service.h", r"    const char \*help;\n", "    /* no help */\n"),
          ("service.h", r"    uint16_t status; /\* HTTP \*/\n\};", "};")]

with Installed() as weir:
    weir.make("counter")
    with open(os.path.join(weir.headers, "plugin.h")) as file:
        text = file.read()
    now = [int(re.search(r"#define WEIR_API_%s (\d+)" % word, text).group(1)) for word in ("MAJOR", "MINOR")]
    here = "%d.%d" % tuple(now)

    # ---- refused by version, whatever else is different
    newer = build("newer", version(now[0], now[1] + 1) +
                  [("service.h", r"(    void \(\*close\)\(void \*state\);\n)", r"\1    void (*future)(void);\n")])
    says("a newer minor is refused with both versions", newer, "version %d.%d" % (now[0], now[1] + 1), "offers " + here, "install a newer weir")
    says("a newer major is refused with both versions", build("next", version(now[0] + 1, 0)), "version %d.0" % (now[0] + 1), "offers " + here)
    says("an older major is refused with both versions", build("past", version(now[0] - 1, 7)), "version %d.7" % (now[0] - 1), "offers " + here,
         "build it again")
    future = build("future", version(now[0], now[1] + 1) + [("service.h", r"(bool weir_replaying)", r"int weir_future(int x);\n\1")],
                   lambda text: text.replace("    weir_metric_add(out, 0, 1);", "    weir_metric_add(out, 0, (uint64_t)weir_future(1));"))
    says("one that calls what a newer API has is refused by its version, not by the loader", future, "version", "offers " + here)

    # ---- an older minor: shorter structs are extended by zeros
    older = build("older", UNTOLD, lambda text: re.sub(r', "Counters changed."', "", re.sub(r", (507|400)\}", "}", text)))
    code, words = weir.refused("--service", older)
    tap.ok(code not in (0, None) and "metric changes_total" in words and "no help" in words,
           "what an older declaration lacks is judged as if it were zero", words)
    def shorten(text):
        for struct in SHORTER:
            text = without_last_field(text, struct)
        return text
    with open(os.path.join(weir.headers, "service.h")) as file:
        text = file.read()
    tap.ok(len(shorten(text)) < len(text) - 60, "the older headers lack a field of each of four structs")
    older = build("shorter", [("service.h", r"\A.*\Z", lambda match: shorten(match.group(0)))])
    node = weir.node(["--service", older, "--set", "counter.partitions=2"])
    answers = [node.post("/v1/counter/n%d/add" % i, {"amount": i}).json().get("value") for i in range(8)]
    tap.equal(answers, [str(i) for i in range(8)], "an object with shorter structs runs: rows are read at its own stride")
    tap.equal(node.post("/v1/counter/%s/add" % ("x" * 60), {"amount": 1}).status, 400, "its tables of other sizes are whole")
    tap.equal(len([p for p in node.get("/openapi.json").json()["paths"] if p.startswith("/v1/counter/")]), 3, "all of its routes are there")
    node.kill()
    node.start()
    tap.equal(node.get("/v1/counter/n7").json()["value"], "7", "and its state is found again after SIGKILL")
    node.close()

    # ---- mistakes
    says("structs that are larger than those of the version are refused",
         build("larger", [("service.h", r"(    void \(\*close\)\(void \*state\);\n)", r"\1    void (*extra)(void);\n")]),
         "not of that version", "unchanged headers")
    says("an object with another symbol of that name is refused", weir.compile("data", "const int weir_service[20] = {1};"), "no symbol weir_service")
    says("a function that weir does not have is named, with the API's version",
         build("lacks", [("service.h", r"(bool weir_replaying)", r"int weir_future(int x);\n\1")],
               lambda text: text.replace("    weir_metric_add(out, 0, 1);", "    weir_metric_add(out, 0, (uint64_t)weir_future(1));")),
         "calls weir_future", "API is " + here)
    says("the same when the object was linked to be bound at once",
         build("lacks_now", [("service.h", r"(bool weir_replaying)", r"int weir_future(int x);\n\1")],
               lambda text: text.replace("    weir_metric_add(out, 0, 1);", "    weir_metric_add(out, 0, (uint64_t)weir_future(1));"),
               ["-Wl,-z,now"]),
         "calls weir_future", "API is " + here)
    says("a function that nobody has is named",
         build("forgot", [], lambda text: text.replace("static void apply(", "int my_other_file(void);\nstatic void apply(")
               .replace("    weir_metric_add(out, 0, 1);", "    weir_metric_add(out, 0, (uint64_t)my_other_file());")),
         "calls my_other_file", "link command")
    gone = weir.compile("libgone", "int y;")
    needs = weir.compile("needs", "int x;", ["-Wl,--no-as-needed", "-L" + weir.folder, "-l:libgone.so"])
    os.remove(gone)
    says("a library that is not there is named", needs, "cannot be loaded", "libgone.so")

    # ---- a declaration that cannot be run says which row
    says("a route outside of the service's paths", build("route", [], lambda text: text.replace('"/v1/counter/{name}/reset"', '"/v1/other/{name}/reset"')),
         "route /v1/other/{name}/reset", "/v1/counter/", "weir service check")
    says("a service without a function that all have", build("nosave", [], lambda text: text.replace("    .save = save,\n", "")
         .replace("static enum weir_error save(", "__attribute__((unused)) static enum weir_error save(")), "no .save")
    says("a service without an input", build("noinput", [], lambda text: text.replace("WEIR_TOPIC_INPUT", "WEIR_TOPIC_OUTPUT")), "0 input topics")
    says("a name that no path can have", build("name", [], lambda text: text.replace('.name = "counter"', '.name = "My Counter"')), 'name is "My Counter"')
    says("a name that is a command of weir", build("topic", [], lambda text: text.replace('.name = "counter"', '.name = "topic"')
         .replace('{"counter.', '{"topic.').replace("/v1/counter/", "/v1/topic/")), "weir topic", "another name")
tap.done()
