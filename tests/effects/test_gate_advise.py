#!/usr/bin/env python3
"""`weir gate advise` against a server of known capacity: four at once, 20 ms each; and against one that fails."""
import json, os, subprocess, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Tap
from target import Target

tap = Tap()
BINARY = os.environ.get("WEIR") or sys.exit("WEIR is not set: the path of the binary under test")


def advise(*args):
    done = subprocess.run([BINARY, "gate", "advise", "--method", "POST", "--seconds", "1", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


with Target() as target:
    slots = threading.Semaphore(4)

    def work(call):
        with slots:
            time.sleep(0.02)  # the service time of the server under test
        return (200, {}, b"ok")

    target.answer = work
    code, out, err = advise(target.url(), "--max", "32", "--json")
    told = json.loads(out) if code == 0 else {}
    tap.note("alone %.1f ms, at most %.0f/s: cap %s, rate %.0f/s" % (told.get("aloneMs", 0), told.get("mostPerSecond", 0),
                                                                   told.get("runningMax"), told.get("perSecond", 0)))
    # Four are served at once: on a busy machine a call alone takes longer, and the server is no faster.
    tap.ok(code == 0 and 3 <= told["runningMax"] <= 6, "the cap is about what the server does at once", out + err)
    tap.ok(told and told["perSecond"] < told["mostPerSecond"] <= 205, "the rate stays below what it can do at most", out)
    tap.ok(told and [s["atOnce"] for s in told["steps"]] == [1, 2, 4, 8, 16][:len(told["steps"])] and len(told["steps"]) >= 4,
           "it asks for 1, 2, 4, ... and stops behind the knee", out)
    steps = told.get("steps") or [{}]
    tap.ok(told and steps[-1]["p50Ms"] > 1.5 * steps[0]["p50Ms"], "behind the knee calls only wait", out)

    def refuse_third(call):
        if not two.acquire(blocking=False):
            return (503, {}, b"")
        time.sleep(0.02)
        two.release()
        return (200, {}, b"")

    two = threading.Semaphore(2)
    target.answer = refuse_third
    code, out, err = advise(target.url(), "--json")
    told = json.loads(out) if code == 0 else {}
    tap.ok(code == 0 and "fail" in told["why"], "where calls begin to fail it stops", out + err)
    code, out, _ = advise(target.url(), "--max", "1")
    tap.ok(code == 0 and "AT ONCE" in out and "Proposed:" in out, "without --json it is a table", out)
    target.answer = lambda call: (404, {}, b"")
    code, out, err = advise(target.url())
    tap.ok(code != 0 and "none of" in err, "a URL that never succeeds is told so", err)
code, out, err = advise("http://127.0.0.1:1/")
tap.ok(code != 0 and "none of" in err, "so is one where nobody listens", err)
code, out, err = advise("nonsense")
tap.ok(code != 0 and "URL" in err, "and what is no URL", err)
tap.done()
