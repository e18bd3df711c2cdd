"""Disks that fail, for the end-to-end tests: strace in the way of single
system calls, a small file system, readers that hold a snapshot, and the
ledger of what was promised.

The oracle is always the same: what got a 250 is at the primary, byte for
byte and once; what got none is there whole or not at all.
"""
import collections
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

import mxtest
from mxtest import BIN, message, wait_for, without_our_trace

STRACE = shutil.which("strace")


def _can_trace():
    """Is strace there, and may it fail calls of a process of ours?"""
    if not STRACE:
        return False
    with subprocess.Popen(["sleep", "60"]) as p:
        try:
            Inject(p.pid, "fdatasync:error=EIO").stop()
        except AssertionError:
            return False
        finally:
            p.kill()
    return True


class Inject:
    """System calls of a running daemon fail, or linger, while this lasts.

    with Inject(pid, "fdatasync:error=EIO:when=1+", path): ...
    Only calls on that file; each thread has a counter (when=) of its own.
    """

    def __init__(self, pid, what, path=None):
        calls = what.split(":")[0]
        args = [STRACE, "-f", "-p", str(pid), "-o", os.devnull,
                "-e", f"trace={calls}", "-e", f"inject={what}"]
        if path:
            args += ["-P", path]
        self.p = subprocess.Popen(args, stderr=subprocess.PIPE, text=True)
        said = line = self.p.stderr.readline()
        while line and "attached" not in line:
            line = self.p.stderr.readline()
            said += line
        if not line:
            self.p.wait()
            self.p.stderr.close()
            raise AssertionError(f"strace does not attach: {said}")

    def stop(self):
        self.p.send_signal(signal.SIGINT)
        self.p.stderr.read()
        self.p.wait()
        self.p.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


CAN_TRACE = _can_trace()
# A sanitizer looks for leaks by tracing the process itself: the two exclude
# each other.
needs_strace = unittest.skipUnless(
    CAN_TRACE and not os.environ.get("MXHOLD_SLOW"), "SKIPPED, NOTHING PROVED: strace is missing or may not attach")
needs_root = unittest.skipUnless(
    os.getuid() == 0, "SKIPPED, NOTHING PROVED: needs root to mount a file system")


class Ledger:
    """What was sent, and what the daemon said to it."""

    def __init__(self):
        self.kept, self.refused, self.unknown = [], [], []
        self.lock = threading.Lock()

    def note(self, content, code):
        with self.lock:
            if code is None:
                self.unknown.append(content)
            elif code == 250:
                self.kept.append(content)
            else:
                self.refused.append(content)

    @staticmethod
    def assert_no_5xx(code, text):
        """Trouble of ours is never the sender's fault."""
        if code is not None and not (code == 250 or 400 <= code < 500):
            raise AssertionError(f"{code} {text}")


