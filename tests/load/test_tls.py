#!/usr/bin/env python3
# also: tsan
"""weir load over TLS: https, wss and ouch+tls against a node; who is trusted and who we are; answers larger than a TLS record, connections
that leave and come back, that are cut, slow and dribbling."""
import json, os, subprocess, sys, tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap  # noqa: E402
from tls import Authority, make_pair  # noqa: E402

tap = Tap()
work = tempfile.TemporaryDirectory(prefix="weir-load-tls-")


def weir(*args):
    done = subprocess.run([os.environ["WEIR"], "load"] + [str(a) for a in args] + ["--json", "--late-max", "100s"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def load(*args):
    code, out, err = weir(*args)
    if not out.startswith("{"):
        raise RuntimeError("weir load %s: exit %d: %s" % (" ".join(map(str, args)), code, err))
    return json.loads(out)


def all_answered(r, count):
    return r["answered"] == r["planned"] == count and r["failures"] == 0


cert, key = make_pair(work.name, "localhost")
tls = ["--set", "tls.cert=" + cert, "--set", "tls.key=" + key]
with Node(args=tls + ["--set", "exchange.ouch=127.0.0.1:0"]) as node:
    http, ouch = ("%s:%d" % node.addresses[name] for name in ("http", "exchange.ouch"))
    add = ["https://%s/v1/counter/x/add" % http, "--body", '{"amount":1}', "--ca", cert, "--duration", "1s"]
    r = load(*add, "--rate", 200)
    tap.ok(all_answered(r, 200) and r["scheme"] == "https", "https with --ca is answered", r)
    r = load(*add, "--rate", 200, "--reconnect-every", 10, "--threads", 2)
    tap.ok(all_answered(r, 200) and r["connects"] >= 20, "connections that leave come back with a handshake of their own", r)
    r = load(*add, "--rate", 200, "--reset", "5%")
    tap.ok(r["planned"] == r["answered"] + r["given_up"] and r["given_up"] > 0, "those that are cut are counted as that", r)
    r = load(*add, "--rate", 40, "--connections", 4, "--slow", "25%", "--dribble", "25%", "--dribble-gap", "100us", "--slow-rate", "100KB")
    tap.ok(all_answered(r, 40) and r["slow"]["count"] > 0, "slow and dribbling ones get through", r)
    r = load("https://%s/openapi.json" % http, "--ca", cert, "--rate", 50, "--duration", "1s")
    tap.ok(all_answered(r, 50) and r["bytes_in"] > 50 * 17000, "answers larger than a record are read whole", r)
    r = load("https://%s/openapi.json" % http, "--ca", cert, "--rate", 20, "--duration", "1s", "--delay", "5ms", "--delay-sd", "2ms")
    tap.ok(all_answered(r, 20), "a network in between does not stop them", r)
    r = load("wss://%s/v1/exchange/feed" % http, "--ca", cert, "--rate", 100, "--duration", "1s", "--body", '{"op":"ping","request":{{n}}}',
             "--match", "order")
    tap.ok(all_answered(r, 100) and r["scheme"] == "wss", "wss is answered", r)
    node_url = "https://%s" % http
    code = subprocess.run(["curl", "-sf", "--cacert", cert, "-d", '{"symbol":"TLS","tick":1,"lot":1}', node_url + "/v1/exchange/symbols"],
                          stdout=subprocess.DEVNULL).returncode
    r = load("ouch+tls://" + ouch, "--ca", cert, "--symbol", "TLS", "--rate", 100, "--duration", "1s")
    tap.ok(code == 0 and all_answered(r, 100), "ouch+tls is answered", r)

    code, out, err = weir("https://%s/healthz" % http, "--rate", 10, "--duration", "1s")
    tap.ok(code != 0 and "--ca" in err and "--insecure" in err, "a certificate that nobody vouches for is refused, with what to do", err)
    other, _ = make_pair(work.name, "elsewhere")
    code, out, err = weir("https://%s/healthz" % http, "--rate", 10, "--duration", "1s", "--ca", other)
    tap.ok(code != 0 and "not trusted" in err, "so is one that somebody else vouches for", err)
    r = load("https://%s/healthz" % http, "--rate", 10, "--duration", "1s", "--insecure")
    tap.ok(all_answered(r, 10), "--insecure takes it", r)
    code, out, err = weir("http://%s/healthz" % http, "--rate", 10, "--duration", "1s")
    tap.ok(json.loads(out)["answered"] == 0, "a target that wants TLS gives no good answer without", (out, err))
    for args, word in ((["--ca", cert, "--insecure"], "one of them"), (["--cert", cert], "go together"), (["--ca", "/nowhere"], "/nowhere"),
                       (["--ca", key], "certificate")):
        code, out, err = weir("https://%s/" % http, "--rate", 1, *args)
        tap.ok(code != 0 and word in err, "%s is answered with what to do" % " ".join(a if a.startswith("--") else "FILE" for a in args), err)

with Node() as node:
    code, out, err = weir("https://%s:%d/healthz" % node.addresses["http"], "--rate", 10, "--duration", "1s", "--insecure", "--timeout", "2s")
    tap.ok(code != 0 and "not one of" in err, "a target without TLS is told from one that is down", err)

authority = Authority(work.name, "authority")
mine = authority.sign("me", "/CN=me")
with Node(args=tls + ["--set", "tls.client_ca=" + authority.cert, "--set", "tls.client=required"]) as node:
    url = "https://%s:%d/healthz" % node.addresses["http"]
    r = load(url, "--ca", cert, "--cert", mine[0], "--key", mine[1], "--rate", 20, "--duration", "1s")
    tap.ok(all_answered(r, 20), "a node that asks who we are is told by --cert and --key", r)
    code, out, err = weir(url, "--ca", cert, "--rate", 20, "--duration", "1s", "--timeout", "2s")
    tap.ok("not one of" in err or json.loads(out)["answered"] == 0, "and answers nothing to who does not say", (out, err))
work.cleanup()
tap.done()
