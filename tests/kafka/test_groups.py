#!/usr/bin/env python3
"""Consumer groups, with clients that we did not write: confluent-kafka (librdkafka), kafka-python, kafkajs. # also: tsan"""
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import PATIENCE, Node, Tap

tap = Tap()
ARGS = ["--set", "kafka.listen=127.0.0.1:0", "--set", "groups.partitions=3", "--set", "groups.session_timeout_min=1s"]
PARTITIONS = 4


def broker(node):
    return "%s:%d" % node.addresses["kafka"]


def consumer(kafka, node, group, **more):
    config = {"bootstrap.servers": broker(node), "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
              "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "reconnect.backoff.max.ms": 200,
              "topic.metadata.refresh.interval.ms": 1000}
    config.update(more)
    return kafka.Consumer(config)


def produce(kafka, node, topic, first, last):
    producer = kafka.Producer({"bootstrap.servers": broker(node), "reconnect.backoff.max.ms": 200})
    for i in range(first, last):
        producer.produce(topic, b"%06d" % i, partition=i % PARTITIONS)
    if producer.flush(PATIENCE):
        raise RuntimeError("not everything was produced")


def poll_until(consumers, condition, what):
    """Polls all of them in turn until the condition holds; what came."""
    deadline, found = time.monotonic() + PATIENCE, []
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("it did not happen: %s" % what)
        for c in consumers:
            message = c.poll(0.05)
            if message is not None and not message.error():
                found.append(message)
    return found


def owned(c):
    return sorted(p.partition for p in c.assignment())


def all_owned(consumers):
    return sorted(p for c in consumers for p in owned(c)) == list(range(PARTITIONS)) and all(owned(c) for c in consumers)


def subscribe(node, kafka):
    produce(kafka, node, "first", 0, 40)
    one = consumer(kafka, node, "skeleton")
    one.subscribe(["first"])
    got = []
    deadline = time.monotonic() + PATIENCE
    while len(got) < 40 and time.monotonic() < deadline:
        message = one.poll(1.0)
        if message is not None and not message.error():
            got.append(message.value())
    tap.equal(sorted(got), [b"%06d" % i for i in range(40)], "a member of a group gets all partitions and all records")
    tap.equal(owned(one), list(range(PARTITIONS)), "which it owns")
    one.commit(asynchronous=False)
    one.close()


def end_of(kafka, node, group, topic):
    """What is committed, by partition."""
    asker = consumer(kafka, node, group)
    found = asker.committed([kafka.TopicPartition(topic, p) for p in range(PARTITIONS)], PATIENCE)
    asker.close()
    return {p.partition: p.offset for p in found}


def rebalance(node, kafka, strategy):
    """Members come and go, each owning its part, no partition twice."""
    topic, group = "moves." + strategy, "moving." + strategy
    produce(kafka, node, topic, 0, 40)
    members = [consumer(kafka, node, group, **{"partition.assignment.strategy": strategy, "client.id": "m%d" % i})
               for i in range(4)]
    for count in range(1, 5):
        members[count - 1].subscribe([topic])
        poll_until(members[:count], lambda: all_owned(members[:count]), "%d members own all partitions" % count)
    tap.ok(True, "%s: one to four members share the partitions" % strategy)
    members.pop().close()
    poll_until(members, lambda: all_owned(members), "three members own what the fourth left")
    tap.ok(True, "%s: what a member leaves goes to the others" % strategy)
    for member in members:
        member.close()


CHILD = """
import sys, confluent_kafka as kafka
c = kafka.Consumer({"bootstrap.servers": sys.argv[1], "group.id": sys.argv[2], "session.timeout.ms": 2000,
                    "heartbeat.interval.ms": 500, "auto.offset.reset": "earliest", "enable.auto.commit": False})
c.subscribe([sys.argv[3]])
while True:
    c.poll(0.1)
    print(len(c.assignment()), flush=True)
"""


