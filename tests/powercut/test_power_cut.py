#!/usr/bin/env python3
"""The binary that ships on a disk that forgets what was not synced: the power goes again and again, nothing acknowledged is lost.

    WEIR_SECONDS=3600 WEIR_SEED=7 test_power_cut.py     an hour of power cuts; the seed chooses lives, moments and what is lost

A cut is exact (at the n-th call that changes or syncs something, before or after it took effect) or comes after a kill at a
random moment; during load, during a start, after a clean stop, on a disk that is full or that writes short.
"""
import http.client, os, random, re, sys, tempfile, time
from collections import Counter
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from forgetful import Forgetful, Unavailable, why_not
from ledger import Ledger
from node import Node, Tap, journal_writes
from trading import Trading

tap = Tap()
SECONDS = float(os.environ.get("WEIR_SECONDS", 12))  # of power cuts; the other parts take a few more
SEED = int(os.environ.get("WEIR_SEED", random.randrange(1 << 30)))
LIVES_OF_A_DISK = 40  # then a new one is begun: the first moments of a folder are worth trying too
SYNCS_FAILED = 10     # lives in which one sync fails
LIES = 40             # power cuts on a lying disk, within which a loss has to show
RELEASE = os.environ.get("WEIR_RELEASE", "")
# How a life ends, by its exit code, when a sync fails that it can't do without: in its start, or when it was ready.
NO_SYNC = r"cannot (?:write and )?sync "
SYNC_FAILED = NO_SYNC + r"(?:by io_uring )?\S+: Input/output error"
TOLD = {8: r"^weir: (?!fatal).*" + SYNC_FAILED,
        70: r"^weir: fatal: log: .*" + SYNC_FAILED + ".*; nothing is acknowledged any more$"}
WAYS = ["sync"]       # to write the journal: those that this machine allows
NOT_BACK = (RuntimeError, AssertionError, OSError, ValueError, http.client.HTTPException)
CONFIG = "journal_bytes: 16MB\ncheckpoint_bytes: 1MB\nsegment_bytes: 1MB\nsnapshot_bytes: 64KB\nexchange:\n  ouch: off\n"


class World:
    """A new disk, a node on it, what is asked of the node, and dice."""

    def __init__(self, folder, seed):
        self.disk, self.dice, self.seed = Forgetful(os.path.join(folder, "disk-%d" % seed)), random.Random(seed), seed
        self.node = Node(folder=folder, start=False, config=CONFIG, env=self.disk.environment())
        self.node.data = os.path.join(self.disk.folder, "data")
        # Twelve partitions: from eight changed ones on a checkpoint syncs the whole disk at once. Three: it syncs their files.
        self.ledgers = [Ledger(self.node, "wide", partitions=12, writers=4, padding=200), Ledger(self.node, "narrow", partitions=3, writers=2)]
        self.trading = Trading(self.node)
        self.work = self.ledgers + [self.trading]
        self.made, self.lives, self.told_again, self.back = False, 0, 0, []
        self.ways, self.short_writes = Counter(), 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.end()
        self.disk.close()

    def start(self):
        self.lives += 1
        began = time.monotonic()
        # Linux answers EIO to an asynchronous write that a FUSE server cut short (fuse_get_res_by_io), not with how much was written.
        way = self.dice.choice([way for way in WAYS if not (self.short_writes and way.startswith("uring"))])
        self.ways[way] += 1
        self.node.start(extra=["--lanes", str(self.dice.choice([1, 2, 4])), "--set", "journal_write=" + way])
        self.back.append(time.monotonic() - began)

    def load(self):
        for part in self.work:
            part.start()

    def end(self):
        self.node.kill()
        for part in self.work:
            part.join()

    def cut(self, seed):
        """Unless it is gone already."""
        if not self.disk.report()["off"]:
            self.disk.tell("cut %d" % seed)

    def wait(self, seconds):
        """Until the power is gone or the node has ended; or so long, and the cut comes after the load."""
        try:
            self.node.wait_for(lambda: not self.node.alive() or self.disk.report()["off"], patience=seconds, pause=0.005)
        except RuntimeError:
            pass

    def check(self, how):
        """Starts on what the last life left, without a fault, and looks at everything. Problems, as sentences."""
        problems = []
        try:
            self.look(problems)
        except NOT_BACK as e:
            problems.append("it is not back as it was: %s" % e)
        return self.named(how, problems)

    def named(self, how, problems):
        return ["disk %d, life %d, after %s: %s" % (self.seed, self.lives, how, p) for p in problems]

    def look(self, problems):
        self.start()
        if not self.made:
            for part in self.work:
                part.create()
            self.made = True
        for part in self.work:
            problems += part.check()

    def ended_as_told(self):
        code = self.node.wait_end(20)
        return code in TOLD and bool(re.search(TOLD[code], "\n".join(self.node.stderr), re.M))

    def check_told_again(self, how):
        """check() after a failed sync of the whole disk, with the power on since. Linux tells of such a failure once more at the next
        sync of each file that it hurt, also to a process that opened the file later (man 2 fsync; error_owed in forgetful_disk.c).
        A life may end by that, in the documented way, and only when the disk says that it was told so; the next one must do."""
        problems = []
        while not problems:
            told = self.disk.report()["errors_told"]
            try:
                self.look(problems)
                break
            except NOT_BACK as e:
                if self.disk.report()["errors_told"] == told or not self.ended_as_told():
                    problems.append("it is not back as it was: %s\n%s" % (e, "\n".join(self.node.stderr)))
                self.told_again += 1
        return self.named(how, problems)


