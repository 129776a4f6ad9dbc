#!/usr/bin/env python3
"""bench trace: what traces cost: commands per second with tracing off, 1 % and all of them, on one node in one run. JSON on stdout,
a table on stderr.

    bench/trace.py [--rounds N] [--seconds S] [--connections N]

wrk sends orders as fast as they are answered (a closed loop); the sampling is changed by a reload between the rounds, which go
round in turn so that the disk's moods meet all of them. The collector is a thread of this program that throws away what it gets.
Everything shares the processors: the ratios are the result. The node's processor time per command is the steadier one.
"""
import argparse, json, os, re, shutil, socket, statistics, subprocess, sys, tempfile, threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))
os.environ["WEIR"] = os.path.abspath(os.environ.get("WEIR", os.path.join(HERE, "..", "build", "weir")))
from node import Node  # noqa: E402

V1 = "/v1/exchange"
CONFIG = "trace:\n  endpoint: %s\n  ratio: %s\n  every: 200ms\n"
MODES = (("off", None), ("1 %", "0.01"), ("100 %", "1"))
LUA = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"symbol":"AAA","side":"BUY","price":100,"quantity":1,"account":1,"timeInForce":"IOC"}'
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def sink():
    """Answers every POST with 200 and looks at nothing."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(client):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = client.recv(1 << 16)
                if not more:
                    return
                data += more
            head, data = data.split(b"\r\n\r\n", 1)
            left = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
            if re.search(rb"(?i)expect: *100-continue", head):
                client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while len(data) < left:
                data += client.recv(1 << 20)
            data = data[left:]
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def accept():
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return "http://127.0.0.1:%d" % server.getsockname()[1]


def metric(node, name, label=""):
    return sum(float(line.rsplit(" ", 1)[1]) for line in node.get("/metrics").body.decode().splitlines()
               if line.split("{")[0].split(" ")[0] == name and label in line)


def sample(node, path, endpoint, ratio):
    with open(path, "w") as file:
        file.write(CONFIG % (endpoint if ratio else '""', ratio or "0"))
    assert node.post("/v1/config/reload", {}).status == 200


def rate(node, script, options):
    done = subprocess.run(["wrk", "-t1", "-c%d" % options.connections, "-d%gs" % options.seconds, "--latency", "-s", script,
                           node.url(V1 + "/orders")], stdout=subprocess.PIPE, check=True).stdout.decode()
    count, seconds = re.search(r"(\d+) requests in ([0-9.]+)s", done).groups()
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done)  # 503 while all commits wait for a slow disk
    return (int(count) - (int(refused.group(1)) if refused else 0)) / float(seconds), int(count)


def processor_s(node):
    with open("/proc/%d/stat" % node.process.pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        say("bench trace: there is no wrk here; nothing was measured")
        print(json.dumps({"bench": "trace", "skipped": "no wrk"}))
        return
    endpoint, rates, spans = sink(), {name: [] for name, _ in MODES}, {}
    costs = {name: [] for name, _ in MODES}
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder, Node(folder=folder, config=CONFIG % ('""', 0)) as node:
        script, path = os.path.join(folder, "order.lua"), os.path.join(folder, "weir.yaml")
        with open(script, "w") as file:
            file.write(LUA)
        node.post(V1 + "/symbols", {"symbol": "AAA", "tick": 1, "quantityMax": 1000, "reference": 100, "band": 90, "notionalMax": 1 << 30})
        rate(node, script, options)  # warm
        for _ in range(options.rounds):
            for name, ratio in MODES:
                sample(node, path, endpoint, ratio)
                before, cpu = [metric(node, "weir_trace_spans_total"), metric(node, "weir_trace_spans_dropped_total", "queue_full")], processor_s(node)
                per_s, count = rate(node, script, options)
                rates[name].append(per_s)
                costs[name].append((processor_s(node) - cpu) / count * 1e6)
                after = [metric(node, "weir_trace_spans_total"), metric(node, "weir_trace_spans_dropped_total", "queue_full")]
                spans.setdefault(name, []).append([b - a for a, b in zip(before, after)])
    off = statistics.median(rates["off"])
    rows = []
    for name, _ in MODES:
        per = statistics.median(r / o for r, o in zip(rates[name], rates["off"]))
        written, dropped = (sum(s[i] for s in spans[name]) for i in (0, 1))
        cost = statistics.median(c / o for c, o in zip(costs[name], costs["off"]))
        rows.append({"sampled": name, "ratio": round(per, 3), "cpu_ratio": round(cost, 3), "cpu_us": round(statistics.median(costs[name]), 1), "commands_per_s": round(statistics.median(rates[name])),
                     "spans_per_s": round(written / options.rounds / options.seconds), "dropped_share": round(dropped / max(1, written + dropped), 3)})
        say("%6s  %5.3f of off  %7d commands/s  %5.1f us of processor each, %5.3f of off  %8d spans/s  %5.1f %% dropped" % (
            name, per, rows[-1]["commands_per_s"], rows[-1]["cpu_us"], cost, rows[-1]["spans_per_s"], 100 * rows[-1]["dropped_share"]))
    print(json.dumps({"bench": "trace", "connections": options.connections, "rounds": options.rounds, "rows": rows, "off": round(off)}))


main()
