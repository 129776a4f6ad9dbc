"""The public Autobahn cases of WebSocket (RFC 6455) as a table: what is sent, what must come back, how it must end. The numbers,
bytes and expectations are those of the suite (crossbar.io, Apache 2.0), which itself needs a Python that Debian no longer has;
test_autobahn.py runs it where it is there. Section 12 and 13 (compression) are in deflate_cases.py.

    for case in cases():
        case.name, case.steps, case.want, case.close
"""
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
HELLO = b"Hello, world!"
ODD = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
GREEK = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
NOT_UTF8 = GREEK + b"\xed\xa0\x80edited"
NORMAL, PROTOCOL, PAYLOAD = 1000, 1002, 1007
KB, MB = 1 << 10, 1 << 20


class Frame:
    """One frame to send. cut: bytes in one write; 0: the whole."""

    def __init__(self, opcode, payload=b"", final=True, reserved=0, cut=0):
        self.opcode, self.payload, self.final, self.reserved, self.cut = opcode, payload, final, reserved, cut


class Part:
    """A data frame that announces `size` and of which `payload` is sent now; opcode None: more of the one before."""

    def __init__(self, opcode, size, payload):
        self.opcode, self.size, self.payload = opcode, size, payload


class Case:
    """steps: lists of frames; after each list but the last its own `want` has to come before the next is sent.
    want: [(kind, payload)], in order. close: the codes, one of which the peer's close frame must have. by_peer: it closes first,
    without being asked; else a close frame with 1000 follows the last step, unless the case sends its own."""

    def __init__(self, name, steps, want, close=(NORMAL,), by_peer=False, own_close=False):
        self.name, self.want, self.close = name, want, close
        self.steps = steps if steps and isinstance(steps[0], list) else [steps]
        if want and not isinstance(want[0], list):
            self.want = [[]] * (len(self.steps) - 1) + [want]
        elif not want:
            self.want = [[]] * len(self.steps)
        self.by_peer, self.own_close = by_peer, own_close


def echo(name, opcode, payload, **how):
    return Case(name, [Frame(opcode, payload, **how)], [("text" if opcode == TEXT else "binary", payload)])


def fails(name, frames, want=(), code=PROTOCOL):
    return Case(name, frames, list(want), (code,), by_peer=True)


def split(opcode, payload, size):
    """A message in frames of `size`."""
    parts = [payload[i:i + size] for i in range(0, len(payload), size)]
    return [Frame(opcode if i == 0 else 0, part, final=i == len(parts) - 1) for i, part in enumerate(parts)]


def framing():
    for section, opcode, byte in (("1.1", TEXT, b"*"), ("1.2", BINARY, b"\xfe")):
        for i, size in enumerate((0, 125, 126, 127, 128, 65535, 65536, 65536)):
            yield echo("%s.%d" % (section, i + 1), opcode, byte * size, cut=997 if i == 7 else 0)


def pings():
    yield Case("2.1", [Frame(PING)], [("pong", b"")])
    yield Case("2.2", [Frame(PING, HELLO)], [("pong", HELLO)])
    yield Case("2.3", [Frame(PING, ODD)], [("pong", ODD)])
    yield Case("2.4", [Frame(PING, b"\xfe" * 125)], [("pong", b"\xfe" * 125)])
    yield fails("2.5", [Frame(PING, b"\xfe" * 126)])
    yield Case("2.6", [Frame(PING, b"\xfe" * 125, cut=1)], [("pong", b"\xfe" * 125)])
    yield Case("2.7", [Frame(PONG)], [])
    yield Case("2.8", [Frame(PONG, b"unsolicited pong payload")], [])
    yield Case("2.9", [Frame(PONG, b"unsolicited pong payload"), Frame(PING, b"ping payload")], [("pong", b"ping payload")])
    for name, cut in (("2.10", 0), ("2.11", 1)):
        ten = [b"payload-%d" % i for i in range(10)]
        yield Case(name, [Frame(PING, p, cut=cut) for p in ten], [("pong", p) for p in ten])


def reserved():
    yield fails("3.1", [Frame(TEXT, HELLO, reserved=1)])
    for name, bits, cut in (("3.2", 2, 0), ("3.3", 3, 64), ("3.4", 4, 1)):
        yield fails(name, [Frame(TEXT, HELLO, cut=cut), Frame(TEXT, HELLO, reserved=bits, cut=cut), Frame(PING, cut=cut)], [("text", HELLO)])
    yield fails("3.5", [Frame(BINARY, ODD, reserved=5)])
    yield fails("3.6", [Frame(PING, HELLO, reserved=6)])
    yield fails("3.7", [Frame(CLOSE, reserved=7)])
    for section, first in (("4.1", 3), ("4.2", 11)):
        yield fails(section + ".1", [Frame(first)])
        yield fails(section + ".2", [Frame(first + 1, b"reserved opcode payload")])
        for i, (payload, cut) in enumerate(((b"", 0), (HELLO, 0), (HELLO, 1))):
            yield fails("%s.%d" % (section, i + 3), [Frame(TEXT, HELLO, cut=cut), Frame(first + 2 + i, payload, cut=cut), Frame(PING, cut=cut)],
                        [("text", HELLO)])


