#!/usr/bin/env python3
"""Every HTTP route of the exchange, as its user meets it; refusals; idempotency over a kill; limits as part of history."""
import os, re, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

tap = Tap()
V1 = "/v1/exchange"
tried = set()


class Api:
    """Requests by route template, so that what was tried can be compared with what is declared."""

    def __init__(self, node):
        self.node = node

    def __call__(self, method, path, body=None, query="", headers=None, **fields):
        tried.add((method, V1 + path))
        return self.node.request(method, V1 + path.format(**fields) + query, body, headers)

    def order(self, symbol, side, price, quantity, account=1, headers=None, **more):
        return self("POST", "/orders", dict(symbol=symbol, side=side, price=price, quantity=quantity, account=account, **more),
                    headers=headers)

    def book(self, symbol, depth=50):
        answer = self("GET", "/book/{symbol}", query="?depth=%d" % depth, symbol=symbol).json()
        return [[(int(l["price"]), int(l["quantity"])) for l in answer.get(side, [])] for side in ("bids", "asks")]


def id_of(answer):
    return int(answer.json()["orderId"])


def refused(answer, status, code):
    """A problem with the reason's code and a sentence."""
    body = answer.json()
    return answer.status == status and body["code"] == code and " " in body["title"] and \
        answer.header("content-type") == "application/problem+json"


def orders(api):
    tap.equal(api("POST", "/symbols", {"symbol": "AAA", "tick": 5, "quantityMax": 100, "reference": 100, "band": 50, "notionalMax": 9000}).status,
              201, "a symbol is defined")
    first = api.order("AAA", "SELL", 105, 10)
    tap.equal((first.status, first.json()["status"], first.json()["leaves"]), (201, "OPEN", "10"), "an order rests")
    got = api("GET", "/orders/{id}", id=id_of(first)).json()
    tap.equal((got["symbol"], got["side"], got["price"], got["leaves"]), ("AAA", "SELL", "105", "10"), "and is found by its id")
    fill = api.order("AAA", "BUY", 110, 4, account=2).json()
    tap.equal((fill["status"], [(f["price"], f["quantity"]) for f in fill["fills"]]), ("FILLED", [("105", "4")]),
              "a crossing order fills at the resting price")
    replaced = api("PATCH", "/orders/{id}", {"price": 115, "quantity": 12, "account": 1}, id=id_of(first))
    tap.equal((replaced.status, replaced.json()["leaves"], api.book("AAA")), (200, "8", [[], [(115, 8)]]), "replace sets the total and the price")
    reduced = api("POST", "/orders/{id}/reduce", {"by": 3, "account": 1}, id=id_of(first))
    tap.equal((reduced.status, reduced.json()["leaves"]), (200, "5"), "reduce takes off")
    tap.ok(refused(api("DELETE", "/orders/{id}", query="?account=2", id=id_of(first)), 404, "unknown_order"), "another account cannot cancel it")
    tap.equal(api("DELETE", "/orders/{id}", query="?account=1", id=id_of(first)).json()["status"], "CANCELED", "its own can")
    tap.equal(api("GET", "/orders/{id}", id=id_of(first)).status, 404, "then it is no open order")


def refusals(api):
    for what, answer, status, code in (
            ("off the tick", api.order("AAA", "BUY", 101, 1), 422, "tick"),
            ("outside the band", api.order("AAA", "BUY", 200, 1), 422, "price_band"),
            ("too large", api.order("AAA", "BUY", 100, 101), 422, "quantity"),
            ("too much money", api.order("AAA", "BUY", 100, 100), 422, "notional"),
            ("of a symbol nobody defined", api.order("NOSUCH", "BUY", 100, 1), 404, "unknown_symbol"),
            ("expired already", api.order("AAA", "BUY", 100, 1, timeInForce="GTD", expireAtMs=1), 422, "expired_already"),
            ("post-only and immediate", api.order("AAA", "BUY", 100, 1, postOnly=True, timeInForce="IOC"), 422, "malformed"),
            ("of an account there is not", api.order("AAA", "BUY", 100, 1, account=4294967295), 404, "unknown_account"),
            ("a symbol defined twice", api("POST", "/symbols", {"symbol": "AAA"}), 409, "symbol_exists")):
        tap.ok(refused(answer, status, code), "refused with code and sentence: " + what, answer)
    for what, answer in (
            ("cut JSON", api("POST", "/orders", '{"symbol":"AAA"')), ("an unknown field", api("POST", "/orders", {"simbol": "AAA"})),
            ("no side", api("POST", "/orders", {"symbol": "AAA", "price": 1, "quantity": 1, "account": 1})),
            ("an unknown time in force", api.order("AAA", "BUY", 100, 1, timeInForce="SOON")),
            ("a time in force that would wrap", api.order("AAA", "BUY", 100, 1, timeInForce=256)),
            ("a self-trade mode that would wrap", api.order("AAA", "BUY", 100, 1, selfTrade=256)),
            ("a side of its own in a mass cancel", api("POST", "/mass-cancel", {"account": 9, "side": 7})),
            ("an unknown type", api.order("AAA", "BUY", 100, 1, type=7)),
            ("a broken price", api.order("AAA", "BUY", 1.5, 1)), ("a negative quantity", api.order("AAA", "BUY", 100, -1)),
            ("a long name", api.order("A" * 17, "BUY", 100, 1)), ("too deep a book", api("GET", "/book/{symbol}", query="?depth=501", symbol="AAA")),
            ("an id that is no number", api("GET", "/orders/{id}", id="x")), ("an empty body", api("POST", "/orders", ""))):
        body = answer.json()
        tap.ok(answer.status in (400, 422) and " " in body.get("detail", "") + body["title"], "malformed, said in a sentence: " + what, answer)
    for path in ("/book/{symbol}", "/symbols/{symbol}"):
        tap.equal(api("GET", path, symbol="NOSUCH").status, 404, "an unknown symbol is not found: " + path)
    tap.equal(api.book("AAA"), [[], []], "none of them left an order")


