#!/usr/bin/env python3
"""Clients that mean no good, on every listener at once: random bytes, requests with flipped bytes, resets in the middle,
half-closed sockets, WebSockets that break off. Nothing may end the node, hold its connections or keep its memory."""
import os
import random
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

tap = Tap()
SEED = int(os.environ.get("WEIR_TEST_SEED", "20"))
UPGRADE = (b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
REQUESTS = [
    b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/node HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/topics/t/records?offset=0&wait=500ms HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /v1/topics/t/records?partition=1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"11\r\n[{\"value\":\"abc\"}]\r\n0\r\n\r\n",
    b"POST /v1/topics/t/records?partition=0 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n"
    b"[{\"value\":\"a\"}]",
    b"POST /v1/counter/x/add HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n{\"amount\":1}",
    b"GET /v1/counter/x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/topics/t/tail HTTP/1.1\r\nHost: a\r\n" + UPGRADE + b"\x81\x82\x01\x01\x01\x01hi",
]


def bytes_to_send(draw):
    data = bytearray(b"".join(draw.choice(REQUESTS) for _ in range(draw.randint(1, 30))))
    kind = draw.random()
    if kind < 0.4:
        for _ in range(draw.randint(1, 5)):
            data[draw.randrange(len(data))] = draw.randrange(256)
    elif kind < 0.55:
        data = bytearray(draw.randrange(256) for _ in range(draw.randint(1, 3000)))
    return bytes(data)


def one_client(node, name, draw):
    sock = node.connect(name, timeout=5)
    data, at = bytes_to_send(draw), 0
    while at < len(data):
        size = draw.randint(1, 2000)
        sock.sendall(data[at:at + size])
        at += size
        if draw.random() < 0.1:
            time.sleep(0.001)  # that is the client: it dawdles, so that a request comes in pieces
    if draw.random() < 0.4:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    elif draw.random() < 0.5:
        if draw.random() < 0.3:
            sock.shutdown(socket.SHUT_WR)
        sock.settimeout(0.2)
        while sock.recv(65536):
            pass
    sock.close()


def crowd(node, seed):
    draw = random.Random(seed)
    for _ in range(40):
        try:
            one_client(node, draw.choice(sorted(node.addresses)), draw)
        except OSError:
            pass  # refused or closed by the node: that is its answer


with Node(args=["--lanes", "2", "--set", "idle=3s"]) as main:
    tap.note("seed %d" % SEED)
    main.post("/v1/topics", {"name": "t", "partitions": 3})
    threads = [threading.Thread(target=crowd, args=(main, SEED + i)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap.ok(main.alive(), "the node lives", "\n".join(main.stderr[-20:]))
    tap.equal(main.get("/healthz").status, 200, "and answers")
    main.wait_for(lambda: main.metric("weir_edge_connections") <= 1, what="the last hostile connection leaving")
    tap.ok(True, "every hostile connection is gone")
    main.wait_for(lambda: main.metric("weir_edge_buffer_bytes") <= 1 << 20, what="their memory being given back")
    tap.ok(True, "and so is their memory")
    tap.equal(main.metric("weir_edge_sessions"), 0.0, "no session is left behind")
    tap.equal(main.stop(), 0, "and it stops as it should")
tap.done()
