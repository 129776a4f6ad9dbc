#!/usr/bin/env python3
"""Who may do what: tokens, roles of every route of the OpenAPI text, sessions, limits, the audit, addresses. # also: tsan

The table of routes is derived: an operation that does not say which role it needs fails here.
"""
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "exchange"))
from node import PATIENCE, Node, Tap
from ouch import Gone, Session, enter
from ws import WebSocket

tap = Tap()
ARGS = ("--set", "auth=tokens")
REFUSED = (401, 429)  # the latter once there were too many wrong ones from the address


def cli(*words, token=None, node=None, code=0):
    """Runs the command line; what it printed on stdout. The exit code must be `code` (None: any but 0)."""
    env = dict(os.environ)
    env.pop("WEIR_TOKEN", None)
    if token:
        env["WEIR_TOKEN"] = token
    if node:
        words += ("--node", "127.0.0.1:%d" % node.port())
    done = subprocess.run([os.environ["WEIR"], *words], env=env, capture_output=True, timeout=PATIENCE)
    cli.stderr = done.stderr.decode()
    if done.returncode != code and not (code is None and done.returncode):
        raise RuntimeError("weir %s: exit %d: %s" % (" ".join(words), done.returncode, cli.stderr))
    return done.stdout.decode().strip()


def bearer(token):
    return {"Authorization": "Bearer " + token}


class Guarded(Node):
    """A node with auth: tokens and a token `root` that may do everything; its requests carry it unless told otherwise."""

    def __init__(self, args=(), **more):
        super().__init__(args=ARGS + tuple(args), start=False, **more)
        self.root = cli("token", "create", "root", "--role", "*", "--data", self.data)
        self.start()

    def request(self, method, path, body=None, headers=None, **more):
        return super().request(method, path, body, bearer(self.root) if headers is None else headers, **more)

    def make(self, name, *roles, **more):
        made = self.post("/v1/tokens", dict({"name": name, "roles": list(roles)}, **more))
        if made.status != 201:
            raise RuntimeError("%s: %r" % (name, made))
        return made.json()["token"] if "login" not in more else (made.json()["token"], made.json()["login"])

    def audit(self):
        records = self.get("/v1/topics/weir.audit/records").json()["records"]
        return [json.loads(r["value"]) for r in records]


# ---- every route ---------------------------------------------------------------------------------------------------

NAMES = {"topics": "t", "services": "exchange", "tokens": "nobody", "tenants": "acme"}


def operations(node):
    """(method, concrete path, body, concrete role) of all that the OpenAPI text lists."""
    out = []
    for path, item in node.get("/openapi.json").json()["paths"].items():
        for method, operation in item.items():
            name = NAMES.get(path.split("/")[2] if path.count("/") > 1 else "", "7")
            role = operation.get("x-role", "").replace("{name}", name)
            body = None
            if "requestBody" in operation:
                body = {"name": "t"} if path == "/v1/topics" else {}
            socket = "101" in operation["responses"]
            out.append((method.upper(), re.sub(r"\{[^}]*\}", name, path), body, role, socket, operation))
    return out


def ask(node, operation, token):
    method, path, body, _, socket, _ = operation
    headers = bearer(token) if token else {}
    if not socket:
        return node.request(method, path, body, headers).status
    ws = WebSocket(node, path, headers="".join("%s: %s\r\n" % h for h in headers.items()))
    ws.sock.close()
    return ws.status


