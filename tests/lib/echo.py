"""A node with the echo service of echo.c, which the build makes beside the binary under test.

    from echo import Echo
    with Echo(args=["--lanes", "2"]) as node:        # its WebSocket routes: /v1/echo, /v1/echo/small
"""
import os
import sys

from node import Node

SERVICE = os.path.join(os.path.dirname(os.path.abspath(os.environ.get("WEIR", ""))), "tests", "echo.so")


class Echo(Node):
    def __init__(self, args=(), **more):
        if not os.path.exists(SERVICE):
            sys.exit("%s is not built: ninja -C %s tests/echo.so" % (SERVICE, os.path.dirname(os.path.dirname(SERVICE))))
        super().__init__(args=["--service", SERVICE, "--only", "echo", *args], **more)
