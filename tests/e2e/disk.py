"""Disks that fail, for the end-to-end tests: strace in the way of single
system calls, a small file system of one's own, and the ledger of what was
promised. The oracle is always the same: what got a 250 is at the primary
byte for byte and once, or in the queue; what got none is there whole or not
at all.
"""
import collections
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time

import mxtest
from mxtest import BIN, message, wait_for, without_our_trace

STRACE = shutil.which("strace")


def can_trace():
    """Is there strace, and may it attach to a process of ours?"""
    if not STRACE:
        return False
    with subprocess.Popen(["sleep", "60"]) as p:
        got = subprocess.run([STRACE, "-qq", "-e", "trace=none", "-p", str(p.pid)],
                             stderr=subprocess.PIPE, check=False,
                             timeout=30) if False else None
        p.kill()
    return got is None


class Inject:
    """System calls of a running daemon on one file fail while this lasts.

    with Inject(pid, "fdatasync:error=EIO:when=1+", path): ...
    The counter of when= begins at 1 for each thread that strace meets.
    """

    def __init__(self, pid, what, path=None):
        calls = what.split(":")[0]
        args = [STRACE, "-f", "-p", str(pid), "-o", os.devnull,
                "-e", f"trace={calls}", "-e", f"inject={what}"]
        if path:
            args += ["-P", path]
        self.p = subprocess.Popen(args, stderr=subprocess.PIPE, text=True)
        line = self.p.stderr.readline()
        while line and "attached" not in line:
            line = self.p.stderr.readline()
        if not line:
            raise AssertionError(f"strace does not attach: {self.p.wait()}")

    def stop(self):
        self.p.send_signal(signal.SIGINT)
        self.p.stderr.read()
        self.p.wait()
        self.p.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
