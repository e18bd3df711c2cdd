"""Domains come, go and are re-pointed by a reload with mail queued."""
import time

import mxtest
from mxtest import message, wait_for


class Domains(mxtest.Case):
    def setUp(self):
        super().setUp()
        self.more = ""

    def config_text(self):
        return super().config_text() + self.more

    def second(self, port=2527):
        return f"""
domain "second.test" {{
    primary = "{self.ip}:{port}"
    recipients = "{self.path('rcpt2')}"
}}
"""

    def test_a_domain_is_added(self):
        self.start()
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            self.assertEqual(c.cmd("RCPT TO:<me@second.test>")[0], 550)
        self.write("rcpt2", "me\n")
        self.more = self.second()
        self.reload()

        def taken():
            with self.client() as c:
                c.cmd("MAIL FROM:<a@b.test>")
                return c.cmd("RCPT TO:<me@second.test>")[0] == 250
        wait_for("the new domain", taken)
        self.send(message(), rcpts=("me@second.test",))

    def test_a_domain_removed_with_mail_queued_is_held_with_an_alarm(self):
        self.write("rcpt2", "me\n")
        self.more = self.second()
        self.start()
        self.send(message(), rcpts=("me@second.test",))
        self.more = ""
        second = self.primary(port=2527, name="second")
        self.reload()
        wait_for("an alarm", lambda: any("second.test" in a for a in
                                         self.ctl_json("status")["alarms"]))
        time.sleep(1)
        self.assertEqual(self.count(), 1)
        self.assertEqual(second.index(), [])
        self.more = self.second()
        self.reload()
        self.wait_delivered(second, 1)
        self.wait_empty()

    def test_a_domain_is_pointed_elsewhere_with_mail_queued(self):
        self.start()
        self.send(message())
        wait_for("down", lambda: self.primary_state() == "down")
        elsewhere = self.primary(port=2527, name="elsewhere")
        self.PRIMARY = 2527
        self.reload()
        self.wait_delivered(elsewhere, 1)
        self.wait_empty()

    def test_one_message_for_two_domains_goes_to_both_primaries(self):
        self.write("rcpt2", "me\n")
        self.more = self.second()
        self.start()
        self.send(message(), rcpts=("user@example.test", "me@second.test"))
        self.assertEqual(self.count(), 1)
        first = self.primary()
        self.wait_delivered(first, 1)
        self.assertEqual(self.count(), 1)
        second = self.primary(port=2527, name="second")
        self.wait_delivered(second, 1)
        self.wait_empty()
        self.assertEqual(len(first.index()), 1)

    def test_a_recipient_list_is_read_again(self):
        self.start()
        self.recipients.append("new@example.test")
        self.reload()

        def known():
            got = self.ctl_json("recipients", "test", "example.test", "new@example.test")
            return got["verdict"] == "accept"
        wait_for("the new recipient", known)

    def test_mail_is_deferred_while_the_primary_is_up_if_so_wanted(self):
        self.domain_extra = 'when_up = "defer"'
        self.start()
        wait_for("down", lambda: self.primary_state() == "down")
        self.send(message())
        primary = self.primary()
        self.wait_delivered(primary, 1)

        def answer():
            with self.client() as c:
                c.cmd("MAIL FROM:<a@b.test>")
                return c.cmd("RCPT TO:<user@example.test>")
        wait_for("451 4.3.2", lambda: answer()[1].startswith("4.3.2"))
        got = self.ctl_json("recipients", "test", "example.test", "user@example.test")
        self.assertEqual(got["verdict"], "defer", got)
        self.assertTrue(got["reply"].startswith("451 4.3.2"), got)
        primary.stop()
        wait_for("mail to be taken", lambda: answer()[0] == 250)

    def test_sighup_under_load_loses_nothing(self):
        self.start()
        for n in range(50):
            self.send(message(n))
            if n % 10 == 0:
                self.reload()
        self.assertEqual(self.count(), 50)


if __name__ == "__main__":
    mxtest.main()