def killed_member(node, kafka):
    """A member that dies without a word: its session ends, and the others get its partitions."""
    produce(kafka, node, "deaths", 0, 40)
    with subprocess.Popen([sys.executable, "-c", CHILD, broker(node), "mortal", "deaths"], stdout=subprocess.PIPE) as child:
        while child.stdout.readline().strip() != b"%d" % PARTITIONS:
            pass
        threading.Thread(target=child.stdout.read, daemon=True).start()
        other = consumer(kafka, node, "mortal")
        other.subscribe(["deaths"])
        poll_until([other], lambda: len(owned(other)) == PARTITIONS // 2, "two members share")
        child.send_signal(signal.SIGKILL)
    poll_until([other], lambda: len(owned(other)) == PARTITIONS, "the one that lives owns all")
    tap.ok(True, "what a killed member had goes to the one that lives")
    other.close()


def static_member(node, kafka):
    """It starts anew within its session and has what it had: the others notice nothing."""
    produce(kafka, node, "statics", 0, 40)
    moves = []
    stays = consumer(kafka, node, "fixed", **{"group.instance.id": "a"})
    stays.subscribe(["statics"], on_assign=lambda c, p: moves.append(len(p)))
    goes = consumer(kafka, node, "fixed", **{"group.instance.id": "b", "session.timeout.ms": 30000})
    goes.subscribe(["statics"])
    poll_until([stays, goes], lambda: all_owned([stays, goes]), "two static members share")
    had, before = owned(goes), len(moves)
    goes.close()  # a static member does not leave
    goes = consumer(kafka, node, "fixed", **{"group.instance.id": "b", "session.timeout.ms": 30000})
    goes.subscribe(["statics"])
    poll_until([stays, goes], lambda: bool(owned(goes)), "the member that started anew owns partitions")
    tap.equal((owned(goes), len(moves)), (had, before), "a static member starts anew without a rebalance")
    thief = consumer(kafka, node, "fixed", **{"group.instance.id": "b", "session.timeout.ms": 30000})
    thief.subscribe(["statics"])
    errors = []

    def fenced():
        message = goes.poll(0.05)
        if message is not None and message.error():
            errors.append(message.error().name())
        return "_FATAL" in errors or "FENCED_INSTANCE_ID" in errors
    poll_until([stays, thief], fenced, "the old one is fenced")
    tap.ok(True, "two of one instance id: the older is fenced", errors)
    for member in (stays, goes, thief):
        member.close()


def commits_survive(node, kafka):
    """What was acknowledged as committed is there after kill -9, with its metadata; the group goes on."""
    produce(kafka, node, "kept", 0, 400)
    member = consumer(kafka, node, "keeper")
    member.subscribe(["kept"])
    poll_until([member], lambda: len(owned(member)) == PARTITIONS, "the member owns all")
    for life in range(3):
        wanted = [kafka.TopicPartition("kept", p, 10 * life + p + 1) for p in range(PARTITIONS)]
        member.commit(offsets=wanted, asynchronous=False)
        if life == 1:
            tap.equal(node.post("/v1/services/groups/snapshot").status // 100, 2, "a snapshot that replay agrees with")
        node.kill()
        node.start()
        tap.equal(end_of(kafka, node, "keeper", "kept"), {p: 10 * life + p + 1 for p in range(PARTITIONS)},
                  "committed offsets survive kill -9 (%d)" % life)
    produce(kafka, node, "kept", 400, 440)
    got = poll_until([member], lambda: len(owned(member)) == PARTITIONS and
                     all(p.offset >= 110 for p in member.position([kafka.TopicPartition("kept", p) for p in range(PARTITIONS)])),
                     "the member goes on to the end")
    tap.ok(len(got) >= 40, "the member of before goes on", len(got))
    member.close()


def comes_and_goes(node, kafka):
    """Members that come, go and are dropped, a node that is killed: every record is handled, and twice only what was
    not committed."""
    total, handled, lock, stop = 2000, {}, threading.Lock(), threading.Event()
    early = []
    produce(kafka, node, "churn", 0, total)

    def live(number):
        while not stop.is_set():
            member = consumer(kafka, node, "churning", **{"client.id": "c%d" % number, "session.timeout.ms": 3000})
            member.subscribe(["churn"])
            end = time.monotonic() + 1.5 + number
            while time.monotonic() < end and not stop.is_set():
                messages = [m for m in member.consume(20, 0.1) if not m.error()]
                if not messages:
                    continue
                with lock:
                    for m in messages:
                        handled.setdefault(int(m.value()), []).append(number)
                upto = {}
                for m in messages:
                    upto[m.partition()] = max(upto.get(m.partition(), 0), m.offset() + 1)
                try:
                    member.commit(offsets=[kafka.TopicPartition("churn", p, o) for p, o in upto.items()], asynchronous=False)
                except kafka.KafkaException as error:
                    early.append(error.args[0].name())
            member.close()
    threads = [threading.Thread(target=live, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    deadline, killed = time.monotonic() + 2 * PATIENCE, False
    while time.monotonic() < deadline:
        with lock:
            count = len(handled)
        if count >= total // 4 and not killed:
            node.kill()
            node.start()
            killed = True
        if count == total:
            break
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    tap.equal(len(handled), total, "every record is handled by a group whose members come and go, over a kill -9")
    twice = sum(len(x) - 1 for x in handled.values())
    tap.note("%d handled again; commits refused: %s" % (twice, early))
    tap.ok(twice <= 20 * (len(early) + 12), "twice only what was not committed", twice)


def tools(node):
    try:
        import kafka
    except ImportError:
        return tap.skip("kafka-python's groups", "%s has no kafka: apt-get install python3-kafka, and its own python3" % sys.executable)
    python = kafka.KafkaConsumer("first", bootstrap_servers=broker(node), group_id="pythons", auto_offset_reset="earliest",
                                 enable_auto_commit=False, consumer_timeout_ms=int(PATIENCE * 1000))
    got = sorted(int(next(python).value) for _ in range(40))
    tap.equal(got, list(range(40)), "kafka-python consumes as a group")
    mark = kafka.structs.OffsetAndMetadata(7, "here I was")
    python.commit({kafka.TopicPartition("first", 2): mark})
    tap.equal(python.committed(kafka.TopicPartition("first", 2), metadata=True), mark, "an offset's metadata comes back")
    admin = kafka.KafkaAdminClient(bootstrap_servers=broker(node))
    listed = [name for name, _ in admin.list_consumer_groups()]
    tap.ok({"pythons", "skeleton"} <= set(listed), "groups of all partitions are listed", listed)
    described = {g.group: g for g in admin.describe_consumer_groups(["pythons", "skeleton", "absent"])}
    tap.equal([described[n].state for n in ("pythons", "skeleton", "absent")], ["Stable", "Empty", "Dead"],
              "and described, in whatever state")
    tap.equal([m.client_id[:6] for m in described["pythons"].members], ["kafka-"], "with their members")
    tap.equal(admin.list_consumer_group_offsets("pythons")[kafka.TopicPartition("first", 2)], mark, "and their offsets")
    outcome = dict(admin.delete_consumer_groups(["pythons", "skeleton", "absent"]))
    tap.equal({n: e.__name__ for n, e in outcome.items()},
              {"pythons": "NonEmptyGroupError", "skeleton": "NoError", "absent": "GroupIdNotFoundError"}, "deleted, unless they have members")
    python.close()
    admin.close()


KAFKAJS = """
const { Kafka, logLevel } = require('kafkajs');
const kafka = new Kafka({ clientId: 'js', brokers: [process.argv[2]], logLevel: logLevel.ERROR });
const seen = new Set();
const consumer = kafka.consumer({ groupId: 'scripts', sessionTimeout: 6000, heartbeatInterval: 500 });
(async () => {
  await consumer.connect();
  await consumer.subscribe({ topic: 'first', fromBeginning: true });
  const all = new Promise((done) => consumer.run({ autoCommit: false, eachMessage: async ({ message }) => {
    seen.add(message.value.toString());
    if (seen.size === 40) done();
  } }));
  await all;
  await consumer.commitOffsets([{ topic: 'first', partition: 1, offset: '5', metadata: 'js' }]);
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchOffsets({ groupId: 'scripts', topics: ['first'] });
  const groups = (await admin.listGroups()).groups.map((g) => g.groupId);
  const described = (await admin.describeGroups(['scripts'])).groups[0];
  await consumer.disconnect();
  await admin.deleteGroups(['scripts']);
  await admin.disconnect();
  const p1 = offsets[0].partitions.find((p) => p.partition === 1);
  console.log(JSON.stringify([seen.size, p1.offset, p1.metadata, groups.includes('scripts'), described.state, described.members.length]));
})().catch((e) => { console.log(e.stack); process.exit(1); });
"""


def with_kafkajs(node):
    """Of npm, into build-tools: it is no package of Debian."""
    folder = os.path.join(os.environ.get("WEIR_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."),
                          "build-tools", "npm")
    if not os.path.isdir(os.path.join(folder, "node_modules", "kafkajs")):
        return tap.skip("kafkajs consumes as a group", "it is not there: npm install --prefix build-tools/npm kafkajs@2.2.4")
    script = os.path.join(node.folder, "member.js")
    with open(script, "w") as file:
        file.write(KAFKAJS)
    done = subprocess.run(["node", script, broker(node)], env=dict(os.environ, NODE_PATH=os.path.join(folder, "node_modules")),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2 * PATIENCE)
    tap.equal(done.stdout.decode().strip().splitlines()[-1:], ['[40,"5","js",true,"Stable",1]'], "kafkajs consumes as a group, commits and asks")


with Node(args=ARGS) as node:
    port = node.addresses["kafka"][1]
    node.args[node.args.index("kafka.listen=127.0.0.1:0")] = "kafka.listen=127.0.0.1:%d" % port
    try:
        import confluent_kafka
    except ImportError:
        tap.skip("consumer groups of librdkafka", "%s has no confluent-kafka: apt-get install python3-confluent-kafka, and its own python3" % sys.executable)
    else:
        subscribe(node, confluent_kafka)
        tools(node)
        with_kafkajs(node)
        rebalance(node, confluent_kafka, "range")
        rebalance(node, confluent_kafka, "cooperative-sticky")
        killed_member(node, confluent_kafka)
        static_member(node, confluent_kafka)
        commits_survive(node, confluent_kafka)
        comes_and_goes(node, confluent_kafka)
    tap.equal(node.post("/v1/services/groups/snapshot").status // 100, 2, "at the end, replay agrees with the state")
    tap.equal([line for line in node.stderr if "mismatch" in line or "runtime error" in line], [], "nothing was reported")
tap.done()
