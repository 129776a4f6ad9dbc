#!/usr/bin/env python3
"""A collector of traces: an HTTP server that takes OTLP and reads it with the OpenTelemetry project's own messages.

    from collector import Collector
    with Collector() as c:                       # c.url is what trace.endpoint wants
        ...
        spans = c.wait(lambda spans: len(spans) >= 6)

What answers it gives is the test's to say: c.answers is a list of functions (called with the handler, oldest first); when it is
empty, all is taken. SystemExit after a TAP skip when the packages of build-tools/pip are not there.

As a program, `collector.py PORT` prints the traces it gets until it is interrupted.
"""
import gzip
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from node import PATIENCE

PIP = os.path.join(os.environ.get("WEIR_SOURCE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")),
                   "build-tools", "pip")


def need_packages(tap, *names):
    """Puts build-tools/pip in front, or skips the whole test aloud."""
    sys.path.insert(0, PIP)
    try:
        for name in names:
            __import__(name)
    except ImportError as e:
        tap.skip("traces, read by OpenTelemetry's own packages", "%s; ./x deps test fetches them from PyPI" % e)
        tap.done()


class Span:
    """One span with what its resource says, attributes as a dict."""

    def __init__(self, span, resource, scope):
        self.name, self.kind, self.state, self.flags = span.name, span.kind, span.trace_state, span.flags
        self.trace, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.begin, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.status, self.message = span.status.code, span.status.message
        self.attributes = attributes(span.attributes)
        self.resource, self.scope = resource, scope

    def __repr__(self):
        return "<%s %s %s<-%s %.3f ms %s>" % (self.trace[:8], self.name, self.id, self.parent or "-",
                                             (self.end - self.begin) / 1e6, self.attributes)


def attributes(pairs):
    return {p.key: getattr(p.value, p.value.WhichOneof("value")) for p in pairs}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *unused):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.owner.take(self, body)

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *unused):
        pass  # a client that went away is part of the tests


class Collector:
    def __init__(self, port=0):
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.owner = self
        self.port = self.server.server_address[1]
        self.url = "http://127.0.0.1:%d" % self.port
        self.lock = threading.Lock()
        self.spans, self.requests, self.answers, self.problems = [], [], [], []
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, handler, body):
        with self.lock:
            self.requests.append((handler.path, dict(handler.headers.items()), len(body), time.monotonic()))
            how = self.answers.pop(0) if self.answers else None
        if how:
            return how(handler)
        self.read(handler, body)
        handler.answer(200)

    def read(self, handler, body):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        try:
            if handler.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            assert request.ByteSize() == len(body), "fields that OpenTelemetry does not know"
            assert handler.headers["Content-Type"] == "application/x-protobuf", handler.headers["Content-Type"]
            with self.lock:
                for of_node in request.resource_spans:
                    resource = attributes(of_node.resource.attributes)
                    for of_scope in of_node.scope_spans:
                        self.spans += [Span(s, resource, of_scope.scope.name) for s in of_scope.spans]
        except Exception as e:  # shown by the test, not by a server's thread
            self.problems.append(repr(e))

    def take_all(self):
        with self.lock:
            spans, self.spans = self.spans, []
        return spans

    def wait(self, check, patience=PATIENCE):
        """All spans so far, when check() of them is true; RuntimeError after patience."""
        deadline = time.monotonic() + patience
        while True:
            with self.lock:
                spans = list(self.spans)
            if check(spans):
                return spans
            if time.monotonic() > deadline:
                raise RuntimeError("the spans did not come; there are %r, problems: %r" % (spans[-12:], self.problems))
            time.sleep(0.01)


def partial(rejected, text):
    """An answer that takes all but `rejected` spans."""
    def how(handler):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = rejected
        answer.partial_success.error_message = text
        handler.answer(200, answer.SerializeToString())
    return how


def status(code, headers=()):
    return lambda handler: handler.answer(code, b"", headers)


def show(spans):
    """Each trace as a tree; a span whose parent is not here is one of its roots."""
    here = {s.id for s in spans}

    def below(parent, depth):
        for s in sorted((s for s in spans if s.parent == parent.id and s is not parent), key=lambda s: (s.begin, s.end)):
            line(s, depth)
            below(s, depth + 1)

    def line(s, depth):
        said = " ".join("%s=%s" % pair for pair in sorted(s.attributes.items()) if pair[0].startswith(("weir.", "http.response")))
        print("%-44s %9.3f ms  %s" % ("  " * depth + s.name, (s.end - s.begin) / 1e6, said), flush=True)

    for root in sorted((s for s in spans if s.parent not in here), key=lambda s: s.begin):
        print("trace %s%s" % (root.trace, ", below %s of its client" % root.parent if root.parent else ""))
        line(root, 1)
        below(root, 2)


if __name__ == "__main__":
    sys.path.insert(0, PIP)
    try:
        import opentelemetry.proto.collector.trace.v1.trace_service_pb2  # noqa: F401
    except ImportError:
        sys.exit("opentelemetry-proto is not there; ./x deps test fetches it")
    with Collector(int(sys.argv[1]) if len(sys.argv) > 1 else 4318) as shown:
        print("listening at %s" % shown.url, flush=True)
        try:
            while True:
                time.sleep(0.1)
                show(shown.take_all())
        except KeyboardInterrupt:
            pass
