#!/usr/bin/env python3
"""Schedules: every so often and by cron in a zone, paused, run by hand, kept through kill -9, and what is caught up after it."""
import base64, os, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

tap = Tap()
JOB = {"queue": "s", "type": "tick"}


def put(node, name, **what):
    return node.request("PUT", "/v1/jobs/schedules/" + name, dict({"job": JOB}, **what))


def view(node, name):
    return [s for s in node.get("/v1/jobs/schedules").json()["schedules"] if s["name"] == name][0]


def stats(node):
    return {name: int(n) for name, n in node.get("/v1/jobs/stats").json().items()}


with Node(args=["--only", "jobs"]) as node:
    tap.equal(put(node, "often", everyMs=50).status, 200, "a schedule is set")
    node.wait_for(lambda: stats(node)["ready"] >= 3, what="three of its jobs")
    tap.equal(node.post("/v1/jobs/schedules/often/pause").status, 200, "it is paused")
    before = stats(node)["pushed"]
    tap.equal(node.post("/v1/jobs/schedules/often/run").status, 200, "a paused one can be run by hand")
    tap.equal(stats(node)["pushed"], before + 1, "which pushes its job once, and nothing else does")
    node.kill()
    node.start()
    tap.ok(view(node, "often")["paused"] and stats(node)["pushed"] == before + 1, "it is still paused after kill -9", view(node, "often"))
    node.post("/v1/jobs/schedules/often/resume")
    node.wait_for(lambda: stats(node)["pushed"] >= before + 3, what="more of its jobs")
    tap.equal(node.delete("/v1/jobs/schedules/often").status, 200, "it is forgotten")
    left = stats(node)["pushed"]
    tap.equal(node.get("/v1/jobs/schedules").json()["schedules"], [], "and there is none")

    # -- caught up after the node was down: one job for all times, or one for each
    put(node, "one", everyMs=100, catchUp="ONE", job=dict(JOB, queue="one"))
    put(node, "all", everyMs=100, catchUp="ALL", job=dict(JOB, queue="all"))
    queue = lambda name: {q["queue"]: q["ready"] for q in node.get("/v1/jobs/queues").json()["queues"]}.get(name, 0)
    node.wait_for(lambda: queue("one") >= 1 and queue("all") >= 1, what="first jobs")
    node.post("/v1/jobs/schedules/one/pause")
    node.post("/v1/jobs/schedules/all/pause")
    one, every = queue("one"), queue("all")
    next_ms = int(view(node, "all")["nextMs"])
    node.wait_for(lambda: time.time() * 1000 > next_ms + 1000, what="a second to pass")
    node.post("/v1/jobs/schedules/one/resume")
    node.post("/v1/jobs/schedules/all/resume")
    node.wait_for(lambda: queue("all") >= every + 10, what="each missed time's job")
    alls, ones = queue("all") - every, queue("one") - one
    tap.ok(0 < ones and ones + 5 < alls, "ALL brings a job for each time that passed, ONE one for all of them", (alls, ones))
    node.delete("/v1/jobs/schedules/one")
    node.delete("/v1/jobs/schedules/all")

    # -- cron, in a zone
    zone = "/usr/share/zoneinfo/Europe/Berlin"
    tap.equal(put(node, "cron", cron="* * * * * *", job=dict(JOB, queue="cron")).status, 200, "cron with seconds")
    node.wait_for(lambda: queue("cron") >= 2, what="two seconds' jobs")
    if os.path.exists(zone):
        with open(zone, "rb") as file:
            data = base64.b64encode(file.read()).decode()
        put(node, "noon", cron="0 12 * * *", job=JOB, zoneName="Europe/Berlin", zone=data)
        noon = int(view(node, "noon")["nextMs"]) // 1000 % 86400
        tap.ok(noon in (10 * 3600, 11 * 3600), "noon in Berlin is 10 or 11 UTC", noon)
    else:
        tap.skip("noon in Berlin is 10 or 11 UTC", "there is no " + zone)
    put(node, "leap", cron="0 0 29 2 *", job=JOB)
    tap.ok(int(view(node, "leap")["nextMs"]) > 0, "the next 29 February is found")
    node.kill()
    node.start()
    tap.equal(sorted(s["name"] for s in node.get("/v1/jobs/schedules").json()["schedules"])[0], "cron", "schedules survive kill -9")
    for what, word in ((dict(cron="61 * * * *"), "minute"), (dict(), "cron or everyMs"), (dict(cron="* * * * *", everyMs=5), "one of them"),
                       (dict(everyMs=1), "everyMs"), (dict(everyMs=100, job={}), "type"), (dict(everyMs=100, zone="AAAA"), "zone")):
        reply = put(node, "bad", **what)
        tap.ok(reply.status == 400 and word in reply.body.decode(), "%s names %s" % (what, word), reply)
    tap.equal(node.post("/v1/jobs/schedules/none/run").json()["code"], "SCHEDULE", "one that is not there is refused by name")
tap.done()