def fragments():
    one, two, ping = b"fragment1", b"fragment2", b"ping payload"
    yield fails("5.1", [Frame(PING, one, final=False), Frame(0, two)])
    yield fails("5.2", [Frame(PONG, one, final=False), Frame(0, two)])
    for i, cut in enumerate((0, 64, 1)):
        yield Case("5.%d" % (3 + i), [Frame(TEXT, one, final=False, cut=cut), Frame(0, two, cut=cut)], [("text", one + two)])
    for i, cut in enumerate((0, 64, 1)):
        yield Case("5.%d" % (6 + i), [Frame(TEXT, one, final=False, cut=cut), Frame(PING, ping, cut=cut), Frame(0, two, cut=cut)],
                   [("pong", ping), ("text", one + two)])
    for i, (final, cut) in enumerate((f, c) for f in (True, False) for c in (0, 64, 1)):
        yield fails("5.%d" % (9 + i), [Frame(0, b"non-continuation payload", final=final, cut=cut), Frame(TEXT, HELLO, cut=cut)])
    yield fails("5.15", [Frame(TEXT, one, final=False), Frame(0, two), Frame(0, b"fragment3", final=False), Frame(TEXT, b"fragment4")],
                [("text", one + two)])
    for i, final in enumerate((False, True)):
        yield fails("5.%d" % (16 + i), [Frame(0, one, final=final), Frame(TEXT, two, final=False), Frame(0, b"fragment3")] * 2)
    yield fails("5.18", [Frame(TEXT, one, final=False), Frame(TEXT, two)])
    five = [b"fragment%d" % i for i in range(1, 6)]
    pings_sent = [b"pongme 1!", b"pongme 2!"]
    for name, cut in (("5.19", 0), ("5.20", 64)):
        yield Case(name, [[Frame(TEXT, five[0], final=False, cut=cut), Frame(0, five[1], final=False, cut=cut), Frame(PING, pings_sent[0], cut=cut)],
                          [Frame(0, five[2], final=False, cut=cut), Frame(0, five[3], final=False, cut=cut), Frame(PING, pings_sent[1], cut=cut),
                           Frame(0, five[4], cut=cut)]],
                   [[("pong", pings_sent[0])], [("pong", pings_sent[1]), ("text", b"".join(five))]])


def utf8():
    mixed = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!".encode()
    yield echo("6.1.1", TEXT, b"")
    yield Case("6.1.2", [Frame(TEXT, final=False), Frame(0, final=False), Frame(0)], [("text", b"")])
    yield Case("6.1.3", [Frame(TEXT, final=False), Frame(0, b"middle frame payload", final=False), Frame(0)], [("text", b"middle frame payload")])
    yield echo("6.2.1", TEXT, mixed)
    yield Case("6.2.2", split(TEXT, mixed, 14), [("text", mixed)])
    yield Case("6.2.3", split(TEXT, mixed, 1), [("text", mixed)])
    yield Case("6.2.4", split(TEXT, GREEK, 1), [("text", GREEK)])
    yield fails("6.3.1", [Frame(TEXT, NOT_UTF8)], code=PAYLOAD)
    yield fails("6.3.2", split(TEXT, NOT_UTF8, 1), code=PAYLOAD)
    # Fail fast: the rest of the message is never sent, neither of its frames nor of its one frame.
    above = GREEK + b"\xf4\x90\x80\x80edited"
    yield fails("6.4.1", [Frame(TEXT, GREEK, final=False), Frame(0, b"\xf4\x90\x80\x80", final=False)], code=PAYLOAD)
    yield fails("6.4.2", [Frame(TEXT, above[:12], final=False), Frame(0, above[12:13], final=False)], code=PAYLOAD)
    yield fails("6.4.3", [Part(TEXT, len(above), GREEK), Part(None, 0, b"\xf4\x90\x80\x80")], code=PAYLOAD)
    yield fails("6.4.4", [Part(TEXT, len(above), above[:12]), Part(None, 0, above[12:13])], code=PAYLOAD)
    for section, payloads in enumerate(utf8_sequences()):
        for i, payload in enumerate(payloads):
            name = "6.%d.%d" % (section + 5, i + 1)
            try:
                payload.decode("utf-8")
                yield echo(name, TEXT, payload)
            except UnicodeDecodeError:
                yield fails(name, [Frame(TEXT, payload)], code=PAYLOAD)


