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
    one.close()


with Node(args=ARGS) as node:
    try:
        import confluent_kafka
    except ImportError:
        tap.skip("consumer groups of librdkafka", "confluent-kafka is not installed: apt-get install python3-confluent-kafka")
    else:
        subscribe(node, confluent_kafka)
tap.done()