def start_and_cut(world, seed):
    """The power goes at a call of a start, or soon after when the start makes fewer."""
    world.node.kill()
    world.disk.tell("cut %d %d" % (seed, world.dice.randint(1, 80)))
    try:
        world.start()
        world.load()
        world.wait(0.5)
    except RuntimeError:
        pass  # its words are that it can't read or write: so it was meant


def load_and_cut(world, seed):
    """The power goes at a call under load."""
    world.disk.tell("cut %d %d" % (seed, world.dice.randint(1, 400)))
    world.load()
    world.wait(2)


def load_and_kill(world, seed):
    """Killed at a moment; the power goes when the process is gone."""
    world.load()
    time.sleep(world.dice.uniform(0, 0.25))  # the moment of the crash, not a wait for something


def kill_alone(world, seed):
    """Killed, and the power stays: what the next life finds may still be lost later."""
    load_and_kill(world, seed)


def clean_stop(world, seed):
    """Stopped as one should, then the power goes."""
    load_and_kill(world, seed)
    world.node.stop()


def full_and_kill(world, seed):
    """The disk fills up under load; killed, then the power goes and there is space again."""
    about = os.statvfs(world.disk.folder)
    world.disk.tell("space %d" % ((about.f_blocks - about.f_bfree) * about.f_frsize + world.dice.randint(0, 1 << 20)))
    load_and_kill(world, seed)
    world.end()
    world.disk.tell("space %d" % (1 << 30))


KINDS = {start_and_cut: 3, load_and_cut: 6, load_and_kill: 3, kill_alone: 2, clean_stop: 1, full_and_kill: 1}


def one_life(world):
    """From a node that runs to a disk with power. How it went, in words."""
    how = world.dice.choices(list(KINDS), list(KINDS.values()))[0]
    seed = world.dice.randrange(1 << 30)
    how(world, seed)
    world.end()
    if how is not kill_alone:
        world.cut(seed)
    world.disk.tell("on")
    return "%s with seed %d" % (how.__name__, seed)


