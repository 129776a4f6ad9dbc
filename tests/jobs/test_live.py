#!/usr/bin/env python3
"""The live view: events as they happen, filtered, from an offset on after kill -9, in order; what is refused by name."""
# also: tsan
import json, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from ws import WebSocket

tap = Tap()


def hear(ws):
    kind, payload = ws.receive()
    return json.loads(payload) if kind == "text" else {"say": kind}


def ask(ws, **what):
    ws.send(json.dumps(dict({"op": "subscribe"}, **what)))
    return hear(ws)["say"]


def events(ws, count):
    """The next events as (transition, queue); notes between them are left out."""
    found = []
    while len(found) < count:
        said = hear(ws)
        if said["say"] == "event":
            found.append(said)
        elif said["say"] != "live":
            return found + [said]
    return found


def short(found):
    return [(e["event"]["transition"], e["event"]["queue"]) for e in found]


def push(node, queue, **what):
    return node.post("/v1/jobs", dict({"queue": queue, "type": "t"}, **what)).json()["id"]


with Node(args=["--only", "jobs"]) as node:
    all_of_it, mail, one = (WebSocket(node, "/v1/jobs/live") for _ in range(3))
    tap.equal((ask(all_of_it), ask(mail, queue="mail", type="welcome")), ("subscribed", "subscribed"), "two are subscribed")
    first = push(node, "mail", type="welcome")
    push(node, "mail", type="other")
    push(node, "video", type="welcome")
    tap.equal(ask(one, job=first, offset=0), "subscribed", "one asks for a job from the beginning")
    lease = node.post("/v1/jobs/fetch", {"queues": ["mail"]}).json()["jobs"][0]
    node.post("/v1/jobs/ack", {"jobs": [{"id": lease["id"], "epoch": lease["epoch"], "result": "sent"}]})
    seen = events(all_of_it, 5)
    tap.equal(short(seen), [("pushed", "mail"), ("pushed", "mail"), ("pushed", "video"), ("leased", "mail"), ("ended", "mail")],
              "one without a filter hears all, in order")
    tap.equal([e["offset"] for e in seen], list(range(seen[0]["offset"], seen[0]["offset"] + 5)), "with their offsets")
    tap.equal((seen[4]["event"]["state"], seen[4]["event"]["result"], seen[0]["event"]["job"]), ("done", "sent", first), "an event says what happened")
    tap.equal(short(events(mail, 3)), [("pushed", "mail"), ("leased", "mail"), ("ended", "mail")], "a filter by queue and type")
    tap.equal(short(events(one, 3)), [("pushed", "mail"), ("leased", "mail"), ("ended", "mail")], "a job from the beginning on, then live")

    node.kill()
    node.start()
    ws = WebSocket(node, "/v1/jobs/live")
    ask(ws, offset=seen[2]["offset"])
    again = events(ws, 3)
    tap.equal([(e["offset"], e["event"]) for e in again], [(e["offset"], e["event"]) for e in seen[2:]],
              "after kill -9 the same events at the same offsets")
    push(node, "later")
    tap.equal(short(events(ws, 1)), [("pushed", "later")], "and then what comes")
    tap.equal(ask(ws, queue="only"), "subscribed", "another subscription replaces it")
    push(node, "not this")
    push(node, "only")
    tap.equal(short(events(ws, 1)), [("pushed", "only")], "only the new one's events come")
    ws.send('{"op":"unsubscribe"}')
    tap.equal(hear(ws)["say"], "unsubscribed", "it can be ended")
    for text, word in (("x", "object"), ('{"op":"dance"}', "op:"), ('{"op":"subscribe","who":1}', "fields"),
                       ('{"op":"subscribe","partition":9}', "partition"), ('{"op":"subscribe","job":"7"}', "hexadecimal")):
        ws.send(text)
        said = hear(ws)
        tap.ok(said["say"] == "error" and word in said["sentence"], "refused: " + text, said)
    tap.equal(ask(ws), "subscribed", "and the session lives on")

with Node(args=["--only", "jobs"], config="jobs:\n  partitions: 4\n") as node:
    ws = WebSocket(node, "/v1/jobs/live")
    ask(ws)
    names = ["a", "b", "c", "d", "e", "f", "g", "h"]
    for name in names:
        push(node, name)
    found = events(ws, len(names))
    tap.equal(sorted(e["event"]["queue"] for e in found), names, "the events of all partitions")
    tap.ok(len({e["partition"] for e in found}) > 1, "with their partition")
    ws.send('{"op":"subscribe","offset":0}')
    tap.ok("say which" in hear(ws)["sentence"], "an offset wants a partition, where there are several")
tap.done()
