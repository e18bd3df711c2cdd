"""The main job: mail is kept while the primary is away and handed over when
it is back, whole, once, for each recipient on its own."""
import re

import mxtest
from mxtest import message, wait_for, without_our_trace


class Outage(mxtest.Case):
    def test_mail_survives_a_kill_and_arrives_byte_for_byte(self):
        # TX-11
        self.start()
        sent = [message(n, size) for n, size in enumerate(
            (0, 1000, 4080, 10240, 300000, 3000000))]
        for content in sent:
            self.send(content)
        self.assertEqual(self.count(), len(sent))
        self.kill()
        self.start()
        self.assertEqual(self.count(), len(sent))
        primary = self.primary()
        self.wait_delivered(primary, len(sent))
        self.wait_empty()
        got = [without_our_trace(c)[0] for c in primary.contents()]
        self.assertEqual(sorted(got), sorted(sent))

    def test_our_trace_line_names_client_id_and_recipient(self):
        self.start()
        qid = self.send(message())
        primary = self.primary()
        self.wait_delivered(primary, 1)
        _, trace = without_our_trace(primary.content(1))
        flat = re.sub(rb"\r\n[ \t]+", b" ", trace)
        self.assertRegex(flat, rb"^Received: from client\.test \(.*\["
                         + self.ip.encode().replace(b".", rb"\.") + rb"\]")
        self.assertIn(b"by mx2.test", flat)
        self.assertIn(b"with ESMTP id " + qid.encode(), flat)
        self.assertIn(b"for <user@example.test>;", flat)

    def test_strangers_cannot_relay_and_unknown_recipients_are_refused(self):
        self.start()
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            self.assertRegex(" ".join(map(str, c.cmd("RCPT TO:<x@elsewhere.test>"))),
                             r"^550 5\.7\.1")
            self.assertRegex(" ".join(map(str, c.cmd("RCPT TO:<nobody@example.test>"))),
                             r"^550 5\.1\.1")
            self.assertEqual(c.cmd("RCPT TO:<USER@example.TEST>")[0], 250)
            self.assertEqual(c.cmd("RCPT TO:<user+tag@example.test>")[0], 250)
            self.assertEqual(c.cmd("RCPT TO:<PostMaster>")[0], 250)
        self.assertEqual(self.count(), 0)

    def test_each_recipient_is_settled_on_its_own(self):
        self.config_extra = 'bounce { send = "none"  otherwise = "drop" }'
        self.domain_extra = ""
        self.global_extra = 'breaker { first_5xx = "1s"  max_5xx = 100 }'
        primary = self.primary("rcptmix@1")
        self.start()
        self.send(message(), rcpts=("user@example.test", "other@example.test",
                                    "third@example.test"))
        self.wait_empty()
        got = [r for row in primary.index() for r in row["rcpt"]]
        # 250 at once; 450 again later; 550 for a listed one again until
        # first_5xx is over: the second session takes them all.
        self.assertEqual(len(got), 3)
        self.assertEqual(len(set(got)), 3)

    def test_a_temporary_refusal_is_tried_again_and_not_bounced(self):
        # TX-45
        primary = self.primary("greylist")
        self.start()
        self.send(message())
        self.wait_delivered(primary, 1)
        self.wait_empty()
        self.assertTrue(self.events("message.deferred"))

    def test_a_reply_lost_after_the_dot_is_sent_again(self):
        # TX-13
        primary = self.primary("drop=dot@2")
        self.start()
        content = message()
        qid = self.send(content)
        self.wait_delivered(primary, 1)
        self.wait_empty()
        traces = {without_our_trace(c)[1] for c in primary.contents()}
        self.assertEqual(len(traces), 1, "the copies differ")
        self.assertIn(qid.encode(), traces.pop())

    def test_parameters_are_kept_and_passed_on(self):
        # TX-41
        self.start()
        primary = self.primary("utf8")
        with self.client() as c:
            self.assertIn("SMTPUTF8", c.ehlo_reply[1])
            self.assertEqual(c.cmd("MAIL FROM:<käthe@client.test> SMTPUTF8 "
                                   "BODY=8BITMIME RET=HDRS ENVID=QQ314159")[0], 250)
            self.assertEqual(c.cmd("RCPT TO:<user@example.test> NOTIFY=SUCCESS,FAILURE "
                                   "ORCPT=rfc822;user@example.test")[0], 250)
            self.assertEqual(c.data("Subject: Grüße\r\n\r\nä\r\n".encode())[0], 250)
        self.wait_delivered(primary, 1)
        cmds = primary.commands()
        mail = [c for c in cmds if c.startswith("MAIL")][-1]
        rcpt = [c for c in cmds if c.startswith("RCPT") and "user@" in c][-1]
        for word in ("SMTPUTF8", "BODY=8BITMIME", "RET=HDRS", "ENVID=QQ314159", "SIZE="):
            self.assertIn(word, mail)
        self.assertIn("NOTIFY=SUCCESS,FAILURE", rcpt)
        self.assertIn("ORCPT=rfc822;user@example.test", rcpt)

    def test_while_the_primary_is_down_its_mail_is_left_alone(self):
        # TX-48
        self.start()
        self.send(message())
        wait_for("state down", lambda: self.primary_state() == "down")
        row = self.ctl_json("queue", "list")["messages"][0]
        self.assertEqual((row["state"], row["attempts"]), ("ready", 0))

    def test_connections_are_reused(self):
        # TX-22
        self.start()
        for n in range(20):
            self.send(message(n))
        primary = self.primary()
        self.wait_delivered(primary, 20)
        mails = sum(c.startswith("MAIL") for c in primary.commands())
        self.assertGreaterEqual(mails, 20)
        self.assertLess(primary.sessions(), 16)

    def test_memory_is_bounded_while_a_large_message_passes(self):
        self.start()
        content = message(1, 40 << 20)
        before = self.rss_kib()
        self.send(content)
        self.assert_grew_less(before, 12 << 10)
        primary = self.primary()
        self.wait_delivered(primary, 1)
        self.assert_grew_less(before, 12 << 10)
        self.assertEqual(without_our_trace(primary.content(1))[0], content)


