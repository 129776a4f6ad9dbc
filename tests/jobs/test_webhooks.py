#!/usr/bin/env python3
"""Jobs are sent to URLs: what fails is tried again as the job says; a destination that is down, slow or asks for a pause holds up its
own jobs alone, which spend no attempts meanwhile; kill -9 in the middle loses nothing."""
import base64, hashlib, hmac, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from target import Target

tap = Tap()
CONFIG = """effects:
  networks: 127.0.0.0/8
jobs:
  breaker_calls: 4
  breaker_open: 500ms
  webhook_timeout: 1s
  webhooks_each: 4
"""


def push(node, **job):
    job.setdefault("type", "hook")
    reply = node.post("/v1/jobs", job)
    assert reply.status == 201, reply
    return reply.json()["id"]


def push_many(node, count, **job):
    job.setdefault("type", "hook")
    reply = node.post("/v1/jobs/push", {"jobs": [job] * count})
    assert reply.status == 200 and all(j["id"] and not j["reason"] for j in reply.json()["jobs"]), reply
    return [j["id"] for j in reply.json()["jobs"]]


def stats(node):
    return node.get("/v1/jobs/stats").json()


def settled(node, **counts):
    node.wait_for(lambda: all(int(stats(node)[k]) == v for k, v in counts.items()), what="stats %r" % counts)


def destination(node, target):
    for d in node.get("/v1/jobs/destinations").json()["destinations"]:
        if d["destination"] == "127.0.0.1:%d" % target.port:
            return d


def attempts(calls):
    """How often each job came, by its id."""
    count = {}
    for c in calls:
        count.setdefault(c.headers["weir-job-id"], []).append(int(c.headers["weir-job-attempt"]))
    return count


OK = (200, {}, b"fine")
FAST = {"backoff": "FIXED", "backoffMs": 20}

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
    tap.equal([q["url"] for q in node.get("/v1/jobs/queues").json()["queues"]], [good.url("/in")], "the queue says where")

    # -- jobs that wait go where the queue's jobs go now
    push_many(node, 3, queue="later")
    node.request("PUT", "/v1/jobs/queues/later/destination", {"url": good.url("/later")})
    settled(node, done=4)
    tap.equal(len([c for c in good.calls if c.path == "/later"]), 3, "a destination takes what was there before it")
    node.request("DELETE", "/v1/jobs/queues/later/destination")
    push(node, queue="later")
    tap.equal(len(node.post("/v1/jobs/fetch", {"queues": ["later"]}).json()["jobs"]), 1, "without one, workers fetch again")
    node.post("/v1/jobs/operate", {"action": "CANCEL", "state": "RUNNING", "queue": "later"})

    # -- what is refused
    for url in ("ftp://a/", "http://", "http://u@h/", "http://a b/", "http://" + "h" * 70):
        tap.equal(node.post("/v1/jobs", {"type": "t", "url": url}).status, 400, "no URL: %s" % url[:30])
    tap.equal(node.post("/v1/jobs", {"type": "t", "url": good.url(), "payload": "x" * 60001}).status, 413, "too large a payload")

    # -- every kind of failure is tried again, as far as attemptsMax, then dead with all its attempts
    kinds = {"/500": (500, {}, b"oh"), "/410": (410, {}, b"gone"), "/reset": "reset", "/hang": None}
    bad.answer = lambda call: kinds[call.path]
    node.post("/v1/jobs/limits", {"kind": "DESTINATION", "name": "127.0.0.1:%d" % bad.port, "concurrency": 50})
    ids = {path: push(node, queue="q", url=bad.url(path), attemptsMax=2, **FAST) for path in kinds}
    settled(node, dead=4)
    said = {path: [(a["error"], a["message"]) for a in node.get("/v1/jobs/" + i).json()["attempts"]] for path, i in ids.items()}
    tap.equal((said["/500"], said["/410"]), ([("Http500", "oh")] * 2, [("Http410", "gone")] * 2), "a status and its body are kept")
    tap.equal(([e for e, _ in said["/reset"]], [e for e, _ in said["/hang"]]), (["reset"] * 2, ["timeout"] * 2), "what broke is named")
    # The HTTP client sends again by itself when a kept connection breaks: the same attempt.
    tap.equal([sorted(set(a)) for a in attempts(bad.calls).values()], [[1, 2]] * 4, "each was sent as often as it may, and says so")
    node.post("/v1/jobs/operate", {"action": "DROP", "state": "DEAD"})

