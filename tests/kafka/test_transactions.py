#!/usr/bin/env python3
"""What belongs to a transaction is refused while none can be open: stored, it would be read as committed."""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import PATIENCE, Node, Tap

tap = Tap()
TRANSACTIONAL, CONTROL = 0x10, 0x20
INVALID_TXN_STATE, INVALID_RECORD = 48, 87


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def batch(attributes, producer=(4242, 0, 0)):
    record = b"\x00\x00\x00\x01\x02x\x00"  # attributes, deltas, no key, value x, no headers
    record = bytes([len(record) * 2]) + record
    covered = struct.pack(">hiqqqhii", attributes, 0, 1, 1, *producer, 1) + record
    tail = struct.pack(">ibI", 0, 2, crc32c(covered)) + covered
    return struct.pack(">qi", 0, len(tail)) + tail


def text(name):
    return struct.pack(">h", len(name)) + name


def ask(node, api, version, body):
    frame = struct.pack(">hhih", api, version, 7, -1) + body
    with socket.create_connection(node.addresses["kafka"], PATIENCE) as s:
        s.settimeout(PATIENCE)
        s.sendall(struct.pack(">i", len(frame)) + frame)
        answers = s.makefile("rb")
        size, = struct.unpack(">i", answers.read(4))
        return answers.read(size)[4:]


def produce(node, topic, records, transactional_id=None):
    """The error and the base offset of one batch into partition 0."""
    name = struct.pack(">h", -1) if transactional_id is None else text(transactional_id)
    body = name + struct.pack(">hii", -1, 1000, 1) + text(topic) + struct.pack(">iii", 1, 0, len(records)) + records
    answer = ask(node, 0, 3, body)
    return struct.unpack(">hq", answer[4 + 2 + len(topic) + 4 + 4:][:10])


def end(node, topic):
    """The high watermark of partition 0."""
    answer = ask(node, 2, 1, struct.pack(">ii", -1, 1) + text(topic) + struct.pack(">iiq", 1, 0, -1))
    return struct.unpack(">q", answer[-8:])[0]


with Node(args=["--set", "kafka.listen=127.0.0.1:0"]) as node:
    ask(node, 3, 1, struct.pack(">i", 1) + text(b"ledger"))  # Metadata makes it
    tap.equal(produce(node, b"ledger", batch(0)), (0, 0), "a plain batch is taken")
    tap.equal(produce(node, b"ledger", batch(TRANSACTIONAL), b"payments"), (INVALID_TXN_STATE, -1),
              "a transactional batch is not, as no transaction is open")
    tap.equal(produce(node, b"ledger", batch(TRANSACTIONAL)), (INVALID_TXN_STATE, -1), "nor without a transactional id")
    tap.equal(produce(node, b"ledger", batch(TRANSACTIONAL | CONTROL), b"payments"), (INVALID_RECORD, -1),
              "no client writes a marker")
    tap.equal(produce(node, b"ledger", batch(CONTROL)), (INVALID_RECORD, -1), "of whatever kind")
    tap.equal(end(node, b"ledger"), 1, "and nothing of these was stored")
    tap.equal(produce(node, b"ledger", batch(0, (4242, 0, 1))), (0, 1), "nor counted in the producer's sequence")
    for api in (24, 25, 26, 28, 65, 66):
        frame = struct.pack(">hhih", api, 0, 7, -1)
        with socket.create_connection(node.addresses["kafka"], PATIENCE) as s:
            s.settimeout(PATIENCE)
            s.sendall(struct.pack(">i", len(frame)) + frame)
            tap.equal(s.recv(1), b"", "api %d is not served: it ends the connection" % api)
    tap.equal(node.get("/healthz").status, 200, "and nothing else")
tap.done()
