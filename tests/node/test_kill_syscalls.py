#!/usr/bin/env python3
"""The process dies at its n-th write, sync, rename, ... (strace -e inject), for every n of a short life; also EIO and ENOSPC there."""
import os, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ledger import Ledger, rounds
from node import Node, Tap

tap = Tap()
DEEP = rounds(12)
CALLS = ["pwrite64", "pwritev", "fdatasync", "fsync", "rename,renameat,renameat2", "openat", "unlink,unlinkat", "ftruncate", "fallocate"]
config = "journal_bytes: 16MB\ncheckpoint_bytes: 1MB\nsegment_bytes: 1MB\nsnapshot_bytes: 64KB\n"
RELEASE = os.environ.get("WEIR_RELEASE")
if RELEASE and os.path.exists(RELEASE):
    os.environ["WEIR"] = RELEASE  # strace and sanitizers do not mix well; the binary that ships is the one to try
elif os.environ.get("WEIR_SANITIZED"):
    tap.skip("dying at every n-th system call", "no release binary was built beside the sanitized one")
    tap.done()


def works():
    try:
        return subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def life(node, inject):
    """One start under strace with the fault; load until the process is gone or a moment has passed. True: it got ready."""
    node.wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + inject.split(":")[0], "-e", "inject=" + inject]
    ledger = life.ledger
    try:
        node.start(patience=20)
    except RuntimeError:
        life.died += 1
        node.kill()
        return False
    if ledger:
        ledger.start()
        end = time.monotonic() + 0.4
        while node.alive() and time.monotonic() < end:
            time.sleep(0.01)
        life.died += not node.alive()
        node.kill()
        ledger.join()
    node.kill()
    return True


def sweep(fault, label, calls, depth):
    with Node(start=False, config=config) as node:
        node.start()
        life.ledger = Ledger(node, partitions=2, writers=2)
        life.ledger.create()
        node.kill()
        problems, lives, life.died = [], 0, 0
        for call in calls:
            for n in range(1, depth + 1):
                life(node, "%s:%s:when=%d" % (call, fault, n))
                lives += 1
                node.wrapper = []
                try:
                    node.start()
                    problems += ["%s %s %d: %s" % (call, fault, n, p) for p in life.ledger.check()]
                except RuntimeError as e:
                    problems.append("%s %s %d: the next start fails: %s" % (call, fault, n, e))
                node.kill()
                if problems:
                    break
            if problems:
                break
        tap.ok(not problems, label, "\n".join(problems[:20]))
        tap.ok(len(life.ledger.seen) > 0, "records were written in those lives")
        tap.ok(problems or life.died >= (1 if "ENOSPC" in fault else lives // 3), "the faults met the process", "%d of %d" % (life.died, lives))
        tap.note("%d lives, %d ended by the fault, %d records" % (lives, life.died, len(life.ledger.seen)))


if not works():
    tap.skip("dying at every n-th system call", "strace may not trace on this machine")
    tap.done()
sweep("signal=KILL", "a kill at every n-th write, sync, rename, open, unlink loses and doubles nothing", CALLS, DEEP)
sweep("error=EIO", "an I/O error at every n-th write or sync: no ack after it, nothing lost", ["pwrite64", "pwritev", "fdatasync"], max(DEEP // 2, 4))
sweep("error=ENOSPC", "no space at every n-th write: nothing lost", ["pwrite64", "pwritev", "fallocate"], max(DEEP // 3, 3))
tap.done()
