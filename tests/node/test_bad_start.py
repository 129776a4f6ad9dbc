#!/usr/bin/env python3
"""What a person does wrong, or a disk does to them: every start ends with one sentence that says what, where and what to do."""
import glob, os, re, shutil, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

tap = Tap()
WEIR = os.environ["WEIR"]


def refused(name, node, words, extra=(), exit_codes=None):
    """The start ends by itself, not with success, not by a signal, and says all the words."""
    code, text = node.run_to_exit(extra, patience=30)
    good = code is not None and code > 0 and all(w.lower() in text.lower() for w in words)
    if exit_codes:
        good = good and code in exit_codes
    tap.ok(good, name, "exit %s\nwanted %s\n%s" % (code, words, text))


def filled(records=200, size=2000, **more):
    """A node with a topic of some records in a folder of its own, killed with SIGKILL."""
    node = Node(**more)
    node.post("/v1/topics", {"name": "t", "partitions": 1})
    for i in range(0, records, 20):
        answer = node.post("/v1/topics/t/records?partition=0", [{"value": "%08d" % n + "x" * size} for n in range(i, i + 20)])
        assert answer.status in (200, 201), answer
    node.kill()
    return node


def flip(path, offset, mask=0x40):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)
        f.seek(offset)
        f.write(bytes([byte[0] ^ mask]))


def journal_files(node):
    return sorted(p for p in glob.glob(os.path.join(node.data, "journal", "*")) if os.path.getsize(p) > 0)


def last_file(node):
    """The one with the newest frame: sequence numbers rise, and stand in each frame's header."""
    newest = {}
    for path in journal_files(node):
        for line in subprocess.run([WEIR, "log", "dump", path], stdout=subprocess.PIPE).stdout.decode().splitlines():
            numbers = re.findall(r"(?:frame|sequence)[ =](\d+)", line)
            if numbers:
                newest[path] = max(newest.get(path, 0), int(numbers[0]))
    return max(newest, key=newest.get)


def frames(path):
    """Offsets of the journal's frames in a file: 4 KiB boundaries that do not start with zeros."""
    with open(path, "rb") as f:
        data = f.read()
    return [at for at in range(0, len(data), 4096) if data[at:at + 8].strip(b"\0")]


# ---- configuration
with Node(start=False, config="listen: \"127.0.0.1:0\nonly") as node:
    refused("a truncated configuration names file and line", node, ["weir.yaml:"])
with Node(start=False, config="lisen: 127.0.0.1:0\n") as node:
    refused("an unknown key is answered with the nearest one", node, ["weir.yaml:1", "lisen", "did you mean listen"])
with Node(start=False, config="exchange:\n  partitons: 4\n") as node:
    refused("an unknown key of a service is answered with the nearest one", node, ["weir.yaml:2", "exchange.partitions"])
with Node(start=False, config="lanes: 1000\n") as node:
    refused("a value outside its range names the range", node, ["lanes", "64"])
with Node(start=False, args=["--only", "exchnge"]) as node:
    refused("an unknown service is answered with the nearest one", node, ["exchnge", "exchange"])
with Node(start=False, args=["--lstn", "x"]) as node:
    refused("an unknown flag is answered with the nearest one", node, ["--lstn", "--listen"])
with Node(start=False, listen="0.0.0.0:0") as node:
    refused("an address that is not loopback is refused with a sentence", node, ["0.0.0.0", "TLS", "127.0.0.1"])
with Node(start=False, listen="nonsense") as node:
    refused("a malformed address says how to write one", node, ["nonsense"])

# ---- who else is there
with Node() as first:
    with Node(start=False, listen="127.0.0.1:%d" % first.port()) as second:
        refused("a port in use is named", second, [str(first.port()), "in use"])
    with Node(start=False, folder=first.folder) as second:
        refused("a data folder locked by another process names it", second, [first.data, str(first.process.pid)])
    tap.ok(first.get("/healthz").status == 200, "the process that holds the folder is not disturbed")

# ---- versions and permissions
with filled(20) as node:
    marks = [p for p in glob.glob(os.path.join(node.data, "*")) if os.path.basename(p) == "FORMAT"]
    if tap.ok(marks, "the data folder says its format"):
        text = open(marks[0], "rb").read()
        digits = [i for i, b in enumerate(text) if chr(b).isdigit()]
        with open(marks[0], "wb") as f:
            f.write(text[:digits[-1]] + b"999" + text[digits[-1] + 1:])
        refused("a data folder of a newer version is refused, not touched", node, ["FORMAT", "newer weir"])
        with open(marks[0], "wb") as f:
            f.write(text)
        node.start()
        tap.ok(len(node.get("/v1/topics/t/records?partition=0&offset=0&limit=100").json()["records"]) == 20,
               "after the refusal the folder is as it was")


