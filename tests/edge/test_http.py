#!/usr/bin/env python3
"""HTTP of a running node: pipelining, limits, slow and silent clients, smuggling, the node's own pages."""
import json
import os
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap, read_replies, read_until_close

tap = Tap()
CONFIG = "idle: 2s\nbody_bytes: 256KB\nconnections_max: 40\n"


def get(path, extra=""):
    return ("GET %s HTTP/1.1\r\nHost: weir\r\n%s\r\n" % (path, extra)).encode()


def pages(node):
    tap.equal(node.get("/healthz").body, b"ok\n", "healthz answers ok")
    tap.equal(node.get("/readyz").status, 200, "readyz answers 200 once the node said it is ready")
    page = node.get("/")
    tap.ok(page.status == 200 and "text/html" in page.header("content-type"), "the page is HTML")
    text = page.body.decode()
    tap.ok("http://" not in text and "https://" not in text and "src=" not in text, "the page asks no other server")
    facts = node.get("/v1/node").json()
    for key in ("version", "uptimeSeconds", "lanes", "services", "partitions", "disk", "recovery", "memoryResidentBytes"):
        tap.ok(key in facts, "/v1/node tells " + key)
    missing = node.get("/v1/nodes")
    tap.ok(missing.status == 404 and "/v1/node" in missing.json()["detail"], "a wrong path is told the nearest one", missing)
    tap.equal(missing.header("content-type"), "application/problem+json", "errors are problem JSON")
    wrong = node.request("PUT", "/v1/node")
    tap.ok(wrong.status == 405 and "GET" in wrong.header("allow", ""), "a wrong method is told which are right", wrong)
    options = node.request("OPTIONS", "/v1/topics")
    tap.ok(options.status == 204 and "POST" in options.header("allow", ""), "OPTIONS tells what is allowed", options)
    head = node.request("HEAD", "/v1/node")
    tap.ok(head.status == 200 and head.body == b"" and int(head.header("content-length")) > 100, "HEAD has length and no body")


