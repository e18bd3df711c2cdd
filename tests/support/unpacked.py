"""Debian's servers, run from private directories: nothing is installed.

A package (and what it lacks here) is downloaded and unpacked once under
$MXHOLD_CACHE (default ~/.cache/mxhold). Each instance runs in namespaces of
its own: its mounts lay the package over /usr and /etc and give it a /var and
/run of its own, its processes end with it, and its network may be one that
`ip netns` made. Needs root, apt and overlayfs; without them `why_not()` says
what is missing.
"""
import fcntl
import os
import shutil
import signal
import subprocess
import time

CACHE = os.environ.get("MXHOLD_CACHE") or os.path.expanduser("~/.cache/mxhold")

# The shell stays, as the first process of its namespace.
IN_NAMESPACE = """
mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr &&
mount -t overlay overlay -o "lowerdir=$2/etc:$1/etc:/etc" /etc &&
mount --bind "$2/run" /run && mount --bind "$2/var" /var &&
mount -t proc proc /proc && shift 2 && { "$@"; exit $?; }
"""


def root_of(package):
    return os.path.join(CACHE, package, "root")


def unpack(package):
    """Download and unpack, once, also when several tests come at a time."""
    cache, root = os.path.join(CACHE, package), root_of(package)
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = os.path.join(root, ".unpacked")
        if os.path.exists(done):
            return
        debs = os.path.join(cache, "debs")
        for d in (debs, os.path.join(root, "usr"), os.path.join(root, "etc")):
            os.makedirs(d, exist_ok=True)
        plan = subprocess.run(["apt-get", "-s", "--no-install-recommends", "install",
                               package], capture_output=True, text=True, check=True)
        names = {line.split()[1] for line in plan.stdout.splitlines()
                 if line.startswith("Inst")} | {package}
        subprocess.run(["apt-get", "-qq", "download", *sorted(names)], cwd=debs,
                       check=True, capture_output=True)
        for deb in os.listdir(debs):
            subprocess.run(["dpkg", "-x", os.path.join(debs, deb), root], check=True)
        with open(done, "w", encoding="ascii"):
            pass


def why_not(package):
    """None when it can be run here, else the reason."""
    if os.getuid() != 0:
        return "needs root for a mount namespace"
    if not shutil.which("apt-get"):
        return "needs apt-get"
    try:
        unpack(package)
    except (subprocess.CalledProcessError, OSError) as e:
        return f"the package cannot be had: {e}"
    return None


def child_of(pid):
    """Of a process with at most one; None: not (yet) there."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    return int(name)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return None


class Instance:
    """One server with its directory. Files are written by whoever derives."""

    PACKAGE = None
    USERS = ()              # (name, id): they exist only where it runs

    def __init__(self, top, name, netns=None):
        self.top = os.path.join(top, name)
        self.root = root_of(self.PACKAGE)
        self.netns = netns
        self.p = None
        for d in ("run", "etc", "var/lib", "var/log", "var/tmp", "var/mail", "var/spool"):
            os.makedirs(os.path.join(self.top, d), exist_ok=True)
        if not os.path.lexists(os.path.join(self.top, "var/run")):
            os.symlink("/run", os.path.join(self.top, "var/run"))
        os.chmod(self.top, 0o755)
        self.add_users()

    def path(self, *parts):
        return os.path.join(self.top, *parts)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def folder(self, name, uid=0, gid=0, mode=0o755):
        os.makedirs(self.path(name), exist_ok=True)
        os.chown(self.path(name), uid, gid)
        os.chmod(self.path(name), mode)

    def add_users(self):
        for file, line in (("passwd", "{0}:x:{1}:{1}::/nonexistent:/bin/false\n"),
                           ("group", "{0}:x:{1}:\n")):
            with open("/etc/" + file, encoding="utf-8") as f:
                text = f.read()
            self.write(os.path.join("etc", file),
                       text + "".join(line.format(*u) for u in self.USERS))

    def inside(self, *cmd):
        there = ["nsenter", f"--net=/run/netns/{self.netns}"] if self.netns else []
        return [*there, "unshare", "--mount", "--propagation", "private", "--pid", "--fork",
                "--kill-child", "bash", "-c", IN_NAMESPACE, self.PACKAGE, self.root,
                self.top, *cmd]

    def spawn(self, *cmd):
        with open(self.path("output"), "ab") as out:
            self.p = subprocess.Popen(self.inside(*cmd), start_new_session=True,
                                      stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def run(self, *cmd, **kw):
        return subprocess.run(self.inside(*cmd), check=True, **kw)

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def stop(self):
        """At once, as when its machine fails: with the first process of its
        namespace all others end, and only then is that one gone."""
        if self.p is None:
            return
        while self.p.poll() is None:
            child = child_of(self.p.pid)
            if child:
                os.kill(child, signal.SIGKILL)
                self.p.wait()
            time.sleep(0.01)
        self.p = None
