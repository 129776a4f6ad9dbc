#!/usr/bin/env python3
"""Nothing a client of the binary gateway sends, or does not read, stops the engine or another client.

After each bad client a good one trades: the engine lives, and answers in its usual order.
"""
import os, random, struct, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from node import Node, Tap
from ouch import Gone, Session, cancel, enter, login, packet, rejection, replace

tap = Tap()
GOOD, OTHER, BAD = "4001", "4002", "4003"


def ends(session, timeout=30):
    """The server closes the connection (whatever it says before)."""
    try:
        while True:
            session.packet(timeout)
    except Gone:
        return True
    except TimeoutError:
        return False


def open_session(user, sequence=0):
    session = Session(node)
    kind, payload = session.login(user, sequence=sequence)
    if kind != "A":
        raise RuntimeError("login of %s refused: %r" % (user, payload))
    return session


def refusals(session, bad, ref):
    """Sends bad messages, then a good order: the answers to the bad ones, and whether the good one was accepted."""
    session.put(*bad)
    session.put(enter(ref, "B", 1, "AAA", 100, tif="3"))
    out = []
    while True:
        letter, message = session.message()
        if letter == "A":
            return out, struct.unpack(">I", message[9:13])[0] == ref
        out.append((letter, message))


def good_trade(what):
    """A good client enters, trades with another and cancels."""
    try:
        a, b = open_session(GOOD), open_session(OTHER)
        ra, rb = a.next_ref(), b.next_ref()
        a.put(enter(ra, "S", 10, "AAA", 500))
        a.until("A")
        b.put(enter(rb, "B", 4, "AAA", 500, tif="3"))
        b.until("E")
        a.until("E")
        a.put(cancel(ra))
        left = struct.unpack(">I", a.until("C")[-1][1][13:17])[0]
        a.close()
        b.close()
        tap.equal(left, 6, "the engine goes on after " + what)
    except (Gone, TimeoutError, OSError, RuntimeError) as e:
        tap.ok(False, "the engine goes on after " + what, "%s: %s" % (type(e).__name__, e))


