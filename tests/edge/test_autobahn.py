#!/usr/bin/env python3
"""The Autobahn test suite itself against the node: its own client, its own verdicts. $WEIR_AUTOBAHN is the folder that autobahn-suite
made; without it this skips, and test_websocket.py has the same cases. Sections 9 and 12 are left out unless $WEIR_AUTOBAHN_CASES names
them: they take minutes, nearly all of it in the suite's client."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from echo import Echo
from node import Tap

tap = Tap()
suite = os.environ.get("WEIR_AUTOBAHN", "")
if not os.path.exists(os.path.join(suite, "python")):
    tap.skip("the Autobahn test suite finds nothing wrong", "WEIR_AUTOBAHN NAMES NO FOLDER THAT tests/edge/autobahn-suite MADE")
    tap.done()
cases = os.environ.get("WEIR_AUTOBAHN_CASES", "1.* 2.* 3.* 4.* 5.* 6.* 7.* 10.*").split()

with Echo(args=["--set", "websocket_deflate=true"]) as node:
    spec = os.path.join(node.folder, "spec.json")
    reports = os.path.join(node.folder, "reports")
    with open(spec, "w") as file:
        json.dump({"outdir": reports, "servers": [{"agent": "weir", "url": "ws://127.0.0.1:%d/v1/echo" % node.port()}],
                   "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}, file)
    with open(os.path.join(suite, "python")) as file:
        python = file.read().strip()
    run = subprocess.run([python, "-c", "import txaio; txaio.use_twisted(); import sys; sys.argv = ['wstest', '-m', 'fuzzingclient', '-s', %r]; "
                          "from autobahntestsuite import wstest; wstest.run()" % spec],
                         env=dict(os.environ, PYTHONPATH=suite), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    index = os.path.join(reports, "index.json")
    if not tap.ok(os.path.exists(index), "the suite ran", run.stdout.decode(errors="replace")[-4000:]):
        tap.done()
    with open(index) as file:
        verdicts = json.load(file)["weir"]
    tap.note("%d cases: %s" % (len(verdicts), " ".join(cases)))
    for name in sorted(verdicts, key=lambda n: [int(part) for part in n.split(".")]):
        found = verdicts[name]["behavior"], verdicts[name]["behaviorClose"]
        tap.ok(all(word in ("OK", "INFORMATIONAL") for word in found), "the suite's case " + name, found)
    tap.equal(node.stop(), 0, "and the node stops as it should")
tap.done()
