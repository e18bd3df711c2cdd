"""tests/support/netlab.sh as an object: two hosts on one wire, with faults.

`mx` is where the backups are, `hop` where the primary is; each laboratory has
namespaces of its own name, so that several stand side by side.
"""
import contextlib
import ctypes
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
NETLAB = os.path.join(HERE, "..", "support", "netlab.sh")
MX_IP, HOP_IP = "10.79.0.1", "10.79.0.2"
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def why_not():
    """None when laboratories can be built here, else the reason."""
    if os.getuid() != 0:
        return "needs root for network namespaces"
    for tool, package in (("ip", "iproute2"), ("ss", "iproute2"), ("tc", "iproute2"),
                          ("nft", "nftables"), ("nsenter", "util-linux")):
        if not shutil.which(tool):
            return f"needs {tool} (Debian: {package})"
    lab = Lab(f"mxw{os.getpid()}t")
    try:
        lab.up()
        lab.fault("loss", "1")
    except subprocess.CalledProcessError as e:
        return f"no network namespaces with nftables here: {e.stderr.decode()[-200:]}"
    finally:
        lab.down()
    return None


class Lab:
    def __init__(self, name):
        self.name = name
        self.mx, self.hop = name + "-mx", name + "-hop"

    def do(self, *args):
        return subprocess.run([NETLAB, *args], env={**os.environ, "LAB": self.name},
                              check=True, capture_output=True).stdout.decode()

    def up(self):
        self.do("up")

    def down(self):
        self.do("down")

    def fault(self, *args):
        self.do(*args)

    def ok(self):
        self.do("ok")

    @contextlib.contextmanager
    def inside(self, namespace):
        """Sockets that this thread makes meanwhile are of that namespace."""
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            enter(f"/run/netns/{namespace}")
            yield
        finally:
            if libc.setns(back, CLONE_NEWNET) != 0:
                os._exit(70)    # nothing here may go on in a foreign network
            os.close(back)

    def prefix(self):
        """In front of a command: runs it where the backups are."""
        return ["nsenter", f"--net=/run/netns/{self.mx}"]

    def sockets_to_hop(self):
        """Local ports of the backups' connections to the primary."""
        out = self.do("mx", "ss", "-Htn", "state", "established", "state", "close-wait",
                      "dst", f"{HOP_IP}:25")
        return {line.split()[-2].rsplit(":", 1)[1] for line in out.splitlines()}


def enter(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns", path)
    finally:
        os.close(fd)
