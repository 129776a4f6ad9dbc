#!/usr/bin/env python3
"""The judge of the soak: what is flat passes, noise and all; each kind of fault that a soak is there for, planted in the same series, does not."""
import copy
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
import judge  # noqa: E402
from node import Tap  # noqa: E402

tap = Tap()
chance = random.Random(7)


def quiet(seconds=2700):
    """A node in good health: tables fill in the first third, a shadow comes and goes, a backup has its files open for a while."""
    out = []
    for at in range(seconds):
        filling = min(1.0, at / (seconds / 3))
        shadow = 9.0 if at % 120 < 4 else 0.0
        out.append({"at": at, "anon_mb": 20 + 30 * filling + shadow + chance.gauss(0, 0.3), "file_mb": 9.0,
                    "heap_mb": 1.2 + (1.0 if at % 40 == 0 else 0) + at * 8e-6, "heap_held_mb": 10.0 + filling, "mapped_mb": 4500.0 + shadow, "disk_mb": 100 + at * 0.02, "threads": 7,
                    "descriptors": 40 + chance.randrange(5) + (2 if at % 60 < 3 else 0), "segment_files": 30 + at // 30, "kept_mb": 30 + at % 15, "journal_mb": 256})
    return out


def windows(seconds=2700):
    return [{"at": at, "load": load, "p50_ms": 0.8 * chance.uniform(0.8, 1.2), "p99_ms": 4 * chance.uniform(0.5, 2), "p99.9_ms": 20.0 * chance.uniform(0.3, 3),
             "answered": 60000, "failed": 0} for at in range(0, seconds, 60) for load in ("orders", "adds")]


def failed(rows):
    return [row[0] for row in rows if not row[1]]


def planted(series, name, add):
    series = copy.deepcopy(series)
    for row in series:
        row[name] += add(row["at"])
    return series


samples, figures = quiet(), windows()
tap.equal(failed(judge.memory(samples) + judge.descriptors(samples) + judge.disk(samples, 64, 260) + judge.latency(figures)), [],
          "a healthy node passes, although its tables fill and snapshots come and go")
tap.equal(failed(judge.memory(planted(samples, "heap_mb", lambda at: at * 0.0005))), ["heap_mb"], "half a KB a second of a leak is found")
tap.equal(failed(judge.memory(planted(samples, "heap_mb", lambda at: 1.0 if at > 2025 else 0))), ["heap_mb"], "so is a step late in the run")
tap.equal(failed(judge.memory(planted(samples, "heap_held_mb", lambda at: at * 0.003))), ["heap_held_mb"], "and 3 KB a second that malloc can't give out again")
tap.equal(failed(judge.memory(planted(samples, "mapped_mb", lambda at: at // 500))), ["mapped_mb"], "a mapping of a megabyte that is lost every 500 s is found")
tap.equal(failed(judge.memory(planted(samples, "anon_mb", lambda at: at * 0.003))), [], "a table of which more is touched is no leak")
tap.equal(failed(judge.memory(planted(samples, "file_mb", lambda at: at * 0.003))), ["file_mb"], "also of pages of files")
tap.equal(failed(judge.descriptors(planted(samples, "descriptors", lambda at: at // 200))), ["descriptors"], "a descriptor lost every 200 s is found")
tap.equal(failed(judge.descriptors(planted(samples, "segment_files", lambda at: at))), ["segment_files"],
          "a cache of open files that has lost its bound is found")
tap.equal(failed(judge.descriptors(planted(samples, "threads", lambda at: at > 2000))), ["threads"], "one thread more is found")
tap.equal(failed(judge.disk(planted(samples, "kept_mb", lambda at: at * 0.02), 64, 260)), ["kept_mb"], "a topic whose retention stands still is found")
slow = [dict(row, p50_ms=row["p50_ms"] + row["at"] * 0.005) for row in figures]
tap.equal(failed(judge.latency(slow)), ["adds p50_ms", "orders p50_ms"], "a median that creeps up is found")
tail = [dict(row, p99_ms=row["p99_ms"] * (6 if row["at"] > 2000 and row["load"] == "adds" else 1)) for row in figures]
tap.equal(failed(judge.latency(tail)), ["adds p99_ms"], "a tail that grows is found, and of which load")
tap.equal(failed(judge.latency([dict(row, failed=row["at"] == 600) for row in figures])), ["adds failed", "orders failed"], "one failed request is")
counts = {"snapshots": 9, "reloads": 4, "mismatches": 1}
tap.equal(failed(judge.happened(counts, {"snapshots": 2, "reloads": 5, "mismatches!": 0})), ["reloads", "mismatches"],
          "what did not happen, and what must not, is found")
tap.ok("FAIL" in judge.table(judge.happened(counts, {"reloads": 5})), "the table says which")
short = quiet(75)
tap.equal(failed(judge.memory(planted(short, "heap_mb", lambda at: at * 0.03))), ["heap_mb"], "75 s are enough for 30 KB a second")
tap.done()
