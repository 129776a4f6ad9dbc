#!/usr/bin/env python3
"""Two nodes on one database: the second takes it, and the first, which stood still and then goes on, writes no more. With
SQLite and with PostgreSQL."""
import glob, os, random, shutil, signal, sqlite3, sys, tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from postgres import Postgres, folder_of_programs
from projection import Trader, compare, define_all, facts, rows_of_postgres, rows_of_sqlite, wait_until_even

tap = Tap()
seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
tap.note("seed %d" % seed)
PARTITIONS = 2


def stands_still(pid):
    """All threads of it: the signal reaches one after the other."""
    states = []
    for path in glob.glob("/proc/%d/task/*/stat" % pid):
        with open(path) as file:
            states.append(file.read().rpartition(")")[2].split()[0])
    return all(state == "T" for state in states)


def stop(node):
    node.signal(signal.SIGSTOP)
    return node.wait_for(lambda: stands_still(node.process.pid), what="a process that stands still")


def is_unlocked(path):
    """SQLite: a process that is stopped in the midst of a transaction keeps the file locked. A server ends it after a while."""
    with sqlite3.connect(path, timeout=0) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
            return True
        except sqlite3.OperationalError:
            return False


def try_takeover(what, url, rows_of, is_free):
    config = "projection:\n  run: exchange.history\n  url: %s\n  timeout: 2s\nexchange:\n  partitions: %d\n  ouch: 127.0.0.1:0\n" % (url, PARTITIONS)
    with Node(config=config) as first, Node(config=config, start=False) as second:
        define_all(first)
        trader = Trader(first, seed)
        trader.start()
        first.wait_for(lambda: facts(first)["rows"] > 200, what="rows of the first")
        first.wait_for(lambda: stop(first) and (is_free() or first.signal(signal.SIGCONT)), what="a node that stands still between transactions")
        shutil.copytree(first.data, second.data)  # as a disk that another machine mounts
        second.start()
        second.wait_for(lambda: facts(second)["epoch"] == 2, what="the second node's epoch")
        first.signal(signal.SIGCONT)
        fenced = first.wait_for(lambda: (lambda f: f if f["state"] == "fenced" else None)(facts(first)), what="a fenced first node")
        tap.ok("writes it now" in fenced["error"] and "process" in fenced["error"], what + ": the first is told who has it", fenced["error"])
        trader.end()
        other = Trader(second, seed + 1, batches=20)
        other.start()
        other.join()
        wait_until_even(second)
        compare(tap, second, PARTITIONS, rows_of(), what + ": two nodes")
        tap.equal([facts(first)["epoch"], facts(second)["epoch"]], [1, 2], what + ": epochs")
        tap.equal(facts(first)["state"], "fenced", what + ": and stays so")


folder = tempfile.mkdtemp(prefix="weir-shared-")
try_takeover("SQLite", "sqlite:" + folder, lambda: rows_of_sqlite(os.path.join(folder, "exchange.db")),
             lambda: is_unlocked(os.path.join(folder, "exchange.db")))
shutil.rmtree(folder)
if folder_of_programs():
    with Postgres() as server:
        try_takeover("PostgreSQL", server.url(), lambda: rows_of_postgres(server), lambda: True)
else:
    tap.skip("a takeover with PostgreSQL", "NO POSTGRESQL HERE: install the package postgresql, or run ./x deps test")
tap.done()
