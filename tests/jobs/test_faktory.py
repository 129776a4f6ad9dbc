#!/usr/bin/env python3
"""The Faktory work protocol, line by line: what each command is answered with, in which order, and what is left behind."""
import json, os, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from node import Node, Tap
from faktory import Client, Gone, Refused, job

tap = Tap()


def handshake(node):
    address = node.addresses["jobs.faktory"]
    client = Client(address, hello=False)
    tap.equal(client.hi, {"v": 2}, "without a password none is asked for")
    tap.equal(client.ask("HELLO", {"v": 2}), "OK", "a producer says hello")
    tap.ok("said already" in client.refusal("HELLO", {"v": 2}), "hello is said once")
    client.put(b"END\r\n")
    tap.ok(client.ends(), "END closes without a word")
    for what, line in (("a command before HELLO", b"PUSH {}\r\n"), ("HTTP", b"GET / HTTP/1.1\r\n")):
        client = Client(address, hello=False)
        client.put(line)
        tap.ok(client.ends(), what + " is closed without a word")
    client = Client(address, hello=False)
    tap.ok("HELLO" in client.refusal("HELLO", "{\"v\":"), "a HELLO that is no JSON is refused in words")
    tap.ok(client.ends(), "and closed")


def life(node):
    address = node.addresses["jobs.faktory"]
    producer, worker = Client(address), Client(address, wid="life-1")
    big = '{"jid":"integers-1","jobtype":"Big","args":[9007199254740993,18446744073709551617,0.10,1e400],"queue":"life","x":{"y":1},"custom":{"locale":"en"}}'
    tap.equal(producer.ask("PUSH", big), "OK", "a job is pushed")
    raw = worker.ask("FETCH", "life")
    tap.ok(b'"args":[9007199254740993,18446744073709551617,0.10,1e400]' in raw and b'"x":{"y":1}' in raw,
           "integers above 2^53, and keys nobody knows, come as they were sent", raw)
    got = json.loads(raw)
    tap.ok(got["created_at"] and got["enqueued_at"] and got["queue"] == "life", "the server adds when it was made and queued")
    tap.equal(worker.ack("integers-1"), "OK", "it is acknowledged")
    tap.equal(worker.ack("integers-1"), "OK", "and again, as an unknown job is done")
    tap.equal(worker.refusal("FAIL", {"jid": "no-such-job"}), "ERR Job not found", "but it cannot fail")
    tap.equal(worker.fetch("life"), None, "an empty queue answers null")
    pushed = producer.push("Fails", queue="life", retry=25)
    worker.fetch("life")
    tap.equal(worker.fail(pushed["jid"], "Oops", "no\nluck"), "OK", "a job fails")
    for what, bad, says in (
            ("no jid", {"jobtype": "A", "args": []}, "jid"), ("no args", {"jid": "12345678", "jobtype": "A"}, "args"),
            ("a time that is none", job(at="soon"), "RFC 3339"), ("a reservation of two days", job(reserve_for=172800), "one day")):
        tap.ok(says in producer.refusal("PUSH", bad), "a job with %s is refused in words" % what)
    tap.ok("Unknown command \"NOPE\"" in producer.refusal("NOPE", "x"), "an unknown verb is refused by its name")
    tap.equal(producer.ask("PUSH", job(queue="life")), "OK", "and the connection goes on")


def order(node):
    address = node.addresses["jobs.faktory"]
    client = Client(address, wid="order-1")
    jobs = [job(args=[i], queue="order") for i in range(300)]
    lines = b"".join(Client.line("PUSH", j) for j in jobs[:5]) + b"NOPE\n" + b"".join(Client.line("PUSH", j) for j in jobs[5:])
    client.put(lines)
    answers = []
    for _ in range(301):
        try:
            answers.append(client.answer())
        except Refused as e:
            answers.append("-" + str(e))
    tap.ok(answers[5].startswith("-ERR Unknown") and answers.count("OK") == 300, "301 lines in one write are answered in their order", answers[:8])
    client.put(b"FETCH order\r\n" * 300)
    got = [json.loads(client.answer()) for _ in range(300)]
    tap.equal([j["args"][0] for j in got], list(range(300)), "300 fetches in one write get the jobs in their order")
    client.put(b"".join(Client.line("ACK", {"jid": j["jid"]}) for j in got))
    tap.equal([client.answer() for _ in range(300)], ["OK"] * 300, "and 300 acknowledgements")
    client.put(b"FETCH order\r\n" + Client.line("PUSH", job(args=["late"], queue="order")) + b"FETCH order\r\n")
    first = json.loads(client.answer())
    tap.ok(first["args"] == ["late"] and client.answer() == "OK" and client.answer() is None,
           "a push behind a fetch that waits is taken, and answered behind it")
    client.ack(first["jid"])
    for queue in ("low", "high"):
        client.push(queue=queue, args=[queue])
    seen = [client.fetch("high", "low")["args"][0] for _ in range(2)]
    tap.equal(seen, ["high", "low"], "queues are asked in the order in which they are named")
    tap.ok("at least one queue" in client.refusal("FETCH", ""), "a fetch without a queue is refused")


