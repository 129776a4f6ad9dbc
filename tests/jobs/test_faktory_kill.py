#!/usr/bin/env python3
"""Workers killed in mid-job, the node killed in mid-load, workers deployed one after the other: no job is lost, and each
that ran twice was leased twice, after its first lease had ended."""
import atexit, collections, os, random, signal, socket, subprocess, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from node import Node, PATIENCE, Tap
from faktory import Client, Gone, Refused, job

tap = Tap()
HERE = os.path.dirname(os.path.abspath(__file__))
JOBS, PRODUCERS, WORKERS = 1600, 2, 5


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Workers:
    def __init__(self, port, folder):
        self.port, self.folder, self.count, self.live, self.all = port, folder, 0, [], []
        atexit.register(self.end)

    def end(self):
        for process in self.all:
            if process.poll() is None:
                process.kill()
            process.wait()

    def start(self):
        self.count += 1
        wid = "worker-%d" % self.count
        process = subprocess.Popen([sys.executable, os.path.join(HERE, "faktory_worker.py"), str(self.port), wid,
                                    os.path.join(self.folder, wid)])
        self.live.append((wid, process))
        self.all.append(process)
        return wid, process

    def kill(self, chance):
        _, process = self.live.pop(chance.randrange(len(self.live)))
        process.send_signal(signal.SIGKILL)
        process.wait()

    def lines(self):
        out = []
        for name in os.listdir(self.folder):
            with open(os.path.join(self.folder, name)) as file:
                out += [line.split() for line in file if line.endswith("\n")]
        return out


def produce(port, jids):
    """Pushes each until it was heard that it is taken. A jid that is known already is no fault."""
    client = None
    for i, jid in enumerate(jids):
        while True:
            try:
                client = client or Client(("127.0.0.1", port))
                client.ask("PUSH", job(jid=jid, queue=("urgent", "usual")[i % 2], reserve_for=600))
                break
            except (OSError, Gone):
                client = None
                time.sleep(0.02)
        time.sleep(0.002)


def audit(node):
    """Per jid its transitions, in order."""
    jids, found, offset = {}, collections.defaultdict(list), 0
    while True:
        page = node.get("/v1/topics/jobs.events/records?partition=0&limit=1000&offset=%d" % offset).json()
        for record in page["records"]:
            value = record["value"]
            if value["transition"] == "pushed":
                jids[value["job"]] = value["jid"]
            found[jids[value["job"]]].append(value["transition"])
        if not page["records"]:
            return found
        offset = page["next"]


def is_empty(info):
    return info["total_enqueued"] == 0 and not any(info["sets"].values())


def main():
    port, chance = free_port(), random.Random(7)
    with Node(args=["--set", "jobs.faktory=127.0.0.1:%d" % port, "--set", "jobs.worker_grace=1s", "--set", "jobs.worker_timeout=5s",
                    "--set", "jobs.attempts_max=50"]) as node:
        folder = os.path.join(node.folder, "workers")
        os.mkdir(folder)
        workers = Workers(port, folder)
        jids = ["kill-%06d" % i for i in range(JOBS)]
        producers = [threading.Thread(target=produce, args=(port, jids[i::PRODUCERS])) for i in range(PRODUCERS)]
        for _ in range(WORKERS):
            workers.start()
        for thread in producers:
            thread.start()
        done = lambda: sum(1 for line in workers.lines() if line[0] == "ack")
        for i in range(12):
            node.wait_for(lambda at=i: done() > (at + 1) * JOBS // 24, what="%d jobs" % ((i + 1) * JOBS // 24))
            workers.kill(chance)
            workers.start()
            if i % 4 == 3:
                node.kill()
                node.start()
        # A deployment: each old worker is told to be quiet, then to end; a new one takes its place.
        old = list(workers.live)
        known = lambda: {worker["worker"] for worker in node.get("/v1/jobs/workers").json()["workers"]}
        node.wait_for(lambda: known() >= {wid for wid, _ in old}, what="the hello of all workers")
        for wid, process in old:
            node.post("/v1/jobs/workers/%s/quiet" % wid)
            workers.start()
            node.post("/v1/jobs/workers/%s/terminate" % wid)
        ended = [process.wait(PATIENCE) for _, process in old]
        tap.equal(ended, [0] * len(old), "workers that are told to terminate finish what they have, and end")
        workers.live = [w for w in workers.live if w not in old]
        for thread in producers:
            thread.join()
        client = Client(("127.0.0.1", port))
        node.wait_for(lambda: is_empty(client.info()["faktory"]), what="the end of all jobs")
        workers.end()
        check(node, workers, jids, {wid for wid, _ in old})
    tap.done()


def check(node, workers, jids, deployed):
    lines, events = workers.lines(), audit(node)
    runs = collections.Counter(line[1] for line in lines if line[0] == "start")
    ends = {line[1] for line in lines if line[0] == "end"}
    tap.equal(len(set(jids) - ends), 0, "of %d pushed jobs none was lost" % len(jids))
    last = collections.Counter(events[jid][-1] for jid in jids)
    tap.equal(last, {"ended": len(jids)}, "each came to its end")
    again = [jid for jid in jids if runs[jid] > 1]
    unexplained = [(jid, runs[jid], events[jid]) for jid in again if events[jid].count("leased") < runs[jid]]
    tap.equal(unexplained[:5], [], "each of the %d that ran more than once was leased as often" % len(again))
    odd = [(jid, events[jid]) for jid in jids
           if events[jid].count("leased") != 1 + sum(events[jid].count(end) for end in ("timed_out", "returned", "failed"))]
    tap.equal(odd[:5], [], "and no lease began before the one before it had ended")
    tap.ok(again, "some did: workers were killed in the middle of them")
    stale = [line for line in lines if line[0] == "ack" and line[3] != "OK"]
    tap.note("%d runs of %d jobs, %d stale acknowledgements" % (sum(runs.values()), len(jids), len(stale)))
    cut = [line for line in lines if line[0] == "start" and line[2] in deployed and line[1] not in
           {other[1] for other in lines if other[0] == "end" and other[2] == line[2]}]
    tap.equal(cut, [], "the deployment cut no job short")


main()
