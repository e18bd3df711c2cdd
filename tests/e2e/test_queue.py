"""The queue taken out, put in, packed, checked and looked back at."""
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


if __name__ == "__main__":
    mxtest.main()
