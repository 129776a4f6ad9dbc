"""A small client of the exchange's binary gateway, for tests: bytes in, bytes out, nothing hidden. Standard library only."""
import select
import socket
import struct
import time


def packet(kind, payload=b""):
    return struct.pack(">HB", len(payload) + 1, ord(kind)) + payload


def login(user, password="", session="", sequence=0):
    return packet("L", user.encode().ljust(6) + password.encode().ljust(10) + session.encode().rjust(10) +
                  str(sequence).encode().rjust(20))


def enter(ref, side, quantity, symbol, price, tif="1", client=""):
    return struct.pack(">cIcI8sQccccc14s", b"O", ref, side.encode(), quantity, symbol.encode().ljust(8), price, tif.encode(),
                       b"Y", b"A", b"N", b"N", client.encode().ljust(14))


def replace(before, ref, quantity, price):
    return struct.pack(">cIIIQccc14s", b"U", before, ref, quantity, price, b"1", b"Y", b"N", b"".ljust(14))


def cancel(ref, quantity=0):
    return struct.pack(">cII", b"X", ref, quantity)


class Gone(Exception):
    """The server closed the connection."""


class Session:
    """One connection. packets() gives (type, payload); messages are payloads of S and U packets."""

    def __init__(self, node, listener="exchange.ouch", timeout=30):
        self.sock = socket.create_connection(node.addresses[listener], timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def send(self, *packets):
        self.sock.sendall(b"".join(packets))

    def put(self, *messages):
        self.send(*[packet("U", m) for m in messages])

    def packet(self, timeout=30):
        """The next packet but heartbeats and debug; Gone when the server closes, TimeoutError when nothing comes."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self.data) >= 3:
                size = 2 + struct.unpack(">H", self.data[:2])[0]
                if len(self.data) >= size:
                    whole, self.data = self.data[:size], self.data[size:]
                    if whole[2:3] in b"H+":
                        continue
                    return whole[2:3].decode(), whole[3:]
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError("nothing came for %g s" % timeout)
            try:
                chunk = self.sock.recv(65536)
            except ConnectionError:
                chunk = b""
            if not chunk:
                raise Gone()
            self.data += chunk

    def message(self, timeout=30):
        """The next message's letter and bytes."""
        while True:
            kind, payload = self.packet(timeout)
            if kind in "SU":
                self.last = payload
                return payload[:1].decode(), payload

    def until(self, letter, timeout=30):
        """Messages up to and with the first of that letter."""
        out, deadline = [], time.monotonic() + timeout
        while not out or out[-1][0] != letter:
            out.append(self.message(max(0.01, deadline - time.monotonic())))
        return out

    def login(self, user, password="", session="", sequence=0):
        self.send(login(user, password, session, sequence))
        kind, payload = self.packet()
        if kind == "A":
            self.session, self.sequence = payload[:10].decode().strip(), int(payload[10:])
        return kind, payload

    def next_ref(self):
        self.put(b"Q")
        return struct.unpack(">I", self.until("Q")[-1][1][9:13])[0]

    def close(self):
        self.sock.close()

    def reset(self):
        """Gone without a word, as a killed client."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def rejection(message):
    """(UserRefNum, reason code, text option) of a Rejected message."""
    ref, reason = struct.unpack(">IH", message[9:15])
    text, at = "", 31
    while at < len(message):
        size, tag = message[at], message[at + 1]
        if tag == 202:
            text = message[at + 2:at + 1 + size].decode()
        at += 1 + size
    return ref, reason, text
