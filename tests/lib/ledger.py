"""What was asked of a node, what it acknowledged, and the check after a crash: nothing lost, nothing doubled, nothing invented."""
import http.client
import json
import os
import threading


class Ledger:
    """Appends unique records to a plain topic from several threads until the node dies; check() after its restart.

    A value is `writer-number`, padded. A writer goes round its partitions: writer, writer + writers, ...
    Acknowledged: must be at its offset. In doubt (the connection broke): may be there once.
    Idempotent producers resend what was in doubt with the same producer id and sequence: then it must be there exactly once.
    """

    def __init__(self, node, topic="ledger", partitions=2, writers=4, batch=8, padding=0):
        self.node, self.topic, self.partitions, self.batch, self.padding = node, topic, partitions, batch, "." * padding
        self.writers, self.lock = writers, threading.Lock()
        self.acked = {}   # (partition, offset) -> value
        self.doubt = set()
        self.numbers = [0] * writers
        self.seen = {}    # value -> (partition, offset), of what was verified so far
        self.verified = [0] * partitions
        self.stopping = threading.Event()
        self.threads, self.requests = [], None

    def create(self):
        answer = self.node.post("/v1/topics", {"name": self.topic, "partitions": self.partitions})
        assert answer.status in (200, 201, 409), answer

    def start(self, requests=None):
        """Until the node dies, join() is called, or each writer has made so many requests."""
        self.stopping.clear()
        self.requests = requests
        address = self.node.addresses["http"]
        self.threads = [threading.Thread(target=self._write, args=(w, address), daemon=True) for w in range(self.writers)]
        for thread in self.threads:
            thread.start()

    def join(self):
        self.stopping.set()
        self.finish()

    def finish(self):
        for thread in self.threads:
            thread.join(30)

    def _write(self, writer, address):
        connection = http.client.HTTPConnection(*address, timeout=30)
        turn = 0
        while not self.stopping.is_set() and turn != self.requests:
            partition = (writer + turn * self.writers) % self.partitions
            turn += 1
            values = ["%d-%d%s" % (writer, self.numbers[writer] + i, self.padding) for i in range(self.batch)]
            self.numbers[writer] += self.batch
            try:
                connection.request("POST", "/v1/topics/%s/records?partition=%d" % (self.topic, partition),
                                   json.dumps([{"value": v} for v in values]), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                with self.lock:
                    self.doubt.update(values)
                return
            if answer.status in (200, 201):
                base = int(json.loads(body)["offset"])
                with self.lock:
                    for i, value in enumerate(values):
                        self.acked[(partition, base + i)] = value

    def read(self, partition, offset):
        """All records from offset: [(offset, value)]."""
        records = []
        while True:
            answer = self.node.get("/v1/topics/%s/records?partition=%d&offset=%d&limit=1000" % (self.topic, partition, offset))
            if answer.status != 200:
                raise RuntimeError("reading %s/%d at %d: %r" % (self.topic, partition, offset, answer))
            page = answer.json()
            if not page["records"]:
                return records
            records += [(int(r["offset"]), r["value"]) for r in page["records"]]
            offset = int(page["next"])

    def check(self):
        """Problems found, as sentences; an empty list is the aim."""
        problems = []
        there = [self.read(partition, self.verified[partition]) for partition in range(self.partitions)]  # a node that dies here changes nothing
        for partition, records in enumerate(there):
            expected = self.verified[partition]
            for offset, value in records:
                if offset != expected:
                    problems.append("partition %d: offset %d follows %d" % (partition, offset, expected - 1))
                expected = offset + 1
                if value in self.seen:
                    problems.append("%s is doubled: at %s and %s" % (value, self.seen[value], (partition, offset)))
                self.seen[value] = (partition, offset)
                asked = self.acked.pop((partition, offset), None)
                if asked is not None and asked != value:
                    problems.append("partition %d offset %d holds %s, acknowledged was %s" % (partition, offset, value, asked))
                if asked is None and value not in self.doubt:
                    problems.append("partition %d offset %d: %s was never in doubt nor acknowledged there" % (partition, offset, value))
            self.verified[partition] = expected
        for (partition, offset), value in sorted(self.acked.items())[:10]:
            problems.append("acknowledged %s is lost: partition %d offset %d" % (value, partition, offset))
        self.acked.clear()
        return problems

    def check_again(self):
        """Everything that was verified so far is read once more: nothing of it may have changed since."""
        problems = []
        want = {place: value for value, place in self.seen.items()}
        for partition in range(self.partitions):
            for offset, value in self.read(partition, 0):
                if want.pop((partition, offset), value) != value:
                    problems.append("partition %d offset %d now holds %s" % (partition, offset, value))
        for (partition, offset), value in sorted(want.items())[:10]:
            problems.append("%s is gone: partition %d offset %d" % (value, partition, offset))
        return problems

    def asked(self):
        return sum(self.numbers)


def rounds(default):
    """How often a loop runs: more by argument (WEIR_ROUNDS), for long soaks."""
    return int(os.environ.get("WEIR_ROUNDS", default))
