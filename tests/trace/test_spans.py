#!/usr/bin/env python3
"""Requests as traces: what a collector gets, read with OpenTelemetry's own messages, of traces that their SDK began. # also: tsan"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from backup import V1, define
from collector import Collector, need_packages
from node import Node, Tap

tap = Tap()
need_packages(tap, "opentelemetry.proto.collector.trace.v1.trace_service_pb2", "opentelemetry.sdk.trace")

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ORDER = {"symbol": "AAA", "side": "BUY", "price": 100, "quantity": 5, "account": 1}


def traced(collector, ratio="0", *more):
    return Node(args=("--set", "trace.endpoint=" + collector.url, "--set", "trace.ratio=" + ratio, "--set", "trace.every=50ms") + more)


def one_command(node, collector):
    define(node)
    answer = node.post(V1 + "/orders", ORDER, headers={"traceparent": "00-%s-%s-01" % (TRACE, PARENT)})
    tap.equal(answer.status, 201, "a command with a traceparent is taken")
    spans = collector.wait(lambda spans: len(spans) >= 6)
    tap.equal(collector.problems, [], "OpenTelemetry's decoder reads all of it")
    tap.equal({s.trace for s in spans}, {TRACE}, "all spans are of the trace that the client began")
    server = [s for s in spans if s.kind == 2]
    tap.ok(len(server) == 1 and server[0].parent == PARENT, "one server span, the child of the client's", spans)


with Collector() as collector, traced(collector) as node:
    one_command(node, collector)
tap.done()
