#!/usr/bin/env python3
"""The forgetful file system itself, by plain file operations: what it must keep, what it must be able to lose, how it fails."""
import errno, fcntl, os, subprocess, sys, tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from forgetful import Forgetful, Unavailable, why_not
from node import Tap

tap = Tap()
SYNC_ALL = ord("W") << 8 | 1  # _IO('W', 1) of forgetful.h
CUTS = 60  # each kind of weather comes about ten times; all seeds are fixed, so the outcome is too


def put(path, data, sync=False, at=0):
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        done = os.pwrite(file, data, at)
        if sync:
            os.fsync(file)
        return done
    finally:
        os.close(file)


def get(path):
    with open(path, "rb") as file:
        return file.read()


def sync_folder(path):
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def errno_of(call, *args):
    try:
        call(*args)
        return 0
    except OSError as e:
        return e.errno


def cut(disk, seed):
    disk.tell("cut %d" % seed)
    disk.tell("on")


def power(disk, root):
    base, new, found, names = b"a" * 4096, b"b" * 4096, set(), set()
    path, other = os.path.join(root, "file"), os.path.join(root, "other")
    put(path, base, sync=True)
    sync_folder(root)
    kept = True
    for seed in range(CUTS):
        put(path, base, sync=True)
        put(path, new)
        put(other, new, sync=True)  # its content is durable, its name is not
        cut(disk, seed)
        after = get(path)
        sectors = [after[i:i + 512] for i in range(0, 4096, 512)]
        kept = kept and all(s in (b"a" * 512, b"b" * 512) for s in sectors) and len(after) == 4096
        found.add("new" if after == new else "old" if after == base else "torn")
        there = os.path.exists(other)
        names.add(there)
        kept = kept and (not there or get(other) == new)
        if there:
            os.unlink(other)
            sync_folder(root)
    tap.ok(kept, "a synced file survives, an un-synced write leaves each sector old or new")
    tap.equal(found, {"new", "old", "torn"}, "un-synced writes are kept, lost and torn")
    tap.equal(names, {True, False}, "a name whose folder was not synced is kept or undone, and its synced content stays")


def renames(disk, root):
    path, temporary, found = os.path.join(root, "current"), os.path.join(root, "temporary"), set()
    for seed in range(CUTS):
        put(path, b"old", sync=True)
        put(temporary, b"new", sync=True)
        sync_folder(root)
        os.rename(temporary, path)
        if seed % 2:
            sync_folder(root)
        cut(disk, seed)
        found.add((seed % 2, get(path), os.path.exists(temporary)))
    tap.equal(found, {(0, b"old", True), (0, b"new", False), (1, b"new", False)}, "a rename is whole or undone, and whole once its folder is synced")


def at_a_call(disk, root):
    path, found = os.path.join(root, "call"), set()
    for seed in range(CUTS):
        put(path, b"old", sync=True)
        sync_folder(root)
        disk.tell("cut %d 2" % seed)
        file = os.open(path, os.O_WRONLY)
        os.pwrite(file, b"new", 0)
        failed = errno_of(os.fsync, file)
        dead = errno_of(os.pwrite, file, b"more", 0)
        disk.tell("on")
        found.add((failed, dead, get(path)))
        os.close(file)
    tap.equal(found, {(errno.EIO, errno.EIO, b"old"), (errno.EIO, errno.EIO, b"new")},
              "the power goes at the call that was named, before it or after; nothing is answered from then on")


def durable_writes(disk, root):
    """O_DSYNC of one write: its bytes are durable, others of the file still wait, and an older write never comes back over it."""
    path, found = os.path.join(root, "dsync"), set()
    before = disk.report()["syncs"]
    for seed in range(CUTS):
        put(path, b"o" * 12288, sync=True)
        sync_folder(root)
        file = os.open(path, os.O_RDWR)
        os.pwrite(file, b"w" * 12288, 0)
        os.pwritev(file, [b"d" * 4096], 4096, os.RWF_DSYNC)
        cut(disk, seed)
        after = get(path)
        found.add((after[4096:8192] == b"d" * 4096, len(after), after[:4096] == b"w" * 4096))
        os.close(file)
    tap.equal(found, {(True, 12288, False), (True, 12288, True)}, "a write with O_DSYNC is durable, and it alone")
    tap.equal(disk.report()["syncs"] - before, CUTS * 3, "it counts as a sync")
    put(path, b"old", sync=True)
    disk.tell("fail-sync files 1")
    file = os.open(path, os.O_RDWR)
    tap.equal(errno_of(os.pwritev, file, [b"new"], 0, os.RWF_DSYNC), errno.EIO, "its sync can fail")
    os.fsync(file)
    os.close(file)
    cut(disk, 1)
    tap.equal(get(path)[:3], b"old", "and no later one makes it durable")


