#!/usr/bin/env python3
"""Destinations that are down, hang, reset or are full: only their own effects wait, and attempts are not spent on an open
breaker; signatures; a stop that waits for calls under way; commands are refused when too much is outstanding."""
import base64, hashlib, hmac, os, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from target import Target

tap = Tap()
EFFECTS = "/v1/services/notify/effects"


def post(node, url, text="hello"):
    return node.post("/v1/notify/messages", {"url": url, "text": text})


def send(node, url, text="hello"):
    reply = post(node, url, text)
    assert reply.status == 202, reply
    return int(reply.json()["id"])


def look(node, number):
    return node.get("/v1/notify/messages/%d" % number).json()


def ended(node, number):
    return node.wait_for(lambda: look(node, number)["state"] != "waiting" and look(node, number), what="a final result")


def config(folder=None, more=""):
    return "effects:\n  networks: 127.0.0.0/8\nnotify:\n  concurrency: 64\n" + more


with Target() as down, Target() as fine, Node(config=config(more="  attempts: 32\n"), args=["--only", "notify"]) as node:
    down.answer = lambda call: (500, {}, b"")
    broken = [send(node, down.url("/%d" % i)) for i in range(40)]
    node.wait_for(lambda: node.get(EFFECTS).json()["rows"][0]["keysOpen"] == 1, what="an open breaker")
    node.wait_for(lambda: node.get(EFFECTS).json()["rows"][0]["running"] == 0, what="the last calls before it opened")
    calls = len(down.calls)
    good = [send(node, fine.url("/%d" % i)) for i in range(50)]
    states = [ended(node, n) for n in good]
    tap.ok(all(s["state"] == "delivered" and s["attempts"] == 1 for s in states), "the others' effects go on meanwhile")
    tap.equal(len(down.calls), calls, "an open breaker lets nothing through")
    tap.ok(20 <= calls < 40, "it opened after 20 failures, and what was under way", "%d calls" % calls)
    spent = sum(look(node, n)["attempts"] for n in broken)
    tap.equal(spent, calls, "and no attempt is spent on it")
    row = node.get(EFFECTS).json()["rows"][0]
    tap.equal((row["waiting"] + row["resting"], row["breaker"]), (40, "closed"), "they wait; the row's own breaker is closed")
    tap.equal(node.metric("weir_notify_effect_keys_open", '{effect="send",partition="0"}'), 1, "a metric tells that one is open")

secret = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
with Target() as target, Node(start=False) as node:
    path = os.path.join(node.folder, "secret")
    with open(path, "w") as file:
        file.write("whsec_%s\n" % secret)
    node.args += ["--only", "notify", "--set", "effects.networks=127.0.0.0/8", "--set", "notify.secret=" + path]
    node.start()
    ended(node, send(node, target.url("/signed"), "payload"))
    call = target.calls[0]
    signed = "%s.%s.payload" % (call.headers["webhook-id"], call.headers["webhook-timestamp"])
    want = base64.b64encode(hmac.new(base64.b64decode(secret), signed.encode(), hashlib.sha256).digest()).decode()
    tap.equal(call.headers["webhook-signature"], "v1," + want, "requests are signed after Standard Webhooks")
    tap.equal(call.headers["webhook-id"], call.key, "their id is the idempotency key")
    tap.ok(abs(int(call.headers["webhook-timestamp"]) - time.time()) < 3600, "their time is the present one")
    files = [os.path.join(at, name) for at, _, names in os.walk(node.data) for name in names]
    tap.ok(not any(secret.encode() in open(f, "rb").read() or b"0123456789abcdef" in open(f, "rb").read() for f in files),
           "the secret is nowhere in the data folder")

    begun = threading.Event()

    def slow(call):
        begun.set()
        time.sleep(0.5)  # the destination's service time
        return (200, {}, b"")

    target.answer = slow
    number = send(node, target.url("/slow"))
    begun.wait(60)
    node.stop()
    target.answer = lambda call: (200, {}, b"")
    node.start()
    tap.equal(ended(node, number)["state"], "delivered", "a clean stop waits for calls under way")
    tap.equal(len([c for c in target.calls if c.path == "/slow"]), 1, "which are not made again")
    target.answer = lambda call: "reset"
    with open(path, "w") as file:
        file.write("short")
    node.stop()
    try:
        node.start()
        tap.ok(False, "a secret that is none refuses the start")
    except RuntimeError as error:
        tap.ok("notify.secret" in str(error) and "short" not in str(error), "a secret that is none refuses the start, and is not told",
               str(error))

with Target() as target, Node(config=config(more="  attempts: 1\n"), args=["--only", "notify"]) as node:
    target.answer = lambda call: "reset"
    tap.equal(ended(node, send(node, target.url("/")))["why"], "reset", "a connection that breaks is told so")
    tap.equal(ended(node, send(node, "http://127.0.0.1:1/"))["why"], "refused", "so is one that is refused")
    tap.equal(ended(node, send(node, "http://nowhere.invalid/"))["why"], "dns", "a name that leads nowhere")
    tap.equal(ended(node, send(node, "https://127.0.0.1:%d/" % target.port))["why"], "tls", "and a server without TLS")
    tap.equal(ended(node, send(node, "nonsense"))["why"], "rejected", "what is no URL is not tried")
    tap.equal(node.post(EFFECTS + "/pause?effect=send").status, 200, "the row is paused")
    replies = [post(node, target.url("/full")) for _ in range(1100)]
    full = [r for r in replies if r.status == 503]
    tap.equal(len(replies) - len(full), 1024, "as many as may be outstanding are taken")
    tap.ok(full and full[0].header("retry-after"), "the others are refused with Retry-After", str(full[:1]))
    tap.ok(full and full[0].json()["code"] == "FULL" and "1024" in full[0].json()["detail"], "and told why", str(full[:1]))
tap.done()
