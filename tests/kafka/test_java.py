#!/usr/bin/env python3
"""Kafka's own client and tools, of two generations, on the node: the Java producer and consumer, members of a group, the admin client,
kafka-topics, kafka-consumer-groups and the performance tools.

Maven fetches them once (tests/lib/kafka_java.py); where that cannot be done, the test says so and is skipped."""
import collections, json, os, re, shutil, signal, subprocess, sys, tempfile, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from kafka_java import POMS, VERSION, VERSION_BEFORE, Java, Missing
from node import PATIENCE, Node, Tap

tap = Tap()
ARGS = ["--set", "kafka.listen=127.0.0.1:0", "--set", "groups.partitions=3", "--set", "groups.session_timeout_min=1s"]
TOOLS = "org.apache.kafka.tools."
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def broker(node):
    return "127.0.0.1:%d" % node.addresses["kafka"][1]


def compiled(java, folder):
    """Client.java as a program built with the older generation has it: it runs with the newer one too."""
    if not shutil.which("javac"):
        raise Missing("there is no javac: apt-get install openjdk-17-jdk-headless")
    done = subprocess.run(["javac", "-nowarn", "-cp", java.path, "-d", folder, os.path.join(POMS, "Client.java")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=2 * PATIENCE, check=False)
    if done.returncode:
        raise RuntimeError("Client.java does not compile: " + done.stdout.decode(errors="replace"))


def last(text):
    """The array that a verb of Client ends with; the text when it ended otherwise."""
    line = (text.strip().splitlines() or [""])[-1]
    return json.loads(line) if line.startswith("[") and line.endswith("]") else text[-2000:]


def client(java, node, *words):
    return last(java.run(["Client", broker(node)] + list(words))[1])


def records(java, node):
    name = "the Java client %s: " % java.version
    got = client(java, node, "codecs", "codec.%s." % java.version, "300")
    tap.equal(got, [[300, 300, 0, False]] * len(CODECS), name + "keys, values, headers and times come back, in " + ", ".join(CODECS))
    got = client(java, node, "admin", "admin.%s" % java.version)
    tap.equal(got, [3, "60000", "70000", 1, True, False], name + "a topic is made, grown, altered, described and deleted")


class Member:
    """A member of a group in a process of its own, and what it says."""

    def __init__(self, java, node, group, topic, strategy):
        self.process = java.start(["Client", broker(node), "member", group, topic, strategy])
        self.owns, self.got = [], []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            word, _, rest = line.decode().strip().partition(" ")
            if word == "owns":
                self.owns = sorted(int(p) for p in rest.split(",") if p)
            elif word == "got":
                self.got.append(rest)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def handled(*members):
    """How often each record was handled; at least once is what a group promises."""
    return collections.Counter(value for m in members for value in list(m.got))


def share(members):
    return all(m.owns for m in members) and sorted(p for m in members for p in m.owns) == list(range(4))


def feed(java, node, topic, count):
    """That many records over the topic's partitions, by the tool that comes with Kafka."""
    code, text = java.run([TOOLS + "ProducerPerformance", "--topic", topic, "--num-records", str(count), "--record-size", "100", "--throughput",
                           "-1", "--producer-props", "bootstrap.servers=" + broker(node), "acks=all", "batch.size=1000"])
    return code == 0 and re.search(r"^%d records sent" % count, text, re.M), text


def caught_up(java, node, group):
    """(a row for each of four partitions, the text), when each is committed to its end and owned."""
    code, text = java.run([TOOLS + "consumer.group.ConsumerGroupCommand", "--bootstrap-server", broker(node), "--describe", "--group", group])
    rows = [line.split() for line in text.splitlines() if line.startswith(group)]
    good = code == 0 and sorted(row[2] for row in rows) == ["0", "1", "2", "3"]
    return (rows, text) if good and all(len(row) == 9 and row[5] == "0" and row[6] != "-" for row in rows) else None


def groups(java, node, strategy):
    """Two members share; one is killed, the other has all; the node is killed, and they go on. What the tool tells of it."""
    topic = "java." + strategy
    node.post("/v1/topics", {"name": topic, "partitions": 4})
    one, two = (Member(java, node, "g." + strategy, topic, strategy) for _ in range(2))
    node.wait_for(lambda: share([one, two]), what="two members sharing")
    tap.ok(True, "%s: two members share the partitions" % strategy)
    sent, text = feed(java, node, topic, 400)
    tap.ok(sent, "kafka-producer-perf-test feeds them", text)
    node.wait_for(lambda: len(handled(one, two)) == 400, what="400 records handled")
    tap.ok(True, "and each record is handled")
    rows, text = node.wait_for(lambda: caught_up(java, node, "g." + strategy), what="no lag in what kafka-consumer-groups tells", pause=0.5)
    tap.ok(len({row[6] for row in rows}) == 2, "kafka-consumer-groups --describe tells offsets, no lag and two members", text)
    two.kill()
    node.wait_for(lambda: share([one]), what="one member owning all")
    tap.ok(True, "what a killed member had goes to the other")
    node.kill()
    node.start()
    sent, text = feed(java, node, topic, 400)  # the same records again
    tap.ok(sent, "the node is killed, and is fed again", text)
    node.wait_for(lambda: min(handled(one, two).values()) >= 2, what="records after the node was killed")
    tap.equal(len(handled(one, two)), 400, "and the member goes on where it was")
    one.kill()


def ledger(java, node):
    """The default producer is idempotent: over kills of the node each record is there once, in order, where it was told to be."""
    total, kills = 8000, [2000, 4000, 6000]
    process = java.start(["Client", broker(node), "ledger", "java.ledger", str(total)], stderr=subprocess.PIPE)
    errors = []
    threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True).start()
    text = ""
    for line in process.stdout:
        text = line.decode().strip()
        if kills and text.isdigit() and int(text) >= kills[0]:
            kills.pop(0)
            node.kill()
            node.start()
    process.wait(PATIENCE)
    tap.equal(kills, [], "the node was killed three times while the Java producer sent")
    tap.equal(last(text), [total, total, total, ""], "each record is there once, in order, at the offset it was told")
    if errors and not text.startswith("["):
        tap.note(b"".join(errors).decode(errors="replace"))


