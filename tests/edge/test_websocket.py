#!/usr/bin/env python3
"""WebSocket held to the public Autobahn cases: each is sent to an echo service in the node, by a client that shares no code with
it. One line of TAP per case, by the suite's number."""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import autobahn_cases as autobahn
from echo import Echo
from node import PATIENCE, Tap
from ws import WebSocket

tap = Tap()


def masked(payload, mask):
    repeated = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


def head(first, size, mask):
    if size < 126:
        return bytes([first, 0x80 | size]) + mask
    if size < 65536:
        return bytes([first, 0xfe]) + struct.pack(">H", size) + mask
    return bytes([first, 0xff]) + struct.pack(">Q", size) + mask


class Client:
    """Sends a case and notes what comes. Masks are drawn from the number of the frame, so that a failure can be repeated."""

    def __init__(self, node, path):
        self.ws = WebSocket(node, path, timeout=PATIENCE)
        self.ws.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.frames, self.mask, self.sent = 0, b"", 0

    def next_mask(self):
        self.frames += 1
        return struct.pack(">I", self.frames * 2654435761 & 0xffffffff)

    def encoded(self, frame):
        if isinstance(frame, autobahn.Part):
            if frame.opcode is not None:
                self.mask, self.sent = self.next_mask(), 0
                start = head(0x80 | frame.opcode, frame.size, self.mask)
            else:
                start = b""
            turned = self.mask[self.sent % 4:] + self.mask[:self.sent % 4]
            self.sent += len(frame.payload)
            return start + masked(frame.payload, turned)
        mask = self.next_mask()
        first = (0x80 if frame.final else 0) | frame.reserved << 4 | frame.opcode
        return head(first, len(frame.payload), mask) + masked(frame.payload, mask)

    def send(self, frames):
        """Frames without a cut go in one write. That the peer has failed the connection meanwhile is no error here."""
        pieces = [bytearray()]
        for frame in frames:
            data, cut = self.encoded(frame), getattr(frame, "cut", 0)
            if cut:
                pieces += [bytearray(data[i:i + cut]) for i in range(0, len(data), cut)]
            else:
                pieces[-1] += data
        try:
            for piece in pieces:
                self.ws.sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass


def run(node, case, path):
    """None, or what was wrong."""
    client = Client(node, path)
    try:
        return talk(client, case)
    except socket.timeout:
        return "nothing came"
    finally:
        client.ws.sock.close()


def talk(client, case):
    if client.ws.status != 101:
        return "the handshake was answered %d" % client.ws.status
    for frames, want in zip(case.steps, case.want):
        client.send(frames)
        for expected in want:
            got = client.ws.receive()
            if got != expected:
                return "got %s, want %s" % (short(got), short(expected))
    if not case.by_peer and not case.own_close:
        client.send([autobahn.Frame(autobahn.CLOSE, struct.pack(">H", 1000))])
    kind, code = client.ws.receive()
    # A close frame without a code (7.3.1) is answered by one with 1000 or without.
    if kind != "close" or (code or 1000) not in case.close:
        return "it ended by %s, want close with one of %s" % (short((kind, code)), case.close)
    last = client.ws.receive()
    return None if last == ("end", b"") else "after its close frame came %s" % short(last)


def short(event):
    kind, what = event
    if not isinstance(what, bytes) or len(what) <= 40:
        return "%s %r" % (kind, what)
    return "%s %r... (%d bytes)" % (kind, what[:40], len(what))


with Echo() as main:
    for one in autobahn.cases():
        wrong = run(main, one, "/v1/echo")
        tap.ok(wrong is None, "case " + one.name, wrong or "")
    tap.ok(main.alive(), "the node is still there after all of them")
    main.wait_for(lambda: main.metric("weir_edge_sessions") == 0, what="the end of the last session")
    main.wait_for(lambda: main.metric("weir_edge_buffer_bytes") <= 1 << 20, what="their memory being given back")
    tap.ok(True, "and holds none of their memory")
    tap.equal(main.stop(), 0, "and it stops as it should")
tap.done()
