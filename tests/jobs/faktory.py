"""A client of the Faktory work protocol that says what it is told to say, byte for byte; python's standard library only."""
import hashlib
import itertools
import json
import os
import socket

PATIENCE = float(os.environ.get("WEIR_TEST_PATIENCE", "60"))
_jids = itertools.count(1)


class Refused(Exception):
    """An answer that begins with '-'."""


class Gone(Exception):
    """The server closed the connection."""


def job(kind="Work", args=(), jid=None, **more):
    """A job as a dict; a queue "default" is not said."""
    return dict({"jid": jid or "test-%08d-%d" % (next(_jids), os.getpid()), "jobtype": kind, "args": list(args)}, **more)


def pwdhash(password, salt, rounds):
    digest = hashlib.sha256((password + salt).encode()).digest()
    for _ in range(rounds - 1):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()


class Client:
    def __init__(self, address, wid=None, password=None, hello=True, timeout=PATIENCE, tls=None, **more):
        self.sock = socket.create_connection(address, timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.data = b""
        self.wid = wid
        greeting = self.answer()
        if not greeting.startswith("HI "):
            raise RuntimeError("greeted by %r" % greeting)
        self.hi = json.loads(greeting[3:])
        if hello:
            said = dict({"v": 2, "hostname": "test", "pid": os.getpid(), "labels": ["python"]}, **more)
            if wid:
                said["wid"] = wid
            if password is not None:
                said["pwdhash"] = pwdhash(password, self.hi["s"], self.hi["i"])
            self.ask("HELLO", said)

    def close(self):
        self.sock.close()

    # -- bytes -----------------------------------------------------------------------------------------------------
    def put(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def _fill(self):
        try:
            chunk = self.sock.recv(1 << 16)
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            raise Gone()
        self.data += chunk

    def _line(self):
        while b"\r\n" not in self.data:
            self._fill()
        line, self.data = self.data.split(b"\r\n", 1)
        return line

    def answer(self):
        """The next answer: text, int, bytes of a bulk, None. Refused for an error."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise Refused(rest.decode())
        if kind == b":":
            return int(rest)
        if kind != b"$":
            raise RuntimeError("not RESP: %r" % line)
        size = int(rest)
        if size < 0:
            return None
        while len(self.data) < size + 2:
            self._fill()
        bulk, end, self.data = self.data[:size], self.data[size:size + 2], self.data[size + 2:]
        if end != b"\r\n":
            raise RuntimeError("a bulk does not end where its length says: %r" % end)
        return bulk

    def ends(self):
        """Whether the server closes, with nothing more to say."""
        try:
            self._fill()
        except Gone:
            return True
        return False

    # -- words -----------------------------------------------------------------------------------------------------
    @staticmethod
    def line(verb, payload=None):
        if payload is None:
            return verb.encode() + b"\r\n"
        if not isinstance(payload, (str, bytes)):
            payload = json.dumps(payload)
        return verb.encode() + b" " + (payload if isinstance(payload, bytes) else payload.encode()) + b"\r\n"

    def ask(self, verb, payload=None):
        self.put(self.line(verb, payload))
        return self.answer()

    def refusal(self, verb, payload=None):
        """The text of the error that the command is answered with; "" when it is taken."""
        try:
            self.ask(verb, payload)
        except Refused as e:
            return str(e)
        return ""

    def push(self, *args, **more):
        pushed = job(*args, **more)
        self.ask("PUSH", pushed)
        return pushed

    def fetch(self, *queues):
        got = self.ask("FETCH", " ".join(queues or ("default",)))
        return None if got is None else json.loads(got)

    def ack(self, jid):
        return self.ask("ACK", {"jid": jid})

    def fail(self, jid, errtype="Error", message="it failed", backtrace=("line 1",)):
        return self.ask("FAIL", {"jid": jid, "errtype": errtype, "message": message, "backtrace": list(backtrace)})

    def beat(self, **more):
        got = self.ask("BEAT", dict({"wid": self.wid}, **more))
        return json.loads(got)["state"] if isinstance(got, bytes) else got

    def info(self):
        return json.loads(self.ask("INFO"))
