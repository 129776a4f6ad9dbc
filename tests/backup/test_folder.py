#!/usr/bin/env python3
"""Backups of a stopped or killed folder: what is restored is what was there; only new bytes are sent; no damage gets through."""
import os, shutil, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from backup import backup, book, define, facts, files_below, order, records, weir
from node import Node, Tap

tap = Tap()
config = "journal_bytes: 16MB\ncheckpoint_bytes: 1MB\nsegment_bytes: 1MB\n"
work = tempfile.mkdtemp(prefix="weir-backup-")
store = os.path.join(work, "store")


def fill(node, count, seed):
    for i in range(count):
        order(node, "BUY" if (i * 7 + seed) % 3 else "SELL", 90 + (i * 13 + seed) % 21, 1 + i % 9, account=1 + i % 2)


with Node(start=False, config=config) as node:
    node.start()
    define(node)
    fill(node, 60, 1)
    node.kill()  # a tail in the journal alone
    first = backup(node.data, store)
    tap.ok(isinstance(first, dict), "a folder whose node was killed can be copied", first)
    node.start()
    before = facts(node), book(node), records(node, "exchange.events")
    node.stop()
    second = backup(node.data, store)
    third = backup(node.data, store)
    tap.equal(third["bytesNew"], 0, "a folder that did not change sends nothing new")

    copy = os.path.join(work, "copy")
    code, out, err = weir("restore", "--from", store, "--data", copy)
    tap.equal(code, 0, "the newest backup is restored: " + (out or err).strip())
    with Node(folder=work, start=False, args=["--config", os.path.join(node.folder, "weir.yaml")]) as other:
        other.data = copy
        other.start()
        tap.equal((facts(other)[0][2:], book(other)), (before[0][0][2:], before[1]), "state and book are those of the node that was copied")
        tap.equal(records(other, "exchange.events"), before[2], "outputs are the same, byte for byte")
        fill(other, 5, 3)
        other.kill()
with Node() as node:  # a backup and a restore that are killed
    node.post("/v1/topics", {"name": "big"})
    for i in range(40):
        assert node.post("/v1/topics/big/records", [{"value": "x" * 9000}] * 40).status in (200, 201)
    want = records(node, "big")
    node.stop()
    other = os.path.join(work, "killed")

    def kill_after(seconds, *args):
        process = subprocess.Popen([os.environ["WEIR"], *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)  # the moment of the kill
        process.kill()
        process.wait()

    for i in range(6):
        kill_after(0.02 * i, "backup", "--data", node.data, "--to", other)
    code, out, err = weir("backup", "list", "--from", other, "--json")
    tap.ok(code == 0 and "error" not in out, "a backup that is killed leaves no manifest that lies", out + err)
    made = backup(node.data, other)
    tap.ok(isinstance(made, dict), "the next one goes on", made)
    code, out, err = weir("backup", "verify", "--from", other)
    tap.equal(code, 0, "and is whole: " + (out or err).strip())
    copy = os.path.join(work, "copy2")
    for i in range(6):
        kill_after(0.02 * i, "restore", "--from", other, "--data", copy, "--backup", made["id"])
        if os.path.exists(copy):
            tap.equal(weir("log", "verify", copy)[0], 0, "what a killed restore gave its name is whole")
            shutil.rmtree(copy)
    code, out, err = weir("restore", "--from", other, "--data", copy, "--backup", made["id"])
    tap.equal((code, err), (0, ""), "a restore after killed ones is whole")
    with Node(folder=work, start=False) as again:
        again.data = copy
        again.start()
        tap.ok(records(again, "big") == want, "and has every record")
shutil.rmtree(work)
tap.done()