class Reports(mxtest.Case):
    def test_an_undeliverable_message_is_held_by_default(self):
        # DSN-11
        self.global_extra = 'breaker { first_5xx = "0s"  max_5xx = 100 }'
        self.primary("rcpt=550")
        self.start()
        self.send(message())
        wait_for("quarantine", lambda: self.listed("--state", "quarantine"))

    def test_with_send_all_a_report_goes_to_the_sender(self):
        # DSN-14
        self.global_extra = 'breaker { first_5xx = "0s"  max_5xx = 100 }'
        self.config_extra = 'bounce { send = "all"  route = "primary" }'
        primary = self.primary("dot=554")
        self.start()
        self.send(message(), params=" ENVID=abc", sender="sender@client.test")
        wait_for("the report", lambda: self.events("bounce.made"))
        primary.stop()
        primary.start()
        self.wait_delivered(primary, 1)
        row = primary.index()[0]
        self.assertIn("sender@client.test", row["rcpt"][0])
        self.assertTrue(row["from"].startswith("<>"), row["from"])
        report = primary.content(row["n"])
        for part in (b"multipart/report", b"message/delivery-status",
                     b"Final-Recipient: rfc822; user@example.test",
                     b"Original-Envelope-Id: abc", b"Action: failed",
                     b"Diagnostic-Code: smtp; 554"):
            self.assertIn(part, report)
        self.wait_empty()

    def test_a_null_sender_gets_no_report(self):
        # DSN-1 TX-51
        self.global_extra = 'breaker { first_5xx = "0s"  max_5xx = 100 }'
        self.config_extra = 'bounce { send = "all"  route = "primary" }'
        primary = self.primary("dot=554")
        self.start()
        self.send(message(), sender="")
        self.wait_empty()
        self.assertEqual(primary.index(), [])


if __name__ == "__main__":
    mxtest.main()
