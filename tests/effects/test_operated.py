#!/usr/bin/env python3
"""What operators see of effects and what they order: list, one with its history, requeue, drop, pause, resume; metrics."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from target import Target

tap = Tap()
config = "effects:\n  networks: 127.0.0.0/8\nnotify:\n  attempts: 2\n  concurrency: 2\n"
EFFECTS = "/v1/services/notify/effects"


def send(node, url):
    reply = node.post("/v1/notify/messages", {"url": url, "text": "hello"})
    assert reply.status == 202, reply
    return int(reply.json()["id"])


def state(node, number):
    return node.get("/v1/notify/messages/%d" % number).json()["state"]


def effects(node, query=""):
    return node.get(EFFECTS + query).json()


with Target() as target, Node(config=config, args=["--only", "notify"]) as node:
    target.answer = lambda call: (500, {}, b"broken")
    first = send(node, target.url("/a"))
    second = send(node, target.url("/b"))
    node.wait_for(lambda: state(node, first) == "failed" and state(node, second) == "failed", what="two dead letters")
    dead = effects(node, "?state=dead&effect=send")["effects"]
    tap.equal([(e["effect"], e["state"], e["attempts"], e["last"], e["status"]) for e in dead],
              [("send", "dead", 2, "status", 500)] * 2, "dead letters are listed")
    one = node.get("%s/%s" % (EFFECTS, dead[0]["id"])).json()
    tap.equal(([h["status"] for h in one["history"]], one["url"], one["request"]), ([500, 500], target.url("/a"), "hello"),
              "one is shown with its request and every attempt")
    letters = node.get("/v1/topics/notify.dead/records?offset=0").json()["records"]
    tap.ok(len(letters) == 2 and "hello" in str(letters[0]), "and both are in the topic notify.dead", str(letters)[:300])

    target.answer = lambda call: (200, {}, b"")
    tap.equal(node.post(EFFECTS + "/requeue?id=%s" % dead[0]["id"]).status, 200, "one is requeued")
    node.wait_for(lambda: state(node, first) == "delivered", what="the requeued one's delivery")
    tap.equal(node.get("/v1/notify/messages/%d" % first).json()["attempts"], 3, "its attempts go on counting")
    keys = {c.key for c in target.calls if c.path == "/a"}
    tap.equal(len(keys), 1, "and its key is the same")
    tap.equal(node.post(EFFECTS + "/requeue?id=%s" % dead[0]["id"]).status, 404, "it is no longer there to be requeued")
    tap.equal(node.post(EFFECTS + "/drop?id=all&effect=send").status, 200, "all dead ones are dropped")
    node.wait_for(lambda: not effects(node)["effects"], what="an empty list")

    tap.equal(node.post(EFFECTS + "/pause?effect=send").status, 200, "the row is paused")
    calls = len(target.calls)
    third, fourth = send(node, target.url("/c")), send(node, target.url("/d"))
    row = effects(node)["rows"][0]
    tap.equal((row["paused"], row["waiting"], len(target.calls)), (True, 2, calls), "and holds back what is asked for")
    node.restart()
    tap.ok(effects(node)["rows"][0]["paused"], "also after a restart")
    waiting = effects(node, "?state=waiting")["effects"]
    tap.equal(node.post(EFFECTS + "/requeue?id=%s" % waiting[0]["id"]).status, 409, "what waits can't be requeued")
    tap.equal(node.post(EFFECTS + "/drop?id=%s" % waiting[0]["id"]).status, 200, "but dropped")
    node.wait_for(lambda: state(node, third) == "failed", what="its final result")
    tap.equal(node.get("/v1/notify/messages/%d" % third).json()["why"], "", "which says that no attempt was made")
    tap.equal(node.post(EFFECTS + "/resume?effect=send").status, 200, "the row is resumed")
    node.wait_for(lambda: state(node, fourth) == "delivered", what="the other one's delivery")
    tap.equal(len([c for c in target.calls if c.path == "/c"]), 0, "the dropped one was never sent")

    for path, status in (("?state=odd", 400), ("?effect=odd", 404), ("?partition=7", 404), ("/abc", 400), ("/99", 404)):
        tap.equal(node.get(EFFECTS + path).status, status, "%s is answered with %d" % (path, status))
    for path, status in (("/odd?id=1", 400), ("/drop", 400), ("/drop?id=all", 400), ("/pause", 400), ("/drop?id=5", 404)):
        tap.equal(node.post(EFFECTS + path).status, status, "%s is answered with %d" % (path, status))
    labels = '{effect="send",partition="0"}'
    tap.equal([node.metric("weir_notify_effect_" + name, labels) for name in ("attempts_total", "failures_total", "dead_total",
              "waiting", "paused")], [6, 4, 2, 0, 0], "metrics tell the same, over the restart")
    audit = node.get("/v1/topics/weir.audit/records?offset=0&limit=100").body.decode()
    tap.ok("effects.requeue" in audit and "effects.pause" in audit, "orders are in the audit")
tap.done()
