#!/usr/bin/env python3
# also: tsan
"""The pool of a node: not there until there is work for it, then it helps to compress a topic; what is read back, also after
kill -9, is what was sent."""
import http.client, json, os, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap, PATIENCE

tap = Tap()
WRITERS, RECORDS, ROUND = 8, 400, 4


def metrics(node):
    lines = node.get("/metrics").body.decode().splitlines()
    return {line.split(" ")[0]: float(line.split(" ")[1]) for line in lines if line.startswith(("weir_pool_", "weir_log_compress_"))}


def value(writer, i, k):
    """Of 500 bytes, a part of which repeats."""
    return ("%d-%d-%d " % (writer, i, k) + "%x" % (hash((writer, i, k)) & 0xffffffffffff)) * 12


def push(node, writer, first, wrong):
    connection = http.client.HTTPConnection(*node.addresses["http"], timeout=PATIENCE)
    for i in range(first, first + ROUND):
        body = json.dumps({"records": [{"value": value(writer, i, k)} for k in range(RECORDS)]})
        while True:
            connection.request("POST", "/v1/topics/packed/records", body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            text = reply.read()
            if reply.status != 503:
                break
            time.sleep(0.01)  # what a client does that is told to come again
        if reply.status != 200:
            wrong.append((reply.status, text[:200]))


def read_all(node, count):
    """Sorted values; waits until there are as many, since what is acknowledged is shown a moment later."""
    found, offset, end = [], 0, time.monotonic() + PATIENCE
    while len(found) < count and time.monotonic() < end:
        page = node.get("/v1/topics/packed/records?partition=0&offset=%d&limit=1000" % offset).json()["records"]
        if not page:
            time.sleep(0.01)
            continue
        found += [record["value"] for record in page]
        offset = int(page[-1]["offset"]) + 1
    return sorted(found)


with Node(args=["--set", "pool_workers=2"]) as node:
    tap.equal(metrics(node)["weir_pool_workers"], 0, "a node that has no work for a pool has none")
    tap.equal(node.post("/v1/topics", {"name": "packed", "partitions": 1, "compression": "zstd"}).status, 201, "a topic that compresses")
    wrong, sent, end = [], 0, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        threads = [threading.Thread(target=push, args=(node, writer, sent, wrong)) for writer in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sent += ROUND
        now = metrics(node)
        if wrong or now["weir_log_compress_helped_total"] > 0 and now["weir_pool_tasks_total"] > 0:
            break
    tap.equal(wrong, [], "%d requests of %d records are taken" % (WRITERS * sent, RECORDS))
    tap.ok(now["weir_log_compress_helped_total"] > 0, "workers helped to compress", now)
    tap.equal(now["weir_pool_workers"], 2, "as many as pool_workers says")
    want = sorted(value(w, i, k) for w in range(WRITERS) for i in range(sent) for k in range(RECORDS))
    tap.ok(read_all(node, len(want)) == want, "what is read is what was sent")
    node.kill()
    node.start()
    tap.ok(read_all(node, len(want)) == want, "also after kill -9")
    tap.equal(node.stop(), 0, "and the node stops")
tap.done()
