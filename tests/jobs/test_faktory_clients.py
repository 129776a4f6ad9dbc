#!/usr/bin/env python3
"""Clients of Faktory that we did not write, unchanged: npm's faktory-worker, and the Go client of Faktory's author.

They are fetched by npm and go into build-tools/faktory once; where that cannot be done, the test says so and is skipped."""
import json, os, shutil, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, PATIENCE, Tap

tap = Tap()
HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(os.environ.get("WEIR_SOURCE") or os.path.join(HERE, "..", ".."), "build-tools", "faktory")


def fetched(command, cwd, env=None):
    """Runs what fetches or builds a client; "" or why it failed."""
    if not shutil.which(command[0]):
        return "there is no " + command[0]
    try:
        done = subprocess.run(command, cwd=cwd, env=dict(os.environ, **(env or {})), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=4 * PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return "%s took too long" % command[0]
    return "" if done.returncode == 0 else "%s: %s" % (" ".join(command), done.stdout.decode(errors="replace").strip()[-200:])


def node_client():
    if os.path.isdir(os.path.join(TOOLS, "node_modules", "faktory-worker")):
        return "" if shutil.which("node") else "there is no node"
    os.makedirs(TOOLS, exist_ok=True)
    return fetched(["npm", "install", "--no-audit", "--no-fund", "--prefix", TOOLS, "faktory-worker@4.7.1"], TOOLS)


def go_client():
    if os.path.exists(os.path.join(TOOLS, "go-client")):
        return ""
    os.makedirs(TOOLS, exist_ok=True)
    return fetched(["go", "build", "-o", os.path.join(TOOLS, "go-client"), "."], os.path.join(HERE, "clients", "go"), {"GOFLAGS": "-mod=mod"})


def steps(command, env):
    done = subprocess.run(command, env=dict(os.environ, **env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=4 * PATIENCE, check=False)
    said = {}
    for line in done.stdout.decode().splitlines():
        row = json.loads(line)
        said[row["step"]] = row["value"]
    if done.returncode:
        said["error"] = said.get("error") or done.stderr.decode()
    return said


def run(node, name, missing, command, env, wanted):
    if missing:
        tap.skip("%s works unchanged" % name, "NOT TRIED: " + missing)
        return
    said = steps(command, env)
    tap.ok("error" not in said, "%s comes to its end" % name, said.get("error", ""))
    for step, value in wanted.items():
        tap.equal(said.get(step), value, "%s: %s" % (name, step))


def main():
    with Node() as node:
        port = node.port("jobs.faktory")
        run(node, "npm's faktory-worker", node_client(), ["node", os.path.join(HERE, "clients", "node.js"), str(port)],
            {"NODE_PATH": os.path.join(TOOLS, "node_modules")},
            {"worked": [100, 2 * (45 + sum(range(90)))], "failed": ["on purpose"], "retries": 0, "scheduled": 1, "dead": 1, "cleared": 0,
             "stopped": 0})
        run(node, "the Go client", go_client(), [os.path.join(TOOLS, "go-client")], {"FAKTORY_URL": "tcp://127.0.0.1:%d" % port},
            {"refused": 1, "fetched": [True, "Go", 600, 2, True, True], "worked": [49, 1], "beat": "", "tracked": ["working", 50],
             "unique": True, "info": [True, "weir", True]})
    tap.done()


main()
