#!/usr/bin/env python3
"""An output topic as rows of SQLite: a node killed again and again under load has, in the end, the rows that the topic says,
none missing and none twice. The reader is python's own SQLite.
# also: tsan
"""
import os, random, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from projection import Trader, compare, define_all, facts, rows_of_sqlite, wait_until_even

tap = Tap()
seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
dice = random.Random(seed)
tap.note("seed %d" % seed)
PARTITIONS = 2
config = "projection:\n  run: exchange.history\nexchange:\n  partitions: %d\ncheckpoint_bytes: 1MB\nsegment_bytes: 1MB\nsnapshot_bytes: 64KB\n" % PARTITIONS

with Node(start=False, config=config) as node:
    database = os.path.join(node.data, "projections", "exchange.db")
    epochs, acked = [], 0
    for life in range(5):
        node.start(extra=["--lanes", str(dice.choice([1, 2, 4]))])
        if life == 0:
            define_all(node)
        traders = [Trader(node, dice.random()) for _ in range(2)]
        for t in traders:
            t.start()
        before = facts(node)["rows"]
        node.wait_for(lambda: facts(node)["rows"] > before + 200, what="rows under load")
        epochs.append(facts(node)["epoch"])
        time.sleep(dice.uniform(0, 0.3))  # the moment of the crash
        node.kill()
        for t in traders:
            t.join()
            acked += t.acked
    node.start()
    wait_until_even(node)
    tap.ok(epochs == sorted(set(epochs)), "each life takes the projection under a higher epoch", epochs)
    executions = compare(tap, node, PARTITIONS, rows_of_sqlite(database), "after five kills")
    tap.ok(executions > 100 and acked > 100, "there was something to compare: %d executions of %d orders" % (executions, acked))
    tap.ok(node.metric("weir_projection_lag_records") == 0 and node.metric("weir_projection_up") == 1, "metrics: up, nothing behind")
    tap.equal(node.metric("weir_projection_gap_records_total"), 0, "no record was passed over")
    tap.equal(node.stop(), 0, "a clean stop")
tap.done()
