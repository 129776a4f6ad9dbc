#!/usr/bin/env python3
"""A session of the binary gateway over its life: takeover, what a resumed reader sees, self-trade prevention, disconnects."""
import os, struct, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from node import Node, Tap
from ouch import Gone, Session, cancel, enter, replace

tap = Tap()
SELF_TRADE = 201  # the option's tag


def logged_in(user, sequence=0):
    session = Session(node)
    kind, payload = session.login(user, sequence=sequence)
    if kind != "A":
        raise RuntimeError("login of %s refused: %r" % (user, payload))
    return session


def until_gone(session):
    kinds = []
    try:
        while True:
            kinds.append(session.packet()[0])
    except Gone:
        return "".join(kinds)


def takeover():
    old = logged_in("501")
    old.put(enter(1, "B", 5, "AAA", 90))
    old.until("A")
    new = logged_in("501")
    tap.equal(until_gone(old), "Z", "a second login ends the first: End of Session, then closed")
    new.put(cancel(1))
    tap.equal(new.message()[0], "C", "the second login has the session and its orders")
    again = logged_in("501", sequence=1)
    tap.equal(until_gone(new), "Z", "a login that resumes takes over too")
    letters = [again.message()[0] for _ in range(2)]
    tap.equal(letters, ["A", "C"], "and reads the same messages, no trace of the logins between them")
    again.put(b"Q")
    tap.equal(again.message()[0], "Q", "nor of the ends of the connections that lost it")
    again.close()


def disconnect_before_the_answer():
    session = logged_in("502")
    session.put(enter(1, "B", 5, "AAA", 91))
    session.until("A")
    session.reset()
    node.wait_for(lambda: levels("bids") == [], what="cancel on disconnect")
    tap.ok(True, "a client that vanishes takes its orders along")


def levels(side):
    return [(int(l["price"]), int(l["quantity"])) for l in node.get("/v1/exchange/book/AAA?depth=50").json().get(side, [])]


def with_self_trade(message, mode):
    return message + struct.pack(">HBBc", 3, 2, SELF_TRADE, mode.encode())


def prevented(message):
    """(ref, taken off, would have traded, price, liquidity, strategy)"""
    ref, quantity = struct.unpack(">II", message[9:17])
    much, price = struct.unpack(">IQ", message[18:30])
    return ref, quantity, much, price, message[30:31].decode(), message[31:32].decode()


def self_trades():
    s = logged_in("503")
    s.put(enter(1, "S", 10, "AAA", 100), with_self_trade(enter(2, "B", 4, "AAA", 101), "D"))
    got = [s.message() for _ in range(4)]
    tap.equal([m[0] for m in got], ["A", "A", "D", "D"], "decrement is told by Self-Trade Prevented on both sides")
    tap.equal([prevented(m[1]) for m in got[2:]], [(1, 4, 4, 100, "A", "D"), (2, 4, 4, 100, "R", "D")], "with price, quantities, side and mode")
    s.put(with_self_trade(enter(3, "B", 9, "AAA", 100), "N"))
    got = [s.message() for _ in range(2)]
    tap.equal([got[0][0], prevented(got[1][1])], ["A", (3, 9, 6, 100, "R", "N")], "cancel newest names the resting order's price")
    s.put(with_self_trade(enter(4, "B", 2, "AAA", 100), "O"))
    got = [s.message() for _ in range(2)]
    tap.equal([m[0] for m in got], ["A", "D"], "cancel oldest is told for the resting order")
    tap.equal(prevented(got[1][1]), (1, 6, 2, 100, "A", "O"), "with what would have traded")
    s.put(with_self_trade(enter(5, "S", 7, "AAA", 99), "B"))
    got = [s.message() for _ in range(3)]
    tap.equal([prevented(m[1]) for m in got[1:]], [(4, 2, 2, 100, "A", "B"), (5, 7, 2, 100, "R", "B")], "cancel both ends both")
    s.close()


def repeated():
    s = logged_in("504")
    s.put(enter(1, "B", 10, "AAA", 80, tif="0", client="first"))
    s.until("A")
    s.put(replace(1, 3, 8, 81))
    s.until("U")
    s.close()
    live = []
    for round in ("another login", "a node that was killed"):
        if round != "another login":
            node.kill()
            node.start()
        s = logged_in("504", sequence=1)
        got = [m[1] for m in s.until("U")]
        accepted = got[0]
        tap.equal((accepted[48:62].strip(), accepted[44:45], accepted[34:35]), (b"first", b"A", b"0"),
                  "ClOrdID, capacity and time in force are as entered after " + round)
        replaced = got[-1]
        tap.equal((replaced[48:49], replaced[38:39]), (b"A", b"0"), "a replacement has its order's capacity and time in force after " + round)
        live.append(got)
        s.close()
    tap.ok(live[0] == live[1], "what a resumed session reads is the same to the byte after a kill")


with Node(args=["--set", "exchange.ouch=127.0.0.1:0", "--set", "exchange.ouch_cancel_on_disconnect=true"]) as node:
    node.post("/v1/exchange/symbols", {"symbol": "AAA"})
    for part in (takeover, disconnect_before_the_answer, self_trades):
        try:
            part()
        except (Gone, TimeoutError, OSError, RuntimeError) as e:
            tap.ok(False, part.__name__ + " ran to its end", "%s: %s" % (type(e).__name__, e))
    tap.equal(node.stop(), 0, "the node stops cleanly")
with Node(args=["--set", "exchange.ouch=127.0.0.1:0"]) as node:
    node.post("/v1/exchange/symbols", {"symbol": "AAA"})
    try:
        repeated()
    except (Gone, TimeoutError, OSError, RuntimeError) as e:
        tap.ok(False, "repeated ran to its end", "%s: %s" % (type(e).__name__, e))
tap.done()
