#!/usr/bin/env python3
"""Backups of a stopped or killed folder: what is restored is what was there; only new bytes are sent; no damage gets through."""
import os, shutil, sys, tempfile
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
shutil.rmtree(work)
tap.done()
