#!/usr/bin/env python3
"""What is packaged fits the binary: versions agree, every configuration in it is one the binary takes, every command in it exists, the
unit stays closed. The packages themselves are made by ./x package."""
import json, os, re, shlex, shutil, subprocess, sys, tempfile
SOURCE = os.environ.get("WEIR_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from node import PATIENCE, Tap

tap = Tap()
WEIR = os.environ["WEIR"]


def read(*parts):
    with open(os.path.join(SOURCE, "packaging", *parts)) as file:
        return file.read()


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
    return done.returncode, done.stdout.decode("utf-8", "replace")


version = json.loads(run(WEIR, "version", "--json")[1])["version"]
tables = json.loads(run(WEIR, "help", "--json")[1])
commands = {c["name"]: {f["name"] for f in c["flags"] + tables["common_flags"]} for c in tables["commands"]}
codes = {x["code"]: x["name"] for x in json.loads(run(WEIR, "help", "exit-codes", "--json")[1])["exit_codes"]}
unit, docker, manifest = read("debian", "weir.service"), read("docker", "Dockerfile"), read("kubernetes", "weir.yaml")
chart, node = read("helm", "weir", "Chart.yaml"), read("helm", "weir", "templates", "node.yaml")

for where, found in (("the Debian package", re.match(r"weir \(([\d.]+)-", read("debian", "changelog")).group(1)),
                     ("the chart", re.search(r'appVersion: "([\d.]+)"', chart).group(1)),
                     ("the manifest's image", re.search(r"image: weir:([\d.]+)", manifest).group(1))):
    tap.equal(found, version, "%s has the version of the binary" % where)


def check_command(where, words):
    """words: what follows the program's name."""
    name = next((n for n in (" ".join(words[:2]), words[0]) if n in commands), None)
    unknown = [w for w in words if w.startswith("--") and w[2:].split("=")[0] not in commands.get(name, set())]
    tap.ok(name and not unknown, "%s: `weir %s` is a command with such flags" % (where, " ".join(words)), unknown)


check_command("the unit", shlex.split(re.search(r"^ExecStart=/usr/bin/weir (.*)$", unit, re.M).group(1)))
check_command("the image", json.loads(re.search(r"^CMD (\[.*\])$", docker, re.M).group(1)))
check_command("the image's health check", json.loads(re.search(r"HEALTHCHECK .*CMD (\[.*\])$", docker, re.M).group(1))[1:])
for where, text in (("the manifest", manifest), ("the chart", node)):
    check_command(where, json.loads(re.search(r"args: (\[.*\])", text).group(1)))
    probes = re.findall(r"command: (\[.*\])", text)
    tap.equal(len(probes), 3, "%s has three probes" % where)
    for probe in probes:
        check_command(where, json.loads(probe)[1:])

with tempfile.TemporaryDirectory() as folder:
    inner = re.search(r"weir.yaml: \|\n((?:    .*\n)+)", manifest).group(1)
    for where, text in (("the package", read("weir.yaml")), ("the manifest", re.sub(r"^    ", "", inner, flags=re.M))):
        path = os.path.join(folder, "weir.yaml")
        with open(path, "w") as file:
            file.write(text)
        code, said = run(WEIR, "config", "check", path)
        tap.ok(code == 0, "the configuration of %s is correct" % where, said)

hopeless = [codes.get(int(code)) for code in re.search(r"^RestartPreventExitStatus=(.*)$", unit, re.M).group(1).split()]
tap.equal(sorted(hopeless), ["CONFIG", "CORRUPT", "USAGE", "VERSION"], "the unit does not start again what a restart cannot help")
analyze = shutil.which("systemd-analyze")
if not analyze or run(analyze, "security", "--help")[1].find("--offline") < 0:
    print("# NOT TESTED: there is no systemd-analyze that reads units offline")
    tap.skip("the unit is closed", "no systemd-analyze")
else:
    code, said = run(analyze, "security", "--offline=yes", "--threshold=15", os.path.join(SOURCE, "packaging", "debian", "weir.service"))
    tap.ok(code == 0, "the unit leaves little open: an exposure of 1.5 at most", said[-400:])
tap.done()
