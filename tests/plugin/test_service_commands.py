#!/usr/bin/env python3
"""weir service list, describe, snapshot: what stands in a running node, and in the folder of one that is stopped."""
import glob, json, os, re, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Tap
from plugin import Installed

tap = Tap()


def has(name, answer, *wanted):
    code, out, err = answer
    tap.ok(code == 0 and all(re.search(word, out) for word in wanted), name, "exit %s\nwanted %s\n%s%s" % (code, wanted, out, err))


with Installed() as weir:
    so = weir.make("counter")
    node = weir.node(["--service", so, "--set", "counter.partitions=3", "--set", "counter.names_max=77"])
    at = ("--node", "%s:%d" % node.addresses["http"])
    for i in range(30):
        node.post("/v1/counter/n%d/add" % i, {"amount": i})

    has("list shows what runs, out of the tree or not", weir.weir("service", "list", *at), r"NAME .*VERSION.*PARTITIONS", r"counter +2 +3 ", r"exchange ")
    code, out, err = weir.weir("service", "list", "--json", *at)
    rows = {row["name"]: row for row in json.loads(out)["services"]}
    tap.equal((rows["counter"]["partitions"], rows["counter"]["parked"], rows["counter"]["applied"]), (3, 0, 33),
              "list --json counts partitions, parked ones and applied records (a settings record each)")

    shown = weir.weir("service", "describe", "counter", *at)
    has("describe shows versions and settings in force", shown, r"version: 2", r"versionReplays: 2", r"names_max +77")
    has("and topics, routes, metrics, reasons", shown, r"counter.commands +input", r"POST +/v1/counter/\{name\}/add", r"weir_counter_changes_total", r"NAMES_FULL")
    has("and where each partition stands", shown, r"PARTITION +VERSION +APPLIED", r"\n  2 +2 +\d+")
    code, out, err = weir.weir("service", "describe", "countr", *at)
    tap.ok(code == 3 and "did you mean counter" in err, "a name that does not run there is answered with the nearest", err)

    code, out, err = weir.weir("service", "snapshot", "counter", "--json", *at)
    made = {p["partition"]: p for p in json.loads(out)["partitions"]}
    applied = {p["partition"]: p["applied"] for p in node.get("/v1/services/counter").json()["partitions"]}
    tap.equal({p: row["offset"] for p, row in made.items()}, applied, "snapshot waits until they count, and says of which offsets they are")
    has("the same for a person", weir.weir("service", "snapshot", "counter", *at), r"PARTITION +OFFSET +BYTES", r"\n  0 +%d " % applied[0])
    has("describe shows size and age of each", weir.weir("service", "describe", "counter", *at), r"SNAPSHOTBYTES +SNAPSHOTAGESECONDS", r"KB|B ")
    files = {int(path.split("/")[-2]): os.path.getsize(path) for path in glob.glob(node.data + "/snapshots/counter/*/*.snap")}
    tap.equal({p: row["bytes"] for p, row in made.items()}, files, "the size is that of the file")
    node.post("/v1/counter/n1/add", {"amount": 1})
    node.stop()

    code, out, err = weir.weir("service", "list", *at)
    tap.ok(code != 0 and "no node" in err, "a node that was named and does not answer is an error", out + err)
    has("without a node, list shows what a plugin declares", weir.weir("service", "list", "--service", so), r"counter +2 +\S+counter.so", r"exchange +\d+ +built in")
    has("and describe too", weir.weir("service", "describe", "counter", "--service", so), r"counter.commands", r"counter.names_max \(initially 65536\)", "weir_counter_changes_total")
    shown = weir.weir("service", "describe", "counter", "--service", so, "--data", node.data)
    has("of a stopped folder, describe shows offsets and every snapshot", shown, r"PARTITION +START +HIGH +SNAPSHOT +TAIL", r"PARTITION +OFFSET +BYTES +VERSION +AGESECONDS +STATE", r"whole")
    code, out, err = weir.weir("service", "describe", "counter", "--service", so, "--data", node.data, "--json")
    facts = json.loads(out)
    tap.equal([p["tail"] for p in facts["partitions"]], [0, 0, 0], "after a clean stop no partition has a tail")
    newest = max(glob.glob(node.data + "/snapshots/counter/1/*.snap"))
    with open(newest, "r+b") as file:
        file.seek(60)
        file.write(b"\xff\xff")
    code, out, err = weir.weir("service", "describe", "counter", "--service", so, "--data", node.data, "--json")
    damaged = [s for s in json.loads(out)["snapshots"] if s["state"] != "whole"]
    tap.equal([(s["partition"], s["offset"]) for s in damaged], [(1, int(os.path.basename(newest)[:20]))], "a damaged snapshot is shown as such")
    code, out, err = weir.weir("service", "describe", "counter", "--service", so, "--data", node.folder)
    tap.ok(code != 0 and err.startswith("weir: "), "a folder that is no data folder is refused with a sentence", out + err)
    node.close()
tap.done()
