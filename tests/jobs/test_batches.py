#!/usr/bin/env python3
"""Batches: counted, callbacks once and only when all have ended, in their parent, through kill -9; and what is refused."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

tap = Tap()


def make(node, **what):
    what.setdefault("onComplete", {"queue": "after", "type": "complete"})
    what.setdefault("onSuccess", {"queue": "after", "type": "success"})
    return node.post("/v1/jobs/batches", what)


def push(node, batch, **what):
    return node.post("/v1/jobs", dict({"queue": "work", "type": "part", "batch": batch}, **what))


def show(node, batch):
    return node.get("/v1/jobs/batches/" + batch).json()


def counts(node, batch):
    view = show(node, batch)
    return view["state"], view["total"], view["pending"], view["failed"]


def fetch(node, queue, most=100):
    return node.post("/v1/jobs/fetch", {"queues": [queue], "worker": "w", "max": most}).json()["jobs"]


def end(node, jobs, how="ack", **more):
    body = {"jobs": [dict({"id": j["id"], "epoch": j["epoch"]}, **more) for j in jobs]}
    return [r["state"] for r in node.post("/v1/jobs/" + how, body).json()["jobs"]]


def called(node):
    """The callbacks that were pushed since the last call, which are done then."""
    jobs = fetch(node, "after")
    if jobs:
        end(node, jobs)
    return [j["type"] for j in jobs]


with Node(args=["--only", "jobs"], config="jobs:\n  batches_max: 3\n") as node:
    answer = make(node, description="a report")
    tap.equal(answer.status, 201, "a batch is made")
    one = answer.json()["id"]
    for _ in range(3):
        pushed = push(node, one)
    tap.equal(node.get("/v1/jobs/" + pushed.json()["id"]).json()["batch"], one, "a job says of which batch it is")
    jobs = fetch(node, "work")
    end(node, jobs[:2])
    tap.equal(counts(node, one), ("UNCOMMITTED", 3, 1, 0), "the acks are counted")
    node.kill()
    node.start()
    tap.equal((counts(node, one), show(node, one)["description"]), (("UNCOMMITTED", 3, 1, 0), "a report"), "also after kill -9")
    end(node, jobs[2:])
    tap.equal(called(node), [], "no callback before it is committed")
    tap.equal(node.post("/v1/jobs/batches/%s/commit" % one).status, 200, "it is committed")
    tap.equal(called(node), ["complete", "success"], "both callbacks are pushed")
    tap.equal(counts(node, one), ("SUCCEEDED", 3, 0, 0), "it has succeeded")
    node.post("/v1/jobs/batches/%s/commit" % one)
    node.kill()
    node.start()
    tap.equal((called(node), counts(node, one)[0]), ([], "SUCCEEDED"), "a second commit and a kill -9 push nothing again")
    refused = push(node, one)
    tap.equal((refused.status, "BATCH_ENDED" in repr(refused)), (409, True), "it takes nothing more")

    # -- one that fails: complete, and success once it is done after all
    two = make(node).json()["id"]
    push(node, two)
    bad = push(node, two, attemptsMax=1).json()["id"]
    node.post("/v1/jobs/batches/%s/commit" % two)
    jobs = fetch(node, "work")
    end(node, [j for j in jobs if j["id"] != bad])
    tap.equal(called(node), [], "nothing while one is pending")
    tap.equal(end(node, [j for j in jobs if j["id"] == bad], "fail"), ["DEAD"], "the other one dies")
    tap.equal((called(node), counts(node, two)), (["complete"], ("COMPLETE", 2, 0, 1)), "it is complete, with one that failed")
    node.kill()
    node.start()
    node.post("/v1/jobs/%s/requeue" % bad)
    tap.equal(counts(node, two), ("COMPLETE", 2, 1, 0), "the dead job is requeued, after a kill -9")
    end(node, fetch(node, "work"))
    tap.equal((called(node), counts(node, two)[0]), (["success"], "SUCCEEDED"), "and success follows when it is done")

    # -- a batch in a batch; its callback may push into the parent, as it is pending until then
    outer = make(node).json()["id"]
    inner = make(node, parent=outer, onSuccess={"queue": "work", "type": "more", "batch": outer}).json()["id"]
    tap.equal(show(node, inner)["parent"], outer, "a batch in another one")
    push(node, inner)
    for batch in (outer, inner):
        node.post("/v1/jobs/batches/%s/commit" % batch)
    tap.equal(counts(node, outer), ("COMMITTED", 1, 1, 0), "counts in it as one")
    end(node, fetch(node, "work"))
    tap.equal((called(node), counts(node, outer)), (["complete"], ("COMMITTED", 2, 1, 0)), "its success job is of the parent")
    end(node, fetch(node, "work"))
    tap.equal((called(node), counts(node, outer)[0]), (["complete", "success"], "SUCCEEDED"), "which ends with that")

    # -- an empty one, and one that is opened again
    empty = make(node).json()["id"]
    node.post("/v1/jobs/batches/%s/commit" % empty)
    tap.equal(called(node), ["complete", "success"], "an empty batch is complete when it is committed")
    tap.equal(node.post("/v1/jobs/batches/%s/open" % empty).status, 409, "and cannot be opened again")
    again = make(node).json()["id"]
    push(node, again)
    node.post("/v1/jobs/batches/%s/commit" % again)
    node.post("/v1/jobs/batches/%s/open" % again)
    cancelled = fetch(node, "work")[0]["id"]
    node.post("/v1/jobs/%s/cancel" % cancelled)
    tap.equal((called(node), counts(node, again)), ([], ("UNCOMMITTED", 1, 0, 1)), "a cancelled job has failed; an open batch waits")
    node.post("/v1/jobs/batches/%s/commit" % again)
    tap.equal(called(node), ["complete"], "until it is committed once more")

    # -- the table: those that are over go, others do not
    tap.equal(node.get("/v1/jobs/batches/" + one).status, 404, "one that is over went when its place was needed")
    for _ in range(3):
        last = make(node)
    full = make(node)
    tap.equal((last.status, full.status, "jobs.batches_max" in repr(full)), (201, 503, True), "more than batches_max are refused")
    tap.equal(len(node.get("/v1/jobs/batches").json()["batches"]), 3, "and listed")

    # -- what is refused
    for body, word in (({"description": "x"}, "onSuccess or onComplete"), ({"parent": "7"}, "16 hexadecimal"),
                       ({"onSuccess": {"queue": "q"}}, "type"), ({"onComplete": {"type": "t"}, "description": "x" * 201}, "description")):
        answer = node.post("/v1/jobs/batches", body)
        tap.ok(answer.status == 400 and word in repr(answer), "refused: " + word, answer)
    tap.equal(push(node, "00000000000000ff").status, 404, "a batch that is not there is 404")
    tap.equal(push(node, "nonsense").status, 400, "and no id 400")

# -- more batches end in one record than one may settle
with Node(args=["--only", "jobs"]) as node:
    batches = [make(node).json()["id"] for _ in range(300)]
    node.post("/v1/jobs/push", {"jobs": [{"queue": "work", "type": "part", "batch": batch} for batch in batches]})
    for batch in batches:
        node.post("/v1/jobs/batches/%s/commit" % batch)
    tap.equal(set(end(node, fetch(node, "work", 300))), {"DONE"}, "300 batches end with one request")
    ready = lambda: [q["ready"] for q in node.get("/v1/jobs/queues").json()["queues"] if q["queue"] == "after"]
    node.wait_for(lambda: ready() == [600], what="both callbacks of each")
    tap.ok(True, "and both callbacks of each come")
    node.kill()
    node.start()
    tap.equal((ready(), counts(node, batches[0])[0], counts(node, batches[299])[0]), ([600], "SUCCEEDED", "SUCCEEDED"), "also after kill -9")

with Node(args=["--only", "jobs"], config="jobs:\n  partitions: 4\n") as node:
    batch = make(node, onSuccess={"queue": "a", "type": "t"}, onComplete=None).json()["id"]
    answers = {push(node, batch, queue=name).status for name in ("a", "b", "c", "d", "e", "f", "g", "h")}
    tap.equal(answers, {201, 400}, "with partitions, a queue of another one is refused")

tap.done()