def tools(java, node):
    def run(name, *words):
        return java.run([TOOLS + name] + list(words))
    at = ["--bootstrap-server", broker(node)]
    code, text = run("TopicCommand", *at, "--create", "--topic", "tools", "--partitions", "3", "--config", "retention.ms=86400000")
    tap.ok(code == 0 and "Created topic tools" in text, "kafka-topics --create", text)
    code, text = run("TopicCommand", *at, "--list")
    tap.ok(code == 0 and {"tools", "exchange.orders"} <= set(text.split()), "kafka-topics --list", text)
    code, text = run("TopicCommand", *at, "--describe", "--topic", "tools")
    tap.ok(code == 0 and "PartitionCount: 3" in text and "retention.ms=86400000" in text and text.count("Leader: 0") == 3,
           "kafka-topics --describe", text)
    sent, text = feed(java, node, "tools", 20000)
    tap.ok(sent, "kafka-producer-perf-test", text)
    code, text = run("ConsumerPerformance", *at, "--topic", "tools", "--messages", "20000", "--group", "tools", "--timeout", "%d" % (PATIENCE * 1000))
    rows = [line.split(", ") for line in text.splitlines() if re.match(r"\d{4}-", line)]
    tap.ok(code == 0 and rows and rows[-1][4] == "20000", "kafka-consumer-perf-test reads them all", text)
    code, text = run("consumer.group.ConsumerGroupCommand", *at, "--list")
    tap.ok(code == 0 and "tools" in text.split(), "kafka-consumer-groups --list", text)
    code, text = run("consumer.group.ConsumerGroupCommand", *at, "--group", "tools", "--topic", "tools", "--reset-offsets", "--to-earliest", "--execute")
    tap.ok(code == 0 and re.findall(r"^tools +tools +\d +(\d+)", text, re.M) == ["0", "0", "0"], "kafka-consumer-groups --reset-offsets", text)
    code, text = run("consumer.group.ConsumerGroupCommand", *at, "--group", "tools", "--delete")
    tap.ok(code == 0 and "was successful" in text, "kafka-consumer-groups --delete", text)
    code, text = run("GetOffsetShell", *at, "--topic", "tools")
    ends = [int(n) for n in re.findall(r"^tools:\d:(\d+)$", text, re.M)]
    tap.ok(code == 0 and len(ends) == 3 and sum(ends) == 20000, "kafka-get-offsets", text)
    code, text = run("TopicCommand", *at, "--delete", "--topic", "tools")
    tap.ok(code == 0, "kafka-topics --delete", text)


def main():
    folder = tempfile.mkdtemp(prefix="weir-java-")
    try:
        before, now = Java("clients", VERSION_BEFORE), Java("broker", VERSION)
        compiled(before, folder)
        for java in (before, now):
            java.path += ":" + folder
        with Node(args=ARGS) as node:
            port = node.addresses["kafka"][1]
            node.args[node.args.index("kafka.listen=127.0.0.1:0")] = "kafka.listen=127.0.0.1:%d" % port
            records(before, node)
            records(now, node)
            tools(now, node)
            groups(now, node, "RangeAssignor")
            groups(now, node, "CooperativeStickyAssignor")
            ledger(now, node)
    except Missing as why:
        tap.skip("the Java client and Kafka's own tools work unchanged", "NOT TRIED: %s" % why)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
tap.done()
