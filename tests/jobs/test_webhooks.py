#!/usr/bin/env python3
"""Jobs are sent to URLs: what fails is tried again as the job says; a destination that is down, slow or asks for a pause holds up its
own jobs alone, which spend no attempts meanwhile; kill -9 in the middle loses nothing."""
import json, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from target import Target

tap = Tap()
CONFIG = "effects:\n  networks: 127.0.0.0/8\njobs:\n  breaker_calls: 4\n  breaker_open: 500ms\n  webhook_timeout: 1s\n  webhooks_each: 4\n"


def push(node, **job):
    job.setdefault("type", "hook")
    reply = node.post("/v1/jobs", job)
    assert reply.status == 201, reply
    return reply.json()["id"]


def stats(node):
    return node.get("/v1/jobs/stats").json()


def settled(node, **counts):
    node.wait_for(lambda: all(int(stats(node)[k]) == v for k, v in counts.items()), what="stats %r" % counts)


def destination(node, target):
    for d in node.get("/v1/jobs/destinations").json()["destinations"]:
        if d["destination"] == "127.0.0.1:%d" % target.port:
            return d


with Target() as good, Target() as bad, Node(config=CONFIG, args=["--only", "jobs"]) as node:
    # -- a queue's destination
    reply = node.request("PUT", "/v1/jobs/queues/mail/destination", {"url": good.url("/in")})
    tap.equal(reply.status, 200, "a queue has a destination")
    one = push(node, queue="mail", type="welcome", payload='{"to":"a"}')
    settled(node, done=1, running=0)
    call = good.calls[0]
    tap.equal((call.path, call.body, call.headers["content-type"], call.headers["weir-job-id"], call.headers["weir-job-type"],
               call.headers["weir-job-attempt"]),
              ("/in", b'{"to":"a"}', "application/json", one, "welcome", "1"), "the job is sent there, and says what it is")
    tap.equal(node.post("/v1/jobs/fetch", {"queues": ["mail"]}).json()["jobs"], [], "workers are not given it")
    tap.ok(bool(call.key), "it has an idempotency key")
tap.done()
