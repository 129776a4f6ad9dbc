#!/usr/bin/env python3
"""Kafka clients that we did not write, on the node's topics: kcat (librdkafka), confluent-kafka, kafka-python. # also: tsan"""
import os
import random
import shutil
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import PATIENCE, Node, Tap

tap = Tap()
ARGS = ["--set", "kafka.listen=127.0.0.1:0"]


def broker(node):
    return "%s:%d" % node.addresses["kafka"]


def kcat(node, *args, data=None):
    done = subprocess.run(["kcat", "-b", broker(node)] + list(args), input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=PATIENCE * 2)
    return done.returncode, done.stdout, done.stderr.decode()


def with_kcat(node):
    if not shutil.which("kcat"):
        return tap.skip("kcat produces and consumes", "kcat is not installed: apt-get install kcat")
    code, out, err = kcat(node, "-L", "-J")
    tap.ok(code == 0 and b'"exchange.orders"' in out, "kcat lists the topics", err)
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        lines = b"".join(b"%s-%06d-%s\n" % (codec.encode(), i, b"x" * 80) for i in range(3000))
        code, _, err = kcat(node, "-P", "-t", "codec." + codec, "-p", "1", "-z", codec, data=lines)
        tap.ok(code == 0, "kcat produces with %s to a topic that is made by that" % codec, err)
        code, out, err = kcat(node, "-C", "-t", "codec." + codec, "-p", "1", "-o", "beginning", "-e", "-q")
        tap.ok(code == 0 and out == lines, "and consumes the same", "%d bytes of %d: %s" % (len(out), len(lines), err))
    code, out, _ = kcat(node, "-C", "-t", "codec.zstd", "-p", "1", "-o", "1500", "-c", "2", "-q", "-f", "%o ")
    tap.equal(out, b"1500 1501 ", "it begins inside of a compressed batch")
    kcat(node, "-P", "-t", "keys", "-p", "0", "-K", ":", "-Z", "-H", "h=v", data=b"k:v\nempty:\n")
    _, out, _ = kcat(node, "-C", "-t", "keys", "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%k=%s/%S/%h;")
    tap.equal(out, b"k=v/1/h=v;empty=/-1/h=v;", "keys, headers and nulls come back")
    code, _, err = kcat(node, "-P", "-t", "counter.commands", "-p", "0", "-X", "message.timeout.ms=3000", data=b"x\n")
    tap.ok(code != 0, "nobody writes a service's topic", err)
    _, out, _ = kcat(node, "-Q", "-t", "keys:0:-1", "-t", "keys:0:-2")
    tap.ok(b"keys [0] offset 2" in out or b"offset 0" in out, "the ends of a partition are told", out)


def by_time(node, kafka):
    producer = kafka.Producer({"bootstrap.servers": broker(node)})
    for i in range(5):
        producer.produce("timed", b"%d" % i, partition=0, timestamp=1700000000000 + i * 1000)
        producer.flush(PATIENCE)
    consumer = kafka.Consumer({"bootstrap.servers": broker(node), "group.id": "unused", "enable.auto.commit": False})
    asked = [kafka.TopicPartition("timed", 0, t) for t in (1700000002000,)]
    # By time only what is stored is found, a moment after it is acknowledged.
    node.wait_for(lambda: consumer.offsets_for_times(asked, PATIENCE)[0].offset == 2, what="an offset found by its time")
    tap.ok(True, "an offset is found by its time")
    late = consumer.offsets_for_times([kafka.TopicPartition("timed", 0, 1900000000000)], PATIENCE)
    tap.equal(late[0].offset, -1, "there is none in the future")
    tap.equal(consumer.get_watermark_offsets(asked[0], PATIENCE, False), (0, 5), "the ends of a partition are known")
    consumer.close()


