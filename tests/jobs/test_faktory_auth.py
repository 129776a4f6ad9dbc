#!/usr/bin/env python3
"""Who may work: the password of the Faktory protocol, tokens behind it, and TLS on its port."""
import os, subprocess, sys, tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from node import Node, Tap
from tls import Tls, make_pair
from faktory import Client, Refused

tap = Tap()


def refused(address, **more):
    try:
        Client(address, **more)
    except Refused as e:
        return str(e)
    return ""


def password():
    with Node(args=["--set", "jobs.faktory_password=sesame"]) as node:
        address = node.addresses["jobs.faktory"]
        greeting = Client(address, hello=False).hi
        tap.ok(greeting["v"] == 2 and 4000 <= greeting["i"] < 8192 and len(greeting["s"]) == 16,
               "with a password the greeting has a salt and a number of rounds", greeting)
        tap.ok(Client(address, hello=False).hi["s"] != greeting["s"], "and another salt each time")
        tap.equal(Client(address, password="sesame").ask("PUSH", {"jid": "12345678", "jobtype": "A", "args": []}), "OK",
                  "who knows it may push")
        worker = Client(address, wid="w-1", password="sesame")
        tap.equal(worker.fetch("default")["jid"], "12345678", "and work")
        tap.equal(refused(address, password="sesam"), "ERR Invalid password", "who does not is refused")
        tap.equal(refused(address), "ERR Invalid password", "and who says nothing too")
        client = Client(address, hello=False)
        client.put(Client.line("HELLO", {"v": 2, "pwdhash": "0" * 64}) + Client.line("PUSH", {"jid": "87654321", "jobtype": "A", "args": []}))
        try:
            client.answer()
        except Refused:
            pass
        tap.ok(client.ends(), "what is sent behind a wrong password is not heard")
        tap.equal(worker.info()["faktory"]["total_enqueued"], 0, "and does nothing")


def token(node, name, *roles):
    words = [word for role in roles for word in ("--role", role)]
    done = subprocess.run([node.binary, "token", "create", name, "--data", node.data] + words, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True)
    return done.stdout.decode().strip()


def tokens():
    """Where tokens are asked for, the password is one of them, and its roles are the session's."""
    node = Node(start=False, args=["--set", "auth=tokens"])
    write, read = token(node, "worker", "jobs:read", "jobs:write"), token(node, "reader", "jobs:read")
    node.args += ["--set", "jobs.faktory_password=" + write]
    with node.start() as node:
        worker = Client(node.addresses["jobs.faktory"], wid="w-1", password=write)
        tap.equal(worker.ask("PUSH", {"jid": "12345678", "jobtype": "A", "args": []}), "OK", "a token that may write pushes")
        tap.equal(worker.fetch("default")["jid"], "12345678", "and works")
        node.stop()
        node.args[-1] = "jobs.faktory_password=" + read
        node.start()
        tap.ok("not allowed" in refused(node.addresses["jobs.faktory"], wid="w-1", password=read), "one that may only read has no worker")
        reader = Client(node.addresses["jobs.faktory"], password=read)
        tap.equal(reader.info()["faktory"]["sets"]["working"], 1, "but it may look")
        tap.ok("not allowed" in reader.refusal("PUSH", {"jid": "12345679", "jobtype": "A", "args": []}), "and not push")
        node.stop()
        for what, secret in (("which is no token", "sesame"), ("that is not set", "")):
            node.args[-1] = "jobs.faktory_password=" + secret
            node.start()
            tap.ok(refused(node.addresses["jobs.faktory"], password=secret or None), "a password %s lets nobody in" % what)
            node.stop()


def encrypted():
    with tempfile.TemporaryDirectory() as folder:
        pair = make_pair(folder, "localhost")
        with Node(args=["--set", "tls.cert=" + pair[0], "--set", "tls.key=" + pair[1]]) as node:
            client = Client(node.addresses["jobs.faktory"], wid="w-1", tls=Tls(pair[0]).context())
            client.push(jid="12345678")
            tap.equal(client.fetch("default")["jid"], "12345678", "the same over TLS")


def main():
    password()
    tokens()
    encrypted()
    tap.done()


main()
