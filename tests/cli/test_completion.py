#!/usr/bin/env python3
"""Completion in the shells themselves: what bash, zsh and fish offer after the script that `weir completion SHELL` prints."""
import os, pty, re, select, shutil, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, PATIENCE, Tap

tap = Tap()
WEIR = os.path.abspath(os.environ["WEIR"])
home = tempfile.TemporaryDirectory()
os.symlink(WEIR, os.path.join(home.name, "weir"))
os.makedirs(os.path.join(home.name, "work", "folder"))
open(os.path.join(home.name, "work", "file.yaml"), "w").close()
ENV = {"HOME": home.name, "PATH": home.name + ":" + os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8",
       "XDG_CONFIG_HOME": home.name, "XDG_DATA_HOME": home.name}
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
    if name in os.environ:
        ENV[name] = os.environ[name]


def run(command, env):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=os.path.join(home.name, "work"),
                          env=dict(ENV, **env), timeout=PATIENCE)
    return done.stdout.decode()


def in_bash(line, env, _wanted):
    words = line.split(" ")
    script = 'source <(weir completion bash); COMP_WORDS=("$@"); COMP_CWORD=%d; _weir; printf "%%s\\n" "${COMPREPLY[@]}"' % (len(words) - 1)
    return run(["bash", "--norc", "-c", script, "bash"] + words, env).split()


def in_fish(line, env, _wanted):
    out = run(["fish", "--no-config", "-c", "weir completion fish | source; complete -C '%s'" % line], env)
    return [row.split("\t")[0] for row in out.splitlines()]


def in_zsh(line, env, wanted):
    """zsh completes only in its editor, so it gets a terminal, the key is pressed, and what is wanted is waited for."""
    process, master = pty.fork()
    if process == 0:
        os.chdir(os.path.join(home.name, "work"))
        os.execvpe("zsh", ["zsh", "-f", "-i"], dict(ENV, PS1="", **env))
    deadline = time.monotonic() + PATIENCE

    def until(enough):
        """The words that stand on the screen when it is enough, or when patience ends."""
        seen, words = b"", []
        while not enough(words) and select.select([master], [], [], max(0, deadline - time.monotonic()))[0]:
            seen += os.read(master, 65536)
            shown = re.sub(rb"\x07|\x1b\[[0-9;?]*[A-Za-z]", b"", seen).decode("utf-8", "replace")
            words = re.findall(r"[\w.\-]+", shown)
        return words

    try:
        os.write(master, b"autoload -Uz compinit && compinit -D -u; source <(weir completion zsh); "
                         b"unsetopt prompt_cr prompt_sp; print -- READ''Y\n")
        until(lambda words: "READY" in words)
        os.write(master, line.encode() + b"\t")
        return until(lambda words: all(word in words for word in wanted))
    finally:
        os.write(master, b"\x15exit\n")
        os.waitpid(process, 0)
        os.close(master)


# line, what must be among what is offered, what must not
CASES = [
    ("weir to", ["topic"], ["log"]),
    ("weir topic cr", ["create"], ["list"]),
    ("weir topic read --o", ["--offset"], ["--limit"]),
    ("weir service describe exch", ["exchange"], ["counter"]),
    ("weir up --log-level w", ["warn"], ["info"]),
    ("weir config explain journal_b", ["journal_bytes"], ["listen"]),
    ("weir help exit", ["exit-codes"], []),
    ("weir exchange ma", ["match"], ["load"]),
    ("weir config check f", ["file.yaml"], []),
    ("weir log verify f", ["folder"], ["file.yaml"]),
    ("weir topic read eve", ["events"], ["exchange.orders"]),
]
with Node() as node:
    env = {"WEIR_NODE": "127.0.0.1:%d" % node.port()}
    node.post("/v1/topics", {"name": "events", "partitions": 1})
    for shell, offered_in in (("bash", in_bash), ("zsh", in_zsh), ("fish", in_fish)):
        if not shutil.which(shell):
            print("# NOT TESTED: %s is not installed (./x deps test)" % shell)
            tap.skip("completion in %s" % shell, "there is no %s on this machine" % shell)
            continue
        for line, wanted, unwanted in CASES:
            offered = [word.rstrip("/") for word in offered_in(line, env, wanted)]
            tap.ok(all(word in offered for word in wanted) and not any(word in offered for word in unwanted),
                   "%s completes `%s` with %s" % (shell, line, " ".join(wanted)), " ".join(offered)[:600])
    done = subprocess.run([WEIR, "complete", "--", "topic", "read", ""], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(ENV, WEIR_NODE="127.0.0.1:1"), timeout=PATIENCE)
    tap.ok(done.returncode == 0 and done.stdout + done.stderr == b"", "without a node, topics are not offered, and nothing is said")
tap.done()
