"""A PostgreSQL server of the test's own: Debian's package, a temporary folder, a free port; killed and started again."""
import atexit
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from node import PATIENCE

_alive = []


def folder_of_programs():
    """Where Debian keeps the newest server's programs; None: it is not installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4]))
    return os.path.dirname(found[-1]) if found else None


class Postgres:
    """A running server. It refuses to be root's: then it is the package's own user's, or nobody's."""

    def __init__(self, settings=()):
        self.programs = folder_of_programs()
        self.folder = tempfile.mkdtemp(prefix="weir-postgres-")
        self.data, self.log = os.path.join(self.folder, "data"), os.path.join(self.folder, "log")
        self.become = []
        if os.getuid() == 0:
            names = [u.pw_name for u in pwd.getpwall()]
            user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            self.become = ["setpriv", "--reuid=%d" % user.pw_uid, "--regid=%d" % user.pw_gid, "--clear-groups"]
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.run("initdb", "-D", self.data, "-U", "weir", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder, "fsync": "off",
                         "max_connections": "20", "shared_buffers": "16MB", **dict(settings)}
        self.process = None
        _alive.append(self)
        self.start()
        self.sql("CREATE DATABASE history", database="postgres")

    def run(self, program, *args):
        done = subprocess.run(self.become + [os.path.join(self.programs, program), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=self.folder, timeout=PATIENCE)
        if done.returncode:
            raise RuntimeError("%s: %s" % (program, done.stdout.decode(errors="replace")))
        return done.stdout.decode()

    def start(self):
        options = [word for name, value in self.settings.items() for word in ("-c", "%s=%s" % (name, value))]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.become + [os.path.join(self.programs, "postgres"), "-D", self.data] + options, stdout=log,
                                            stderr=log, cwd=self.folder, start_new_session=True)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.sql("SELECT 1", database="postgres")
            except RuntimeError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def _children(self):
        """Each of them is a session of its own, and none may outlive the kill."""
        found = []
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(stat) as file:
                    fields = file.read().rpartition(")")[2].split()
                if int(fields[1]) == self.process.pid:
                    found.append(int(stat.split("/")[2]))
            except (OSError, IndexError, ValueError):
                pass
        return found

    def kill(self):
        """SIGKILL to all of it, as a crash of the machine's kind that keeps the disk."""
        if not self.process or self.process.poll() is not None:
            return
        os.kill(self.process.pid, signal.SIGSTOP)  # it must not notice that its children end
        for pid in self._children() + [self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def stop(self):
        """A fast shutdown: connections are ended."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)

    def hold(self):
        """Everything of it stands still, with its connections open."""
        for pid in [self.process.pid] + self._children():
            os.kill(pid, signal.SIGSTOP)

    def resume(self):
        for pid in self._children() + [self.process.pid]:
            os.kill(pid, signal.SIGCONT)

    def url(self, more="", user="weir"):
        return "postgresql://%s@127.0.0.1:%d/history%s" % (user, self.port, more)

    def sql(self, text, database="history", user="weir"):
        """Rows as lists of text, by psql."""
        done = subprocess.run([os.path.join(self.programs, "psql"), "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-h",
                               "127.0.0.1", "-p", str(self.port), "-U", user, "-d", database, "-c", text],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace"))
        return [line.split("\x1f") for line in done.stdout.decode().splitlines()]

    def close(self):
        try:
            self.resume()
        except ProcessLookupError:
            pass
        self.kill()
        if self in _alive:
            _alive.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


@atexit.register
def _end_all():
    for server in list(_alive):
        server.close()
