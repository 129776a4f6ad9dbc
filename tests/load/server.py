"""A server whose behaviour is known, for the tests of the generator. asyncio, in a process of its own, port 0.

    with Server() as server:
        server.url("/ok")

Paths: /ok; /wait/MS answers after that time; /stall/AFTER_MS/MS stands still once, for that long, that long after the first
request; /status/CODE; /cut closes instead of answering; /bad says what is no HTTP; /chunked; /until-close; /big/BYTES; /never;
/flaky answers 503 to the first time it sees an Idempotency-Key; /seen counts; /ws echoes, /ws-late/MS after that time,
/ws-push sends each message back twice. UDP on the same port number echoes what comes.
"""
import asyncio, base64, hashlib, json, multiprocessing, os, time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class State:
    def __init__(self):
        self.requests, self.keys, self.connections, self.bodies, self.datagrams = 0, {}, 0, [], []
        self.began, self.stalled, self.stall_s = None, False, 0.0


def answer(code, body=b"{}", extra=b""):
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n%s" % (code, len(body), extra, body)


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:] if ":" in line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return lines[0].split()[0], lines[0].split()[1], headers, body


def stall(state, after, length):
    now = time.monotonic()
    state.began = state.began or now
    if not state.stalled and now - state.began >= after:
        state.stalled = True
        time.sleep(length)  # the whole server stands still: that is what is to be measured
        state.stall_s = time.monotonic() - now


async def websocket(state, path, headers, reader, writer):
    accept = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + GUID).digest())
    writer.write(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    while True:
        first, second = await reader.readexactly(2)
        size = second & 127
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        mask = await reader.readexactly(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(size)))
        if first & 15 == 8:
            return
        state.bodies.append(data.decode("latin-1"))
        if path.startswith("/ws-late/"):
            await asyncio.sleep(int(path.split("/")[2]) / 1000)
        frame = bytes([0x80 | (first & 15)]) + (bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")) + data
        writer.write(frame * (2 if path == "/ws-push" else 1))
        if path == "/ws-ping":
            writer.write(b"\x89\x02hi")


async def http(state, reader, writer):
    method, target, headers, body = await read_request(reader)
    part = target.split("?")[0].split("/")
    state.requests += 1
    key = headers.get("idempotency-key")
    if key:
        state.keys[key] = state.keys.get(key, 0) + 1
    if body and len(state.bodies) < 10000:
        state.bodies.append(body.decode("latin-1"))
    if part[1].startswith("ws"):
        await websocket(state, target, headers, reader, writer)
        return False
    if part[1] == "wait":
        await asyncio.sleep(int(part[2]) / 1000)
    elif part[1] == "stall":
        stall(state, int(part[2]) / 1000, int(part[3]) / 1000)
    elif part[1] == "status":
        writer.write(answer(int(part[2]), b"" if part[2] == "204" else b"{}"))
        return True
    elif part[1] == "cut":
        return False
    elif part[1] == "bad":
        writer.write(b"this is no HTTP at all\r\n\r\n")
        return False
    elif part[1] == "chunked":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await writer.drain()
        writer.write(b"2\r\nde\r\n0\r\n\r\n")
        return True
    elif part[1] == "until-close":
        writer.write(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\nsome body")
        return False
    elif part[1] == "big":
        writer.write(answer(200, b"x" * int(part[2])))
        await writer.drain()
        return True
    elif part[1] == "never":
        await asyncio.sleep(3600)
    elif part[1] == "flaky" and state.keys.get(key, 0) == 1:
        writer.write(answer(503))
        return True
    elif part[1] == "seen":
        seen = {"requests": state.requests, "keys": len(state.keys), "doubled": sum(v > 1 for v in state.keys.values()),
                "connections": state.connections, "bodies": state.bodies, "stall_s": state.stall_s,
                "datagrams": state.datagrams}
        writer.write(answer(200, json.dumps(seen).encode()))
        return True
    writer.write(answer(200, b"" if method == "HEAD" else b"{}"))
    return True


class Echo(asyncio.DatagramProtocol):
    def __init__(self, state):
        self.state = state

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.state.datagrams.append(data.decode("latin-1"))
        self.transport.sendto(data, address)


async def serve(pipe):
    state = State()

    async def connection(reader, writer):
        state.connections += 1
        try:
            while await http(state, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: Echo(state), local_addr=("127.0.0.1", port))
    pipe.send(port)
    await server.serve_forever()


def main(pipe):
    try:
        asyncio.run(serve(pipe))
    except KeyboardInterrupt:
        pass


class Server:
    def __enter__(self):
        mine, its = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=main, args=(its,), daemon=True)
        self.process.start()
        self.port = mine.recv()
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.join()

    def url(self, path, scheme="http"):
        return "%s://127.0.0.1:%d%s" % (scheme, self.port, path)

    def seen(self):
        import urllib.request
        with urllib.request.urlopen(self.url("/seen")) as reply:
            return json.load(reply)
