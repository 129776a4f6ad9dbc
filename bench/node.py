#!/usr/bin/env python3
"""bench node: the shipped binary from outside: start, memory, size. JSON on stdout, a table on stderr.

  start_ms        spawn to the first answered request, empty folder (median of several)
  start_ratio     the same over spawning /bin/true and reading its exit: what this machine charges for any process
  restart_ms      the same after SIGKILL with a little log
  idle_mb         resident memory of an idle node
  binary_mb       the stripped binary
"""
import json, os, shutil, socket, subprocess, sys, tempfile, time

WEIR = os.environ.get("WEIR", "build/weir")
ROUNDS = int(os.environ.get("ROUNDS", "9"))


def median(values):
    return sorted(values)[len(values) // 2]


def first_request(folder):
    """(process, seconds from spawn to the first answered request)"""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    began = time.perf_counter()
    process = subprocess.Popen([WEIR, "up", "--data", folder, "--listen", "127.0.0.1:%d" % port, "--set", "exchange.ouch=off"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                s.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
                if s.recv(64).startswith(b"HTTP/1.1 200"):
                    return process, port, time.perf_counter() - began
        except OSError:
            pass
        if process.poll() is not None:
            sys.exit("the node ended with %d" % process.returncode)
        time.sleep(0.0002)


def resident_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        fields = dict(line.split(":", 1) for line in f)
    return {name: int(fields[name].split()[0]) for name in ("VmRSS", "RssAnon", "RssFile")}


def main():
    base, fresh, again, memory = [], [], [], None
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(["/bin/true"])
        base.append(time.perf_counter() - began)
        folder = tempfile.mkdtemp(prefix="weir-bench-", dir=".")
        process, port, seconds = first_request(folder)
        fresh.append(seconds)
        time.sleep(0.3)
        memory = resident_kb(process.pid)
        process.kill()
        process.wait()
        process, port, seconds = first_request(folder)
        again.append(seconds)
        process.kill()
        process.wait()
        shutil.rmtree(folder)
    result = {"start_ms": median(fresh) * 1e3, "start_ratio": median(fresh) / median(base), "restart_ms": median(again) * 1e3,
              "spawn_ms": median(base) * 1e3, "idle_mb": memory["VmRSS"] / 1024, "idle_anon_mb": memory["RssAnon"] / 1024,
              "binary_mb": os.path.getsize(WEIR) / 1e6}
    json.dump(result, sys.stdout)
    print()
    for name, value in result.items():
        print("%-14s %8.2f" % (name, value), file=sys.stderr)


main()
