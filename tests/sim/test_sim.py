#!/usr/bin/env python3
"""The simulator itself: seeds with the sanitizers on (WEIR_SEED=N: from there on), and the same seed gives the same trace, in this
build and in another."""
import os, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Tap

tap = Tap()
SIM = os.environ["WEIR_SIM"]
OTHER = os.environ.get("WEIR_SIM_RELEASE", "")
SECONDS = os.environ.get("WEIR_SECONDS", "20")
COMPARED = 12


def run(binary, *arguments):
    done = subprocess.run([binary] + [str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def trace(binary, seed):
    """The last line, which is the hash over every call, byte, result and turn."""
    code, out, errors = run(binary, "--seed", seed)
    return out.splitlines()[-1] if code == 0 else out + errors


first = int(os.environ.get("WEIR_SEED", "1"))
code, out, errors = run(SIM, "--seed", first, "--seconds", SECONDS)
tap.ok(code == 0, "seeds from %d on find nothing" % first, out + errors)
tap.note(out)
seeds = [first + i for i in range(COMPARED)]
ours = [trace(SIM, seed) for seed in seeds]
tap.equal([trace(SIM, seed) for seed in seeds[:3]], ours[:3], "a seed gives the same trace again")
if os.path.exists(OTHER):
    tap.equal([trace(OTHER, seed) for seed in seeds], ours, "a build with other flags and without sanitizers gives the same traces")
else:
    tap.skip("a build with other flags gives the same traces", "there is no %s" % OTHER)
tap.equal(run(SIM, "--nonsense", "1")[0], 2, "an unknown flag is refused")
tap.ok(len(set(ours)) == COMPARED, "other seeds give other traces")
tap.done()