def failures(disk, root):
    path = os.path.join(root, "failing")
    put(path, b"old", sync=True)
    sync_folder(root)
    disk.tell("fail-sync files 2")
    put(path, b"ok!", sync=True)
    tap.equal(errno_of(put, path, b"new", True), errno.EIO, "the sync that was named fails")
    put(path, b"!", sync=True, at=3)
    tap.equal(get(path), b"new!", "what it covered can be read")
    cut(disk, 1)
    tap.equal(get(path), b"ok!!", "and no later sync makes it durable")
    disk.tell("space %d" % (1 << 20))
    tap.equal(errno_of(put, path, b"x" * (2 << 20)), errno.ENOSPC, "a full disk says so")
    about = os.statvfs(root)
    tap.ok(about.f_blocks * about.f_frsize == 1 << 20, "and statvfs agrees", about)
    disk.tell("space %d" % (1 << 30))
    disk.tell("short-writes 2")
    done = [put(path, b"y" * 1000) for _ in range(20)]
    disk.tell("short-writes 0")
    tap.ok(min(done) < max(done) == 1000 and min(done) > 0, "some writes stop early", done)
    put(path, b"old", sync=True)
    disk.tell("fail-sync disk 1")
    file = os.open(path, os.O_RDWR)
    os.pwrite(file, b"new", 0)
    before = disk.report()["errors_told"]
    tap.equal([errno_of(fcntl.ioctl, file, SYNC_ALL), errno_of(os.fsync, file), errno_of(os.fsync, file)], [errno.EIO, errno.EIO, 0],
              "a failed sync of the disk is told again by the next sync of a file it hurt, once")
    tap.equal(disk.report()["errors_told"], before + 1, "and it counts that")
    os.close(file)
    tap.equal(errno_of(disk.tell, "explode"), errno.EINVAL, "an unknown command is refused")


def syncs(disk, root):
    """syncfs of the whole disk, with and without being told of it; lies."""
    path = os.path.join(root, "whole")
    script = "import ctypes, os, sys; f = os.open(sys.argv[1], os.O_RDONLY); sys.exit(ctypes.CDLL(None).syncfs(f))"
    before = disk.report()["disk_syncs"]
    put(path, b"new")
    code = subprocess.run([sys.executable, "-c", script, path]).returncode
    tap.note("syncfs() without the preloaded function: exit %d, %d calls arrived" % (code, disk.report()["disk_syncs"] - before))
    before = disk.report()["disk_syncs"]
    # The sanitizers' libraries want to be first; python has none.
    code = subprocess.run([sys.executable, "-c", script, path], env=dict(os.environ, **disk.environment())).returncode
    tap.equal((code, disk.report()["disk_syncs"]), (0, before + 1), "with it syncfs() arrives")
    cut(disk, 0)
    tap.equal(get(path), b"new", "and makes everything durable, names too")
    disk.tell("lie all")
    found = set()
    for seed in range(CUTS):
        put(path, b"new" if seed % 2 else b"old", sync=True)
        cut(disk, seed)
        found.add(get(path) == (b"new" if seed % 2 else b"old"))
    disk.tell("lie none")
    tap.equal(found, {True, False}, "when it lies, what was synced can be lost")


why = why_not()
with tempfile.TemporaryDirectory(prefix="weir-test-") as folder:
    try:
        if why:
            raise Unavailable(why)
        disk = Forgetful(os.path.join(folder, "disk"))
    except Unavailable as e:
        tap.skip("the forgetful file system keeps and forgets as it says", e)
        tap.done()
    try:
        for part in (power, renames, at_a_call, durable_writes, failures, syncs):
            root = os.path.join(disk.folder, part.__name__)
            os.mkdir(root)
            sync_folder(disk.folder)
            part(disk, root)
    finally:
        disk.close()
    tap.equal(disk.process.returncode, 0, "it ends cleanly")
tap.done()
