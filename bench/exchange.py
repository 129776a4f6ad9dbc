#!/usr/bin/env python3
"""bench exchange: the exchange from the matching core to the whole durable path. JSON on stdout, a table on stderr.

    bench/exchange.py [--long] [--only PART[,PART]] [--orders N]     PART: core, path, rate, recovery

  core       `weir exchange match` alone over the recorded streams (a generated one where they are not at hand)
  path       open loop through the binary gateway, every answer after its sync: p50, p99, p99.9 at 10,000 and 100,000
             requests/s, beside an ideal group commit: the same arrivals, and nothing but the bare write + sync of
             this disk, measured in the same run right before and after
  rate       the highest rate held with bounded queues (30 s with --long)
  recovery   N orders (1 M; 10 M with --long) journaled, SIGKILL, and the time until the node serves again: replayed from
             the first order, and with the snapshots of the default cadence

Disks are noisy: the ratios are the result, the times are what they came from. The load generator shares the processors.
"""
import argparse, array, json, os, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tests", "lib"), os.path.join(HERE, "lib")]
os.environ["WEIR"] = os.path.abspath(os.environ.get("WEIR", os.path.join(HERE, "..", "build", "weir")))
from node import Node  # noqa: E402
from ideal import bare_syncs, ideal_latencies, quantile  # noqa: E402

WEIR = os.environ["WEIR"]
SHARED = os.environ.get("WEIR_SHARED", "")
STREAMS = ("move-11", "equity-11", "cross-11")
SET = ["--set", "exchange.ouch=127.0.0.1:0"]
PATH_US = 200.0  # what the whole path may cost beyond the disk


def say(text):
    print(text, file=sys.stderr, flush=True)


