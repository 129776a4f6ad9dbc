#!/usr/bin/env python3
"""bench load: the generator beside wrk, and with many connections. JSON on stdout, a table on stderr.

  throughput   answers/s out of one node, of a read: wrk as fast as it can, and weir load asked for more than the node can do,
               in turns, each with the same connections and one thread; the ratio of the medians
  connections  10,000 connections at a rate that the node holds: answered, latency, memory of the generator per connection
               (of a release node on the same machine, with its limits raised)
  stall        what a server that stands still for a second does to p99: open loop, and as a closed loop would have told it

wrk is Debian's; without it the row says so.
"""
import json, os, re, resource, shutil, subprocess, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tests", "lib"), os.path.join(HERE, "..", "tests", "load")]
os.environ["WEIR"] = os.path.abspath(os.environ.get("WEIR", os.path.join(HERE, "..", "build", "weir")))
from node import Node  # noqa: E402
from server import Server  # noqa: E402

WEIR, SECONDS, ROUNDS, CONNECTIONS = os.environ["WEIR"], 2, 3, 64


def say(text):
    print(text, file=sys.stderr, flush=True)


def load(*args):
    done = subprocess.run([WEIR, "load"] + [str(a) for a in args] + ["--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if not done.stdout:
        raise RuntimeError("weir load: " + done.stderr.decode())
    return json.loads(done.stdout)


def wrk(url):
    out = subprocess.run(["wrk", "-t1", "-c%d" % CONNECTIONS, "-d%ds" % SECONDS, url], stdout=subprocess.PIPE, check=True).stdout
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", out.decode()).group(1))


def median(values):
    return sorted(values)[len(values) // 2]


def throughput():
    if not shutil.which("wrk"):
        say("throughput   wrk is not installed: apt-get install wrk")
        return {"skipped": "wrk is not installed"}
    with Node() as node:
        url = "http://127.0.0.1:%d/v1/counter/x" % node.port()
        node.post("/v1/counter/x/add", {"amount": 1})
        wrk(url)
        theirs, ours = [], []
        for _ in range(ROUNDS):
            theirs.append(wrk(url))
            r = load(url, "--rate", int(theirs[-1] * 1.5), "--duration", "%ds" % SECONDS, "--connections", CONNECTIONS, "--timeout", "1s")
            ours.append(r["answered"] / max(r["seconds"], SECONDS))
    result = {"wrk_per_s": median(theirs), "load_per_s": median(ours), "ratio": median(ours) / median(theirs)}
    say("throughput   weir load %.0f/s, wrk %.0f/s: %.2f x" % (result["load_per_s"], result["wrk_per_s"], result["ratio"]))
    return result


def connections(count=10000):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * count:
        say("connections  this process may have %d descriptors: ulimit -n" % hard)
        return {"skipped": "descriptors"}
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Node(args=["--set", "connections_max=%d" % (2 * count)]) as node:
        url = "http://127.0.0.1:%d/v1/counter/x" % node.port()
        node.post("/v1/counter/x/add", {"amount": 1})
        r = load(url, "--rate", "5k", "--duration", "5s", "--connections", count)
    result = {"connections": r["opened"], "answered": r["answered"], "failures": r["failures"], "valid": r["valid"],
              "p50_ms": r["latency"]["p50_ms"], "p99_ms": r["latency"]["p99_ms"], "late_p99_ms": r["late"]["p99_ms"],
              "bytes_per_connection": r["memory_bytes"] / max(1, r["opened"])}
    say("connections  %d open, %d answered at 5,000/s, %d failed; p50 %.3f ms, p99 %.3f ms; %.0f bytes each%s"
        % (r["opened"], r["answered"], r["failures"], result["p50_ms"], result["p99_ms"], result["bytes_per_connection"],
           "" if r["valid"] else "; INVALID: " + r["why_invalid"]))
    return result


def stall():
    with Server() as server:
        r = load(server.url("/stall/1500/1000"), "--rate", 200, "--duration", "4s", "--connections", 4)
    result = {"open_p99_ms": r["latency"]["p99_ms"], "closed_p99_ms": r["from_send"]["p99_ms"],
              "ratio": r["latency"]["p99_ms"] / r["from_send"]["p99_ms"]}
    say("stall        p99 %.0f ms, where a closed loop tells %.1f ms: %.0f x" % tuple(result.values()))
    return result


print(json.dumps({"throughput": throughput(), "connections": connections(), "stall": stall()}))
