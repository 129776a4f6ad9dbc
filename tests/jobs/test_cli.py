#!/usr/bin/env python3
"""`weir jobs ...`: the verbs that the service's routes have on the command line, against a node."""
import json, os, pty, signal, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

tap = Tap()
with Node(args=["--only", "jobs"]) as node:
    def weir(*words):
        done = subprocess.run([node.binary, "jobs"] + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, WEIR_NODE="%s:%d" % node.addresses["http"]))
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    code, out, err = weir("push", "--queue", "mail", "--type", "welcome", "--payload", '{"to":"a"}', "--tags", "x", "--tags", "y",
                          "--attempts-max=1", "--json")
    tap.ok(code == 0, "a job is pushed", err)
    job = json.loads(out)["id"]
    code, out, err = weir("show", job, "--json")
    view = json.loads(out)
    tap.equal((view["queue"], view["payload"], view["tags"], view["attemptsMax"]), ("mail", '{"to":"a"}', ["x", "y"], 1),
              "and shown as it was pushed")
    code, out, err = weir("list", "--state", "READY", "--queue", "mail")
    tap.ok(code == 0 and job in out, "it is listed", out + err)
    code, out, err = weir("fetch", "--queues", "mail", "--worker", "w", "--json")
    lease = json.loads(out)["jobs"][0]
    tap.equal(lease["id"], job, "and fetched")
    code, out, err = weir("fail", "--body", json.dumps({"jobs": [{"id": job, "epoch": lease["epoch"], "error": "E"}]}), "--json")
    tap.equal(json.loads(out)["jobs"][0]["state"], "DEAD", "what has lists takes its body as JSON")
    code, out, err = weir("requeue", job)
    tap.ok(code == 0 and "1" in out, "the dead one is requeued", out + err)
    code, out, err = weir("pause", "mail")
    code, out, err = weir("queues", "--json")
    queue = [q for q in json.loads(out)["queues"] if q["queue"] == "mail"][0]
    tap.equal((queue["paused"], queue["ready"]), (True, 1), "a queue is paused, and listed as such")
    code, out, err = weir("cancel", job)
    code, out, err = weir("show", job)
    tap.ok(code != 0 and "jobs.events" in err, "a cancelled one is gone, and it is said where its history is", err)
    # -- top: once in a pipe, over and over on a terminal
    code, out, err = weir("top", "--json")
    top = json.loads(out)
    tap.equal((code, top["stats"]["pushed"], [q["queue"] for q in top["queues"]], [w["worker"] for w in top["workers"]]),
              (0, "1", ["mail"], []), "top --json: counts, queues that are busy or paused, workers")
    code, out, err = weir("top")
    tap.ok(code == 0 and "mail" in out and "\x1b" not in out, "top in a pipe says it once", out + err)
    terminal, end = pty.openpty()
    drawn = subprocess.Popen([node.binary, "jobs", "top", "--node", "%s:%d" % node.addresses["http"]], stdout=end, stderr=end)
    seen = b""
    while seen.count(b"\x1b[2J") < 3:
        seen += os.read(terminal, 65536)
    drawn.send_signal(signal.SIGINT)
    tap.equal((drawn.wait(), b"mail" in seen), (-signal.SIGINT, True), "on a terminal it is drawn again, until it is interrupted")
    for words, text in ((["nonsense"], "no verb nonsense"), (["show"], "which one"), (["show", "a", "b"], "b"), (["list", "--stat", "x"], "--stat"),
                        (["list", "--state"], "--state")):
        code, out, err = weir(*words)
        tap.ok(code == 64 and text in err, "weir jobs %s: %s" % (" ".join(words), text), err)
    code, out, err = weir("list", "--state", "NONE")
    tap.ok(code not in (0, 64) and "state" in err, "what the node refuses is said with its words", err)
    code, out, err = weir("--help")
    tap.ok(code == 0 and "requeue" in out, "--help lists the verbs")
    code, out, err = weir("push", "--help")
    tap.ok(code == 0 and "--unique_until NAME: SUCCESS|START|TIME" in out, "a verb's says what it takes", out)
tap.done()
