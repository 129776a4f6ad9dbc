"""TLS for tests: certificates made by `weir tls create` and by openssl, and a client.

    pair = make_pair(folder, "localhost")                  # (cert.pem, key.pem)
    tls = Tls(pair[0])                                     # who trusts it
    tls.request(node, "GET", "/healthz").status
"""
import http.client
import os
import ssl
import subprocess
import sys

from node import PATIENCE, Reply


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stderr))
    return done.stdout


def make_pair(folder, name, days=30):
    """A self-signed pair in FOLDER/NAME; days < 0: one that has expired (openssl makes it)."""
    path = os.path.join(folder, name)
    os.makedirs(path, exist_ok=True)
    cert, key = os.path.join(path, "cert.pem"), os.path.join(path, "key.pem")
    if days > 0:
        run(os.environ["WEIR"], "tls", "create", "--out", path, "--names", name + ",127.0.0.1", "--days", str(days))
    else:
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-out", cert + ".csr", "-subj", "/CN=" + name)
        run("openssl", "x509", "-req", "-in", cert + ".csr", "-signkey", key, "-out", cert, "-days", str(days))
    return cert, key


class Authority:
    def __init__(self, folder, name):
        self.folder = folder
        self.cert, self.key = make_pair(folder, name)

    def sign(self, name, subject):
        """A client's pair."""
        base = os.path.join(self.folder, name)
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            base + ".key", "-out", base + ".csr", "-subj", subject)
        run("openssl", "x509", "-req", "-in", base + ".csr", "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days",
            "30", "-out", base + ".pem")
        return base + ".pem", base + ".key"


class Tls:
    def __init__(self, cert):
        self.cert = cert

    def context(self, pair=None):
        context = ssl.create_default_context(cafile=self.cert)
        if pair:
            context.load_cert_chain(*pair)
        return context

    def request(self, node, method, path, body=None, headers=None, pair=None):
        connection = http.client.HTTPSConnection("localhost", node.port(), timeout=PATIENCE, context=self.context(pair))
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def metric(self, node, name, labels=""):
        total = None
        for line in self.request(node, "GET", "/metrics").body.decode().splitlines():
            head, _, value = line.rpartition(" ")
            if not line.startswith("#") and head.split("{")[0] == name and labels in head:
                total = (total or 0) + float(value)
        return total

    def client_hello(self):
        """The first bytes a client sends."""
        context, incoming, outgoing = self.context(), ssl.MemoryBIO(), ssl.MemoryBIO()
        sealed = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        try:
            sealed.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return outgoing.read()
