"""A mounted `forgetful` (forgetful.c says what it can be told), and a node whose data folder is on it."""
import os
import signal
import subprocess
import threading

PROGRAM = os.path.abspath(os.environ.get("WEIR_FORGETFUL") or "/nowhere")  # beside it: syncfs_preload.so


def why_not():
    """A sentence when this machine can't do it, else an empty text."""
    if not os.path.exists(PROGRAM):
        return "forgetful was not built: libfuse3 (libfuse3-dev) is not here"
    if not os.path.exists("/dev/fuse"):
        return "this machine has no /dev/fuse"
    return ""


class Unavailable(Exception):
    """The machine does not allow it; the text says why."""


class Forgetful:
    def __init__(self, folder):
        self.folder, self.said = folder, []
        os.makedirs(folder, exist_ok=True)
        self.process = subprocess.Popen([PROGRAM, folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        ready = self.process.stdout.readline()
        if not ready:
            raise Unavailable("FUSE can't be mounted here: " + self.process.stderr.read().decode(errors="replace").strip())
        threading.Thread(target=self._listen, daemon=True).start()
        self.control = os.open(os.path.join(folder, ".forgetful"), os.O_RDWR)

    def _listen(self):
        for line in self.process.stderr:
            self.said.append(line.decode(errors="replace").rstrip("\n"))

    def tell(self, text):
        os.write(self.control, text.encode())

    def report(self):
        """What it has done so far, by name."""
        text = os.pread(self.control, 4096, 0).decode()
        return {name: int(value) for name, value in (line.split() for line in text.splitlines())}

    def close(self):
        os.close(self.control)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    @staticmethod
    def environment():
        """For a process that works on it: syncfs() has to be told of (syncfs_preload.c)."""
        return {"LD_PRELOAD": os.path.join(os.path.dirname(PROGRAM), "syncfs_preload.so")}
