#!/usr/bin/env python3
"""Compressed WebSocket messages (RFC 7692), as sections 12 and 13 of the Autobahn cases try them: each kind of offer, messages of each
size, whole and in fragments, echoed; Python's zlib is the other side. And what is no deflated message, or one too many times larger."""
import json
import os
import random
import struct
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from echo import Echo
from node import Tap
from ws import BINARY, CLOSE, PING, TEXT, WebSocket

tap = Tap()
RSV1 = 0x40
TAIL = b"\x00\x00\xff\xff"
OFFER = "permessage-deflate"
draw = random.Random(7)


def deflated(data, bits=15, level=6):
    packer = zlib.compressobj(level, zlib.DEFLATED, -bits)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


class Client:
    def __init__(self, node, offer, path="/v1/echo"):
        self.ws = WebSocket(node, path, headers="Sec-WebSocket-Extensions: %s\r\n" % offer if offer else "")
        self.answer = next((line.partition(":")[2].strip() for line in self.ws.head.split("\r\n")
                            if line.lower().startswith("sec-websocket-extensions:")), None)
        self.bits = 15

    def send(self, opcode, data, pieces=1, packed=True):
        data = deflated(data) if packed else data
        step = max(1, -(-len(data) // pieces))
        parts = [data[i:i + step] for i in range(0, len(data), step)] or [b""]
        frames = []
        for i, part in enumerate(parts):
            first = i == 0
            frames.append(self.ws.framed(opcode if first else 0, part, final=i == len(parts) - 1, reserved=RSV1 if packed and first else 0))
            if i == 0 and len(parts) > 1:
                frames.append(self.ws.framed(PING, b"between"))
        self.ws.sock.sendall(b"".join(frames))

    def receive(self):
        """(kind, message, whether it came compressed); a context of its own for each message, as was agreed."""
        while not self.ws.data and self.ws.more():
            pass
        packed = bool(self.ws.data) and self.ws.data[0] & RSV1 != 0
        kind, data = self.ws.receive()
        if packed:
            data = zlib.decompressobj(-self.bits).decompress(data + TAIL)
        return kind, data, packed


def offers(main):
    agreed = OFFER + "; server_no_context_takeover; client_no_context_takeover"
    rows = [
        ("13.1", OFFER, agreed), ("13.2", OFFER + "; server_no_context_takeover", agreed),
        ("13.3", OFFER + "; server_max_window_bits=9", agreed + "; server_max_window_bits=9"),
        ("13.4", OFFER + "; server_max_window_bits=15", agreed + "; server_max_window_bits=15"),
        ("13.5", OFFER + "; server_no_context_takeover; server_max_window_bits=9", agreed + "; server_max_window_bits=9"),
        ("13.6", OFFER + "; server_no_context_takeover; server_max_window_bits=15; client_max_window_bits", agreed + "; server_max_window_bits=15"),
        ("13.7", OFFER + "; server_max_window_bits=8, " + OFFER + "; server_no_context_takeover, " + OFFER, agreed),
        ("of a browser", OFFER + "; client_max_window_bits", agreed),
        ("of nothing", "", None), ("of another extension", "x-webkit-deflate-frame", None),
        ("with something unknown", OFFER + "; speed=9", None), ("of a window that zlib has not", OFFER + "; server_max_window_bits=8", None),
    ]
    text = json.dumps([{"id": i, "name": "order %d" % (i * 7919)} for i in range(300)]).encode()
    for name, offer, want in rows:
        client = Client(main, offer)
        tap.equal(client.answer, want, "7692 5.1: the offer %s is answered" % name)
        client.bits = 9 if want and want.endswith("=9") else 15
        client.send(TEXT, text, packed=want is not None)
        tap.equal(client.receive(), ("text", text, want is not None), "7692 6: and a message comes back as that says")
        client.ws.close()


def sizes(main):
    client = Client(main, OFFER)
    wrong = []
    for size in (0, 1, 16, 64, 127, 128, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072, 1 << 20):
        for pieces in (1, 7, 200):
            noise = bytes(draw.randrange(256) for _ in range(min(size, 5000)))
            for data in ((noise * (size // 5000 + 1))[:size], (b"the same again " * (size // 15 + 1))[:size]):
                client.send(BINARY, data, pieces)
                kind, got, _ = client.receive()
                if (kind, got) == ("pong", b"between"):
                    kind, got, _ = client.receive()
                if (kind, got) != ("binary", data):
                    wrong.append((size, pieces, kind, len(got)))
    tap.equal(wrong, [], "12.x: messages of every size, in one frame and in many, come back")
    client.send(BINARY, bytes(range(256)) * 40)
    tap.ok(client.receive()[2], "what gains by it is sent compressed")
    client.send(BINARY, bytes(draw.randrange(256) for _ in range(5000)))
    tap.ok(not client.receive()[2], "what does not gain is sent as it is")
    client.send(TEXT, b"short")
    tap.equal(client.receive(), ("text", b"short", False), "what is short too")
    client.send(TEXT, b"plain", packed=False)
    tap.equal(client.receive(), ("text", b"plain", False), "7692 6: a message that is not compressed is welcome all the same")
    blocks = deflated(b"one ") + TAIL + deflated(b"two ", level=0) + TAIL + deflated(b"three")
    client.ws.frame(TEXT, blocks, reserved=RSV1)
    tap.equal(client.receive()[:2], ("text", b"one two three"), "7692 7.2.3: a message may have several blocks, also stored ones")
    client.ws.close()
    small = Client(main, OFFER, "/v1/echo/small")
    small.send(BINARY, b"x" * 1000)
    tap.equal(small.receive()[:2], ("binary", b"x" * 1000), "a message may inflate to what a plain one may have")
    small.ws.close()


def refusals(main):
    bomb = deflated(b"\x00" * (64 << 20), level=9)
    rows = [
        ("that is no deflated data", TEXT, [(b"\xff\xff\xff", RSV1, True)], 1007),
        ("that ends inside a block", TEXT, [(deflated(b"x" * 1000)[:-3], RSV1, True)], 1007),
        ("whose text is not UTF-8", TEXT, [(deflated(b"\xc3\x28"), RSV1, True)], 1007),
        ("that is a bomb: 64 MB of zeros in %d KB" % (len(bomb) // 1024), BINARY, [(bomb, RSV1, True)], 1009),
        ("with RSV1 in a later fragment", TEXT, [(b"a", RSV1, False), (b"b", RSV1, True)], 1002),
        ("with RSV2", TEXT, [(b"a", 0x20, True)], 1002),
    ]
    for name, opcode, frames, code in rows:
        client = Client(main, OFFER)
        for i, (payload, reserved, final) in enumerate(frames):
            client.ws.frame(opcode if i == 0 else 0, payload, final=final, reserved=reserved)
        tap.equal(client.ws.receive(), ("close", code), "a message %s closes with %d" % (name, code))
        client.ws.sock.close()
    for opcode, name in ((PING, "ping"), (CLOSE, "close")):
        client = Client(main, OFFER)
        client.ws.frame(opcode, struct.pack(">H", 1000), reserved=RSV1)
        tap.equal(client.ws.receive(), ("close", 1002), "7692 6: a compressed %s is a protocol error" % name)
        client.ws.sock.close()
    small = Client(main, OFFER, "/v1/echo/small")
    small.send(BINARY, b"x" * 1001)
    tap.equal(small.ws.receive(), ("close", 1009), "one byte more than a plain message may have is too large")
    plain = Client(main, "")
    plain.send(TEXT, b"not agreed on")
    tap.equal(plain.ws.receive(), ("close", 1002), "without agreement RSV1 is a protocol error")
    for client in (small, plain):
        client.ws.sock.close()


with Echo(args=["--set", "websocket_deflate=true"]) as node:
    for part in (offers, sizes, refusals):
        part(node)
    node.wait_for(lambda: node.metric("weir_edge_sessions") == 0, what="the end of the last session")
    node.wait_for(lambda: node.metric("weir_edge_buffer_bytes") <= 1 << 20, what="their memory being given back")
    tap.ok(True, "no memory of theirs is held")
    tap.equal(node.stop(), 0, "and the node stops as it should")
with Echo() as node:
    tap.equal(Client(node, OFFER).answer, None, "unless it is set, nothing is agreed on")
tap.done()