def logins():
    for what, data in (
            ("a login of an unknown user", login("nobody")),
            ("a login with text where the sequence is", packet("L", b"4003".ljust(6) + b" " * 10 + b" " * 10 + b"x" * 20)),
            ("a login of an unknown session", login(BAD, session="NOSUCH")),
            ("a login packet that is too short", packet("L", b"4003  ")),
            ("a message before the login", packet("U", enter(1, "B", 1, "AAA", 1))),
            ("a server's packet from a client", packet("S", b"x")),
            ("a packet of an unknown type", packet("~", b"x")),
            ("a packet of length 0", b"\0\0"),
            ("the largest packet the format has", b"\xff\xff" + b"U" + b"\0" * 65534),
            ("an HTTP request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("random bytes", random.Random(5).randbytes(20000))):
        session = Session(node)
        try:
            session.send(data)
            session.sock.shutdown(1)
        except OSError:
            pass
        tap.ok(ends(session) and node.alive(), what + " is refused and ends its connection only")
        session.close()
    good_trade("bad logins")


def messages():
    session = open_session(BAD)
    ref = session.next_ref()
    good = enter(ref, "B", 1, "AAA", 100)
    bad = {
        "an empty message": b"",
        "an unknown type": b"?" + good[1:],
        "a cut message": good[:20],
        "a message with bytes behind it": good + b"xyz",
        "side Q": good[:5] + b"Q" + good[6:],
        "quantity 0": good[:6] + b"\0\0\0\0" + good[10:],
        "a blank symbol": good[:10] + b" " * 8 + good[18:],
        "a symbol of zero bytes": good[:10] + b"\0" * 8 + good[18:],
        "price 0": good[:18] + b"\0" * 8 + good[26:],
        "a negative price": good[:18] + b"\xff" * 8 + good[26:],
        "a time in force of its own": good[:26] + b"!" + good[27:],
        "an unknown option": good + struct.pack(">HBB", 2, 1, 99),
        "an option longer than the message": good + struct.pack(">HBB", 2, 200, 3),
    }
    answers, accepted = refusals(session, list(bad.values()), ref)
    tap.ok(accepted, "a good order behind %d malformed messages is accepted on the same connection" % len(bad))
    tap.equal([letter for letter, _ in answers], ["J"] * len(bad), "each malformed message gets its own rejection")
    told = [rejection(m) for letter, m in answers if letter == "J"]
    tap.ok(all(0 < reason < 100 for _, reason, _ in told), "with the codec's reason code", told)
    tap.ok(all(text for _, _, text in told), "and a sentence", told)
    session.until("C")  # the rest of the good order
    ref += 1
    session.put(enter(ref, "B", 1, "NOSUCH", 100))
    letter, message = session.message()
    tap.ok(letter == "J" and rejection(message)[1] >= 100 and rejection(message)[2], "an unknown symbol is refused with a sentence",
           (letter, message))
    session.put(cancel(999999))
    tap.equal(session.message()[0], "I", "canceling an order that never was is refused")
    session.put(replace(999999, ref + 1, 5, 100))
    tap.ok(session.message()[0] in "IJ", "replacing one as well")
    session.put(enter(ref - 1, "B", 1, "AAA", 100), enter(ref + 2, "B", 1, "AAA", 100, tif="3"))
    _, message = session.until("A")[-1]
    tap.equal(struct.unpack(">I", message[9:13])[0], ref + 2, "a UserRefNum used before is not entered twice")
    session.close()
    good_trade("malformed messages")


def fuzz():
    dice = random.Random(int(os.environ.get("WEIR_SEED", 17)))
    session = open_session(BAD)
    ref = session.next_ref()
    seeds = [enter(ref, "B", 1, "AAA", 100), cancel(ref), replace(ref, ref + 1, 1, 101), b"Q", b"C" + b"\0" * 16]
    for _ in range(2000):
        message = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(1, 4)):
            if message:
                message[dice.randrange(len(message))] = dice.randrange(256)
        session.put(bytes(message[:dice.randrange(len(message) + 1)] if dice.random() < 0.2 else message))
    session.put(cancel(4294967295))  # refused behind everything else
    try:
        while session.message()[1][:1] + session.last[9:13] != b"I" + b"\xff" * 4:
            pass
        why = ""
    except (Gone, TimeoutError) as e:
        why = "%s; %s" % (type(e).__name__, node.stderr[-3:])
    tap.ok(not why and node.alive(), "2000 mutated messages leave the session standing", why)
    session.close()
    good_trade("mutated messages")


def slow_writer():
    session = Session(node)
    data = login(BAD) + packet("U", b"Q")
    for i in range(len(data)):
        session.send(data[i:i + 1])
        time.sleep(0.01)  # that is the client: a byte at a time
    kind, _ = session.packet()
    tap.equal((kind, session.message()[0]), ("A", "Q"), "a client that sends a byte at a time is served")
    half = Session(node)
    half.send(packet("U", b"Q")[:2])
    good_trade("a client that stops in the middle of a packet")
    session.close()
    half.close()


def never_reads():
    session = open_session(BAD)
    ref, gone = session.next_ref(), threading.Event()

    def push():
        nonlocal ref
        try:
            for _ in range(4000):
                session.put(*[enter(ref + i, "B", 1, "AAA", 100, tif="3") for i in range(64)])
                ref += 64
        except OSError:
            gone.set()
    thread = threading.Thread(target=push, daemon=True)
    session.sock.settimeout(20)
    thread.start()
    good_trade("a client that never reads, while it goes on sending")
    thread.join(60)
    resident = int(next(line for line in open("/proc/%d/status" % node.process.pid) if line.startswith("VmRSS")).split()[1])
    tap.ok(node.alive(), "a client that never reads does not stop the node")
    tap.note("it was cut off: %s; the node holds %d MB" % (gone.is_set(), resident // 1024))
    session.close()
    good_trade("a client that never reads")


def disconnects():
    session = open_session(BAD)
    ref = session.next_ref()
    session.put(*[enter(ref + i, "B", 10, "AAA", 50 + i) for i in range(20)])
    for _ in range(20):
        session.until("A")
    tap.ok(len(book("bids")) >= 20, "twenty orders rest")
    session.reset()
    try:
        node.wait_for(lambda: not book("bids"), what="the cancel on disconnect")
        tap.ok(True, "cancel on disconnect: the orders of a client that vanishes are canceled")
    except RuntimeError as e:
        tap.ok(False, "cancel on disconnect: the orders of a client that vanishes are canceled", e)
    again = open_session(BAD, sequence=1)
    letters = [letter for letter, _ in again.until("C")]
    tap.ok("A" in letters and letters[-1] == "C", "who comes back reads what happened from message 1 on", "".join(letters[-60:]))
    again.close()
    good_trade("disconnects")


def many_links():
    links = [Session(node) for _ in range(200)]
    for link in links[::2]:
        link.send(login(BAD)[:20])
    for link in links:
        link.reset()
    good_trade("200 connections that were opened and dropped")


def book(side):
    return node.get("/v1/exchange/book/AAA?depth=500").json().get(side, [])


with Node(args=["--set", "exchange.ouch=127.0.0.1:0", "--set", "exchange.ouch_cancel_on_disconnect=true"]) as node:
    answer = node.post("/v1/exchange/symbols", {"symbol": "AAA"})
    tap.ok(answer.status in (200, 201), "a symbol is defined", answer)
    good_trade("its start")
    for part in (logins, messages, fuzz, slow_writer, never_reads, disconnects, many_links):
        try:
            part()
        except (Gone, TimeoutError, OSError, RuntimeError) as e:
            tap.ok(False, part.__name__ + " ran to its end", "%s: %s" % (type(e).__name__, e))
    tap.equal(node.stop(), 0, "the node stops cleanly after all of it")
tap.done()
