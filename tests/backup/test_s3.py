#!/usr/bin/env python3
"""Backups in S3: requests that AWS' own signer agrees with, lists of many pages, faults that pass and faults that do not,
damage in the bucket; and against a real service where one is installed (versitygw on the PATH or $WEIR_S3_SERVER)."""
import os, shutil, socket, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import s3
from backup import backup, book, define, order, records, weir
from node import Node, Tap

tap = Tap()
URL = "s3://bucket/nodes/a"
work = tempfile.mkdtemp(prefix="weir-backup-")


def restored(url, env, want, name):
    copy = os.path.join(work, "copy")
    code, out, err = weir("restore", "--from", url, "--data", copy, env=env)
    if tap.equal((code, err), (0, ""), name):
        with Node(folder=work, start=False) as other:
            other.data = copy
            other.start()
            tap.equal((book(other), records(other, "exchange.events")), want, "and is what the node had")
    shutil.rmtree(copy, ignore_errors=True)


def damaged(server, env, key, change, words, name):
    """Restoring fails in words and leaves nothing."""
    before = dict(server.objects)
    server.objects[key] = change(server.objects[key])
    if server.objects[key] is None:
        del server.objects[key]
    code, out, err = weir("restore", "--from", URL, "--data", os.path.join(work, "copy"), env=env)
    tap.ok(code != 0 and all(w in err for w in words), name, (code, out, err))
    tap.ok(not [n for n in os.listdir(work) if n.startswith("copy")], "and nothing is left of it", os.listdir(work))
    server.objects.clear()
    server.objects.update(before)


with Node() as node:
    define(node)
    for i in range(40):
        order(node, "BUY" if i % 3 else "SELL", 90 + i % 21, 1 + i % 9)
    node.post("/v1/services/exchange/snapshot")
    want = book(node), records(node, "exchange.events")
    node.stop()

    if not s3.available:
        tap.skip("S3", "python3-botocore is not installed: nobody checks the signatures")
    else:
        with s3.S3() as server:
            env = dict(s3.ENV, AWS_ENDPOINT_URL=server.endpoint)
            made = backup(node.data, URL, env=env)
            tap.ok(isinstance(made, dict) and made["bytesNew"] == made["bytes"], "a backup goes to a bucket", made)
            tap.equal(server.refused, [], "every signature is the one that botocore makes")
            tap.equal(backup(node.data, URL, env=env)["bytesNew"], 0, "the next one sends nothing that is there")
            server.page = 1
            code, out, err = weir("backup", "list", "--from", URL, "--json", env=env)
            tap.equal((code, len(out.splitlines())), (0, 2), "a list of many pages is read whole")
            nothing = os.path.join(work, "nothing")
            os.mkdir(nothing)
            open(os.path.join(nothing, "libcurl.so.4"), "w").close()
            code, out, err = weir("backup", "list", "--from", URL, env=dict(env, LD_LIBRARY_PATH=nothing))
            tap.ok(code == 20 and "install libcurl4" in err, "where libcurl is not installed S3 says so", (code, err))
            restored(URL, env, want, "the backup is restored from the bucket")

            server.fail(3, 503)
            server.fail(1, "cut")
            tap.ok(isinstance(backup(node.data, URL, env=env), dict), "what passes is waited out: 503, a connection cut")
            server.fail(2, "short", "GET")
            code, out, err = weir("backup", "verify", "--from", URL, env=env)
            tap.equal((code, err), (0, ""), "an answer that ends too early is asked for again")
            server.fail(100, 503, "PUT")
            node.start()
            order(node, "BUY", 50, 1)
            node.stop()
            code, err = backup(node.data, URL, env=env)
            tap.ok(code != 0 and "503 SlowDown" in err, "what does not pass is said", err)
            server.faults.clear()
            code, err = backup(node.data, URL, env=dict(env, AWS_SECRET_ACCESS_KEY="another"))
            tap.ok(code != 0 and "SignatureDoesNotMatch" in err, "a wrong secret is named", err)
            code, err = backup(node.data, "s3://other-bucket/x", env=env)
            tap.ok(code != 0 and "NoSuchBucket" in err, "so is a bucket that is not there", err)
            code, err = backup(node.data, URL, env=dict(env, AWS_ACCESS_KEY_ID=""))
            tap.ok(code != 0 and "AWS_ACCESS_KEY_ID" in err, "and a key that is missing", err)

            objects = sorted(k for k in server.objects if "/objects/" in k)
            damaged(server, env, objects[0], lambda b: None, [objects[0].rsplit("/", 1)[1]], "a missing object is named")
            damaged(server, env, objects[-1], lambda b: b[:-1] + bytes([b[-1] ^ 1]), ["not those that were stored"],
                    "a flipped bit is named")

    server = os.environ.get("WEIR_S3_SERVER") or shutil.which("versitygw")
    if not server:
        tap.skip("a real S3 service", "versitygw is not installed: go install github.com/versity/versitygw/cmd/versitygw@v1.0.7")
    else:
        root = os.path.join(work, "gateway")
        os.makedirs(os.path.join(root, "bucket"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        gateway = subprocess.Popen([server, "--port", "127.0.0.1:%d" % port, "--access", "ID", "--secret", "s3cr3t", "--region",
                                    "eu-test-7", "posix", root], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def listens():
                with socket.socket() as s:
                    return s.connect_ex(("127.0.0.1", port)) == 0
            node.wait_for(listens, what="the gateway")
            env = {"AWS_ACCESS_KEY_ID": "ID", "AWS_SECRET_ACCESS_KEY": "s3cr3t", "AWS_REGION": "eu-test-7",
                   "AWS_ENDPOINT_URL": "http://127.0.0.1:%d" % port}
            node.start()
            want = book(node), records(node, "exchange.events")
            node.stop()
            made = backup(node.data, URL, "--keep", "1", env=env)
            tap.ok(isinstance(made, dict), "a real service takes a backup", made)
            made = backup(node.data, URL, "--keep", "1", env=env)
            tap.ok(isinstance(made, dict) and (made["bytesNew"], made["pruned"]) == (0, 1), "and the next one, and deletes the first", made)
            restored(URL, env, want, "the backup is restored from a real service")
        finally:
            gateway.kill()
            gateway.wait()
shutil.rmtree(work)
tap.done()