def routes(node):
    table = operations(node)
    needs = sorted({o[3] for o in table} - {"none", "any"})
    tap.ok(len(table) > 30 and all(o[3] for o in table), "every operation says which role it needs",
           [o[:2] for o in table if not o[3]])
    tap.ok(all((o[3] == "none") == (o[5]["security"] == []) for o in table), "and whether it wants a token")
    tap.equal({(o[0], o[1]) for o in table if o[3] == "none"}, {("GET", "/"), ("GET", "/healthz"), ("GET", "/readyz")},
              "only the page and the probes are open")
    commands = [o for o in table if o[5]["tags"][0] not in ("node", "services", "topics", "tokens") and o[0] != "GET"]
    tap.ok(commands and all(o[3] == o[5]["tags"][0] + ":write" for o in commands), "a service's commands need its write",
           commands)
    only = {n: node.make("only-%d" % i, n) for i, n in enumerate(needs)}
    but = {n: node.make("but-%d" % i, *[m for m in needs if m != n]) for i, n in enumerate(needs)}
    wrong = []
    for o in table:
        role = o[3]
        if role == "none":
            wrong += [(o[:4], "open")] if ask(node, o, None) != 200 else []
            continue
        expect = [("no token", None, {401}), ("a wrong token", "weir_x", {401, 429})]
        if role != "any":
            expect.append(("all roles but " + role, but[role], {403}))
        for what, token, want in expect:
            status = ask(node, o, token)
            if status not in want:
                wrong.append((o[:4], what, status))
        status = ask(node, o, only[role] if role != "any" else only[needs[0]])
        if status in (401, 403, 429):
            wrong.append((o[:4], "its role alone", status))
        if o[:2] == ("DELETE", "/v1/topics/t"):
            node.post("/v1/topics", {"name": "t"})
    tap.equal(wrong, [], "%d operations, each with no token, a wrong one, all roles but its own, and its own alone" % len(table))
    cases = {"admin": ("topic/x:admin", True), "node:*": ("node:admin", True), "*:write": ("exchange:write", True)}
    for i, (role, (need, _)) in enumerate(cases.items()):
        operation = [o for o in table if o[3] == need.replace("topic/x", "topic/t") and o[1] != "/v1/topics/t"][0]
        tap.ok(ask(node, operation, node.make("wide-%d" % i, role)) not in (401, 403), "%s includes %s" % (role, need))
    reader = node.make("reader", "topic/t*:read")
    names = [t["name"] for t in node.request("GET", "/v1/topics", None, bearer(reader)).json()["topics"]]
    tap.equal(names, ["t"], "the list of topics shows what the token may use")
    tap.equal(node.request("GET", "/v1/topics/weir.audit/records", None, bearer(node.make("wild", "topic/*:read"))).status,
              403, "a pattern does not reach the node's own topics")


def answers(node):
    none = node.request("GET", "/v1/node", None, {})
    tap.ok(none.status == 401 and none.header("WWW-Authenticate") == 'Bearer realm="weir"' and
           none.json()["code"] == "UNAUTHORIZED", "without a token: 401, a bare challenge and a problem", none)
    bad = node.request("GET", "/v1/node", None, bearer("weir_" + "a" * 70))
    tap.ok(bad.status == 401 and 'error="invalid_token"' in bad.header("WWW-Authenticate"), "a wrong one: invalid_token", bad)
    weak = node.request("GET", "/v1/node", None, bearer(node.make("weak", "exchange:read")))
    tap.ok(weak.status == 403 and 'scope="node:read"' in weak.header("WWW-Authenticate") and
           "node:read" in weak.json()["detail"], "too few roles: 403 says which one is missing", weak)
    for header in ("Basic cm9vdDpyb290", "Bearer", "Bearer a b", "bearer  ", "Bearer \"x\""):
        tap.ok(node.request("GET", "/v1/node", None, {"Authorization": header}).status in (401, 429), "refused: " + header)
    tap.equal(node.request("GET", "/v1/node", None, {"Authorization": "bEARER   " + node.root}).status, 200,
              "the scheme's case and blanks do not matter")
    flood = {node.request("GET", "/v1/node", None, bearer("wrong%d" % i)).status for i in range(40)}
    tap.equal(flood, {401, 429}, "many wrong tokens from one address: 429")
    tap.equal(node.get("/v1/node").status, 200, "and a right one from there is taken all the same")
    for body, why in (({"name": "x"}, "no role"), ({"name": "x", "roles": ["exchange"]}, "no verb"),
                      ({"name": "x", "roles": ["exchange:run"]}, "an unknown verb"), ({"name": "a b", "roles": ["*"]}, "a bad name"), ({"name": "local", "roles": ["*"]}, "a name that is taken"),
                      ({"name": "x", "roles": ["exchnge:read"]}, "an unknown service"), ({"name": "x", "roles": ["*"], "rate": "fast"}, "a bad rate"),
                      ({"name": "x", "roles": ["*"], "expires": "soon"}, "a bad duration"), ({"name": "x", "roles": ["*"], "admin": 1}, "an unknown member"),
                      ({"name": "x", "roles": ["topic/a*b:read"]}, "a star in the middle"), ([], "no object")):
        refused = node.post("/v1/tokens", body)
        tap.ok(refused.status == 400 and len(refused.json()["detail"]) > 20, "no token is made of %s" % why, refused)
    tap.ok("did you mean exchange" in node.post("/v1/tokens", {"name": "x", "roles": ["exchnge:read"]}).json()["detail"],
           "a wrong service is told the nearest")
    tap.equal(node.post("/v1/tokens", {"name": "weak", "roles": ["*"]}).status, 409, "a name is given once")
    tap.equal(node.delete("/v1/tokens/none").status, 404, "what is not there can't be revoked")
    listed = node.get("/v1/tokens").body.decode()
    tap.ok("weak" in listed and "hash" not in listed and node.root not in listed, "the list shows no secret and no hash")


