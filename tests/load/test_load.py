#!/usr/bin/env python3
# also: tsan
"""weir load against servers whose behaviour is known: it measures right, counts right, and says when it could not."""
import http.server, json, os, socket, subprocess, sys, tempfile, threading
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
from node import Node, Tap  # noqa: E402
from server import Server  # noqa: E402

tap = Tap()
WEIR = os.environ["WEIR"]
CALM = ["--late-max", "100s"]  # a busy machine makes a run invalid, not these tests fail


def weir(*args, patience=120):
    done = subprocess.run([WEIR, "load"] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=patience)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def load(*args):
    code, out, err = weir(*args, "--json", *CALM)
    try:
        return dict(json.loads(out), code=code, err=err)
    except ValueError:
        raise RuntimeError("weir load %s: exit %d: %s%s" % (" ".join(map(str, args)), code, out, err))


def adds_up(r):
    return r["planned"] == r["answered"] + r["failures"] + r["given_up"] and r["failures"] == sum(r["failed"].values())


# ---- it measures right
with Server() as server:
    # Answers take 100 ms each: the percentiles are all that, and a little.
    r = load(server.url("/wait/100"), "--rate", 100, "--duration", "1s", "--connections", 50)
    lat = r["latency"]
    tap.ok(r["answered"] == 100 and adds_up(r), "every planned request is answered and counted once", r)
    tap.ok(95 < lat["p50_ms"] < 250 and lat["p50_ms"] <= lat["p99_ms"] <= lat["max_ms"], "a server that takes 100 ms is measured to", lat)

    # One connection, 100 ms each, asked 20 a second for 2 s: it can do 10, so the k-th of 40 waits k * 50 ms. The median
    # request waits a second, a closed loop would see 100 ms for all.
    r = load(server.url("/wait/100"), "--rate", 20, "--duration", "2s", "--connections", 1)
    tap.ok(900 < r["latency"]["p50_ms"] < 2200, "what waits for a free connection has its wait counted", r["latency"])
    tap.ok(r["from_send"]["p50_ms"] < 300, "beside what a closed loop would have told", r["from_send"])

with Server() as server:
    # 200/s for 4 s; the server stands still for one second: a quarter of the requests were due within it, and wait for
    # what is left of it. So a quarter is spread evenly from 0 to 1 s.
    r = load(server.url("/stall/1500/1000"), "--rate", 200, "--duration", "4s", "--connections", 4)
    stalled = server.seen()["stall_s"] * 1000
    lat = r["latency"]
    tap.ok(stalled >= 1000 and adds_up(r) and r["answered"] == 800, "all are answered although the server stood still", (stalled, r))
    tap.ok(0.4 * stalled < lat["p90_ms"] < 1.2 * stalled, "p90 is three fifths of the stall, as it must be", lat)
    tap.ok(0.8 * stalled < lat["p99_ms"] < 1.5 * stalled, "p99 is nearly the whole of it", lat)
    tap.ok(lat["p50_ms"] < stalled / 4, "the median does not see it", lat)
    tap.ok(r["from_send"]["p99_ms"] * 10 < lat["p99_ms"],
           "a closed loop would have hidden it: its p99 is not a tenth", (lat["p99_ms"], r["from_send"]["p99_ms"]))

