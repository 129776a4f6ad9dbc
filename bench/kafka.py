#!/usr/bin/env python3
"""bench kafka: the node as a Kafka broker, side by side with Apache Kafka: the same client, the same machine, turns in one run. JSON on
stdout, a table on stderr.

    bench/kafka.py [--only SHAPE[,SHAPE]] [--rounds R] [--scale S]       SHAPE: stream, wide, pace, start, java

  stream   1 partition, acks=all: produce and consume of records of 100 B and 1 KB, librdkafka with its defaults; the broker's processor
           time per record (cpu_ns), since the client may be what is at its limit
  wide     the same into 1,000 partitions, 100 B
  pace     open loop at 250 records/s of 100 B, sent at once (linger.ms=0): produce and end-to-end latency, from when a record was due
  start    from the start of the process in an empty folder until a client has its first record acknowledged; memory, then and after
           `stream`'s load
  java     Kafka's own performance tools, as they are

Brokers: weir, which syncs before it acknowledges; kafka, as it is by default, which does not sync; kafka-sync, with
log.flush.interval.messages=1, which promises what weir does. Each gets a fresh folder and the same warm-up, and the best of the rounds
counts. Kafka's jars come from Maven (tests/lib/kafka_java.py); without them weir is measured alone, and that is said. The client shares
the processors with the broker, and disks are noisy: the ratios are the result.
"""
import argparse, json, os, re, socket, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))
os.environ["WEIR"] = os.path.abspath(os.environ.get("WEIR", os.path.join(HERE, "..", "build", "weir")))
from kafka_java import VERSION, Broker, Java, Missing, resident_bytes  # noqa: E402
from node import PATIENCE, Node, free_port  # noqa: E402

CLIENT = os.path.join(os.path.dirname(os.environ["WEIR"]), "bench_kafka_client")
KINDS = ("weir", "kafka", "kafka-sync")
RATE = 250  # what the slowest of them can do with a request for each record: a queue that grows has no latency
SHAPES = ("stream", "wide", "pace", "start", "java")


def say(text):
    print(text, file=sys.stderr, flush=True)


def kafka_java():
    try:
        return Java("broker", VERSION)
    except Missing as why:
        say("Apache Kafka is left out: %s" % why)
        return None


class Weir:
    def __init__(self, partitions):
        self.address = "127.0.0.1:%d" % free_port()
        self.began = time.monotonic()
        self.node = Node(args=["--set", "kafka.listen=" + self.address, "--set", "kafka.partitions=%d" % partitions], start=False)
        self.node.spawn()
        self.process = self.node.process

    def close(self):
        self.node.close()


def server(kind, java, partitions=1):
    """A broker that takes connections."""
    if kind == "weir":
        at = Weir(partitions)
    else:
        sync = ["log.flush.interval.messages=1"] if kind == "kafka-sync" else []
        at = Broker(java, sync + ["num.partitions=%d" % partitions])
    host, port = at.address.split(":")
    while True:
        try:
            socket.create_connection((host, int(port)), 1).close()
            return at
        except OSError:
            if at.process.poll() is not None or time.monotonic() > at.began + PATIENCE:
                raise RuntimeError("%s did not take a connection" % kind) from None
            time.sleep(0.001)


