"""A WebSocket client over a raw socket, python's standard library only, that can also misbehave on purpose.

    ws = WebSocket(node, "/v1/topics/t/tail")
    kind, payload = ws.receive()          # ("text", b"..."), ("close", code), ("end", b"")
    ws.send("hello"); ws.close()
"""
import base64
import hashlib
import os
import socket
import struct

from node import PATIENCE

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
NAMES = {0: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}


class WebSocket:
    def __init__(self, node, path, timeout=PATIENCE, headers=""):
        self.sock = node.connect(timeout=timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(("GET %s HTTP/1.1\r\nHost: weir\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n" % (path, key, headers)).encode())
        self.data = b""
        while b"\r\n\r\n" not in self.data and self.more():
            pass
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        self.head = head.decode("latin-1")
        want = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        if self.status == 101 and want not in self.head:
            raise RuntimeError("the handshake's answer does not fit its key: " + self.head)

    def more(self):
        try:
            chunk = self.sock.recv(65536)
        except ConnectionResetError:
            chunk = b""
        self.data += chunk
        return len(chunk) > 0

    def need(self, size):
        while len(self.data) < size:
            if not self.more():
                return False
        return True

    def receive(self):
        """One frame as (kind, payload); a close frame's payload is its code; ("end", b"") when the peer is gone."""
        if not self.need(2):
            return "end", b""
        size, at = self.data[1] & 127, 2
        if size == 126:
            if not self.need(4):
                return "end", b""
            size, at = struct.unpack(">H", self.data[2:4])[0], 4
        elif size == 127:
            if not self.need(10):
                return "end", b""
            size, at = struct.unpack(">Q", self.data[2:10])[0], 10
        opcode = self.data[0] & 15
        if not self.need(at + size):
            return "end", b""
        payload, self.data = self.data[at:at + size], self.data[at + size:]
        if opcode == CLOSE:
            return "close", struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else None
        return NAMES.get(opcode, str(opcode)), payload

    @staticmethod
    def framed(opcode, payload=b"", final=True, masked=True, reserved=0):
        mask = os.urandom(4) if masked else b""
        head = bytes([(0x80 if final else 0) | reserved | opcode])
        flag = 0x80 if masked else 0
        if len(payload) < 126:
            head += bytes([flag | len(payload)])
        elif len(payload) < 65536:
            head += bytes([flag | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([flag | 127]) + struct.pack(">Q", len(payload))
        body = bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if masked else payload
        return head + mask + body

    def frame(self, *args, **more):
        self.sock.sendall(self.framed(*args, **more))

    def send(self, payload):
        text = isinstance(payload, str)
        self.frame(TEXT if text else BINARY, payload.encode() if text else payload)

    def close(self, code=1000):
        try:
            self.frame(CLOSE, struct.pack(">H", code))
            while self.receive()[0] not in ("close", "end"):
                pass
        except OSError:
            pass
        self.sock.close()