# ---- answers of every shape
with Server() as server:
    for path, what in (("/ok", "plain"), ("/chunked", "chunked, after an interim one"), ("/until-close", "until the close"),
                       ("/big/300000", "larger than any buffer"), ("/status/204", "without a body")):
        r = load(server.url(path), "--rate", 200, "--duration", "200ms", "--connections", 4)
        tap.ok(r["answered"] == 40 and r["failures"] == 0, "answers are read: " + what, r)
    r = load(server.url("/ok"), "--rate", 200, "--duration", "200ms", "--connections", 2, "--pipeline", 8)
    tap.ok(r["answered"] == 40, "pipelined requests are answered in order", r)
    r = load(server.url("/ok"), "--rate", 200, "--duration", "200ms", "--method", "HEAD")
    tap.ok(r["answered"] == 40, "HEAD has no body", r)
    for path, kind in (("/status/404", "status_4xx"), ("/status/500", "status_5xx"), ("/cut", "cut"), ("/bad", "malformed")):
        r = load(server.url(path), "--rate", 100, "--duration", "200ms", "--connections", 4)
        tap.ok(r["failed"][kind] == 20 and r["answered"] == 0 and adds_up(r), "a failure is told by its kind: " + kind, r)
    r = load(server.url("/never"), "--rate", 100, "--duration", "100ms", "--connections", 4, "--timeout", "300ms")
    tap.ok(r["failed"]["timeout"] >= 4 and r["failed"]["unsent"] + r["failed"]["timeout"] == 10 and adds_up(r),
           "no answer is a timeout, and what never left is told too", r)

    # ---- what is sent
    r = load(server.url("/ok"), "--rate", 100, "--duration", "300ms", "--body", '{"n":{{n}},"k":"{{choice red blue}}","r":{{rand 5 7}}}')
    bodies = [json.loads(b) for b in server.seen()["bodies"]]
    tap.ok(sorted(b["n"] for b in bodies) == list(range(30)), "each request has its number", bodies)
    tap.ok({b["k"] for b in bodies} == {"red", "blue"} and {b["r"] for b in bodies} == {5, 6, 7}, "choices and numbers vary", bodies)

with Server() as server:
    r = load(server.url("/flaky"), "--rate", 100, "--duration", "500ms", "--idempotent", "--retry", 3, "--body", "{}")
    seen = server.seen()
    tap.ok(r["answered"] == 50 and r["retries"] == 50 and r["answered_late"] == 50, "what fails for a while is tried again", r)
    tap.ok(seen["keys"] == 50 and seen["doubled"] == 50, "with the same Idempotency-Key", seen["keys"])
    r = load(server.url("/ok"), "--rate", 200, "--duration", "500ms", "--connections", 4, "--reconnect-every", 5)
    tap.ok(r["connects"] >= 20 and r["answered"] == 100 and r["failures"] == 0, "connections are given up and made anew without a loss", r)
    r = load(server.url("/ok"), "--rate", 200, "--duration", "500ms", "--connections", 4, "--reset", "20%")
    tap.ok(r["given_up"] > 0 and r["failures"] == 0 and adds_up(r), "requests that the client cuts are no failures", r)
    r = load(server.url("/ok"), "--rate", 200, "--duration", "1s", "--connections", 20, "--slow", "10%", "--dribble", "10%",
             "--half-open", "10%", "--dribble-gap", "1ms", "--slow-rate", "10KB")
    tap.ok(r["answered"] == 200 and r["slow"]["count"] > 0 and r["latency"]["count"] + r["slow"]["count"] == 200,
           "slow clients are served, and their times are kept apart", r)
    r = load(server.url("/ok"), "--rate", 500, "--duration", "500ms", "--jitter", "20ms", "--reorder", "10%", "--poisson")
    tap.ok(r["failures"] == 0 and adds_up(r) and 150 < r["answered"] < 400, "jitter, reordering and random arrivals lose nothing", r)
    r = load(server.url("/ok"), "--rate", 100, "--duration", "500ms", "--delay", "50ms", "--connections", 40)
    tap.ok(r["latency"]["p50_ms"] >= 100 and r["answered"] == 50, "a delay each way is part of the latency", r["latency"])

    # ---- WebSocket
    r = load(server.url("/ws", "ws"), "--rate", 200, "--duration", "300ms", "--connections", 3)
    tap.ok(r["answered"] == 60 and adds_up(r), "ws: an echo answers each message", r)
    r = load(server.url("/ws-ping", "ws"), "--rate", 200, "--duration", "300ms", "--connections", 3, "--match", "field:n")
    tap.ok(r["answered"] == 60 and adds_up(r), "ws: answers are found by a field, between pings", r)
    r = load(server.url("/ws-push", "ws"), "--rate", 200, "--duration", "300ms", "--match", "none", "--hello", "hi")
    tap.ok(r["answered"] == 60 and r["failures"] == 0, "ws: without answers a message is done when it is sent", r)
    r = load(server.url("/ws-push", "ws"), "--rate", 200, "--duration", "300ms", "--match", "field:n")
    tap.ok(r["answered"] == 60 and r["pushes"] > 0, "ws: what answers nothing is counted as a push", r)
    code, out, err = weir(server.url("/ok", "ws"), "--rate", 10, "--duration", "100ms")
    tap.ok(code == 13 and "not one of 1 connections" in err, "ws: a server that is none is told", err)

    # ---- UDP
    r = load(server.url("", "udp"), "--rate", 500, "--duration", "400ms", "--body", "d{{n}}")
    tap.ok(r["answered"] == 200 and r["failures"] == 0, "udp: datagrams are sent at their rate", r)
    r = load(server.url("", "udp"), "--rate", 500, "--duration", "400ms", "--match", "order")
    tap.ok(r["answered"] == 200 and r["latency"]["p50_ms"] > 0, "udp: echoes answer them", r)
    r = load(server.url("", "udp"), "--rate", 1000, "--duration", "1s", "--loss", "10%", "--duplicate", "10%")
    tap.ok(20 < r["lost"] < 300 and 20 < r["doubled"] < 300 and r["answered"] + r["lost"] == 1000, "udp: loss and duplicates as asked for", r)

