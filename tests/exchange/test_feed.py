#!/usr/bin/env python3
"""The WebSocket feed as its user meets it: snapshot and increments without a gap, also over lost connections and kill -9."""
import json, os, random, socket, sys, threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from ws import TEXT, WebSocket

tap = Tap()
FEED = "/v1/exchange/feed"


class Feed:
    def __init__(self, node):
        self.ws = WebSocket(node, FEED)

    def ask(self, **request):
        self.ws.send(json.dumps(request))

    def next(self):
        kind, payload = self.ws.receive()
        if kind != "text":
            raise ConnectionError("%s %r" % (kind, payload))
        return json.loads(payload)

    def until(self, **want):
        while True:
            message = self.next()
            if all(message.get(k) == v for k, v in want.items()):
                return message

    def close(self):
        self.ws.sock.close()


class Mirror:
    """A book rebuilt from l2: reconnects by offset whenever the connection ends, checks that no sequence is missing."""

    def __init__(self, node, symbol):
        self.node, self.symbol = node, symbol
        self.sides, self.sequence, self.offset = {"BUY": {}, "SELL": {}}, None, None
        self.problems, self.resumed, self.snapshots = [], 0, 0
        self.stopping, self.feed = threading.Event(), None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping.wait(0.02):  # a pause before it connects again
            try:
                self.feed = Feed(self.node)
                more = {} if self.offset is None else {"offset": self.offset + 1}
                self.feed.ask(op="subscribe", channel="l2", symbol=self.symbol, depth=1000, **more)
                while True:
                    self.take(self.feed.next())
            except (OSError, RuntimeError, ValueError, LookupError):
                pass

    def take(self, m):
        if m["type"] == "snapshot":
            self.snapshots += 1
            self.sides = {"BUY": {p: q for p, q, _ in m["bids"]}, "SELL": {p: q for p, q, _ in m["asks"]}}
            self.sequence = m["sequence"]
        elif m["type"] == "l2":
            if m["sequence"] != self.sequence + 1:
                self.problems.append("%d follows %d" % (m["sequence"], self.sequence))
            self.sequence, self.offset = m["sequence"], m["offset"]
            self.sides[m["side"]][m["price"]] = m["quantity"]
            if m["quantity"] == 0:
                del self.sides[m["side"]][m["price"]]
        elif m["type"] == "resumed":
            self.resumed += 1
        elif m["type"] == "error":
            self.problems.append(m)

    def book(self):
        return [sorted(self.sides["BUY"].items(), reverse=True), sorted(self.sides["SELL"].items())]


def book(symbol):
    answer = node.get("/v1/exchange/book/%s?depth=500" % symbol).json()
    return int(answer["sequence"]), [[(int(l["price"]), int(l["quantity"])) for l in answer.get(s, [])] for s in ("bids", "asks")]


def order(symbol, side, price, quantity, account=1, **more):
    return node.post("/v1/exchange/orders", dict(symbol=symbol, side=side, price=price, quantity=quantity, account=account, **more))


def channels():
    order("AAA", "BUY", 100, 5)
    feed = Feed(node)
    for i, channel in enumerate(("l1", "l2", "trades")):
        feed.ask(op="subscribe", channel=channel, symbol="AAA", request=i + 1)
    heads = [feed.until(type="snapshot") for _ in range(3)]
    tap.equal(sorted(m["channel"] for m in heads), ["l1", "l2", "trades"], "each channel begins with a snapshot")
    seen = {m["channel"]: m["sequence"] for m in heads}
    order("AAA", "SELL", 100, 2, account=2)
    order("AAA", "SELL", 101, 7, account=2)
    got = [feed.next() for _ in range(5)]
    names = {"l1": "l1", "l2": "l2", "trade": "trades"}
    tap.equal(sorted(m["type"] for m in got), ["l1", "l1", "l2", "l2", "trade"], "increments of each channel follow")
    for m in got:
        seen[names[m["type"]]] += 1
        if m["sequence"] != seen[names[m["type"]]]:
            tap.ok(False, "sequences rise by one from the snapshot's", m)
    trade = next(m for m in got if m["type"] == "trade")
    tap.equal((trade["price"], trade["quantity"], trade["side"]), (100, 2, "SELL"), "a trade has price, quantity and the taker's side")
    last = {m["type"]: m for m in got}
    feed.close()
    order("AAA", "SELL", 102, 1, account=2)
    order("AAA", "BUY", 101, 3)
    again = Feed(node)
    for kind, channel in names.items():
        again.ask(op="subscribe", channel=channel, symbol="AAA", offset=last[kind]["offset"] + 1)
    missed, live = [], 0
    while live < 3:
        m = again.next()
        live += m["type"] == "live"
        if m["type"] in names:
            missed.append(m)
    for kind, count in (("l1", 1), ("l2", 2), ("trade", 1)):
        tap.equal([m["sequence"] - last[kind]["sequence"] for m in missed if m["type"] == kind], list(range(1, count + 1)),
                  "resuming gives exactly the missed %s" % kind)
    again.ask(op="subscribe", channel="l2", symbol="NOSUCH", request=9)
    tap.equal(again.until(request=9)["code"], "NOT_FOUND", "an unknown symbol is told")
    again.ask(op="unsubscribe", channel="l2", symbol="AAA", request=10)
    tap.equal(again.until(request=10)["type"], "unsubscribed", "a subscription ends at its word")
    again.close()