def in_namespace(script):
    return subprocess.run(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)


probe = in_namespace("mount -t tmpfs -o size=1m tmpfs /mnt") if shutil.which("unshare") else None
can_mount = probe is not None and probe.returncode == 0
if can_mount:
    with filled(20) as node:
        done = in_namespace("mount --bind %s %s && mount -o remount,ro,bind %s && exec timeout 30 %s up --data %s --listen 127.0.0.1:0"
                            % (node.data, node.data, node.data, WEIR, node.data))
        text = done.stdout.decode(errors="replace")
        tap.ok(0 < done.returncode < 124 and node.data in text and ("read-only" in text.lower() or "denies" in text.lower()),
               "a read-only folder is named", "exit %d\n%s" % (done.returncode, text))
else:
    tap.skip("a read-only folder is named", "this machine does not allow mounts")

# ---- damage
with filled() as node:
    segments = glob.glob(os.path.join(node.data, "topics", "t", "0", "*.log"))
    node.start()
    node.stop()  # a clean stop: everything is checkpointed in the segment
    flip(segments[0], os.path.getsize(segments[0]) // 2)
    node.start()
    answer = node.get("/v1/topics/t/records?partition=0&offset=0&limit=200")
    values = []
    if answer.status == 200:
        values = [r["value"] for r in answer.json()["records"]]
    tap.ok(all(v[8:] == "x" * 2000 for v in values) and len(values) < 200, "a corrupted segment is never served",
           "%d %d records" % (answer.status, len(values)))
    start = values and len(values) or 0
    answer = node.get("/v1/topics/t/records?partition=0&offset=%d&limit=200" % start)
    tap.ok(answer.status == 500 and b".log" in answer.body, "reading a corrupted segment says which file", answer)
    node.kill()
    done = subprocess.run([WEIR, "log", "verify", node.data], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    tap.ok(done.returncode != 0 and b".log" in done.stdout, "log verify finds the corrupted segment", done.stdout.decode()[:800])

with filled() as node:
    path = max(journal_files(node), key=lambda p: len(frames(p)))  # not the last frame of the log
    at = frames(path)[:-1]
    if tap.ok(len(at) >= 4, "the journal has frames at 4 KiB boundaries", at):
        flip(path, at[len(at) // 2] + 200)
        before = {p: open(p, "rb").read() for p in journal_files(node)}
        refused("a corrupted frame in the journal's middle is refused, named, with the repair command", node,
                [os.path.basename(path), "weir log repair"])
        tap.ok(before == {p: open(p, "rb").read() for p in before}, "a refused journal is not cut")
        done = subprocess.run([WEIR, "log", "repair", node.data], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        tap.ok(done.returncode == 0, "log repair mends it", done.stdout.decode()[:800])
        node.start()
        values = [r["value"] for r in node.get("/v1/topics/t/records?partition=0&offset=0&limit=200").json()["records"]]
        tap.ok(0 < len(values) < 200 and values == ["%08d" % n + "x" * 2000 for n in range(len(values))],
               "after the repair what was before the damage is there", len(values))

with filled() as node:
    path = last_file(node)
    flip(path, frames(path)[-1] + 200)
    node.start()
    values = [r["value"] for r in node.get("/v1/topics/t/records?partition=0&offset=0&limit=200").json()["records"]]
    tap.ok(len(values) in (180, 200) and values == ["%08d" % n + "x" * 2000 for n in range(len(values))],
           "a torn last frame is cut and the node starts by itself", len(values))

with filled() as node:
    node.start()
    node.stop()
    os.truncate(os.path.join(node.data, "checkpoint"), 10) if os.path.exists(os.path.join(node.data, "checkpoint")) else None
    refused("a truncated checkpoint is refused and named", node, ["checkpoint"])

# ---- a full disk
if can_mount:
    script = ("mkdir -p /mnt/d && mount -t tmpfs -o size=96m tmpfs /mnt && export WEIR=%s && exec timeout 100 python3 %s"
              % (WEIR, os.path.join(os.path.dirname(os.path.abspath(__file__)), "full_disk.py")))
    done = in_namespace(script)
    lines = done.stdout.decode(errors="replace").splitlines()
    verdicts = [line for line in lines if line.startswith(("ok ", "not ok "))]
    tap.ok(done.returncode == 0 and len(verdicts) == 4, "the full disk is tried to the end", "\n".join(lines[-20:]))
    for line in verdicts:
        tap.ok(line.startswith("ok "), line.split(" - ", 1)[1], "\n".join(lines[-20:]))
else:
    tap.skip("a full disk answers 507 and loses nothing", "this machine does not allow mounts")
tap.done()
