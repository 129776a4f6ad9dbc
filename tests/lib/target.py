"""A server that effects are sent to: it remembers every call, and answers as it is told.

    with Target() as target:
        target.answer = lambda call: (200, {}, b"ok")    # or (503, {"retry-after": "1"}, b""), or None: never
        ... target.url("/hook"), target.calls
"""
import collections
import http.server
import threading
import time

Call = collections.namedtuple("Call", "number time path key headers body")


class Target:
    def __init__(self):
        self.calls, self.lock, self.open_calls, self.most_at_once = [], threading.Lock(), 0, 0
        self.answer, self.let_go = lambda call: (200, {}, b"ok"), threading.Event()
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version, wbufsize = "HTTP/1.1", -1  # head and body in one packet: else Nagle waits 40 ms for an ACK

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                with target.lock:
                    target.open_calls += 1
                    target.most_at_once = max(target.most_at_once, target.open_calls)
                    call = Call(len(target.calls), time.monotonic(), self.path, self.headers.get("idempotency-key"),
                                dict((k.lower(), v) for k, v in self.headers.items()), body)
                    target.calls.append(call)
                try:
                    self.reply(target.answer(call))
                finally:
                    with target.lock:
                        target.open_calls -= 1

            def reply(self, answer):
                if answer is None:  # hangs until the target ends
                    target.let_go.wait()
                    self.close_connection = True
                    return
                if answer == "reset":
                    self.close_connection = True
                    return
                status, headers, body = answer
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # the node was killed meanwhile

            def log_message(self, *unused):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 256

            def handle_error(self, *unused):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, path="/"):
        return "http://127.0.0.1:%d%s" % (self.port, path)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()
