#!/usr/bin/env python3
"""Requests as traces: what a collector gets, read with OpenTelemetry's own messages, of traces that their SDK began. # also: tsan"""
import os
import socket
import struct
import subprocess
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


PHASES = {"wait", "journal", "apply", "release"}


def server_of(spans, request_id):
    found = [s for s in spans if s.kind == 2 and s.attributes.get("weir.request_id") == request_id]
    return found[0] if len(found) == 1 else None


def children(spans, span):
    return [s for s in spans if s.parent == span.id and s.trace == span.trace]


def inside(span, parent):
    return parent.begin <= span.begin <= span.end <= parent.end


def a_command(node, collector):
    """Its way as spans: the client's, the server's, the record's, and where the record's time went."""
    parent = "00-%s-%s-01" % (TRACE, PARENT)
    answer = node.post(V1 + "/orders", ORDER, headers={"traceparent": parent, "tracestate": "rojo=1, congo=2", "X-Request-Id": "order-1"})
    tap.equal(answer.status, 201, "a command with a traceparent is taken")
    tap.equal((answer.header("X-Request-Id"), answer.header("traceparent")), ("order-1", None),
              "its request id comes back, and no traceparent: that is a header of requests")
    spans = collector.wait(lambda spans: len(spans) >= 6)
    tap.equal(collector.problems, [], "OpenTelemetry's decoder reads all of it")
    tap.equal({s.trace for s in spans}, {TRACE}, "all spans are of the trace that the client began")
    server = server_of(spans, "order-1")
    tap.ok(server and server.parent == PARENT and server.flags == 0x301 and server.state == "rojo=1,congo=2",
           "one server span, the child of the client's, with its state", spans)
    want = {"http.request.method": "POST", "http.route": V1 + "/orders", "url.path": V1 + "/orders", "url.scheme": "http",
            "http.response.status_code": 201, "network.peer.address": "127.0.0.1", "weir.service": "exchange",
            "weir.principal": "local", "weir.request_id": "order-1"}
    tap.equal({k: server.attributes.get(k) for k in want}, want, "it says what was asked, by whom, and what came of it")
    tap.equal((server.name, server.status), ("POST " + V1 + "/orders", 0), "it is named by method and route")
    record = children(spans, server)
    tap.equal([(s.name, s.attributes["weir.service"], s.attributes["weir.partition"]) for s in record],
              [("process exchange.orders", "exchange", 0)], "below it is the record")
    tap.equal({s.name for s in children(spans, record[0])}, PHASES, "and below that where its time went")
    tap.ok(inside(record[0], server) and all(inside(s, record[0]) for s in children(spans, record[0])),
           "each lies within its parent", spans)
    phase = {s.name: s for s in children(spans, record[0])}
    tap.ok(phase["wait"].end == phase["journal"].begin and phase["journal"].end <= phase["release"].begin and
           phase["journal"].end > phase["journal"].begin, "the journal follows the wait, the release the journal", spans)
    tap.equal(spans[0].resource["service.name"], "weir", "the resource is this node")
    tap.ok(len({s.id for s in spans}) == len(spans), "no id is there twice")


def what_is_not_sampled(node, collector):
    collector.take_all()
    for parent in ("00-%s-%s-00" % (TRACE, PARENT), "00-%s-%s-01-x" % (TRACE, PARENT), "00-%s-%s-01" % ("0" * 32, PARENT), None):
        answer = node.get("/v1/node", headers={"traceparent": parent, "X-Request-Id": "no"} if parent else {"X-Request-Id": "no"})
        tap.equal(answer.status, 200, "not traced, and answered: %s" % parent)
    node.get("/v1/node", headers={"traceparent": "cc-%s-%s-01-future" % (TRACE, PARENT), "X-Request-Id": "yes"})
    spans = collector.wait(lambda spans: server_of(spans, "yes"))
    tap.ok(not any(s.attributes.get("weir.request_id") == "no" for s in spans) and len(spans) == 1,
           "what says no, is malformed, or has no parent at ratio 0 leaves no span", spans)


