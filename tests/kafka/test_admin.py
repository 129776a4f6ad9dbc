#!/usr/bin/env python3
"""Kafka's admin clients on the node's topics: what they are set to, changed over kill -9, and more partitions. # also: tsan"""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import PATIENCE, Node, Tap

tap = Tap()
ARGS = ["--set", "kafka.listen=127.0.0.1:0"]


def broker(node):
    return "%s:%d" % node.addresses["kafka"]


def outcome(futures):
    got = {}
    for name, future in futures.items():
        try:
            future.result(PATIENCE)
            got[str(getattr(name, "name", name))] = None
        except Exception as error:  # the client has one class of its own for all of them
            got[str(getattr(name, "name", name))] = error.args[0].name()
    return got


def described(client, admin, kind, name):
    resource = admin.ConfigResource(kind, name)
    return client.describe_configs([resource])[resource].result(PATIENCE)


def settings(node, admin):
    client = admin.AdminClient({"bootstrap.servers": broker(node)})
    topic = admin.ConfigResource.Type.TOPIC
    tap.equal(outcome(client.create_topics([admin.NewTopic("set", 2, 1, config={"retention.ms": "60000"})])), {"set": None},
              "a topic is made")
    entries = described(client, admin, topic, "set")
    tap.equal((entries["retention.ms"].value, entries["retention.bytes"].value, entries["cleanup.policy"].value),
              ("60000", "-1", "delete"), "its settings are told")
    tap.ok(not entries["retention.ms"].is_default and entries["retention.bytes"].is_default, "and which were given")
    tap.ok(entries["compression.type"].is_read_only and not entries["segment.bytes"].is_read_only, "and which can change")
    tap.equal(sorted(s.value for s in entries["retention.ms"].synonyms.values()) if isinstance(entries["retention.ms"].synonyms, dict) else None,
              ["-1"] if len(entries["retention.ms"].synonyms) == 1 else ["-1", "60000"], "with what would hold without")
    tap.equal(described(client, admin, admin.ConfigResource.Type.BROKER, "0")["default.replication.factor"].value, "1",
              "the broker has settings")

    def alter(name, **values):
        wanted = admin.ConfigResource(topic, name, set_config={k.replace("_", "."): v for k, v in values.items()})
        return outcome(client.alter_configs([wanted]))[name]
    tap.equal(alter("set", retention_bytes="4096", segment_bytes="2048"), None, "they are altered")
    got = node.get("/v1/topics/set").json()
    tap.equal((got["retentionMs"], got["retentionBytes"], got["segmentBytes"]), (0, 4096, 2048),
              "AlterConfigs sets all: what is not named is as if it had never been")
    tap.equal(alter("set", no_such="1"), "INVALID_CONFIG", "a setting that there is not is refused")
    tap.equal(alter("set", retention_ms="soon"), "INVALID_CONFIG", "and a value that is none")
    tap.equal(alter("set", compression_type="zstd"), "INVALID_CONFIG", "and what is fixed when a topic is made")
    tap.equal(alter("counter.commands", retention_ms="1"), "TOPIC_AUTHORIZATION_FAILED", "a service's topic stays as it is")
    tap.equal(alter("absent", retention_ms="1"), "UNKNOWN_TOPIC_OR_PART", "and there must be one")


def text(value):
    return struct.pack(">h", -1) if value is None else struct.pack(">h", len(value)) + value.encode()


def incremental(node, name, *changes, dry=False):
    """IncrementalAlterConfigs, version 0, which the packaged clients don't send yet: (setting, operation, value)."""
    body = struct.pack(">ib", 1, 2) + text(name) + struct.pack(">i", len(changes))
    for setting, operation, value in changes:
        body += text(setting) + struct.pack(">b", operation) + text(value)
    request = struct.pack(">hhih", 44, 0, 7, -1) + body + struct.pack(">b", dry)
    with node.connect("kafka") as s:
        s.sendall(struct.pack(">i", len(request)) + request)
        answer = s.makefile("rb").read(18)
    size, correlation, throttle, count, error = struct.unpack(">iiiih", answer)
    return error if (correlation, count) == (7, 1) else answer


