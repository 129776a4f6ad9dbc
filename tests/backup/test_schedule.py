#!/usr/bin/env python3
"""Backups on a schedule: due, kept, told; only new bytes are sent; a store that fails is an error in the log and no more.
# also: tsan
"""
import json, os, shutil, sys, tempfile, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from backup import define, files_below, order, weir
from node import Node, Tap

tap = Tap()
work = tempfile.mkdtemp(prefix="weir-backup-")
store = os.path.join(work, "store")


def shown(node):
    return node.get("/v1/backup").json()


with Node() as plain:
    tap.equal(plain.get("/v1/backup").status, 404, "a node without backup.to makes none, and says so")
    tap.equal(plain.get("/v1/node").json()["backup"], None, "also in /v1/node")
    code, out, err = weir("backup", "--node", "127.0.0.1:%d" % plain.port())
    tap.ok(code != 0 and "backup.to" in err, "and what to set when it is asked", err)

with Node(args=["--set", "backup.to=%s" % store, "--set", "backup.every=200ms", "--set", "backup.keep=3",
                "--set", "backup.keep_age=0s"]) as node:
    define(node)
    facts = node.wait_for(lambda: (lambda b: b if b["made"] >= 5 else None)(shown(node)), what="five backups")
    tap.ok(facts["failed"] == 0 and facts["failure"] is None, "backups are made when they are due", facts)
    node.wait_for(lambda: len(files_below(os.path.join(store, "manifests"))) <= 4, what="old ones to go")
    tap.ok(len(files_below(os.path.join(store, "manifests"))) >= 3, "the newest stay")
    tap.ok(facts["rpoSeconds"] < 60 and 0 < node.metric("weir_backup_rpo_seconds") < 60, "the age of the last cut is told")
    tap.ok(node.metric("weir_backup_successes_total") >= 5 and node.metric("weir_backup_bytes") > 0, "so are counts and sizes")
    tap.ok(node.get("/v1/node").json()["backup"]["made"] >= 5, "and in /v1/node")
    tap.equal(node.stop(), 0, "a node with backups stops cleanly")

with Node(args=["--set", "backup.to=%s" % os.path.join(work, "asked"), "--set", "backup.every=0s"]) as node:
    node.post("/v1/topics", {"name": "big"})
    row = [{"value": "x" * 1000}]
    for i in range(300):
        assert node.post("/v1/topics/big/records", row * 10).status in (200, 201)
    ask = lambda: json.loads(weir("backup", "--node", "127.0.0.1:%d" % node.port())[1])
    first = ask()
    tap.ok(first["bytesNew"] == first["bytes"] > 3000000, "the first backup sends everything", first)
    for i in range(20):
        assert node.post("/v1/topics/big/records", row * 10).status in (200, 201)
    second = ask()
    grown = second["bytes"] - first["bytes"]
    tap.ok(200000 < grown < 300000, "the topic grew by what was appended", (first, second))
    tap.ok(grown <= second["bytesNew"] < grown + 20000, "and only that was sent", second)
    third = ask()
    tap.ok(third["bytesNew"] == 0 and third["bytes"] == second["bytes"], "a node at rest sends nothing", third)
    results = []
    threads = [threading.Thread(target=lambda: results.append(ask())) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    tap.equal(len(results), 4, "who asks at the same time is answered")

blocked = os.path.join(work, "blocked")
with open(blocked, "w") as file:
    file.write("no folder\n")
with Node(args=["--set", "backup.to=%s" % blocked, "--set", "backup.every=100ms"]) as node:
    define(node)
    facts = node.wait_for(lambda: (lambda b: b if b["failed"] >= 2 else None)(shown(node)), what="failures")
    tap.ok(facts["failure"] and facts["cutUnixMs"] is None and facts["rpoSeconds"] is None, "a store that fails is told", facts)
    tap.ok(node.wait_for(lambda: [l for l in node.stderr if "backup_failed" in l and "error" in l]), "and is an error in the log")
    tap.ok(node.metric("weir_backup_failures_total") >= 2 and node.metric("weir_backup_rpo_seconds") > 1e9, "and in the metrics")
    tap.equal(order(node, "BUY", 100, 1)["status"], "OPEN", "the node serves all the same")
    code, out, err = weir("backup", "--node", "127.0.0.1:%d" % node.port())
    tap.ok(code != 0 and "blocked" in err, "who asks hears why", err)
    tap.equal(node.stop(), 0, "it stops cleanly")

for setting, words in [("backup.to=ftp://x/y", "known are a folder"), ("backup.to=s3://bucket/x", "AWS_ACCESS_KEY_ID"),
                       ("backup.every=soon", "a duration"), ("backup.ever=1h", "did you mean backup.every")]:
    with Node(start=False, args=["--set", setting], env={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}) as node:
        code, text = node.run_to_exit()
        tap.ok(code not in (0, None) and words in text, "--set %s is refused: %s" % (setting, words), text)
shutil.rmtree(work)
tap.done()