def told_is_there(node, kafka):
    """Who was told that a record is there finds it: at once in the partition's end, and up to that end whoever reads."""
    producer = kafka.Producer({"bootstrap.servers": broker(node), "linger.ms": 0})
    consumer = kafka.Consumer({"bootstrap.servers": broker(node), "group.id": "unused", "enable.auto.commit": False, "enable.partition.eof": True,
                               "fetch.wait.max.ms": 10})
    part, late, early = kafka.TopicPartition("told", 0), [], []
    for i in range(200):
        producer.produce("told", b"%d" % i, partition=0)
        producer.flush(PATIENCE)
        end = consumer.get_watermark_offsets(part, PATIENCE, False)[1]
        if end != i + 1:
            late.append((i, end))
        consumer.assign([kafka.TopicPartition("told", 0, i)])
        message = consumer.poll(PATIENCE)
        if message is None or message.error():
            early.append(i)
        if i % 10 == 0:  # from the end itself, which may not be stored yet: it is no offset out of range
            consumer.assign([kafka.TopicPartition("told", 0, end)])
            message = consumer.poll(PATIENCE)
            if message is None or not message.error() or message.error().code() != kafka.KafkaError._PARTITION_EOF:
                early.append(("end", i))
    tap.equal(late, [], "a partition ends behind what was acknowledged")
    tap.equal(early, [], "and who reads up to its end misses nothing of it")
    consumer.close()


def admin(node):
    from confluent_kafka.admin import AdminClient, NewTopic
    client = AdminClient({"bootstrap.servers": broker(node)})

    def outcome(futures):
        errors = {}
        for name, future in futures.items():
            try:
                future.result(PATIENCE)
                errors[name] = None
            except Exception as error:  # the client has one class of its own for all of them
                errors[name] = error.args[0].name()
        return errors
    wanted = [NewTopic("made", 3, 1, config={"retention.ms": "60000", "compression.type": "zstd"}),
              NewTopic("replicated", 1, 3), NewTopic("a/b", 1, 1), NewTopic("odd", 1, 1, config={"no.such": "1"}),
              NewTopic("compacted", 1, 1, config={"cleanup.policy": "compact"})]
    got = outcome(client.create_topics(wanted))
    tap.equal(got, {"made": None, "replicated": "INVALID_REPLICATION_FACTOR", "a/b": "TOPIC_EXCEPTION",
                    "odd": "INVALID_CONFIG", "compacted": "INVALID_CONFIG"}, "topics are made, or refused with the reason")
    tap.equal(outcome(client.create_topics([NewTopic("made", 3, 1)]))["made"], "TOPIC_ALREADY_EXISTS", "not twice")
    topic = node.get("/v1/topics/made").json()
    tap.ok(topic["partitions"] == 3 and topic["retentionMs"] == 60000 and topic["compression"] == "zstd",
           "as they were asked for", topic)
    tap.equal(outcome(client.delete_topics(["made", "counter.commands", "absent"])),
              {"made": None, "counter.commands": "TOPIC_AUTHORIZATION_FAILED", "absent": "UNKNOWN_TOPIC_OR_PART"},
              "they are deleted, but not a service's")
    tap.equal(node.get("/v1/topics/made").status, 404, "and are gone")


def read_all(node, kafka, topic, partitions):
    """Everything there is, by partition, in order."""
    consumer = kafka.Consumer({"bootstrap.servers": broker(node), "group.id": "unused", "enable.auto.commit": False, "enable.partition.eof": True})
    consumer.assign([kafka.TopicPartition(topic, p, 0) for p in range(partitions)])
    found, open_ones = {p: [] for p in range(partitions)}, set(range(partitions))
    while open_ones:
        message = consumer.poll(PATIENCE)
        if message is None:
            raise RuntimeError("nothing more comes of %s, and not all partitions ended" % topic)
        if message.error():
            if message.error().code() == kafka.KafkaError._PARTITION_EOF:
                open_ones.discard(message.partition())
            continue
        found[message.partition()].append(message.value())
    consumer.close()
    return found


def killed_under_load(node, kafka):
    """An idempotent producer goes on over kill -9: what it was told is there once, in order."""
    acked = {p: [] for p in range(4)}

    def delivered(error, message):
        if error is None:
            acked[message.partition()].append((message.offset(), message.value()))
    producer = kafka.Producer({"bootstrap.servers": broker(node), "enable.idempotence": True, "linger.ms": 1,
                               "message.timeout.ms": 120000, "reconnect.backoff.max.ms": 200})
    pick = random.Random(11)
    port = node.addresses["kafka"][1]
    node.args[node.args.index("kafka.listen=127.0.0.1:0")] = "kafka.listen=127.0.0.1:%d" % port
    sent, total = 0, 20000
    kills = sorted(pick.sample(range(total), 3))
    while sent < total:
        producer.produce("ledger", b"%08d" % sent, partition=sent % 4, on_delivery=delivered)
        producer.poll(0)
        sent += 1
        if kills and sent == kills[0]:
            kills.pop(0)
            node.kill()
            node.start()
    tap.equal(producer.flush(PATIENCE * 2), 0, "everything is acknowledged over three kills")
    node.kill()
    node.start()
    found = read_all(node, kafka, "ledger", 4)
    for p in range(4):
        tap.equal(found[p], [b"%08d" % i for i in range(p, total, 4)], "partition %d has each record once, in order" % p)
        wrong = [a for a in acked[p] if found[p][a[0]] != a[1]]
        tap.equal(wrong[:3], [], "at the offsets that were told")