# ---- the life of a token -------------------------------------------------------------------------------------------

def ends(session, patience=PATIENCE):
    """The server closes the stream session."""
    try:
        while True:
            session.packet(patience)
    except Gone:
        return True
    except TimeoutError:
        return False


def closed_with(ws):
    """The code of the close frame that comes, or None."""
    while True:
        kind, payload = ws.receive()
        if kind == "close":
            return payload if isinstance(payload, int) else int.from_bytes(payload[:2], "big")
        if kind == "end":
            return None


def tail(node, token):
    return WebSocket(node, "/v1/topics/t/tail", headers="Authorization: Bearer %s\r\n" % token)


def sessions(node):
    token = node.make("watcher", "topic/t:read")
    ws = tail(node, token)
    sock = node.connect()
    sock.sendall(("GET /v1/topics/t/records?offset=-1&wait=30s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n"
                  % token).encode())
    node.wait_for(lambda: node.metric("weir_edge_connections") >= 2, what="the long poll")
    node.post("/v1/topics/t/records", [{"value": "before"}])
    tap.ok(b"before" in sock.recv(65536), "a long poll of a token that holds is answered")
    sock.sendall(("GET /v1/topics/t/records?offset=-1&wait=30s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n"
                  % token).encode())
    began = time.monotonic()
    tap.equal(node.delete("/v1/tokens/watcher").status, 200, "a token is revoked")
    tap.equal(closed_with(ws), 1008, "its WebSocket is closed: 1008")
    sock.settimeout(PATIENCE)
    left = sock.recv(65536)
    tap.ok(left == b"" or left.split()[1] in (b"401", b"429"), "its long poll is not answered any more", left)
    tap.ok(time.monotonic() - began < 20, "promptly, not when the long poll would have ended")
    tap.ok(node.request("GET", "/v1/topics/t", None, bearer(token)).status in REFUSED, "and it opens nothing")
    token = node.make("brief", "topic/t:read", expires="700ms")
    ws = tail(node, token)
    tap.equal(ws.status, 101, "a token that expires works before")
    tap.equal(closed_with(ws), 1008, "and its session ends when it expires")
    tap.ok(node.request("GET", "/v1/topics/t", None, bearer(token)).status in REFUSED, "as its requests do")
    keep = node.connect()
    line = "GET /v1/topics/t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n"
    token = node.make("kept", "topic/t:read")
    keep.sendall((line % token).encode())
    tap.ok(b" 200 " in keep.recv(65536), "a kept connection")
    node.delete("/v1/tokens/kept")
    keep.sendall((line % token).encode())
    tap.ok(keep.recv(65536).split()[1] in (b"401", b"429"), "remembers no token that was revoked")


def rotation(node):
    old = node.make("turning", "topic/t:read")
    new = node.post("/v1/tokens/turning/rotate", {"grace": "1h"}).json()["token"]
    status = lambda token: node.request("GET", "/v1/topics/t", None, bearer(token)).status
    tap.equal((status(old), status(new)), (200, 200), "a rotated token works beside its successor for the grace")
    last = node.post("/v1/tokens/turning/rotate").json()["token"]
    tap.ok(status(old) in REFUSED and status(new) in REFUSED and status(last) == 200, "without grace only the new one does")
    tap.ok(re.fullmatch("weir_[a-z2-7]{10}_[a-z2-7]{59}", last) and last[:16] == old[:16], "it keeps its id and its shape")


