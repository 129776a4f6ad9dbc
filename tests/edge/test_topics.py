#!/usr/bin/env python3
"""Topics over HTTP and WebSocket: create, append, read, wait, tail, delete; idempotent appends; the counter's routes."""
import base64
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import PATIENCE, Node, Tap, read_replies
from ws import CLOSE, PING, TEXT, WebSocket

tap = Tap()


def create(node):
    made = node.post("/v1/topics", {"name": "events", "partitions": 2})
    tap.equal(made.status, 201, "a topic is created")
    tap.equal(node.post("/v1/topics", {"name": "events", "partitions": 2}).status, 409, "and not twice")
    for body, why in (({"name": "a/b"}, "a bad name"), ({}, "no name"), ({"name": "x", "partitions": 0}, "no partition"),
                      ({"name": "x", "partition": 1}, "an unknown member"), ([], "not an object")):
        tap.equal(node.post("/v1/topics", body).status, 400, "%s is refused" % why)
    listed = {t["name"]: t for t in node.get("/v1/topics").json()["topics"]}
    tap.ok(listed["events"]["partitions"] == 2 and listed["events"]["kind"] == "plain", "it is listed", listed)
    tap.equal(node.get("/v1/topics/events").json()["name"], "events", "and shown alone")
    near = node.get("/v1/topics/event")
    tap.ok(near.status == 404 and "events" in near.json()["detail"], "a wrong name is told the nearest", near)


def append_and_read(node):
    path = "/v1/topics/events/records"
    raw = base64.b64encode(b"\xff\x00raw").decode()
    done = node.post(path + "?partition=0", [{"key": "k", "value": "v \u00e9"}, {"valueBase64": raw}, {"key": "null"}])
    tap.ok(done.status == 200 and done.json()["offset"] == 0 and done.json()["count"] == 3, "three records are appended", done)
    read = node.wait_for(lambda: len(node.get(path + "?partition=0&offset=0").json()["records"]) == 3 and
                         node.get(path + "?partition=0&offset=0").json(), what="reading them")
    records = read["records"]
    tap.equal([r["offset"] for r in records], [0, 1, 2], "they are read in order")
    tap.ok(records[0]["key"] == "k" and records[0]["value"] == "v \u00e9", "text comes back as text", records[0])
    tap.ok(records[1]["valueBase64"] == raw and records[1]["key"] is None, "bytes come back as base64", records[1])
    tap.ok(records[2]["value"] is None, "a null stays a null", records[2])
    tap.equal(read["next"], 3, "and the next offset is told")
    tap.equal([r["offset"] for r in node.get(path + "?partition=0&offset=1&limit=1").json()["records"]], [1],
              "offset and limit cut")
    tap.equal(node.get(path + "?partition=0&offset=-1").json()["next"], 3, "offset -1 is the end")
    tap.equal(node.get(path + "?partition=0&offset=99").status, 416, "beyond the end: 416")
    tap.equal(node.get(path + "?partition=7").status, 404, "a partition that is not there: 404")
    tap.equal(node.post(path, [{"value": "a"}, {"value": "b"}]).status, 400, "two partitions and none named: 400")
    keyed = node.post(path, [{"key": "x", "value": "a"}])
    tap.equal(keyed.status, 200, "one record with a key finds its partition")
    for body in ("[", "[]", "{}", '[{"val":"a"}]', '[{"value":1}]', '[{"valueBase64":"*"}]', '[{"value":"a"}] x'):
        tap.equal(node.post(path + "?partition=0", body).status, 400, "refused: " + body)


def arrives_with(node, sock, request):
    """Sends it and returns when the node has read it, by its own count; to ask for that is a request of a constant size."""
    def received():
        nonlocal asked
        asked += 1
        return node.metric("weir_edge_received_bytes_total")
    asked, first = 0, node.metric("weir_edge_received_bytes_total")
    cost = received() - first
    sock.sendall(request)
    node.wait_for(lambda: received() - first - cost * asked >= len(request), what="the node's reading of the request")


def waiting(node):
    path = "/v1/topics/events/records?partition=1"
    high = node.get("/v1/topics/events").json()["offsets"][1]["high"]
    reader = node.connect()
    arrives_with(node, reader, ("GET %s&offset=%d&wait=20s HTTP/1.1\r\nHost: a\r\n\r\n" % (path, high)).encode())
    started = time.monotonic()
    node.post(path, [{"value": "awaited"}])
    found = read_replies(reader, 1)
    tap.ok(found and [r["value"] for r in found[0].json()["records"]] == ["awaited"], "a waiting read gets the record", found)
    tap.ok(time.monotonic() - started < 10, "when it comes and not when the wait ends")
    empty = node.get("%s&offset=%d&wait=200ms" % (path, high + 1))
    tap.ok(empty.status == 200 and empty.json()["records"] == [], "and a wait without a record ends empty", empty)


def idempotent(node):
    path = "/v1/topics/events/records?partition=0&producerId=77&producerEpoch=0&sequence=%d"
    first = node.post(path % 0, [{"value": "once"}]).json()
    again = node.post(path % 0, [{"value": "once"}]).json()
    tap.ok(first["offset"] == again["offset"] and again["repeated"] and not first["repeated"], "a repeated append is one append",
           (first, again))
    tap.equal(node.post(path % 5, [{"value": "gap"}]).status, 409, "a gap in the sequence is refused")
    tap.equal(node.post("/v1/topics/events/records?partition=0&producerId=77", [{"value": "x"}]).status, 400,
              "half a producer is refused")