def power_cuts(folder):
    began, problems, total, seed = time.monotonic(), [], Counter(), SEED
    back, ways = [], Counter()
    while not problems and (time.monotonic() - began < SECONDS or seed == SEED):
        with World(folder, seed) as world:
            world.short_writes = world.dice.choice([0, 0, 20])
            world.disk.tell("short-writes %d" % world.short_writes)
            problems += world.check("nothing")
            while not problems and world.lives < LIVES_OF_A_DISK and time.monotonic() - began < SECONDS:
                problems += world.check(one_life(world))
            if not problems:
                problems += [p for ledger in world.ledgers for p in ledger.check_again()]
            total.update(world.disk.report(), disks=1, lives=world.lives, orders=len(world.trading.replies),
                         records=sum(len(ledger.seen) for ledger in world.ledgers))
            back += world.back
            ways.update(world.ways)
            if problems:
                tap.note("\n".join(world.disk.said[-3:] + world.node.stderr[-5:]))
        seed += 1
    back = sorted(back) or [float("nan")]
    tap.note("starts by journal_write: " + ", ".join("%s %d" % item for item in sorted(ways.items())))
    minutes = (time.monotonic() - began) / 60
    tap.ok(not problems, "what was acknowledged is there after every power cut, once, in order, and outputs never change", "\n".join(problems[:20]))
    tap.ok(total["writes_kept"] + total["writes_torn"] + total["writes_lost"] > 0, "the cuts met un-synced writes", total)
    tap.note("%(cuts)d power cuts in %(lives)d lives on %(disks)d disks; of what was not synced: %(writes_kept)d writes kept, "
             "%(writes_torn)d torn, %(writes_lost)d lost, %(names_kept)d names kept, %(names_undone)d undone; "
             "%(writes_short)d writes were cut short, %(no_space)d found no space" % total)
    tap.note("%.0f power cuts a minute; %d records, %d orders; %d syncs of files and folders, %d of the whole disk; back in %.0f ms (median), %.0f ms (worst)"
             % (total["cuts"] / minutes, total["records"], total["orders"], total["syncs"], total["disk_syncs"],
                back[len(back) // 2] * 1e3, back[-1] * 1e3))


def failing_sync(world, kind, calls):
    """(problems, what the node was doing): one of the next syncs of that kind answers EIO under load."""
    world.disk.tell("fail-sync %s %d" % (kind, world.dice.randint(1, calls)))
    world.load()
    try:
        world.node.wait_for(lambda: re.search(NO_SYNC, str(world.node.stderr)), patience=20, what="a sentence about the failed sync")
    except RuntimeError as e:
        return [str(e)], "nothing"
    said = next(line for line in world.node.stderr if re.search(NO_SYNC, line))
    if "/snapshots/" in said:
        return [], "a snapshot"  # it is a shortcut for the next start: the node goes on without
    code = world.node.wait_end(20)
    if code != 70 or "fatal" not in said or "nothing is acknowledged any more" not in said:
        return ["it ended with %s: %s" % (code, said)], "nothing"
    return [], "the journal" if "the journal can't" in said else "a checkpoint"


def failing_syncs(folder):
    """Syncs of a file, a folder, the whole disk fail; what such a sync covered is not made durable by later ones."""
    problems, where, told = [], Counter(), 0
    for n in range(SYNCS_FAILED):
        kind, calls = (("files", 300), ("folders", 20), ("disk", 3))[n % 3]
        with World(folder, SEED + n) as world:
            problems += world.check("nothing")
            more, what = failing_sync(world, kind, calls)
            problems += ["disk %d, a failed sync of %s: %s" % (world.seed, kind, p) for p in more]
            where["%s of %s" % (what, kind)] += 1
            world.end()
            cut = world.dice.randrange(1 << 30)
            if n % 2:  # else the next life reads what is there and not durable, and may not count on it
                world.cut(cut)
                world.disk.tell("on")
            again = kind == "disk" and n % 2 == 0
            problems += (world.check_told_again if again else world.check)("a failed sync of " + kind)
            told += world.told_again
            world.end()
            world.cut(cut)
            world.disk.tell("on")
            problems += world.check("a failed sync of %s, a life and a power cut" % kind)
        if problems:
            break
    tap.ok(not problems, "after a sync that failed the process says so and ends, and nothing acknowledged is lost", "\n".join(problems[:20]))
    tap.note("syncs that failed: %s; %d starts were told of one once more" % (", ".join("%s %d" % item for item in sorted(where.items())), told))


def lies(folder, which):
    """Would a sync that is missing be seen? On a disk that lies about its syncs a loss has to show, or the checks above are blind."""
    with World(folder, SEED) as world:
        world.disk.tell("lie " + which)
        problems, cuts = world.check("nothing"), 0
        while not problems and cuts < LIES:
            load_and_kill(world, 0)
            world.end()
            world.cut(world.dice.randrange(1 << 30))
            world.disk.tell("on")
            cuts += 1
            problems += world.check("power cut %d" % cuts)
    tap.ok(cuts > 0 and problems, "a disk that lies about its syncs (%s) is found out" % which, problems or "%d power cuts lost nothing" % cuts)
    if cuts > 0 and problems:
        tap.note("at power cut %d: %s" % (cuts, problems[0]))


why = why_not()
if not why and not os.path.exists(RELEASE):
    why = "there is no release binary to try (WEIR_RELEASE)"
with tempfile.TemporaryDirectory(prefix="weir-test-") as folder:
    try:
        if why:
            raise Unavailable(why)
        probe = Forgetful(os.path.join(folder, "probe"))
        try:
            WAYS = journal_writes(tap, RELEASE, probe.folder)
        finally:
            probe.close()
    except Unavailable as e:
        tap.skip("power cuts of the binary that ships", e)
        tap.done()
    os.environ["WEIR"] = RELEASE  # the binary that ships; a sanitizer's would not start with a library preloaded
    tap.note("seed %d" % SEED)
    power_cuts(folder)
    failing_syncs(folder)
    for which in ("files", "folders", "disk"):
        lies(folder, which)
tap.done()
