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


def main():
    with Node() as node:
        handshake(node)
        life(node)
        order(node)
        bulk(node)
    tap.done()


main()
