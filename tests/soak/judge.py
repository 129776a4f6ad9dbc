"""What a soak must have been like: judges series of samples, and knows nothing of nodes. Pure, so that test_judge.py can plant faults.

    samples    [{"at": seconds from the start, "anon_mb", "file_mb", "heap_mb", "heap_held_mb", "mapped_mb", "descriptors" (all but
                segments), "segment_files", "threads", "disk_mb", "kept_mb", "journal_mb", ...}]
    windows    [{"at", "load", "p50_ms", "p99_ms", "p99.9_ms", "answered", "failed"}], one per load and window
    counts     {"snapshots": n, ...}: what must have happened at all

Each function gives rows (name, passed, figure, bound, words). What grows while caches and tables fill is no leak: slopes are those of the second
half; latency is compared between two quarters that have that behind them.

Memory of its own is of two kinds, and only their sum is seen from outside. The heap is judged by what is in use of it and by what malloc holds: a leak
is found there. Tables and buffers are mapped at start and count when they are touched; as much of a commit's room is touched as the largest commit so far
took, so that this part comes to rest late. It is shown; its bound is the address space, which must not grow.
"""
import statistics

MEMORY_SHARE, MEMORY_MB = 0.03, 2.0  # growth over the second half, by fit: of the level, or so much, whichever is more
HEAP_MB = 0.5                        # the same of the heap in use: a backup or a checkpoint takes a megabyte of it for a moment
HEAP_SHARE_OF_DISK = 32 / (64 << 10) # the log has a mark of 16 B for 64 KB (SEGMENT_MARK_BYTES), in arrays that double
MAPPED_MB = 0.01                     # the least of many samples: shadows and large bodies come and go
DESCRIPTORS_SPARE = 2                # a backup or a snapshot has files open; never more than these beyond what was seen before
SEGMENT_FILES_MAX = 2048             # the log's cache of open segments has a bound (OPEN_FILES_MAX), and fills while segments are added
# Last quarter over second: ratio, and what is granted beside it, ms. The disk of a shared machine has its moods. p99.9 is shown alone.
LATENCY = {"p50_ms": (1.75, 1.0), "p99_ms": (2.0, 5.0), "p99.9_ms": None}


def part(rows, low, high):
    """The rows between two shares of the time."""
    first, last = rows[0]["at"], rows[-1]["at"]
    return [row for row in rows if first + low * (last - first) <= row["at"] <= first + high * (last - first)]


def slope(rows, name):
    """Least squares: units per second."""
    xs, ys = [row["at"] for row in rows], [row[name] for row in rows]
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    below = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) / below if below else 0.0


def grown_row(half, name, least, more=0.0):
    level = statistics.fmean(row[name] for row in half)
    grown = slope(half, name) * (half[-1]["at"] - half[0]["at"])
    bound = max(least, MEMORY_SHARE * level) + more
    return name, grown <= bound, grown, bound, "MB grown over the second half, by fit; it holds %.1f MB" % level


def memory(samples):
    half = part(samples, 0.5, 1.0)
    stored = max(0.0, half[-1]["disk_mb"] - half[0]["disk_mb"])
    touched = [dict(row, touched_mb=row["anon_mb"] - row["heap_mb"]) for row in half]
    before, after = (min(row["mapped_mb"] for row in part(samples, low, high)) for low, high in ((0.1, 0.5), (0.5, 1.0)))
    shown = grown_row(touched, "touched_mb", float("inf"))
    return [grown_row(half, "heap_mb", HEAP_MB, stored * HEAP_SHARE_OF_DISK), grown_row(half, "heap_held_mb", MEMORY_MB, stored * HEAP_SHARE_OF_DISK),
            ("mapped_mb", after <= before + MAPPED_MB, after, before + MAPPED_MB, "MB of address space at least, in the second half; in the first %.2f" % before),
            shown, grown_row(half, "file_mb", MEMORY_MB)]


def descriptors(samples):
    rows = []
    for name, spare in (("descriptors", DESCRIPTORS_SPARE), ("threads", 0)):
        before = max(row[name] for row in part(samples, 0.1, 0.5))
        after = max(row[name] for row in part(samples, 0.5, 1.0))
        rows.append((name, after <= before + spare, after, before + spare, "the most in the second half; in the first %d" % before))
    most = max(row["segment_files"] for row in samples)
    rows.append(("segment_files", most <= SEGMENT_FILES_MAX, most, SEGMENT_FILES_MAX, "open segments of the log, a cache"))
    return rows


def latency(windows):
    rows = []
    for load in sorted({row["load"] for row in windows}):
        mine = [row for row in windows if row["load"] == load]
        for name, gate in LATENCY.items():
            early = statistics.median(row[name] for row in part(mine, 0.25, 0.5))
            late = statistics.median(row[name] for row in part(mine, 0.75, 1.0))
            bound = early * gate[0] + gate[1] if gate else float("inf")
            rows.append(("%s %s" % (load, name), late <= bound, late, bound, "median of the last quarter's windows; of the second's %.2f" % early))
        failed = sum(row["failed"] for row in mine)
        rows.append(("%s failed" % load, failed == 0, failed, 0, "requests, of %d answered" % sum(row["answered"] for row in mine)))
    return rows


def disk(samples, kept_mb_max, journal_mb_max):
    rows = []
    for name, bound in (("kept_mb", kept_mb_max), ("journal_mb", journal_mb_max)):
        most = max(row[name] for row in samples)
        rows.append((name, most <= bound, most, bound, "MB at most"))
    return rows


def happened(counts, least):
    """least: {name: at least so many}; a name that ends with '!' must be 0."""
    rows = []
    for name, want in least.items():
        got = counts[name.rstrip("!")]
        rows.append((name.rstrip("!"), got == 0 if name.endswith("!") else got >= want, got, want, "none" if name.endswith("!") else "at least"))
    return rows


def table(rows):
    lines = ["%-28s %10s %10s" % ("", "figure", "bound")]
    for name, passed, figure, bound, words in rows:
        lines.append("%-28s %10.2f %10.2f  %s  %s" % (name, figure, bound, "ok  " if passed else "FAIL", words))
    return "\n".join(lines)
