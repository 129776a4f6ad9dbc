#!/usr/bin/env python3
"""docs/tour.md and the quick start of README.md, typed line by line into one shell each; every answer is compared with what is written."""
import os, re, select, shutil, subprocess, sys, tempfile, time
SOURCE = os.path.abspath(os.environ.get("WEIR_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))
from node import Node, PATIENCE, Tap

tap = Tap()
WEIR = os.path.abspath(os.environ["WEIR"])


def steps_of(page):
    """(command, [expected lines]) of the indented lines of a page."""
    steps = []
    for line in page.splitlines():
        if line.startswith("    $ "):
            steps.append((line[6:], []))
        elif line.startswith("    ") and steps:
            steps[-1][1].append(line[4:])
    return steps


def fits(said, wanted):
    """`...` stands for anything within a line; a line of it alone for any number of lines."""
    pattern = "".join("(?:.*\n)*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n" for line in wanted)
    return re.fullmatch(pattern, said) is not None


class Shell:
    """bash, fed line by line; what a command says ends with a mark. Ports are those of this run, not the page's."""

    def __init__(self, folder, ports):
        self.ports = ports
        self.process = subprocess.Popen(["bash", "--norc", "-m"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        cwd=folder, start_new_session=True,
                                        env=dict(os.environ, PATH=os.path.dirname(WEIR) + ":" + os.environ["PATH"], NO_COLOR="1",
                                                 WEIR_NODE="127.0.0.1:%d" % ports["7070"]))
        self.mark, self.buffer = 0, ""
        self.type(":")  # what the shell says of itself

    def read(self, ended):
        deadline = time.monotonic() + PATIENCE
        while not ended(self.buffer):
            if not select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                break
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                break
            self.buffer += piece.decode("utf-8", "replace")
        said, self.buffer = self.buffer, ""
        return said

    def type(self, line):
        self.mark += 1
        for page, real in self.ports.items():
            line = line.replace(":" + page, ":%d" % real)
        if line.startswith("weir up"):  # its answer comes when it is ready; where it listens is this run's
            line = line.replace(" &", " --listen 127.0.0.1:%d --set exchange.ouch=127.0.0.1:0 &" % self.ports["7070"])
            self.process.stdin.write((line + "\n").encode())
            self.process.stdin.flush()
            said = self.read(lambda text: re.search(r"^weir ready.*\n", text, re.M) or "weir: " in text)
            return "".join(part + "\n" for part in said.splitlines() if not part.startswith("["))
        mark = "-- end of %d --" % self.mark
        self.process.stdin.write((line + "\n{ echo; echo '%s'; } 2>/dev/null\n" % mark).encode())
        self.process.stdin.flush()
        said = self.read(lambda text: mark + "\n" in text).replace(mark + "\n", "")
        said = said[:-1] if said.endswith("\n\n") or said == "\n" else said  # the line that the mark began with
        said = re.sub(r"^\[1\].*\n", "", said, flags=re.M)                  # the shell's words about its job
        for page, real in self.ports.items():
            said = said.replace(":%d" % real, ":" + page)
        return said

    def close(self):
        self.process.stdin.write(b"kill -9 $(jobs -p) 2>/dev/null; exit\n")
        self.process.stdin.close()
        self.process.wait(PATIENCE)


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(SOURCE, "docs", "tour.md")) as file:
        steps = steps_of(file.read())
    shell = Shell(folder, {"7070": free_port()})
    for command, wanted in steps:
        said = shell.type(command)
        said = said.replace("127.0.0.1:%d" % shell.ports["7070"], "127.0.0.1:7070")
        tap.ok(fits(said, wanted), "tour: " + command, "typed   %s\nwritten %r\nsaid    %r" % (command, wanted, said[:1500]))
    shell.close()
    tap.ok(len(steps) > 30, "the tour has lines", len(steps))
    tap.ok(not os.path.exists(os.path.join(folder, "tour-data")), "and leaves nothing behind")

# README: its lines have no answers written under them; each has to succeed.
with open(os.path.join(SOURCE, "README.md")) as file:
    lines = [line[4:] for line in file.read().split("## What is in it")[0].splitlines() if re.match(r"    (curl|build/weir) ", line)]
tap.ok(len(lines) >= 5, "the README's quick start has lines", lines)
with tempfile.TemporaryDirectory() as folder, Node(args=["--set", "exchange.ouch=127.0.0.1:0"]) as node:
    for line in lines:
        typed = line.replace("build/weir", WEIR).replace("localhost:7070", "127.0.0.1:%d" % node.port()).replace("curl ", "curl -sSf ", 1)
        done = subprocess.run(["bash", "-c", typed], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE,
                              env=dict(os.environ, WEIR_NODE="127.0.0.1:%d" % node.port()))
        tap.ok(done.returncode == 0 and done.stdout, "README: " + line, done.stdout.decode()[:600])
tap.done()
