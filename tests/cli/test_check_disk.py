#!/usr/bin/env python3
"""`weir check disk`: what it measures, what it says of a disk that keeps nothing and of a system that forbids, and that nothing is left behind;
and a node whose journal_write is not possible."""
import json, os, pty, signal, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap, journal_writes

tap = Tap()
WEIR = TRIED = os.environ["WEIR"]
WAYS = ["sync", "dsync", "direct", "uring", "uring_direct"]


def check(*args, wrapper=()):
    done = subprocess.run([*wrapper, WEIR, "check", "disk", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def strace_works(call):
    try:
        done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=" + call, "-e", "inject=%s:error=EPERM" % call, "true"], stderr=subprocess.PIPE, check=False)
        return done.returncode == 0
    except OSError:
        return False


with tempfile.TemporaryDirectory(prefix="weir-test-") as folder:
    # ---- what it prints
    data = os.path.join(folder, "data", "of", "a", "node")
    code, out, err = check(data, "--seconds", "1")
    safe = code == 0
    tap.ok(code in (0, 20) and err == "", "in a pipe it is quiet but for the result", err)
    last = out.strip().splitlines()[-1]
    tap.ok(last.startswith("journal_write: ") and last.split()[1] in WAYS, "its last line is for the configuration", out)
    tap.ok(data + " is not there yet" in out and not os.path.exists(os.path.join(folder, "data")), "a folder that is not there is measured above, and not made", out)
    with open(os.path.join(folder, "weir.yaml"), "w") as file:
        file.write(last + "\n")
    done = subprocess.run([WEIR, "config", "check", os.path.join(folder, "weir.yaml")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    tap.ok(done.returncode == 0, "that line is a correct configuration", done.stdout)
    with open(os.path.join(folder, "weir.yaml"), "w") as file:
        file.write("journal_write: quick\n")
    done = subprocess.run([WEIR, "config", "check", os.path.join(folder, "weir.yaml")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    tap.ok(done.returncode == 25 and b"weir.yaml:1: journal_write is 'quick'" in done.stdout, "a word that is no way is found there, with its line", done.stdout)
    with Node(config=last + "\n") as node:
        disk = node.get("/v1/node").json()["disk"]
        tap.equal(disk["journalWrite"], last.split()[1], "a node starts with it, and says which it is at /v1/node")
        tap.equal(node.metric("weir_log_journal_write_path", 'path="%s"' % last.split()[1]), 1.0, "and at /metrics")
        tap.ok(any("journal_write=" + last.split()[1] in line for line in node.stderr), "and in its first line", node.stderr)
    code, out, err = check(folder, "--seconds", "1", "--json")
    told = json.loads(out)
    tap.equal([path["journalWrite"] for path in told["paths"]], WAYS, "the JSON names every way")
    sizes = [size for path in told["paths"] if path["allowed"] for size in path["sizes"]]
    tap.ok(sizes and all(size["commits"] >= told["rounds"] and size["p50Us"] <= size["p99Us"] and size["commitsPerSecond"] > 0 for size in sizes),
           "each that is possible was measured at each size", out)
    tap.equal([size["ratioToSync"] for size in told["paths"][0]["sizes"]], [1, 1, 1], "sync is what the others are compared with")
    tap.equal((told["safe"], told["fileSystem"] != ""), (safe, True), "it says the same in JSON, and knows the file system")
    tap.equal(sorted(os.listdir(folder)), ["weir.yaml"], "nothing is left behind")

    # ---- mistakes
    tap.equal([check(folder, "--seconds", n)[0] for n in ("0", "601", "x")], [64, 64, 64], "a time that makes no sense is a mistake of the command line")
    code, out, err = check(os.path.join(folder, "weir.yaml"), "--seconds", "1")
    tap.ok(code != 0 and "weir.yaml" in err and out == "", "a file is no folder", err)
    code, out, err = check("", "--seconds", "1")
    tap.ok(code == 2 and "name" in err, "no name is an error", err)

    # ---- ended early
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen([WEIR, "check", "disk", folder, "--seconds", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.3)  # a moment in it, not a wait for something
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        left = [name for name in os.listdir(folder) if name != "weir.yaml"]
        if number == signal.SIGKILL:
            tap.equal(left, [], "even a kill leaves nothing behind")
        else:
            tap.ok(process.returncode == 13 and b"interrupted" in err and out == b"" and not left, "%s ends it with a sentence" % number.name, (process.returncode, err, left))

    # ---- a terminal
    master, slave = pty.openpty()
    process = subprocess.Popen([WEIR, "check", "disk", folder, "--seconds", "1"], stdout=subprocess.PIPE, stderr=slave)
    process.communicate(timeout=60)
    os.close(slave)
    seen = os.read(master, 65536).decode(errors="replace")
    tap.ok("%" in seen and "measuring" in seen, "on a terminal it shows how far it is", seen[:200])
    os.close(master)

    # ---- a disk that keeps nothing
    code, out, err = (None, "", "") if not os.access("/dev/shm", os.W_OK) else check("/dev/shm", "--seconds", "1")
    if "tmpfs" in out:
        tap.ok(code == 20 and "unsafe: tmpfs keeps files in memory" in out, "of a memory file system it says that nothing is durable, by exit code too", (code, out))
    else:
        tap.skip("a memory file system", "/dev/shm is none here: %s" % err)

    # ---- a system that forbids
    allowed = journal_writes(tap, WEIR, folder)
    forbid = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=io_uring_setup", "-e", "inject=io_uring_setup:error=EPERM"]
    if os.environ.get("WEIR_SANITIZED"):  # a leak check does not run under strace
        os.environ["WEIR"] = WEIR = os.environ.get("WEIR_RELEASE", "")
    if not os.path.exists(WEIR):
        tap.skip("io_uring forbidden", "no release binary was built beside the sanitized one")
    elif not strace_works("io_uring_setup"):
        tap.skip("io_uring forbidden", "strace does not run or may not trace here")
    else:
        code, out, err = check(folder, "--seconds", "1", "--json", wrapper=forbid)
        told = {path["journalWrite"]: path for path in json.loads(out)["paths"]}
        tap.ok(not told["uring"]["allowed"] and "seccomp" in told["uring"]["reason"], "io_uring that is forbidden is named, with who forbids it", told["uring"])
        tap.ok(told["sync"]["allowed"], "and the rest is measured")
        with Node(start=False, wrapper=forbid) as node:
            code, words = node.run_to_exit(extra=["--set", "journal_write=uring"])
            tap.ok(code == 25 and "journal_write: uring is not possible here" in words and "choose journal_write: sync" in words,
                   "a node refuses to start with it, says why and what to choose", (code, words))
            node.wrapper = []
            node.start()
            tap.equal(node.get("/healthz").status, 200, "and starts on the same folder with sync")
    os.environ["WEIR"] = TRIED
    with Node(start=False) as node:
        code, words = node.run_to_exit(extra=["--set", "journal_write=fast"])
        tap.ok(code == 25 and "journal_write is 'fast'" in words and "uring_direct" in words, "an unknown way is named, with those there are", (code, words))

    # ---- from way to way
    with Node(start=False) as node:
        expected = []
        for way in allowed + allowed[::-1]:
            node.start(extra=["--set", "journal_write=" + way])
            node.post("/v1/topics", {"name": "t", "partitions": 1})
            reply = node.post("/v1/topics/t/records", {"records": [{"value": "by " + way}]})
            tap.ok(reply.status in (200, 201), "a record is taken with journal_write: %s" % way, reply)
            expected.append("by " + way)
            node.kill()
        node.start()
        values = [r["value"] for r in node.get("/v1/topics/t/records?partition=0&offset=0&limit=100").json()["records"]]
        tap.equal(values, expected, "each way reads what the others wrote, kills in between")
tap.done()
