#!/usr/bin/env python3
# also: tsan
"""The node's own HTTP calls against servers of every kind: quick, slow, silent, cut, endless, redirecting into the private
network, resolving into it; TLS that is to be believed and that is not; HTTP/2 of nginx. Both faces: the client that the lanes
use, and the one that blocks."""
import http.server, json, os, shutil, socket, struct, subprocess, sys, tempfile, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import PATIENCE, Tap
from tls import make_pair

tap = Tap()
work = tempfile.mkdtemp(prefix="weir-http-")
CALLS = os.environ.get("WEIR_HTTP_CALLS")
LOOPBACK = ["--public", "--allow", "127.0.0.0/8"]


class Server(http.server.ThreadingHTTPServer):
    """What it does is in the path: /status/N, /slow/BYTES (a byte each 50 ms), /hang, /reset, /short, /huge, /endless,
    /head, /to?URL, /echo. It counts connections and remembers requests."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, **options):
        self.connections, self.open, self.most, self.seen, self.lock = 0, 0, 0, [], threading.Lock()
        self.held = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *unused):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *unused):
        pass

    def setup(self):
        super().setup()
        with self.server.lock:
            self.server.connections += 1
            self.server.open += 1
            self.server.most = max(self.server.most, self.server.open)

    def finish(self):
        with self.server.lock:
            self.server.open -= 1
        super().finish()

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        verb, _, rest = self.path[1:].partition("/")
        verb, _, query = verb.partition("?")
        getattr(self, "on_" + verb, self.on_echo)(rest, query, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_any

    def on_echo(self, rest, query, body):
        self.reply(200, body or b"hello", Content_Type="text/x-echo", ETag='"7"')

    def on_count(self, rest, query, body):
        self.reply(200, b"%d" % len(body))

    def on_status(self, rest, query, body):
        extra = {"Retry_After": query} if query else {}
        code, _, after = rest.partition("?")
        if after:
            extra["Retry_After"] = after.replace("+", " ")
        self.reply(int(code), b"says " + code.encode(), **extra)

    def on_to(self, rest, query, body):
        self.reply(int(rest) if rest else 302, b"", Location=query)

    def on_go(self, rest, query, body):  # /go/CODE/URL
        code, _, url = rest.partition("/")
        self.reply(int(code), b"", Location=url)

    def on_slow(self, rest, query, body):
        self.send_response(200)
        self.send_header("Content-Length", rest)
        self.end_headers()
        for _ in range(int(rest)):
            self.wfile.write(b"s")
            if self.server.held.wait(0.05):
                return

    def on_hang(self, rest, query, body):
        self.server.held.wait(PATIENCE)
        self.close_connection = True

    def on_pause(self, rest, query, body):
        time.sleep(0.1)
        self.reply(200, b"rested")

    def on_reset(self, rest, query, body):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def on_short(self, rest, query, body):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True

    def on_huge(self, rest, query, body):
        self.reply(200, b"h" * int(rest))

    def on_endless(self, rest, query, body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk = b"10000\r\n" + b"e" * 65536 + b"\r\n"
        try:
            while not self.server.held.is_set():
                self.wfile.write(chunk)
        except OSError:
            pass
        self.close_connection = True

    def on_head(self, rest, query, body):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        line = b"X-Filler: " + b"f" * 8000 + b"\r\n"
        try:
            while not self.server.held.is_set():
                self.wfile.write(line)
        except OSError:
            pass
        self.close_connection = True


def start(*options, **more):
    return subprocess.Popen([CALLS] + list(options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, **more)


def calls(lines, *options, **more):
    """{tag: result}; exit code and stderr under "code" and "err"."""
    process = start(*options, **more)
    out, err = process.communicate("".join(line + "\n" for line in lines), timeout=PATIENCE * 3)
    results = {}
    for line in out.splitlines():
        result = json.loads(line)
        results.setdefault(result["tag"], []).append(result)
    twice = [tag for tag, all_of_it in results.items() if len(all_of_it) > 1]
    if twice:
        tap.ok(False, "each call ends once", twice)
    results = {tag: all_of_it[0] for tag, all_of_it in results.items()}
    results["code"], results["err"] = process.returncode, err
    return results


kept = {}  # options: a process that waits for the next call with them


def one(line, *options, **more):
    """One call and its result."""
    if options not in kept or more:
        process, count = start(*options, **more), 1
    else:
        process, count = kept[options]
    try:
        process.stdin.write("call 1 %s\nwait %d\n" % (line, count))
        process.stdin.flush()
    except OSError:
        pass
    out = process.stdout.readline()
    if not out:
        return {"error": "none", "status": 0, "text": process.communicate(timeout=PATIENCE)[1], "code": process.returncode}
    if more:
        process.communicate(timeout=PATIENCE)
    else:
        kept[options] = process, count + 1
    return json.loads(out)


def close_kept():
    """A process that leaked or raced says so at its end."""
    for options, (process, _) in kept.items():
        err = process.communicate(timeout=PATIENCE)[1]
        if process.returncode:
            tap.ok(False, "calls %s ends well" % " ".join(options), (process.returncode, err))
    tap.ok(kept, "%d processes made the calls" % len(kept))


def both(face):
    """What must be so by either face."""
    server = Server()
    kind = "blocking: " if face else "client: "
    open_ = face + LOOPBACK

    r = one("POST %s/echo body=abc header=X-One:1 header=Content-Type:a/b header=X-Empty:" % server.url, *open_)
    tap.equal((r["error"], r["status"], r["body"], r["contentType"], r["etag"], r["http"], r["isSent"]),
              ("OK", 200, "abc", "text/x-echo", '"7"', 1, True), kind + "an answer is told with what matters of its headers")
    method, _, headers, body = server.seen[-1]
    tap.equal((method, headers.get("X-One"), headers.get("Content-Type"), headers.get("X-Empty"), body),
              ("POST", "1", "a/b", "", b"abc"), "and the request is what was asked for")
    for method, words in (("GET", ""), ("HEAD", ""), ("PUT", "body=p"), ("PUT", ""), ("DELETE", ""), ("PATCH", "body=q"), ("DELETE", "body=d")):
        r = one("%s %s/echo %s" % (method, server.url, words), *open_)
        seen = server.seen[-1]
        tap.equal((r["error"], r["status"], seen[0], seen[3], seen[2].get("Content-Type")),
                  ("OK", 200, method, words[5:].encode(), None), kind + method + " " + words)

    r = one("GET %s/status/503?17" % server.url, *open_)
    tap.equal((r["error"], r["status"], r["retryAfterMs"], r["body"]), ("OK", 503, 17000, "says 503"),
              kind + "a status is an answer, and Retry-After is read")
    r = one("GET %s/status/429?Sun,+06+Nov+1994+08:49:37+GMT" % server.url, *open_)
    tap.equal((r["status"], r["retryAfterMs"]), (429, 0), kind + "as a date too")
    tap.ok("retryAfterMs" not in one("GET %s/status/503?soon" % server.url, *open_), kind + "nonsense in it says nothing")

    r = one("GET %s/short" % server.url, *open_)
    tap.ok(r["error"] == "IO" and r["mayPass"] and r["status"] == 200, kind + "an answer that ends too early is none", r)
    r = one("GET %s/reset" % server.url, *open_)
    tap.ok(r["error"] == "IO" and r["mayPass"] and r["isSent"], kind + "a reset", r)
    r = one("GET %s/hang total=300" % server.url, *open_)
    tap.ok(r["error"] == "TIMEOUT" and r["mayPass"] and r["isSent"], kind + "a server that says nothing", r)
    r = one("GET %s/slow/100000 total=500" % server.url, *open_)
    tap.ok(r["error"] == "TIMEOUT" and r["status"] == 200 and 0 < r["bodySize"], kind + "one that dribbles", r)
    r = one("GET %s/hang total=60000 silence=1000" % server.url, *open_)
    tap.ok(r["error"] == "TIMEOUT" and r["seconds"] < 30, kind + "silence is noticed before the whole time is over", r)
    r = one("GET %s/head" % server.url, *open_)
    tap.ok(r["error"] == "TOO_LARGE", kind + "headers that do not end", r)

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        r = one("GET http://127.0.0.1:%d/" % closed.getsockname()[1], *open_)
    tap.ok(r["error"] == "IO" and r["mayPass"] and not r["isSent"] and r["status"] == 0, kind + "nobody listens: nobody saw it", r)
    r = one("GET http://nowhere.invalid/ total=20000", *open_)
    tap.ok(r["error"] in ("IO", "TIMEOUT") and not r["isSent"], kind + "a name that nobody has", r)

    before = len(server.seen)
    for url, word in (("ftp://127.0.0.1/x", "URL"), ("127.0.0.1/x", "URL"), ("file:///etc/passwd", "URL"), ("http:/x", "URL"),
                      (server.url + "/\x01", "control")):
        r = one("GET %s" % url, *open_)
        tap.ok(r["error"] == "INVALID" and word in r["text"], kind + "refused: %r" % url, r)
    for word in ("header=Content-Length:5", "header=Transfer-Encoding:chunked", "header=X-A:a\x0bb", "header=Bad@Name:x", "header=:x"):
        r = one("GET %s/echo %s" % (server.url, word), *open_)
        tap.ok(r["error"] == "INVALID", kind + "refused: %r" % word, r)
    r = one("G@T %s/echo" % server.url, *open_)
    tap.ok(r["error"] == "INVALID" and "method" in r["text"], kind + "refused: a method that is none", r)
    tap.equal(len(server.seen), before, kind + "nothing of that was sent")
    secret = one("GET http://user:secret@127.0.0.1:1/path?token=secret total=2000", *open_)
    tap.ok("127.0.0.1" in secret["text"] and "secret" not in secret["text"], kind + "an error names the server and no secret", secret)

    # Where it may go.
    r = one("GET %s/echo" % server.url, *face, "--public")
    tap.ok(r["error"] == "FORBIDDEN" and not r["mayPass"] and not r["isSent"], kind + "the loopback address is not public", r)
    tap.equal(one("GET %s/echo" % server.url, *face)["status"], 200, kind + "who trusts the URL may go there")
    port = server.server_address[1]
    for host in ("localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
        r = one("GET http://%s:%d/echo" % (host, port), *face, "--public")
        tap.ok(r["error"] in ("FORBIDDEN", "INVALID"), kind + "nor is it by another name: " + host, r)
    r = one("GET http://169.254.169.254/latest/meta-data/ total=5000", *face, "--public")
    tap.ok(r["error"] == "FORBIDDEN", kind + "nor is a cloud's metadata service", r)
    env = dict(os.environ, http_proxy=server.url, HTTP_PROXY=server.url, all_proxy=server.url, ALL_PROXY=server.url)
    r = one("GET http://169.254.169.254/x total=5000", *open_, env=env)
    tap.ok(r["error"] == "FORBIDDEN", kind + "nor by way of a proxy that the environment names", r)

    # Redirects.
    r = one("GET %s/go/302/%s/echo" % (server.url, server.url), *open_)
    tap.equal((r["status"], r["location"]), (302, server.url + "/echo"), kind + "a redirect is an answer")
    r = one("GET %s/go/302/%s/echo redirects=2" % (server.url, server.url), *open_)
    tap.equal((r["error"], r["status"], r["location"]), ("OK", 200, ""), kind + "or followed, where that was asked for")
    r = one("GET %s/go/302/http://127.0.0.2:%d/echo redirects=2" % (server.url, port), *face, "--public", "--allow", "127.0.0.1")
    tap.ok(r["error"] == "FORBIDDEN", kind + "a redirect into what is not allowed is not followed there", r)
    r = one("GET %s/go/302/file:///etc/passwd redirects=2" % server.url, *open_)
    tap.ok(r["error"] != "OK" and not r["body"], kind + "nor to another protocol", r)
    loop = "%s/loop" % server.url
    Handler.on_loop = lambda self, rest, query, body: self.reply(302, b"", Location=loop)
    r = one("GET %s redirects=3" % loop, *open_)
    tap.ok(r["error"] == "IO" and not r["mayPass"], kind + "nor for ever", r)
    server.held.set()
    server.shutdown()


def client():
    server = Server()
    url = server.url
    r = one("GET %s/huge/100000" % url, *LOOPBACK)
    tap.equal((r["error"], r["status"], len(r["body"]), r["bodyCut"], r["bodySize"]), ("OK", 200, 4096, True, 100000),
              "of a large answer the beginning is kept")
    r = one("GET %s/huge/50" % url, *LOOPBACK, "--body", "50")
    tap.equal((len(r["body"]), r["bodyCut"]), (50, False), "one that just fits is whole")
    r = one("GET %s/endless" % url, *LOOPBACK)
    tap.ok(r["error"] == "OK" and r["bodyCut"] and r["bodySize"] < 2 << 20, "one without an end is cut", r)
    r = one("PUT %s/count bytes=1000000" % url, *LOOPBACK)
    tap.equal((r["status"], r["body"]), (200, "1000000"), "a large request arrives whole")
    r = one("PUT %s/echo bytes=1048577" % url, *LOOPBACK)
    tap.ok(r["error"] == "TOO_LARGE" and "refused" in r["text"], "one that is too large is refused at once", r)

    server.connections = 0
    results = calls([line for i in range(40) for line in ("call %d GET %s/echo" % (i, url), "wait %d" % (i + 1))], *LOOPBACK)
    tap.equal((sum(results[i]["status"] == 200 for i in range(40)), server.connections), (40, 1), "a connection is used again")
    other = Server() # which has seen no connections of others end
    results = calls(["call %d GET %s/pause" % (i, other.url) for i in range(12)], *LOOPBACK, "--host-connections", "3")
    tap.equal(sum(results[i]["status"] == 200 for i in range(12)), 12, "calls wait for a connection")
    tap.ok(other.most == 3, "and a host has as many as it may", other.most)
    other.shutdown()
    results = calls(["call %d GET %s/pause" % (i, url) for i in range(20)], *LOOPBACK, "--calls", "5")
    full = [r for tag, r in results.items() if isinstance(tag, int) and r["error"] == "FULL"]
    tap.ok(len(full) == 15 and all("try again" in r["text"] for r in full), "more calls than may be are refused", len(full))
    results = calls(["call 1 GET %s/hang total=60000" % url, "call 2 GET %s/echo" % url, "wait 1", "cancel 1", "cancel 2", "cancel 7"], *LOOPBACK)
    tap.ok(results[1]["error"] == "CLOSED" and results[2]["error"] == "OK", "a call that is canceled ends, others do not", results)
    results = calls(["call 1 GET %s/hang total=60000" % url, "cancel 1"], *LOOPBACK)
    tap.equal(results[1]["error"], "CLOSED", "one that is canceled before it began ends too")
    began = time.monotonic()
    results = calls(["call %d GET %s/hang total=600000" % (i, url) for i in range(50)] + ["stop"], *LOOPBACK)
    tap.ok(results["code"] == 0 and time.monotonic() - began < PATIENCE, "a stop waits for nobody", results)
    results = calls(["call 1 GET %s/hang total=700" % url, "call 2 GET %s/hang total=200" % url, "call 3 GET %s/echo" % url], *LOOPBACK)
    tap.equal([results[i]["error"] for i in (1, 2, 3)], ["TIMEOUT", "TIMEOUT", "OK"], "a silent server holds nobody else up")
    server.held.set()
    server.shutdown()


def blocking():
    server = Server()
    r = one("GET %s/huge/5000" % server.url, "--blocking")
    tap.ok(r["error"] == "TOO_LARGE" and not r["mayPass"], "an answer larger than the buffer is said to be", r)
    r = one("GET %s/huge/4096" % server.url, "--blocking")
    tap.equal((r["error"], len(r["body"])), ("OK", 4096), "one that fits is there")
    results = calls(["raise 200", "call 1 GET %s/hang total=600000" % server.url, "call 2 GET %s/echo" % server.url], "--blocking")
    tap.ok(results[1]["error"] == "CLOSED" and results[2]["error"] == "OK", "a raised flag ends the call, and the next one works", results)
    server.connections = 0
    calls(["call %d GET %s/echo" % (i, server.url) for i in range(20)], "--blocking")
    tap.equal(server.connections, 1, "its connection is used again")
    server.held.set()
    server.shutdown()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Nginx:
    """HTTPS with HTTP/2 by nginx, as anybody runs it."""

    def __init__(self, pair):
        self.port, self.folder = free_port(), tempfile.mkdtemp(dir=work)
        with open(os.path.join(self.folder, "conf"), "w") as out:
            out.write("""daemon off; master_process off; pid %(folder)s/pid; error_log %(folder)s/errors;