with Target() as good, Target() as bad, Node(config=CONFIG, args=["--only", "jobs"]) as node:
    # -- a destination that fails: its breaker opens, its jobs wait and spend nothing, the others of the queue go on
    bad.answer = lambda call: (500, {}, b"")
    node.request("PUT", "/v1/jobs/queues/warm/destination", {"url": bad.url("/warm")})
    broken = push_many(node, 40, queue="shared", url=bad.url("/b"), attemptsMax=5, backoff="FIXED", backoffMs=20)
    node.wait_for(lambda: destination(node, bad)["breaker"] != "CLOSED", what="an open breaker")
    push_many(node, 100, queue="shared", url=good.url("/g"))
    settled(node, done=100)
    tap.equal(len(good.calls), 100, "those of another destination go on")
    tap.ok(good.most_at_once <= 4, "at most webhooks_each at once", good.most_at_once)
    d = destination(node, bad)
    tap.ok(d["waiting"] > 0, "the broken one's jobs wait", d)
    tap.equal(int(stats(node)["dead"]), 0, "none has spent its attempts")
    seen = len(bad.calls)
    tap.ok(seen < 40, "while it is open nearly nothing is sent", seen)
    metrics = node.get("/metrics").body.decode()
    tap.ok('weir_jobs_destinations_open{partition="0"} 1' in metrics, "a metric says so")
    bad.answer = lambda call: OK
    settled(node, done=140, running=0)
    tap.equal(destination(node, bad)["breaker"], "CLOSED", "probes find that it is well again")
    tap.ok(max(max(a) for a in attempts(bad.calls).values()) <= 4, "no job came near its last attempt",
           max(max(a) for a in attempts(bad.calls).values()))

    # -- 429 with Retry-After: that destination's jobs wait, whichever they are
    answers = iter([(429, {"retry-after": "1"}, b"")])
    bad.calls.clear()
    bad.answer = lambda call: next(answers, OK)
    node.post("/v1/jobs/limits", {"kind": "DESTINATION", "name": "127.0.0.1:%d" % bad.port, "concurrency": 1})
    push_many(node, 3, queue="shared", url=bad.url("/r"), backoff="FIXED", backoffMs=20)
    push(node, queue="shared", url=good.url("/g"))
    settled(node, done=144)
    tap.ok(bad.calls[1].time - bad.calls[0].time >= 0.95, "not before Retry-After is over", bad.calls[1].time - bad.calls[0].time)
    tap.equal(sorted(attempts(bad.calls).values()), [[1], [1], [1, 2]], "the one that was asked to come back did")
    tap.equal(bad.most_at_once <= 4, True, "a concurrency of its own")

with Target() as slow, Target() as good, Node(config=CONFIG, args=["--only", "jobs"]) as node:
    # -- a destination that hangs has its few places and no more
    slow.answer = lambda call: None
    push_many(node, 20, queue="one", url=slow.url("/"), attemptsMax=1)
    node.wait_for(lambda: len(slow.calls) >= 4, what="calls of the slow one")
    push_many(node, 50, queue="one", url=good.url("/"))
    settled(node, done=50)
    tap.ok(len([j for j in node.get("/v1/jobs?queue=one&state=READY").json()["jobs"]]) > 0, "the slow one's jobs still wait")

    # -- kill -9 while jobs are being sent
    node.post("/v1/jobs/queues/one/clear")
    node.wait_for(lambda: int(stats(node)["running"]) == 0, what="the end of what is under way")
    slow.calls.clear()
    before, done = int(stats(node)["dead"]), int(stats(node)["done"])
    with Target() as held:
        held.answer = lambda call: None
        ids = push_many(node, 10, queue="k", url=held.url("/k"), attemptsMax=2, timeoutMs=60000)
        node.wait_for(lambda: len(held.calls) == 4, what="calls under way")
        node.kill()
        held.answer = lambda call: OK
        node.start()
        settled(node, done=done + 10, running=0)
        came = attempts(held.calls)
        tap.equal(sorted(came), sorted(ids), "none is lost")
        tap.equal(sorted(came.values()), [[1]] * 6 + [[1, 1]] * 4, "what was under way is sent again, as the same attempt")
        keys = {}
        for c in held.calls:
            keys.setdefault(c.headers["weir-job-id"], set()).add(c.key)
        tap.equal([len(k) for k in keys.values()], [1] * 10, "with the same idempotency key")
    tap.equal(int(stats(node)["dead"]), before, "and none died of it")
    node.restart()
    tap.equal(destination(node, good)["destination"], "127.0.0.1:%d" % good.port, "a snapshot has the destinations")

# -- spacing and the dead letter, with the default five attempts
with Target() as bad, Node(config=CONFIG.replace("breaker_calls: 4", "breaker_calls: 100"), args=["--only", "jobs"]) as node:
    bad.answer = lambda call: (503, {}, b"busy")
    push(node, url=bad.url("/"), backoff="FIXED", backoffMs=150)
    settled(node, dead=1)
    times = [c.time for c in bad.calls]
    tap.equal(len(times), 5, "five attempts, then it is dead")
    tap.ok(min(b - a for a, b in zip(times, times[1:])) >= 0.14, "as far apart as the job says",
           ["%.3f" % (b - a) for a, b in zip(times, times[1:])])

# -- signed, as the receiver checks it
with Target() as good, Node(config=CONFIG, start=False) as node:
    path = os.path.join(node.folder, "secret")
    with open(path, "w") as file:
        file.write("whsec_%s\n" % base64.b64encode(b"k" * 32).decode())
    node.args += ["--only", "jobs", "--set", "jobs.webhook_secret=" + path]
    node.start()
    push(node, url=good.url("/"), payload="signed")
    settled(node, done=1)
    h = good.calls[0].headers
    text = "%s.%s.signed" % (h["webhook-id"], h["webhook-timestamp"])
    want = "v1," + base64.b64encode(hmac.new(b"k" * 32, text.encode(), hashlib.sha256).digest()).decode()
    tap.equal(h["webhook-signature"], want, "what is sent is signed")
tap.done()
