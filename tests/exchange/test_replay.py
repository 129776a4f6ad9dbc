#!/usr/bin/env python3
"""Recorded flows through a real node, durably: every trade, best price and book as recorded; also over a kill -9 in the middle.

Needs the recorded flows below $WEIR_SHARED; a generated one is replayed wherever the test runs.
"""
import glob, json, os, subprocess, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

tap = Tap()
WEIR = os.environ["WEIR"]
SHARED = os.environ.get("WEIR_SHARED", "")
FLOWS = {"move-11": (13697, "2e72aab476129120"), "equity-11": (26918, "30ceed362a394a3e"), "cross-11": (91726, "f51bbc7a50ef58d3")}
OUCH = ["--set", "exchange.ouch=127.0.0.1:0"]


def command(node, *args):
    return [WEIR, "exchange", "replay", *args, "--json", "--node", "%s:%d" % node.addresses["http"]]


def replay(node, *args):
    done = subprocess.run(command(node, *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
    text = done.stdout.decode()
    return done.returncode, json.loads(text) if text.startswith("{") else {}, done.stderr.decode()


def check_stream(name, path, result, want=None):
    code, r, errors = result
    good = code == 0 and r.get("mismatches") == 0 and r.get("answered") == r.get("rows") and r.get("refused") == 0
    if want:
        good = good and (r.get("trades"), r.get("trade_hash")) == want and r.get("tops_equal") == 2000
    tap.ok(good, name, "exit %d\n%s\n%s" % (code, r, errors))
    if r:
        tap.note("%s: %d/s, p50 %.0f us, p99 %.0f us, %d L2 increments" % (os.path.basename(path), r["orders_per_s"],
                 r["p50_us"], r["p99_us"], r.get("l2_increments", 0)))
    return good


def generated(folder, count, symbols):
    path = os.path.join(folder, "generated.bin")
    subprocess.run([WEIR, "exchange", "load", "--generate-only", path, "--count", str(count), "--symbols", str(symbols)],
                   check=True)
    return path


def killed(node, path, name, want):
    """The node dies by SIGKILL three times while the flow runs; the client goes on by its sequence number."""
    port = node.port("exchange.ouch")
    client = subprocess.Popen(command(node, path, "--retry", "120", "--window", "512"), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    address = ["--listen", "127.0.0.1:%d" % node.port(), "--set", "exchange.ouch=127.0.0.1:%d" % port]
    kills, out = 0, []
    reader = threading.Thread(target=lambda: out.append(client.communicate()))
    reader.start()
    while kills < 3 and client.poll() is None:
        before = node.metric("weir_exchange_commands_total") or 0
        try:
            node.wait_for(lambda: client.poll() is not None or (node.metric("weir_exchange_commands_total") or 0) > before + 2000,
                          what="the replay's progress")
        except RuntimeError as e:
            tap.note(e)
            break
        if client.poll() is not None:
            break
        node.kill()
        node.start(extra=address)
        kills += 1
    reader.join(600)
    if reader.is_alive():
        client.kill()
        reader.join()
    text, errors = out[0]
    text = text.decode()
    r = json.loads(text) if text.startswith("{") else {}
    check_stream(name, path, (client.returncode, r, errors.decode()), want)
    tap.ok(kills > 0 and r.get("reconnects", 0) >= 1, "the kills met the replay", "%d kills, %s" % (kills, r.get("reconnects")))


with Node(args=OUCH) as node:
    path = generated(node.folder, 20000, 7)
    check_stream("a generated flow: every answer and every L2 increment agree with the engine run in the client", path,
                 replay(node, path))
    check_stream("once more on the same node: a replay leaves nothing that spoils the next", path, replay(node, path))
    code, r, errors = replay(node, path, "--ouch", "127.0.0.1:1")
    tap.ok(code not in (0, 1) and "127.0.0.1:1" in errors, "a gateway that is not there is named", errors)
with Node(args=OUCH + ["--set", "exchange.partitions=4", "--lanes", "2"]) as node:
    path = generated(node.folder, 20000, 20)
    check_stream("four partitions on two lanes: one session each, every trade the same", path, replay(node, path))
with Node(args=OUCH + ["--set", "exchange.partitions=3", "--lanes", "2"]) as node:
    path = generated(node.folder, 60000, 12)
    killed(node, path, "three partitions on two lanes over kill -9: every session resumes", None)
with Node(args=OUCH) as node:
    path = generated(node.folder, 60000, 3)
    killed(node, path, "a generated flow over kill -9: the session resumes, nothing is lost or doubled", None)

if not SHARED:
    for name in list(FLOWS) + ["LOBSTER 10 levels", "LOBSTER 50 levels"]:
        tap.skip(name, "WEIR_SHARED is empty: the recorded flows are not here")
    tap.done()

for name, want in FLOWS.items():
    path = os.path.join(SHARED, "data/orders/flows/%s-200k.bin.zst" % name)
    with Node(args=OUCH) as node:
        if name == "move-11":
            killed(node, path, "%s over kill -9: every trade and best price as recorded" % name, want)
        else:
            check_stream("%s: every trade and best price as recorded" % name, path, replay(node, path), want)
for depth, rows, makers in ((10, 999, (94, 4)), (50, 672, (56, 0))):
    folder = os.path.join(SHARED, "data/orders/lobster")
    messages, books = (glob.glob(os.path.join(folder, "*_%s_%d.*" % (kind, depth)))[0] for kind in ("message", "orderbook"))
    with Node(args=OUCH) as node:
        code, r, errors = replay(node, messages, "--expect", books)
        good = code == 0 and r.get("books_equal") == rows and r.get("tops_equal") == rows and r.get("l2_increments", 0) > rows / 2
        good = good and (r.get("makers_equal"), r.get("makers_seeded")) == makers
        tap.ok(good, "LOBSTER, %d levels: the book equals the recorded one after each of %d messages" % (depth, rows),
               "exit %d\n%s\n%s" % (code, r, errors))
tap.done()
