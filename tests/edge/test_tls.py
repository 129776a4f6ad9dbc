#!/usr/bin/env python3
# also: tsan
"""TLS at every listener, with clients that are not ours (python's ssl, curl, openssl s_client): what is agreed on, who is
let in, what a client without TLS is told, and clients that mean no good in the middle of a handshake."""
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import PATIENCE, Node, Tap, read_replies, read_until_close
from tls import Authority, Tls, make_pair
from ws import WebSocket

tap = Tap()


def raw(node, name="http"):
    return node.connect(name)


def get(path, extra=""):
    return ("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path, extra)).encode()


def agreed(node, tls):
    """What a handshake settles, and that both versions carry a request."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = tls.context()
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
        with context.wrap_socket(raw(node), server_hostname="localhost") as sock:
            sock.sendall(get("/healthz"))
            tap.equal((sock.selected_alpn_protocol(), read_replies(sock, 1)[0].status), ("http/1.1", 200),
                      "%s: a request is answered, as HTTP/1.1" % version.name)
            tap.ok(re.search("GCM|CHACHA20", sock.cipher()[0]), "%s: the cipher is an AEAD" % version.name, sock.cipher())
    context = tls.context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    tap.ok(refused(context, node), "TLS 1.1 is refused")
    context = tls.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA:AES256-SHA:ECDHE-ECDSA-AES128-SHA")
    tap.ok(refused(context, node), "ciphers without forward secrecy or of another age are refused")
    context = tls.context()
    context.set_alpn_protocols(["h2"])
    tap.ok(refused(context, node), "a client that speaks only HTTP/2 is refused in the handshake")


def refused(context, node, name="http"):
    """True when the handshake, or the first use after it (TLS 1.3 tells a client late), fails."""
    sock = raw(node, name)
    try:
        with context.wrap_socket(sock, server_hostname="localhost") as sealed:
            sealed.sendall(get("/healthz"))
            return not sealed.recv(1)
    except (ssl.SSLError, OSError):
        return True
    finally:
        sock.close()


def tickets(node, tls):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context, before = tls.context(), tls.metric(node, "weir_tls_resumed_total")
        context.maximum_version = version
        with context.wrap_socket(raw(node), server_hostname="localhost") as sock:
            sock.sendall(get("/healthz"))
            read_replies(sock, 1)  # in 1.3 the ticket comes after the handshake
            session = sock.session
        with context.wrap_socket(raw(node), server_hostname="localhost", session=session) as sock:
            tap.ok(sock.session_reused, "%s: a second connection resumes by its ticket" % version.name)
        tap.ok(tls.metric(node, "weir_tls_resumed_total") > before, "%s: and is counted" % version.name)


def large(node, tls):
    """Bodies larger than a record and than a socket's buffer, both ways, and many requests at once."""
    tls.request(node, "POST", "/v1/topics", '{"name":"big"}')
    value = "x" * 700000
    reply = tls.request(node, "POST", "/v1/topics/big/records", '[{"value":"%s"}]' % value)
    tap.equal(reply.status, 200, "a body of many records arrives whole")
    reply = tls.request(node, "GET", "/v1/topics/big/records?offset=0")
    tap.ok(value.encode() in reply.body, "and comes back whole")
    with tls.context().wrap_socket(raw(node), server_hostname="localhost") as sock:
        sock.sendall(get("/healthz") * 500)
        tap.equal([r.status for r in read_replies(sock, 500)], [200] * 500, "500 requests in one go are all answered")
    with tls.context().wrap_socket(raw(node), server_hostname="localhost") as sock:
        for byte in get("/healthz"):
            sock.sendall(bytes([byte]))  # a record for each
        tap.equal(read_replies(sock, 1)[0].status, 200, "a request with a record per byte is answered")


def sessions(node, tls):
    """What comes and goes by itself: a WebSocket, and commands that wait for their commit while more come."""
    class Sealed:
        @staticmethod
        def connect(timeout):
            sock = socket.create_connection(node.addresses["http"], timeout)
            return tls.context().wrap_socket(sock, server_hostname="localhost")

    tls.request(node, "POST", "/v1/topics", '{"name":"tail"}')
    tail = WebSocket(Sealed, "/v1/topics/tail/tail?from=0")
    for i in range(5):
        tls.request(node, "POST", "/v1/topics/tail/records", '[{"value":"v%d"}]' % i)
    got = []
    while len(got) < 5 and (frame := tail.receive())[0] == "text":
        if b'"record"' in frame[1]:
            got.append(frame)
    tap.ok(len(got) == 5 and all(b'"v%d"' % i in payload for i, (_, payload) in enumerate(got)), "a WebSocket over TLS gets each record", got)
    tail.sock.close()
    with Sealed.connect(PATIENCE) as sock:
        one = b"POST /v1/topics/tail/records HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n[{\"value\":\"w\"}]"
        sock.sendall(one * 400)  # more than may be under way at once: reading stops with bytes behind the seal
        tap.equal([r.status for r in read_replies(sock, 400)], [200] * 400, "400 commands in one go are all committed")


def ends(node, tls):
    sock = tls.context().wrap_socket(raw(node), server_hostname="localhost", suppress_ragged_eofs=False)
    sock.sendall(get("/healthz", "Connection: close\r\n"))
    data = b""
    try:
        while chunk := sock.recv(65536):
            data += chunk
        tap.ok(b" 200 " in data, "the node ends a connection with close_notify")
    except ssl.SSLEOFError as error:
        tap.ok(False, "the node ends a connection with close_notify", error)
    sock.close()
    # OpenSSL's client sends close_notify at the end of its input and goes on reading: half a close.
    done = subprocess.run(["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect", "%s:%d" % node.addresses["http"],
                           "-CAfile", tls.cert, "-verify_return_error"], input=get("/healthz"), capture_output=True,
                          timeout=PATIENCE)
    tap.ok(done.returncode == 0, "openssl s_client trusts the certificate", done.stderr.decode())


def plain(node, tls):
    with raw(node) as sock:
        sock.sendall(get("/healthz"))
        told = read_until_close(sock)
    tap.ok(told.startswith(b"HTTP/1.1 400 ") and b"https://" in told, "plain HTTP is told in the clear to use https", told)
    with raw(node) as sock:
        sock.sendall(b"DELETE /v1/topics/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        tap.ok(read_until_close(sock).startswith(b"HTTP/1.1 400 "), "whatever its method is")
    tap.ok(tls.metric(node, "weir_tls_failures_total", 'reason="plain"') >= 2, "and is counted")
    with raw(node, "exchange.ouch") as sock:
        sock.sendall(b"\x00\x2eLsomeone  " + b" " * 37)
        tap.equal(read_until_close(sock), b"", "a binary session without TLS is closed without a word")


def gateway(node, tls):
    with tls.context().wrap_socket(node.connect("exchange.ouch"), server_hostname="localhost") as sock:
        # SoupBinTCP's login, by an account that does not exist: the refusal shows that the session is there.
        sock.sendall(struct.pack(">HB6s10s10s20s", 47, ord("L"), b"nobody", b"secret", b"", b"1"))
        tap.ok(sock.recv(3)[2:3] in (b"A", b"J"), "the OUCH gateway speaks TLS too")


def hostile(node, tls):
    """None of these may end the node, keep a connection for ever, or keep others out."""
    hello = tls.client_hello()
    stuck = []
    for cut in (1, 5, 20, len(hello) - 1):
        sock = raw(node)
        sock.sendall(hello[:cut])
        stuck.append(sock)  # and never goes on
    for _ in range(20):
        with raw(node) as sock:
            sock.sendall(os.urandom(300))
    with raw(node) as sock:
        sock.sendall(hello[:50])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset in the middle
    with raw(node) as sock:
        sock.sendall(b"\x16\x03\x01\xff\xff" + b"\x01" * 70000)  # a record larger than any may be
        tap.ok(len(read_until_close(sock)) < 100, "a record of 64 KB ends the connection")
    with raw(node) as sock:
        for byte in hello:
            sock.sendall(bytes([byte]))
        tap.ok(sock.recv(1) == b"\x16", "a hello that comes byte by byte is answered")
    with tls.context().wrap_socket(raw(node), server_hostname="localhost") as sock:
        sealed = sock.detach()
    with socket.socket(fileno=sealed) as sock:
        sock.sendall(b"\x17\x03\x03\x00\x20" + b"\x55" * 32)  # a record whose seal is wrong
        read_until_close(sock)
    tap.ok(tls.request(node, "GET", "/healthz").status == 200, "others are served meanwhile")
    tap.ok(tls.metric(node, "weir_tls_failures_total", 'reason="garbage"') > 0, "garbage is counted")
    node.wait_for(lambda: tls.metric(node, "weir_tls_failures_total", 'reason="timeout"') >= len(stuck),
                  what="the end of the handshakes that stopped")
    tap.ok(True, "a handshake that stops is ended when its time is over")
    node.wait_for(lambda: tls.metric(node, "weir_edge_connections") == 1, what="the end of all their connections")
    tap.equal(tls.metric(node, "weir_tls_handshakes"), 0, "none is left")
    for sock in stuck:
        sock.close()


def crowd(node, tls):
    """More handshakes than may be under way: the oldest go, and a true client gets in."""
    crowd = []
    for _ in range(100):
        sock = raw(node)
        sock.sendall(b"\x16\x03\x01")
        crowd.append(sock)
    tap.equal(tls.request(node, "GET", "/healthz").status, 200, "a crowd that does not shake hands keeps nobody out")
    tap.ok(tls.metric(node, "weir_tls_failures_total", 'reason="crowded"') >= 30, "the oldest of it had to go")
    for sock in crowd:
        sock.close()


def certificates(folder, first, authority):
    """Clients' certificates, and several of the node's own."""
    second = make_pair(folder, "weir.example")
    alice = authority.sign("alice", "/O=Example/CN=alice")
    mallory = Authority(folder, "mallory").sign("mallory", "/CN=alice")
    config = "tls:\n  cert: %s, %s\n  key: %s, %s\n  client_ca: %s\n" % (first[0], second[0], first[1], second[1],
                                                                    authority.cert)
    with Node(config=config, args=["--only", "counter"]) as node:
        tls = Tls(first[0])
        for name, pair in (("localhost", first), ("weir.example", second)):
            with Tls(pair[0]).context().wrap_socket(raw(node), server_hostname=name) as sock:
                tap.ok(("DNS", name) in sock.getpeercert()["subjectAltName"], "the name asked for chooses the certificate: " + name)
        tap.equal(tls.request(node, "GET", "/healthz").status, 200, "without a certificate a client is let in")
        key = {"Idempotency-Key": "k"}
        first_try = tls.request(node, "POST", "/v1/counter/a/add", '{"amount":1}', key)
        tap.ok(first_try.status == 200, "who shows none is 'local'", first_try)
        again = tls.request(node, "POST", "/v1/counter/a/add", '{"amount":1}', key, pair=alice)
        tap.ok(again.header("Idempotency-Replayed") is None and again.status == 200,
               "alice's idempotency keys are her own: the certificate's subject is the principal", again)
        replayed = tls.request(node, "POST", "/v1/counter/a/add", '{"amount":1}', key, pair=alice)
        tap.equal(replayed.header("Idempotency-Replayed"), "true", "and she is the same principal the next time")
        tap.ok(refused(tls.context(mallory), node), "a certificate of another authority is refused")
        tap.ok(tls.metric(node, "weir_tls_failures_total", 'reason="certificate"') >= 1, "and counted")
    with Node(config=config + "  client: required\n", args=["--only", "counter"]) as node:
        tap.ok(refused(tls.context(), node), "required: without a certificate nobody gets in")
        tap.equal(tls.request(node, "GET", "/healthz", pair=alice).status, 200, "required: with one they do")


def bad_settings(folder, pair, other):
    expired = make_pair(folder, "old", days=-1)
    for settings, words in (
            ({"tls.cert": pair[0], "tls.key": other[1]}, "is not the key of the certificate"),
            ({"tls.cert": pair[0]}, "as many files"),
            ({"tls.key": pair[1]}, "tls.cert is not"),
            ({"tls.cert": pair[1], "tls.key": pair[1]}, "holds no certificate"),
            ({"tls.cert": pair[0] + ".none", "tls.key": pair[1]}, "tls.cert: "),
            ({"tls.cert": pair[0], "tls.key": pair[1], "tls.client": "required"}, "tls.client_ca names nobody"),
            ({"tls.cert": pair[0], "tls.key": pair[1], "tls.client": "perhaps"}, "optional or required"),
            ({"listen": "tls:127.0.0.1:0"}, "there is no certificate")):
        node = Node(folder=folder, args=[a for k, v in settings.items() for a in ("--set", "%s=%s" % (k, v))], start=False)
        code, text = node.run_to_exit()
        tap.ok(code not in (0, None) and words in text, "refused at start: " + words, (code, text))
    with Node(args=["--only", "counter", "--set", "tls.cert=" + expired[0], "--set", "tls.key=" + expired[1]]) as node:
        tap.ok(any("certificate_expired" in line for line in node.stderr), "an expired certificate is said aloud at start",
               node.stderr)


def self_signed():
    with Node(args=["--only", "counter", "--tls-self-signed"]) as node:
        cert = os.path.join(node.data, "tls", "cert.pem")
        told = [line for line in node.stderr if "fingerprint" in line]
        want = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-fingerprint", "-sha256"], capture_output=True,
                              text=True).stdout.strip().split("=")[1]
        tap.ok(told and want in told[0], "--tls-self-signed makes a pair and says its fingerprint", told)
        tap.equal(os.stat(os.path.join(node.data, "tls", "key.pem")).st_mode & 0o777, 0o600, "its key is its owner's alone")
        done = subprocess.run(["curl", "-sS", "--cacert", cert, "https://localhost:%d/healthz" % node.port()],
                              capture_output=True, text=True)
        tap.equal((done.stdout, done.returncode), ("ok\n", 0), "curl trusts it")
        node.restart()
        tap.ok(not [line for line in node.stderr if "fingerprint" in line], "the next start keeps it")


with Node(args=["--only", "counter"], start=False) as scratch:
    folder = scratch.folder
    pair = make_pair(folder, "localhost")
    settings = ["--set", "tls.cert=" + pair[0], "--set", "tls.key=" + pair[1], "--set", "tls.handshake=2s", "--set",
                "tls.handshakes_max=64"]
    with Node(args=settings) as main:
        agreed(main, Tls(pair[0]))
        tickets(main, Tls(pair[0]))
        large(main, Tls(pair[0]))
        sessions(main, Tls(pair[0]))
        ends(main, Tls(pair[0]))
        plain(main, Tls(pair[0]))
        gateway(main, Tls(pair[0]))
        hostile(main, Tls(pair[0]))
        crowd(main, Tls(pair[0]))
        tap.ok(main.alive(), "the node lives", main.stderr)
        tap.equal(main.stop(), 0, "and stops cleanly")
    certificates(folder, pair, Authority(folder, "ca"))
    bad_settings(folder, pair, make_pair(folder, "other"))
    self_signed()
tap.done()
