"""A node with the echo service of echo.c, which is built against the public headers of this tree.

    from echo import Echo
    with Echo(args=["--lanes", "2"]) as echo:
        echo.node                                    # its WebSocket routes: /v1/echo, /v1/echo/small
"""
import os
import shutil
import subprocess
import sys
import tempfile

from node import Node

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("WEIR_SOURCE") or os.path.dirname(os.path.dirname(HERE))


class Echo:
    def __init__(self, args=(), **more):
        self.folder = tempfile.mkdtemp(prefix="weir-echo-")
        path = os.path.join(self.folder, "echo.so")
        done = subprocess.run([os.environ.get("CC", "cc"), "-O2", "-fPIC", "-shared", "-I", os.path.join(SOURCE, "include"), "-o", path,
                               os.path.join(HERE, "echo.c")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            sys.exit("echo.c was not compiled: " + done.stdout.decode())
        self.node = Node(args=["--service", path, "--only", "echo", *args], **more)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.node.close()
        shutil.rmtree(self.folder, ignore_errors=True)