def retained(node):
    got = node.get("/v1/topics/set").json()
    return got["retentionMs"], got["retentionBytes"], got["segmentBytes"]


def increments(node):
    tap.equal(incremental(node, "set", ("retention.ms", 0, "70000")), 0, "one setting is altered")
    tap.equal(retained(node), (70000, 4096, 2048), "and the others stay")
    tap.equal(incremental(node, "set", ("retention.ms", 0, "1"), dry=True), 0, "it can be tried")
    tap.equal(retained(node), (70000, 4096, 2048), "which changes nothing")
    tap.equal(incremental(node, "set", ("retention.bytes", 0, "9"), ("no.such", 0, "1")), 40, "one that is refused")
    tap.equal(retained(node), (70000, 4096, 2048), "takes the others of its topic with it")
    tap.equal(incremental(node, "set", ("retention.ms", 1, None)), 0, "a setting is deleted")
    tap.equal(retained(node), (0, 4096, 2048), "and is as if it had never been")
    tap.equal(incremental(node, "counter.commands", ("retention.ms", 0, "1")), 29, "a service's topic stays as it is")


def partitions(node, admin):
    client = admin.AdminClient({"bootstrap.servers": broker(node)})
    got = outcome(client.create_partitions([admin.NewPartitions("set", 5), admin.NewPartitions("counter.commands", 9)]))
    tap.equal(got, {"set": None, "counter.commands": "TOPIC_AUTHORIZATION_FAILED"}, "a topic gets more partitions, not a service's")
    tap.equal(outcome(client.create_partitions([admin.NewPartitions("set", 5)]))["set"], "INVALID_PARTITIONS", "never fewer")
    tap.equal(len(client.list_topics("set", PATIENCE).topics["set"].partitions), 5, "and clients see them")


def produced(node, kafka, partition, values):
    producer, errors = kafka.Producer({"bootstrap.servers": broker(node)}), []
    for value in values:
        producer.produce("set", value, partition=partition, on_delivery=lambda e, m: errors.append(e))
        producer.flush(PATIENCE)  # a batch each: segments are of whole batches
    return [e for e in errors if e] == [] and len(errors) == len(values)


def values_of(node, partition):
    got = node.get("/v1/topics/set/records?partition=%d" % partition).json()
    return [r["value"] for r in got["records"]]


def main():
    try:
        import confluent_kafka as kafka
        from confluent_kafka import admin
    except ImportError:
        tap.skip("admin clients", "confluent_kafka is not there: apt-get install python3-confluent-kafka")
        return
    with Node(args=ARGS) as node:
        settings(node, admin)
        increments(node)
        partitions(node, admin)
        tap.ok(produced(node, kafka, 4, [b"in a new one"]), "a new partition takes records")
        node.kill()
        node.start()
        got = node.get("/v1/topics/set").json()
        tap.equal((got["partitions"], got["retentionBytes"], got["segmentBytes"]), (5, 4096, 2048),
                  "partitions and settings are there after kill -9")
        tap.equal(values_of(node, 4), ["in a new one"], "and the record that was acknowledged there")
        tap.ok(produced(node, kafka, 0, [b"%d" % i + b"x" * 1000 for i in range(40)]), "more than it keeps is written")
        node.wait_for(lambda: node.get("/v1/topics/set").json()["offsets"][0]["start"] > 0, what="retention by bytes")
        tap.ok(True, "and retention as it was altered takes the oldest")
        audit = [r["value"] for r in node.get("/v1/topics/weir.audit/records").json()["records"]]
        for action in ("topic.alter", "topic.partitions"):
            tap.ok(any(action in str(a) and "done" in str(a) for a in audit), "%s is in the audit" % action, audit)


main()
tap.done()
