"""An S3 service for tests: path-style objects of one bucket in memory, every request's signature checked by botocore (AWS'
own signer), checksums compared, lists in small pages; and the faults a real one has. Without botocore: available is False.
"""
import base64
import hashlib
import http.server
import threading
import urllib.parse
import xml.sax.saxutils

try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    available = True
except ImportError:
    available = False

KEY, SECRET, REGION = "AKIDTEST", "a secret/+of=some kind", "eu-test-7"
ENV = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION}


class S3:
    """with S3() as s3: s3.endpoint, s3.objects {key: bytes}; s3.fail(count, status | "cut" | "hang")."""

    def __init__(self, bucket="bucket", page=7):
        self.bucket, self.page, self.objects, self.requests, self.refused = bucket, page, {}, [], []
        self.faults, self.lock, self.held = [], threading.Lock(), threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"s3": self}))
        self.endpoint = "http://127.0.0.1:%d" % self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.held.set()
        self.server.shutdown()

    def fail(self, count, how, method=None):
        with self.lock:
            self.faults += [(how, method)] * count

    def fault(self, method):
        with self.lock:
            for i, (how, which) in enumerate(self.faults):
                if which in (None, method):
                    del self.faults[i]
                    return how
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *unused):
        pass

    def reply(self, status, body=b"", head=False):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not head:
            self.wfile.write(body)

    def error(self, status, code):
        body = "<Error><Code>%s</Code><Message>as %s says</Message></Error>" % (code, code)
        self.reply(status, body.encode(), self.command == "HEAD")

    def right(self, body):
        """None, or the code of what is wrong with the request."""
        sent = self.headers.get("Authorization", "")
        names = sent.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        if hashlib.sha256(body).hexdigest() != self.headers.get("x-amz-content-sha256"):
            return "XAmzContentSHA256Mismatch"
        check = self.headers.get("x-amz-checksum-sha256")
        if self.command == "PUT" and (check is None or base64.b64decode(check) != hashlib.sha256(body).digest()):
            return "BadDigest"
        request = botocore.awsrequest.AWSRequest(method=self.command, url="http://%s%s" % (self.headers["Host"], self.path),
                                                 headers={n: self.headers[n] for n in names if n != "host"}, data=body)
        request.context["timestamp"] = self.headers["x-amz-date"]
        signer = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(KEY, SECRET), "s3", REGION)
        text = signer.canonical_request(request)
        want = signer.signature(signer.string_to_sign(request, text), request)
        return None if sent.endswith("Signature=" + want) and "host" in names else "SignatureDoesNotMatch"

    def handle_one(self):
        s3 = self.s3
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        s3.requests.append((self.command, self.path))
        how = s3.fault(self.command)
        if how == "hang":
            s3.held.wait(30)
        if how in ("cut", "hang"):
            self.close_connection = True
            return
        if how == "short":  # less than it promised
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"some")
            self.close_connection = True
            return
        if how:
            return self.error(how, "SlowDown")
        wrong = self.right(body)
        if wrong:
            s3.refused.append((self.command, self.path, wrong))
            return self.error(403, wrong)
        path, _, query = self.path.partition("?")
        parts = urllib.parse.unquote(path)[1:].split("/", 1)
        if parts[0] != s3.bucket:
            return self.error(404, "NoSuchBucket")
        if len(parts) == 1:
            return self.list(dict(urllib.parse.parse_qsl(query)))
        self.object(parts[1], body)

    def object(self, key, body):
        objects = self.s3.objects
        if self.command == "PUT":
            objects[key] = body
            return self.reply(200)
        if self.command == "DELETE":
            objects.pop(key, None)
            return self.reply(204)
        if key not in objects:
            return self.error(404, "NoSuchKey")
        self.reply(200, objects[key], self.command == "HEAD")

    def list(self, query):
        s3, prefix, after = self.s3, query.get("prefix", ""), query.get("continuation-token", "")[2:]
        keys = [k for k in sorted(s3.objects) if k.startswith(prefix) and k > after]
        more = len(keys) > s3.page
        keys = keys[:s3.page]
        text = "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>%s</IsTruncated>" % ("true" if more else "false")
        if more:
            text += "<NextContinuationToken>+=%s</NextContinuationToken>" % xml.sax.saxutils.escape(keys[-1])
        for key in keys:
            text += "<Contents><Key>%s</Key><Size>%d</Size></Contents>" % (xml.sax.saxutils.escape(key), len(s3.objects[key]))
        self.reply(200, (text + "</ListBucketResult>").encode())

    do_GET = do_PUT = do_HEAD = do_DELETE = handle_one