def metrics(node):
    text = node.get("/metrics").body
    if shutil.which("promtool"):
        run = subprocess.run(["promtool", "check", "metrics"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        # The example service is called counter, which the linter takes for a type; nothing else may be found.
        found = [line for line in run.stdout.decode().splitlines() if line.strip() and not (
            line.startswith("weir_counter_") and "should not include type 'counter'" in line)]
        tap.ok(run.returncode in (0, 3) and not found, "promtool finds the metrics page in order", "\n".join(found))
    else:
        tap.skip("promtool finds the metrics page in order", "promtool is not installed")
    before = node.metric("weir_http_requests_total")
    node.get("/healthz")
    tap.ok(node.metric("weir_http_requests_total") >= before + 2, "requests are counted")


def openapi(node):
    api = node.get("/openapi.json").json()
    tap.ok(api["openapi"].startswith("3.1"), "openapi.json is OpenAPI 3.1")
    wrong, ids, refs = [], set(), []

    def walk(value):
        if isinstance(value, dict):
            if "$ref" in value:
                refs.append(value["$ref"])
            for child in value.values():
                walk(child)
        elif isinstance(value, list):
            for child in value:
                walk(child)

    walk(api)
    for ref in refs:
        at = api
        for part in ref.lstrip("#/").split("/"):
            at = at.get(part) if isinstance(at, dict) else None
        if at is None:
            wrong.append("dangling " + ref)
    for path, methods in api["paths"].items():
        names = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        for method, operation in methods.items():
            if method not in ("get", "post", "put", "patch", "delete"):
                wrong.append("%s %s: not a method" % (method, path))
            if operation["operationId"] in ids:
                wrong.append("operationId twice: " + operation["operationId"])
            ids.add(operation["operationId"])
            given = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            if given != names or not all(p.get("required") for p in operation["parameters"] if p["in"] == "path"):
                wrong.append("%s %s: path parameters %s" % (method, path, given))
            if not operation["responses"] or not all("description" in r or "$ref" in r for r in operation["responses"].values()):
                wrong.append("%s %s: responses" % (method, path))
    tap.equal(wrong, [], "openapi.json holds together: references, parameters, ids, responses")


def pipelining(node):
    sock = node.connect()
    paths = ["/healthz", "/v1/node", "/v1/none", "/v1/topics"] * 50
    sock.sendall(b"".join(get(p) for p in paths))
    replies = read_replies(sock, len(paths))
    want = [404 if p == "/v1/none" else 200 for p in paths]
    tap.equal([r.status for r in replies], want, "200 pipelined requests are answered in order")
    sock.close()
    sock = node.connect()
    whole = get("/healthz") + b"POST /v1/topics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + get("/healthz")
    for byte in whole:
        sock.sendall(bytes([byte]))
    tap.equal([r.status for r in read_replies(sock, 3)], [200, 400, 200], "requests a byte at a time are the same requests")
    sock.close()


def limits(node):
    def status_of(data):
        sock = node.connect()
        try:
            sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = read_until_close(sock)
        sock.close()
        return int(answer.split()[1]) if answer.startswith(b"HTTP/") else answer

    tap.equal(status_of(b"POST /v1/topics HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n"), 413, "a body above its limit: 413")
    tap.equal(status_of(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: a\r\n\r\n") in (414, 431), True, "a target above its limit: 414")
    tap.equal(status_of(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200000 + b"\r\n\r\n"), 431, "headers above their limit: 431")
    tap.equal(status_of(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505, "another version: 505")
    smuggled = [
        ("Content-Length with Transfer-Encoding", b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("two Content-Lengths", b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
        ("a signed Content-Length", b"Content-Length: +0\r\n\r\n"),
        ("a chunk size with 0x", b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
        ("a folded header", b"X: a\r\n b\r\n\r\n"),
        ("a blank before the colon", b"Content-Length : 0\r\n\r\n"),
        ("a bare line feed", b"X: a\nContent-Length: 0\r\n\r\n"),
    ]
    for name, rest in smuggled:
        got = status_of(b"POST /v1/topics HTTP/1.1\r\nHost: a\r\n" + rest + get("/healthz"))
        tap.equal(got, 400, "smuggling: %s is refused and the connection ends" % name)


def slow_clients(node):
    slow = node.connect()
    started = time.monotonic()
    data = b""
    slow.settimeout(0.25)
    for byte in get("/healthz", "X-Slow: " + "a" * 200 + "\r\n"):
        try:
            slow.sendall(bytes([byte]))
            data += slow.recv(4096)
        except socket.timeout:
            pass
        except (BrokenPipeError, ConnectionResetError):
            break
        if data or time.monotonic() - started > 30:
            break
    tap.ok(b" 408 " in data, "a client that sends a byte now and then gets 408", data[:200])
    idle = node.connect()
    tap.equal(read_until_close(idle), b"", "a client that says nothing is let go")
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(node.addresses["http"])
    deaf.settimeout(0.5)
    try:
        while True:
            deaf.sendall(get("/openapi.json") * 50)
    except (socket.timeout, BrokenPipeError, ConnectionResetError):
        pass
    tap.ok(node.get("/healthz").status == 200, "a client that never reads hinders nobody")
    tap.ok(node.metric("weir_edge_buffer_bytes") < 64 << 20, "and holds little memory")
    node.wait_for(lambda: node.metric("weir_edge_slow_consumers_total") >= 1, what="closing the client that never reads")
    tap.ok(True, "and is closed")
    deaf.close()


def connection_limit(node):
    held = [node.connect() for _ in range(60)]
    told = 0
    for sock in held:
        sock.settimeout(0.2)
        try:
            answer = sock.recv(4096)
            told += b" 503 " in answer and b"Retry-After" in answer
        except (socket.timeout, ConnectionResetError):
            pass
    for sock in held:
        sock.close()
    tap.ok(told >= 20, "connections beyond the limit get 503 with Retry-After", told)
    node.wait_for(lambda: ask_again(node), what="serving again")
    tap.ok(True, "and when they leave there is room again")


def ask_again(node):
    try:
        return node.get("/healthz").status == 200
    except OSError:
        return False


def listening():
    for address, part in (("0.0.0.0:0", "auth: tokens"), ("nonsense", "HOST:PORT"), ("127.0.0.1:99999", "HOST:PORT")):
        node = Node(listen=address, start=False)
        code, text = node.run_to_exit()
        tap.ok(code not in (0, None) and part in text, "listening on %s is refused with a sentence" % address, text)
        node.close()
    with Node() as node:
        other = Node(listen="127.0.0.1:%d" % node.port(), start=False)
        code, text = other.run_to_exit()
        tap.ok(code not in (0, None) and "in use" in text, "a port in use is refused with a sentence", text)
        other.close()
        several = Node(listen="127.0.0.1:%d" % node.port(), start=False, args=["--lanes", "2"])
        code, text = several.run_to_exit()
        tap.ok(code not in (0, None) and "in use" in text, "also with several lanes, which share their port", text)
        several.close()


def draining():
    with Node() as node:
        sock = node.connect()
        sock.sendall(get("/healthz"))
        read_replies(sock, 1)
        tap.equal(node.stop(), 0, "SIGTERM ends a node with an idle client at once, with 0")
        tap.equal(read_until_close(sock), b"", "and the client sees an orderly end")
    with Node(args=["--log-format", "json", "--log-level", "debug"]) as node:
        node.get("/healthz")
        node.stop()
        lines = [json.loads(line) for line in node.stderr if line.startswith("{")]
        tap.ok(any(line["event"] == "request" and line["route"] == "/healthz" for line in lines),
               "with --log-format json every line is JSON, with --log-level debug requests are logged", node.stderr)


def lanes():
    with Node(args=["--lanes", "4"]) as node:
        for _ in range(60):
            node.get("/healthz")
        used = [lane for lane in node.get("/v1/node").json()["lanes"] if lane["requests"] > 0]
        tap.ok(len(used) >= 2, "with four lanes connections spread over them", used)


with Node(config=CONFIG) as main:
    for part in (pages, metrics, openapi, pipelining, limits, slow_clients, connection_limit):
        part(main)
    tap.ok(main.alive(), "the node is still there after all that")
listening()
draining()
lanes()
tap.done()
