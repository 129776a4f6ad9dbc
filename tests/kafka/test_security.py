#!/usr/bin/env python3
"""Kafka clients where tokens are asked for: SASL PLAIN with and without TLS, roles, wrong tokens, limits."""
import os, shutil, socket, struct, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import PATIENCE, Node, Tap
from tls import make_pair

tap = Tap()


def token(node, name, *words):
    done = subprocess.run([node.binary, "token", "create", name, "--data", node.data] + list(words),
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return done.stdout.decode().strip()


class Raw:
    """Frames by hand."""

    def __init__(self, node):
        self.socket = socket.create_connection(node.addresses["kafka"], PATIENCE)

    def frame(self, data):
        self.socket.sendall(struct.pack(">i", len(data)) + data)
        head = self.read(4)
        return None if len(head) < 4 else self.read(struct.unpack(">i", head)[0])

    def ask(self, api, version, body=b""):
        answer = self.frame(struct.pack(">hhih", api, version, 7, -1) + body)
        return None if answer is None else answer[4:]

    def read(self, size):
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionResetError:
                part = b""
            if not part:
                break
            data += part
        return data

    def handshake(self, mechanism=b"PLAIN", version=1):
        return struct.unpack(">h", self.ask(17, version, struct.pack(">h", len(mechanism)) + mechanism)[:2])[0]

    def authenticate(self, data):
        answer = self.ask(36, 0, struct.pack(">i", len(data)) + data)
        return struct.unpack(">h", answer[:2])[0]


def text(word):
    return struct.pack(">h", len(word)) + word


def refused_groups(node, secret):
    """Every request of a group by a token without a role for groups: its answer says so, and the connection stays."""
    code = struct.pack(">h", 30)
    member = text(b"g") + struct.pack(">i", 1) + text(b"m")
    topics = struct.pack(">i", 1) + text(b"t") + struct.pack(">ii", 1, 0)
    raw = Raw(node)
    raw.handshake()
    raw.authenticate(b"\0lone\0" + secret.encode())
    rows = [("JoinGroup", 11, 2, text(b"g") + struct.pack(">ii", 6000, 6000) + text(b"") + text(b"consumer") + struct.pack(">i", 0)),
            ("SyncGroup", 14, 1, member + struct.pack(">i", 0)), ("Heartbeat", 12, 1, member), ("LeaveGroup", 13, 1, text(b"g") + text(b"m")),
            ("OffsetCommit", 8, 2, member + struct.pack(">q", -1) + topics + struct.pack(">q", 5) + text(b"")),
            ("OffsetFetch 1", 9, 1, text(b"g") + topics), ("OffsetFetch 5", 9, 5, text(b"g") + topics),
            ("DescribeGroups", 15, 0, struct.pack(">i", 1) + text(b"g")), ("ListGroups", 16, 0, b""),
            ("DeleteGroups", 42, 0, struct.pack(">i", 1) + text(b"g")), ("OffsetDelete", 47, 0, text(b"g") + topics)]
    for name, api, version, body in rows:
        answer = raw.ask(api, version, body)
        tap.ok(answer is not None and code in answer, "%s without a role is GROUP_AUTHORIZATION_FAILED" % name, repr(answer))
    tap.ok(raw.ask(3, 1, METADATA_ALL), "and the connection stays")


METADATA_ALL = struct.pack(">i", -1)


def frames(node, secret):
    good = b"\0writer\0" + secret.encode()
    tap.equal(Raw(node).ask(3, 1, METADATA_ALL), None, "before the login nothing is heard")
    raw = Raw(node)
    tap.ok(raw.ask(18, 0), "but what is served")
    tap.equal(raw.handshake(b"GSSAPI"), 33, "an unknown mechanism is UNSUPPORTED_SASL_MECHANISM")
    tap.equal(raw.handshake(), 0, "and another can be chosen after that")
    tap.equal(raw.authenticate(good), 0, "the token logs in")
    tap.ok(raw.ask(3, 1, METADATA_ALL), "then the rest is heard")
    tap.equal(raw.handshake(), 34, "a second handshake is ILLEGAL_SASL_STATE")
    tap.equal(Raw(node).authenticate(good), 34, "so is the exchange without a handshake")
    for name, data in (("a wrong token", good[:-1] + b"!"), ("another's name", b"\0reader\0" + secret.encode()),
                       ("acting as another", b"reader" + good), ("no PLAIN message", b"abc"), ("nothing", b"")):
        raw = Raw(node)
        raw.handshake()
        tap.equal(raw.authenticate(data), 58, "%s is SASL_AUTHENTICATION_FAILED" % name)
        tap.equal(raw.read(1), b"", "and ends the connection")
    old = Raw(node)
    tap.equal((old.handshake(version=0), old.frame(good)), (0, b""), "the bare exchange of old clients logs in")
    tap.ok(old.ask(3, 1, METADATA_ALL), "and is followed by requests")
    old = Raw(node)
    old.handshake(version=0)
    tap.equal(old.frame(b"\0writer\0wrong"), None, "a wrong token ends it")
    big = Raw(node)
    big.socket.sendall(struct.pack(">i", 1 << 20))
    tap.equal(big.read(1), b"", "before the login a request is short")


def librdkafka(node, kafka, secrets, more):
    def client(name, **extra):
        return dict({"bootstrap.servers": "%s:%d" % node.addresses["kafka"], "sasl.mechanism": "PLAIN",
                     "sasl.username": name, "sasl.password": secrets[name]}, **dict(more, **extra))

    def produce(name, topic):
        outcome = []
        producer = kafka.Producer(client(name, **{"message.timeout.ms": PATIENCE * 1000}))
        producer.produce(topic, b"x", partition=0, on_delivery=lambda error, _: outcome.append(error and error.name()))
        producer.flush(PATIENCE)
        return outcome

    def consume(name, topic, joins=False):
        consumer = kafka.Consumer(client(name, **{"group.id": "g", "auto.offset.reset": "earliest"}))
        if joins:
            consumer.subscribe([topic])
        else:
            consumer.assign([kafka.TopicPartition(topic, 0, 0)])
        message = consumer.poll(PATIENCE)
        consumer.close()
        return message and (message.error().name() if message.error() else message.value())
    how = more["security.protocol"]
    tap.equal(produce("writer", "open.one"), [None], how + ": who may write produces")
    tap.equal(consume("reader", "open.one"), b"x", how + ": who may read consumes")
    tap.equal(produce("reader", "open.one"), ["TOPIC_AUTHORIZATION_FAILED"], how + ": who may only read does not produce")
    tap.equal(consume("writer", "open.one"), "TOPIC_AUTHORIZATION_FAILED", how + ": who may only write does not consume")
    tap.equal(consume("lone", "open.one", joins=True), "GROUP_AUTHORIZATION_FAILED", how + ": who has no role for groups joins none")
    from confluent_kafka.admin import AdminClient
    tap.equal(sorted(AdminClient(client("writer")).list_topics(timeout=PATIENCE).topics), ["open.one"],
              how + ": what one may not see is not listed")


def with_kcat(node, secrets):
    if not shutil.which("kcat"):
        return tap.skip("kcat logs in", "kcat is not installed: apt-get install kcat")
    words = ["kcat", "-b", "%s:%d" % node.addresses["kafka"], "-X", "security.protocol=SASL_PLAINTEXT",
             "-X", "sasl.mechanisms=PLAIN", "-X", "sasl.username=reader", "-X", "sasl.password=" + secrets["reader"]]
    done = subprocess.run(words + ["-C", "-t", "open.one", "-p", "0", "-o", "beginning", "-e", "-q"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
    tap.ok(done.stdout.startswith(b"x\n"), "kcat logs in and reads", done.stderr.decode())


def noted(node, bearer):
    def audit():
        return str(node.request("GET", "/v1/topics/weir.audit/records", None, bearer).json()["records"])
    node.wait_for(lambda: "login.failed" in audit(), what="a failed login in the audit") # nobody waits for such a note
    tap.ok(True, "failed logins are in the audit")


def revoked(node, secrets, bearer):
    raw = Raw(node)
    raw.handshake()
    raw.authenticate(b"\0writer\0" + secrets["writer"].encode())
    tap.equal(node.request("DELETE", "/v1/tokens/writer", None, bearer).status // 100, 2, "a token is revoked")
    tap.equal(raw.ask(3, 1, METADATA_ALL), None, "its connections end")


def limited(node, bearer):
    made = node.request("POST", "/v1/tokens", b'{"name": "slow", "roles": ["node:read"], "rate": "5/s", "burst": 1}', bearer)
    raw = Raw(node)
    raw.handshake()
    raw.authenticate(b"\0slow\0" + made.json()["token"].encode())
    began = time.monotonic()
    answers = [raw.ask(3, 1, METADATA_ALL) for _ in range(6)]
    took = time.monotonic() - began
    tap.ok(all(answers) and took > 0.5, "beyond a token's limit requests wait and none is lost", "%d in %.2f s" % (len(answers), took))


def main():
    node = Node(start=False, listen="plain:127.0.0.1:0", args=["--set", "auth=tokens", "--set", "kafka.listen=127.0.0.1:0"])
    groups = ["--role", "groups:read", "--role", "groups:write"]
    secrets = {"admin": token(node, "admin", "--role", "*"),
               "writer": token(node, "writer", "--role", "topic/open.*:write", *groups),
               "reader": token(node, "reader", "--role", "topic/open.*:read", *groups)}
    bearer = {"Authorization": "Bearer " + secrets["admin"]}
    secrets["lone"] = token(node, "lone", "--role", "topic/open.*:read")
    with node.start() as node:
        for topic in (b"open.one", b"hidden"):
            made = node.request("POST", "/v1/topics", b'{"name": "%s", "partitions": 1}' % topic, bearer)
            tap.equal(made.status // 100, 2, "a topic to try with: %s" % made)
        frames(node, secrets["writer"])
        refused_groups(node, secrets["lone"])
        noted(node, bearer)
        try:
            import confluent_kafka
        except ImportError:
            tap.skip("librdkafka", "%s has no confluent-kafka: apt-get install python3-confluent-kafka" % sys.executable)
        else:
            librdkafka(node, confluent_kafka, secrets, {"security.protocol": "SASL_PLAINTEXT"})
            with_kcat(node, secrets)
            node.stop()
            cert, key = make_pair(node.data, "kafka-pair")
            node.args += ["--set", "tls.cert=" + cert, "--set", "tls.key=" + key]
            node.start()
            librdkafka(node, confluent_kafka, secrets, {"security.protocol": "SASL_SSL", "ssl.ca.location": cert})
            node.args += ["--set", "kafka.listen=plain:127.0.0.1:0"]
            node.restart()
        limited(node, bearer)
        revoked(node, secrets, bearer)


main()
tap.done()
