#!/usr/bin/env python3
"""The process dies at its n-th write, sync, rename, ... (strace -e inject), from the first to the last of a life; also EIO and ENOSPC there.

    WEIR_ROUNDS=all WEIR_SEED=7 test_kill_syscalls.py     every n of every kind, until the fault no longer meets the process
    WEIR_ROUNDS=20 test_kill_syscalls.py                  the first 20 of each kind, then a sample of the others

A life is a start, a fixed load, and a clean stop; a life without a fault counts its calls first. strace counts for each thread
by itself: the n-th call is that of whichever thread gets there first. Exact moments over all threads are tests/powercut.
"""
import collections, contextlib, os, random, re, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ledger import Ledger
from node import Node, Tap, journal_writes

tap = Tap()
ROUNDS = os.environ.get("WEIR_ROUNDS", "8")
SEED = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
SAMPLE = 4         # of the calls behind the first ones, when not all are tried
ENOUGH_MISSED = 3  # faults in a row that met nobody: the end of a life; how many calls it makes differs a little
KINDS = ["pwritev", "pwrite64", "fdatasync", "fsync", "syncfs", "sync_file_range", "rename", "renameat", "renameat2", "openat", "mkdir",
         "unlink", "unlinkat", "ftruncate", "fallocate", "pread64", "getdents64"]
CHANGES = [kind for kind in KINDS if kind not in ("pread64", "getdents64")]
SWEEPS = [
    ("signal=KILL", False, CHANGES, "a kill at a write, sync, rename, open, unlink loses and doubles nothing"),
    ("signal=KILL", True, CHANGES, "a kill in the first life of a folder loses nothing, and the next start finishes the folder"),
    ("error=EIO", False, [kind for kind in KINDS if kind != "sync_file_range"], "an I/O error at a read, write, sync, rename: nothing is lost"),
    ("error=ENOSPC", False, ["pwritev", "fallocate", "fdatasync", "fsync", "rename", "openat", "mkdir"], "no space at a write, sync, open: nothing is lost"),
]
# What makes a frame durable when journal_write is not sync.
WAYS = {"dsync": "pwritev2", "direct": "pwritev2", "uring": "io_uring_enter", "uring_direct": "io_uring_enter"}
config = "journal_bytes: 16MB\ncheckpoint_bytes: 1MB\nsegment_bytes: 1MB\nsnapshot_bytes: 64KB\n"
RELEASE = os.environ.get("WEIR_RELEASE")
if RELEASE and os.path.exists(RELEASE):
    os.environ["WEIR"] = RELEASE  # strace and sanitizers do not mix well; the binary that ships is the one to try
elif os.environ.get("WEIR_SANITIZED"):
    tap.skip("dying at every n-th system call", "no release binary was built beside the sanitized one")
    tap.done()


def why_not():
    """A sentence when this machine does not allow it."""
    try:
        done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=1", "true"], stderr=subprocess.PIPE)
        return "" if done.returncode == 0 else "strace may not trace on this machine: " + done.stderr.decode(errors="replace").strip()
    except OSError as e:
        return "strace does not run: %s" % e


class World:
    """A node and what was asked of it; lives under strace."""

    def __init__(self, way="sync"):
        self.node = Node(start=False, config=config + "journal_write: %s\n" % way)
        # Twelve partitions: from eight changed ones on a checkpoint calls syncfs.
        self.ledger, self.made = Ledger(self.node, partitions=12, writers=4), False
        self.trace = os.path.join(self.node.folder, "trace")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.node.close()

    def work(self):
        if not self.made:
            self.ledger.create()
            self.made = True
        self.load(12)

    def load(self, requests):
        self.ledger.start(requests)
        self.ledger.finish()

    def life(self, kinds, inject=()):
        """A start, the load, a clean stop, under strace. What strace wrote."""
        self.node.wrapper = ["strace", "-f", "-qq", "-o", self.trace, "-e", "trace=" + ",".join(kinds), *inject]
        try:
            self.node.start(patience=20)
            self.work()
            self.node.stop(patience=20)
        except (RuntimeError, OSError, AssertionError):
            pass  # it met the fault before it was ready, or while the topic was made
        self.node.kill()
        self.node.wrapper = []
        with open(self.trace, errors="replace") as file:
            return file.read()

    def check(self):
        """A start without a fault: problems, as sentences. Ends with a kill under load, so that the next life has to recover."""
        try:
            self.node.start()
            if not self.made:
                self.work()  # the folder must be as good as any other
            problems = self.ledger.check()
            self.load(3)
        except RuntimeError as e:
            problems = ["the next start fails: %s" % e]
        self.node.kill()
        return problems


