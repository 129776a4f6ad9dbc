#!/usr/bin/env python3
"""What operators are given fits the binary: alert rules pass promtool and their own tests, every metric that rules, dashboard and
page name exists on a node, every alert has its section, and every command of the page exists."""
import json, os, re, shutil, subprocess, sys
SOURCE = os.environ.get("WEIR_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from node import Node, PATIENCE, Tap

tap = Tap()
FOLDER = os.path.join(SOURCE, "packaging", "prometheus")


def read(*parts):
    with open(os.path.join(SOURCE, *parts)) as file:
        return file.read()


def promtool(*args):
    program = shutil.which("promtool") or os.path.join(SOURCE, "build-tools", "usr", "bin", "promtool")
    if not os.path.exists(program):
        return None, ""
    done = subprocess.run([program] + list(args), cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE * 2)
    return done.returncode, done.stdout.decode()


for args, name in ((("check", "rules", "weir.rules.yml"), "promtool takes the alert rules"),
                   (("test", "rules", "weir.rules.test.yml"), "the alert rules fire where they should, and only there")):
    code, said = promtool(*args)
    if code is None:
        print("# NOT TESTED: there is no promtool (./x deps test)")
        tap.skip(name, "there is no promtool on this machine")
    else:
        tap.ok(code == 0, name, said)

rules, tests, page = read("packaging/prometheus/weir.rules.yml"), read("packaging/prometheus/weir.rules.test.yml"), read("docs/operations.md")
alerts = re.findall(r"- alert: (\w+)", rules)
blocks = tests.split("alertname: ")[1:]
for alert in alerts:
    mine = [block for block in blocks if block.split()[0] == alert]
    tap.ok(any("exp_labels" in b for b in mine) and any("exp_alerts: []" in b for b in mine),
           "%s is tested where it fires and where it does not" % alert)
    tap.ok("\n### %s\n" % alert in page and "docs/operations.md#%s" % alert.lower() in rules, "%s has its section in operations.md" % alert)
sections = re.findall(r"^### (Weir\w+)$", page, re.M)
tap.equal(sorted(sections), sorted(alerts), "every section of an alert is of one that exists")

dashboard = json.loads(read("packaging/grafana/weir.json"))
expressions = [t["expr"] for p in dashboard["panels"] for t in p.get("targets", [])]
tap.ok(len(expressions) > 30 and len({p["id"] for p in dashboard["panels"]}) == len(dashboard["panels"]), "the dashboard's panels have ids of their own")
boxes = [p["gridPos"] for p in dashboard["panels"]]
overlaps = [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1:]
            if a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]]
tap.ok(not overlaps, "no panel of the dashboard covers another", overlaps)

with Node(args=["--lanes", "1", "--set", "exchange.ouch=127.0.0.1:0"]) as node:
    text = node.get("/metrics").body.decode()
known = set(re.findall(r"^(?:# TYPE )?(weir_\w+)", text, re.M))
for where, named in (("the alert rules", rules), ("their tests", tests), ("the dashboard", " ".join(expressions) + json.dumps(dashboard["templating"])),
                     ("operations.md", page)):
    unknown = sorted(set(re.findall(r"\bweir_\w+", named)) - known)
    tap.ok(not unknown, "every metric that %s name exists" % where, unknown)

# Each expression is one that Prometheus can read: as rules they pass the same check.
if promtool("--version")[0] is not None:
    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), "weir-dashboard-%d.yml" % os.getpid())
    with open(path, "w") as file:
        records = ["      - record: 'a:b%d'\n        expr: %s" % (i, json.dumps(e.replace("$__rate_interval", "1m").replace("$instance", ".*")))
                   for i, e in enumerate(expressions)]
        file.write("groups:\n  - name: dashboard\n    rules:\n" + "\n".join(records) + "\n")
    code, said = promtool("check", "rules", path)
    os.unlink(path)
    tap.ok(code == 0, "promtool can read every expression of the dashboard", said)

commands = {c["name"] for c in json.loads(subprocess.run([os.environ["WEIR"], "help", "--json"], stdout=subprocess.PIPE).stdout)["commands"]}
settings = {s["key"] for s in json.loads(subprocess.run([os.environ["WEIR"], "config", "print", "--json"], stdout=subprocess.PIPE).stdout)["settings"]}
for said in sorted(set(re.findall(r"`weir (?!ready )([a-z]+(?: [a-z]+)?)", page))):
    tap.ok(said in commands or said.split()[0] in commands, "operations.md names a command that exists: weir " + said)
for key in sorted(set(re.findall(r"`(exchange\.\w+|[a-z]+_(?:bytes|max|reserve))`", page))):
    tap.ok(key in settings or "exchange." + key in settings, "operations.md names a setting that exists: " + key)
tap.done()