def utf8_sequences():
    """Sections 6.5 to 6.23, after Markus Kuhn's decoder stress test. Python says which of them are UTF-8."""
    tails = [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80",
             b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"]
    lonely = ((0xc0, 0xdf), (0xe0, 0xef), (0xf0, 0xf7), (0xf8, 0xfb), (0xfc, 0xfd))
    surrogates = (0xd800, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff)
    wide = [bytes([a, b, 0xbf, c]) for a in range(0xf0, 0xf5) for b in (0x8f, 0x9f, 0xaf, 0xbf) for c in (0xbe, 0xbf)
            if not (a == 0xf4 and b != 0x8f) and not (a == 0xf0 and b == 0x8f)]
    yield [b"hello" + c.encode() + b"world" for c in ("$", "\u00a2", "\u20ac", "\U00024b62")] + [GREEK]
    yield [GREEK[:i] for i in range(1, len(GREEK) + 1)]
    yield [b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"]
    yield [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]
    yield [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]
    yield [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"]
    yield [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"]
    yield [b"\x80", b"\xbf"] + [(b"\x80\xbf" * 3)[:i] for i in range(2, 7)] + [bytes(range(0x80, 0xbf))]
    yield [b"".join(bytes([c, 0x20]) for c in range(first, last)) for first, last in lonely]
    yield tails
    yield [b"".join(tails)]
    yield [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]
    yield [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"]
    yield [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"]
    yield [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"]
    yield [chr(c).encode("utf-8", "surrogatepass") for c in surrogates]
    yield [(chr(a) + chr(b)).encode("utf-8", "surrogatepass") for a in surrogates[:4] for b in (0xdc00, 0xdfff)]
    yield [b"\xef\xbf\xbe", b"\xef\xbf\xbf"] + wide
    yield [chr(c).encode() for c in range(0xfff9, 0x10000)]


def closing():
    def says(name, payload, close=(NORMAL,), want=(), before=(), after=()):
        return Case(name, [*before, Frame(CLOSE, payload), *after], list(want), close, own_close=True)

    normal = b"\x03\xe8"
    yield echo("7.1.1", TEXT, b"Hello World!")
    yield says("7.1.2", normal, after=[Frame(CLOSE)])
    yield says("7.1.3", normal, after=[Frame(PING)])
    yield says("7.1.4", normal, after=[Frame(TEXT, b"Hello World!")])
    yield says("7.1.5", normal, before=[Frame(TEXT, b"fragment1", final=False)], after=[Frame(0, b"fragment2")])
    long = (b"BAsd7&jh23" * (256 * KB))[:256 * KB]
    yield says("7.1.6", normal, want=[("text", long), ("text", b"Hello World!")], before=[Frame(TEXT, long), Frame(TEXT, b"Hello World!")],
               after=[Frame(PING)])
    yield says("7.3.1", b"")
    yield says("7.3.2", b"a", (PROTOCOL,))
    yield says("7.3.3", normal)
    yield says("7.3.4", normal + b"Hello World!")
    yield says("7.3.5", normal + b"*" * 123)
    yield says("7.3.6", normal + b"*" * 124, (PROTOCOL,))
    yield says("7.5.1", normal + NOT_UTF8, (PROTOCOL, PAYLOAD))
    for i, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)):
        yield says("7.7.%d" % (i + 1), code.to_bytes(2, "big"), (code,))
    for i, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)):
        yield says("7.9.%d" % (i + 1), code.to_bytes(2, "big"), (PROTOCOL,))
    # Undefined by the RFC; this is what weir does.
    yield says("7.13.1", (5000).to_bytes(2, "big"), (PROTOCOL,))
    yield says("7.13.2", (65535).to_bytes(2, "big"), (PROTOCOL,))


def limits():
    kinds = ((TEXT, (b"BAsd7&jh23", b"*")), (BINARY, (b"\x00\xfe\x23\xfa\xf0", b"\xfe")))
    for k, (opcode, (pattern, byte)) in enumerate(kinds):
        for i, size in enumerate((64 * KB, 256 * KB, MB, 4 * MB, 8 * MB, 16 * MB)):
            yield echo("9.%d.%d" % (1 + k, i + 1), opcode, (pattern * (size // len(pattern) + 1))[:size])
        kind = "text" if opcode == TEXT else "binary"
        for i, size in enumerate((64, 256, KB, 4 * KB, 16 * KB, 64 * KB, 256 * KB, MB, 4 * MB)):
            payload = byte * (4 * MB)
            yield Case("9.%d.%d" % (3 + k, i + 1), split(opcode, payload, size), [(kind, payload)])
        for i, cut in enumerate((64, 128, 256, 512, KB, 2 * KB)):
            yield echo("9.%d.%d" % (5 + k, i + 1), opcode, (pattern * (MB // len(pattern) + 1))[:MB], cut=cut)
        for i, size in enumerate((0, 16, 64, 256, KB, 4 * KB)):  # the suite takes 1,000 each, to tell how long they take
            yield Case("9.%d.%d" % (7 + k, i + 1), [[Frame(opcode, byte * size)]] * 100, [[(kind, byte * size)]] * 100)


def fragmented_by_itself():
    yield Case("10.1.1", split(TEXT, b"*" * 65536, 1300), [("text", b"*" * 65536)])


def cases():
    for section in (framing, pings, reserved, fragments, utf8, closing, limits, fragmented_by_itself):
        yield from section()
