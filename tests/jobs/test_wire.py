#!/usr/bin/env python3
"""The binary protocol: many commands under way, workers killed in mid-job, weir killed in mid-load: nothing acknowledged is lost,
every job that ran twice had lost its lease in between."""
import os, random, socket, struct, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

PUSH, FETCH, ACK = 1, 2, 3
tap = Tap()


class Wire:
    def __init__(self, node):
        self.sock, self.data, self.number = node.connect("jobs.wire"), b"", 0

    def send(self, kind, value, partition=0):
        self.number += 1
        self.sock.sendall(struct.pack("<IIHHI", len(value), self.number, kind, partition, 0) + value)
        return self.number

    def need(self, size):
        while len(self.data) < size:
            chunk = self.sock.recv(1 << 20)
            if not chunk:
                raise ConnectionError("closed")
            self.data += chunk

    def receive(self):
        self.need(16)
        size, number, status, _, _ = struct.unpack("<IIHHI", self.data[:16])
        self.need(16 + size)
        value, self.data = self.data[16:16 + size], self.data[16 + size:]
        return number, status, value

    def call(self, kind, value, partition=0):
        number = self.send(kind, value, partition)
        got, status, reply = self.receive()
        assert got == number, (got, number)
        return status, reply


def pad(data):
    return data + b"\0" * (-len(data) % 8)


def new(payload, queue=b"q", kind=b"t", lease_ms=0):
    size = len(pad(b"\0" * 88 + queue + kind + payload))
    head = struct.pack("<6I6QH10B4x", size, len(payload), 0, lease_ms, 0, 0, 0, 0, 0, 0, 0, 0, 0, len(queue), len(kind), 0, 0, 0, 0, 0, 0, 0, 1)
    return pad(head + queue + kind + payload)


def fetch(worker, queue=b"q", most=1, wait_ms=0):
    return struct.pack("<IIIBBxx", most, wait_ms, 0, len(worker), 1) + worker + bytes([len(queue)]) + queue


def leased(reply):
    jobs, at = [], 0
    while at < len(reply):
        size, payload_size, job, _, _, _, _, epoch, _, tags, queue, kind, tenant, jid, attempt = struct.unpack("<IIQQQQQIIH5B", reply[at:at + 63])
        begin = at + 72 + queue + kind + tenant + jid + tags
        jobs.append((job, epoch, attempt, reply[begin:begin + payload_size]))
        at += size
    return jobs


def ack(job, epoch):
    return struct.pack("<IIQQIHHBBB5x", 40, epoch, job, 0, 0, 0, 0, 0, 0, 0)


with Node(args=["--only", "jobs", "--set", "jobs.wire=127.0.0.1:0"]) as node:
    wire = Wire(node)
    numbers = [wire.send(PUSH, b"".join(new(b"%d" % (i * 10 + k)) for k in range(10))) for i in range(50)]
    answers = [wire.receive() for _ in numbers]
    tap.equal([a[0] for a in answers], numbers, "50 pushes under way are answered in order")
    tap.ok(all(a[1] == 201 and len(a[2]) == 160 for a in answers), "each with 10 ids", answers[0])
    status, reply = wire.call(FETCH, fetch(b"w", most=1000))
    jobs = leased(reply)
    tap.equal([j[3] for j in jobs], [b"%d" % i for i in range(500)], "a fetch brings all in their order")
    status, reply = wire.call(ACK, b"".join(ack(j[0], j[1]) for j in jobs[:400]))
    tap.ok(status == 200 and len(reply) == 400 * 24, "400 acks in one message")
    wire.sock.close()
    other = Wire(node)
    status, reply = other.call(FETCH, fetch(b"other", most=1000, wait_ms=30000))
    got = leased(reply)
    while len(got) < 100:
        got += leased(other.call(FETCH, fetch(b"other", most=1000, wait_ms=30000))[1])
    tap.equal(sorted(j[0] for j in got), sorted(j[0] for j in jobs[400:]), "a connection that ends gives up its worker's leases at once")
    tap.ok(all(j[2] == 2 for j in got), "which counts as an attempt")
    other.call(ACK, b"".join(ack(j[0], j[1]) for j in got))
    for value, why in ((b"", "no bytes"), (b"\xff" * 100, "garbage"), (new(b"x")[:-8], "cut short"), (new(b"x", kind=b""), "no type")):
        status, reply = other.call(PUSH, value)
        tap.equal((status, reply[:1]), (400, b"\0"), "%s is refused, and the connection goes on" % why)
    tap.equal(other.call(99, b"")[0], 501, "so is an unknown command")
    other.sock.sendall(struct.pack("<IIHHI", 1 << 30, 1, PUSH, 0, 0))
    tap.equal(other.sock.recv(100), b"", "a message beyond the limit ends it")

# ---- the node is killed under load, workers are too
dice = random.Random(int(os.environ.get("WEIR_SEED", "1")))
with Node(args=["--only", "jobs", "--set", "jobs.wire=127.0.0.1:0", "--set", "jobs.lease=1s", "--set", "jobs.attempts_max=50"]) as node:
    pushed, runs, lock, stop = set(), {}, threading.Lock(), threading.Event()

    def produce(who):
        n = 0
        while not stop.is_set():
            try:
                wire = Wire(node)
                while not stop.is_set():
                    names = [b"%d-%d" % (who, n + k) for k in range(5)]
                    n += 5
                    status, reply = wire.call(PUSH, b"".join(new(name) for name in names))
                    if status == 201:
                        with lock:
                            pushed.update(names)
            except (OSError, ConnectionError):
                time.sleep(0.01)  # the node is down for a moment

    def left():
        counts = node.get("/v1/jobs/stats").json()
        return sum(int(counts[state]) for state in ("ready", "running", "scheduled", "retry")), int(counts["dead"])

    def work(who):
        """Until none is left by the node's count: of an ack that was durable when the node was killed no reply came."""
        life = 0
        while not stop.is_set() or left()[0]:
            life += 1
            try:
                wire = Wire(node)
                while True:
                    jobs = leased(wire.call(FETCH, fetch(b"w%d-%d" % (who, life), most=5, wait_ms=200))[1])
                    with lock:
                        for job in jobs:
                            runs.setdefault(job[3], []).append(job[2])
                    if jobs and not stop.is_set() and dice.random() < 0.02:
                        break  # dies in mid-job
                    for job in jobs:
                        wire.call(ACK, ack(job[0], job[1]))
                    if not jobs and stop.is_set() and not left()[0]:
                        return
                wire.sock.close()
            except (OSError, ConnectionError):
                time.sleep(0.01)

    threads = [threading.Thread(target=produce, args=(i,)) for i in range(2)] + [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        time.sleep(dice.uniform(0.1, 0.4))  # the moment of the crash, not a wait for something
        node.kill()
        node.start()
    stop.set()
    deadline = time.monotonic() + 60
    for thread in threads:
        thread.join(max(0.1, deadline - time.monotonic()))
    tap.ok(len(pushed) > 100, "the kills met real load", "%d pushed" % len(pushed))
    tap.ok(pushed <= set(runs), "every acknowledged job ran", sorted(pushed - set(runs))[:5])
    tap.equal(left(), (0, 0), "and all have ended")
    twice = {name: attempts for name, attempts in runs.items() if len(attempts) > 1}
    tap.ok(all(len(set(a)) == len(a) for a in twice.values()), "a job that ran twice had another lease each time", list(twice.items())[:5])
    tap.note("%d pushed, %d ran more than once" % (len(pushed), len(twice)))
tap.done()
