#!/usr/bin/env python3
"""kill -9 at random moments while effects are under way: each has exactly one final result, and every call is explained."""
import collections, os, random, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ledger import rounds
from node import Node, Tap
from target import Target

tap = Tap()
ROUNDS = rounds(25)
seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
tap.note("seed %d, %d rounds" % (seed, ROUNDS))
dice = random.Random(seed)
ATTEMPTS = 4
config = ("effects:\n  networks: 127.0.0.0/8\nnotify:\n  attempts: %d\n  concurrency: 32\n" % ATTEMPTS
          + "snapshot_bytes: 64KB\njournal_bytes: 16MB\n")


def records(node, topic):
    found, offset = [], 0
    while True:
        page = node.get("/v1/topics/%s/records?offset=%d&limit=500" % (topic, offset)).json()["records"]
        if not page:
            return found
        found += page
        offset = int(page[-1]["offset"]) + 1


def value(record):
    return record["value"] if isinstance(record["value"], dict) else record


with Target() as target, Node(start=False, config=config, args=["--only", "notify"]) as node:
    answers = [(200, {}, b"")] * 6 + [(503, {}, b""), (404, {}, b""), "reset"]
    lock = threading.Lock()

    def answer(call):
        with lock:
            time_s, what = dice.uniform(0, 0.03), dice.choice(answers)
        time.sleep(time_s)  # the destination's service time
        return what

    target.answer = answer
    acked, asked = {}, 0
    for i in range(ROUNDS):
        node.start(extra=["--lanes", str(dice.choice([1, 2, 4]))])
        stop = threading.Event()

        def ask():
            global asked
            while not stop.is_set():
                asked += 1
                number = asked
                try:
                    reply = node.post("/v1/notify/messages", {"url": target.url("/%d" % number), "text": str(number)},
                                      headers={"Idempotency-Key": "op-%d" % number})
                except Exception:  # the node is gone
                    return
                if reply.status == 202:
                    acked[int(reply.json()["id"])] = number

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(dice.uniform(0.02, 0.2))  # the moment of the crash, not a wait for something
        node.kill()
        stop.set()
        thread.join()
    target.answer = lambda call: (200, {}, b"")
    node.start()
    effects = lambda: node.get("/v1/services/notify/effects").json()["rows"][0]
    node.wait_for(lambda: sum(effects()[k] for k in ("waiting", "running", "resting")) == 0, what="the last results")
    ended = records(node, "notify.results")
    per_id = collections.Counter(int(value(r)["id"]) for r in ended)
    states = {int(value(r)["id"]): value(r) for r in ended}
    tap.ok(len(acked) > 2 * ROUNDS, "the kills met real load", "%d acknowledged" % len(acked))
    tap.equal([n for n in acked if n not in per_id], [], "each acknowledged one has a final result")
    tap.equal([n for n, count in per_id.items() if count != 1], [], "and exactly one")
    failed = {n for n, s in states.items() if s["state"] == "failed"}
    letters = records(node, "notify.dead")
    tap.equal(sorted(int(value(l)["tag"]) for l in letters), sorted(failed), "what failed has its dead letter, once")
    calls = collections.defaultdict(list)
    for call in target.calls:
        calls[call.path].append(call)
    tap.equal([path for path, made in calls.items() if len({c.key for c in made}) != 1], [],
              "all calls for one effect have one idempotency key")
    by_path = {"/%d" % number: states[n] for n, number in acked.items()}
    wrong = [(path, len(calls[path]), s["attempts"]) for path, s in by_path.items()
             if not s["attempts"] <= len(calls[path]) <= s["attempts"] + ROUNDS]
    tap.equal(wrong, [], "calls are as many as attempts, and at most one more for each kill")
    extra = sum(len(calls[path]) - s["attempts"] for path, s in by_path.items())
    tap.note("%d effects, %d calls, of which %d were made again after a kill; %d dead letters"
             % (len(per_id), len(target.calls), extra, len(letters)))
tap.done()
