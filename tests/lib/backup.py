"""What the tests of backups share: the commands, a market whose state can be compared, and damage to a store."""
import json
import os
import subprocess

V1 = "/v1/exchange"


def weir(*args, env=None):
    """(exit code, stdout, stderr) of a command of the binary under test."""
    done = subprocess.run([os.environ["WEIR"], *[str(a) for a in args]], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, **(env or {})), timeout=300)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def backup(data, to, *more, env=None):
    code, out, err = weir("backup", "--data", data, "--to", to, "--json", *more, env=env)
    return json.loads(out) if code == 0 else (code, err)


def files_below(folder):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)


def define(node, symbol="AAA"):
    answer = node.post(V1 + "/symbols", {"symbol": symbol, "tick": 1, "quantityMax": 1000, "reference": 100, "band": 90,
                                         "notionalMax": 1 << 30})
    assert answer.status == 201, answer


def order(node, side, price, quantity, account=1, symbol="AAA"):
    answer = node.post(V1 + "/orders", dict(symbol=symbol, side=side, price=price, quantity=quantity, account=account))
    assert answer.status == 201, answer
    return answer.json()


def book(node, symbol="AAA"):
    answer = node.get(V1 + "/book/%s?depth=100" % symbol).json()
    return [[(int(l["price"]), int(l["quantity"])) for l in answer.get(side, [])] for side in ("bids", "asks")]


def facts(node, service="exchange"):
    """Of each partition: next offset to apply, digest of the state, hash of everything emitted."""
    return [(p["partition"], p["applied"], p["digest"], p["emissionHash"])
            for p in node.get("/v1/node").json()["partitions"] if p["service"] == service]


def records(node, topic, partition=0, offset=0):
    """(offset, whole record as text) of a topic, all there are."""
    found = []
    while True:
        answer = node.get("/v1/topics/%s/records?partition=%d&offset=%d&limit=1000" % (topic, partition, offset))
        assert answer.status == 200, answer
        page = answer.json()["records"]
        if not page:
            return found
        found += [(int(r["offset"]), json.dumps(r, sort_keys=True)) for r in page]
        offset = found[-1][0] + 1
