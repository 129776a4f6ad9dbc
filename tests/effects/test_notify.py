#!/usr/bin/env python3
"""An effect goes over HTTP to a real server and its result comes back as a record; kill -9 in between: dispatched again."""
import os, sys, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from target import Target

tap = Tap()
config = "effects:\n  networks: 127.0.0.0/8\n"


def send(node, url, text="hello"):
    reply = node.post("/v1/notify/messages", {"url": url, "text": text})
    assert reply.status == 202, reply
    return int(reply.json()["id"])


def state(node, number):
    return node.get("/v1/notify/messages/%d" % number).json()


def ended(node, number):
    return node.wait_for(lambda: state(node, number)["state"] != "waiting" and state(node, number), what="a final result")


with Target() as target, Node(config=config, args=["--only", "notify"]) as node:
    got = ended(node, send(node, target.url("/hook")))
    tap.equal((got["state"], got["attempts"], got["status"], got["why"]), ("delivered", 1, 200, "ok"), "it is delivered")
    call = target.calls[0]
    tap.equal((call.path, call.body, call.headers.get("content-type")), ("/hook", b"hello", "text/plain; charset=utf-8"),
              "the request is what the fold asked for")

    answers = iter([(503, {}, b""), (429, {"retry-after": "1"}, b""), (200, {}, b"")])
    target.answer = lambda call: next(answers)
    got = ended(node, send(node, target.url("/again")))
    keys = [c.key for c in target.calls if c.path == "/again"]
    tap.equal((got["state"], got["attempts"], len(keys), len(set(keys))), ("delivered", 3, 3, 1),
              "failures are tried again, under one key")
    times = [c.time for c in target.calls if c.path == "/again"]
    tap.ok(times[2] - times[1] >= 1.0, "not before Retry-After is over", "%.2f s" % (times[2] - times[1]))

    target.answer = lambda call: (404, {}, b"")
    got = ended(node, send(node, target.url("/gone")))
    tap.equal((got["state"], got["attempts"]), ("failed", 1), "what the server rightly refuses is not tried again")

    # The process dies while the server works at it: the next life calls again, as the same attempt with the same key.
    target.answer = lambda call: None
    number = send(node, target.url("/killed"))
    node.wait_for(lambda: [c for c in target.calls if c.path == "/killed"], what="the call")
    node.kill()
    target.answer = lambda call: (200, {}, b"")
    node.start()
    got = ended(node, number)
    keys = [c.key for c in target.calls if c.path == "/killed"]
    tap.equal((got["state"], got["attempts"], len(keys), len(set(keys))), ("delivered", 1, 2, 1),
              "killed in between, it is dispatched again")
    tap.equal(len([c for c in target.calls if c.path != "/killed"]), 5, "what had its result is not")

    target.answer = lambda call: (200, {}, b"")
    before = len(target.calls)
    node.restart()
    tap.equal(state(node, number)["state"], "delivered", "a clean restart keeps what became of it")
    tap.equal(len(target.calls), before, "and calls nobody")
with Node(args=["--only", "notify"]) as node:
    with Target() as target:
        got = ended(node, send(node, target.url("/private")))
        tap.equal((got["state"], got["why"], len(target.calls)), ("failed", "rejected", 0),
                  "a private address is out of reach unless the operator allows it")
tap.done()
