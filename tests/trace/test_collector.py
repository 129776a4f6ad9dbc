#!/usr/bin/env python3
"""A collector that is busy, refuses, hangs or is gone: the node serves as before, and what is lost is counted. # also: tsan"""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, need_packages, partial, status
from node import Node, Tap

tap = Tap()
need_packages(tap, "opentelemetry.proto.collector.trace.v1.trace_service_pb2")
ALL = ("--set", "trace.ratio=1", "--set", "trace.every=20ms")


def metric(node, name, label=""):
    """The sum over all rows of that name whose labels have `label`."""
    total = 0
    for line in node.get("/metrics").body.decode().splitlines():
        if line.split("{")[0].split(" ")[0] == name and label in line:
            total += float(line.rsplit(" ", 1)[1])
    return total


def ask(node, count, prefix):
    return [node.get("/v1/node", headers={"X-Request-Id": "%s-%d" % (prefix, i)}).status for i in range(count)]


def ids(spans):
    return [s.attributes["weir.request_id"] for s in spans if s.kind == 2]


def busy(collector):
    with Node(args=ALL + ("--set", "trace.endpoint=" + collector.url)) as node:
        ask(node, 1, "first")
        collector.wait(lambda spans: "first-0" in ids(spans))
        collector.take_all()
        collector.answers += [status(429, [("Retry-After", "1")]), status(503)]
        before = len(collector.requests)
        tap.equal(set(ask(node, 50, "busy")), {200}, "while the collector says 429 the node answers")
        spans = collector.wait(lambda spans: {"busy-%d" % i for i in range(50)} <= set(ids(spans)))
        times = [t for _, _, _, t in collector.requests[before:]]
        tap.ok(times[1] - times[0] >= 1, "it is asked again when it said, not before", times)
        tap.equal(len(ids(spans)), len(set(ids(spans))), "and gets every span once")
        tap.ok(metric(node, "weir_trace_export_retries_total") >= 2, "retries are counted")
        collector.answers += [partial(1, "one of them is too old")]
        ask(node, 3, "partial")
        node.wait_for(lambda: metric(node, "weir_trace_spans_dropped_total", 'reason="rejected"') == 1, what="the rejected span")
        tap.ok(any("one of them is too old" in line for line in node.stderr), "what a collector says of rejected spans is in the log",
               node.stderr[-3:])
        collector.answers += [status(400)] * 3
        ask(node, 3, "refused")
        node.wait_for(lambda: metric(node, "weir_trace_spans_dropped_total", 'reason="refused"') > 0, what="the refused spans")
        tap.ok(any("traces_failed" in line and "400" in line for line in node.stderr), "a refusal is in the log", node.stderr[-3:])
        collector.answers.clear()
        ask(node, 1, "again")
        collector.wait(lambda spans: "again-0" in ids(spans))
        node.wait_for(lambda: any("sent to" in line and "again" in line for line in node.stderr), what="the line that says it works again")
        tap.ok(True, "and so is that it works again")


def gone():
    """Nobody listens; then somebody does."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        with Node(args=ALL + ("--set", "trace.endpoint=http://127.0.0.1:%d" % port, "--set", "trace.queue_bytes=64KB")) as node:
            tap.equal(set(ask(node, 1500, "gone")), {200}, "with no collector at all the node answers every request")
            lost = node.wait_for(lambda: metric(node, "weir_trace_spans_dropped_total", "queue_full"), what="a full queue")
            tap.ok(lost > 0, "spans that find the queue full are counted (%d)" % lost)
            tap.equal(len([line for line in node.stderr if "traces_failed" in line]), 1, "it is told once")
            s.close()
            with Collector(port) as collector:
                collector.wait(lambda spans: spans)
                tap.ok(True, "what waited is sent when a collector is there")
            start = time.monotonic()
            tap.equal(node.stop(), 0, "a node without its collector stops cleanly")
            tap.note("in %.1f s" % (time.monotonic() - start))


def hangs(collector):
    """It takes the request and never answers: the stop does not wait for it."""
    held = []
    collector.answers += [lambda handler: (held.append(handler), time.sleep(20))] * 4
    with Node(args=ALL + ("--set", "trace.endpoint=" + collector.url)) as node:
        ask(node, 5, "hangs")
        node.wait_for(lambda: held, what="the request that hangs")
        tap.equal(set(ask(node, 200, "meanwhile")), {200}, "while the collector hangs the node answers")
        tap.equal(node.stop(patience=15), 0, "and stops before the collector's time is up")
    collector.answers.clear()


def killed(collector):
    """kill -9 in the middle: the next life serves, and traces."""
    with Node(args=ALL + ("--set", "trace.endpoint=" + collector.url)) as node:
        node.post("/v1/topics", {"name": "t", "partitions": 1})
        parent = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
        acked = [node.post("/v1/topics/t/records?partition=0", [{"value": str(i)}], headers=parent).json()["offset"] for i in range(20)]
        node.kill()
        node.start()
        values = [r["value"] for r in node.get("/v1/topics/t/records?partition=0&offset=0&limit=100").json()["records"]]
        tap.equal((values, len(acked)), ([str(i) for i in range(20)], 20), "a kill loses spans, not records")
        collector.take_all()
        ask(node, 1, "reborn")
        collector.wait(lambda spans: "reborn-0" in ids(spans))
        tap.ok(True, "the next life traces")


def reload(collector):
    """Switched on, elsewhere and off by a reload, while it serves."""
    config = "trace:\n  endpoint: %s\n  ratio: %s\n  every: 20ms\n"
    with Node(config=config % ('""', 0)) as node, Collector() as other:
        path = os.path.join(node.folder, "weir.yaml")

        def put(endpoint, ratio):
            with open(path, "w") as file:
                file.write(config % (endpoint, ratio))
            return node.post("/v1/config/reload", {})
        ask(node, 3, "off")
        answer = put(collector.url, 1)
        tap.equal((answer.status, answer.json()["needsRestart"]), (200, []), "a reload puts traces in force")
        collector.take_all()
        ask(node, 2, "on")
        spans = collector.wait(lambda spans: "on-1" in ids(spans))
        tap.ok(not any(i.startswith("off") for i in ids(spans)), "from then on requests are traced", spans)
        put(other.url, 1)
        ask(node, 2, "other")
        other.wait(lambda spans: "other-1" in ids(spans))
        tap.ok("other-1" not in ids(collector.take_all()), "another one sends them elsewhere")
        wrong = put("collector:4318", 1)
        tap.ok(wrong.status >= 400 and "trace.endpoint" in wrong.body.decode(), "a mistake is refused whole, and named", wrong)
        put('""', 1)
        ask(node, 2, "off-again")
        node.stop()
        tap.ok(not any(i.startswith("off-again") for i in ids(other.take_all() + collector.take_all())), "and an empty endpoint ends them")


with Collector() as collector:
    busy(collector)
    gone()
    hangs(collector)
    killed(collector)
    reload(collector)
    tap.equal(collector.problems, [], "nothing that was sent was wrong")
tap.done()