# ---- any server, not only ours
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *unused):
        pass


with tempfile.TemporaryDirectory() as folder:
    stock = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Quiet(*a, directory=folder))
    threading.Thread(target=stock.serve_forever, daemon=True).start()
    r = load("http://127.0.0.1:%d/" % stock.server_address[1], "--rate", 100, "--duration", "500ms", "--connections", 4)
    tap.ok(r["answered"] == 50 and r["failures"] == 0, "python's http.server is measured too, which closes after each answer", r)
    stock.shutdown()

# ---- a node: nothing is done twice
with Node() as node:
    base = "http://127.0.0.1:%d/v1/counter/" % node.port()
    r = load(base + "x/add", "--rate", 300, "--duration", "1s", "--body", '{"amount":1}', "--idempotent", "--retry", 5,
             "--reset", "5%", "--connections", 20)
    value = int(node.get("/v1/counter/x").json()["value"])
    tap.ok(r["answered"] <= value <= r["planned"] and adds_up(r), "a node counts each request once at most", (value, r))

# ---- OUCH, and a node that nobody can overtake
with Node(args=["--set", "exchange.ouch=127.0.0.1:0"]) as node:
    node.post("/v1/exchange/symbols", {"symbol": "LOAD", "tick": 1, "lot": 1})
    gateway = "ouch://%s:%d" % node.addresses["exchange.ouch"]
    r = load(gateway, "--symbol", "LOAD", "--rate", 500, "--duration", "1s", "--connections", 3, "--price", "99-101")
    tap.ok(r["answered"] == 500 and adds_up(r) and r["pushes"] > 0, "ouch: each order is accepted, executions come beside", r)
    r = load(gateway, "--symbol", "NOWHERE", "--rate", 100, "--duration", "200ms")
    tap.ok(r["failed"]["refused"] == 20 and r["answered"] == 0, "ouch: a refused order is a failure", r)

# ---- a recorded network: what crosses is what the trace lets through
with Server() as server, tempfile.TemporaryDirectory() as folder:
    narrow = os.path.join(folder, "narrow")
    with open(narrow, "w") as f:
        f.write("".join("%d\n" % (100 * i) for i in range(1, 11)))  # a packet each 100 ms
    r = load(server.url("/big/14000"), "--rate", 2, "--duration", "1s", "--connections", 2, "--net", "trace:" + narrow)
    tap.ok(r["answered"] == 2 and r["latency"]["p50_ms"] > 800, "ten packets of an answer take ten moments of the trace", r["latency"])
    r = load(server.url("/ok"), "--rate", 50, "--duration", "1s", "--connections", 20, "--loss", "20%", "--net", narrow)
    tap.ok(r["answered"] == 50 and r["lost"] > 0 and r["latency"]["max_ms"] > 200, "what is lost comes after a retransmission", r)
    shared = os.path.join(os.environ.get("WEIR_SHARED", ""), "data", "net", "ATT-LTE-driving-2016.")
    if os.path.exists(shared + "up.mahi"):
        r = load(server.url("/ok"), "--rate", 50, "--duration", "1s", "--connections", 20, "--timeout", "30s",
                 "--net", "trace:%sup.mahi,%sdown.mahi" % (shared, shared))
        tap.ok(r["answered"] == 50 and r["latency"]["p99_ms"] > r["late"]["p50_ms"], "a trace recorded while driving is replayed", r)
    else:
        tap.skip("a trace recorded while driving is replayed", "no reference data (WEIR_SHARED)")