def tool(*args, check=True):
    done = subprocess.run([WEIR, "exchange"] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = done.stdout.decode().strip()
    if (check and done.returncode) or not text.startswith("{"):
        raise RuntimeError("weir exchange %s: exit %d: %s" % (" ".join(map(str, args)), done.returncode,
                                                              done.stderr.decode().strip()[-400:]))
    return json.loads(text)


def node_at(folder, extra=()):
    return Node(folder=folder, args=SET + list(extra))


def load(node, *args, check=True):
    return tool("load", "--node", "%s:%d" % node.addresses["http"], "--json", *args, check=check)


# ---- parts ----

def part_core(options, work):
    result = {}
    if SHARED:
        files = {s: os.path.join(SHARED, "data/orders/flows/%s-200k.bin.zst" % s) for s in STREAMS}
    else:
        files = {"generated": os.path.join(work, "generated.bin")}
        subprocess.run([WEIR, "exchange", "load", "--generate-only", files["generated"], "--count", "200000",
                        "--symbols", "100"], check=True)
    for name, path in files.items():
        result[name] = tool("match", path, "--repeat", 15 if options.long else 7)
        r = result[name]
        say("core       %-10s %6.1f M ops/s (CPU), p50 %.0f ns, p99 %.0f ns, p99.9 %.0f ns, hash %s"
            % (name, r["cpu_ops_per_s"] / 1e6, r["p50_ns"], r["p99_ns"], r["p999_ns"], r["trade_hash"]))
    result["worst_mops"] = min(r["cpu_ops_per_s"] for r in result.values()) / 1e6
    return result


def measured(node, rate, seconds, timings):
    """(load's result, intended send times, latencies): all in seconds from the run's start."""
    r = load(node, "--rate", rate, "--seconds", seconds, "--sessions", 2, "--symbols", 16, "--timings", timings, check=False)
    pairs = array.array("Q")
    with open(timings, "rb") as file:
        pairs.frombytes(file.read())
    return r, sorted(t / 1e9 for t in pairs[::2]), [(b - a) / 1e9 for a, b in zip(pairs[::2], pairs[1::2])]


def part_path(options, work):
    """Load and bare loop take turns, so that a disk that is slow for a while is slow for both."""
    result, rounds, seconds = {}, (10 if options.long else 4), 2
    for rate in (10000, 100000):
        folder, timings = tempfile.mkdtemp(dir=work), os.path.join(work, "timings")
        size = 4096 if rate <= 10000 else 16384
        real, ideal, bare, held, refused = [], [], [], True, 0
        with node_at(folder) as node:
            load(node, "--rate", rate, "--seconds", 1, "--sessions", 2, "--symbols", 16)  # first pages, first segments
            before = bare_syncs(folder, size, 0.5)
            for _ in range(rounds):
                r, arrivals, latencies = measured(node, rate, seconds, timings)
                after = bare_syncs(folder, size, 0.5)
                real += latencies
                ideal += ideal_latencies(arrivals, before[len(before) // 2:] + after[:len(after) // 2])
                bare += before
                held, refused, before = held and r["held"], refused + r["rejected"], after
        for values in (real, ideal, bare):
            values.sort()
        out = {"rate": rate, "held": held, "acked": len(real), "rejected": refused,
               "bare_sync_p50_us": quantile(bare, .5) * 1e6, "bare_sync_p99_us": quantile(bare, .99) * 1e6}
        for name, q in (("p50", .5), ("p99", .99), ("p999", .999)):
            mine, best = quantile(real, q) * 1e6, quantile(ideal, q) * 1e6
            out.update({name + "_us": mine, "ideal_" + name + "_us": best, name + "_ratio": mine / best,
                        name + "_ratio_less_path": max(0.0, mine - PATH_US) / best})
        result[str(rate)] = out
        say("path       %7d/s   p50 %.0f us (ideal %.0f), p99 %.0f us (%.0f; %.2f x, %.2f x less 0.2 ms), p99.9 %.0f us "
            "(%.0f), bare sync p50 %.0f p99 %.0f%s"
            % (rate, out["p50_us"], out["ideal_p50_us"], out["p99_us"], out["ideal_p99_us"], out["p99_ratio"],
               out["p99_ratio_less_path"], out["p999_us"], out["ideal_p999_us"], out["bare_sync_p50_us"],
               out["bare_sync_p99_us"], "" if held else "  NOT HELD"))
        shutil.rmtree(folder, ignore_errors=True)
    return result


def part_rate(options, work):
    folder = tempfile.mkdtemp(dir=work)
    with node_at(folder) as node:
        r = load(node, "--ramp", "--rate", 20000, "--seconds", 30 if options.long else 6, "--step-seconds",
                 3 if options.long else 2, "--sessions", 2, "--symbols", 16, check=False)
    shutil.rmtree(folder, ignore_errors=True)
    say("rate       %d/s held for %d s, p99 %.0f us" % (r["rate"], r["seconds"], r["p99_us"]))
    return r


def restart(node):
    node.kill()
    began = time.perf_counter()
    node.start(patience=600)
    return time.perf_counter() - began


def part_recovery(options, work):
    orders = options.orders or (10_000_000 if options.long else 1_000_000)
    result = {"orders": orders}
    for name, extra in (("scratch", ["--set", "snapshot_bytes=1TB"]), ("snapshots", [])):
        folder = tempfile.mkdtemp(dir=work)
        with node_at(folder, extra) as node:
            rate, sent = 100000, 0
            while sent < orders:
                r = load(node, "--rate", rate, "--seconds", max(1, min(20, (orders - sent) // rate)), "--sessions", 2,
                         "--symbols", 16, check=False)
                sent += r["acked"]
                if not r["held"]:
                    rate = max(10000, rate * 3 // 4)
            seconds = restart(node)
            stats = node.get("/v1/exchange/stats").json()
            result[name] = {"seconds": seconds, "orders": sent, "orders_per_s": sent / seconds,
                            "seconds_per_10m": seconds * 1e7 / sent, "commands": int(stats.get("commands", 0)),
                            "recovery": node.get("/v1/node").json().get("recovery")}
        shutil.rmtree(folder, ignore_errors=True)
        r = result[name]
        say("recovery   %-10s %d orders back in %.2f s (%.2f M/s; 10 M in %.1f s)"
            % (name, r["orders"], r["seconds"], r["orders_per_s"] / 1e6, r["seconds_per_10m"]))
    return result


PARTS = {"core": part_core, "path": part_path, "rate": part_rate, "recovery": part_recovery}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--orders", type=int, default=0)
    parser.add_argument("--folder", default=".", help="where the nodes' data goes: the disk that is measured")
    options = parser.parse_args()
    result, failed = {}, 0
    work = tempfile.mkdtemp(prefix="weir-bench-", dir=options.folder)
    try:
        for name in options.only.split(","):
            try:
                result[name] = PARTS[name](options, work)
            except (RuntimeError, OSError, ValueError) as e:
                failed += 1
                result[name] = {"error": str(e)}
                say("%-10s failed: %s" % (name, e))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    json.dump(result, sys.stdout)
    print()
    sys.exit(1 if failed else 0)


main()