def outcomes(node, collector):
    """Refusals, queries, plain topics, a WebSocket, a client that leaves."""
    collector.take_all()
    parent = {"traceparent": "00-%s-%s-01" % (TRACE, PARENT)}
    node.post("/v1/topics", {"name": "plain", "partitions": 1})
    node.post("/v1/topics/plain/records?partition=0", [{"value": "x"}], headers=dict(parent, **{"X-Request-Id": "plain"}))
    node.get(V1 + "/book/AAA", headers=dict(parent, **{"X-Request-Id": "query"}))
    node.get("/nowhere", headers=dict(parent, **{"X-Request-Id": "lost"}))
    node.post(V1 + "/orders", dict(ORDER, symbol="ZZZ"), headers=dict(parent, **{"X-Request-Id": "refused"}))
    names = ("plain", "query", "lost", "refused")
    spans = collector.wait(lambda spans: all(server_of(spans, n) for n in names) and any(s.name == "release" for s in
                                             children(spans, (children(spans, server_of(spans, "plain")) or [server_of(spans, "plain")])[0])))
    below = children(spans, children(spans, server_of(spans, "plain"))[0])
    tap.equal((children(spans, server_of(spans, "plain"))[0].name, {s.name for s in below}), ("append plain", PHASES - {"apply"}),
              "an append to a plain topic has no apply")
    tap.equal((server_of(spans, "query").name, children(spans, server_of(spans, "query"))), ("GET " + V1 + "/book/{symbol}", []),
              "a query is one span, named by its route")
    lost = server_of(spans, "lost")
    tap.equal((lost.name, lost.attributes["http.response.status_code"], lost.status), ("GET", 404, 0),
              "a path nobody serves has no route; 404 is the client's mistake, not ours")
    tap.ok(server_of(spans, "refused").attributes["http.response.status_code"] >= 400, "a refusal says its status")


def a_client_that_leaves(node, collector):
    """It asks for records that do not come, and goes."""
    collector.take_all()
    first = "GET /v1/node HTTP/1.1\r\nHost: localhost\r\n\r\n"
    long = "GET /v1/topics/plain/records?partition=0&offset=-1&wait=20s HTTP/1.1\r\nHost: localhost\r\n" \
           "traceparent: 00-%s-%s-01\r\nX-Request-Id: gone\r\n\r\n" % (TRACE, PARENT)
    with node.connect() as sock:
        sock.sendall((first + long).encode())
        sock.recv(1)  # the first one is answered, and the one behind it came in the same bytes
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    spans = collector.wait(lambda spans: server_of(spans, "gone"))
    gone = server_of(spans, "gone")
    tap.equal((gone.attributes.get("error.type"), gone.status, "http.response.status_code" in gone.attributes),
              ("client_gone", 2, False), "a client that was gone before its answer is an error of its own kind")