def states(api):
    api.order("AAA", "BUY", 95, 1, timeInForce="DAY")
    keep = id_of(api.order("AAA", "BUY", 90, 1))
    tap.equal(api("POST", "/symbols/{symbol}/halt", {}, symbol="AAA").status, 200, "trading is halted")
    tap.ok(refused(api.order("AAA", "BUY", 95, 1), 409, "halted"), "a halted symbol takes no order")
    tap.equal(api("GET", "/symbols/{symbol}", symbol="AAA").json()["state"], "HALTED", "and says so")
    tap.equal(api("POST", "/symbols/{symbol}/resume", {}, symbol="AAA").status, 200, "and resumed")
    api("POST", "/day-end", {})
    tap.equal(api.book("AAA"), [[(90, 1)], []], "the end of the day ends day orders only")
    soon = api.order("AAA", "BUY", 95, 2, timeInForce="GTD", expireAtMs=int(time.time() * 1000) + 700)
    tap.equal(soon.status, 201, "an order for less than a second")
    api.node.wait_for(lambda: api.book("AAA") == [[(90, 1)], []], what="the expiry by timer")
    tap.ok(True, "a good-till-date order ends without anybody's command")
    tap.equal(api("POST", "/accounts/{account}/suspend", {}, account=1).status, 200, "an account is suspended")
    tap.ok(refused(api.order("AAA", "BUY", 95, 1), 409, "suspended"), "takes no orders")
    tap.equal(api("GET", "/orders/{id}", id=keep).status, 404, "and has lost those it had")
    api("POST", "/accounts/{account}/reinstate", {}, account=1)
    for i in range(3):
        api.order("AAA", "BUY", 80 + 5 * i, 1)
    api.order("AAA", "BUY", 75, 1, account=2)
    page = api("GET", "/accounts/{account}/orders", account=1).json()["orders"]
    tap.equal([o["price"] for o in page], ["80", "85", "90"], "reinstated, its orders are listed")
    tap.equal(api("POST", "/mass-cancel", {"account": 1, "symbol": "AAA"}).json()["canceledOrders"], "3", "a mass cancel counts what it ended")
    tap.equal(api.book("AAA"), [[(75, 1)], []], "and leaves the others'")
    tap.equal(api("PUT", "/symbols/{symbol}", {"tick": 1, "lot": 1}, symbol="AAA").json()["code"], "terms", "the tick is fixed while orders are open")
    api("POST", "/mass-cancel", {})
    tap.equal(api("PUT", "/symbols/{symbol}", {"tick": 1, "lot": 1}, symbol="AAA").status, 200, "terms are altered")
    tap.equal(api("GET", "/symbols").json()["symbols"][0]["terms"]["tick"], "1", "and listed")
    tap.ok(int(api("GET", "/stats").json()["rejected"]) > 5, "counters count")


def idempotency(node, api):
    key = {"Idempotency-Key": "order-1"}
    first = api.order("AAA", "BUY", 50, 7, headers=key)
    again = api.order("AAA", "BUY", 50, 7, headers=key)
    tap.equal((again.status, again.body, again.header("Idempotency-Replayed")), (first.status, first.body, "true"), "the same key: the same answer, told as repeated")
    tap.equal(api.book("AAA")[0], [(50, 7)], "and one order")
    other = api.order("AAA", "BUY", 50, 8, headers=key)
    tap.equal((other.status, other.json()["code"]), (422, "KEY_REUSED"), "the same key with another body is refused")
    node.kill()
    node.start()
    again = api.order("AAA", "BUY", 50, 7, headers=key)
    tap.equal((again.status, again.body, again.header("Idempotency-Replayed")), (first.status, first.body, "true"), "the same after kill -9")
    tap.equal(api.order("AAA", "BUY", 50, 8, headers=key).status, 422, "the other body too")
    tap.equal(api.book("AAA")[0], [(50, 7)], "still one order")