def ouch(node):
    node.request("POST", "/v1/exchange/symbols", {"symbol": "AAA"})
    token, password = node.make("trader", "exchange:read", "exchange:write", login=True)
    _, weak = node.make("viewer", "exchange:read", login=True)
    for what, given in (("no password", ""), ("a wrong one", "abcdefghij"), ("one that may only read", weak)):
        session = Session(node)
        tap.equal(session.login("4001", given)[0], "J", "binary login with %s is rejected" % what)
    session = Session(node)
    tap.equal(session.login("4001", password.upper())[0], "A", "the right one is taken, in any case")
    session.put(enter(session.next_ref(), "B", 1, "AAA", 100))
    tap.equal(session.until("A")[-1][0], "A", "and trades")
    node.delete("/v1/tokens/trader")
    tap.ok(ends(session), "a revoked token ends the binary session")
    tap.equal(Session(node).login("4001", password)[0], "J", "and logs in no more")
    rejected = [Session(node).login("4001", "wrong%05d" % i)[0] for i in range(15)]
    tap.equal(set(rejected), {"J"}, "guessing is rejected")
    _, good = node.make("late", "exchange:*", login=True)
    tap.equal(Session(node).login("4002", good)[0], "J", "from an address with too many failures even a right guess is not told")


# ---- limits --------------------------------------------------------------------------------------------------------