def entry():
    feed = Feed(node)
    feed.ask(op="order", symbol="BBB", side="BUY", price=50, quantity=4, account=3, clientRef=1, request=1)
    reply = feed.until(request=1)
    tap.equal((reply["type"], reply["status"]), ("reply", "OPEN"), "an order enters over WebSocket")
    number = int(reply["orderId"])
    for ask, status in ((dict(op="reduce", by=1), "OPEN"), (dict(op="replace", price=51, quantity=9), "OPEN"), (dict(op="cancel"), "CANCELED")):
        feed.ask(id=number, account=3, request=2, **ask)
        reply = feed.until(request=2)
        tap.equal((reply["type"], reply.get("status")), ("reply", status), ask["op"] + " works on it")
    feed.ask(op="order", symbol="BBB", side="BUY", price=-5, quantity=0, account=3, request=3)
    reply = feed.until(request=3)
    tap.ok(reply["type"] == "error" or (reply["status"] == "REJECTED" and reply["reasonCode"] and " " in reply["sentence"]), "a refusal has code and sentence", reply)
    for bad in ("{", "[1]", '{"op":"fly","request":4}', "\x00", '{"op":"order","request":5}'):
        feed.ws.send(bad)
        m = feed.next()
        tap.ok(m["type"] == "error" and " " in m["sentence"], "malformed closes nothing: %r" % bad, m)
    feed.ask(op="ping", request=6)
    tap.equal(feed.until(request=6)["type"], "pong", "and the session goes on")
    feed.close()


def mirrored():
    dice, mirror, stop = random.Random(7), Mirror(node, "BBB"), threading.Event()
    entered = [0]

    def load():
        while not stop.is_set():
            try:
                order("BBB", dice.choice(("BUY", "SELL")), dice.randrange(90, 111), dice.randrange(1, 20), dice.randrange(1, 5))
                entered[0] += 1
            except OSError:
                stop.wait(0.01)  # the node is down: a pause before the next try
    threads = [threading.Thread(target=load, daemon=True) for _ in range(3)]
    for t in threads:
        t.start()
    for round in range(4):
        node.wait_for(lambda before=entered[0]: entered[0] > before + 150, what="the load")
        before = mirror.resumed
        if round % 2:
            node.kill()
            node.start()
        else:
            mirror.feed.ws.sock.shutdown(2)
        node.wait_for(lambda: mirror.resumed > before, what="the mirror's return")
    node.wait_for(lambda before=entered[0]: entered[0] > before + 100, what="the load")
    stop.set()
    for t in threads:
        t.join()
    sequence, want = book("BBB")
    try:
        node.wait_for(lambda: mirror.sequence == sequence, patience=15, what="the mirror")
    except RuntimeError as e:
        tap.note("%s: %s of %d" % (e, mirror.sequence, sequence))
    mirror.stopping.set()
    tap.equal(mirror.book(), want, "a book rebuilt from the feed equals the engine's, over cut connections and kill -9")
    tap.equal(mirror.problems, [], "no sequence was missed or repeated")
    tap.ok(mirror.resumed >= 4 and mirror.snapshots == 1, "it resumed and needed no second snapshot", (mirror.resumed, mirror.snapshots))
    mirror.feed.close()


def slow():
    feed = Feed(node)
    feed.ask(op="subscribe", channel="l2", symbol="AAA")
    first = feed.until(type="snapshot")["sequence"]
    before, size = node.metric("weir_edge_slow_consumers_total") or 0, 0
    order("AAA", "BUY", 10, 1)
    last = feed.until(type="l2")
    # It stops to read: the same request over and over, until 8 MB of answers wait for it. Many in one write, and a receive buffer of
    # known size: of small answers in segments of their own a full one drops some, acknowledgements with them, and then neither
    # side's bytes move any more.
    requests = feed.ws.framed(TEXT, b'{"op":"subscribe","channel":"l2","symbol":"AAA","request":1}') * 1000
    feed.ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    feed.ws.sock.settimeout(10)
    try:
        for _ in range(3000):
            feed.ws.sock.sendall(requests)
            size += len(requests)
    except OSError:
        pass
    try:  # the node's own word: a send that only blocks is no proof
        node.wait_for(lambda: (node.metric("weir_edge_slow_consumers_total") or 0) > before, 20, "the close")
        closed = True
    except RuntimeError:
        closed = False
    tap.ok(closed, "a client that never reads is closed", size)
    tap.ok(node.alive(), "the node stands")
    feed.close()
    again = Feed(node)
    again.ask(op="subscribe", channel="l2", symbol="AAA", offset=last["offset"] + 1)
    expected, m = last["sequence"], again.next()
    gaps = 0
    while m["type"] != "live":
        if m["type"] == "l2":
            expected += 1
            gaps += m["sequence"] != expected
        m = again.next()
    tap.equal((gaps, expected), (0, book("AAA")[0]), "and can resume where it was")
    again.close()


with Node(args=["--set", "exchange.ouch=off"]) as node:
    for name in ("AAA", "BBB"):
        node.post("/v1/exchange/symbols", {"symbol": name})
    for part in (channels, entry, mirrored, slow):
        try:
            part()
        except (OSError, RuntimeError, KeyError, StopIteration) as e:
            tap.ok(False, part.__name__ + " ran to its end", "%s: %s" % (type(e).__name__, e))
    tap.equal(node.stop(), 0, "the node stops cleanly")
tap.done()
