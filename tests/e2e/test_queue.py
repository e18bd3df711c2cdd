"""The queue taken out, put in, packed, checked and looked back at."""
import os
import subprocess

import mxtest
from mxtest import message


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