def hear(node, live):
    """From which record on a tail from now hears is not told, so records are appended until it hears one: (the last one heard, the
    value of the last one appended), which must be the same."""
    appended = []

    def heard():
        appended.append("now %d" % len(appended))
        node.post("/v1/topics/events/records?partition=1", [{"value": appended[-1]}])
        try:
            return json.loads(live.receive()[1])
        except TimeoutError:
            return None
    live.sock.settimeout(1)
    got = node.wait_for(heard, what="a record on the tail")
    live.sock.settimeout(PATIENCE)
    while got["record"]["value"] in appended[:-1]:
        got = json.loads(live.receive()[1])
    return got, appended[-1]


def tail(node):
    ws = WebSocket(node, "/v1/topics/events/tail?partition=0&from=0")
    first = json.loads(ws.receive()[1])
    tap.ok(first["record"]["offset"] == 0 and first["record"]["value"] == "v \u00e9", "a tail from 0 begins with the first record",
           first)
    live = WebSocket(node, "/v1/topics/events/tail")
    got, posted = hear(node, live)
    tap.ok(got.get("partition") == 1 and got["record"]["value"] == posted, "a tail of all partitions hears a new record", got)
    live.frame(PING, b"hi")
    tap.equal(live.receive(), ("pong", b"hi"), "a ping is answered")
    live.frame(TEXT, b"frag", final=False)
    live.frame(PING, b"between")
    tap.equal(live.receive(), ("pong", b"between"), "also between fragments")
    live.frame(CLOSE, b"\x03\xe8")
    tap.equal(live.receive(), ("close", 1000), "a close is answered with the same code")
    tap.equal(live.receive()[0], "end", "and then the connection ends")
    bad = WebSocket(node, "/v1/topics/events/tail")
    bad.frame(TEXT, b"x", masked=False)
    tap.equal(bad.receive(), ("close", 1002), "an unmasked frame is a protocol error")
    huge = WebSocket(node, "/v1/topics/events/tail")
    huge.frame(TEXT, b"x" * 100000)
    tap.equal(huge.receive(), ("close", 1009), "a message above the limit is too big")
    none = WebSocket(node, "/v1/topics/nothing/tail")
    tap.equal(none.receive(), ("close", 1008), "a topic that is not there closes the tail")
    plain = node.get("/v1/topics/events/tail")
    tap.equal(plain.status, 426, "without an upgrade: 426")


def service_topics(node):
    if "counter" not in [s["name"] for s in node.get("/v1/node").json()["services"]]:
        for name in range(9):
            tap.skip("counter %d" % name, "this binary has no counter")
        return
    path = "/v1/counter/apples/add"
    tap.equal(node.post(path, {"amount": "3"}).json(), {"name": "apples", "value": "3"}, "a command is answered with its reply")
    one = node.post(path, {"amount": 2}, headers={"Idempotency-Key": "k"})
    two = node.post(path, {"amount": 2}, headers={"Idempotency-Key": "k"})
    other = node.post(path, {"amount": 9}, headers={"Idempotency-Key": "k"})
    tap.ok(one.json() == two.json() and two.header("Idempotency-Replayed") == "true" and not one.header("Idempotency-Replayed"),
           "the same Idempotency-Key gives the first answer again", (one, two))
    tap.equal(other.status, 422, "with another body it is refused")
    tap.equal(node.get("/v1/counter/apples").json()["value"], "5", "a query reads the state")
    tap.equal(node.get("/v1/counter/pears").status, 404, "what the service does not know: 404")
    tap.equal(node.post(path, {"amont": 1}).status, 400, "a misspelt field: 400")
    changes = node.wait_for(lambda: len(node.get("/v1/topics/counter.changes/records").json()["records"]) == 2 and
                            node.get("/v1/topics/counter.changes/records").json()["records"], what="the outputs")
    tap.equal([c["value"]["value"] for c in changes], ["3", "5"], "its output topic is printed by its type")
    tap.equal(node.post("/v1/topics/counter.changes/records", [{"value": "x"}]).status, 403, "clients may not write it")
    tap.equal(node.delete("/v1/topics/counter.changes").status, 403, "nor delete it")


def persistence(node):
    before = node.get("/v1/topics/events/records?partition=0&offset=0").json()["records"]
    node.kill()
    node.start()
    tap.equal(node.get("/v1/topics/events/records?partition=0&offset=0").json()["records"], before,
              "what was acknowledged is there after a crash")
    tap.equal(node.delete("/v1/topics/events").status, 200, "a topic is deleted")
    tap.equal(node.get("/v1/topics/events").status, 404, "and gone")


with Node() as main:
    for part in (create, append_and_read, waiting, idempotent, tail, service_topics, persistence):
        part(main)
    tap.ok(main.alive(), "the node is still there after all that")
    if main.stderr:
        tap.note("\n".join(main.stderr[-10:]))
tap.done()
