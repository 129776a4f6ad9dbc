#!/usr/bin/env python3
"""The written reference is what the binary says, and its man pages are correct in the eyes of both readers of man pages."""
import glob, os, shutil, subprocess, sys, tempfile
SOURCE = os.environ.get("WEIR_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from node import PATIENCE, Tap

tap = Tap()
TOOL = os.path.join(SOURCE, "tools", "reference")


def run(command, **env):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, **env), timeout=PATIENCE * 2)
    return done.returncode, done.stdout.decode("utf-8", "replace")


code, said = run([TOOL, "--check"])
tap.ok(code == 0, "docs/reference is what the binary says (else: ./x docs)", said)

with tempfile.TemporaryDirectory() as folder:
    pages = os.path.join(folder, "kept")
    code, said = run([TOOL, "--man", pages], SOURCE_DATE_EPOCH="0")
    found = sorted(glob.glob(os.path.join(pages, "man?", "*")))
    names = {os.path.basename(path) for path in found}
    tap.ok(code == 0 and {"weir.1", "weir-up.1", "weir-topic-read.1", "weir.conf.5"} <= names, "a man page for each command", said)
    again = os.path.join(folder, "again")
    run([TOOL, "--man", again], SOURCE_DATE_EPOCH="0")
    code, said = run(["diff", "-r", pages, again])
    tap.ok(code == 0, "the same tree makes the same pages", said)
    readers = (("mandoc", lambda page: ["mandoc", "-Tlint", "-W", "warning", page]),
               ("groff", lambda page: ["groff", "-man", "-Tutf8", "-ww", "-z", page]))
    for program, command in readers:
        if not shutil.which(program):
            print("# NOT TESTED: %s is not installed (./x deps test)" % program)
            tap.skip("%s finds nothing wrong with the man pages" % program, "there is no %s on this machine" % program)
            continue
        wrong = "".join(run(command(page))[1] for page in found)
        tap.ok(wrong == "", "%s finds nothing wrong with %d man pages" % (program, len(found)), wrong)
    broken = os.path.join(folder, "broken.1")
    with open(broken, "w") as file:
        file.write(open(found[0]).read() + ".RE\n.XX\n")
    if shutil.which("mandoc"):
        tap.ok(run(readers[0][1](broken))[1] != "", "and would find a page that is broken")
tap.done()
