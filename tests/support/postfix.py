"""Debian's Postfix, run from a private directory: nothing is installed.

The package (and what it lacks here) is downloaded and unpacked once under
$MXHOLD_CACHE (default ~/.cache/mxhold); each instance runs in a mount
namespace that lays it over /usr and /etc and has a /var and /run of its own,
on a loopback address of its own. Needs root, apt and overlayfs; without them
`why_not()` says what is missing.
"""
import fcntl
import os
import shutil
import signal
import subprocess
import time

CACHE = os.path.join(os.environ.get("MXHOLD_CACHE") or
                     os.path.expanduser("~/.cache/mxhold"), "postfix")
ROOT = os.path.join(CACHE, "root")

IN_NAMESPACE = """
mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr &&
mount -t overlay overlay -o "lowerdir=$2/etc:$1/etc:/etc" /etc &&
mount --bind "$2/run" /run && mount --bind "$2/var" /var && shift 2 && exec "$@"
"""


def unpack():
    """Download and unpack, once, also when several tests come at a time."""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = os.path.join(ROOT, ".unpacked")
        if os.path.exists(done):
            return
        debs = os.path.join(CACHE, "debs")
        for d in (debs, os.path.join(ROOT, "usr"), os.path.join(ROOT, "etc")):
            os.makedirs(d, exist_ok=True)
        plan = subprocess.run(["apt-get", "-s", "--no-install-recommends", "install",
                               "postfix"], capture_output=True, text=True, check=True)
        names = {line.split()[1] for line in plan.stdout.splitlines()
                 if line.startswith("Inst")} | {"postfix"}
        subprocess.run(["apt-get", "-qq", "download", *sorted(names)], cwd=debs,
                       check=True, capture_output=True)
        for deb in os.listdir(debs):
            subprocess.run(["dpkg", "-x", os.path.join(debs, deb), ROOT], check=True)
        with open(done, "w", encoding="ascii"):
            pass


def why_not():
    """None when Postfix can be run here, else the reason."""
    if os.getuid() != 0:
        return "needs root for a mount namespace"
    if not shutil.which("apt-get"):
        return "needs apt-get"
    try:
        unpack()
    except (subprocess.CalledProcessError, OSError) as e:
        return f"the package cannot be had: {e}"
    return None


class Postfix:
    """One instance that listens on ip:port. `settings` go into main.cf."""

    def __init__(self, top, name, ip, port, settings):
        self.top = os.path.join(top, name)
        self.ip, self.port = ip, port
        for d in ("run", "etc/postfix", "var/lib/postfix", "var/log", "var/tmp",
                  "var/mail", "var/spool/postfix/pid"):
            os.makedirs(os.path.join(self.top, d), exist_ok=True)
        os.symlink("/run", os.path.join(self.top, "var/run"))
        self.users()
        self.spool()
        self.master_cf()
        with open(os.path.join(self.top, "etc/postfix/main.cf"), "w",
                  encoding="utf-8") as f:
            f.write(f"""compatibility_level = 3.6
myhostname = {name}.test
inet_interfaces = loopback-only
inet_protocols = ipv4
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
maillog_file = /var/log/postfix.log
biff = no
smtp_bind_address = {ip}
{settings}
""")
        self.p = None
        self.start()

    def users(self):
        for file, lines in (("passwd", "postfix:x:5101:5101::/nonexistent:/bin/false\n"
                             "postdrop:x:5102:5102::/nonexistent:/bin/false\n"),
                            ("group", "postfix:x:5101:\npostdrop:x:5102:\n")):
            with open("/etc/" + file, encoding="utf-8") as f:
                text = f.read()
            with open(os.path.join(self.top, "etc", file), "w", encoding="utf-8") as f:
                f.write(text + lines)

    def spool(self):
        spool = os.path.join(self.top, "var/spool/postfix")
        for d in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                  "incoming", "private", "saved", "trace"):
            os.makedirs(os.path.join(spool, d), exist_ok=True)
            os.chown(os.path.join(spool, d), 5101, -1)
            os.chmod(os.path.join(spool, d), 0o700)
        for d, mode in (("public", 0o710), ("maildrop", 0o730)):
            os.makedirs(os.path.join(spool, d), exist_ok=True)
            os.chown(os.path.join(spool, d), 5101, 5102)
            os.chmod(os.path.join(spool, d), mode)
        os.chown(os.path.join(self.top, "var/lib/postfix"), 5101, 5101)
        os.chown(os.path.join(self.top, "var/mail"), 5101, 5101)
        os.chmod(self.top, 0o755)

    def master_cf(self):
        with open(os.path.join(ROOT, "usr/share/postfix/master.cf.dist"),
                  encoding="utf-8") as f:
            lines = f.read().splitlines()
        out, seen = [], False
        for line in lines:
            words = line.split()
            if line[:1] in ("#", " ") or len(words) < 8:
                out.append(line)
                continue
            if words[:2] == ["smtp", "inet"]:
                words[0] = f"{self.ip}:{self.port}"
            words[4] = "n"          # no chroot: the files a jail needs are not there
            seen = seen or words[0] == "postlog"
            out.append(" ".join(words))
        if not seen:
            out.append("postlog unix-dgram n - n - 1 postlogd")
        with open(os.path.join(self.top, "etc/postfix/master.cf"), "w",
                  encoding="utf-8") as f:
            f.write("\n".join(out) + "\n")

    def inside(self, *cmd):
        return ["unshare", "--mount", "--propagation", "private", "bash", "-c",
                IN_NAMESPACE, "postfix", ROOT, self.top, *cmd]

    def start(self):
        self.p = subprocess.Popen(self.inside("/usr/lib/postfix/sbin/master", "-d"),
                                  start_new_session=True, stdin=subprocess.DEVNULL)

    def run(self, *cmd, **kw):
        return subprocess.run(self.inside(*cmd), check=True, **kw)

    def log(self):
        try:
            with open(os.path.join(self.top, "var/log/postfix.log"),
                      encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def stop(self):
        """Only processes of the session that start() made."""
        if self.p is None:
            return
        for sig in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.pids():
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
            for _ in range(50):
                self.p.poll()
                if not self.pids():
                    break
                time.sleep(0.05)
        self.p.wait()
        self.p = None

    def pids(self):
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                if os.getsid(int(name)) == self.p.pid:
                    with open(f"/proc/{name}/stat", encoding="ascii") as f:
                        if f.read().rsplit(")", 1)[1].split()[0] != "Z":
                            found.append(int(name))
            except (ProcessLookupError, FileNotFoundError):
                pass
        return found