events { worker_connections 512; }
http { access_log %(folder)s/access; client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy;
  fastcgi_temp_path %(folder)s/f; uwsgi_temp_path %(folder)s/u; scgi_temp_path %(folder)s/s;
  log_format c '$connection'; access_log %(folder)s/connections c;
  server { listen 127.0.0.1:%(port)d ssl http2; ssl_certificate %(cert)s; ssl_certificate_key %(key)s;
    location /hello { add_header Retry-After 3; return 200 "hello of nginx"; }
    location /busy { add_header Retry-After 7 always; return 503; } } }
""" % {"folder": self.folder, "port": self.port, "cert": pair[0], "key": pair[1]})
        self.process = subprocess.Popen(["nginx", "-p", self.folder, "-c", os.path.join(self.folder, "conf")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("nginx does not start: " + open(os.path.join(self.folder, "errors")).read())

    def connections(self):
        with open(os.path.join(self.folder, "connections")) as lines:
            return set(lines.read().split())

    def stop(self):
        self.process.terminate()
        self.process.wait()


def tls():
    nginx_path = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if not nginx_path:
        tap.skip("TLS and HTTP/2", "nginx is not installed (nginx-light): nobody speaks HTTP/2 with the client")
        return
    os.environ["PATH"] += ":" + os.path.dirname(nginx_path)
    pair = make_pair(work, "localhost")
    server = Nginx(pair)
    url = "https://localhost:%d" % server.port
    allow = ["--public", "--allow", "127.0.0.0/8", "--allow", "::1"]
    for face in ([], ["--blocking"]):
        kind = "blocking: " if face else "client: "
        r = one("GET %s/hello" % url, *face, *allow, "--ca", pair[0])
        tap.equal((r["error"], r["status"], r["http"], r["body"], r.get("retryAfterMs")), ("OK", 200, 2, "hello of nginx", 3000),
                  kind + "HTTP/2 of a server whose certificate is believed")
        r = one("GET %s/hello" % url, *face, *allow)
        tap.ok(r["error"] == "IO" and not r["mayPass"] and not r["isSent"] and "certificate" in r["text"],
               kind + "one that nobody vouches for is not asked", r)
        expired = make_pair(work, "expired-%s" % (face and "b" or "c"), days=-1)
        r = one("GET https://127.0.0.2:%d/hello" % server.port, *face, *allow, "--ca", pair[0])
        tap.ok(r["error"] == "IO" and not r["isSent"], kind + "nor one whose certificate is somebody else's", r)
        r = one("GET %s/hello" % url, *face, *allow, "--ca", expired[0])
        tap.ok(r["error"] == "IO" and not r["isSent"], kind + "nor one by another authority", r)
        r = one("GET %s/hello" % url, *face, "--public", "--ca", pair[0])
        tap.ok(r["error"] == "FORBIDDEN", kind + "TLS changes nothing about where it may go", r)
        r = one("GET %s/hello" % url, *face, "--ca", os.path.join(work, "nothing"))
        tap.ok(r.get("code") and "nothing" in r["text"], kind + "a file of certificates that is not there is named", r)
    before = server.connections()
    results = calls(["call %d GET %s/hello" % (i, url) for i in range(100)], *allow, "--ca", pair[0], "--host-connections", "1")
    tap.equal((sum(results[i]["http"] == 2 and results[i]["status"] == 200 for i in range(100)), len(server.connections() - before)),
              (100, 1), "a hundred calls side by side over one connection of HTTP/2")
    server.stop()


def absent():
    """A machine without libcurl: an empty file in its place is what the loader finds first."""
    folder = tempfile.mkdtemp(dir=work)
    open(os.path.join(folder, "libcurl.so.4"), "w").close()
    env = dict(os.environ, LD_LIBRARY_PATH=folder)
    for face in ([], ["--blocking"]):
        process = start(*face, env=env)
        _, err = process.communicate("", timeout=PATIENCE)
        tap.ok(process.returncode == 20 and "install libcurl4" in err, "without libcurl it says what to install", (process.returncode, err))


if not CALLS:
    tap.skip("HTTP calls", "WEIR_HTTP_CALLS is not set: run by meson")
    tap.done()
both([])
both(["--blocking"])
client()
blocking()
tls()
absent()
close_kept()
shutil.rmtree(work, ignore_errors=True)
tap.done()
