#!/usr/bin/env python3
"""Backups of a node under load, killed and started again in between: each is a whole past, and every acknowledged record
from before its cut is in it, once, the same bytes.
# also: tsan
"""
import json, os, random, shutil, subprocess, sys, tempfile, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from backup import book, define, facts, order, records, weir
from ledger import Ledger
from node import Node, Tap

tap = Tap()
seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
dice = random.Random(seed)
tap.note("seed %d" % seed)
work = tempfile.mkdtemp(prefix="weir-backup-")
store = os.path.join(work, "store")
config = ("journal_bytes: 16MB\ncheckpoint_bytes: 1MB\nsegment_bytes: 1MB\nsnapshot_bytes: 64KB\n"
          "backup:\n  to: %s\n  every: 0s\n  keep: 0\n  rate: 0\n" % store)
cuts = []  # (backup's id, what was acknowledged before it was asked for, book orders acknowledged before)


class Trader(threading.Thread):
    """Orders until the node dies; counts what was acknowledged."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.acked = node, 0

    def run(self):
        try:
            while True:
                order(self.node, dice.choice(["BUY", "SELL"]), dice.randint(80, 120), dice.randint(1, 9), dice.randint(1, 3))
                self.acked += 1
        except Exception:
            pass


def ask(node):
    """One backup now; None when the node died meanwhile."""
    code, out, err = weir("backup", "--node", "127.0.0.1:%d" % node.port())
    return json.loads(out) if code == 0 else None


with Node(start=False, config=config) as node:
    ledger, trades = None, 0
    for life in range(4):
        node.start(extra=["--lanes", str(dice.choice([1, 2, 4]))])
        if ledger is None:
            ledger = Ledger(node, partitions=3, padding=400)
            ledger.create()
            define(node)
        problems = ledger.check()
        if problems:
            tap.ok(False, "the node lost something", "\n".join(problems[:5]))
        trader = Trader(node)
        ledger.start()
        trader.start()
        for _ in range(2):
            with ledger.lock:
                acked = dict(ledger.acked)
            before = trades + trader.acked
            made = ask(node)
            if made:
                cuts.append((made, acked, before))
        killer = threading.Thread(target=lambda: weir("backup", "--node", "127.0.0.1:%d" % node.port()), daemon=True)
        killer.start()
        time.sleep(dice.uniform(0, 0.05))  # the moment of the crash
        node.kill()
        ledger.join()
        trader.join()
        trades += trader.acked
    tap.ok(len(cuts) >= 4, "backups were made under load", "%d" % len(cuts))
    tap.ok(all(made["bytesNew"] <= made["bytes"] for made, _, _ in cuts), "none sends more than there is")
    code, out, err = weir("backup", "list", "--from", store, "--json")
    listed = [json.loads(line) for line in out.splitlines()]
    tap.ok(code == 0 and not any("error" in e for e in listed), "every manifest in the store is whole", out + err)

    chosen = [cuts[0], cuts[len(cuts) // 2], cuts[-1]]
    for made, acked, before in chosen:
        copy = os.path.join(work, "copy")
        code, out, err = weir("restore", "--from", store, "--backup", made["id"], "--data", copy)
        if not tap.equal((code, err), (0, ""), "backup %s is restored" % made["id"]):
            continue
        with Node(folder=work, start=False, args=["--config", os.path.join(node.folder, "weir.yaml"), "--set", "backup.to="]) as other:
            other.data = copy
            other.start()
            there = {}
            for p in range(3):
                for offset, text in records(other, "ledger", p):
                    there[(p, offset)] = json.loads(text)["value"]
            lost = [(k, v) for k, v in acked.items() if there.get(k) != v]
            tap.ok(not lost, "%d records acknowledged before it are there, each at its offset" % len(acked), lost[:5])
            tap.equal(len(set(there.values())), len(there), "and none is there twice")
            inputs = facts(other)[0]
            tap.ok(inputs[1] >= before, "so are the %d orders" % before, inputs)
            events = records(other, "exchange.events")
            tap.equal([o for o, _ in events], list(range(len(events))), "outputs are dense")
            digest = inputs[2]
            other.stop()
            code, out, err = weir("service", "replay", "exchange", "--data", copy)
            tap.equal((code, json.loads(out or "{}").get("digest")), (0, digest), "its state follows from its input alone")
        shutil.rmtree(copy)
    code, out, err = weir("restore", "--from", store, "--verify", "--data", os.path.join(work, "trial"))
    tap.equal((code, err), (0, ""), "the newest is verified by replay: " + out.strip())
    tap.ok(not os.path.exists(os.path.join(work, "trial.verify")), "and nothing of the trial stays")
    node.start()
    shown = node.wait_for(lambda: (lambda b: b if b["verifiedRestoreUnixMs"] else None)(node.get("/v1/backup").json()), what="the record of it")
    tap.equal(shown["cutUnixMs"] is not None, True, "a node that starts again knows the age of its backups")
    tap.ok(node.metric("weir_backup_verified_restore_timestamp_seconds") > 0 and 0 < node.metric("weir_backup_rpo_seconds") < 3600,
           "and both are metrics")
shutil.rmtree(work)
tap.done()
