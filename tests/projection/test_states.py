#!/usr/bin/env python3
"""What a projection does when its database is not the one it left: of a later state, of another log, of a newer weir, empty;
and how an operator sees and mends it. Rows that are too old; wrong settings."""
import json, os, random, shutil, sqlite3, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from projection import NAME, Trader, compare, define_all, facts, rows_of_sqlite, wait_until_even, weir

tap = Tap()
seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
tap.note("seed %d" % seed)
PARTITIONS = 2
config = "projection:\n  run: exchange.history\nexchange:\n  partitions: %d\n" % PARTITIONS


def trade(node, more):
    trader = Trader(node, seed + more, batches=10)
    trader.start()
    trader.join()


def refused(node):
    return node.wait_for(lambda: (lambda f: f if f["state"] == "refused" else None)(facts(node)), what="a refusal")


with Node(config=config) as node:
    database = os.path.join(node.data, "projections", "exchange.db")
    address = "127.0.0.1:%d" % node.port()
    define_all(node)
    trade(node, 1)
    wait_until_even(node)
    code, out, err = weir("projection", "list", "--node", address)
    tap.ok(code == 0 and NAME in out and "running" in out, "weir projection list", out + err)
    code, out, err = weir("projection", "status", NAME, "--node", address, "--json")
    tap.equal(json.loads(out)["partitions"], facts(node)["partitions"], "weir projection status")
    code, out, err = weir("projection", "status", "exchange.nothing", "--node", address)
    tap.ok(code == 3 and "projection.run" in err, "a name that there is not", err)

    # -- of a later state than the log: a log from a backup
    node.stop()
    shutil.copytree(node.data, node.data + ".backup")
    node.start()
    trade(node, 2)
    wait_until_even(node)
    node.stop()
    shutil.rmtree(os.path.join(node.data + ".backup", "projections"))
    shutil.move(os.path.join(node.data, "projections"), node.data + ".backup")
    shutil.rmtree(node.data)
    os.rename(node.data + ".backup", node.data)
    node.start()
    told = refused(node)
    tap.ok("ends at" in told["error"] and "weir projection rebuild " + NAME in told["error"], "a database ahead of the log is refused, with what to do",
           told["error"])
    before = rows_of_sqlite(database)
    trade(node, 3)
    tap.ok(rows_of_sqlite(database) == before, "and nothing is written to it, while orders are taken")
    address = "127.0.0.1:%d" % node.port()
    code, out, err = weir("projection", "rebuild", NAME, "--node", address)
    tap.ok(code == 0 and "made again" in out, "weir projection rebuild", out + err)
    wait_until_even(node)
    compare(tap, node, PARTITIONS, rows_of_sqlite(database), "rebuilt")
    asked = node.get("/v1/topics/weir.audit/records?partition=0&offset=0&limit=100").body.decode()
    tap.ok("projection.rebuild" in asked, "which the audit has", asked[:300])

    # -- of another log, which is longer
    node.stop()
    with Node(config=config) as other:
        define_all(other)
        for more in range(4, 10):
            trade(other, more)
        other.stop()
        shutil.rmtree(os.path.join(other.data, "projections"))
        shutil.copytree(os.path.join(node.data, "projections"), os.path.join(other.data, "projections"))
        other.start()
        tap.ok("another record" in refused(other)["error"], "a database of another log is refused, however long that is", facts(other)["error"])

    # -- of a newer weir
    with sqlite3.connect(database) as file:
        file.execute("UPDATE weir_projections SET migration = 99")
    node.start()
    tap.ok("migration 99" in refused(node)["error"], "tables of a newer weir are refused", facts(node)["error"])
    node.stop()
    with sqlite3.connect(database) as file:
        file.execute("UPDATE weir_projections SET migration = 1")

    # -- gone altogether
    for end in ("", "-wal", "-shm"):
        if os.path.exists(database + end):
            os.unlink(database + end)
    node.start()
    wait_until_even(node)
    compare(tap, node, PARTITIONS, rows_of_sqlite(database), "a file that was deleted")

    # -- not a database, then one again
    node.stop()
    with open(database, "wb") as file:
        file.write(b"this is no database\n" * 500)
    node.start()
    bad = node.wait_for(lambda: (lambda f: f if f["state"] == "retrying" else None)(facts(node)), what="a failure")
    tap.ok("not a database" in bad["error"] and database in bad["error"], "a file that is no database is named", bad["error"])
    for end in ("", "-wal", "-shm"):
        if os.path.exists(database + end):
            os.unlink(database + end)
    wait_until_even(node)
    compare(tap, node, PARTITIONS, rows_of_sqlite(database), "once it is taken away")

    # -- rows that are too old
    node.stop()
    node.start(extra=["--set", "exchange.history_keep=1s"])
    node.wait_for(lambda: not rows_of_sqlite(database)["exchange_executions"], what="the end of rows older than a second")
    left = {row[10] for row in rows_of_sqlite(database)["exchange_orders"]}
    tap.equal(left, {"open"}, "old executions and ended orders leave, open orders stay")
    tap.ok(facts(node)["expiredRows"] > 100, "and are counted", facts(node)["expiredRows"])

for setting, words in (("projection.url=mysql://root:secret@x/y", "postgresql://"), ("projection.run=exchange.histori", "exchange.history?"),
                       ("projection.url=postgresql://u:secret@x@y/z", "%40")):
    with Node(args=["--set", setting], start=False) as node:
        code, text = node.run_to_exit()
        tap.ok(code == 25 and words in text and "secret" not in text, "refused at start: " + setting.replace("secret", "..."), text)
tap.done()
