#!/usr/bin/env python3
"""kill -9 at random moments under load, two hundred times on one folder: everything acknowledged is there, once, in order."""
import os, random, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ledger import Ledger, rounds
from node import Node, Tap, journal_writes

tap = Tap()
ROUNDS = rounds(200)
seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
tap.note("seed %d, %d rounds" % (seed, ROUNDS))
dice = random.Random(seed)
config = "journal_bytes: 16MB\ncheckpoint_bytes: 1MB\nsegment_bytes: 1MB\nsnapshot_bytes: 64KB\n"
with Node(start=False, config=config) as node:
    ledger, problems, back = None, [], []
    ways = journal_writes(tap, node.binary, node.folder)
    tap.note("the journal is written by " + ", ".join(ways))
    for i in range(ROUNDS):
        began = time.monotonic()
        node.start(extra=["--lanes", str(dice.choice([1, 2, 4])), "--set", "journal_write=" + dice.choice(ways)])
        back.append(time.monotonic() - began)
        if ledger is None:
            ledger = Ledger(node, partitions=3)
            ledger.create()
        problems += ["round %d: %s" % (i, p) for p in ledger.check()]
        if problems:
            break
        ledger.start()
        time.sleep(dice.uniform(0.0, 0.12))  # the moment of the crash, not a wait for something
        node.kill()
        ledger.join()
    if not problems:
        node.start()
        problems += ledger.check()
    tap.ok(not problems, "nothing acknowledged is lost, doubled or moved by %d kills" % ROUNDS, "\n".join(problems[:20]))
    tap.ok(len(ledger.seen) > ROUNDS, "the kills met real load", "%d records" % len(ledger.seen))
    back.sort()
    tap.note("%d records asked, %d present; back in %.0f ms (median), %.0f ms (worst)"
             % (ledger.asked(), len(ledger.seen), back[len(back) // 2] * 1e3, back[-1] * 1e3))
tap.done()