def partitions():
    with Node(args=["--set", "exchange.ouch=off", "--set", "exchange.partitions=4"]) as node:
        api, ids = Api(node), {}
        names = ["S%d" % i for i in range(12)]
        for name in names:
            api("POST", "/symbols", {"symbol": name})
            ids[name] = [id_of(api.order(name, "BUY", p, 1)) for p in (10, 11)]
        home = {name: api("GET", "/symbols/{symbol}", symbol=name).json()["partition"] for name in names}
        flat = sum(ids.values(), [])
        tap.ok(len(set(flat)) == len(flat) and len(set(home.values())) > 1, "ids are unique over partitions", (ids, home))
        tap.ok(all(i % 4 == home[name] for name in names for i in ids[name]), "and tell their partition")
        node.kill()
        node.start()
        tap.ok(all(api("GET", "/orders/{id}", id=i).json()["symbol"] == name for name in names for i in ids[name]), "each is found by its id, after kill -9")
        for name in names:
            api("DELETE", "/orders/{id}", query="?account=1", id=ids[name][0])
        tap.ok(all(api.book(name) == [[(11, 1)], []] for name in names), "and canceled by it")
        tap.equal(api("POST", "/mass-cancel", {"account": 1}).status, 400, "a mass cancel over partitions asks for a symbol")
        tap.equal(api("POST", "/mass-cancel", {"account": 1, "symbol": "S0"}).json()["canceledOrders"], "1", "with one it works")
        tap.ok(api("GET", "/stats", query="?partition=9").status in (400, 404), "there is no partition 9")


def limits():
    """What was accepted under a limit stays accepted, whatever the file says at the next start."""
    def node_with(open_max, folder=None):
        return Node(folder=folder, args=["--set", "exchange.ouch=off", "--set", "exchange.open_max=%d" % open_max])
    with node_with(8) as node:
        api = Api(node)
        api("POST", "/symbols", {"symbol": "AAA"})
        said = [api.order("AAA", "BUY", 10 + i, 1).status for i in range(10)]
        tap.equal(said, [201] * 8 + [422] * 2, "the limit of open orders holds")
        stats, book = api("GET", "/stats").body, api.book("AAA")
        events = read_events(node)
        for open_max, now in ((3, 422), (9, 201)):
            node.kill()
            node.args[-1] = "exchange.open_max=%d" % open_max
            node.start()
            tap.equal((api.book("AAA"), api("GET", "/stats").body), (book, stats), "a tail replayed under open_max=%d gives the same state" % open_max)
            tap.equal(read_events(node), events, "and the same outputs")
            tap.equal(api.order("AAA", "SELL", 99, 1).status, now, "what comes from now on meets the new limit")
            stats, book, events = api("GET", "/stats").body, api.book("AAA"), read_events(node)
        node.stop()
        node.args[-2:] = ["--set", "exchange.orders_max=1024"]
        node.start()
        tap.equal(api.book("AAA"), book, "the same from a snapshot with less room")
        node.kill()
        node.args += ["--set", "exchange.orders_max=4000000", "--set", "exchange.accounts_max=100000"]
        node.start()
        tap.equal((api.book("AAA"), api.order("AAA", "BUY", 1, 1, account=99999).status), (book, 201), "and with more, which is used at once")


def history():
    """Of a projection, and so of a node that runs it."""
    with Node(args=["--set", "exchange.ouch=off"]) as node:
        api = Api(node)
        answer = api("GET", "/history/orders")
        tap.ok(answer.status == 501 and "projection.run" in answer.json()["detail"], "history without its projection says what to set", answer)
        node.args += ["--set", "projection.run=default,exchange.history"]
        node.restart()
        api("POST", "/symbols", {"symbol": "AAA"})
        api.order("AAA", "BUY", 100, 5, account=1)
        taker = api.order("AAA", "SELL", 100, 5, account=2).json()["orderId"]
        found = lambda: api("GET", "/history/executions", query="?account=2").json().get("executions")
        node.wait_for(found, what="an execution in the history")
        tap.equal([(e["orderId"], e["side"], e["price"], e["quantity"], e["isMaker"]) for e in found()], [(taker, "SELL", "100", "5", False)],
                  "an execution is found by its account")
        states = [(o["side"], o["state"], o["executed"]) for o in api("GET", "/history/orders", query="?symbol=AAA").json()["orders"]]
        tap.equal(states, [("SELL", "filled", "5"), ("BUY", "filled", "5")], "and orders by their symbol, newest first")


def read_events(node):
    return [(r["offset"], r["value"]) for r in node.get("/v1/topics/exchange.events/records?partition=0&offset=0&limit=1000").json()["records"]]


def all_tried():
    text = subprocess.run([os.environ["WEIR"], "service", "describe", "exchange"], capture_output=True, text=True).stdout
    declared = set(re.findall(r"^\s+(GET|POST|PUT|PATCH|DELETE)\s+(/v1/\S+)", text, re.M)) - {("GET", V1 + "/feed")}
    tap.ok(len(declared) >= 18, "routes are described", text[:500])
    tap.equal(sorted(declared - tried), [], "every described route was tried")


with Node(args=["--set", "exchange.ouch=off"]) as node:
    api = Api(node)
    orders(api)
    refusals(api)
    states(api)
    idempotency(node, api)
    tap.equal(node.stop(), 0, "the node stops cleanly")
history()
partitions()
limits()
all_tried()
tap.done()