def count(text):
    """Calls of each kind in a life: of the thread that makes the most, as strace counts for each by itself."""
    each = collections.Counter(re.findall(r"^(\d+) +(\w+)\(", text, re.M))
    most = collections.Counter()
    for (_, kind), calls in each.items():
        most[kind] = max(most[kind], calls)
    return most


def moments(calls, dice):
    """Which n to try. Endless when all are wanted: the fault that meets nobody ends it."""
    if ROUNDS == "all":
        return range(1, 1 << 30)
    first = range(1, min(int(ROUNDS), calls) + 1)
    rest = range(len(first) + 1, calls + 1)
    return list(first) + sorted(dice.sample(rest, min(SAMPLE, len(rest))))


def sweep_kind(world_of, fault, kind, calls, dice):
    """(problems, the n that were tried, how many of them met the process)."""
    tried, met, missed, problems = [], 0, 0, []
    for n in moments(calls, dice):
        with world_of() as world:
            text = world.life([kind], ["-e", "inject=%s:%s:when=%d" % (kind, fault, n)])
            problems = ["%s %s %d: %s" % (kind, fault, n, p) for p in world.check()]
        hit = "INJECTED" in text or "killed by SIGKILL" in text
        tried.append(n)
        met += hit
        missed = 0 if hit else missed + 1
        if problems or (n >= calls and missed == ENOUGH_MISSED):
            break
    return problems, tried, met


def spans(numbers):
    """1, 2, 3, 7 as "1-3 7"."""
    text = []
    for n in numbers:
        if text and text[-1][1] == n - 1:
            text[-1][1] = n
        else:
            text.append([n, n])
    return " ".join("%d" % a if a == b else "%d-%d" % (a, b) for a, b in text)


def sweep(fault, kinds, fresh, label, way="sync"):
    dice, problems, lives, met = random.Random(SEED), [], 0, 0
    with World(way) as world:
        if not fresh:
            world.life(kinds)
            problems += world.check()
        calls = count(world.life(kinds))
        tap.note("%s%s: calls in a life: %s; none of %s" % (fault, " in the first life of a folder" if fresh else "",
                 ", ".join("%s %d" % (kind, calls[kind]) for kind in kinds if calls[kind]), " ".join(k for k in kinds if not calls[k])))
        problems += world.check()
        for kind in kinds:
            if problems or not calls[kind]:
                continue
            more, tried, hit = sweep_kind(World if fresh else lambda: contextlib.nullcontext(world), fault, kind, calls[kind], dice)
            problems += more
            lives += len(tried)
            met += hit
            tap.note("%s %s: tried %s; %d met the process" % (fault, kind, spans(tried), hit))
        tap.ok(not problems, label, "\n".join(problems[:20]))
        tap.ok(problems or met >= lives // 2, "the faults met the process", "%d of %d" % (met, lives))
        tap.note("%d lives, %d met by the fault" % (lives, met))


why = why_not()
if why:
    tap.skip("dying at every n-th system call", why)
    tap.done()
tap.note("seed %d, WEIR_ROUNDS=%s" % (SEED, ROUNDS))
for fault, fresh, kinds, label in SWEEPS:
    sweep(fault, kinds, fresh, label)
with World() as world:
    allowed = journal_writes(tap, world.node.binary, world.node.folder)
if ROUNDS != "all":
    ROUNDS, SAMPLE = str(min(1, int(ROUNDS))), 2
for way in [way for way in WAYS if way in allowed]:
    for fault in ("signal=KILL", "error=EIO"):
        sweep(fault, [WAYS[way]], False, "%s at the call that makes a frame durable: nothing is lost with journal_write: %s" % (fault, way), way)
tap.done()