def bulk(node):
    client = Client(node.addresses["jobs.faktory"], wid="bulk-1")
    jobs = [job(args=[i], queue="bulk") for i in range(2500)]
    jobs[7] = {"jid": "bad-bulk-7", "args": []}
    tap.equal(json.loads(client.ask("PUSHB", jobs)), {"bad-bulk-7": "ERR jobs must have a jobtype"},
              "of 2,500 jobs the bad one is named, and the others are taken")
    tap.equal(json.loads(client.ask("PUSHB", jobs[:7])), {}, "pushed again they are known, which is no fault")
    client.put(b"FETCH bulk\r\n" * 2499)
    got = [json.loads(client.answer())["args"][0] for _ in range(2499)]
    tap.equal(got, [i for i in range(2500) if i != 7], "all are there once, in order")
    tap.ok("invalid JSON" in client.refusal("PUSHB", "[{\"jid\":\"12345678\""), "what is no JSON is refused whole")
    tap.ok("array" in client.refusal("PUSHB", {}), "what is no array too")


def orders(node):
    client = Client(node.addresses["jobs.faktory"], wid="orders-1")
    info = client.info()
    tap.ok(info["now"] and info["server_utc_time"].endswith("UTC") and info["server"]["description"] == "weir"
           and info["faktory"]["retry_max"] == 4, "INFO says when, who, and to what a job's retries are cut", info)
    for i in range(5):
        client.push("Later", jid="later-%04d" % i, queue="orders", args=[{"uid": i}], at="2099-01-02T03:04:05Z")
    client.push("Other", jid="later-other", queue="orders", at="2099-01-02T03:04:05+02:00")
    sets = lambda: client.info()["faktory"]["sets"]
    tap.equal(sets()["scheduled"], 6, "jobs of a later time are scheduled")
    client.ask("MUTATE", {"cmd": "requeue", "target": "scheduled", "filter": {"jids": ["later-0001", "nobody", "later-other"]}})
    tap.equal((sets()["scheduled"], client.info()["faktory"]["queues"]["orders"]), (4, 2), "two are requeued by their jids")
    client.ask("MUTATE", {"cmd": "kill", "target": "scheduled", "filter": {"regexp": "*\"uid\": 2*"}})
    tap.equal((sets()["scheduled"], sets()["dead"]), (3, 1), "one is killed by a pattern over its text")
    client.ask("MUTATE", {"cmd": "discard", "target": "scheduled", "filter": {"jobtype": "Later"}})
    tap.equal(sets()["scheduled"], 0, "the rest is discarded by its type")
    client.ask("MUTATE", {"cmd": "clear", "target": "dead"})
    tap.equal(sets()["dead"], 0, "the dead are cleared")
    tap.ok("is none of" in client.refusal("MUTATE", {"cmd": "clear", "target": "all"}), "another target is refused by name")
    latency = json.loads(client.ask("QUEUE", "LATENCY orders nowhere"))
    tap.ok(latency["orders"] >= 0 and latency["nowhere"] == 0, "QUEUE LATENCY says how long the oldest job waits", latency)
    client.ask("QUEUE", "PAUSE orders")
    tap.equal(client.fetch("orders"), None, "a paused queue gives nothing")
    client.push(queue="beside")
    tap.equal(client.fetch("orders", "beside")["queue"], "beside", "and is passed over")
    client.ask("QUEUE", "RESUME *")
    tap.equal(client.fetch("orders")["queue"], "orders", "until all are resumed")
    tap.equal((client.ask("QUEUE", "REMOVE orders"), client.fetch("orders")), ("OK", None), "a removed queue has no jobs")
    tap.ok("jobs.faktory_flush" in client.refusal("FLUSH"), "FLUSH is refused, with the setting that allows it")


