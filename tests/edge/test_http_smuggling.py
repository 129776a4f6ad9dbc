#!/usr/bin/env python3
"""Requests that hide others (tests/corpus/http_smuggling: over 170, the table of src/wire/test_smuggling.h) against the node, with
an honest request behind each: it must be answered as itself or not at all, whatever way the bytes are cut. What the node takes for a
request is held against h11, a parser of somebody else's, which must see the same request and the same next one; and with nginx in
front of the node, the two must count the same requests."""
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import PATIENCE, Node, Tap, read_until_close
from raw_http import Raw

try:
    import h11
except ImportError:
    h11 = None

tap = Tap()
SOURCE = os.environ.get("WEIR_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CORPUS = os.path.join(SOURCE, "tests", "corpus", "http_smuggling")
NEXT = b"GET /v1/topics/behind HTTP/1.1\r\nHost: a\r\nX-Request-Id: behind\r\n\r\n"


def corpus():
    """The named rows; the rest are inputs that a fuzzer kept."""
    for name in sorted(os.listdir(CORPUS)):
        with open(os.path.join(CORPUS, name), "rb") as file:
            yield name, file.read()


def answers(node, data, cut):
    """Statuses and request ids of all that comes, and how the connection went on: "open" is seen by the honest request's answer."""
    found = []
    with Raw(node) as raw:
        for at in range(0, len(data), cut):
            raw.put(data[at:at + cut])
        raw.put(NEXT)
        try:
            raw.sock.shutdown(socket.SHUT_WR)  # what is not whole by now never will be
        except OSError:
            pass
        method = "HEAD" if data.startswith(b"HEAD") else "GET"
        while True:
            reply = raw.reply(method)
            if reply is None:
                break
            found.append((reply.status, reply.header("x-request-id") == "behind", reply.header("connection")))
            method = "GET"
    return found


def h11_reads(data):
    """What h11 makes of the same bytes: [(method, target, body)] of whole requests, and whether it refused something."""
    connection, requests = h11.Connection(h11.SERVER), []
    connection.receive_data(data)
    connection.receive_data(b"")
    try:
        while True:
            event = connection.next_event()
            if event is h11.PAUSED:
                connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
                connection.start_next_cycle()
            elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return requests, False
            elif isinstance(event, h11.Request):
                now = [event.method, event.target, b""]
            elif isinstance(event, h11.Data):
                now[2] += event.data
            elif isinstance(event, h11.EndOfMessage):
                requests.append(tuple(now))
    except h11.RemoteProtocolError:
        return requests, True
    except h11.LocalProtocolError:
        return requests, False  # the answer we made up ends the connection: it was its last request


def straight(node):
    rows = list(corpus())
    tap.ok(len(rows) > 150, "there is a corpus", len(rows))
    misread, differ, held, apart = [], [], 0, []
    for name, data in rows:
        whole = answers(node, data, 1 << 20)
        if answers(node, data, 1) != whole or answers(node, data, 7) != whole:
            differ.append(name)
        # After a refusal nothing is answered; the honest request is answered only as itself, once, and last.
        refused = [i for i, (status, _, how) in enumerate(whole) if how == "close" and status >= 400]
        behind = [i for i, (_, is_behind, _) in enumerate(whole) if is_behind]
        if (refused and refused[0] != len(whole) - 1) or len(behind) > 1 or (behind and behind[0] != len(whole) - 1):
            misread.append((name, whole))
        if h11 and whole and not refused:
            theirs, refuses = h11_reads(data + NEXT)
            if refuses:
                continue  # it is stricter there: it takes no empty line before a request
            held += 1
            if len(theirs) != len(whole) or (theirs[-1][1] == b"/v1/topics/behind") != bool(behind):
                apart.append((name, whole, theirs))
    tap.equal(misread, [], "%d streams that hide requests: nothing is answered behind a refusal, and the next request is itself" % len(rows))
    tap.equal(differ, [], "and it makes no difference how the bytes come")
    if h11:
        tap.ok(held > 10 and not apart, "h11 sees the same requests in each of the %d streams that the node takes" % held,
               "\n".join(map(repr, apart)))
    else:
        tap.skip("h11 sees the same requests", "PYTHON3-H11 IS NOT INSTALLED")


class Nginx:
    """nginx as a reverse proxy before the node, that keeps its connections to it; its log is one line a request."""

    def __init__(self, program, node):
        self.folder = tempfile.mkdtemp(prefix="weir-nginx-")
        self.log = os.path.join(self.folder, "access.log")
        self.socket = os.path.join(self.folder, "front.sock")
        config = os.path.join(self.folder, "nginx.conf")
        with open(config, "w") as file:
            file.write("""daemon off; master_process off; user %(user)s; pid %(folder)s/pid; error_log %(folder)s/error.log;
events { worker_connections 64; }
http {
    access_log off; client_header_timeout 300ms; client_body_timeout 300ms; lingering_close off; keepalive_timeout 2s;
    log_format forwarded '$upstream_status';
    client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy; fastcgi_temp_path %(folder)s/f;
    uwsgi_temp_path %(folder)s/u; scgi_temp_path %(folder)s/s;
    upstream node { server %(address)s; keepalive 4; }
    server {
        listen unix:%(socket)s;
        access_log %(folder)s/access.log forwarded;
        location / {
            proxy_pass http://node; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host localhost; proxy_request_buffering off; proxy_next_upstream off;
        }
    }
}
""" % {"user": pwd.getpwuid(os.getuid()).pw_name, "folder": self.folder, "socket": self.socket, "address": "%s:%d" % node.addresses["http"]})
        self.process = subprocess.Popen([program, "-p", self.folder, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def errors(self):
        path = os.path.join(self.folder, "error.log")
        return open(path).read() if os.path.exists(path) else "it said nothing"

    def forwarded(self):
        with open(self.log) as file:
            return sum(re.match(r"\d", line) is not None for line in file)

    def through(self, data):
        """Everything that comes back for these bytes, until nginx ends the connection."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(self.socket)
            try:
                sock.sendall(data)
            except OSError:
                pass  # refused before all of it was sent
            return read_until_close(sock)


def behind_nginx(node):
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not program:
        tap.skip("nginx and the node count the same requests", "THERE IS NO NGINX (./x deps test unpacks one)")
        return
    front = Nginx(program, node)
    try:
        node.wait_for(lambda: os.path.exists(front.socket) or front.process.poll() is not None, what="nginx")
        tap.ok(front.process.poll() is None, "nginx stands in front of the node", front.errors())
        first, second = node.metric("weir_http_requests_total"), node.metric("weir_http_requests_total")
        stolen = []
        for name, data in corpus():
            back = front.through(data + NEXT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            if back.lower().count(b"x-request-id: behind") > 1:
                stolen.append((name, back))
        forwarded = front.forwarded()
        counted = node.metric("weir_http_requests_total") - second - (second - first)
        tap.equal(stolen, [], "no stream makes the honest request behind it count twice")
        tap.ok(forwarded > 100, "nginx forwarded what it takes", forwarded)
        tap.equal(counted, float(forwarded), "and the node read as many requests as nginx sent")
    finally:
        front.close()


with Node(args=["--set", "body_bytes=64KB", "--set", "idle=20s"]) as main:
    straight(main)
    behind_nginx(main)
    tap.ok(main.alive(), "the node is still there after all that")
    tap.equal(main.stop(), 0, "and it stops as it should")
tap.done()
