#!/usr/bin/env python3
"""faktory_worker.py PORT WID LOG: a worker process of test_faktory_kill.py: a line in LOG before and after each job.

It beats five times a second on a connection of its own, stops fetching when it is told to be quiet, and ends when it is told
to terminate. Without a server it tries again until there is one."""
import os, random, sys, threading, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faktory import Client, Gone, Refused

port, wid, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
state = ["running"]
chance = random.Random(wid)


def connect():
    while True:
        try:
            return Client(("127.0.0.1", port), wid=wid)
        except (OSError, Gone):
            time.sleep(0.02)


def lasting(connection, say):
    """Says it until it was heard: on another connection when this one ends."""
    while True:
        try:
            return connection, say(connection)
        except Refused as e:
            return connection, str(e)
        except (OSError, Gone):
            connection = connect()


def beats():
    connection = connect()
    while True:
        connection, said = lasting(connection, lambda c: c.beat())
        if said in ("quiet", "terminate"):
            state[0] = said
        time.sleep(0.2)


def main():
    threading.Thread(target=beats, daemon=True).start()
    connection = connect()
    while state[0] != "terminate":
        if state[0] == "quiet":
            time.sleep(0.05)
            continue
        connection, job = lasting(connection, lambda c: c.fetch("urgent", "usual"))
        if not isinstance(job, dict):
            continue
        os.write(log, ("start %s %s\n" % (job["jid"], wid)).encode())
        time.sleep(chance.random() * 0.01)
        os.write(log, ("end %s %s\n" % (job["jid"], wid)).encode())
        connection, said = lasting(connection, lambda c, jid=job["jid"]: c.ack(jid))
        os.write(log, ("ack %s %s %s\n" % (job["jid"], wid, said.replace(" ", "_"))).encode())


main()