def custom(node):
    client = Client(node.addresses["jobs.faktory"], wid="custom-1")
    once = dict(queue="unique", args=[1], custom={"unique_for": 600})
    client.push(**once)
    tap.ok(client.refusal("PUSH", job(**once)).startswith("NOTUNIQUE"), "the same job again is not unique")
    tap.equal(client.refusal("PUSH", job(**dict(once, args=[2]))), "", "with other arguments it is")
    got = client.fetch("unique")
    tap.ok(client.refusal("PUSH", job(**once)).startswith("NOTUNIQUE"), "while it runs too")
    client.ack(got["jid"])
    tap.equal(client.refusal("PUSH", job(**once)), "", "done, it may come again")
    start = dict(queue="start", custom={"unique_for": 600, "unique_until": "start"})
    client.push(**start)
    client.fetch("start")
    tap.equal(client.refusal("PUSH", job(**start)), "", "unique until its start, it may come again while it runs")
    client.push(queue="expires", custom={"expires_at": "2020-01-01T00:00:00Z"})
    tap.equal(client.fetch("expires"), None, "an expired job is not run")
    client.push(jid="tracked-1", queue="track", custom={"track": 1})
    track = lambda: json.loads(client.ask("TRACK", "GET tracked-1"))
    tap.equal(track()["state"], "enqueued", "a job that waits is tracked")
    client.fetch("track")
    client.ask("TRACK", 'SET {"jid":"tracked-1","percent":40,"desc":"half"}')
    tap.equal((track()["state"], track()["percent"]), ("working", 40), "and one that is worked at, with its progress")
    client.ack("tracked-1")
    tap.equal(track()["state"], "unknown", "one that is done is in the audit alone")


def retries(node):
    client = Client(node.addresses["jobs.faktory"], wid="retries-1")
    client.push(jid="fail-once", queue="fail", retry=25, reserve_for=60)
    client.fetch("fail")
    client.fail("fail-once", "Oops", "no luck")
    client.ask("MUTATE", {"cmd": "requeue", "target": "retries", "filter": {"jids": ["fail-once"]}})
    failure = client.fetch("fail")["failure"]
    tap.equal((failure["retry_count"], failure["remaining"], failure["errtype"], failure["message"]), (1, 3, "Oops", "no luck"),
              "a job that failed tells its next worker why, and how often it may still")
    client.ack("fail-once")
    before = client.info()["faktory"]["sets"]["dead"]
    for name, retry, dead in (("fail-drop", 0, before), ("fail-dead", -1, before + 1)):
        client.push(jid=name, queue="fail", retry=retry)
        client.fetch("fail")
        client.fail(name)
        tap.equal(client.info()["faktory"]["sets"]["dead"], dead, "retry: %d, failed once: %d dead" % (retry, dead))
    client.put("FAIL " + json.dumps({"jid": "nobody-1", "message": "x" * 100000, "backtrace": ["y" * 1000] * 100}) + "\n")
    try:
        client.answer()
    except Refused as e:
        tap.equal(str(e), "ERR Job not found", "a long failure with a bare LF is read to its end")


def workers(node):
    address = node.addresses["jobs.faktory"]
    producer, one, other = Client(address), Client(address, wid="worker-1"), Client(address, wid="worker-2")
    pool = Client(address, wid="worker-1")
    producer.push(jid="leased-1", queue="lease")
    tap.equal(one.fetch("lease")["jid"], "leased-1", "a worker has a job")
    tap.ok("another's" in other.refusal("ACK", {"jid": "leased-1"}), "another one may not acknowledge it")
    tap.ok("another's" in other.refusal("FAIL", {"jid": "leased-1"}), "nor fail it")
    one.close()
    tap.equal(other.fetch("lease"), None, "one of its connections ends: it keeps the job")
    tap.equal(pool.ack("leased-1"), "OK", "and acknowledges it on another one")
    producer.push(jid="leased-2", queue="lease")
    pool.fetch("lease")
    pool.close()
    got = node.wait_for(lambda: other.fetch("lease"), what="the job of a worker that is gone")
    tap.ok(got["jid"] == "leased-2" and got["failure"]["errtype"] == "LeaseLost", "without a connection it loses its jobs", got)
    tap.equal(other.ack("leased-2"), "OK", "to the next one")
    tap.equal(other.beat(), "OK", "a worker beats")
    waiting = Client(address, wid="worker-3")
    waiting.put(b"FETCH gone\r\n")
    producer.push(queue="nothing")  # a round trip: the fetch above is in the log by now, or it never will be
    waiting.close()
    producer.push(jid="not-lost", queue="gone")
    tap.equal(other.fetch("gone")["jid"], "not-lost", "a job for a fetch whose connection is gone goes to the next one at once")
    other.ack("not-lost")
    tap.equal(other.beat(current_state="quiet"), "quiet", "a worker that says it is quiet")
    began = time.monotonic()
    producer.push(queue="quiet")
    tap.ok(other.fetch("quiet") is None and time.monotonic() - began > 1, "is given nothing more, and not in a hurry")


def main():
    args = ["--set", "jobs.worker_grace=300ms"]
    for partitions, lanes in ((1, 1), (3, 2)):
        with Node(args=args + ["--lanes", str(lanes), "--set", "jobs.partitions=%d" % partitions]) as node:
            for part in (handshake, life, order, bulk, orders, custom, retries, workers):
                part(node)
    tap.done()


main()
