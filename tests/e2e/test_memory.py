"""Memory: what many clients at once cost is bounded, and when there is less than
that, nothing that was acknowledged is lost."""
import glob
import os
import resource
import threading
import time
import unittest

import mxtest
from mxtest import message, wait_for

MIB = 1 << 20


def new_group():
    """A control group whose memory can be limited: (directory, file of the limit)."""
    name = f"mxhold-test-{os.getpid()}-{time.monotonic_ns()}"
    for top, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                       ("/sys/fs/cgroup", "memory.max")):
        group = os.path.join(top, name)
        try:
            os.mkdir(group)
        except OSError:
            continue
        if os.access(os.path.join(group, limit), os.W_OK):
            return group, os.path.join(group, limit)
        os.rmdir(group)
    return None, None


class Case(mxtest.Case):
    CLIENTS, MESSAGES = 80, 3

    def setUp(self):
        super().setUp()
        self.config_extra = f"smtp {{ max_sessions = {self.CLIENTS} }}"
        self.acked, self.codes = [], []

    def config_text(self):
        return super().config_text().replace(
            'max_bytes = "4G"  map_size = "8G"', 'max_bytes = "1G"  map_size = "2G"')

    def sender(self, k):
        try:
            with self.client() as c:
                for n in range(self.MESSAGES):
                    code, said = c.mail(message(k * 100 + n, 2 * MIB))
                    self.codes.append(code)
                    if code == 250:
                        self.acked.append(said.split()[-1])
        except (OSError, EOFError, AssertionError) as e:
            self.codes.append(repr(e))

    def flood(self):
        """All clients at once, each with large messages."""
        threads = [threading.Thread(target=self.sender, args=(k,))
                   for k in range(self.CLIENTS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def assert_nothing_is_lost(self):
        there = {row["id"] for row in self.listed()}
        self.assertEqual(set(self.acked) - there, set())
        self.ctl("queue", "verify")

    def start_again(self):
        """Whether it lives or not: as systemd would."""
        if self.daemon.poll() is None:
            self.kill()
        self.daemon = None
        self.start()


@unittest.skipIf(mxtest.SLOW > 1, "a sanitizer's memory is another")
class ControlGroup(Case):
    def setUp(self):
        super().setUp()
        self.group, self.limit = new_group()
        if not self.group:
            self.skipTest("no control group for memory can be made here")
        self.addCleanup(self.remove_group)

    def remove_group(self):
        def gone():
            try:
                os.rmdir(self.group)
            except OSError:
                return False
            return True
        wait_for("the group to be empty", gone)

    def start_within(self, octets):
        with open(self.limit, "w", encoding="ascii") as f:
            f.write(str(octets))
        self.start(prefix=("sh", "-c", f'echo $$ >{self.group}/cgroup.procs; exec "$@"', "sh"))

    def kills(self):
        for name in ("memory.oom_control", "memory.events"):
            for file in glob.glob(os.path.join(self.group, name)):
                with open(file, encoding="ascii") as f:
                    return sum(int(line.split()[1]) for line in f if line.startswith("oom_kill "))
        return 0

    def test_a_hundred_and_twenty_megabytes_are_enough_for_eighty_who_stream(self):
        self.start_within(120 * MIB)
        self.flood()
        self.assertEqual(self.kills(), 0)
        self.assertIsNone(self.daemon.poll())
        self.assertEqual(set(self.codes), {250})
        self.assert_nothing_is_lost()

    def test_killed_for_too_little_it_has_kept_what_it_said(self):
        self.start_within(16 * MIB)
        self.flood()
        self.start_again()
        self.assert_nothing_is_lost()


@unittest.skipIf(mxtest.SLOW > 1, "a sanitizer's memory is another")
class Limit(Case):
    def limit(self, room):
        """At most so many octets more than it has now."""
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as f:
            data = next(int(line.split()[1]) for line in f if line.startswith("VmData"))
        resource.prlimit(self.daemon.pid, resource.RLIMIT_DATA, (data * 1024 + room,) * 2)

    def test_where_malloc_fails_it_says_so_or_starts_anew(self):
        """RLIMIT_DATA: 4xx as long as that can be said; never 250 for nothing. How much
        is too little depends on how many clients are served at once: less and less."""
        self.start()
        for room in (8 * MIB, 2 * MIB, 0):
            self.limit(room)
            self.flood()
            self.start_again()
            self.assert_nothing_is_lost()
        refused = [code for code in self.codes if code != 250]
        self.assertTrue(refused)
        for code in refused:
            self.assertTrue(isinstance(code, str) or code in (421, 451, 452, 503), code)


if __name__ == "__main__":
    mxtest.main()
