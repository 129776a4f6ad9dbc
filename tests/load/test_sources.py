#!/usr/bin/env python3
# also: tsan
"""weir load: captures at their own times, round trips of real networks, names of hosts, and the interval log as HdrHistogram defines it."""
import base64, json, os, socket, struct, subprocess, sys, tempfile, zlib
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib")]
from node import Tap  # noqa: E402
from server import Server  # noqa: E402

tap = Tap()
work = tempfile.TemporaryDirectory(prefix="weir-load-")


def weir(*args):
    done = subprocess.run([os.environ["WEIR"], "load"] + [str(a) for a in args] + ["--json", "--late-max", "100s"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def load(*args):
    code, out, err = weir(*args)
    if not out.startswith("{"):
        raise RuntimeError("weir load %s: exit %d: %s" % (" ".join(map(str, args)), code, err))
    return json.loads(out)


def file_of(name, content):
    path = os.path.join(work.name, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


# ---- captures
def capture(times_us):
    """Datagrams "0", "1", ... in raw IPv4, captured at these times."""
    out = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
    for n, at in enumerate(times_us):
        payload = b"%d" % n
        packet = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
        packet += struct.pack(">HHHH", 1, 2, 8 + len(payload), 0) + payload
        out += struct.pack("<IIII", 1700000000 + at // 1000000, at % 1000000, len(packet), len(packet)) + packet
    return out


pcap = file_of("a.pcap", capture([0, 5000, 5000, 700000]))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
    sink.bind(("127.0.0.1", 0))
    sink.settimeout(60)
    url = "udp://127.0.0.1:%d" % sink.getsockname()[1]
    r = load(url, "--pcap", pcap, "--curve", "capture")
    tap.ok(r["answered"] == 4 and r["seconds"] >= 0.7, "a capture is sent once, not faster than it was taken", r)
    tap.equal([sink.recv(100) for _ in range(4)], [b"0", b"1", b"2", b"3"], "in its order")
    r = load(url, "--pcap", pcap, "--curve", "capture", "--duration", "1s")
    tap.ok(r["answered"] == 7, "and again from its start for longer: the mean gap lies between", r)
    [sink.recv(100) for _ in range(7)]
    r = load(url, "--pcap", pcap, "--curve", "capture", "--rate", "40")
    tap.ok(r["answered"] == 4 and r["duration_s"] < 0.2, "with --rate faster as a whole", r)
    for args, word in ((["--curve", "capture"], "--pcap"), (["--pcap", pcap, "--curve", "capture", "--poisson"], "--poisson"),
                       (["--pcap", file_of("b.pcap", capture([5, 5])), "--curve", "capture"], "rise")):
        code, out, err = weir(url, *args)
        tap.ok(code != 0 and word in err, "a capture without %s is refused with what to do" % word, err)

# ---- round trips of real networks
with Server() as server:
    table = file_of("rtt.tsv", b"profile\tmean_ms\tsd_ms\nA.good.4G\t40\t10\nA.bad.3G\t300\t1\nB.x\t20\t0\n")
    r = load(server.url("/ok"), "--rate", 50, "--duration", "1s", "--connections", 10, "--rtt", table + ":A.good.4G")
    tap.ok(r["answered"] == 50 and r["latency"]["p50_ms"] > 20, "a profile's round trip is in the latency", r["latency"])
    r = load(server.url("/ok"), "--rate", 30, "--duration", "1s", "--connections", 30, "--rtt", table)
    tap.ok(r["latency"]["max_ms"] >= 290 and r["latency"]["min_ms"] < 290, "without a name connections take the profiles in turns", r["latency"])
    for args, word in ((["--rtt", table + ":C"], "no round trip is named"), (["--rtt", "/nowhere"], "nowhere"),
                       (["--rtt", table, "--delay", "1ms"], "--delay"), (["--rtt", file_of("bad.tsv", b"x\ny\t1\n")], "line 2")):
        code, out, err = weir(server.url("/ok"), "--rate", 1, *args)
        tap.ok(code != 0 and word in err, "%s is refused with what to do" % args[-1].split("/")[-1], err)
    shared = os.path.join(os.environ.get("WEIR_SHARED", ""), "data/net/monroe-rtt.tsv")
    if os.environ.get("WEIR_SHARED") and os.path.exists(shared):
        r = load(server.url("/ok"), "--rate", 60, "--duration", "1s", "--connections", 60, "--rtt", shared)
        tap.ok(r["answered"] == 60 and r["latency"]["p50_ms"] > 20, "those that MONROE's nodes measured are read", r["latency"])
    else:
        tap.skip("those that MONROE's nodes measured are read", "no reference data here")

    # ---- names of hosts
    def is_loopback(name):
        try:
            return name != "localhost" and "127.0.0.1" in {info[4][0] for info in socket.getaddrinfo(name, None)}
        except OSError:
            return False
    names = [name for name in ("localhost.", "localhost.localdomain", "loopback", "ip6-localhost", socket.gethostname()) if is_loopback(name)]
    if names:
        r = load(server.url("/ok").replace("127.0.0.1", names[0]), "--rate", 50, "--duration", "1s")
        tap.ok(r["answered"] == 50 and r["connect_failures"] == 0, "a name is looked up, and an address that takes connections is used", r)
    else:
        tap.skip("a name is looked up", "no name but localhost is this machine's 127.0.0.1")

    # ---- the interval log, read by the format's description
    path = os.path.join(work.name, "a.hlog")
    r = load(server.url("/wait/3"), "--rate", 200, "--duration", "2s", "--connections", 20, "--threads", 2, "--hdr-log", path, "--hdr-interval", "500ms")


def leb128(data):
    """Signed numbers, zigzag, seven bits to a byte, a ninth byte with eight."""
    at, out = 0, []
    while at < len(data):
        number, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            last = shift == 56
            number |= (byte if last else byte & 127) << shift
            shift += 7
            if last or byte < 128:
                break
        out.append((number >> 1) ^ -(number & 1))
    return out


def histogram(text):
    """{index: count}, significant digits."""
    packed = base64.b64decode(text, validate=True)
    cookie, size = struct.unpack(">II", packed[:8])
    assert cookie == 0x1c849314 and size == len(packed) - 8, (hex(cookie), size)
    plain = zlib.decompress(packed[8:])
    cookie, size, offset, digits, low, high, ratio = struct.unpack(">IIIIQQd", plain[:40])
    assert cookie == 0x1c849313 and size == len(plain) - 40 and offset == 0 and low == 1 and ratio == 1.0, plain[:40]
    counts, index = {}, 0
    for number in leb128(plain[40:]):
        if number <= 0:
            index += -number or 1
        else:
            counts[index] = number
            index += 1
    return counts, digits


with open(path) as file:
    lines = file.read().splitlines()
tap.ok(lines[0] == "#[Histogram log format version 1.3]" and lines[1].startswith("#[StartTime: ") and lines[2].startswith('"StartTimestamp"'),
       "an interval log begins as HdrHistogram's does", lines[:3])
rows = [line.split(",") for line in lines[3:]]
tap.ok(len(rows) >= 4 and all(abs(float(row[0]) - 0.5 * i) < 0.001 for i, row in enumerate(rows)), "a line follows each interval", [row[:3] for row in rows])
total, digits = {}, None
for row in rows:
    counts, digits = histogram(row[3])
    for index, count in counts.items():
        total[index] = total.get(index, 0) + count
tap.equal((sum(total.values()), digits), (r["answered"], 2), "all answers are in it, each once")


def value(index):
    """The least value of an index: 256 exact ones, then 128 to a power of two."""
    return index if index < 256 else ((index & 127) + 128) << (index // 128 - 1)


seen, middle = 0, None
for index in sorted(total):
    seen += total[index]
    if middle is None and seen * 2 >= sum(total.values()):
        middle = value(index) / 1e6
tap.ok(abs(middle - r["latency"]["p50_ms"]) <= r["latency"]["p50_ms"] / 50, "and its median is that of the result", (middle, r["latency"]))
tap.ok(max(float(row[2]) for row in rows) <= r["latency"]["max_ms"] + 0.001, "its maxima are in ms", r["latency"])
try:
    from hdrh.log import HistogramLogReader
    from hdrh.histogram import HdrHistogram
except ImportError:
    tap.skip("HdrHistogram's own reader agrees", "no hdrhistogram for this python: pip install hdrhistogram")
else:
    whole = HdrHistogram(1, 3600 * 10 ** 9, 2)
    reader = HistogramLogReader(path, whole)
    while (one := reader.get_next_interval_histogram()) is not None:
        whole.add(one)
    tap.ok(whole.get_total_count() == r["answered"] and abs(whole.get_value_at_percentile(99) / 1e6 / r["latency"]["p99_ms"] - 1) < 0.02,
           "HdrHistogram's own reader agrees", (whole.get_value_at_percentile(99), r["latency"]))
work.cleanup()
tap.done()
