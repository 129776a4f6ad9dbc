#!/usr/bin/env python3
"""weir(1) as a person meets it: help, typing errors, configuration, topics, offline log tools."""
import glob, json, os, pty, select, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, PATIENCE, Tap

tap = Tap()
WEIR = os.environ["WEIR"]


def weir(*args, stdin=None, env=None):
    done = subprocess.run([WEIR] + list(args), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, **(env or {})), timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# ---- help and mistakes
code, out, err = weir("help")
tap.ok(code == 0 and "weir up" in out and "topic create" in out, "help lists the commands on stdout", out)
code, out, err = weir()
tap.ok(code == 64 and out == "" and "weir up" in err, "no command at all shows the help on stderr and fails")
code, out, err = weir("topics")
tap.ok(code == 64 and "did you mean" in err, "an unknown command is answered with the nearest one", err)
code, out, err = weir("topic", "crate", "x")
tap.ok(code == 64 and "topic create" in err, "an unknown word of a command is answered with the nearest one", err)
for command in [line.split("  ")[1].strip()[5:] for line in weir("help")[1].splitlines() if line.startswith("  weir ")]:
    code, out, err = weir(*command.split(), "--help")
    tap.ok(code == 0 and command.split()[0] in out, "--help of `%s` explains it" % command, out + err)
code, out, err = weir("version")
tap.ok(code == 0 and out.startswith("weir "), "the version is printed", out)

code, out, err = weir("--version")
tap.ok(code == 0 and out.startswith("weir "), "--version prints it too", out)
code, out, err = weir("topic")
tap.ok(code == 64 and "weir topic create" in err, "a noun without its verb lists its verbs", err)
code, out, err = weir("topic", "list", "--jsn")
tap.ok(code == 64 and "did you mean --json" in err, "an unknown flag is answered with the nearest one", err)
code, out, err = weir("topic", "read", "a", "--limit", "many")
tap.ok(code == 64 and "--limit" in err, "a flag's value that is no number is refused with the flag's name", err)
code, out, err = weir("topic", "read")
tap.ok(code == 64 and "NAME" in err, "a missing word is named", err)
code, out, err = weir("help", "topic", "create")
tap.ok(code == 0 and "--partitions" in out and "examples" in out, "help COMMAND explains it", out)
code, out, err = weir("help", "exit-codes")
tap.ok(code == 0 and "CORRUPT" in out and "64" in out, "help exit-codes lists them", out)

# ---- colour: only where it was asked for or is seen
for args, env, wanted, name in (
        (["service", "list"], {}, False, "a pipe gets no colour"),
        (["--color=always", "service", "list"], {}, True, "--color=always colours a pipe"),
        (["service", "list", "--color", "always"], {"NO_COLOR": "1"}, True, "--color always overrides NO_COLOR"),
        (["service", "list", "--color=never"], {}, False, "--color=never colours nothing")):
    code, out, err = weir(*args, env=env)
    tap.ok(code == 0 and ("\033[" in out) == wanted, name, repr(out))
code, out, err = weir("--color=mauve", "service", "list")
tap.ok(code == 64 and "always" in err, "a colour that is none is refused with the choices", err)


def on_terminal(*args, env=None, stdout=None):
    """What a terminal sees; stdout: where results go instead of it."""
    master, slave = pty.openpty()
    process = subprocess.Popen([WEIR] + list(args), stdin=subprocess.DEVNULL, stdout=stdout or slave, stderr=slave,
                               env=dict(os.environ, **{"TERM": "xterm", "NO_COLOR": "", **(env or {})}))
    os.close(slave)
    seen = b""
    try:
        while True:
            piece = os.read(master, 65536)
            if not piece:
                break
            seen += piece
    except OSError:  # the other end is closed
        pass
    os.close(master)
    process.wait()
    return seen.decode("utf-8", "replace")


tap.ok("\033[" in on_terminal("service", "list"), "a terminal gets colour")
tap.ok("\033[" not in on_terminal("service", "list", env={"NO_COLOR": "1"}), "NO_COLOR is obeyed on a terminal")
tap.ok("\033[" not in on_terminal("service", "list", env={"TERM": "dumb"}), "a dumb terminal gets no colour")

# ---- configuration
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "weir.yaml")
    code, printed, err = weir("config", "print")
    tap.ok(code == 0 and "listen:" in printed and "# initial" in printed, "config print shows every key and its origin")
    with open(path, "w") as f:
        f.write(printed)
    code, out, err = weir("config", "check", path)
    tap.ok(code == 0, "what config print prints is a correct file", err)
    with open(path, "w") as f:
        f.write("listne: 127.0.0.1:1\n")
    code, out, err = weir("config", "check", path)
    tap.ok(code == 25 and "weir.yaml:1" in err and "listen" in err, "config check names line and nearest key", err)
    code, out, err = weir("config", "explain", "journal_bytes")
    tap.ok(code == 0 and "256MB" in out, "config explain tells the value", out)
    code, out, err = weir("config", "explain", "journal_byte")
    tap.ok(code == 25 and "journal_bytes" in err, "config explain suggests the nearest key", err)
