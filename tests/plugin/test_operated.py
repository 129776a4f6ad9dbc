#!/usr/bin/env python3
"""A service out of the tree in an operator's hands: its node's configuration read again while it runs, its folder backed up,
restored, replayed. A reload never loads a shared object."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Tap
from plugin import Installed

tap = Tap()


def add(node, name, amount=1):
    return node.post("/v1/counter/%s/add" % name, {"amount": amount})


def reload(node, text):
    path = os.path.join(node.folder, "weir.yaml")
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)

    def ask():  # 409: lanes have not taken the reload before
        answer = node.post("/v1/config/reload")
        return None if answer.status == 409 else answer
    return node.wait_for(ask, what="the lanes' taking the reload before")


with Installed() as weir:
    folder = weir.example("counter")
    path = os.path.join(folder, "service.c")
    with open(path) as file:
        text = file.read()
    for old, new in (('.folded = true', '.folded = true, .live = true'),  # a change of its limit is put in force while it runs
                     ('    counter = counters_add(', '    if (!counter && counters->count >= weir_settings(out)[1].number) {\n'
                      '        weir_refuse(out, REASON_FULL);\n        return;\n    }\n    counter = counters_add(')):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    with open(path, "w") as file:
        file.write(text)
    weir.run(["make"], folder)
    so = os.path.join(folder, "counter.so")
    kept = os.path.join(weir.folder, "kept.so")
    os.link(so, kept)

    # ---- reload
    config = "services: [%s]\ncounter: {names_max: 100}\n" % so
    node = weir.node(config=config)
    tap.equal([add(node, "n%d" % i).status for i in range(3)], [200] * 3, "a plugin of the configuration takes commands")
    os.remove(so)
    done = reload(node, config + "log_level: debug\n")
    tap.equal((done.status, done.json()["changed"]), (200, ["log_level"]), "a reload does not look for the file again: it may be gone")
    done = reload(node, config.replace("]", ", ./none.so]"))
    tap.equal((done.status, done.json()["needsRestart"]), (200, ["services"]), "a change of `services` waits for a restart")
    done = reload(node, config.replace("names_max", "names_mx"))
    tap.ok(done.status == 422 and "names_max" in done.json()["mistakes"][0], "a wrong key of the plugin refuses the reload, with the nearest", done)
    done = reload(node, config.replace("names_max: 100", "names_max: 3"))
    tap.equal((done.status, done.json()["changed"]), (200, ["counter.names_max"]), "its .live setting is put in force")
    tap.equal([add(node, name).status for name in ("n1", "fourth")], [200, 507], "and its fold obeys it")
    before = node.get("/v1/counter/n1").json()["value"]
    node.kill()
    os.link(kept, so)
    node.start()
    tap.equal((node.get("/v1/counter/n1").json()["value"], add(node, "fifth").status), (before, 507), "after SIGKILL, replayed with the change at its offset")
    tap.equal(node.stop(), 0, "it stops cleanly")

    # ---- backup
    store, at = os.path.join(weir.folder, "store"), os.path.join(weir.folder, "trial")
    code, out, err = weir.weir("backup", "--data", node.data, "--to", store)
    tap.equal(code, 0, "its folder is backed up: " + (out or err).strip())
    code, out, err = weir.weir("restore", "--verify", "--from", store, "--data", at)
    tap.ok(code != 0 and "counter" in err, "a restore that is verified says which service it lacks", out + err)
    code, out, err = weir.weir("restore", "--verify", "--from", store, "--data", at, "--service", so)
    tap.ok(code == 0 and "replayed" in out, "with --service its partitions are replayed and compared", out + err)
    code, out, err = weir.weir("restore", "--from", store, "--data", at, "--until", "counter.commands:0:3", "--service", so)
    tap.equal(code, 0, "restored in front of a record: " + (out or err).strip())
    code, out, err = weir.weir("service", "replay", "counter", "--data", at, "--service", so)
    tap.ok(code == 0 and '"applied":3' in out, "it stands there", out + err)
    node.close()
tap.done()
