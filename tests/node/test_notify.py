#!/usr/bin/env python3
"""A node under systemd, with the test in systemd's place: it is ready when it says so, its pings come from lanes that come round,
a lane that hangs silences them, and a stop is announced."""
import ctypes, os, select, signal, socket, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, PATIENCE, Tap

tap = Tap()
WATCHDOG_S = 0.4
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Supervisor:
    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []

    def hear(self, seconds):
        """What arrives within so long, or the next datagram alone when something does."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        self.heard.append(self.socket.recv(4096).decode())
        return self.heard[-1]

    def wait(self, line):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            said = self.hear(max(0, deadline - time.monotonic()))
            if said and line in said.split("\n"):
                return True
        return False

    def pings_within(self, seconds):
        count, deadline = 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            count += "WATCHDOG=1" in (self.hear(max(0, deadline - time.monotonic())) or "").split("\n")
        return count


def threads(node, name):
    """The ids of the node's threads of that name."""
    found = []
    for tid in os.listdir("/proc/%d/task" % node.process.pid):
        with open("/proc/%d/task/%s/comm" % (node.process.pid, tid)) as file:
            if file.read().strip().startswith(name):
                found.append(int(tid))
    return sorted(found)


with tempfile.TemporaryDirectory() as folder:
    supervisor = Supervisor(folder)
    env = {"NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}
    with Node(args=["--lanes", "2", "--set", "exchange.ouch=127.0.0.1:0"], env=env) as node:
        tap.ok(supervisor.wait("READY=1"), "a node that serves says READY", supervisor.heard)
        tap.equal(node.get("/readyz").status, 200, "and is ready then")
        tap.ok(supervisor.wait("WATCHDOG=1") and supervisor.wait("WATCHDOG=1"), "idle lanes are alive: the watchdog is told again and again",
               supervisor.heard)
        lanes = threads(node, "weir-lane")
        tap.equal(len(lanes), 2, "there are two lanes")
        hung = lanes[-1]
        if libc.ptrace(PTRACE_SEIZE, hung, None, None) != 0:
            print("# NOT TESTED: this machine does not let one process hold a thread of another")
            tap.skip("a lane that hangs silences the watchdog", "ptrace is forbidden here")
        else:
            libc.ptrace(PTRACE_INTERRUPT, hung, None, None)
            os.waitpid(hung, WALL)
            # One look may have been under way: what it saw was true.
            pings = supervisor.pings_within(WATCHDOG_S * 3)
            tap.ok(pings <= 1, "one lane that hangs silences the watchdog, though the other and the main thread run", "%d pings" % pings)
            libc.ptrace(PTRACE_DETACH, hung, None, None)
            tap.ok(supervisor.wait("WATCHDOG=1"), "when it goes on, so do the pings")
        tap.ok(not any("STOPPING" in said for said in supervisor.heard), "nothing was said of a stop so far")
        node.signal(signal.SIGTERM)
        tap.ok(supervisor.wait("STOPPING=1"), "a stop is announced", supervisor.heard[-3:])
        tap.equal(node.wait_end(), 0, "and comes")
    with Node(args=["--lanes", "1", "--set", "exchange.ouch=127.0.0.1:0"], env={"NOTIFY_SOCKET": os.path.join(folder, "nobody")}) as node:
        tap.equal(node.get("/readyz").status, 200, "a supervisor that is not there holds up nothing")
tap.done()
