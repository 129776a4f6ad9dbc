#!/usr/bin/env python3
"""Unix sockets: several addresses in one setting, permissions, who is at the other end, a socket that a dead node left,
one that somebody listens on, and the command line over all transports."""
import os
import socket
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from tls import make_pair

tap = Tap()
WEIR = os.environ["WEIR"]
folder = tempfile.mkdtemp(prefix="weir-test-")
path = os.path.join(folder, "w.sock")


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True)
    return done.stdout


def weir(*arguments, **environment):
    done = subprocess.run([WEIR, *arguments], capture_output=True, text=True, env=dict(os.environ, **environment))
    return done.returncode, done.stdout + done.stderr


def is_socket():
    return os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode)


def refused(**how):
    node = Node(listen="unix:" + path, args=["--only", "counter"], start=False, **how)
    return node.run_to_exit()


listen = "127.0.0.1:0, unix:%s" % path
try:
    with Node(listen=listen, args=["--lanes", "2", "--only", "counter"]) as node:
        tap.ok("http=unix:" + path in node.ready_line, "the readiness line names the socket", node.ready_line)
        tap.equal(curl("--unix-socket", path, "http://localhost/healthz"), "ok\n", "curl reaches the node by its socket")
        tap.equal(node.get("/healthz").status, 200, "and by its port")
        tap.equal(os.stat(path).st_mode & 0o777, 0o660, "user and group may use it, others not")
        tap.equal(weir("topic", "create", "t", "--node", "unix:" + path)[0], 0, "the command line reaches it by its socket")
        tap.ok("t " in weir("topic", "list", WEIR_NODE="unix:" + path)[1], "and when the environment says so")
        tap.equal([curl("--unix-socket", path, "http://localhost/healthz") for _ in range(30)], ["ok\n"] * 30,
                  "each of many connections finds a lane")
        code, text = refused()
        tap.ok(code not in (0, None) and "another node listens there" in text, "a second node does not take it", (code, text))
        tap.ok(is_socket() and curl("--unix-socket", path, "http://localhost/healthz") == "ok\n", "and leaves it alone")
        node.kill()
        tap.ok(is_socket(), "a node that is killed leaves its socket")
        node.start()
        tap.equal(curl("--unix-socket", path, "http://localhost/healthz"), "ok\n", "the next start takes it over")
        tap.equal(node.stop(), 0, "a stop is clean")
        tap.ok(not os.path.exists(path), "and removes the socket")
    with open(path, "w") as file:
        file.write("precious")
    code, text = refused()
    tap.ok(code not in (0, None) and "no socket" in text, "a file that is no socket is not touched", (code, text))
    tap.equal(open(path).read(), "precious", "and keeps its content")
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        code, text = refused()
        tap.ok(code not in (0, None) and "another program listens there" in text, "nor another program's", (code, text))
    for address, words in (("unix:relative", "whole path"), ("unix:/" + "x" * 200, "longer"), ("unix:/none/such", "/none/such")):
        code, text = Node(listen=address, args=["--only", "counter"], start=False).run_to_exit()
        tap.ok(code not in (0, None) and words in text, "refused with a sentence: " + address[:20], (code, text))
    code, text = Node(args=["--set", "unix_mode=rw"], start=False).run_to_exit()
    tap.ok(code not in (0, None) and "octal" in text, "unix_mode must be octal", (code, text))

    cert, key = make_pair(folder, "localhost")
    with Node(listen="127.0.0.1:0,tls:unix:%s,plain:127.0.0.1:0" % path,
              args=["--only", "counter", "--set", "tls.cert=" + cert, "--set", "tls.key=" + key, "--set", "unix_mode=600"]) as node:
        first, _, last = [a.split("=")[1] for a in node.ready_line.split() if a.startswith("http=")]
        tap.equal(os.stat(path).st_mode & 0o777, 0o600, "unix_mode sets the permissions")
        for address in ("https://localhost:" + first.split(":")[1], "https+unix:" + path):
            tap.equal(weir("topic", "create", "x%d" % len(address), "--node", address, "--ca", cert)[0], 0,
                      "the command line speaks " + address.split(":")[0])
        tap.equal(weir("topic", "list", WEIR_NODE="https://" + first, WEIR_CA=cert)[0], 0, "and takes WEIR_CA")
        code, text = weir("topic", "list", "--node", "https://" + first)
        tap.ok(code != 0 and "--ca" in text, "a node that is not trusted is refused with what to do", text)
        code, text = weir("topic", "list", "--node", "http://" + first)
        tap.ok(code != 0 and "https" in text, "http to an https address is told so", text)
        code, text = weir("topic", "list", "--node", "https://" + last)
        tap.ok(code != 0 and "without TLS" in text, "https to an address without TLS is told so", text)
        tap.equal(weir("topic", "list", "--node", last)[0], 0, "an address marked plain: is")
finally:
    subprocess.run(["rm", "-rf", folder])
tap.done()