def client(at, *words):
    done = subprocess.run([CLIENT, at.address] + [str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=4 * PATIENCE, check=False)
    if done.returncode == 77:
        say(done.stderr.decode().strip())
        sys.exit(77)
    if done.returncode:
        raise RuntimeError("bench_kafka_client %s: %s" % (" ".join(map(str, words)), done.stderr.decode(errors="replace")))
    return json.loads(done.stdout)


def with_server(kind, java, measure, partitions=1):
    at = server(kind, java, partitions)
    try:
        return measure(at)
    finally:
        at.close()


def processor_s(pid):
    """Of all its threads, in the kernel too."""
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Each measures one broker once: {figure: value}.
def stream(at, scale):
    out = {}
    client(at, "produce", "warm", int(200000 * scale), 100)
    for name, size, records in (("100", 100, int(1000000 * scale)), ("1k", 1024, int(200000 * scale))):
        for way, words in (("produce", [records, size]), ("consume", [records])):
            before = processor_s(at.process.pid)
            rate = client(at, way, "stream." + name, *words)["records_per_s"]
            out["%s_%s_per_s" % (way, name)] = rate
            out["%s_%s_mb_per_s" % (way, name)] = round(rate * size / 1e6, 1)
            out["%s_%s_cpu_ns" % (way, name)] = round((processor_s(at.process.pid) - before) * 1e9 / records)
    out["resident_mb"] = round(resident_bytes(at.process.pid) / 1e6, 1)
    return out


def wide(at, scale):
    client(at, "produce", "wide", int(100000 * scale), 100)
    return {"produce_per_s": client(at, "produce", "wide", int(500000 * scale), 100)["records_per_s"]}


def pace(at, scale):
    client(at, "pace", "paced", RATE, 100, max(1, int(10 * scale)), "linger.ms=0")  # a JVM compiles what it runs often
    out = client(at, "pace", "paced", RATE, 100, max(1, int(8 * scale)), "linger.ms=0")
    return {name: value for name, value in out.items() if name.endswith("_us")}


def start(at, scale):
    """Asks for its topic's partitions again soon: else the client's own pause is what is measured."""
    del scale
    client(at, "first", "first", 100, "topic.metadata.refresh.fast.interval.ms=10", "reconnect.backoff.ms=5", "reconnect.backoff.max.ms=20", "linger.ms=0")
    return {"first_ms": round((time.monotonic() - at.began) * 1e3, 1), "resident_mb": round(resident_bytes(at.process.pid) / 1e6, 1)}


def java_tools(java):
    def measure(at, scale):
        tools, out = "org.apache.kafka.tools.", {}
        for name, size, records in (("100", 100, int(1000000 * scale)), ("1k", 1024, int(200000 * scale))):
            for _ in range(2):  # the first one warms the broker
                code, text = java.run([tools + "ProducerPerformance", "--topic", "java." + name, "--num-records", str(records), "--record-size",
                                       str(size), "--throughput", "-1", "--producer-props", "bootstrap.servers=" + at.address, "acks=all"])
                found = re.search(r"^%d records sent, ([\d.]+) records/sec.*, ([\d.]+) ms 99th" % records, text, re.M)
                if code or not found:
                    raise RuntimeError("ProducerPerformance: " + text)
            out["produce_%s_per_s" % name] = float(found.group(1))
            code, text = java.run([tools + "ConsumerPerformance", "--topic", "java." + name, "--bootstrap-server", at.address, "--messages",
                                   str(records), "--group", "java." + name, "--timeout", str(int(PATIENCE * 1000))])
            rows = [line.split(", ") for line in text.splitlines() if re.match(r"\d{4}-", line)]
            if code or not rows:
                raise RuntimeError("ConsumerPerformance: " + text)
            out["consume_%s_per_s" % name] = float(rows[-1][9])  # without the time to join the group
        return out
    return measure


def is_lower_better(name):
    return name.endswith(("_us", "_ms", "_ns", "resident_mb"))


def compare(shape, java, rounds, scale):
    """{kind: {figure: best of the rounds}, weir_over_KIND: {figure: ratio}}."""
    measure = java_tools(java) if shape == "java" else globals()[shape]
    kinds = [kind for kind in KINDS if kind == "weir" or java]
    if shape == "start":
        kinds = [kind for kind in kinds if kind != "kafka-sync"]
    best = {}
    for _ in range(rounds):
        for kind in kinds:
            got = with_server(kind, java, lambda at: measure(at, scale), 1000 if shape == "wide" else 1)
            mine = best.setdefault(kind, got)
            for name, value in got.items():
                mine[name] = (min if is_lower_better(name) else max)(mine[name], value)
    for kind in kinds[1:]:
        best["over_" + kind.replace("-", "_")] = {name: round(best["weir"][name] / best[kind][name], 3) for name in best["weir"] if best[kind][name]}
    for name in best["weir"]:
        say("%-7s %-22s %s" % (shape, name, "   ".join(
            "%s %s" % (kind, format(best[kind][name], ",.1f")) + ("" if kind == "weir" else " (weir %.2f x)" % best["over_" + kind.replace("-", "_")].get(name, 0))
            for kind in kinds)))
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(SHAPES))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="of how many records")
    args = parser.parse_args()
    unknown = [shape for shape in args.only.split(",") if shape not in SHAPES]
    if unknown:
        parser.error("--only: '%s' is none of %s" % (unknown[0], ", ".join(SHAPES)))
    java, result = kafka_java(), {}
    for shape in args.only.split(","):
        if shape == "java" and not java:
            continue
        result[shape] = compare(shape, java, args.rounds, args.scale)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
