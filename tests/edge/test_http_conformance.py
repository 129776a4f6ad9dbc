#!/usr/bin/env python3
"""HTTP/1.1 as RFC 9110 and RFC 9112 say it, from outside, byte by byte. Each test names the section it is about; docs/edge.md has the
table of rules. Streams that could smuggle are test_http_smuggling.py's, slow and many clients test_http.py's."""
# also: tsan
import json
import os
import re
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from raw_http import Raw, ask

tap = Tap()
HOST = "Host: a"
RECORD = b'[{"value":"abc"}]'
APPEND = "POST /v1/topics/t/records?partition=0 HTTP/1.1"
CONFIG = "idle: 20s\nbody_bytes: 256KB\n"


def get(path, *headers, version="1.1"):
    return ("GET %s HTTP/%s" % (path, version), HOST, *headers)


def chunks(*parts, last=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + last


# ---- RFC 9112 9.3.2: pipelining

def pipelining(node):
    with Raw(node) as raw:
        count = 1000  # many times the turns that a connection has
        for i in range(count):
            raw.put(("GET /v1/none/%d HTTP/1.1\r\nHost: a\r\n\r\n" % i).encode())
        wrong = [i for i in range(count) if '"/v1/none/%d"' % i not in raw.reply().json()["detail"]]
        tap.equal(wrong, [], "9112 9.3.2: %d pipelined requests are answered each, in order" % count)
    with Raw(node) as raw:
        want = []
        for i in range(60):  # what waits for the disk, and what could be answered at once behind it
            body = json.dumps([{"value": "slow %d" % i}]).encode()
            raw.put((APPEND + "\r\nHost: a\r\nX-Request-Id: w%d\r\nContent-Length: %d\r\n\r\n" % (i, len(body))).encode() + body)
            raw.put(("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: r%d\r\n\r\n" % i).encode())
            want += [(200, "w%d" % i), (200, "r%d" % i)]
        got = [raw.reply() for _ in want]
        tap.equal([(r.status, r.header("x-request-id")) for r in got], want, "9112 9.3.2: commands and reads in one pipeline keep their order")
        offsets = [r.json()["offset"] for r in got[::2]]
        tap.equal(offsets, sorted(offsets), "9112 9.3.2: and the commands are in the log in the order they were sent")
    with Raw(node) as raw:
        # Tens of megabytes of answers, of which none is read before all are asked for: the node stops reading instead.
        count, page = 2000, node.get("/openapi.json").body
        raw.put("\r\n".join(get("/openapi.json") + ("", "")).encode() * count)
        held = node.metric("weir_edge_buffer_bytes")
        good = sum(raw.reply().body == page for _ in range(count))
        tap.equal(good, count, "9112 9.3.2: a pipeline whose answers nobody reads at first is answered whole")
        tap.ok(held < len(page) * count / 4, "and was not held in memory meanwhile", held)
    with Raw(node) as raw:
        whole = "\r\n".join(get("/healthz") + ("", "")).encode()
        raw.put(whole[:20])
        with Raw(node) as other:
            other.send(*get("/healthz"))
            tap.equal(other.status(), 200, "a request in pieces holds up nobody else")
        raw.put(whole[20:] + whole[:-2])
        tap.equal(raw.status(), 200, "9112 2.2: what was whole is answered before the next is")
        raw.put(whole[-2:])
        tap.equal(raw.status(), 200, "9112 2.2: and that when its last bytes come")


# ---- RFC 9112 6, 7.1: bodies

def bodies(node):
    def append(*headers, body=b""):
        return ask(node, APPEND, HOST, *headers, body=body)

    chunked = "Transfer-Encoding: chunked"
    good = [
        ("7.1: chunks of every size", chunks(*[RECORD[i:i + 1] for i in range(len(RECORD))])),
        ("7.1: a size in capitals and with zeros in front", b"00011\r\n" + RECORD + b"\r\n000\r\n\r\n"),
        ("7.1.1: chunk extensions, also in quotes, are passed over", b'11;a=1;b="x;y"\r\n' + RECORD + b"\r\n0;end\r\n\r\n"),
        ("7.1.2: trailers are passed over", chunks(RECORD, last=b"0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n")),
    ]
    for name, body in good:
        reply, ended = append(chunked, body=body)
        tap.ok(reply.status == 200 and not ended, "9112 " + name, reply)
    bad = [
        ("7.1: a size that is no number", b"zz\r\n", 400),
        ("7.1: a size with a sign", b"+11\r\n", 400),
        ("7.1: a size that passes 64 bits", b"f" * 17 + b"\r\n", 400),
        ("7.1: a chunk longer than its size", b"3\r\nabcd\r\n0\r\n\r\n", 400),
        ("7.1: a chunk whose end is a bare LF", b"3\r\nabc\n0\r\n\r\n", 400),
        ("7.1.1: an extension with a bare LF", b"3;a\nb\r\nabc\r\n0\r\n\r\n", 400),
        ("7.1.2: a trailer that frames", chunks(RECORD, last=b"0\r\nContent-Length: 5\r\n\r\n"), 400),
        ("7.1: a chunk above the limit of bodies", b"fffff\r\n", 413),
        ("7.1: chunks that together pass it", chunks(*[b"x" * 60000] * 5), 413),
    ]
    for name, body, status in bad:
        reply, ended = append(chunked, body=body)
        tap.ok(reply is not None and reply.status == status and ended, "9112 %s is refused with %d, and the connection ends" % (name, status), reply)
    for name, header in (("6.1: a coding before chunked", "gzip, chunked"), ("6.1: an unknown coding", "gzip")):
        reply, ended = append("Transfer-Encoding: " + header, body=chunks(RECORD))
        tap.ok(reply.status in (400, 501) and ended, "9112 %s is refused" % name, reply)
    reply, ended = append("Content-Length: 300000")
    tap.ok(reply.status == 413 and ended, "9110 15.5.14: a length above the limit is refused before the body", reply)
    reply, ended = append("Content-Length: 17", "Content-Length: 17", body=RECORD)
    tap.ok(reply.status == 400 and ended, "9112 6.3: Content-Length twice is refused, even when equal", reply)
    reply, _ = ask(node, "GET /healthz HTTP/1.1", HOST, "Content-Length: 3", body=b"abc")
    tap.equal(reply.status, 200, "9110 9.3.1: the body of a GET is read and means nothing")
    with Raw(node) as raw:
        raw.send(APPEND, HOST, "Content-Length: %d" % len(RECORD), body=RECORD[:5])
        raw.sock.shutdown(socket.SHUT_WR)
        tap.ok(raw.ended(), "9112 8: half a body and an end is no request: nothing is answered, nothing appended")


# ---- RFC 9110 10.1.1: Expect

def expectations(node):
    length = "Content-Length: %d" % len(RECORD)
    with Raw(node) as raw:
        raw.send(APPEND, HOST, length, "Expect: 100-continue")
        tap.equal(raw.status(), 100, "9110 10.1.1: the body is asked for when the request is wanted")
        raw.put(RECORD)
        tap.equal(raw.status(), 200, "9110 10.1.1: and then the answer comes")
        raw.send(*get("/healthz"))
        tap.equal(raw.status(), 200, "9110 10.1.1: and the connection goes on")
    with Raw(node) as raw:
        raw.send(APPEND, HOST, length, "Expect: 100-Continue", body=RECORD)
        tap.equal(raw.status(), 200, "9110 10.1.1: a body that came with the head is not asked for")
    with Raw(node) as raw:
        raw.send(APPEND.replace("1.1", "1.0"), length, "Expect: 100-continue")
        raw.put(RECORD)
        tap.equal(raw.status(), 200, "9110 10.1.1: HTTP/1.0 has no such thing")
    early = [
        ("above the limit", "POST /v1/topics/t/records HTTP/1.1", "Content-Length: 300000", 413),
        ("to no path", "POST /v1/none HTTP/1.1", length, 404),
        ("by a method that is not allowed", "DELETE /v1/node HTTP/1.1", length, 405),
        ("of another host's page", "POST /v1/topics HTTP/1.1", length + "\r\nOrigin: http://evil.example", 403),
    ]
    for name, line, header, status in early:
        reply, ended = ask(node, line, HOST, header, "Expect: 100-continue")
        tap.ok(reply.status == status and ended, "9110 10.1.1: a body %s is not asked for but refused with %d" % (name, status), reply)
    reply, ended = ask(node, APPEND, HOST, length, "Expect: 200-maybe", body=RECORD)
    tap.ok(reply.status == 417 and ended, "9110 10.1.1: another expectation is refused with 417", reply)
    reply, _ = ask(node, APPEND.replace("1.1", "1.0"), length, "Expect: 200-maybe", body=RECORD)
    tap.equal(reply.status, 200, "9110 10.1.1: which HTTP/1.0 does not know either")
    with Node(args=["--set", "auth=tokens"]) as closed:
        reply, ended = ask(closed, APPEND, HOST, length, "Expect: 100-continue")
        tap.ok(reply.status == 401 and ended, "9110 10.1.1: a body without a token is not asked for but refused with 401", reply)


# ---- RFC 9110 9.3: methods

def paths_of(node):
    """(path with its parameters filled in, methods) of all that the node answers; paths that differ by the name of a parameter are one."""
    found = {}
    for path, operations in node.get("/openapi.json").json()["paths"].items():
        filled = path.replace("/v1/topics/{name}", "/v1/topics/t").replace("/v1/services/{name}", "/v1/services/counter")
        found.setdefault(re.sub(r"\{\w+\}", "1", filled), set()).update(m.upper() for m in operations)
    return list(found.items())


MOVING = {"date", "x-request-id", "content-length"}  # the length of what tells of counters changes between two questions


def methods(node):
    fixed = ("/", "/healthz", "/readyz", "/openapi.json", "/v1/topics/t", "/v1/services/counter")
    wrong, lengths, heads = [], [], 0
    for path, allowed in [*paths_of(node), ("/", {"GET"})]:
        if "GET" not in allowed:
            continue
        with Raw(node) as raw:
            raw.send("GET %s HTTP/1.1" % path, HOST)
            got = raw.reply()
            raw.send("HEAD %s HTTP/1.1" % path, HOST)
            head = raw.reply("HEAD")
            raw.send(*get("/healthz"))
            after = raw.status()
        heads += 1
        names = [sorted((k.lower(), v) for k, v in r.headers if k.lower() not in MOVING) for r in (got, head)]
        if head.status != got.status or names[0] != names[1] or after != 200:
            wrong.append((path, got, head, after))
        if path in fixed and head.header("content-length") != str(len(got.body)):
            lengths.append(path)
    tap.ok(heads > 15 and not wrong, "9110 9.3.2: HEAD of each of %d paths has GET's status and headers and no body" % heads, wrong)
    tap.equal(lengths, [], "9110 9.3.2: and GET's Content-Length, where that stays the same")
    wrong = []
    for path, allowed in paths_of(node):
        want = allowed | {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())
        options, _ = ask(node, "OPTIONS %s HTTP/1.1" % path, HOST)
        listed = set(options.header("allow", "").split(", "))
        if options.status != 204 or options.header("content-length") or listed != want:
            wrong.append((path, options, listed, want))
        other = next(m for m in ("PATCH", "PUT", "DELETE") if m not in allowed)
        refused, _ = ask(node, "%s %s HTTP/1.1" % (other, path), HOST)
        if refused.status != 405 or set(refused.header("allow", "").split(", ")) != want:
            wrong.append((path, refused))
    tap.equal(wrong, [], "9110 9.3.7, 15.5.6: each path says in Allow what it takes: OPTIONS with 204, a wrong method with 405")
    reply, _ = ask(node, "OPTIONS * HTTP/1.1", HOST)
    tap.ok(reply.status == 204 and "POST" in reply.header("allow"), "9110 9.3.7: OPTIONS * is about the server", reply)
    for line, status in (("BREW / HTTP/1.1", 501), ("get / HTTP/1.1", 501), ("CONNECT a:1 HTTP/1.1", 501), ("TRACE / HTTP/1.1", 501),
                         ("GET * HTTP/1.1", 400)):
        reply, ended = ask(node, line, HOST)
        tap.ok(reply.status == status and ended, "9110 9.1: %s is refused with %d" % (line.rsplit(" ", 1)[0], status), reply)


# ---- RFC 9110 13, 14: the node's files

def files(node):
    for path in ("/", "/openapi.json"):
        whole = node.get(path)
        tag, size = whole.header("etag"), len(whole.body)
        tap.ok(re.fullmatch('"[0-9a-f]{16}"', tag or "") and whole.header("accept-ranges") == "bytes" and
               whole.header("cache-control") == "no-cache", "9110 8.8.3: %s has a strong tag and says that it has ranges" % path, whole.headers)
        one = [("0-99", 0, 100), ("100-199", 100, 100), ("%d-" % (size - 7), size - 7, 7), ("-7", size - 7, 7), ("0-", 0, size),
               ("10-%d" % (size * 9), 10, size - 10), ("-%d" % (size * 9), 0, size)]
        for text, first, count in one:
            reply, _ = ask(node, *get(path, "Range: bytes=" + text))
            want = (206, whole.body[first:first + count], "bytes %d-%d/%d" % (first, first + count - 1, size), tag)
            tap.equal((reply.status, reply.body, reply.header("content-range"), reply.header("etag")), want, "9110 14: %s, bytes=%s" % (path, text))
        for text in ("%d-" % size, "-0"):
            reply, ended = ask(node, *get(path, "Range: bytes=" + text))
            tap.ok(reply.status == 416 and reply.header("content-range") == "bytes */%d" % size and not ended,
                   "9110 15.5.17: %s, bytes=%s is 416 with the size" % (path, text), reply.headers)
        for text in ("bytes=5-1", "lines=0-1", "bytes=x", "bytes=0-9,5-20", "bytes=" + ",".join("%d-%d" % (i, i) for i in range(0, 40, 2))):
            reply, _ = ask(node, *get(path, "Range: " + text))
            tap.ok(reply.status == 200 and reply.body == whole.body, "9110 14.2: %s, %s gets the whole" % (path, text[:30]), reply)
        reply, _ = ask(node, *get(path, "Range: bytes=0-9, -5, 20-29"))
        tap.equal((reply.status, parts_of(reply)), (206, [
            ("bytes 0-9/%d" % size, whole.body[:10]), ("bytes %d-%d/%d" % (size - 5, size - 1, size), whole.body[-5:]),
            ("bytes 20-29/%d" % size, whole.body[20:30])]), "9110 14.6: %s, three ranges come as three parts, in their order" % path)
        conditions(node, path, whole, tag)


def parts_of(reply):
    kind, _, boundary = reply.header("content-type").partition("; boundary=")
    pieces = reply.body.split(b"\r\n--" + boundary.encode())
    if kind != "multipart/byteranges" or pieces[0] != b"" or pieces[-1] != b"--\r\n":
        return "not multipart/byteranges: %r %r" % (reply.header("content-type"), reply.body)
    found = []
    for piece in pieces[1:-1]:
        head, _, body = piece.partition(b"\r\n\r\n")
        found.append((re.search(rb"Content-Range: (.*)", head).group(1).decode().strip(), body))
    return found


def conditions(node, path, whole, tag):
    rows = [
        ("13.1.2", "If-None-Match: " + tag, "GET", 304), ("13.1.2", 'If-None-Match: "other", W/%s' % tag, "GET", 304),
        ("13.1.2", "If-None-Match: *", "HEAD", 304), ("13.1.2", 'If-None-Match: "other"', "GET", 200),
        ("13.1.1", "If-Match: " + tag, "GET", 200), ("13.1.1", "If-Match: W/" + tag, "GET", 412), ("13.1.1", 'If-Match: "other"', "HEAD", 412),
        ("13.1.5", "Range: bytes=0-9\r\nIf-Range: " + tag, "GET", 206), ("13.1.5", 'Range: bytes=0-9\r\nIf-Range: "other"', "GET", 200),
        ("13.1.5", "Range: bytes=0-9\r\nIf-Range: Thu, 01 Jan 2037 00:00:00 GMT", "GET", 200),
        ("13.2.2", "Range: bytes=0-9\r\nIf-None-Match: " + tag, "GET", 304), ("14.2", "Range: bytes=0-9", "HEAD", 200),
    ]
    for section, headers, method, status in rows:
        with Raw(node) as raw:
            raw.send("%s %s HTTP/1.1" % (method, path), HOST, headers)
            reply = raw.reply(method)
            raw.send(*get("/healthz"))
            good = reply.status == status and raw.status() == 200
        if status in (200, 206, 304):
            good = good and reply.header("etag") == tag
        if status == 304:
            good = good and reply.header("content-type") is None and reply.header("content-length") is None
        if status == 200:
            good = good and reply.header("content-length") == str(len(whole.body))
        tap.ok(good, "9110 %s: %s of %s with %s is %d" % (section, method, path, headers.replace("\r\n", ", ").replace(tag, "ITS TAG"), status), reply)


# ---- RFC 9112 7.1, the other way: the node sends no chunks, but its command line reads those of a proxy in between

def chunked_answers(node):
    body = node.get("/v1/topics").body
    want = subprocess.run([node.binary, "topic", "list", "--node", "%s:%d" % node.addresses["http"]], stdout=subprocess.PIPE, check=True).stdout
    answers = [
        ("a chunk a byte", chunks(*[body[i:i + 1] for i in range(len(body))]), 0),
        ("extensions and trailers", b"5;a=b\r\n" + body[:5] + b"\r\n" + chunks(body[5:], last=b"0\r\nX-Sum: 1\r\n\r\n"), 0),
        ("without its end", chunks(body, last=b""), None),
        ("with a size that is none", b"zz\r\n" + body, None),
    ]
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            for _, data, _ in answers:
                with server.accept()[0] as sock:
                    asked = b""
                    while b"\r\n\r\n" not in asked:
                        asked += sock.recv(4096)
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
        thread = threading.Thread(target=serve)
        thread.start()
        for name, _, code in answers:
            done = subprocess.run([node.binary, "topic", "list", "--node", "127.0.0.1:%d" % server.getsockname()[1]],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            good = (done.returncode, done.stdout) == (0, want) if code == 0 else done.returncode > 0 and b"answer is not HTTP" in done.stderr
            tap.ok(good, "9112 7.1: the command line and an answer in chunks, " + name, (done.returncode, done.stdout, done.stderr))
        thread.join()


# ---- RFC 9112 9: connections; 3: the request line and Host

def connections(node):
    rows = [
        ("9112 9.3: HTTP/1.1 stays", get("/healthz"), None, False),
        ("9112 9.6: close ends it", get("/healthz", "Connection: close"), "close", True),
        ("9112 9.6: also in a list and in other case", get("/healthz", "Connection: x, CLOSE"), "close", True),
        ("9112 9.3: HTTP/1.0 ends", ("GET /healthz HTTP/1.0",), "close", True),
        ("9112 9.3: unless it asks to stay", ("GET /healthz HTTP/1.0", "Connection: keep-alive"), "keep-alive", False),
    ]
    for name, lines, said, ends in rows:
        with Raw(node) as raw:
            raw.send(*lines)
            reply = raw.reply()
            raw.send(*get("/healthz"))
            second = raw.reply()
        tap.ok(reply.status == 200 and reply.header("connection") == said and (second is None) == ends, name, (reply.headers, second))
    with Raw(node) as raw:
        raw.send(*get("/healthz"))
        raw.send(*get("/healthz", "Connection: close"))
        raw.send(*get("/v1/node"))
        statuses = (raw.status(), raw.status(), raw.ended())
        tap.equal(statuses, (200, 200, True), "9112 9.6: what comes behind a request that closes is not answered")
    with Raw(node) as raw:
        raw.send(*get("/openapi.json"))
        raw.sock.shutdown(socket.SHUT_WR)
        reply = raw.reply()
        tap.ok(reply.status == 200 and raw.ended(), "9112 9.6: a client that has closed its half gets its answer, then the end")


def request_lines(node):
    address = "%s:%d" % node.addresses["http"]
    rows = [
        ("9112 3.2.2: the absolute form is the same request", ("GET http://%s/healthz HTTP/1.1" % address, "Host: " + address), 200),
        ("9112 3.2.2: its authority counts, not Host", ("GET http://%s/healthz HTTP/1.1" % address, "Host: evil.example"), 200),
        ("9112 3.2.2: also when it is the one not for us", ("GET http://evil.example/healthz HTTP/1.1", "Host: " + address), 421),
        ("9112 3.2: no Host in 1.1", ("GET /healthz HTTP/1.1",), 400),
        ("9112 3.2: two Hosts", ("GET /healthz HTTP/1.1", HOST, HOST), 400),
        ("9112 3.2: a Host that is none", ("GET /healthz HTTP/1.1", "Host: a/b"), 400),
        ("9112 3.2: a Host with a port that is none", ("GET /healthz HTTP/1.1", "Host: a:b"), 400),
        ("9110 15.5.20: a name that is not ours", ("GET /healthz HTTP/1.1", "Host: evil.example"), 421),
        ("9112 2.3: another version", ("GET /healthz HTTP/2.0", HOST), 505),
        ("9112 3: two blanks", ("GET  /healthz HTTP/1.1", HOST), 400),
        ("9112 3: no version", ("GET /healthz", HOST), 400),
        ("9112 5.2: a folded header", ("GET /healthz HTTP/1.1", HOST, "X: a", " b"), 400),
        ("9112 5.1: a blank before the colon", ("GET /healthz HTTP/1.1", HOST, "X : a"), 400),
        ("9110 5.5: a control byte in a value", ("GET /healthz HTTP/1.1", HOST, "X: a\x01b"), 400),
        ("9110 5.5: obs-text in a value is let through", ("GET /healthz HTTP/1.1", HOST, "X: \xe9"), 200),
        ("3986 2.1: an escape that is none", ("GET /health%zz HTTP/1.1", HOST), 400),
        ("3986 2.1: an escaped name is that name", ("GET /v1/topics/%74 HTTP/1.1", HOST), 200),
        ("3986 2.1: an escaped slash is no separator", ("GET /v1/topics/t%2Frecords HTTP/1.1", HOST), 404),
        ("3986 2.1: an escaped NUL", ("GET /v1/topics/%00 HTTP/1.1", HOST), 400),
        ("3986 5.2.4: dots are not walked up", ("GET /v1/../healthz HTTP/1.1", HOST), 404),
        ("9110 4.1: a fragment is not sent", ("GET /healthz#a HTTP/1.1", HOST), 400),
        ("9110 15.5.15: a target too long", ("GET /%s HTTP/1.1" % ("a" * 9000), HOST), 414),
        ("6585 5: headers too large", ("GET /healthz HTTP/1.1", HOST, "X: " + "a" * 70000), 431),
        ("6585 5: too many headers", ("GET /healthz HTTP/1.1", HOST, *["X%d: a" % i for i in range(70)]), 431),
    ]
    for name, lines, status in rows:
        reply, ended = ask(node, *lines)
        goes_on = status in (200, 404, 421) or "%00" in lines[0]
        tap.ok(reply is not None and reply.status == status and ended != goes_on, "%s: %d" % (name, status), reply)
    with Raw(node) as raw:
        raw.put(b"\r\n")
        raw.send(*get("/healthz"))
        tap.equal(raw.status(), 200, "9112 2.2: an empty line before a request is passed over")
    reply, _ = ask(node, *get("/v1/none"))
    tap.ok(re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", reply.header("date", "")), "9110 6.6.1: answers have a Date", reply.headers)


# ---- RFC 6455 4, RFC 9110 7.8: upgrades

def upgrades(node):
    key, version, asks = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Connection: Upgrade\r\nUpgrade: websocket"
    line = "GET /v1/topics/t/tail HTTP/1.1"
    with Raw(node) as raw:
        raw.send(line, HOST, "Connection: keep-alive, Upgrade", "Upgrade: h2c, WebSocket", key, version)
        reply = raw.reply()
        tap.ok(reply.status == 101 and reply.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" and reply.header("upgrade") == "websocket" and
               reply.header("connection").lower() == "upgrade" and reply.header("content-length") is None,
               "6455 4.2.2: the handshake of the RFC gets the RFC's answer", reply.headers)
    rows = [
        ("4.4: another version", (line, HOST, asks, key, "Sec-WebSocket-Version: 8"), 426),
        ("4.2.1: no wish to upgrade", (line, HOST), 426),
        ("4.2.1: an upgrade to something else", (line, HOST, "Connection: Upgrade", "Upgrade: h2c"), 426),
        ("4.2.1: in HTTP/1.0", (line.replace("1.1", "1.0"), HOST, asks, key, version), 426),
        ("4.2.1: no version", (line, HOST, asks, key), 400), ("4.2.1: no key", (line, HOST, asks, version), 400),
        ("4.2.1: a key of 15 bytes", (line, HOST, asks, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j", version), 400),
        ("4.2.1: two keys", (line, HOST, asks, key, key, version), 400),
        ("4.2.1: another method", (line.replace("GET", "POST"), HOST, asks, key, version), 405),
        ("10.2: a page of another origin", (line, HOST, asks, key, version, "Origin: http://evil.example"), 403),
    ]
    for name, lines, status in rows:
        reply, _ = ask(node, *lines)
        good = reply.status == status
        if status == 426:
            good = good and reply.header("upgrade") == "websocket" and reply.header("sec-websocket-version") == "13" and \
                "upgrade" in reply.header("connection", "")
        tap.ok(good, "6455 %s: %d" % (name, status), (reply, reply.headers))


with Node(config=CONFIG) as main:
    main.post("/v1/topics", {"name": "t"})
    for part in (pipelining, bodies, chunked_answers, expectations, methods, files, connections, request_lines, upgrades):
        part(main)
    tap.ok(main.alive(), "the node is still there after all that")
    tap.equal(main.stop(), 0, "and it stops as it should")
tap.done()
