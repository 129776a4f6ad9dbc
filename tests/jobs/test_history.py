#!/usr/bin/env python3
"""What became of jobs, asked of the projection jobs.history: by HTTP, and by python's SQLite; a kill in between. The audit
topic says what must be there."""
import json, os, random, sqlite3, sys, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from backup import records
from node import Node, Tap
from projection import facts, wait_until_even

tap = Tap()
seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
dice = random.Random(seed)
tap.note("seed %d" % seed)
NAME, PARTITIONS = "jobs.history", 2


def push(node, **job):
    return node.post("/v1/jobs", dict({"type": "mail"}, **job)).json()["id"]


def fetch(node, **how):
    return node.post("/v1/jobs/fetch", dict({"worker": "w1"}, **how)).json()["jobs"]


def history(node, **query):
    """All pages of an answer."""
    found, after = [], ""
    while True:
        text = "&".join("%s=%s" % item for item in dict(query, **({"after": after} if after else {})).items())
        answer = node.get("/v1/jobs/history?" + text)
        assert answer.status == 200, answer
        found += answer.json()["jobs"]
        after = answer.json()["next"]
        if not after:
            return found


def expected(node):
    """What the audit says of each job, and how many transitions there are."""
    jobs, events = {}, 0
    for part in range(PARTITIONS):
        for _, text in records(node, "jobs.events", part):
            e = json.loads(text)["value"]
            events += 1
            jobs.setdefault(e["job"], {}).update(state=e["state"].upper(), queue=e["queue"], attempt=e.get("attempt", 0))
    return jobs, events


with Node(args=["--only", "jobs", "--set", "jobs.partitions=%d" % PARTITIONS]) as node:
    tap.equal(history(node), [], "a node that never had a job answers with none")
    tap.ok(not os.path.exists(os.path.join(node.data, "projections", "jobs.db")), "and has opened no database for that")
    done = push(node, queue="mails", tags=["x"], tenant="t1", jid="mine")
    dead = push(node, queue="mails", attemptsMax=1)
    kept = push(node, queue="other", delayMs=3600000)
    for job in fetch(node, queues=["mails"], max=10):
        report = {"id": job["id"], "epoch": job["epoch"]}
        if job["id"] == done:
            node.post("/v1/jobs/ack", {"jobs": [dict(report, result="fine")]})
        else:
            node.post("/v1/jobs/fail", {"jobs": [dict(report, error="Boom", message="a 100% failure")]})
    wait_until_even(node, NAME)
    job = history(node, jid="mine")[0]
    tap.equal([job["id"], job["state"], job["tenant"], job["result"], job["worker"]], [done, "DONE", "t1", "fine", "w1"],
              "a job that is done is found by its client's id")
    tap.equal([j["id"] for j in history(node, state="DEAD")], [dead], "the dead letters are a search by state")
    tap.equal([j["id"] for j in history(node, queue="other")], [kept], "a search by queue")
    tap.equal([j["id"] for j in history(node, state="DEAD", queue="other")], [], "conditions are together")
    events = node.get("/v1/jobs/history/" + done).json()["events"]
    tap.equal([e["transition"] for e in events], ["pushed", "leased", "ended"], "every transition of a job, in order")
    tap.equal(node.get("/v1/jobs/history?limit=9999").status, 400, "a limit beyond the maximum is refused")
    tap.equal(node.get("/v1/jobs/history?after=x").status, 400, "and an `after` that is none")
    found = node.get("/v1/jobs/history?queue=%27%20OR%201%3D1%20--").json()["jobs"]
    tap.equal(found, [], "a client's text is a value, whatever it looks like")

    # -- many, and a kill
    def work():
        try:
            for n in range(30):
                node.post("/v1/jobs/push", {"jobs": [{"type": "n", "queue": "q%d" % (n % 7)} for _ in range(20)]})
                got = fetch(node, queues=["q%d" % (n % 7)], max=15)
                node.post("/v1/jobs/ack", {"jobs": [{"id": j["id"], "epoch": j["epoch"]} for j in got]})
        except OSError:
            pass
    for _ in range(2):
        threads = [threading.Thread(target=work) for _ in range(2)]
        for t in threads:
            t.start()
        before = facts(node, NAME)["rows"]
        node.wait_for(lambda: facts(node, NAME)["rows"] > before + dice.randint(100, 1000), what="rows under load")
        node.kill()
        for t in threads:
            t.join()
        node.start()
    wait_until_even(node, NAME)
    jobs, transitions = expected(node)
    with sqlite3.connect(os.path.join(node.data, "projections", "jobs.db")) as file:
        rows = dict((r[0], dict(state=r[1], queue=r[2], attempt=r[3])) for r in file.execute("SELECT id, state, queue, attempt FROM jobs"))
        count = file.execute("SELECT count(*), count(DISTINCT part * 1000000 + record) FROM jobs_events").fetchone()
    tap.ok(rows == jobs and len(jobs) > 100, "after kills each of %d jobs is in the table as the audit has it" % len(jobs),
           [(k, rows.get(k), jobs.get(k)) for k in set(rows) | set(jobs) if rows.get(k) != jobs.get(k)][:5])
    tap.equal(list(count), [transitions, transitions], "and each of %d transitions, once" % transitions)
    paged = [j["id"] for j in history(node, limit=97)]
    tap.ok(sorted(paged) == sorted(jobs), "pages have every job once", "%d of %d" % (len(set(paged)), len(jobs)))
    tap.equal(node.stop(), 0, "a clean stop")
tap.done()