class DiskCase(mxtest.Case):
    def setUp(self):
        super().setUp()
        self.ledger = Ledger()

    # Sending

    def offer(self, content=None, client=None, **kw):
        """One message; (code, text), code None when nothing was answered."""
        content = content or message()
        code, text = None, ""
        try:
            with contextlib.ExitStack() as stack:
                c = client or stack.enter_context(self.client())
                code, text = c.mail(content, **kw)
        except (EOFError, ConnectionError):
            pass
        self.ledger.note(content, code)
        self.ledger.assert_no_5xx(code, text)
        return code, text

    def offer_all(self, contents, sessions):
        """The same by several sessions at once."""
        todo = collections.deque(contents)

        def run():
            while todo:
                try:
                    content = todo.popleft()
                except IndexError:
                    return
                self.offer(content)
        threads = [threading.Thread(target=run) for _ in range(sessions)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def is_taken(self):
        return self.offer()[0] == 250

    # What must be true in the end

    def verify(self):
        got = self.ctl_json("queue", "verify")
        self.assertEqual((got["problems"], got["found"]), (0, []))

    def assert_ledger(self, primary, copies=None):
        """Everything has arrived; `copies` names contents that may be there
        more than once, with how often at most."""
        got = collections.Counter(without_our_trace(c)[0] for c in primary.contents())
        known = set()
        for content in self.ledger.kept:
            known.add(content)
            most = (copies or {}).get(content, 1)
            self.assertIn(got[content], range(1, most + 1),
                          f"kept, arrived {got[content]} times: {content[:200]}")
        for content in self.ledger.unknown:
            known.add(content)
            self.assertLessEqual(got[content], (copies or {}).get(content, 1))
        for content in self.ledger.refused:
            known.add(content)
            self.assertEqual(got[content], 0, f"refused, but sent on: {content[:200]}")
        strange = [c for c in got if c not in known]
        self.assertEqual(strange, [], "what nobody sent so")

    def bring_to_an_end(self, primary=None):
        """With a disk that is well: whole at rest, all at the primary."""
        if not self.daemon:
            self.verify()
            self.start()
        self.verify()
        primary = primary or self.primary()
        self.wait_empty()
        self.verify()
        self.assert_ledger(primary)

    # The daemon

    @property
    def queue_file(self):
        return self.path("state/queue/data.mdb")

    def alarms(self):
        return " / ".join(self.ctl_json("status")["alarms"])

    def disk(self):
        return self.ctl_json("status")["disk"]

    def inject(self, what, path=None):
        return Inject(self.daemon.pid, what, path or self.queue_file)

    def has_ended(self):
        """It ended of itself, with 1; to be started anew as systemd would."""
        if self.daemon.poll() is None:
            return False
        self.assertEqual(self.daemon.returncode, 1, self.log()[-3000:])
        self.daemon = None
        return True

    def configure(self):
        """A list is read once its file was left alone for a second: it was."""
        conf = super().configure()
        then = time.time() - 60
        os.utime(self.path("rcpt"), (then, then))
        return conf

    def reload_or_end(self):
        before = len(self.events("config.reloaded"))
        self.configure()
        self.daemon.send_signal(signal.SIGHUP)
        wait_for("the reload or an end", lambda: self.daemon.poll() is not None or
                 len(self.events("config.reloaded")) > before)

    def wait_ended(self):
        wait_for("the end", lambda: self.daemon.poll() is not None)
        self.assertTrue(self.has_ended())


class SmallDisk(DiskCase):
    """The state lies on a file system of its own."""

    SIZE = 48   # MiB

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("disk"))
        self.image = self.path("disk.img")
        subprocess.run(["truncate", "-s", f"{self.SIZE}M", self.image], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.path("disk")], check=True)

    def unmount(self):
        subprocess.run(["umount", self.path("disk")], check=True)

    def tearDown(self):
        try:
            self.stop()
        finally:
            subprocess.run(["umount", "-l", self.path("disk")], check=False,
                           stderr=subprocess.DEVNULL)
            super().tearDown()

    def config_text(self):
        return super().config_text().replace(self.path("state"), self.path("disk/state"))

    @property
    def queue_file(self):
        return self.path("disk/state/queue/data.mdb")

    def leave_free(self, octets):
        """Others take the disk but for that much."""
        with open(self.path("disk/other"), "ab") as f:
            while True:
                fs = os.statvfs(self.path("disk"))
                more = fs.f_bavail * fs.f_frsize - octets
                if more <= 0:
                    return
                try:
                    f.write(b"\0" * min(more, 1 << 20))
                    f.flush()
                except OSError:
                    return

    def fill(self):
        """Others take all of it, what root alone may have too."""
        with open(self.path("disk/other"), "ab", buffering=0) as f:
            for piece in (1 << 20, 1 << 10):
                try:
                    while True:
                        f.write(b"\0" * piece)
                except OSError:
                    pass

    def give_back(self):
        os.unlink(self.path("disk/other"))


class Reader:
    """Another process with a snapshot of the queue open: what nobody of ours
    does for longer than a moment. LMDB itself, by ctypes."""

    CODE = """
import ctypes, sys, time
lib = ctypes.CDLL("liblmdb.so.0")
env, txn = ctypes.c_void_p(), ctypes.c_void_p()
def must(rc):
    if rc:
        raise SystemExit("lmdb: %d" % rc)
must(lib.mdb_env_create(ctypes.byref(env)))
must(lib.mdb_env_open(env, sys.argv[1].encode(), 0x20000 | 0x200000, 0o600))
if sys.argv[2] == "hold":
    must(lib.mdb_txn_begin(env, None, 0x20000, ctypes.byref(txn)))
    print("ready", flush=True)
    time.sleep(600)
line = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
lib.mdb_reader_list(env, line(lambda text, _: print(text.decode(), end="") or 0), None)
"""

    def __init__(self, queue_dir):
        self.p = subprocess.Popen([sys.executable, "-c", self.CODE, queue_dir, "hold"],
                                  stdout=subprocess.PIPE)
        assert self.p.stdout.readline() == b"ready\n"
        self.pid = self.p.pid

    def stop(self):
        self.p.kill()
        self.p.wait()
        self.p.stdout.close()

    @classmethod
    def pids(cls, queue_dir):
        """Of all that have a slot in the table of readers."""
        got = subprocess.run([sys.executable, "-c", cls.CODE, queue_dir, "list"],
                             check=True, capture_output=True, text=True)
        return [int(m) for m in re.findall(r"(?m)^\s*(\d+)\s", got.stdout)]


__all__ = ["BIN", "CAN_TRACE", "DiskCase", "Inject", "Ledger", "Reader", "STRACE",
           "SmallDisk", "message", "mxtest", "needs_root", "needs_strace", "time",
           "wait_for", "without_our_trace"]
