"""Run by test_bad_start.py in a mount namespace of its own with a small tmpfs on /mnt: fills it through the node."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, Tap

tap = Tap()
config = "journal_bytes: 16MB\nsegment_bytes: 4MB\ndisk_reserve: 8MB\n"
node = Node(folder="/mnt", config=config)
node.post("/v1/topics", {"name": "t", "partitions": 1})
acked, status = 0, 0
for _ in range(400):
    answer = node.post("/v1/topics/t/records?partition=0", [{"value": "y" * 50000} for _ in range(10)])
    status = answer.status
    if status not in (200, 201):
        break
    acked += 10
tap.ok(status in (503, 507), "a full disk is answered with 507 (or 503 while the journal is full)", status)
tap.ok(node.alive() and node.get("/healthz").status == 200, "the node stays up on a full disk")
node.kill()
node.start()
have, at = 0, 0
while True:
    page = node.get("/v1/topics/t/records?partition=0&offset=%d&limit=100" % at).json()
    if not page["records"]:
        break
    have += len(page["records"])
    at = page["next"]
tap.ok(have >= acked, "nothing acknowledged is lost when a full node is killed and started again", "%d of %d" % (have, acked))
tap.ok(node.stop() == 0, "a full node stops cleanly")
tap.done()
