"""What a durable path is measured against: the bare disk, and an ideal group commit of the same arrivals on it."""
import bisect, os, time


def quantile(sorted_values, q):
    return sorted_values[min(len(sorted_values) - 1, int(q * len(sorted_values)))] if sorted_values else 0.0


def bare_syncs(folder, size, seconds):
    """Durations (s) of write + sync into bytes written before, nothing else."""
    path, block, count = os.path.join(folder, "bare"), os.urandom(size), max(1, (16 << 20) // size)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for i in range(count):
        os.pwrite(file, block, i * size)
    os.fsync(file)
    out, i, end = [], 0, time.perf_counter() + seconds
    while time.perf_counter() < end or len(out) < 20:
        began = time.perf_counter()
        os.pwrite(file, block, i % count * size)
        os.fdatasync(file)
        out.append(time.perf_counter() - began)
        i += 1
    os.close(file)
    os.unlink(path)
    return out


def ideal_latencies(arrivals, syncs):
    """Group commit with nothing else to do: a commit takes all that has arrived, the next one begins when it ends."""
    out, taken, free, k = [], 0, 0.0, 0
    while taken < len(arrivals):
        start = max(arrivals[taken], free)
        end = start + syncs[k % len(syncs)]
        upto = bisect.bisect_right(arrivals, start, taken)
        out.extend(end - a for a in arrivals[taken:upto])
        taken, free, k = upto, end, k + 1
    out.sort()
    return out
