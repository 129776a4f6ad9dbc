#!/usr/bin/env python3
"""Compressed batches: made by the node, sent by clients in each of Kafka's codecs, read and tailed plain; what is refused."""
import gzip
import json
import os
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from node import Node, Tap
from ws import WebSocket

tap = Tap()
CODECS = ("plain", "gzip", "snappy", "lz4", "zstd")
TYPE = {"Content-Type": "application/vnd.kafka.record-batch"}


def vector(codec):
    """What kafka-python made of 20 records (src/wire/test_compression.c says of which)."""
    with open(os.path.join(HERE, "..", "corpus", "compression", "batch-" + codec), "rb") as file:
        return file.read()[1:]


def crc32c(data):
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(n):
    n, out = n << 1 ^ n >> 63, b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def batch(values, attributes=1, compress=lambda data: gzip.compress(data, mtime=0)):
    """A RecordBatch v2 of these values."""
    records = b""
    for i, value in enumerate(values):
        body = b"\0" + varint(0) + varint(i) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(body)) + body
    rest = struct.pack(">hiqqqhii", attributes, len(values) - 1, 1600000000000, 1600000000000, -1, -1, -1, len(values))
    rest += compress(records)
    return struct.pack(">qiibI", 0, len(rest) + 9, 0, 2, crc32c(rest)) + rest


def send(node, topic, data):
    return node.request("POST", "/v1/topics/%s/records" % topic, data, headers=TYPE)


def read_all(node, topic, count):
    path, records, offset = "/v1/topics/%s/records" % topic, [], 0

    def more():
        nonlocal offset
        got = node.get("%s?offset=%d" % (path, offset)).json()
        records.extend(got["records"])
        offset = got["next"]
        return len(records) >= count
    node.wait_for(more, what="%d records of %s" % (count, topic))
    tap.equal([r["offset"] for r in records], list(range(count)), "%s: %d records, each once, in order" % (topic, count))
    return records


def made_by_the_node(node):
    words = [{"key": "user-%d" % (i % 7), "value": json.dumps({"event": "click", "page": "/items/%d" % i, "n": i})}
             for i in range(500)]
    for codec in ("lz4", "zstd"):
        tap.equal(node.post("/v1/topics", {"name": codec, "compression": codec}).status, 201, "a topic with %s is made" % codec)
        before = [node.metric("weir_log_compress_%s_bytes_total" % way) for way in ("in", "out")]
        tail = WebSocket(node, "/v1/topics/%s/tail?from=0" % codec)
        tail.receive()
        tap.equal(node.post("/v1/topics/%s/records" % codec, words).status, 200, "records are appended")
        got = read_all(node, codec, len(words))
        tap.ok([(r["key"], r["value"]) for r in got] == [(w["key"], w["value"]) for w in words], "and come back as they were")
        told = [json.loads(tail.receive()[1])["record"]["value"] for _ in words]
        tap.ok(told == [w["value"] for w in words], "the tail hears them, too")
        tail.close()
        went, came = (node.metric("weir_log_compress_%s_bytes_total" % way) - b for way, b in zip(("in", "out"), before))
        tap.ok(0 < came < went / 2, "%s: %d bytes are stored as %d" % (codec, went, came))
    tap.equal(node.post("/v1/topics", {"name": "x", "compression": "brotli"}).status, 400, "no other codec is known")
    tap.equal(node.get("/v1/topics/zstd").json()["compression"], "zstd", "a topic says its compression")


def sent_by_clients(node):
    node.post("/v1/topics", {"name": "sent"})
    node.post("/v1/topics", {"name": "plainly", "compression": "none"})
    values = ["squeeze me " * 8 + "%d" % i for i in range(20)]
    for topic in ("sent", "plainly"):
        tail = WebSocket(node, "/v1/topics/%s/tail" % topic)
        for n, codec in enumerate(CODECS):
            done = send(node, topic, vector(codec))
            tap.ok(done.status == 200 and done.json() == {"partition": 0, "offset": 20 * n, "count": 20, "repeated": False},
                   "%s: a batch with %s is appended" % (topic, codec), done)
        got = read_all(node, topic, 100)
        tap.ok([r["value"] for r in got] == values * len(CODECS), "its records are read")
        told = []
        while len(told) < 100:
            message = json.loads(tail.receive()[1])
            told += [message["record"]["offset"]] if "record" in message else []
        tap.equal(told, list(range(100)), "and tailed")
        tail.close()


