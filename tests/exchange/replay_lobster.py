#!/usr/bin/env python3
"""A LOBSTER file through a fresh node; prints what the replay found, as JSON. For the scorecard."""
import glob, os, subprocess, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
ROOT = os.path.join(HERE, "..", "..")
os.environ.setdefault("WEIR", os.path.join(ROOT, "build", "weir"))
from node import Node  # noqa: E402

shared = os.environ.get("WEIR_SHARED") or os.path.join(ROOT, "..", "shared")
folder = os.path.join(shared, "data/orders/lobster")
messages, books = (glob.glob(os.path.join(folder, "*_%s_10.*" % kind)) for kind in ("message", "orderbook"))
if not messages:
    sys.exit(77)
with Node(args=["--set", "exchange.ouch=127.0.0.1:0"]) as node:
    sys.exit(subprocess.run([os.environ["WEIR"], "exchange", "replay", messages[0], "--expect", books[0], "--json",
                             "--node", "%s:%d" % node.addresses["http"]]).returncode)
