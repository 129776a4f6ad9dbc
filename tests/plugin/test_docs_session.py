#!/usr/bin/env python3
"""docs/services.md can be pasted: its boxes run as one shell script, and every "# ..." line in them is in what came before it."""
import os, re, shutil, signal, socket, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import PATIENCE, Tap
from plugin import Installed, SOURCE

tap = Tap()
MARK = "--- expected: "
if not shutil.which("curl") or not shutil.which("git"):
    tap.skip("the session of docs/services.md runs", "THERE IS NO CURL OR GIT")
    tap.done()


def script(text, port):
    """The boxes; an expectation becomes a line of output that is found again in the right place."""
    lines, until = ["set -eu"], None
    for line in "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)).splitlines():
        here = re.search(r"<<'(\w+)'", line)
        if until is None and line.startswith("# "):
            line = "echo '%s%s'" % (MARK, line[2:].replace("'", "'\\''"))
        elif until is None:
            until = here.group(1) if here else None
            line = line.replace("localhost:7070", "localhost:%d" % port).replace("weir up ", "weir up --listen 127.0.0.1:%d " % port)
        elif line == until:
            until = None
        lines.append(line)
    return "\n".join(lines) + "\n"


def matches(said, expected):
    """Words in order, blanks as many as they like."""
    return re.search(r"\s+".join(map(re.escape, expected.split())), said)


with Installed() as weir:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(os.path.join(SOURCE, "docs", "services.md"), encoding="utf-8") as file:
        text = script(file.read(), port)
    path = os.path.join(weir.folder, "said.txt")
    with open(path, "wb") as out:  # a file: whoever reads a pipe waits for the node, too, when the shell ended early
        shell = subprocess.Popen(["sh", "-c", text], stdout=out, stderr=subprocess.STDOUT, cwd=weir.folder, start_new_session=True,
                                 env=dict(weir.env, WEIR_NODE="127.0.0.1:%d" % port, GIT_CEILING_DIRECTORIES=weir.folder))
    try:
        shell.wait(2 * PATIENCE)
    except subprocess.TimeoutExpired:
        tap.note("the session did not end in time")
    finally:
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        shell.wait()
    with open(path, encoding="utf-8", errors="replace") as file:
        said = file.read()
    pieces = re.split(r"^%s(.*)\n" % MARK, said, flags=re.M)
    tap.ok(shell.returncode == 0, "the session of docs/services.md runs to its end", said[-3000:])
    tap.equal(len(pieces) // 2, text.count("echo '" + MARK), "it reached each expectation")
    for i in range(1, len(pieces), 2):
        before = "".join(pieces[:i:2]) if i < 3 else pieces[i - 1] if pieces[i - 1] else pieces[i - 3]
        tap.ok(matches(before, pieces[i]), "it says: " + pieces[i], before[-1500:])
tap.done()
