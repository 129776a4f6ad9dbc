#!/usr/bin/env python3
# also: tsan
"""The configuration of a running node: read again by SIGHUP and by a request, checked as a whole first, put in force or
refused as a whole; certificates when their files change; all of it under load, and with a crash behind it."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap, read_until_close
from tls import Tls, make_pair

tap = Tap()
WEIR = os.environ["WEIR"]


def weir(*arguments):
    done = subprocess.run([WEIR, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


class Configured(Node):
    def write(self, text):
        """As an editor does: a new file under the old name."""
        path = os.path.join(self.folder, "weir.yaml")
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def reload(self, text=None):
        if text is not None:
            self.write(text)
        return self.wait_for(lambda: self.try_reload(), what="the lanes' taking the reload before")

    def try_reload(self):
        reply = self.post("/v1/config/reload")
        return None if reply.status == 409 else reply

    def config(self):
        return self.get("/v1/node").json()["config"]

    def by_signal(self, text, generation):
        self.write(text)
        self.signal(signal.SIGHUP)
        self.wait_for(lambda: self.config()["generation"] == generation, what="the reload by a signal")


def limits(node):
    """body_bytes, idle and the log's level change between two requests."""
    big = '[{"value":"%s"}]' % ("x" * 3000)
    node.post("/v1/topics", {"name": "t"})
    tap.equal(node.post("/v1/topics/t/records", big).status, 200, "a body within the first limit is taken")
    with node.connect() as kept:  # a connection from before
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        kept.recv(65536)
        reply = node.reload("body_bytes: 2KB\nidle: 10s\nlanes: 2\nsnapshot_bytes: 1MB\n")
        tap.equal((reply.status, reply.json()), (200, {"changed": ["snapshot_bytes", "body_bytes", "idle"], "needsRestart": []}),
                  "a reload says what changed")
        kept.sendall(("POST /v1/topics/t/records HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(big)).encode())
        tap.ok(b" 413 " in read_until_close(kept).split(b"\r\n")[0], "the new limit counts on a connection that was there")
    tap.equal(node.post("/v1/topics/t/records", big).status, 413, "and on new ones")
    reply = node.reload("body_bytes: 1MB\nlanes: 3\nconnections_max: 99\nexchange: {orders_max: 4000, partitions: 2}\n")
    tap.equal(reply.json()["needsRestart"], ["lanes", "connections_max", "exchange.partitions"], "what needs a restart is listed")
    config = node.config()
    tap.equal(config["needsRestart"], ["lanes", "connections_max", "exchange.partitions"], "and stays listed at /v1/node")
    tap.equal((config["generation"], node.metric("weir_config_generation"), node.metric("weir_config_pending_restart")), (3, 3, 3),
              "with its generation")
    pair = make_pair(node.folder, "localhost")
    reply = node.reload("body_bytes: 1MB\nlanes: 3\nconnections_max: 99\ntls: {cert: %s, key: %s}\n" % pair)
    tap.equal(reply.json()["needsRestart"], ["lanes", "connections_max", "tls.cert", "tls.key"],
              "the first certificate waits too: listeners that have none stay as they are")
    tap.equal(len(node.get("/v1/node").json()["lanes"]), 2, "while the node goes on as it was")


def refused(node):
    before = node.config()
    reply = node.reload("body_bytes: 4KB\nlog_level: loud\nidl: 3s\nsnapshot_age: soon\nexchange: {ouch: 192.168.1.1:80}\n"
                        "exchnge:\n  orders_max: 3\ntls: {cert: /none}\n")
    problem = reply.json()
    tap.equal((reply.status, len(problem["mistakes"])), (422, 6), "one mistake or six: the whole is refused, and each is told")
    for words in ("weir.yaml:3: unknown key idl; did you mean idle?", "log_level is 'loud'", "snapshot_age", "192.168.1.1",
                  "there is no service exchnge; did you mean exchange?", "tls.cert and tls.key must name as many"):
        tap.ok(any(words in mistake for mistake in problem["mistakes"]), "told: " + words, problem["mistakes"])
    tap.equal(node.config(), before, "nothing changed")
    tap.equal(node.post("/v1/topics/t/records", '[{"value":"%s"}]' % ("x" * 5000)).status, 200,
              "not even what was right in it")
    tap.equal(node.metric("weir_config_reloads_refused_total"), 1, "and it is counted")
    code, text = weir("config", "check", os.path.join(node.folder, "weir.yaml"))
    tap.ok(code != 0 and all(mistake in text for mistake in problem["mistakes"]), "`weir config check` says the same", text)
    code, text = weir("config", "reload", "--node", "127.0.0.1:%d" % node.port())
    tap.ok(code != 0 and "6 mistakes" in text, "`weir config reload` fails with the first of them", text)
    os.unlink(os.path.join(node.folder, "weir.yaml"))
    tap.equal(node.reload().status, 422, "a file that is gone refuses too")


def by_signal(node):
    generation = node.config()["generation"]
    node.by_signal("log_level: debug\nlog_format: json\nlanes: 2\n", generation + 1)
    node.wait_for(lambda: any(line.startswith("{") for line in node.stderr), what="a log line in JSON")
    tap.ok(True, "SIGHUP reloads, and the log's form changes")
    tap.equal(node.config()["needsRestart"], [], "what was taken back needs no restart any more")
    node.write("lanes: [")
    node.signal(signal.SIGHUP)
    node.wait_for(lambda: any("config_refused" in line for line in node.stderr), what="the refusal in the log")
    tap.ok(node.get("/healthz").status == 200 and node.config()["generation"] == generation + 1,
           "a broken file is refused by signal too, and said in the log")
    node.write("lanes: 2\n")
    code, text = weir("config", "reload", "--node", "127.0.0.1:%d" % node.port())
    tap.ok(code == 0 and "in force: log_format, log_level" in text, "`weir config reload` says what is in force", (code, text))


def explain():
    tap.ok("A reload puts a change in force" in weir("config", "explain", "idle")[1], "`weir config explain`: a live setting")
    tap.ok("needs a restart" in weir("config", "explain", "lanes")[1], "`weir config explain`: one that needs a restart")


def order(node, symbol):
    return node.post("/v1/exchange/orders", {"account": 1, "symbol": symbol, "side": "BUY", "quantity": 1, "price": 100})


def folded():
    """A service's limit that its fold reads: a record, and so the same after a crash."""
    config = "exchange: {partitions: 2, open_max: %d}\n"
    with Configured(config=config % 1000, args=["--only", "exchange", "--lanes", "2"]) as node:
        for symbol in ("AAA", "BBB", "CCC", "DDD"):
            node.post("/v1/exchange/symbols", {"symbol": symbol})
        placed = [order(node, "AAA").status for _ in range(5)]
        tap.equal(placed, [201] * 5, "orders within the limit are taken")
        before = {p["partition"]: p["applied"] for p in node.get("/v1/services/exchange").json()["partitions"]}
        tap.equal(node.reload(config % 5).json()["changed"], ["exchange.open_max"], "a folded setting is put in force")
        node.wait_for(lambda: all(p["applied"] > before[p["partition"]] for p in
                                  node.get("/v1/services/exchange").json()["partitions"]), what="a record per partition")
        tap.ok(True, "the change is a record in each partition")
        tap.equal(node.get("/v1/services/exchange").json()["settings"]["open_max"], 5, "the service shows what is in force")
        tap.ok(order(node, "AAA").status not in (200, 201), "the new limit refuses the next order")
        reply = node.reload(config % 2000)
        tap.equal(reply.json()["needsRestart"], ["exchange.open_max"], "more than was laid out at start needs a restart")
        tap.ok(order(node, "AAA").status not in (200, 201), "until then the limit stays")
        node.reload(config % 5)
        states = [(p["applied"], p["digest"]) for p in node.get("/v1/services/exchange").json()["partitions"]]
        for life in range(2):
            node.kill()
            node.start()
            tap.equal([(p["applied"], p["digest"]) for p in node.get("/v1/services/exchange").json()["partitions"]][0][1],
                      states[0][1], "after a kill (%d) the state is the same" % life)
        tap.ok(order(node, "AAA").status not in (200, 201), "and so is the limit")
        tap.equal(node.post("/v1/services/exchange/snapshot").status, 200, "a shadow that replays the change agrees with the live state")


def under_load():
    """Reloads while clients work: each request sees the old or the new limits, and none is lost."""
    texts = ["body_bytes: 64KB\nidle: 60s\n", "body_bytes: 128KB\nidle: 50s\nexchange: {open_max: 900}\n",
             "body_bytes: 64KB\nexchange: {open_max: 800}\n"]
    with Configured(config=texts[0] + "exchange: {open_max: 1000}\n", args=["--lanes", "3"]) as node:
        node.post("/v1/topics", {"name": "t", "partitions": 4})
        done, wrong, acked = threading.Event(), [], []

        def client(number):
            count = 0
            while not done.is_set():
                reply = node.post("/v1/topics/t/records?partition=%d" % (number % 4), '[{"value":"%d-%d"}]' % (number, count))
                if reply.status == 200:
                    acked.append("%d-%d" % (number, count))
                elif reply.status != 503:
                    wrong.append(reply)
                count += 1

        threads = [threading.Thread(target=client, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        statuses = [node.reload(texts[i % 3]).status for i in range(30)]
        done.set()
        for thread in threads:
            thread.join()
        tap.equal((set(statuses), wrong[:3]), ({200}, []), "30 reloads under load: all in force, no request failed")
        node.reload(texts[1])
        node.kill()
        node.start()
        found = set()
        for partition in range(4):
            offset = 0
            while records := node.get("/v1/topics/t/records?partition=%d&offset=%d&limit=1000" % (partition, offset)).json()["records"]:
                found.update(record["value"] for record in records)
                offset = records[-1]["offset"] + 1
        tap.equal(set(acked) - found, set(), "what was acknowledged meanwhile is there after a kill")


def certificates():
    """New files are taken without a restart and without ending a connection; wrong ones are refused, and told of."""
    folder = tempfile.mkdtemp(prefix="weir-test-")
    try:
        first, second, other = (make_pair(folder, name) for name in ("localhost", "second", "other"))
        live = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")

        def install(pair):
            for source, target in zip(pair, live):
                shutil.copy(source, target + ".new")
                os.rename(target + ".new", target)

        install(first)
        with Configured(args=["--only", "counter", "--lanes", "2", "--set", "tls.cert=" + live[0], "--set", "tls.key=" + live[1]],
                        listen="127.0.0.1:0") as node:
            old, new = Tls(first[0]), Tls(second[0])
            kept = old.context().wrap_socket(node.connect(), server_hostname="localhost")

            def served(tls, name):
                context = tls.context()
                context.check_hostname = False
                try:
                    with context.wrap_socket(node.connect(), server_hostname=name):
                        return True
                except OSError:
                    return False

            install(second)
            node.wait_for(lambda: served(new, "second"), what="the new certificate")
            tap.ok(not served(old, "localhost"), "a changed certificate is served without a restart, on all lanes")
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            tap.ok(b" 200 " in kept.recv(65536), "a connection from before goes on")
            kept.close()
            install((first[0], other[1]))
            node.wait_for(lambda: any("certificate_refused" in line for line in node.stderr), what="the refusal")
            tap.ok(served(new, "second"), "a pair that does not fit leaves the old one in force, and the log says so")
            context = new.context()
            context.check_hostname = False
            install(make_pair(folder, "old", days=-1))
            node.wait_for(lambda: any("expired on" in line for line in node.stderr), what="the refusal of an expired one")
            tap.ok(served(new, "second"), "so does an expired one")
            os.unlink(live[0])
            install(first)
            node.wait_for(lambda: served(old, "localhost"), what="the right certificate")
            tap.ok(True, "and a right one is taken again")
            text = old.request(node, "GET", "/metrics").body.decode()
            tap.ok("weir_tls_certificates_reloaded_total 2\n" in text and "weir_tls_certificates_refused_total 2\n" in text,
                   "changes and refusals are counted", [line for line in text.splitlines() if "certificate" in line])
            tap.ok("weir_tls_certificate_days_left 29\n" in text, "the days that are left are a metric")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


with Configured(config="body_bytes: 8KB\nlanes: 2\n") as main:
    limits(main)
    refused(main)
    by_signal(main)
    tap.equal(main.stop(), 0, "a stop is clean")
explain()
folded()
under_load()
certificates()
tap.done()