def by_their_sdk(node, collector):
    """A client that uses OpenTelemetry's own SDK: our spans are its span's children."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    collector.take_all()
    with TracerProvider().get_tracer("test").start_as_current_span("client") as span:
        headers = {}
        TraceContextTextMapPropagator().inject(headers)
        node.post(V1 + "/orders", ORDER, headers=dict(headers, **{"X-Request-Id": "sdk"}))
        context = span.get_span_context()
    spans = collector.wait(lambda spans: server_of(spans, "sdk") and len(spans) >= 6)
    server = server_of(spans, "sdk")
    tap.equal((server.trace, server.parent), ("%032x" % context.trace_id, "%016x" % context.span_id),
              "a trace that OpenTelemetry's SDK began goes on here")


def roots(collector):
    """Without a parent: a share of the requests, each a trace of its own."""
    collector.take_all()
    with traced(collector, "1") as node:
        for path in ("/healthz", "/readyz", "/metrics"):
            node.get(path)
        for i in range(20):
            node.get("/v1/node", headers={"X-Request-Id": "root-%d" % i})
        spans = collector.wait(lambda spans: len(spans) >= 20)
        tap.ok(len({s.trace for s in spans}) == 20 and all(s.parent == "" and s.flags == 0x103 for s in spans),
               "at ratio 1 every request begins a trace, but probes and scrapes", spans)
    collector.take_all()
    with traced(collector, "0.5", "--set", "trace.follow=false") as node:
        for i in range(200):
            node.get("/v1/node", headers={"traceparent": "00-%s-%s-01" % (TRACE, PARENT)})
        code = node.stop()
        spans = collector.take_all()
        tap.ok(40 < len(spans) < 160 and TRACE not in {s.trace for s in spans},
               "trace.follow=false: clients do not choose; the ratio does (%d of 200)" % len(spans))
        tap.equal(code, 0, "what was not sent yet leaves at the stop")


def who(collector):
    """Token, tenant, TLS's scheme aside: what is known of who asks."""
    collector.take_all()
    node = Node(args=("--set", "auth=tokens", "--set", "trace.endpoint=" + collector.url, "--set", "trace.ratio=1",
                      "--set", "trace.every=50ms", "--set", "trace.attributes=deployment.environment=test,team=a%2Cb",
                      "--set", "trace.service_name=books"), start=False)
    with node:
        token = subprocess.run([os.environ["WEIR"], "token", "create", "alice", "--role", "node:read", "--tenant", "acme", "--data",
                                node.data], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.decode().strip()
        node.start()
        node.get("/v1/node", headers={"Authorization": "Bearer " + token, "X-Request-Id": "alice"})
        node.get("/v1/node", headers={"X-Request-Id": "nobody"})
        spans = collector.wait(lambda spans: server_of(spans, "alice") and server_of(spans, "nobody"))
        alice, nobody = server_of(spans, "alice").attributes, server_of(spans, "nobody").attributes
        tap.equal((alice["weir.principal"], alice["weir.tenant"]), ("alice", "acme"), "a span says whose token and tenant it was")
        tap.ok("weir.principal" not in nobody and nobody["http.response.status_code"] == 401 and token not in repr(spans),
               "a refused one says nobody, and no span holds a token")
        resource = spans[0].resource
        tap.equal((resource["service.name"], resource["deployment.environment"], resource["team"]), ("books", "test", "a,b"),
                  "the resource is what the settings say")


def environment(collector):
    """OpenTelemetry's variables, and a flag that overrules one."""
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url + "/", "OTEL_SERVICE_NAME": "by-env",
           "OTEL_RESOURCE_ATTRIBUTES": "zone=7", "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20s3cret"}
    collector.take_all()
    with Node(args=("--set", "trace.ratio=1", "--set", "trace.every=50ms"), env=env) as node:
        node.get("/v1/node")
        span = collector.wait(lambda spans: spans)[0]
        path, headers, _, _ = collector.requests[-1]
        tap.equal((span.resource["service.name"], span.resource["zone"], path, headers["Authorization"]),
                  ("by-env", "7", "/v1/traces", "Bearer s3cret"), "OpenTelemetry's variables are initial values")
    shown = subprocess.run([os.environ["WEIR"], "config", "print"], env=dict(os.environ, **env), stdout=subprocess.PIPE).stdout.decode()
    tap.ok("OTEL_SERVICE_NAME" in shown and "s3cret" not in shown, "config print says where they come from, and no secret", shown[-900:])
    wrong = subprocess.run([os.environ["WEIR"], "config", "print"], env=dict(os.environ, OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318"),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    tap.ok(wrong.returncode != 0 and b"trace.endpoint" in wrong.stdout, "a wrong one is refused with its key", wrong.stdout)


with Collector() as collector:
    with traced(collector) as node:
        define(node)
        a_command(node, collector)
        what_is_not_sampled(node, collector)
        outcomes(node, collector)
        a_client_that_leaves(node, collector)
        by_their_sdk(node, collector)
    roots(collector)
    who(collector)
    environment(collector)
    tap.equal(collector.problems, [], "nothing that was sent was wrong")
tap.done()
