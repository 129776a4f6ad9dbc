#!/usr/bin/env python3
"""An output topic as rows of PostgreSQL, a real one: the server is killed and started again under load, then stopped, then
hangs; the node is killed, too. In the end the rows are what the topic says, none missing and none twice.
# also: tsan
"""
import os, random, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from postgres import Postgres, folder_of_programs
from projection import Trader, compare, define_all, facts, rows_of_postgres, wait_until_even

tap = Tap()
seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
dice = random.Random(seed)
tap.note("seed %d" % seed)
PARTITIONS = 2
if not folder_of_programs():
    tap.skip("rows of PostgreSQL", "NO POSTGRESQL HERE: install the package postgresql, or run ./x deps test")
    tap.done()

with Postgres() as server:
    server.sql("CREATE ROLE plain LOGIN; ALTER SCHEMA public OWNER TO plain")  # no superuser: what a node needs, and no more
    config = ("projection:\n  run: exchange.history\n  url: %s\n  timeout: 2s\nexchange:\n  partitions: %d\ncheckpoint_bytes: 1MB\nsegment_bytes: 1MB\n"
              "snapshot_bytes: 64KB\n" % (server.url(user="plain"), PARTITIONS))
    with Node(config=config) as node:
        define_all(node)

        def under_load(seconds=0.3):
            """Traders; returns once rows come of what they do."""
            traders = [Trader(node, dice.random()) for _ in range(2)]
            before = facts(node)["rows"]
            for t in traders:
                t.start()
            node.wait_for(lambda: facts(node)["rows"] > before + 200, what="rows under load")
            time.sleep(dice.uniform(0, seconds))
            return traders

        def until(state):
            return node.wait_for(lambda: (lambda f: f if f["state"] == state else None)(facts(node)), what="state " + state)

        for round in range(2):
            traders = under_load()
            server.kill()
            broken = until("retrying")
            tap.ok("PostgreSQL" in broken["error"], "a killed server is told of", broken)
            acked = sum(t.acked for t in traders)
            node.wait_for(lambda: sum(t.acked for t in traders) > acked + 200, what="orders while the database is down")
            tap.ok(True, "orders are taken while the database is down")
            server.start()
            until("running")
            for t in traders:
                t.end()
        traders = under_load()
        node.kill()
        for t in traders:
            t.join()
        node.start()
        traders = under_load()
        server.stop()
        until("retrying")
        for t in traders:
            t.end()
        node.kill()
        node.start()
        tap.equal(facts(node)["records"], 0, "a node starts without its database")
        server.start()
        wait_until_even(node)
        tap.equal(facts(node)["error"], None, "and forgets the failure when it is over")
        traders = under_load()
        server.hold()
        hung = until("retrying")
        tap.ok("does not answer" in hung["error"] or "timeout" in hung["error"], "a server that hangs is given up", hung["error"])
        server.resume()
        for t in traders:
            t.end()
        until("running")
        server.sql("ALTER DATABASE history SET default_transaction_read_only = on")
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'plain'")
        until("retrying")
        told = node.wait_for(lambda: (lambda f: f["error"] if "read-only" in (f["error"] or "") else None)(facts(node)), what="a read-only server")
        tap.ok("read-only" in told, "a server that takes no writes is told of", told)
        server.sql("ALTER DATABASE history RESET default_transaction_read_only", database="postgres")
        wait_until_even(node)
        executions = compare(tap, node, PARTITIONS, rows_of_postgres(server), "after crashes of both")
        tap.ok(executions > 100, "there was something to compare: %d executions" % executions)
        newest = node.get("/v1/exchange/history/executions?limit=5").json()["executions"]
        rows = server.sql("SELECT match_id, order_id FROM exchange_executions ORDER BY time_ms DESC, part DESC, record DESC LIMIT 5")
        tap.equal([[e["matchId"], e["orderId"]] for e in newest], rows, "a route answers from PostgreSQL")
        asked = node.get("/v1/exchange/history/orders?account=3&symbol=AAA&state=open&limit=1000")
        tap.equal({o["side"] for o in asked.json()["orders"]}, {"BUY", "SELL"}, "with conditions, and enums from their names")
        said = [line for line in node.stderr if "event=projection_failed" in line]
        tap.ok(0 < len(said) < 6, "each failure is said once", "\n".join(said))
        tap.equal(server.sql("SELECT epoch FROM weir_projections"), [["3"]], "three lives, three epochs, however often it was connected")
        tap.equal(node.stop(), 0, "a clean stop")
tap.done()
