#!/usr/bin/env python3
"""Ten thousand clients that are connected and say nothing: what they cost, that they hinder nobody, and that all of it comes back."""
import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap
from raw_http import Raw

tap = Tap()
WANTED, SPARE = 10000, 200
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if soft < WANTED + SPARE and (hard == resource.RLIM_INFINITY or hard > soft):
    soft = WANTED + SPARE if hard == resource.RLIM_INFINITY else min(hard, WANTED + SPARE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
count = min(WANTED, soft - SPARE)
if count < WANTED:
    tap.note("only %d connections: the process may have %d files open" % (count, soft))


def resident(node):
    return node.get("/v1/node").json()["memoryResidentBytes"]


with Node(args=["--set", "connections_max=%d" % (count + SPARE), "--set", "idle=300s"]) as main:
    resident(main)  # what the first answer touches is not theirs
    before = resident(main)
    held = []
    for i in range(count):
        held.append(Raw(main))
        if i % 500 == 499:  # no more wait to be taken than the kernel queues
            main.wait_for(lambda: main.metric("weir_edge_connections") >= len(held), what="the node taking its connections")
    quiet = resident(main) - before
    tap.note("%d connections that said nothing: %.2f KB each" % (count, quiet / 1024 / count))
    tap.equal(main.metric("weir_edge_connections"), float(count + 1), "%d clients are connected" % count)
    tap.ok(main.metric("weir_edge_buffer_bytes") <= 1 << 20, "a client that says nothing has no buffer")
    tap.ok(quiet < count * 16384, "and costs less than 16 KB", quiet)
    for raw in held:
        raw.send("GET /healthz HTTP/1.1", "Host: a")
    wrong = sum(raw.status() != 200 for raw in held)
    tap.equal(wrong, 0, "each of them is answered when it asks")
    asked = resident(main) - before
    tap.note("%d connections that asked once: %.2f KB each" % (count, asked / 1024 / count))
    tap.ok(asked < count * 16384, "who has asked once costs less than 16 KB", asked)
    tap.ok(main.metric("weir_edge_buffer_bytes") <= 1 << 20, "and holds no buffer either")
    for raw in held:
        raw.sock.close()
    main.wait_for(lambda: main.metric("weir_edge_connections") == 1, what="the end of the last of them")
    tap.ok(main.get("/healthz").status == 200, "when they have left the node serves on")
    tap.equal(main.stop(), 0, "and stops as it should")
tap.done()