code, out, err = weir("topic", "list", "--node", "127.0.0.1:1")
tap.ok(code != 0 and "weir up" in err, "no node to talk to: the error says how to start one", err)

code, out, err = weir("health", "--node", "127.0.0.1:1")
tap.ok(code == 13 and out == "" and err != "", "where no node answers nothing is healthy", "%s %s" % (code, err))

# ---- topics of a running node
with Node() as node:
    env = {"WEIR_NODE": "127.0.0.1:%d" % node.port()}
    code, out, err = weir("health", "--ready", env=env)
    tap.ok(code == 0 and out == "ready\n", "a node that serves is healthy", out + err)
    code, out, err = weir("topic", "create", "events", "--partitions", "2", env=env)
    tap.ok(code == 0, "a topic is created", err)
    code, out, err = weir("topic", "create", "events", "--partitions", "2", env=env)
    tap.ok(code != 0 and "events" in err, "a second creation says that it exists", err)
    code, out, err = weir("topic", "append", "events", "hello", "--key", "k", "--partition", "1", env=env)
    tap.ok(code == 0 and "0" in out, "a record is appended", out + err)
    code, out, err = weir("topic", "append", "events", "--partition", "1", stdin=b"one\ntwo\nthree \xc3\xa9\n", env=env)
    tap.ok(code == 0, "lines of stdin are appended", err)
    code, out, err = weir("topic", "append", "events", stdin=b"\xff\xfe\n", env=env)
    tap.ok(code != 0 and "UTF-8" in err, "bytes that are not text are refused with what to do", err)
    code, out, err = weir("topic", "read", "events", "--partition", "1", env=env)
    lines = out.splitlines()
    tap.ok(code == 0 and len(lines) == 4 and "hello" in lines[0] and "\u00e9" in lines[3], "records are read back in order", out + err)
    code, out, err = weir("topic", "read", "events", "--partition", "1", "--offset", "2", "--limit", "1", env=env)
    tap.ok(code == 0 and len(out.splitlines()) == 1 and "two" in out, "offset and limit are obeyed", out)
    code, out, err = weir("topic", "read", "nothing", env=env)
    tap.ok(code == 3, "an unknown topic ends with the exit code of not found", err)
    code, out, err = weir("topic", "read", "evnts", env=env)
    tap.ok(code == 3 and "did you mean events?" in err, "an unknown topic is answered with the nearest one", err)
    code, out, err = weir("topic", "append", "evnts", "x", env=env)
    tap.ok(code == 3 and "did you mean events?" in err, "so it is where records were to be appended", err)
    code, out, err = weir("topic", "delete", "evnts", env=env)
    tap.ok(code == 3 and "did you mean events?" in err, "and where a topic was to be deleted", err)
    code, out, err = weir("topic", "list", env=env)
    tap.ok(code == 0 and "events" in out and "2" in out, "topics are listed", out)
    code, out, err = weir("topic", "delete", "events", env=env)
    tap.ok(code == 0, "a topic is deleted", err)
    code, out, err = weir("topic", "list", "--json", env=env)
    tap.ok(code == 0 and '"events"' not in out, "a deleted topic is not listed", out)
    weir("topic", "create", "kept", env=env)
    weir("topic", "append", "kept", stdin=b"\n".join(b"line %d" % i for i in range(1000)), env=env)

    # ---- exit codes: each is declared in the command's row, and is what the command ends with
    declared = {c["name"]: {x["code"] for x in c["exits"]} for c in json.loads(weir("help", "--json")[1])["commands"]}
    weir("topic", "create", "short", env=env)
    for args, wanted in (
            (["topic", "create", "short"], 4), (["topic", "create", "a b"], 2), (["topic", "delete", "exchange.orders"], 19),
            (["topic", "append", "exchange.trades", "v"], 19), (["topic", "read", "short", "--offset", "7"], 18),
            (["topic", "tail", "short", "--partition", "9"], 3), (["service", "skip", "exchange", "--offset", "5"], 14),
            (["service", "snapshot", "nothing"], 3), (["service", "describe", "nothing"], 3),
            (["service", "replay", "exchange", "--data", node.data + "/nothing"], 3),
            (["log", "verify", node.data], 10), (["log", "repair", node.data], 10), (["log", "dump", node.data + "/nothing"], 3),
            (["config", "check", node.data + "/nothing"], 3), (["up", "--data", node.data, "--listen", "127.0.0.1:0"], 10),
            (["up", "--data", node.data + "/other", "--listen", env["WEIR_NODE"]], 4),
            (["up", "--data", node.data + "/other", "--listen", "0.0.0.0:0"], 25),
            (["topic", "list", "--node", "127.0.0.1:1"], 13), (["completion", "tcsh"], 20)):
        name = next(name for name in (" ".join(args[:2]), args[0]) if name in declared)
        code, out, err = weir(*args, env=env)
        tap.ok(code == wanted and code in declared[name], "`weir %s` ends with %d, as declared" % (name, wanted),
               "%d, declared %s: %s" % (code, sorted(declared[name]), err))

    # ---- everything that lists says it in JSON too: the table is walked, so that a new command cannot forget it
    tables = json.loads(weir("help", "--json")[1])
    arguments = {"config print": [], "topic list": [], "topic read": ["kept", "--limit", "3"], "service list": [],
                 "service describe": ["exchange"], "effects list": ["notify"], "help": [], "check disk": [node.data, "--seconds", "1"]}
    later = {"log verify", "log repair", "log dump", "backup list"}  # below, when the node has stopped
    endless = {"topic tail", "audit tail"}
    for command in tables["commands"]:
        flags = [flag["name"] for flag in command["flags"]]
        name = command["name"]
        if not command["lists"]:
            if "list" in name.split():
                tap.ok(False, "`%s` is marked in the table as one that lists" % name)
            continue
        tap.ok("json" in flags, "`%s` lists, and takes --json" % name)
        if name in later | endless:
            continue
        code, out, err = weir(*name.split(), *arguments.get(name, []), "--json", env=env)
        try:
            values = [json.loads(line) for line in out.splitlines()]
        except ValueError as error:
            values, err = [], "%s\n%s" % (error, out[:500])
        tap.ok(code == 0 and values, "`%s --json` prints JSON, a value per line" % name, err)

    # ---- progress of long work: on a terminal, and only there
    def append_until(seen_enough, stderr):
        """Feeds lines until it is said to be enough; the exit code."""
        process = subprocess.Popen([WEIR, "topic", "append", "kept"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=stderr, env=dict(os.environ, TERM="xterm", **env))
        began, block = time.monotonic(), b"x" * 200 + b"\n"
        while not seen_enough() and time.monotonic() - began < PATIENCE:
            process.stdin.write(block * 500)
            process.stdin.flush()
        process.stdin.close()
        return process.wait(), time.monotonic() - began

    master, slave = pty.openpty()
    seen = []

    def drawn():
        while select.select([master], [], [], 0)[0]:
            seen.append(os.read(master, 65536).decode())
        return " lines, " in "".join(seen)
    code, took = append_until(drawn, slave)
    tap.ok(code == 0 and drawn(), "records appended from stdin: a terminal sees how many so far", "".join(seen)[-300:])
    os.close(slave)
    os.close(master)
    with tempfile.TemporaryFile() as quiet:
        until = time.monotonic() + took
        code, _ = append_until(lambda: time.monotonic() > until, quiet)
        quiet.seek(0)
        said = quiet.read()
    tap.ok(code == 0 and said == b"", "without a terminal, stderr stays quiet", said[-300:])
    tap.ok(node.stop() == 0, "SIGTERM ends the node with exit code 0", "\n".join(node.stderr[-5:]))
    code, out, err = weir("log", "verify", node.data)
    tap.ok(code == 0, "log verify finds a stopped folder correct", out[-800:] + err)
    for verb, subject in (("verify", node.data), ("repair", node.data)):
        code, out, err = weir("log", verb, subject, "--json")
        tap.ok(code == 0 and all(json.loads(line)["ok"] for line in out.splitlines()) and out,
               "`log %s --json` prints a finding per line" % verb, out[-400:] + err)
    store = os.path.join(node.folder, "store")
    code, out, err = weir("backup", "--data", node.data, "--to", store, "--json")
    made = json.loads(out) if code == 0 else {"id": err}
    code, out, err = weir("backup", "list", "--from", store, "--json")
    tap.equal([json.loads(line)["id"] for line in out.splitlines()], [made["id"]], "`backup list --json` prints a backup per line")
    for path in glob.glob(os.path.join(node.data, "topics", "kept", "0", "*.log"))[:1]:
        code, out, err = weir("log", "dump", path, "--deep")
        tap.ok(code == 0 and "line 999" in out, "log dump prints the records of a segment", out[-400:] + err)
        code, out, err = weir("log", "dump", path, "--deep", "--json")
        tap.ok(code == 0 and any("line 999" in json.loads(line)["text"] for line in out.splitlines()),
               "`log dump --json` prints a line's text per line", out[-400:] + err)
    for path in sorted(glob.glob(os.path.join(node.data, "journal", "*")))[:1]:
        code, out, err = weir("log", "dump", path)
        tap.ok(code == 0, "log dump reads a journal file", out[-400:] + err)
code, out, err = weir("service", "list")
tap.ok(code == 0 and "exchange" in out, "services are listed", out)
code, out, err = weir("service", "describe", "exchange")
tap.ok(code == 0 and "exchange.orders" in out and "/v1/exchange/orders" in out, "a service is described from its table", out)
code, out, err = weir("service", "describe", "exchnge")
tap.ok(code == 3 and "exchange" in err, "an unknown service is answered with the nearest one", err)
tap.done()
