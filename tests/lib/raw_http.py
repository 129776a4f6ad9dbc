"""HTTP/1.1 over a raw socket, so that a test says every byte and sees every byte.

    with Raw(node) as raw:
        raw.send("GET / HTTP/1.1", "Host: a")          # lines; a body as body=b"..."
        reply = raw.reply()                            # .status, .header(), .body; method="HEAD": it has no body
        raw.ended()                                    # True: the peer closed and said nothing more
"""
import socket

from node import PATIENCE, Reply


class Raw:
    def __init__(self, node, timeout=PATIENCE, name="http"):
        self.sock, self.data = node.connect(name, timeout), b""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.sock.close()

    def put(self, data):
        """Bytes as they are; that the peer has closed meanwhile shows when its answer is read."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send(self, *lines, body=b""):
        self.put("".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n" + body)

    def more(self):
        try:
            chunk = self.sock.recv(65536)
        except ConnectionResetError:
            chunk = b""
        self.data += chunk
        return len(chunk) > 0

    def reply(self, method="GET"):
        """The next response, interim ones too; None when the connection ends before."""
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                return None
        head, _, rest = self.data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        status = int(lines[0].split()[1])
        size = int(next((v for k, v in headers if k.lower() == "content-length"), "0"))
        if method == "HEAD" or status < 200 or status in (204, 304):
            size = 0
        while len(rest) < size:
            if not self.more():
                return None
            rest = self.data.partition(b"\r\n\r\n")[2]
        self.data = rest[size:]
        return Reply(status, headers, rest[:size])

    def status(self, method="GET"):
        reply = self.reply(method)
        return reply.status if reply else None

    def ended(self):
        while self.more():
            pass
        return self.data == b""


def ask(node, *lines, body=b"", method=None):
    """One request on a connection of its own: its reply, and whether the connection ended behind it."""
    with Raw(node) as raw:
        raw.send(*lines, body=body)
        reply = raw.reply(method or lines[0].split(" ")[0])
        return reply, reply is None or reply.header("connection") == "close" and raw.ended()
