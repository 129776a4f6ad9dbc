#!/usr/bin/env python3
"""bench projection: how fast a topic becomes rows. JSON on stdout, a table on stderr.

    bench/projection.py [--orders N]     N orders of the exchange (100,000), whose events are then projected from the beginning

Beside it, in the same run, what the database takes of the same rows without anything around it: SQLite by python's executemany, a
transaction per 8,192 rows; PostgreSQL by psql's COPY. Both peers only insert executions, where the projection writes orders as well.
The ratio is the result: records and rows per second depend on the machine and on who else uses it.
"""
import argparse, json, os, sqlite3, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))
os.environ["WEIR"] = os.path.abspath(os.environ.get("WEIR", os.path.join(HERE, "..", "build", "weir")))
from node import Node, read_replies  # noqa: E402
from postgres import Postgres, folder_of_programs  # noqa: E402
from projection import NAME, Trader, define_all, facts, wait_until_even  # noqa: E402

COLUMNS = ("part record match_id order_id account symbol_number side is_maker price quantity leaves time_ms").split()
BATCH = 8192


def fill(node, orders):
    """Orders as fast as one pipelined connection takes them."""
    trader = Trader(node, 1)
    with node.connect() as sock:
        for _ in range(orders // 256):
            sock.sendall("".join(trader.request() for _ in range(256)).encode())
            read_replies(sock, 256)


def project(node, *extra):
    """Seconds and facts of making all rows."""
    node.stop()
    node.start(extra=["--set", "projection.run=" + NAME] + list(extra))
    begin = time.monotonic()
    found = wait_until_even(node)
    return time.monotonic() - begin, found


def peer_sqlite(rows, folder):
    with sqlite3.connect(os.path.join(folder, "peer.db"), isolation_level=None) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute("CREATE TABLE executions (%s, PRIMARY KEY (part, record))" % ", ".join(COLUMNS))
        for name in ("account, time_ms", "order_id", "time_ms"):
            file.execute("CREATE INDEX i_%s ON executions (%s)" % (name.replace(", ", "_"), name))
        begin = time.monotonic()
        for at in range(0, len(rows), BATCH):
            file.execute("BEGIN IMMEDIATE")
            file.executemany("INSERT INTO executions VALUES (%s)" % ", ".join("?" * len(COLUMNS)), rows[at:at + BATCH])
            file.execute("COMMIT")
        return time.monotonic() - begin


def peer_postgres(rows, server):
    server.sql("CREATE TABLE peer (LIKE exchange_executions INCLUDING ALL)")
    text = "".join("\t".join(str(v) for v in row) + "\n" for row in rows).encode()
    begin = time.monotonic()
    subprocess.run([os.path.join(server.programs, "psql"), "-X", "-q", "-h", "127.0.0.1", "-p", str(server.port), "-U", "weir", "-d", "history",
                    "-c", "COPY peer (%s) FROM STDIN" % ", ".join(COLUMNS)], input=text, check=True)
    return time.monotonic() - begin


def report(what, seconds, found, peer_rows, peer_seconds, result):
    rows_s, peer_s = found["rows"] / seconds, peer_rows / peer_seconds
    result[what] = {"ratio": round(rows_s / peer_s, 3), "records_per_s": round(found["records"] / seconds), "rows_per_s": round(rows_s),
                    "peer_rows_per_s": round(peer_s), "records": found["records"], "rows": found["rows"], "seconds": round(seconds, 2)}
    print("%-12s %9.0f records/s %9.0f rows/s   peer %9.0f rows/s   ratio %.2f" % (what, found["records"] / seconds, rows_s, peer_s,
                                                                                 rows_s / peer_s), file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100000)
    options = parser.parse_args()
    result = {}
    with tempfile.TemporaryDirectory() as folder, Node(args=["--set", "projection.run=none", "--set", "exchange.ouch=off"]) as node:
        define_all(node)
        fill(node, options.orders)
        seconds, found = project(node)
        with sqlite3.connect("file:%s/projections/exchange.db?mode=ro" % node.data, uri=True) as file:
            rows = file.execute("SELECT %s FROM exchange_executions" % ", ".join(COLUMNS)).fetchall()
        report("sqlite", seconds, found, len(rows), peer_sqlite(rows, folder), result)
        if folder_of_programs():
            with Postgres(settings={"fsync": "on", "shared_buffers": "128MB"}) as server:
                seconds, found = project(node, "--set", "projection.url=" + server.url())
                report("postgresql", seconds, found, len(rows), peer_postgres(rows, server), result)
                node.stop()
        else:
            print("postgresql   NOT MEASURED: no server is installed", file=sys.stderr)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
