#!/usr/bin/env python3
"""A service outside of this tree: built with nothing but what is installed, loaded, used, killed, found again."""
import os, re, shutil, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from plugin import Installed, SOURCE

tap = Tap()


def value(node, name):
    return int(node.get("/v1/counter/%s" % name).json()["value"])


def add(node, name, amount, service="counter"):
    return node.post("/v1/%s/%s/add" % (service, name), {"amount": amount})


with Installed() as weir:
    # ---- what is installed
    have = sorted(os.path.relpath(path, weir.root) for path in weir.files)
    tap.equal(sorted(os.listdir(weir.headers)), sorted(os.listdir(os.path.join(SOURCE, "include", "weir"))),
              "every public header is installed")
    tap.ok(weir.pkg_config("--libs").strip() == "", "a service links nothing of weir", weir.pkg_config("--libs"))
    folder = weir.pkg_config("--variable=plugindir").strip()
    tap.ok(folder.endswith("/weir/services"), "weir.pc says where plugins are looked for", folder)
    code, out, err = weir.weir("service", "list")
    tap.ok(code == 0 and "exchange" in out and "counter" not in out, "the installed weir has no example services", out)

    # ---- what the binary exports is what the headers declare, as the compiler reads them
    gcc = shutil.which("gcc")
    if gcc:
        info = os.path.join(weir.folder, "declared.txt")
        includes = "".join("#include <weir/%s>\n" % name for name in os.listdir(weir.headers))
        subprocess.run([gcc, "-fsyntax-only", "-x", "c", "-aux-info", info, *weir.cflags, "-"], input=includes.encode(), check=True)
        with open(info) as file:
            declared = {re.search(r"(weir_\w+) \(", line).group(1) for line in file
                        if "/weir/" in line and " static " not in line and re.search(r"weir_\w+ \(", line)}
        declared |= {"weir_allocator_system", "weir_dead_types"}  # the objects
        listed = subprocess.run(["nm", "-D", "--defined-only", "-P", weir.binary], stdout=subprocess.PIPE, check=True).stdout.decode()
        exported = {line.split()[0] for line in listed.splitlines()}
        tap.ok(len(declared) > 50, "the compiler lists the functions of the headers", len(declared))
        tap.equal(sorted(declared - exported), [], "every function of the headers is exported")
        # The rest: what the linker defines in every program, copies of the C library's objects (with @), sanitizers'.
        known = re.compile(r"@|^(_IO_stdin_used|__bss_start|_edata|_end|_start|_init|_fini|data_start|__data_start)$|"
                           r"^_*(asan|ubsan|tsan|lsan|sanitizer|interceptor|odr_asan)|^__odr_asan")
        tap.equal(sorted(name for name in exported - declared if not known.search(name)), [],
                  "nothing else is exported")
    else:
        tap.skip("every function of the headers is exported", "there is no gcc to list them")

    # ---- built alone, loaded, used
    so = weir.make("counter")
    needed = subprocess.run(["readelf", "-d", so], stdout=subprocess.PIPE, check=True).stdout.decode()
    tap.equal(sorted(re.findall(r"NEEDED.*\[(.*)\]", needed)), ["libc.so.6"], "counter.so needs the C library alone")
    node = weir.node(["--service", so, "--set", "counter.partitions=4", "--lanes", "2"])
    tap.equal(add(node, "visits", 3).json(), {"name": "visits", "value": "3"}, "the loaded service answers")
    tap.equal(add(node, "x" * 57, 1).json().get("title"), "A name has 1 to 56 bytes.", "a refusal is answered with the reason's sentence")
    for i in range(40):
        add(node, "n%d" % (i % 10), i)
    before = {"n%d" % i: value(node, "n%d" % i) for i in range(10)}
    tap.ok("/v1/counter/{name}/add" in node.get("/openapi.json").json()["paths"], "its routes are in the OpenAPI text")
    tap.equal(node.metric("weir_counter_changes_total"), 41.0, "its metrics are on the page")
    listed = {s["name"] for s in node.get("/v1/node").json()["services"]}
    tap.ok({"counter", "exchange"} <= listed, "it runs beside the services of the binary", listed)
    node.kill()
    node.start()
    tap.equal({name: value(node, name) for name in before}, before, "after SIGKILL the state is what it was")
    tap.equal(node.stop(), 0, "it stops cleanly")
    node.start(["--only", "counter"])
    tap.equal([s["name"] for s in node.get("/v1/node").json()["services"]], ["counter"], "--only takes its name")
    tap.equal({name: value(node, name) for name in before}, before, "after a clean stop the state is what it was")
    node.stop()
    code, out, err = weir.weir("service", "replay", "counter", "--service", so, "--data", node.data, "--partition", "1")
    tap.ok(code == 0 and '"service":"counter"' in out, "weir service replay takes --service", out + err)
    code, text = node.run_to_exit(["--only", "countr"])
    tap.ok(code not in (0, None) and "did you mean counter" in text, "--only knows the loaded names", text)
    node.close()

    # ---- from the configuration file; several
    shutil.copytree(os.path.dirname(so), os.path.join(weir.folder, "tally"))
    tally = os.path.join(weir.folder, "tally")
    for name in ("service.c", "counter.proto"):  # the README: copy the folder, rename it
        path = os.path.join(tally, name)
        with open(path) as file:
            text = file.read()
        text = text.replace("WEIR_SERVICE(counter)", "WEIR_SERVICE(tally)").replace('"counter"', '"tally"')
        with open(path, "w") as file:
            file.write(text.replace('"counter.commands"', '"tally.commands"').replace('"counter.changes"', '"tally.changes"').replace("/v1/counter/", "/v1/tally/"))
    weir.run(["make", "-B"], tally)
    tally_so = os.path.join(tally, "counter.so")
    config = "services:\n  - %s\n  - %s\ntally:\n  names_max: 5\ncounter: {partitions: 2}\n" % (so, tally_so)
    node = weir.node(config=config)
    tap.ok(add(node, "a", 1).status == 200 and add(node, "a", 2, "tally").json()["value"] == "2",
           "two plugins from the configuration run side by side")
    tap.equal([add(node, "t%d" % i, 1, "tally").status for i in range(5)], [200] * 4 + [507], "each has its own settings from the file")
    node.kill()
    node.start()
    tap.ok(value(node, "a") == 1 and node.get("/v1/tally/a").json()["value"] == "2", "both are found again after SIGKILL")
    path = os.path.join(node.folder, "weir.yaml")
    code, out, err = weir.weir("config", "check", path)
    tap.ok(code == 0, "config check knows the plugins' settings", err)
    code, out, err = weir.weir("config", "print", path)
    tap.ok("names_max: 5" in out and so in out, "config print shows them", out + err)
    node.close()
    node = weir.node(["--set", "lanes=1"], config="services: %s, %s\n" % (so, tally_so))
    tap.equal(add(node, "a", 1, "tally").status, 200, "the list may be one text with commas")
    node.close()

    # ---- by name from the plugin folder
    code, words = weir.refused("--service", "counter")
    tap.ok(code == 3 and folder.split("/weir/")[1] in words and "./counter" in words,
           "a name that the plugin folder does not have is refused, with the folder and what to write", words)

    # ---- refused, each with what to do
    def says(name, code, words, *wanted):
        tap.ok(code not in (0, None) and code > 0 and all(word in words for word in wanted), name,
               "exit %s\nwanted %s\n%s" % (code, wanted, words))

    says("the same name twice", *weir.refused("--service", so, "--service", so), "both a service named counter", "load one")
    code, words = weir.refused("--service", "./none.so")
    says("a file that is not there", code, words, "there is no file ./none.so")
    path = os.path.join(weir.folder, "text.so")
    with open(path, "w") as file:
        file.write("#!/bin/sh\n")
    says("a file that is no shared object", *weir.refused("--service", path), "is no shared object", "pkg-config --cflags weir")
    says("a program", *weir.refused("--service", "/bin/true"), "/bin/true")
    with open(so, "rb") as file:
        head = bytearray(file.read())
    head[18:20] = (183 if head[18] != 183 else 62).to_bytes(2, "little")  # e_machine: the other one
    path = os.path.join(weir.folder, "other.so")
    with open(path, "wb") as file:
        file.write(head)
    says("another machine's", *weir.refused("--service", path), "is built for", "this weir for", "build it here")
    says("a shared object that is no service", *weir.refused("--service", weir.compile("none", "int x;")),
         "no symbol weir_service", "WEIR_SERVICE(NAME)")
    with open(so, "rb") as file:
        whole = file.read()
    path = os.path.join(weir.folder, "cut.so")
    with open(path, "wb") as file:
        file.write(whole[:4200])
    says("half a file", *weir.refused("--service", path), "cut.so is cut short", "build or copy it again")
    says("a folder", *weir.refused("--service", weir.folder + "/"), weir.folder)
tap.done()
