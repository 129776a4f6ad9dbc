#!/usr/bin/env python3
"""Jobs over HTTP against the real node: push, fetch, ack; what a worker that waits gets; kill -9 in between."""
import os, socket, sys, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

tap = Tap()


def push(node, **job):
    job.setdefault("type", "mail")
    return node.post("/v1/jobs", job)


def fetch(node, **how):
    reply = node.post("/v1/jobs/fetch", how)
    assert reply.status == 200, reply
    return reply.json()["jobs"]


def ack(node, job, **more):
    return node.post("/v1/jobs/ack", {"jobs": [dict(id=job["id"], epoch=job["epoch"], **more)]}).json()["jobs"][0]


with Node(args=["--only", "jobs"]) as node:
    reply = push(node, payload='{"to":"a@b"}', tags=["x", "y"], tenant="t1", jid="mine-1", priority=7)
    tap.equal(reply.status, 201, "a push is answered 201")
    first = reply.json()["id"]
    again = push(node, payload="other", jid="mine-1")
    tap.ok(again.status == 200 and again.json()["id"] == first and again.json()["duplicate"],
           "a second push of a living jid changes nothing", again)
    jobs = fetch(node, worker="w1", max=10)
    tap.equal([(j["id"], j["payload"], j["tags"], j["tenant"], j["jid"], j["attempt"], j["priority"]) for j in jobs],
              [(first, '{"to":"a@b"}', ["x", "y"], "t1", "mine-1", 1, 7)], "a fetch brings the job as it was pushed")
    view = node.get("/v1/jobs/" + first).json()
    tap.equal((view["state"], view["worker"], view["epoch"]), ("RUNNING", "w1", 1), "and it is shown as running")
    tap.equal(fetch(node, worker="w2"), [], "no other worker gets it")
    tap.equal(ack(node, dict(jobs[0], epoch=7))["reason"], "STALE", "an ack of another lease is refused by name")
    tap.equal(ack(node, jobs[0])["state"], "DONE", "its own is taken")
    tap.equal(ack(node, jobs[0])["reason"], "JOB_NOT_FOUND", "and a second one finds nothing")
    tap.equal(node.get("/v1/jobs/" + first).status, 404, "what is done is in the audit, not in the state")

    # -- many at once, an order of priorities, and a worker that waits
    many = node.post("/v1/jobs/push", {"jobs": [{"type": "n", "payload": str(i), "priority": 1 + i % 9} for i in range(500)]})
    tap.equal([many.status, len(many.json()["jobs"])], [200, 500], "500 jobs in one push")
    got = fetch(node, max=1000)
    want = sorted(range(500), key=lambda i: (-(1 + i % 9), i))
    tap.equal([int(j["payload"]) for j in got], want, "the higher priority first, then first in, first out")
    done = node.post("/v1/jobs/ack", {"jobs": [{"id": j["id"], "epoch": j["epoch"]} for j in got]}).json()["jobs"]
    tap.ok(all(d["state"] == "DONE" for d in done), "500 acks in one", done[:3])

    taken = []
    waiting = [threading.Thread(target=lambda i=i: taken.append(fetch(node, worker="late%d" % i, waitMs=30000)))
               for i in range(3)]
    for thread in waiting:
        thread.start()
    node.wait_for(lambda: node.metric("weir_jobs_waiters") == 3, what="three waiting fetches")
    for i in range(3):
        push(node, payload="p%d" % i)
    for thread in waiting:
        thread.join()
    tap.equal(sorted(jobs[0]["payload"] for jobs in taken), ["p0", "p1", "p2"], "waiting fetches get one each as they come")
    for jobs in taken:
        ack(node, jobs[0])
    tap.equal(fetch(node, waitMs=50), [], "a wait that nothing comes to ends with nothing")

    # -- a worker that vanishes while it waits: what it would have got goes to another one
    sock = node.connect()
    body = b'{"worker":"ghost","waitMs":60000}'
    sock.sendall(b"POST /v1/jobs/fetch HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    node.wait_for(lambda: node.metric("weir_jobs_waiters") == 1, what="the ghost's wait")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()
    push(node, payload="for the living")
    job = fetch(node, worker="living", waitMs=30000)[0]
    tap.equal((job["payload"], job["attempt"]), ("for the living", 1),
              "a job in an answer that reached nobody comes back at once, without an attempt")
    ack(node, job)

    # -- failing
    push(node, payload="bad", attemptsMax=2, backoff="FIXED", backoffMs=20)
    job = fetch(node, worker="w", waitMs=30000)[0]
    said = node.post("/v1/jobs/fail", {"jobs": [{"id": job["id"], "epoch": job["epoch"], "error": "E", "message": "m1"}]})
    tap.equal(said.json()["jobs"][0]["state"], "RETRY", "a failed job is tried again")
    job = fetch(node, worker="w", waitMs=30000)[0]
    tap.equal((job["payload"], job["attempt"]), ("bad", 2), "after its pause")
    said = node.post("/v1/jobs/fail", {"jobs": [{"id": job["id"], "epoch": job["epoch"], "error": "E", "message": "m2"}]})
    tap.equal(said.json()["jobs"][0]["state"], "DEAD", "and dead after its last attempt")
    view = node.get("/v1/jobs/" + job["id"]).json()
    tap.equal([(a["attempt"], a["error"], a["message"], a["worker"]) for a in view["attempts"]],
              [(1, "E", "m1", "w"), (2, "E", "m2", "w")], "with every attempt")

    # -- kill -9: what was acknowledged is there, a lease too
    ids = [push(node, payload="k%d" % i).json()["id"] for i in range(20)]
    held = fetch(node, worker="w", max=5)
    node.kill()
    node.start()
    tap.equal(ack(node, held[0])["state"], "DONE", "a lease survives kill -9, and its ack is taken")
    rest = fetch(node, worker="w", max=100)
    tap.equal(sorted(j["id"] for j in rest), ids[5:], "and so do the jobs that wait")
    events = [line for line in node.get("/v1/topics/jobs.events/0/records?offset=0&limit=10000").body.splitlines()]
    tap.ok(len(events) > 0, "the audit can be read")
tap.done()