def waits_for_records(node, kafka):
    """A consumer at the end gets a record when it comes, and does not ask all the time."""
    producer = kafka.Producer({"bootstrap.servers": broker(node)})
    producer.produce("late", b"first", partition=0)
    producer.flush(PATIENCE)
    consumer = kafka.Consumer({"bootstrap.servers": broker(node), "group.id": "unused", "enable.auto.commit": False, "fetch.wait.max.ms": 20000,
                               "socket.timeout.ms": 30000})
    consumer.assign([kafka.TopicPartition("late", p, 0) for p in range(4)])
    tap.equal(consumer.poll(PATIENCE).value(), b"first", "a consumer of four partitions reads the first record")
    received = node.metric("weir_edge_received_bytes_total")
    tap.ok(consumer.poll(1.0) is None, "then there is nothing")
    grown = node.metric("weir_edge_received_bytes_total") - received
    tap.ok(grown < 20000, "and it does not ask all the time", "%d bytes of requests in a second" % grown)
    producer.produce("late", b"second", partition=3)
    producer.flush(PATIENCE)
    message = consumer.poll(PATIENCE)
    tap.ok(message is not None and message.value() == b"second", "a record of another partition wakes it", message)
    consumer.close()


def with_kafka_python(node):
    try:
        import kafka
    except ImportError:
        return tap.skip("kafka-python produces and consumes", "%s has no kafka: apt-get install python3-kafka, and its own python3" % sys.executable)
    producer = kafka.KafkaProducer(bootstrap_servers=broker(node), compression_type="gzip")
    sent = [producer.send("pure", value=b"%d" % i, partition=i % 4).get(PATIENCE).offset for i in range(40)]
    tap.equal(sent[-4:], [9, 9, 9, 9], "kafka-python produces")
    consumer = kafka.KafkaConsumer(bootstrap_servers=broker(node), consumer_timeout_ms=int(PATIENCE * 1000))
    consumer.assign([kafka.TopicPartition("pure", p) for p in range(4)])
    consumer.seek_to_beginning()
    got = sorted(int(next(consumer).value) for _ in range(40))
    tap.equal(got, list(range(40)), "and consumes")
    consumer.close()
    producer.close()


def raw(node, payload):
    """What is answered to these bytes until the node closes or has answered one frame; b'' when it closes."""
    with socket.create_connection(node.addresses["kafka"], PATIENCE) as s:
        s.sendall(payload)
        data = b""
        while len(data) < 4 or len(data) < 4 + struct.unpack(">i", data[:4])[0]:
            part = s.recv(65536)
            if not part:
                break
            data += part
        return data


def hostile(node):
    header = struct.pack(">hhih", 18, 99, 7, -1)
    answer = raw(node, struct.pack(">i", len(header)) + header)
    tap.equal(answer[4:10], struct.pack(">ih", 7, 35), "an unknown version of ApiVersions is answered in version 0 with 35")
    for name, payload in (("an absurd size", b"\x7f\xff\xff\xff"), ("HTTP", b"GET / HTTP/1.1\r\n\r\n"),
                          ("a cut header", struct.pack(">ih", 2, 3)),
                          ("an api that is not there", struct.pack(">ihhih", 10, 9999, 0, 1, -1)),
                          ("an array longer than its frame", struct.pack(">ihhihi", 14, 3, 1, 1, -1, 2 ** 31 - 1))):
        tap.equal(raw(node, payload), b"", "%s ends the connection" % name)
    tap.equal(node.get("/healthz").status, 200, "and nothing else")


with Node(args=ARGS) as node:
    with_kcat(node)
    with_kafka_python(node)
    hostile(node)
    try:
        import confluent_kafka
    except ImportError:
        tap.skip("librdkafka's other calls", "%s has no confluent-kafka: apt-get install python3-confluent-kafka, and its own python3" % sys.executable)
    else:
        by_time(node, confluent_kafka)
        told_is_there(node, confluent_kafka)
        admin(node)
        waits_for_records(node, confluent_kafka)
        killed_under_load(node, confluent_kafka)
tap.done()
