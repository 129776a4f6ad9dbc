#!/usr/bin/env python3
"""Two versions of a service outside of this tree: up with and without a tail, refused where records would be read otherwise than
they were, down never; several partitions and lanes, with settings that change at the same time."""
import os, shutil, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from plugin import Installed

tap = Tap()
NAMES = ["n%d" % i for i in range(12)]

# Version 3 keeps one number more, in its state and behind the old one's in its snapshots.
STATE = {"counter.h": [("uint64_t places, count, digest;", "uint64_t places, count, changes, digest;")],
         "counter.c": [("    uint64_t name_hash = weir_hash", "    counters->changes++;\n    uint64_t name_hash = weir_hash")],
         "service.c": [
             ("    .version = 2,", "    .version = 3,"),
             ("    const struct counter *counter = counters_find(state, weir_slice_text(wanted->name));",
              "    const struct counters *all = state;\n    struct counter changes = {(int64_t)all->changes, 7, \"changes\"};\n"
              "    const struct counter *counter = strcmp(wanted->name, \"changes\") == 0 ? &changes :\n"
              "        counters_find(state, weir_slice_text(wanted->name));"),
             ("sizeof counters->table[i]);\n    return e;", "sizeof counters->table[i]);\n"
              "    return e ? e : weir_sink_put(sink, &counters->changes, sizeof counters->changes);"),
             ("a saved counter cannot be taken\");\n    }\n    return e;", "a saved counter cannot be taken\");\n    }\n"
              "    struct counters *all = state;\n    all->changes = count;\n"
              "    return e || weir_source_version(source) < 3 ? e : weir_source_get(source, &all->changes, sizeof all->changes);")]}
# One that also counts otherwise from now on: what version 2 wrote would give other sums.
OTHERWISE = {"service.c": [("    .version_replays = 2,", "    .version_replays = 3,"),
                           ("if (add) change(state, add->name, false, add->amount, out);",
                            "if (add) change(state, add->name, false, 10 * add->amount, out);")]}


def build(name, *changes):
    folder = os.path.join(weir.folder, name)
    shutil.copytree(os.path.join(weir.folder, "counter"), folder)
    for change in changes:
        for file_name, pairs in change.items():
            path = os.path.join(folder, file_name)
            with open(path) as file:
                text = file.read()
            for old, new in pairs:
                if text.count(old) != 1:
                    raise RuntimeError("%s has %d times: %s" % (file_name, text.count(old), old))
                text = text.replace(old, new)
            with open(path, "w") as file:
                file.write(text)
    weir.run(["make", "-B"], folder)
    return os.path.join(folder, "counter.so")


class Life:
    """One data folder, started by one version after another."""

    def __init__(self, lanes):
        self.node = Node(args=["--set", "counter.partitions=3", "--lanes", str(lanes), "--only", "counter"], start=False)
        self.node.binary = weir.binary
        self.want = dict.fromkeys(NAMES, 0)

    def start(self, so, *more):
        self.node.start(["--service", so, *more])

    def refused(self, so, *more):
        return self.node.run_to_exit(["--service", so, *more])

    def add(self, factor=1):
        for i, name in enumerate(NAMES):
            if self.node.post("/v1/counter/%s/add" % name, {"amount": i + 1}).status == 200:
                self.want[name] += factor * (i + 1)

    def found(self, name):
        got = {key: int(self.node.get("/v1/counter/" + key).json()["value"]) for key in NAMES}
        tap.equal(got, self.want, name)


with Installed() as weir:
    weir.make("counter")
    old = os.path.join(weir.folder, "counter", "counter.so")
    new = build("v3", STATE)
    otherwise = build("v3-otherwise", STATE, OTHERWISE)

    for lanes in (1, 2):
        where = "%d lane%s: " % (lanes, "s" * (lanes > 1))
        life = Life(lanes)
        life.start(old)
        life.add()
        tap.equal(life.node.stop(), 0, where + "version 2 stops cleanly")
        life.start(otherwise, "--set", "counter.names_max=70000")
        life.found(where + "without a tail, version 3 loads what version 2 saved, with a setting raised at the same time")
        versions = {p["version"] for p in life.node.get("/v1/services/counter").json()["partitions"]}
        tap.equal(versions, {3}, where + "and is in force in all partitions")
        life.add(10)
        life.found(where + "from there on it counts in its own way")
        life.node.kill()
        life.start(otherwise, "--set", "counter.names_max=70000")
        life.found(where + "a tail behind the upgrade is replayed: each record by the version in force there")
        before = int(life.node.get("/v1/counter/changes").json()["value"])
        tap.equal(life.node.stop(), 0, where + "version 3 stops cleanly")
        code, words = life.refused(old)
        tap.ok(code not in (0, None) and "version 3" in words and "is version 2" in words and "no way back" in words,
               where + "down again after a clean stop: refused, with both versions", words)
        life.start(otherwise, "--set", "counter.names_max=70000")
        life.found(where + "the newer one starts as if nothing had been")
        tap.equal(int(life.node.get("/v1/counter/changes").json()["value"]), before, where + "with what only its own snapshots hold")
        life.add(10)
        life.node.kill()
        code, words = life.refused(old)
        tap.ok(code not in (0, None) and "no way back" in words, where + "down again with a tail: refused", words)
        life.start(otherwise, "--set", "counter.names_max=70000")
        life.found(where + "and nothing of it was lost")
        life.node.close()

        life = Life(lanes)
        life.start(old)
        life.add()
        life.node.stop()
        life.start(old)
        life.add()
        life.node.kill()
        code, words = life.refused(otherwise)
        tap.ok(code not in (0, None) and "by its version 2" in words and "3 to 3" in words and "stop it cleanly" in words,
               where + "a tail that the new version does not replay: refused, with what to do", words)
        life.start(old)
        life.found(where + "the old one still starts, with its tail")
        life.add()
        life.node.kill()
        life.start(new, "--set", "counter.names_max=80000")
        life.found(where + "a tail that version_replays covers is replayed, with a setting raised at the same time")
        life.add()
        life.node.kill()
        life.start(new, "--set", "counter.names_max=80000")
        life.found(where + "and so is a tail of both versions")
        tap.equal(life.node.stop(), 0, where + "it stops cleanly")
        life.start(otherwise, "--set", "counter.names_max=80000")
        life.found(where + "then nothing is left to replay for any version")
        life.node.close()
tap.done()
