#!/usr/bin/env python3
"""Back to a moment: the state is that of the moment, outputs up to it are the same bytes, and the node goes on from there."""
import os, shutil, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from backup import backup, book, define, facts, order, records, weir
from node import Node, Tap

tap = Tap()
work = tempfile.mkdtemp(prefix="weir-backup-")
store = os.path.join(work, "store")
SYMBOLS = ["AAA", "BBB", "CCC"]


def state(node):
    return [digest for _, _, digest, _ in sorted(facts(node))], [book(node, s) for s in SYMBOLS]


def trade(node, count, seed):
    for i in range(count):
        order(node, "BUY" if (i * 7 + seed) % 3 else "SELL", 90 + (i * 13 + seed) % 21, 1 + i % 9, 1 + i % 2, SYMBOLS[i % 3])


def moment(node):
    """A time that every record so far is at or before, and every later one behind: in milliseconds, as record times are."""
    time.sleep(0.03)  # the clocks of partitions follow the wall clock; two moments must differ in it
    now = time.time()
    time.sleep(0.03)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%03dZ" % (now * 1000 % 1000)


def restored(until, want, events, plain, name):
    copy = os.path.join(work, "copy")
    code, out, err = weir("restore", "--from", store, "--data", copy, "--until", until)
    if not tap.equal((code, err), (0, ""), name):
        return
    with Node(folder=work, start=False, args=["--set", "exchange.partitions=2"]) as other:
        other.data = copy
        other.start()
        tap.equal(state(other), want, "its state is that of the moment")
        there = [records(other, "exchange.events", p) for p in range(2)]
        tap.equal(there, events, "its outputs are those up to it, byte for byte")
        tap.equal(records(other, "plain"), plain, "so is a plain topic")
        trade(other, 6, 1)
        tap.equal(other.stop(), 0, "the node goes on from there and stops")
    code, out, err = weir("log", "verify", copy)
    tap.equal(code, 0, "and its log is whole" + err)
    shutil.rmtree(copy)


with Node(args=["--set", "exchange.partitions=2"]) as node:
    for s in SYMBOLS:
        define(node, s)
    assert node.post("/v1/topics", {"name": "plain"}).status in (200, 201)
    moments = []
    for round in range(4):
        trade(node, 12, round)
        node.post("/v1/topics/plain/records", [{"value": "%d-%d" % (round, i)} for i in range(3)])
        moments.append((moment(node), state(node), [records(node, "exchange.events", p) for p in range(2)], records(node, "plain")))
        trade(node, 2, round + 7)
        if round in (1, 2):
            node.post("/v1/services/exchange/snapshot")
    offset = [p for p in facts(node) if p[0] == 0][0][1]
    node.kill()
    made = backup(node.data, store)
    tap.ok(isinstance(made, dict), "the backup of the killed node is made", made)
    for i, (until, want, events, plain) in enumerate(moments):
        restored(until, want, events, plain, "back to moment %d" % i)

    copy = os.path.join(work, "copy")
    code, out, err = weir("restore", "--from", store, "--data", copy, "--until", "exchange.orders:0:%d" % (offset - 3))
    tap.equal((code, err), (0, ""), "back to in front of a record")
    code, out, err = weir("service", "replay", "exchange", "--data", copy)
    tap.ok('"applied":%d' % (offset - 3) in out, "the record and what follows it are not there", out + err)
    shutil.rmtree(copy)
    for until, words in [("2099-01-01T00:00:00Z", "made before that moment"), ("yesterday", "write a time"),
                         ("none:0:0", "no input or plain topic none"), ("exchange.events:0:1", "no input or plain topic"),
                         ("exchange.orders:0:99999", "holds offsets 0 to")]:
        code, out, err = weir("restore", "--from", store, "--data", copy, "--until", until)
        tap.ok(code != 0 and words in err and not os.path.exists(copy), "%s is refused: %s" % (until, words), (code, err))
shutil.rmtree(work)
tap.done()
