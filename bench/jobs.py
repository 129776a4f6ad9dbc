#!/usr/bin/env python3
"""bench jobs: durable full cycles (put, fetch, ack, each after its sync) of 256-byte jobs, side by side with beanstalkd -f0 and Redis
with appendfsync always. JSON on stdout, a table on stderr.

    bench/jobs.py [--jobs N] [--only SHAPE[,SHAPE]] [--rounds R]     SHAPE: single, bulk, pace

  single   16 producers with 16 puts under way each, 128 workers that fetch one job, then acknowledge it: unpipelined
  bulk     4 producers, 8 workers; 100 jobs in a put, a fetch and an ack (Redis, beanstalkd: 100 commands pipelined)
  pace     open loop at half of what a first run of `single` did, weir alone: put-to-ack from when the put was due, beside an ideal
           group commit of the same arrivals on the bare disk, measured right before and after; and pick-up: from the put's answer
           until a waiting worker has the job (0 when the worker is first)

One client in C speaks all three protocols (build/bench_jobs_client). Servers get a fresh folder each, and take turns; the best of the
rounds counts. Disks are noisy and the client shares the processors: the ratios are the result.
"""
import argparse, array, json, os, shutil, socket, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tests", "lib"), os.path.join(HERE, "lib")]
os.environ["WEIR"] = os.path.abspath(os.environ.get("WEIR", os.path.join(HERE, "..", "build", "weir")))
from node import Node, free_port  # noqa: E402
from ideal import bare_syncs, ideal_latencies, quantile  # noqa: E402

CLIENT = os.path.join(os.path.dirname(os.environ["WEIR"]), "bench_jobs_client")
TOOLS = os.path.join(HERE, "..", "build-tools", "usr", "bin")
SHAPES = {"single": (["--producers", "16", "--depth", "16", "--workers", "128", "--bulk", "1"], 1),
          "bulk": (["--producers", "4", "--depth", "4", "--workers", "8", "--bulk", "100"], 5)}


def say(text):
    print(text, file=sys.stderr, flush=True)


def program(name):
    path = shutil.which(name) or os.path.join(TOOLS, name)
    return path if os.path.exists(path) else None


