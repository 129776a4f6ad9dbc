#!/usr/bin/env python3
"""bench tls: what TLS and a Unix socket cost beside plain TCP, one node, one run. JSON on stdout, a table on stderr.

    bench/tls.py [--seconds S]

  requests    small requests on one kept connection, 100 on their way at once
  bytes       large answers (the OpenAPI text) on one kept connection
  handshakes  connections a second, one after the other: in full, and resumed by a ticket

The transports take turns, four rounds each, and the best round counts: ratios are the result. The client is Python's ssl on
the other processor, and opens the seals too; what the node alone pays is its own processor time, from /proc.
"""
import argparse, json, os, shutil, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))
os.environ["WEIR"] = os.path.abspath(os.environ.get("WEIR", os.path.join(HERE, "..", "build", "weir")))
import socket  # noqa: E402

from node import Node  # noqa: E402
from tls import Tls, make_pair  # noqa: E402

ROUNDS, AT_ONCE = 4, 100
FIGURES = ("requests_per_s", "mb_per_s", "requests_per_cpu_s", "mb_per_cpu_s")


def connect(transport, session=None):
    kind, address, context = transport
    if kind == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(address)
        return sock
    sock = socket.create_connection(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(sock, server_hostname="localhost", session=session) if kind == "tls" else sock


def answer_size(sock, request):
    """Bytes of one answer; every later one to the same request is as long."""
    sock.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    size = int([line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")][0])
    while len(body) < size:
        body += sock.recv(1 << 20)
    return len(head) + 4 + size


def processor(node):
    """Seconds the node's threads have run, the kernel's work for them included."""
    folder = "/proc/%d/task" % node.process.pid
    return sum(int(open(os.path.join(folder, task, "schedstat")).read().split()[0]) for task in os.listdir(folder)) / 1e9


def pump(node, transport, path, at_once, seconds):
    """{requests_per_s, mb_per_s, and of the node's processor: requests_per_cpu_s, mb_per_cpu_s}"""
    sock = connect(transport)
    request = ("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path).encode()
    size, room = answer_size(sock, request), bytearray(1 << 20)
    count, start, spent = 0, time.perf_counter(), processor(node)
    while time.perf_counter() - start < seconds:
        sock.sendall(request * at_once)
        left = size * at_once
        while left > 0:
            left -= sock.recv_into(room)
        assert left == 0, "an answer has another size than the first"
        count += at_once
    took, spent = time.perf_counter() - start, processor(node) - spent
    sock.close()
    return {"requests_per_s": count / took, "mb_per_s": count * size / took / 1e6, "requests_per_cpu_s": count / spent,
            "mb_per_cpu_s": count * size / spent / 1e6}


def handshakes(transport, seconds, resumed):
    sock = connect(transport)
    answer_size(sock, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    session, count, start = sock.session, 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        again = connect(transport, session if resumed else None)
        assert again.session_reused == resumed
        again.close()
        count += 1
    return count / (time.perf_counter() - start)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--seconds", type=float, default=1.0, help="of each round")
seconds = parser.parse_args().seconds
folder = tempfile.mkdtemp(prefix="weir-bench-")
best = {}
try:
    cert, key = make_pair(folder, "localhost")
    path = os.path.join(folder, "w.sock")
    with Node(folder=folder, listen="127.0.0.1:0,plain:127.0.0.1:0,unix:" + path,
              args=["--only", "counter", "--lanes", "1", "--set", "tls.cert=" + cert, "--set", "tls.key=" + key]) as node:
        sealed, plain, _ = [word.split("=")[1] for word in node.ready_line.split() if word.startswith("http=")]
        address = lambda text: (text.split(":")[0], int(text.split(":")[1]))  # noqa: E731
        transports = {"plain": ("plain", address(plain), None), "tls": ("tls", address(sealed), Tls(cert).context()),
                      "unix": ("unix", path, None)}
        for _ in range(ROUNDS):
            for name, transport in transports.items():
                small = pump(node, transport, "/healthz", AT_ONCE, seconds)
                large = pump(node, transport, "/openapi.json", 32, seconds)
                for what in FIGURES:
                    got = (small if what.startswith("requests") else large)[what]
                    best[name, what] = max(best.get((name, what), 0), got)
            for what, resumed in (("full", False), ("resumed", True)):
                best["tls", what] = max(best.get(("tls", what), 0), handshakes(transports["tls"], seconds, resumed))
finally:
    shutil.rmtree(folder, ignore_errors=True)
result = {"bench": "tls"}
for what in FIGURES:
    for name in ("tls", "unix"):
        result["%s_over_plain_%s" % (name, what)] = round(best[name, what] / best["plain", what], 3)
result["handshakes_per_s"] = {what: round(best["tls", what]) for what in ("full", "resumed")}
for name in ("plain", "tls", "unix"):
    result[name] = {what: round(best[name, what]) for what in FIGURES}
    print("%-6s %9d requests/s %6d MB/s; of the node's processor second %9d requests, %6d MB" %
          (name, *(result[name][what] for what in FIGURES)), file=sys.stderr)
print("handshakes/s: %(full)d in full, %(resumed)d resumed" % result["handshakes_per_s"], file=sys.stderr)
print(json.dumps(result))