def larger_than_an_answer(node):
    node.post("/v1/topics", {"name": "large"})
    values = [bytes([65 + i % 26]) * 10000 for i in range(500)]
    data = batch(values)
    tap.ok(send(node, "large", data).status == 200, "%d bytes that unfold to 5 MB are appended" % len(data))
    got = read_all(node, "large", 500)
    tap.ok([r["value"].encode() for r in got] == values, "and read in several answers")
    tail = WebSocket(node, "/v1/topics/large/tail?from=123&partition=0")
    told = [json.loads(tail.receive()[1])["record"]["offset"] for _ in range(377)]
    tap.equal(told, list(range(123, 500)), "and tailed from the middle")
    tail.close()


def refused(node):
    good = vector("zstd")
    flipped = good[:-3] + bytes([good[-3] ^ 1]) + good[-2:]
    bomb = batch([b"0" * (9 << 20)])
    wide = batch([b"0" * (2 << 20)])
    for data, status, why in ((flipped, 400, "a wrong checksum"), (good[:-1], 400, "one cut short"), (good + b"x", 400, "bytes behind"),
                              (b"", 400, "nothing"), (b"[]", 400, "JSON"), (bomb, 413, "one that unfolds too far"),
                              (wide, 413, "a record that no answer could hold"),
                              (batch([b"x"], attributes=0x10, compress=bytes), 501, "a transactional one"),
                              (batch([b"x"], attributes=4), 400, "gzip that is called zstd")):
        done = send(node, "sent", data)
        tap.ok(done.status == status and done.json()["detail"], "refused: %s" % why, done)
    done = send(node, "plainly", batch([b"0" * 5000] * 500))
    tap.ok(done.status == 413 and "none" in done.json()["detail"], "refused: what a plain topic could not hold", done)
    done = node.request("POST", "/v1/topics/sent/records?producerId=1&producerEpoch=0&sequence=0", good, headers=TYPE)
    tap.equal(done.status, 400, "refused: a producer beside the batch's own")
    tap.equal(node.get("/v1/topics/sent").json()["offsets"][0]["high"], 100, "nothing of these is there")


def on_disk(node):
    done = subprocess.run([os.environ["WEIR"], "log", "dump", "--deep", node.folder], capture_output=True, text=True, timeout=60)
    batches, topic = {}, None
    for line in done.stdout.splitlines():
        if line.startswith("segment "):
            topic = line.split("/topics/")[1].split("/")[0]
        elif line.startswith("  batch ") and topic:
            batches.setdefault(topic, []).append(int(line.split("attributes ")[1].split()[0], 16) & 7)
        elif not line.startswith("    "):
            topic = None
    tap.equal(batches.get("sent"), [0, 1, 2, 3, 4], "what was sent is on disk as it was sent")
    tap.equal(batches.get("plainly"), [0] * 5, "but plain where the topic says none")
    tap.ok(set(batches.get("zstd", [])) == {4} and set(batches.get("lz4", [])) == {3}, "and compressed where it says so", batches)
    tap.ok(done.stdout.count("squeeze me") >= 200 and "/items/499" in done.stdout, "the dump shows the records of all")


with Node() as node:
    made_by_the_node(node)
    sent_by_clients(node)
    larger_than_an_answer(node)
    refused(node)
    node.kill()
    node.start()
    for topic, count in (("zstd", 500), ("lz4", 500), ("sent", 100), ("plainly", 100), ("large", 500)):
        read_all(node, topic, count)
    node.stop()
    on_disk(node)
tap.done()
