#!/usr/bin/env python3
"""Lazy and memory topics: made, listed, written, read, tailed; what a clean stop and a kill leave of them."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from ws import WebSocket

tap = Tap()
STEP = 1 << 32  # how far a crash moves the offsets on


def weir(node, *words):
    done = subprocess.run([os.environ["WEIR"], *words, "--node", "127.0.0.1:%d" % node.port()], capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout, done.stderr


def make(node):
    tap.equal(node.post("/v1/topics", {"name": "flows", "durability": "lazy"}).status, 201, "a lazy topic is made")
    code, _, err = weir(node, "topic", "create", "audio", "--durability", "memory", "--retention-bytes", "64KB")
    tap.equal(code, 0, "a memory topic is made from the command line: " + err)
    listed = {t["name"]: t for t in node.get("/v1/topics").json()["topics"]}
    tap.equal((listed["flows"]["durability"], listed["audio"]["durability"], listed["audio"]["retentionBytes"]),
              ("lazy", "memory", 65536), "the list says what they are")
    code, out, _ = weir(node, "topic", "list")
    rows = {line.split()[0]: line.split()[-1] for line in out.splitlines()}
    tap.equal((rows["flows"], rows["audio"]), ("lazy", "memory"), "and the table of the command line")
    for body in ({"durability": "eager"}, {"durability": 1}, {"durability": "memory", "retentionBytes": 1},
                 {"durability": "memory", "retentionMs": 1}):
        refused = node.post("/v1/topics", dict(body, name="wrong"))
        tap.ok(refused.status == 400 and len(refused.json()["detail"]) > 20, "refused with a reason: %s" % body, refused)
    refused = node.post("/v1/topics", {"name": "huge", "durability": "memory", "retentionBytes": 1 << 40})
    tap.equal(refused.status, 503, "memory topics are bounded together")


def append(node, topic, value, count=1):
    done = node.post("/v1/topics/%s/records" % topic, [{"value": value}] * count)
    return done.json()["offset"] if done.status == 200 else done


def read(node, topic, offset=None, high=None):
    query = "" if offset is None else "?offset=%d" % offset
    got = node.get("/v1/topics/%s/records%s" % (topic, query))
    return got.json() if got.status == 200 else got


def settled(node, topic, high):
    return node.wait_for(lambda: read(node, topic)["high"] == high, what="%s up to %d" % (topic, high))


def write_and_tail(node):
    frames = node.metric("weir_log_journal_frames_total")
    for topic in ("flows", "audio"):
        tail = WebSocket(node, "/v1/topics/%s/tail?from=0" % topic)
        tail.receive()[1]  # it is live
        tap.equal([append(node, topic, "v%d" % i) for i in range(3)], [0, 1, 2], "%s: three are appended" % topic)
        told = [json.loads(tail.receive()[1])["record"] for _ in range(3)]
        tap.equal([r["value"] for r in told], ["v0", "v1", "v2"], "%s: the tail hears them" % topic)
        tail.close()
        settled(node, topic, 3)
        tap.equal([r["value"] for r in read(node, topic, 0)["records"]], ["v0", "v1", "v2"], "%s: they are read" % topic)
    tap.equal(node.metric("weir_log_journal_frames_total"), frames, "and the journal has no frame of any")


def overtake(node):
    last = 2
    while read(node, "audio")["start"] == 0:
        last = append(node, "audio", "x" * 8000)
    got = node.get("/v1/topics/audio/records?offset=0")
    tap.equal(got.status, 416, "who is overtaken in a memory topic is told as by retention")
    shown = node.get("/v1/topics/audio").json()["offsets"][0]
    tap.ok(0 < shown["start"] <= last and shown["bytes"] <= 65536, "the oldest made room", shown)
    tap.ok(node.metric("weir_log_memory_dropped_bytes_total") > 0, "which is counted")
    return last + 1


def restart(node, audio):
    node.stop()
    node.start()
    flows = read(node, "flows")
    tap.equal(([r["value"] for r in flows["records"]], flows["high"]), (["v0", "v1", "v2"], 3), "a clean stop keeps a lazy topic")
    empty = read(node, "audio")
    tap.equal((empty["records"], empty["start"], empty["high"]), ([], audio, audio), "a memory topic is empty and goes on")
    tap.equal(append(node, "audio", "new"), audio, "with the next offset")


def kill(node):
    node.wait_for(lambda: node.get("/v1/topics/flows").json()["offsets"][0]["checkpointed"] == 3, what="the checkpoint")
    append(node, "flows", "written")
    settled(node, "flows", 4)
    node.kill()
    node.start()
    flows, audio = read(node, "flows", 0), read(node, "audio")
    kept = flows["records"] + read(node, "flows", flows["next"])["records"]  # an answer ends with its segment
    tap.equal([r["value"] for r in kept], ["v0", "v1", "v2", "written"], "a kill leaves what was written")
    resumed = node.get("/v1/topics/flows").json()["offsets"][0]["resumed"]
    tap.ok(resumed % STEP == 0 and resumed >= STEP, "the offsets go on where none was given", resumed)
    tap.equal(append(node, "flows", "after"), resumed, "with that one")
    settled(node, "flows", resumed + 1)
    behind = read(node, "flows", 5)
    tap.equal([(r["offset"], r["value"]) for r in behind["records"]], [(resumed, "after")], "a reader is led over the gap")
    tap.ok(audio["records"] == [] and audio["start"] >= STEP and audio["start"] % STEP == 0, "a memory topic begins anew", audio)
    tail = WebSocket(node, "/v1/topics/flows/tail?from=3")
    told = json.loads(tail.receive()[1])
    while "record" not in told or told["record"]["value"] == "written":
        told = json.loads(tail.receive()[1])
    tap.equal(told["record"]["offset"], resumed, "and so is a tail from before it")
    tail.close()


with Node() as node:
    make(node)
    write_and_tail(node)
    restart(node, overtake(node))
    kill(node)
tap.done()
