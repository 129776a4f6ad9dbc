#!/usr/bin/env python3
"""What operators do to jobs: lists, searches, the dead, pauses, limits, fairness between tenants, workers that drain, die or hang."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

tap = Tap()


def push(node, **job):
    job.setdefault("type", "mail")
    reply = node.post("/v1/jobs", job)
    assert reply.status == 201, reply
    return reply.json()["id"]


def fetch(node, **how):
    reply = node.post("/v1/jobs/fetch", how)
    assert reply.status == 200, reply
    return reply.json()["jobs"]


def report(node, what, job, **more):
    return node.post("/v1/jobs/" + what, {"jobs": [dict(id=job["id"], epoch=job["epoch"], **more)]}).json()["jobs"][0]


def listed(node, query):
    return node.get("/v1/jobs?" + query).json()["jobs"]


with Node(args=["--only", "jobs", "--set", "jobs.worker_timeout=1s"]) as node:
    # -- the dead
    for i in range(6):
        push(node, queue="d", type="kind%d" % (i % 2), payload="payload %d" % i, attemptsMax=1)
        job = fetch(node, queues=["d"], worker="w")[0]
        report(node, "fail", job, error="Boom", message="reason %d" % i)
    dead = listed(node, "state=DEAD")
    tap.equal(len(dead), 6, "six dead jobs are listed")
    tap.equal([j["queue"] for j in listed(node, "state=DEAD&type=kind1")], ["d"] * 3, "three of one type")
    tap.equal(len(listed(node, "state=DEAD&text=reason%203")), 1, "one by its error")
    tap.equal(len(listed(node, "state=DEAD&text=payload%205")), 1, "one by its payload")
    one = dead[0]["id"]
    tap.equal(node.post("/v1/jobs/%s/requeue" % one).json()["count"], 1, "one is requeued")
    job = fetch(node, queues=["d"], worker="w")[0]
    tap.equal((job["id"], job["attempt"]), (one, 1), "and has all its attempts again")
    report(node, "ack", job)
    done = node.post("/v1/jobs/operate", {"action": "REQUEUE", "state": "DEAD", "type": "kind1"}).json()
    tap.equal(done["count"], 3, "the others of a type by a filter")
    tap.equal(node.post("/v1/jobs/operate", {"action": "DROP", "state": "DEAD"}).json()["count"], 2, "and the rest is dropped")
    tap.equal(listed(node, "state=DEAD"), [], "there are none any more")
    tap.equal(node.post("/v1/jobs/%s/drop" % listed(node, "state=READY")[0]["id"]).json()["code"], "WRONG_STATE",
              "a living job can't be dropped, by name")
    tap.equal(node.post("/v1/jobs/queues/d/clear").json()["count"], 3, "a queue is cleared")

    # -- cancel, also of a running one
    waiting = push(node, queue="c", delayMs=3600000)
    tap.equal(node.get("/v1/jobs/" + waiting).json()["state"], "SCHEDULED", "a delayed job is scheduled")
    tap.equal(node.post("/v1/jobs/%s/cancel" % waiting).status, 200, "and cancelled")
    running = push(node, queue="c")
    job = fetch(node, queues=["c"], worker="w")[0]
    node.post("/v1/jobs/%s/cancel" % running)
    tap.equal(report(node, "extend", job, progress=50)["reason"], "JOB_NOT_FOUND", "a running one's worker hears of it")

    # -- pause
    node.post("/v1/jobs/queues/p/pause")
    push(node, queue="p")
    tap.equal(fetch(node, queues=["p"]), [], "a paused queue gives nothing")
    node.kill()
    node.start()
    tap.equal(fetch(node, queues=["p"]), [], "also after kill -9")
    node.post("/v1/jobs/queues/p/resume")
    tap.equal(len(fetch(node, queues=["p"])), 1, "until it is resumed")

    # -- tenants take turns, by weight; limits
    node.post("/v1/jobs/limits", {"kind": "TENANT", "name": "big", "weight": 3})
    node.post("/v1/jobs/push", {"jobs": [{"queue": "f", "type": "t", "tenant": t, "payload": t} for t in ["big"] * 60 + ["small"] * 20]})
    order = [j["tenant"] for j in fetch(node, queues=["f"], max=40)]
    tap.equal((order.count("big"), order.count("small")), (30, 10), "tenants get their share whoever came first")
    node.post("/v1/jobs/operate", {"action": "CANCEL", "state": "RUNNING", "queue": "f"})
    node.post("/v1/jobs/queues/f/clear")
    for kind, name, field in (("QUEUE", "l", "queue"), ("TYPE", "heavy", "type"), ("TENANT", "t9", "tenant")):
        node.post("/v1/jobs/limits", {"kind": kind, "name": name, "concurrency": 2})
        jobs = [dict({"queue": "l", "type": "x"}, **{field: name}) for _ in range(5)]
        if field != "queue":
            jobs = [dict(j, queue="free") for j in jobs]
        queue = jobs[0]["queue"]
        node.post("/v1/jobs/push", {"jobs": jobs})
        got = fetch(node, queues=[queue], max=10)
        tap.equal((len(got), fetch(node, queues=[queue], max=10)), (2, []), "%s: two run at once and no more" % kind)
        report(node, "ack", got[0])
        tap.equal(len(fetch(node, queues=[queue], max=10)), 1, "%s: one ends, one starts" % kind)
        node.post("/v1/jobs/queues/%s/clear" % queue)
        node.post("/v1/jobs/operate", {"action": "CANCEL", "state": "RUNNING", "queue": queue})
    node.post("/v1/jobs/limits", {"kind": "QUEUE", "name": "r", "ratePerS": 20, "burst": 1})
    node.post("/v1/jobs/push", {"jobs": [{"queue": "r", "type": "x"} for _ in range(4)]})
    got = 0
    for _ in range(4):
        got += len(fetch(node, queues=["r"], max=10, waitMs=20000))
    tap.equal(got, 4, "a rate holds back and lets go by itself, one fetch each")

    # -- workers: one that leaves, one that falls silent, one that drains
    push(node, queue="w", payload="left")
    fetch(node, queues=["w"], worker="leaver")
    tap.equal(node.post("/v1/jobs/beat", {"worker": "leaver", "gone": True}).json()["released"], 1,
              "a worker that says it goes gives up its lease at once")
    job = fetch(node, queues=["w"], worker="other")[0]
    tap.equal((job["payload"], job["attempt"]), ("left", 2), "and another one has the job")
    report(node, "ack", job)
    push(node, queue="w", payload="silent", timeoutMs=3600000)
    node.post("/v1/jobs/beat", {"worker": "silent"})
    fetch(node, queues=["w"], worker="silent")
    job = fetch(node, queues=["w"], worker="other", waitMs=60000)[0]
    tap.equal(job["payload"], "silent", "a worker that beat and fell silent loses its lease long before that ends")
    report(node, "ack", job)
    node.post("/v1/jobs/beat", {"worker": "old"})
    node.post("/v1/jobs/workers/old/quiet")
    push(node, queue="w")
    tap.equal(fetch(node, queues=["w"], worker="old", waitMs=10), [], "a quiet worker is given nothing more")
    tap.equal(node.post("/v1/jobs/beat", {"worker": "old"}).json()["state"], "QUIET", "and hears of it at its next beat")
    node.post("/v1/jobs/workers/%2A/terminate")
    tap.equal(node.post("/v1/jobs/beat", {"worker": "old"}).json()["state"], "TERMINATE", "all can be told to end")
    tap.equal([w["worker"] for w in node.get("/v1/jobs/workers").json()["workers"]], ["old"], "workers are listed")
    queues = {q["queue"]: q for q in node.get("/v1/jobs/queues").json()["queues"]}
    tap.equal((queues["w"]["ready"], queues["r"]["ratePerS"]), (1, 20), "queues are listed with their counts and limits")
    stats = node.get("/v1/jobs/stats").json()
    tap.ok(int(stats["pushed"]) > 100 and int(stats["died"]) == 6, "and counts of all", stats)

    # -- bad requests say what is wrong
    for path, body, word in (("/v1/jobs", {}, "type"), ("/v1/jobs", {"type": "x", "priority": 10}, "priority"),
                             ("/v1/jobs", {"type": "x" * 70}, "type"), ("/v1/jobs", {"type": "x", "tags": ["a,b"]}, "tags"),
                             ("/v1/jobs/ack", {"jobs": []}, "jobs"), ("/v1/jobs/ack", {"jobs": [{"id": "12"}]}, "id"),
                             ("/v1/jobs/fetch", {"waitMs": 90000}, "waitMs"), ("/v1/jobs/operate", {"action": "DROP"}, "state"),
                             ("/v1/jobs/fetch", {"queues": ["a", "a"]}, "INVALID_COMMAND"), ("/v1/jobs/beat", {}, "worker")):
        reply = node.post(path, body)
        tap.ok(reply.status == 400 and word in reply.body.decode(), "%s %s names %s" % (path, body, word), reply)
tap.done()
