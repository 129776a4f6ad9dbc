"""A weir node under test, TAP output, and small clients; python's standard library only.

    from node import Node, Tap
    tap = Tap()
    with Node() as node:                  # port 0, a temporary folder, waits for the readiness line
        tap.ok(node.get("/healthz").status == 200, "a fresh node is healthy")
        node.kill(); node.start()         # SIGKILL, then again on the same folder
    tap.done()

The binary is $WEIR. Nothing is left running: every node is stopped when the interpreter exits, whatever happened.
"""
import atexit
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = float(os.environ.get("WEIR_TEST_PATIENCE", "60"))  # seconds to wait for what should be quick
_alive = []


class Tap:
    """Prints TAP; done() prints the plan and exits with 1 when something failed."""

    def __init__(self):
        self.count, self.failed = 0, 0

    def ok(self, condition, name, detail=""):
        self.count += 1
        if not condition:
            self.failed += 1
        print("%s %d - %s" % ("ok" if condition else "not ok", self.count, name), flush=True)
        if not condition and detail != "":
            for line in str(detail).splitlines()[:40]:
                print("# " + line, flush=True)
        return bool(condition)

    def equal(self, got, want, name):
        return self.ok(got == want, name, "got  %r\nwant %r" % (got, want))

    def skip(self, name, why):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name, why), flush=True)

    def note(self, text):
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    def done(self):
        print("1..%d" % self.count, flush=True)
        sys.exit(1 if self.failed else 0)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return default

    def json(self):
        return json.loads(self.body.decode("utf-8"))

    def __repr__(self):
        return "<%d %s>" % (self.status, self.body[:300])


class Node:
    """One weir process. folder=None makes a temporary one, removed at close(). config: text of a YAML file."""

    def __init__(self, folder=None, args=(), config=None, listen="127.0.0.1:0", start=True, env=None, wrapper=()):
        self.binary = os.environ.get("WEIR") or sys.exit("WEIR is not set: the path of the binary under test")
        self.own = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="weir-test-")
        self.data = os.path.join(self.folder, "data")
        self.args, self.listen, self.wrapper = list(args), listen, list(wrapper)
        self.env = dict(os.environ, **(env or {}))
        self.process, self.listener, self.addresses, self.stderr, self.ready_line = None, None, {}, [], ""
        if config is not None:
            path = os.path.join(self.folder, "weir.yaml")
            with open(path, "w") as file:
                file.write(config)
            self.args += ["--config", path]
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # -- life ------------------------------------------------------------------------------------------------------
    def spawn(self, extra=()):
        """Starts the process without waiting for anything."""
        command = self.wrapper + [self.binary, "up", "--data", self.data, "--listen", self.listen] + self.args + list(extra)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env,
                                        start_new_session=True)
        _alive.append(self.process)
        self.stderr = []
        self.listener = threading.Thread(target=self._read_stderr, args=(self.process, self.stderr), daemon=True)
        self.listener.start()

    @staticmethod
    def _read_stderr(process, lines):
        for line in process.stderr:
            lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    def start(self, extra=(), patience=PATIENCE):
        """Starts and waits for `weir ready ...`. RuntimeError with the process's words when it ends before."""
        self.spawn(extra)
        deadline, text = time.monotonic() + patience, b""
        while b"\n" not in text[text.find(b"weir ready"):] or b"weir ready" not in text:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, left))
            chunk = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                code = self.process.poll() if left <= 0 else self.wait_end()
                self.kill()
                raise RuntimeError("the node did not get ready (exit %s): %s" % (code, "\n".join(self.stderr[-20:])))
            text += chunk
        self.ready_line = [line for line in text.decode().splitlines() if line.startswith("weir ready")][0]
        self.addresses = {}
        for name, host, port in re.findall(r"(\S+)=(\S+):(\d+)", self.ready_line):
            self.addresses[name] = (host.strip("[]"), int(port))
        threading.Thread(target=self._drain_stdout, args=(self.process,), daemon=True).start()
        return self

    @staticmethod
    def _drain_stdout(process):
        while process.stdout.read(65536):
            pass

    def run_to_exit(self, extra=(), patience=PATIENCE):
        """For starts that must be refused: (exit code, everything it printed)."""
        self.spawn(extra)
        code = self.wait_end(patience)
        if code is None:
            self.kill()
            return None, "still running after %g s" % patience
        return code, "\n".join(self.stderr) + "\n" + (self.process.stdout.read() or b"").decode("utf-8", "replace")

    def wait_end(self, patience=PATIENCE):
        """Until it has ended by itself and all its words are in stderr: the exit code; None when it still runs."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return None
        self.listener.join(patience)
        return code

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)  # its own session, so only what this node started
        except ProcessLookupError:
            pass

    def kill(self):
        """SIGKILL, as a crash."""
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()
            self._wait_group()
        if self.process in _alive:
            _alive.remove(self.process)

    def _wait_group(self):
        """A wrapper (strace) may be gone before what it wrapped: the folder is free when the whole group is."""
        def gone():
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return True
            return False
        self.wait_for(gone, what="the end of all that it started", pause=0.002)

    def stop(self, patience=PATIENCE):
        """SIGTERM; the exit code, or None when it had to be killed."""
        if not self.process:
            return None
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
                return None
        if self.process in _alive:
            _alive.remove(self.process)
        return self.process.returncode

    def restart(self):
        self.stop()
        return self.start()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def close(self):
        self.kill()
        if self.own:
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- talking to it ---------------------------------------------------------------------------------------------
    def port(self, name="http"):
        return self.addresses[name][1]

    def url(self, path=""):
        return "http://%s:%d%s" % (*self.addresses["http"], path)

    def connect(self, name="http", timeout=PATIENCE):
        return socket.create_connection(self.addresses[name], timeout)

    def request(self, method, path, body=None, headers=None, timeout=PATIENCE):
        """One request on a connection of its own. body: bytes, text, or anything JSON can say."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        connection = http.client.HTTPConnection(*self.addresses["http"], timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def wait_for(self, check, patience=PATIENCE, what="it", pause=0.02):
        """Calls check() until it is true, with pauses between; RuntimeError when patience ends."""
        deadline = time.monotonic() + patience
        while True:
            result = check()
            if result:
                return result
            if time.monotonic() > deadline:
                raise RuntimeError("%s did not come true in %g s" % (what, patience))
            time.sleep(pause)

    def metric(self, name, labels=""):
        """Sum of the samples of a metric whose label text contains `labels`; None when there is none."""
        total = None
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith("#"):
                continue
            head, _, value = line.rpartition(" ")
            base = head.split("{")[0]
            if base == name and labels in head:
                total = (total or 0) + float(value)
        return total


