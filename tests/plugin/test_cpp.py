#!/usr/bin/env python3
"""A service in C++: built alone against what is installed, its objects opened and closed with each instance of the state, and an
exception that leaves one of its functions is a poison record and no end of the node."""
import os, re, shutil, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from plugin import Installed

tap = Tap()
if not shutil.which(os.environ.get("CXX", "c++")):
    tap.skip("a service in C++ is built and runs", "THERE IS NO C++ COMPILER")
    tap.done()


def top(node, board):
    return [(p["player"], int(p["score"])) for p in node.get("/v1/ranking/%s?limit=3" % board).json().get("places", [])]


with Installed() as weir:
    weir.example("ranking")
    folder = os.path.join(weir.folder, "ranking")
    said = weir.run(["make", "check", "CXXFLAGS=-Wall -Wextra -pedantic -Wno-missing-field-initializers -Werror -O1"], folder)
    tap.ok("not ok" not in said and "1..10" in said, "the example's own tests pass, built without a warning", said)
    tap.ok("service ranking, version 1" in said, "weir service check finds nothing wrong", said)
    so = os.path.join(folder, "ranking.so")

    node = weir.node(["--service", so, "--only", "ranking", "--lanes", "2", "--set", "ranking.partitions=3",
                      "--set", "ranking.entries_max=6"])
    for player, score in (("ann", 5), ("bob", 9), ("cid", 7), ("bob", 1), ("ann", 11)):
        node.post("/v1/ranking/go/scores", {"player": player, "score": score})
    tap.equal(top(node, "go"), [("ann", 11), ("bob", 9), ("cid", 7)], "best scores stand in order")
    for i in range(4):
        answer = node.post("/v1/ranking/go/scores", {"player": "p%d" % i, "score": -i})
    tap.ok(answer.status == 507 and "ranking.entries_max" in answer.json()["title"], "what does not fit is refused with its reason", answer)
    tap.equal(node.post("/v1/ranking/go/scores", {"player": "x" * 24, "score": 1}).status, 400, "a name too long is refused")
    tap.equal(node.post("/v1/services/ranking/snapshot", {}).status, 200, "a shadow is opened, saved and closed")
    node.kill()
    node.start()
    tap.equal(top(node, "go"), [("ann", 11), ("bob", 9), ("cid", 7)], "after SIGKILL the objects are what they were")
    tap.ok(node.stop() == 0, "it stops cleanly, and under sanitizers nothing was left behind", "\n".join(node.stderr[-20:]))
    code, out, err = weir.weir("service", "replay", "ranking", "--service", so, "--data", node.data, "--partition", "0")
    tap.ok(code == 0, "an offline replay opens and closes it too", err)
    node.start(["--set", "ranking.entries_max=8"])
    answer = node.post("/v1/ranking/go/scores", {"player": "more", "score": 1})
    tap.equal((answer.status, top(node, "go")[0]), (200, ("ann", 11)), "a raised setting gives the vector more room")
    node.close()

    if os.environ.get("WEIR_SANITIZED") or "asan" in os.environ["WEIR"]:
        copy = os.path.join(weir.folder, "unclosed")
        shutil.copytree(folder, copy)
        with open(os.path.join(copy, "service.cc")) as file:
            text = file.read()
        with open(os.path.join(copy, "service.cc"), "w") as file:
            file.write(text.replace("    s.close = close_state;\n", "    (void)close_state;\n"))
        weir.run(["make", "ranking.so", "CXXFLAGS=-O1"], copy)
        node = weir.node(["--service", os.path.join(copy, "ranking.so"), "--only", "ranking"])
        tap.ok(node.stop() != 0 and any("LeakSanitizer" in line for line in node.stderr),
               "without .close the same stop is found to leave memory behind", "\n".join(node.stderr[-5:]))
        node.close()

    # ---- exceptions
    preload = {}
    if os.environ.get("WEIR_SANITIZED") or "asan" in os.environ["WEIR"]:
        # The sanitizer of a C program looks for __cxa_throw at start; a C++ object that comes later would not be found.
        path = weir.run(["c++", "-print-file-name=libstdc++.so.6"], weir.folder).strip()
        asan = weir.run(["cc", "-print-file-name=libasan.so"], weir.folder).strip()
        preload = {"LD_PRELOAD": "%s %s" % (asan, path)}
    for word, name in (("noexcept ", "noexcept"), ("", "any")):
        with open(os.path.join(folder, "service.cc")) as file:
            text = file.read()
        copy = os.path.join(weir.folder, "throws-" + name)
        shutil.copytree(folder, copy)
        with open(os.path.join(copy, "service.cc"), "w") as file:
            file.write(text.replace("weir_out *out) noexcept {\n    if (record->kind", "weir_out *out) %s{\n"
                                    "    if (record->value.size > 90) throw 1;\n    if (record->kind" % word))
        weir.run(["make", "ranking.so", "CXXFLAGS=-O1"], copy)
        node = Node(args=["--service", os.path.join(copy, "ranking.so"), "--only", "ranking"], start=False, env=preload)
        node.binary = weir.binary
        node.start()
        node.post("/v1/ranking/go/scores", {"player": "ann", "score": 5})
        try:
            node.post("/v1/ranking/go/scores", {"player": "b" * 120, "score": 5})
        except OSError:
            pass
        code = node.wait_end()
        tap.ok(code is not None and code < 0, "an exception out of apply (%s) ends the process" % name, code)
        tap.ok(any("terminate called" in line for line in node.stderr), "and says so", "\n".join(node.stderr[-5:]))
        code, words = node.run_to_exit()
        tap.ok(code is not None and code != 0, "it ends at the same record at the next start", words[-800:])
        node.start()
        parked = [p for p in node.get("/v1/node").json()["partitions"] if p["parked"]]
        tap.equal(len(parked), 1, "the third start parks the partition and serves")
        words = re.search(r"weir (service skip \S+ --partition \d+ --offset \d+)", parked[0]["parkedReason"])
        code, out, err = weir.weir(*words.group(1).split(), "--node", "%s:%d" % node.addresses["http"])
        node.wait_for(lambda: not any(p["parked"] for p in node.get("/v1/node").json()["partitions"]), what="the end of the parking")
        tap.equal((code, top(node, "go")), (0, [("ann", 5)]), "the command that it names passes over the record")
        node.close()
tap.done()