# ---- results
with Server() as server, tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "out.hgrm")
    run = [server.url("/ok"), "--rate", 200, "--duration", "500ms"]
    code, out, err = weir(*run, "--hdr", path, "--slo", "p99=100s,errors=1%,rate=1", *CALM)
    tap.ok(code == 0 and "99.999 %" in out and out.count("met") == 3, "the table and the objectives are printed", out + err)
    lines = open(path).read().splitlines()
    rows = [line.split() for line in lines if line and line[0] == " " and "Percentile" not in line]
    tap.ok(rows[-1][2] == "100" and "Total count" in lines[-2] and [float(r[1]) for r in rows] == sorted(float(r[1]) for r in rows),
           "the percentile file is HdrHistogram's: rising, up to all", lines[-5:])
    code, out, err = weir(*run, "--slo", "p50=1ns", *CALM)
    tap.ok(code == 1 and "MISSED" in out, "a missed objective is the exit code", out)
    code, out, err = weir(server.url("/status/500"), *run[1:], "--slo", "p99=100s", *CALM)
    tap.ok(code == 1 and "errors" in out, "objectives without errors= allow none", out)
    code, out, err = weir(*run, "--late-max", "1ns")
    tap.ok(code == 1 and "INVALID" in out, "a generator that is late says that its figures do not stand", out)
    for name in ("a", "b"):
        with open(os.path.join(folder, name), "w") as f:
            f.write(weir(*run, "--json", *CALM)[1])
    code, out, err = weir("--compare", os.path.join(folder, "a"), os.path.join(folder, "b"))
    tap.ok(code == 0 and "latency p99_ms" in out and "x" in out, "two results are compared", out + err)
    code, out, err = weir("--compare", os.path.join(folder, "a"), path)
    tap.ok(code == 2 and "second file" in err, "what is no result is named", err)
    first = weir(*run, "--seed", 7, "--json", *CALM)[1]
    tap.ok(json.loads(first)["seed"] == 7, "the seed is told")

# ---- curves
with Server() as server:
    for curve, planned in (("ramp", 100), ("spike:3", 333), ("burst:100ms", 200)):
        r = load(server.url("/ok"), "--rate", 200, "--duration", "1s", "--curve", curve)
        tap.ok(abs(r["planned"] - planned) <= 1 and r["failures"] == 0, "curve %s has as many requests as its area" % curve, r)
    with tempfile.NamedTemporaryFile("w") as trace:
        trace.write("0 100\n0.5 300\n")
        trace.flush()
        r = load(server.url("/ok"), "--curve", "trace:" + trace.name)
        tap.ok(r["planned"] in (99, 100), "a trace of rates is followed", r)

# ---- mistakes
closed = socket.socket()
closed.bind(("127.0.0.1", 0))
nobody = "127.0.0.1:%d" % closed.getsockname()[1]
for args, word in ((["http://%s/" % nobody, "--rate", "10", "--duration", "1s"], "not one of 10 connections"),
                   (["ftp://x", "--rate", "1"], "write http://"), (["http://h/", "--rate", "1", "--insecure"], "https://"),
                   (["http://no.such.host.invalid/", "--rate", "1"], "has no address"),
                   (["http://127.0.0.1:1/"], "--rate is missing"), (["http://127.0.0.1:1/", "--rate", "fast"], "not a rate"),
                   (["http://127.0.0.1:1/", "--rate", "1", "--body", "{{nn}}"], "did you mean"),
                   (["http://127.0.0.1:1/", "--rate", "1", "--curve", "flat"], "is no curve"),
                   (["http://127.0.0.1:1/", "--rate", "1", "--net", "/nowhere"], "nowhere"),
                   (["ouch://127.0.0.1:1", "--rate", "1"], "--symbol"), (["http://127.0.0.1:1/", "--rate", "1", "--slo", "p=1"], "objective")):
    code, out, err = weir(*args)
    tap.ok(code != 0 and word in err, "%s is answered with what to do" % " ".join(args[-2:]), err)
tap.done()
