"""What the tests of projections share: orders as fast as one connection takes them, the rows that the log says there must be,
and the rows that there are, read by somebody else's client."""
import json
import os
import random
import sqlite3
import subprocess
import threading
import time

from backup import define, records
from node import read_replies

NAME = "exchange.history"
TABLES = {
    "exchange_orders": "order_id account session client_ref symbol_number side price quantity executed leaves state ended_ms",
    "exchange_executions": "part record match_id order_id account symbol_number side is_maker price quantity leaves time_ms",
}
SYMBOLS = ["AAA", "BBB", "CCC", "DDD"]


class Trader(threading.Thread):
    """Orders, pipelined, until stopped or the node dies."""

    def __init__(self, node, seed, batches=None):
        super().__init__(daemon=True)
        self.node, self.dice, self.batches, self.acked, self.stopped = node, random.Random(seed), batches, 0, False

    def request(self):
        body = json.dumps({"symbol": self.dice.choice(SYMBOLS), "side": self.dice.choice(["BUY", "SELL"]), "price": self.dice.randint(90, 110),
                           "quantity": self.dice.randint(1, 9), "account": self.dice.randint(1, 5),
                           "timeInForce": self.dice.choice(["GTC", "GTC", "GTC", "IOC"])})
        return "POST /v1/exchange/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            len(body), body)

    def run(self):
        try:
            with self.node.connect() as sock:
                while not self.stopped and self.batches != 0:
                    sock.sendall("".join(self.request() for _ in range(16)).encode())
                    answers = read_replies(sock, 16)
                    self.acked += sum(1 for a in answers if a.status == 201)
                    if len(answers) < 16:
                        return
                    self.batches = self.batches and self.batches - 1
                    time.sleep(0.01)  # the load of a test, not of a benchmark
        except OSError:
            pass

    def end(self):
        self.stopped = True
        self.join()


def define_all(node):
    for symbol in SYMBOLS:
        define(node, symbol)


def expected(node, partitions):
    """{table: sorted rows} that follow from exchange.events as the node's own API reads it."""
    orders, executions = {}, []
    for part in range(partitions):
        for offset, text in records(node, "exchange.events", part):
            record = json.loads(text)
            e = record["value"]
            number, time_ms = int(e.get("order", 0)) * partitions + part, int(record["timeMs"])
            kind = e["event"]
            if kind == "accepted":
                orders[number] = [number, e["account"], e.get("session", 0), e.get("client_ref", 0), e["symbol_number"], e["side"], e["price"],
                                  e["quantity"], e["executed"], e["leaves"], "open", None]
            elif kind == "executed":
                executions.append((part, offset, e["match_id"], number, e["account"], e["symbol_number"], e["side"], 1 if e.get("maker") else 0,
                                   e["price"], e["quantity"], e["leaves"], time_ms))
                orders[number][8:12] = [e["executed"], e["leaves"], "open" if e["leaves"] else "filled", None if e["leaves"] else time_ms]
            elif kind in ("canceled", "expired"):
                orders[number][8:12] = [e["executed"], e["leaves"], kind, time_ms]
    return {"exchange_orders": sorted(tuple(r) for r in orders.values()), "exchange_executions": sorted(executions)}


def rows_of_sqlite(path):
    with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as file:
        return {table: sorted(file.execute("SELECT %s FROM %s" % (columns.replace(" ", ", "), table)).fetchall())
                for table, columns in TABLES.items()}


def rows_of_postgres(server):
    """The same; psql's text, turned into what SQLite gives."""
    def value(text):
        return None if text == "" else int(text) if text.lstrip("-").isdigit() else text
    return {table: sorted(tuple(value(v) for v in row) for row in server.sql("SELECT %s FROM %s" % (columns.replace(" ", ", "), table)))
            for table, columns in TABLES.items()}


def facts(node, name=NAME):
    return node.get("/v1/projections/" + name).json()


def wait_until_even(node, name=NAME):
    """Until the projection has all that the topic has."""
    return node.wait_for(lambda: (lambda f: f if f["state"] == "running" and f["lagRecords"] == 0 else None)(facts(node, name)),
                         what="%s up to the end of its topic" % name)


def compare(tap, node, partitions, rows, what):
    want = expected(node, partitions)
    for table in TABLES:
        missing, strange = set(want[table]) - set(rows[table]), set(rows[table]) - set(want[table])
        tap.ok(want[table] == rows[table], "%s: %s has the rows of the topic exactly, %d" % (what, table, len(rows[table])),
               "missing %s\nstrange %s" % (sorted(missing)[:5], sorted(strange)[:5]))
    return len(want["exchange_executions"])


def weir(*args):
    done = subprocess.run([os.environ["WEIR"], *[str(a) for a in args]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    return done.returncode, done.stdout.decode(), done.stderr.decode()
