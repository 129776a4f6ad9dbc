"""Folders from this machine to another and back. What each says of the same bytes must be the same text.

    native(folder, root)             this machine's build of tests/foreign/data_folder.c, the node and the simulator, as a Machine
    folders(here, there)             sentences about what differed
    node(here, there)                the same of a data folder of the whole node, served here and there in turns
    simulator(here, there, seeds)    the same of the traces of seeds
"""
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request

COUNT = 1000


class Machine:
    """A build folder and how its programs are run."""

    def __init__(self, name, folder, wrapper=()):
        self.name, self.folder, self.wrapper = name, folder, list(wrapper)

    def command(self, *words):
        return self.wrapper + [os.path.join(self.folder, words[0])] + [str(word) for word in words[1:]]

    def data_folder(self, place, *words):
        """Its output, run inside `place`, so that paths in it are the same on every machine."""
        done = subprocess.run(self.command("tests/data_folder", *words), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              check=False)
        if done.returncode:
            raise RuntimeError("%s: data_folder %s: exit %d: %s" % (self.name, " ".join(map(str, words)), done.returncode,
                                                                    done.stderr.decode(errors="replace")[-1000:]))
        return done.stdout.decode()


def native(folder, root):
    """The build that the tests have left, with the sanitizers; without one, a build of its own below folder."""
    tested, own = os.path.join(root, "build-asan"), os.path.join(folder, "here")
    folder = tested if os.path.exists(os.path.join(tested, "weir")) else own
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        subprocess.run(["meson", "setup", folder, "-Doptimization=1", "-Ddebug=true", "-Dtests=true"], cwd=root, stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["ninja", "--quiet", "-C", folder, "tests/data_folder", "weir", "sim/weir-sim"], check=True, stdout=subprocess.DEVNULL)
    return Machine("here", folder)


def differences(name, first, second):
    """Nothing, or the name, with the first line that differs printed."""
    if first == second:
        return []
    for a, b in zip(first.splitlines() + [""], second.splitlines() + [""]):
        if a != b:
            print("foreign: %s\n  here  %s\n  there %s" % (name, a[:300], b[:300]))
            break
    return [name]


def without_recovery(text):
    return "\n".join(line for line in text.splitlines() if not line.startswith("recovered"))


def one_way(work, writer, reader, crashes):
    """writer makes a folder, both look at it, both open a copy of their own, then each looks at what the other has left. Two folders of one
    name, so that the paths in what is printed are the same."""
    name = "written by %s%s, read by %s" % (writer.name, " and left by a crash" if crashes else "", reader.name)
    places = [os.path.join(work, side) for side in ("a", "b")]
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
        os.makedirs(place)
    writer.data_folder(places[0], "write", "data", COUNT)
    if crashes:
        writer.data_folder(places[0], "write", "data", COUNT, "crash")
        writer.data_folder(places[0], "crash-log", "data", COUNT)
    shutil.copytree(os.path.join(places[0], "data"), os.path.join(places[1], "data"))
    looks = [machine.data_folder(place, "look", "data") for machine, place in zip((writer, reader), places)]
    failed = differences(name + ": every frame, batch and record", *looks)
    if len(looks[0].splitlines()) < COUNT or ("recovered a crash" in looks[0]):
        failed.append(name + ": there is too little in it")
    reads = [machine.data_folder(place, "read", "data") for machine, place in zip((writer, reader), places)]
    failed += differences(name + ": records and state", *reads)
    if crashes and "recovered a crash" not in reads[0]:
        failed.append(name + ": it was no crash")
    looks = [machine.data_folder(places[1], "look", "data") for machine in (writer, reader)]
    failed += differences(name + ": after its recovery there", *looks)
    again = writer.data_folder(places[1], "read", "data")
    return failed + differences(name + ": and back", without_recovery(reads[0]), without_recovery(again))


def folders(here, there):
    failed = []
    with tempfile.TemporaryDirectory(prefix="weir-foreign-") as work:
        for writer, reader in ((here, there), (there, here)):
            for crashes in (False, True):
                failed += one_way(work, writer, reader, crashes)
    return failed


# ---- the node ----

class Served:
    """`weir up` of a machine on a folder, until the with statement ends: then it is stopped, cleanly or by SIGKILL."""

    def __init__(self, machine, data, kills=False):
        self.kills = kills
        self.process = subprocess.Popen(machine.command("weir", "up", "--data", data, "--listen", "127.0.0.1:0", "--set", "exchange.ouch=off",
                                                        "--lanes", "1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = b""
        while b"weir ready" not in line:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("%s: the node did not start: %s" % (machine.name, self.process.stderr.read().decode()[-1000:]))
        self.address = line.decode().split("http=")[1].split()[0]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill() if self.kills else self.process.terminate()
        self.process.communicate(timeout=60)

    def ask(self, path, body=None):
        request = urllib.request.Request("http://%s%s" % (self.address, path), json.dumps(body).encode() if body is not None else None,
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def facts(served):
    """What a node says of its state. Not `applied`: a start behind a crash appends a record of its own."""
    rows = served.ask("/v1/node")["partitions"]
    return {"partitions": [{name: row[name] for name in ("service", "partition", "digest", "emissionHash")} for row in rows],
            "book": served.ask("/v1/exchange/book/FAR?depth=10"), "counter": served.ask("/v1/counter/far")}


def trade(served, rounds):
    for i in range(rounds):
        served.ask("/v1/exchange/orders", {"symbol": "FAR", "side": "SELL" if i % 2 else "BUY", "price": 95 + i % 10, "quantity": 1 + i, "account": 1 + i % 3})
        served.ask("/v1/counter/far/add", {"amount": i})
        served.ask("/v1/jobs", {"queue": "far", "type": "look", "payload": "round %d" % i, "delayMs": 3600000 * (i % 3), "priority": 1 + i % 9})


def node(here, there):
    """A folder goes from this machine to the other and back, stopped cleanly or killed; each finds what the last one said."""
    failed, said = [], None
    with tempfile.TemporaryDirectory(prefix="weir-foreign-") as work:
        data = os.path.join(work, "data")
        for turn, machine in enumerate((here, there, here, there)):
            with Served(machine, data, kills=turn >= 1) as served:
                if said is None:
                    served.ask("/v1/exchange/symbols", {"symbol": "FAR", "tick": 1, "lot": 1})
                elif facts(served) != said:
                    failed.append("the node on %s, turn %d, says %r, and the one before said %r" % (machine.name, turn, facts(served), said))
                trade(served, 40)
                said = facts(served)
    return failed


# ---- the simulator ----

def trace(machine, seed):
    """The hash over every call, byte, result and turn, or what went wrong."""
    done = subprocess.run(machine.command("sim/weir-sim", "--seed", seed), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = done.stdout.decode(errors="replace").splitlines()
    return lines[-1] if done.returncode == 0 and lines else "exit %d: %s" % (done.returncode, " ".join(lines)[-300:])


def simulator(here, there, seeds):
    failed = []
    for seed in seeds:
        said = [trace(machine, seed) for machine in (here, there)]
        if not said[0].startswith("trace "):
            failed.append("seed %d of the simulator has no trace: %s" % (seed, said[0]))
        failed += differences("seed %d of the simulator" % seed, *said)
    return failed