class Peer:
    """A server from a Debian package on a free port and a folder of its own."""

    def __init__(self, path, command):
        self.folder, self.port = tempfile.mkdtemp(prefix="weir-bench-"), free_port()
        words = [word.format(port=self.port, folder=self.folder) for word in command]
        self.process = subprocess.Popen(words, executable=path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Weir:
    def __init__(self):
        self.node = Node(args=["--only", "jobs", "--set", "jobs.wire=127.0.0.1:0"])
        self.port = self.node.port("jobs.wire")

    def close(self):
        self.node.close()


PEERS = {"redis": ["redis-server", "--bind", "127.0.0.1", "--port", "{port}", "--save", "", "--appendonly", "yes", "--appendfsync",
                   "always", "--auto-aof-rewrite-percentage", "0", "--dir", "{folder}"],
         "beanstalkd": ["beanstalkd", "-l", "127.0.0.1", "-p", "{port}", "-b", "{folder}", "-f0", "-s", "104857600"]}


def server(kind):
    if kind == "weir":
        return Weir()
    # redis-server starts a service when it is installed; the server's program is also in redis-tools, under another name, and is what
    # the name it is called by says.
    path = program(PEERS[kind][0]) or (kind == "redis" and program("redis-check-rdb"))
    return Peer(path, PEERS[kind]) if path else None


def cycles(kind, shape, jobs):
    at = server(kind)
    if at is None:
        return None
    try:
        flags, factor = SHAPES[shape]
        if kind == "beanstalkd":
            jobs = min(jobs, 20000)
        done = subprocess.run([CLIENT, kind, str(at.port), "--jobs", str(jobs * factor)] + flags, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)
    finally:
        at.close()


def compare(shape, jobs, rounds):
    best = {}
    for _ in range(rounds):
        for kind in ("weir", "redis", "beanstalkd"):
            got = cycles(kind, shape, jobs)
            if got and got["cycles_per_s"] > best.get(kind, {"cycles_per_s": 0})["cycles_per_s"]:
                best[kind] = got
    for kind, got in best.items():
        say("%-8s %-12s %9.0f cycles/s   put p50 %6.0f us, p99 %6.0f us"
            % (shape, kind, got["cycles_per_s"], got["put_p50_us"], got["put_p99_us"]))
    for kind in ("redis", "beanstalkd"):
        if kind in best:
            best["over_" + kind] = round(best["weir"]["cycles_per_s"] / best[kind]["cycles_per_s"], 2)
            say("%-8s weir / %s: %.2f" % (shape, kind, best["over_" + kind]))
        else:
            say("%-8s %s is not installed (./x deps test): left out" % (shape, kind))
    return best


def paced(port, rate, seconds, folder):
    """(arrivals, put-to-ack, pick-up), seconds."""
    timings = os.path.join(folder, "timings")
    subprocess.run([CLIENT, "weir", str(port), "--jobs", str(rate * seconds), "--rate", str(rate), "--timings", timings]
                   + SHAPES["single"][0], stdout=subprocess.DEVNULL, check=True)
    times = array.array("Q")
    with open(timings, "rb") as file:
        times.frombytes(file.read())
    rows = list(zip(times[::3], times[1::3], times[2::3]))
    return (sorted(due / 1e9 for due, _, _ in rows), [(stored - due) / 1e9 for due, stored, _ in rows],
            [max(0, taken - stored) / 1e9 for _, stored, taken in rows])


def pace(jobs, rounds):
    """The load and the bare loop take turns, so that a disk that is slow for a while is slow for both."""
    at, folder = Weir(), tempfile.mkdtemp(prefix="weir-bench-")
    real, ideal, pickup = [], [], []
    try:
        full = subprocess.run([CLIENT, "weir", str(at.port), "--jobs", str(jobs)] + SHAPES["single"][0], stdout=subprocess.PIPE, check=True)
        rate = max(1, int(json.loads(full.stdout)["cycles_per_s"] / 2))
        before = bare_syncs(folder, 16384, 0.5)
        for _ in range(rounds):
            arrivals, stored, taken = paced(at.port, rate, 2, folder)
            after = bare_syncs(folder, 16384, 0.5)
            real, pickup = real + stored, pickup + taken
            ideal += ideal_latencies(arrivals, before[len(before) // 2:] + after[:len(after) // 2])
            before = after
    finally:
        at.close()
        shutil.rmtree(folder, ignore_errors=True)
    out = {"rate": rate, "jobs": len(real)}
    for values in (real, ideal, pickup):
        values.sort()
    for name, q in (("p50", .5), ("p99", .99)):
        mine, best = quantile(real, q) * 1e6, quantile(ideal, q) * 1e6
        out.update({"put_%s_us" % name: mine, "ideal_%s_us" % name: best, "put_%s_over_ideal" % name: round(mine / best, 2),
                    "pickup_%s_ms" % name: quantile(pickup, q) * 1e3})
    say("pace     %d/s   put p50 %.0f us (ideal %.0f), p99 %.0f us (%.0f: %.1f x); pick-up p50 %.2f ms, p99 %.2f ms"
        % (rate, out["put_p50_us"], out["ideal_p50_us"], out["put_p99_us"], out["ideal_p99_us"], out["put_p99_over_ideal"],
           out["pickup_p50_ms"], out["pickup_p99_ms"]))
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="single,bulk,pace")
    args = parser.parse_args()
    result = {}
    for shape in args.only.split(","):
        result[shape] = pace(args.jobs, args.rounds) if shape == "pace" else compare(shape, args.jobs, args.rounds)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