def free_port():
    """For servers that can't say which port they took."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def journal_writes(tap, binary, folder):
    """The ways to write the journal that this machine allows on the disk of that folder, as `weir check disk` finds them; for the others
    a skip with the reason."""
    done = subprocess.run([binary, "check", "disk", folder, "--seconds", "1", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE, check=False)
    if done.returncode not in (0, 20):
        raise RuntimeError("weir check disk %s: %s" % (folder, done.stderr.decode(errors="replace")))
    paths = json.loads(done.stdout)["paths"]
    for path in paths:
        if not path["allowed"]:
            tap.skip("journal_write: " + path["journalWrite"], path["reason"])
    return [path["journalWrite"] for path in paths if path["allowed"]]


def read_until_close(sock, timeout=PATIENCE):
    """Everything the peer sends until it closes (or resets)."""
    sock.settimeout(timeout)
    data = b""
    try:
        while True:
            chunk = sock.recv(65536)
            if not chunk:
                return data
            data += chunk
    except ConnectionResetError:
        return data


def read_replies(sock, count, timeout=PATIENCE):
    """`count` pipelined HTTP responses (Content-Length framed; not for answers to HEAD) as Reply objects."""
    sock.settimeout(timeout)
    data, replies = b"", []
    while len(replies) < count:
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            lines = data[:end].decode("latin-1").split("\r\n")
            headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
            size = int(next((v for k, v in headers if k.lower() == "content-length"), "0"))
            if len(data) >= end + 4 + size:
                replies.append(Reply(int(lines[0].split()[1]), headers, data[end + 4:end + 4 + size]))
                data = data[end + 4 + size:]
                continue
        chunk = sock.recv(65536)
        if not chunk:
            break
        data += chunk
    return replies


@atexit.register
def _end_all():
    for process in list(_alive):
        if process.poll() is None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
