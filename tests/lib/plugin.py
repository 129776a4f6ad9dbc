"""An installed weir and services built against it, as an author outside of this tree has them.

    from plugin import Installed
    with Installed() as weir:                     # DESTDIR install of the build that $WEIR is of, in a temporary folder
        so = weir.make("counter")                 # a copy of examples/counter, built by its own Makefile
        node = weir.node(["--service", so])
"""
import os
import shutil
import subprocess
import sys
import tempfile

from node import Node

BUILD = os.path.dirname(os.path.abspath(os.environ.get("WEIR") or sys.exit("WEIR is not set: the path of the binary under test")))
SOURCE = os.environ.get("WEIR_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Installed:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-plugin-")
        self.root = os.path.join(self.folder, "root")
        done = subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=dict(os.environ, DESTDIR=self.root), check=False)
        if done.returncode:
            sys.exit("meson install failed: " + done.stdout.decode())
        self.files = [os.path.join(at, name) for at, _, names in os.walk(self.root) for name in names]
        pc = next(path for path in self.files if path.endswith("weir.pc"))
        self.binary = next(path for path in self.files if path.endswith("/bin/weir"))
        # The .pc file names the folders it will be in; the sysroot puts the temporary one in front of them.
        self.env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(pc), PKG_CONFIG_SYSROOT_DIR=self.root,
                        PATH=os.path.dirname(self.binary) + ":" + os.environ["PATH"])
        self.cflags = self.pkg_config("--cflags").split()
        self.headers = os.path.dirname(next(path for path in self.files if path.endswith("weir/service.h")))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self.folder, ignore_errors=True)

    def pkg_config(self, *args):
        return subprocess.run(["pkg-config", *args, "weir"], stdout=subprocess.PIPE, env=self.env, check=True).stdout.decode()

    def weir(self, *args, binary=None):
        """(exit code, stdout, stderr) of a command line."""
        done = subprocess.run([binary or self.binary, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env,
                              cwd=self.folder, timeout=120, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def run(self, command, cwd):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.env, cwd=cwd, timeout=120,
                              check=False)
        if done.returncode:
            raise RuntimeError("%s:\n%s" % (" ".join(command), done.stdout.decode()))
        return done.stdout.decode()

    def example(self, name):
        """A copy of an installed example, alone in a folder."""
        folder = os.path.join(self.folder, name)
        source = os.path.dirname(next(path for path in self.files if path.endswith("/examples/%s/Makefile" % name)))
        shutil.copytree(source, folder)
        return folder

    def make(self, name):
        folder = self.example(name)
        self.run(["make"], folder)
        return os.path.join(folder, name + ".so")

    def compile(self, name, text, flags=(), language="c"):
        """One source file to NAME.so; where it lies is the answer."""
        path = os.path.join(self.folder, "%s.%s" % (name, "c" if language == "c" else "cc"))
        with open(path, "w") as file:
            file.write(text)
        out = os.path.join(self.folder, name + ".so")
        compiler = os.environ.get("CC", "cc") if language == "c" else os.environ.get("CXX", "c++")
        self.run([compiler, "-fPIC", "-shared", "-o", out, path, *flags, *self.cflags], self.folder)
        return out

    def node(self, args=(), **more):
        node = Node(args=args, start=False, **more)
        node.binary = self.binary
        return node.start()

    def refused(self, *args):
        """What `weir up` says when it does not start: (exit code, its words)."""
        node = Node(args=args, start=False)
        node.binary = self.binary
        try:
            return node.run_to_exit(patience=30)
        finally:
            node.close()