def limits():
    with Guarded(args=("--lanes", "3", "--set", "tenant_rate=1")) as node:
        token = node.make("slow", "node:read", rate="1/s", burst=20)
        taken, lock = [], threading.Lock()

        def many():
            for _ in range(20):
                status = node.request("GET", "/v1/node", None, bearer(token)).status
                with lock:
                    taken.append(status)
        began = time.monotonic()
        threads = [threading.Thread(target=many) for _ in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        good, elapsed = taken.count(200), time.monotonic() - began
        tap.ok(set(taken) == {200, 429} and 20 <= good <= 21 + elapsed,
               "120 requests over three lanes: the burst and what time gave, not one more", (good, elapsed))
        limited = node.request("GET", "/v1/node", None, bearer(token))
        if limited.status == 429:
            tap.ok(int(limited.header("Retry-After")) >= 1 and limited.header("RateLimit").startswith('"token";r=0;t=') and
                   limited.header("RateLimit-Policy") == '"token";q=20;w=20', "429 says when to come again", limited.headers)
        a, b = (node.make(n, "node:read", tenant="acme") for n in ("a1", "a2"))
        statuses = [node.request("GET", "/v1/node", None, bearer(t)).status for t in (a, b) * 4]
        tap.ok(429 in statuses, "the tokens of a tenant share its limit", statuses)
        tap.equal(node.request("PUT", "/v1/tenants/acme", {"rate": "100000/s"}).status, 200, "a tenant gets its own limit")
        tap.equal([node.request("GET", "/v1/node", None, bearer(t)).status for t in (a, b) * 4], [200] * 8, "at once")
        tap.equal(node.get("/v1/tenants").json()["tenants"], [{"name": "acme", "rate": 100000, "burst": 0, "ownLimit": True}],
                  "which is listed")
        tap.ok(node.metric("weir_tenant_requests_total", 'tenant="acme"') == 16, "and its requests are counted",
               node.get("/metrics").body[-600:])
        node.request("POST", "/v1/exchange/symbols", {"symbol": "AAA"})
        _, password = node.make("feeder", "exchange:*", rate="20/s", burst=5, login=True)
        session = Session(node)
        tap.equal(session.login("4001", password)[0], "A", "a session with a limit")
        first, began = session.next_ref(), time.monotonic()
        session.put(*[enter(first + i, "B", 1, "AAA", 100 + i) for i in range(24)])
        for _ in range(24):
            session.until("A")
        tap.ok(time.monotonic() - began >= 0.9, "is held back and loses nothing: 24 orders at 20/s with 5 at once took their time",
               time.monotonic() - began)


# ---- crashes, folders, addresses -----------------------------------------------------------------------------------

def crashes(node):
    holds, gone = {}, {}
    for life in range(4):
        stop = threading.Event()

        def change():
            for i in range(1000):
                name = "k%d-%d" % (life, i)
                try:
                    holds[name] = node.make(name, "node:read")
                    if i % 3 == 2:
                        dead = "k%d-%d" % (life, i - 1)
                        secret = holds.pop(dead)
                        if node.delete("/v1/tokens/" + dead).status == 200:
                            gone[dead] = secret
                except Exception:
                    return
        thread = threading.Thread(target=change)
        thread.start()
        wanted = len(holds) + 5 + life * 3
        node.wait_for(lambda: len(holds) >= wanted, what="tokens")
        node.kill()
        thread.join()
        node.start()
    status = lambda token: node.request("GET", "/v1/node", None, bearer(token)).status
    tap.ok(len(holds) > 20 and all(status(t) == 200 for t in holds.values()), "each token that was answered is there after kill -9")
    tap.ok(gone and all(status(t) in REFUSED for t in gone.values()), "and each one revoked is gone")
    audit = node.audit()
    made = {r["target"] for r in audit if r["action"] == "token.create" and r.get("outcome") == "OK"}
    tap.equal(set(holds) - made, set(), "the audit has the outcome of each that was answered")
    asked = {r["requestId"] + r["target"] for r in audit if r["phase"] == "asked"}
    tap.ok(all(r["requestId"] + r["target"] in asked for r in audit if r["phase"] == "done"), "and nothing was done that was not asked")


def audit(node):
    node.post("/v1/topics", {"name": "audited"}, headers=dict(bearer(node.root), **{"X-Request-Id": "ticket-7"}))
    mine = [r for r in node.audit() if r.get("requestId") == "ticket-7"]
    tap.equal([(r["phase"], r["action"], r["target"], r["principal"]) for r in mine],
              [("asked", "topic.create", "audited", "root"), ("done", "topic.create", "audited", "root")],
              "an action is recorded when it is asked for and when it was done, with its request's id")
    tap.ok(mine[1]["outcome"] == "OK" and mine[0]["peer"].startswith("127.0.0.1:") and mine[0]["time"].endswith("Z") and
           json.loads(mine[0]["detail"]) == {"name": "audited"}, "who, from where, when, what, outcome", mine)
    node.post("/v1/topics", {"name": "audited"})
    tap.equal(node.audit()[-1]["outcome"], "EXISTS", "a failure too")
    for method, path, body in (("POST", "/v1/topics/weir.audit/records", [{"value": "x"}]), ("DELETE", "/v1/topics/weir.audit", None),
                               ("POST", "/v1/topics", {"name": "weir.mine"})):
        tap.equal(node.request(method, path, body).status, 403, "%s %s: not even with every role" % (method, path))
    tap.ok(not any("weir_" in json.dumps(r) for r in node.audit()), "no secret is in it")
    printed = [json.loads(line) for line in cli("audit", "list", token=node.root, node=node).splitlines()]
    tap.ok(len(printed) > 3 and all("topic" in r["key"] or r["key"] for r in printed), "weir audit list prints it")
    before = len(node.audit())
    for i in range(60):
        node.request("GET", "/v1/node", None, bearer("none%d" % i))
    node.post("/v1/topics", {"name": "audited"})
    tap.ok(len(node.audit()) - before <= 40, "a flood of refusals leaves a bounded trace", len(node.audit()) - before)


def folders():
    with Guarded() as node:
        out = cli("token", "create", "x", "--role", "*", "--data", node.data, code=10)
        tap.ok(out == "" and "a node runs on" in cli.stderr, "the folder of a running node is not touched", cli.stderr)
        made = cli("token", "create", "late", "--role", "topic/*:read", "--tenant", "acme", "--rate", "5/s", token=node.root, node=node)
        tap.equal(node.request("GET", "/v1/topics", None, bearer(made)).status, 200, "weir token create works on a running node")
        tap.ok("late" in cli("token", "list", token=node.root, node=node), "list shows it")
        new = cli("token", "rotate", "late", token=node.root, node=node)
        cli("token", "revoke", "late", token=node.root, node=node)
        tap.equal(node.request("GET", "/v1/topics", None, bearer(new)).status, 401, "rotate and revoke do what they say")
        cli("token", "revoke", "late", token=node.root, node=node, code=None)
        cli("topic", "list", node=node, code=None)
        tap.ok("401" in cli.stderr, "without WEIR_TOKEN the node's answer is told", cli.stderr)
        for words in (("--role", "x"), (), ("--role", "exchange:fly"), ("--role", "*", "--rate", "1/y")):
            cli("token", "create", "bad", *words, "--data", node.data + "-other", code=None)
            tap.ok(len(cli.stderr) > 30, "refused: token create bad " + " ".join(words), cli.stderr)
        node.stop()
        cli("token", "create", "offline", "--role", "node:read", "--data", node.data)
        path = os.path.join(node.data, "tokens")
        good = open(path, "rb").read()
        for what, data in (("a bit flipped", good[:40] + bytes([good[40] ^ 1]) + good[41:]), ("cut", good[:-9]), ("empty", b"")):
            open(path, "wb").write(data)
            code, words = node.run_to_exit()
            tap.ok(code not in (0, None) and "tokens" in words and "backup" in words, "a file of tokens that is %s: no start" % what, words)
        open(path, "wb").write(good)
        node.start()
        tap.equal(node.get("/v1/node").status, 200, "put back, all is as before")


def addresses():
    """Other machines' addresses: 0.0.0.0 stands for them."""
    with Node(start=False, listen="0.0.0.0:0") as node:
        for args, word in (((), "auth: tokens"), (("--set", "insecure=true"), "auth: tokens"), (ARGS, "insecure: true")):
            node.args = list(args)
            code, words = node.run_to_exit()
            tap.ok(code not in (0, None) and word in words, "0.0.0.0 with %s is refused, and told what to set" % (" ".join(args) or "nothing"), words)
        node.args = list(ARGS) + ["--set", "insecure=true"]
        cli("token", "create", "root", "--role", "*", "--data", node.data)
        node.start()
        tap.equal(node.request("GET", "/v1/node", headers={"Host": "node.example"}).status, 401, "with both it listens, and asks")
        node.stop()
        node.listen, node.args = "127.0.0.1:0", ["--set", "exchange.ouch=0.0.0.0:0"]
        code, words = node.run_to_exit()
        tap.ok(code not in (0, None) and "exchange.ouch" in words, "the same for a service's listener", words)


def keys(node):
    """Idempotency keys belong to who sent them."""
    a, b = node.make("key-a", "counter:*"), node.make("key-b", "counter:*")
    sent = [o for o in operations(node) if o[3] == "counter:write"]
    if not sent:
        tap.skip("idempotency keys are apart", "this binary has no counter")
        return
    method, path = sent[0][:2]
    replies = [node.request(method, path, {"amount": 1}, dict(bearer(t), **{"Idempotency-Key": "k"})) for t in (a, b, a)]
    tap.equal([r.header("Idempotency-Replayed") for r in replies], [None, None, "true"], "two tokens' keys are apart")


def open_metrics():
    with Guarded(args=("--set", "metrics_open=true")) as node:
        tap.equal((node.request("GET", "/metrics", None, {}).status, node.request("GET", "/v1/node", None, {}).status),
                  (200, 401), "metrics_open opens the metrics and nothing else")
    with Node() as node:
        tap.equal(node.post("/v1/tokens", {"name": "x", "roles": ["*"]}).status, 409, "a node with auth: off makes no tokens")
        node.post("/v1/topics", {"name": "t"})
        said = json.loads(node.get("/v1/topics/weir.audit/records").json()["records"][-1]["value"])
        tap.equal((said["action"], said["principal"]), ("topic.create", "local"), "and records admin actions all the same")


with Guarded() as guarded:
    guarded.post("/v1/topics", {"name": "t"})
    routes(guarded)
    sessions(guarded)
    rotation(guarded)
    keys(guarded)
    audit(guarded)
    crashes(guarded)
for part in answers, ouch:
    with Guarded() as guarded:
        part(guarded)
limits()
folders()
addresses()
open_metrics()
tap.done()
