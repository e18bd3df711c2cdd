"""The queue taken out, put in, packed, checked and looked back at."""
import os
import subprocess
import time

import mxtest
from mxtest import message, wait_for


class Trace(mxtest.Case):
    def events_of(self, *args):
        return self.ctl_json("trace", *args)["events"]

    def test_trace_tells_what_became_of_mail_newest_first(self):
        self.start()
        primary = self.primary()
        qid = self.send(message(1), sender="one@a.test")
        self.send(message(2), sender="two@a.test", rcpts=("other@example.test",))
        self.wait_delivered(primary, 2)
        self.wait_empty()
        for stopped in (False, True):
            if stopped:
                self.stop()
            got = self.events_of("one@a.test")
            self.assertEqual([e["what"] for e in got], ["forwarded", "kept"])
            for key in ("at", "id", "what", "sender", "recipient", "message_id", "text"):
                self.assertIn(key, got[0])
            self.assertEqual({e["id"] for e in got}, {qid})
            self.assertEqual(self.events_of(qid), got)
            self.assertEqual(self.events_of(got[0]["message_id"]), got)
            self.assertEqual(self.events_of(got[0]["message_id"].strip("<>")), got)
            self.assertEqual(len(self.events_of("@example.test", "--since", "1h")), 4)
            self.assertIn("forwarded", self.ctl("-o", "table", "trace", qid))
            self.ctl("trace", "nobody@example.test", code=4)
            self.ctl("trace", code=2)
            self.ctl("trace", qid, "--since", "soon", code=2)
            self.ctl("queue", "list", "--since", "1h", code=2)


class Compact(mxtest.Case):
    def size(self):
        return os.path.getsize(self.path("state/queue/data.mdb"))

    def fill(self, megabytes):
        """One message, and the room that others took."""
        qid = self.send(message(1))
        gone = [self.send(message(2, 1 << 20)) for _ in range(megabytes)]
        self.ctl("--yes", "queue", "delete", *gone)
        wait_for("their content to be swept", lambda: self.ctl_json(
            "status")["disk"]["queue_used_bytes"] < 2 << 20)
        return qid, gone[-1]

    def test_compact_shrinks_the_file_and_loses_nothing(self):
        self.start()
        qid, last = self.fill(8)
        raw = self.ctl("msg", "raw", qid, raw=True)
        shown = self.ctl_json("msg", "show", qid)
        p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                            self.path("mxholdd.conf"), "queue", "compact"],
                           capture_output=True, check=False, timeout=60)
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"stop it", p.stderr)
        self.stop()
        before = self.size()
        dry = self.ctl_json("--dry-run", "queue", "compact")
        self.assertEqual((dry["before_bytes"], self.size()), (before, before))
        got = self.ctl_json("queue", "compact")
        self.assertEqual(got["before_bytes"], before)
        self.assertEqual(got["after_bytes"], self.size())
        self.assertLess(got["after_bytes"], 1 << 20)
        self.assertEqual(got["messages"], 1)
        self.assertIn("->", self.ctl("-o", "table", "queue", "compact"))
        self.ctl("queue", "verify")
        self.start()
        self.assertEqual(self.ctl("msg", "raw", qid, raw=True), raw)
        again = self.ctl_json("msg", "show", qid)
        self.assertEqual(again["recipients"][0]["address"],
                         shown["recipients"][0]["address"])
        self.assertGreater(self.send(message(3)), last)
        primary = self.primary()
        self.wait_delivered(primary, 2)

    def test_the_daemon_compacts_a_mostly_empty_file_at_start(self):
        self.start()
        qid, _ = self.fill(70)
        self.stop()
        self.assertGreater(self.size(), 64 << 20)
        self.start()
        self.assertEqual(len(self.events("queue.compacted")), 1)
        self.assertLess(self.size(), 1 << 20)
        self.assertEqual(self.ctl("-o", "id", "queue", "list").split(), [qid])
        self.ctl("queue", "verify")

    def test_killed_at_any_moment_the_queue_is_whole(self):
        self.start()
        for n in range(30):
            self.send(message(n, 1 << 20))
        self.stop()
        count = self.count()
        args = [os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                self.path("mxholdd.conf"), "queue", "compact"]
        killed = 0
        for n in range(20):
            p = subprocess.Popen(args, stdout=subprocess.DEVNULL)
            time.sleep(0.004 * n)
            p.kill()
            killed += p.wait() != 0
            self.ctl("queue", "verify")
            self.assertEqual(self.count(), count)
        self.assertTrue(killed)
        self.start()
        self.ctl("queue", "verify")
        self.assertFalse(os.path.exists(self.path("state/queue/data.mdb.new")))


class Versions(mxtest.Case):
    def patch(self, old, new):
        """Rows of meta where they stand in the file."""
        path = self.path("state/queue/data.mdb")
        with open(path, "rb") as f:
            data = f.read()
        self.assertIn(old, data)
        with open(path, "wb") as f:
            f.write(data.replace(old, new))

    def test_a_queue_of_a_newer_version_is_refused_and_left_alone(self):
        self.start()
        self.send(message())
        self.stop()
        for good, newer in ((b"format\x01\0\0\0\1", b"format\x01\0\0\0\2"),
                            (b"format\x01\0\0\0\1", b"format\x02\0\0\0\1"),
                            (b"state\x01", b"state\x02")):
            self.patch(good, newer)
            p = subprocess.run([os.path.join(mxtest.BIN, "mxholdd"), "-c",
                                self.path("mxholdd.conf")],
                               capture_output=True, check=False, timeout=60)
            self.assertEqual(p.returncode, 1, p.stderr)
            self.assertIn(b"newer version of this program", p.stderr)
            for args in (("status",), ("queue", "count"), ("queue", "verify")):
                p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                                    self.path("mxholdd.conf"), *args],
                                   capture_output=True, check=False, timeout=60)
                self.assertEqual(p.returncode, 1, p.stderr)
                self.assertIn(b"newer version of this program", p.stderr)
            self.patch(newer, good)
        self.start()
        self.assertEqual(self.count(), 1)


if __name__ == "__main__":
    mxtest.main()
