"""Bad input: a clear answer to whoever caused it, and nothing is lost."""
import socket
import time

import mxtest
from mxtest import message, wait_for, without_our_trace


class BadInput(mxtest.Case):
    def setUp(self):
        super().setUp()
        self.start()

    def assert_serves(self):
        """A good client is still served."""
        before = self.count()
        self.send(message(99))
        self.assertEqual(self.count(), before + 1)

    def test_garbage_is_answered_and_ends_with_421(self):
        with self.client(ehlo=None) as c:
            for _ in range(30):
                try:
                    c.send(b"\x00\xff\xfe garbage \x80\r\n")
                    code, _text = c.reply()
                except (EOFError, ConnectionError):
                    break
                self.assertIn(code // 100, (4, 5))
                if code == 421:
                    break
            self.assertEqual(code, 421)
        self.assert_serves()

    def test_a_command_ending_in_bare_lf_is_refused(self):
        with self.client() as c:
            c.send(b"NOOP\nMAIL FROM:<a@b.test>\r\n")
            # each piece is refused, the one behind the LF too
            self.assertEqual([c.reply()[0], c.reply()[0]], [500, 500])
            self.assertEqual(c.cmd("RCPT TO:<user@example.test>")[0], 503)

    def test_nul_in_a_command_is_refused(self):
        with self.client() as c:
            self.assertEqual(c.cmd("MAIL FROM:<a@b.test>")[0], 250)
            c.send(b"RCPT TO:<user\0@example.test>\r\n")
            self.assertIn(c.reply()[0], (500, 501))
            self.assertEqual(c.cmd("DATA")[0] // 100, 5)

    def test_a_line_of_100_mb_costs_no_memory(self):
        before = self.rss_kib()
        with self.client(ehlo=None) as c:
            block = b"x" * (1 << 20)
            for _ in range(100):
                c.send(block)
            c.send(b"\r\n")
            self.assertEqual(c.reply()[0], 500)
            self.assertEqual(c.cmd("NOOP")[0], 250)
        self.assert_grew_less(before, 4096)
        self.assert_serves()

    def test_a_content_line_of_100_mb_is_refused_by_size(self):
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            c.cmd("RCPT TO:<user@example.test>")
            self.assertEqual(c.cmd("DATA")[0], 354)
            block = b"x" * (1 << 20)
            for _ in range(100):
                c.send(block)
            c.send(b"\r\n.\r\n")
            self.assertEqual(c.reply()[0], 552)
            self.assertEqual(c.cmd("NOOP")[0], 250)
        self.assertEqual(self.count(), 0)
        self.assert_serves()

    def test_commands_behind_starttls_are_never_executed(self):
        # TLS-2
        with self.client() as c:
            c.send(b"STARTTLS\r\nMAIL FROM:<evil@x.test>\r\nNOOP\r\n")
            said = c.rest()
            self.assertNotIn(b"2.1.0", said)
            self.assertNotIn(b"250 2.0.0", said)
            self.assertTrue(said.startswith(b"554 5.5.1 "), said)
        self.assert_serves()

    def test_a_client_that_vanishes_in_mid_body_leaves_nothing(self):
        for size in (1000, 3000000):
            c = self.client()
            c.cmd("MAIL FROM:<a@b.test>")
            c.cmd("RCPT TO:<user@example.test>")
            c.cmd("DATA")
            c.send(b"Subject: x\r\n\r\n" + b"0123456789\r\n" * (size // 12))
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           b"\1\0\0\0\0\0\0\0")
            c.close()
        wait_for("both sessions to end", lambda: len(self.events("session.close")) >= 2)
        self.assertEqual(self.count(), 0)
        self.assert_serves()
        self.ctl("queue", "verify")

    def test_only_crlf_dot_crlf_ends_a_message(self):
        ends = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\n.\r",
                b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n")
        for end in ends:
            with self.subTest(end=end), self.client() as c:
                before = self.count()
                c.cmd("MAIL FROM:<a@b.test>")
                c.cmd("RCPT TO:<user@example.test>")
                c.cmd("DATA")
                c.send(b"Subject: 1\r\n\r\nfirst" + end +
                       b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<user@example.test>\r\n"
                       b"DATA\r\nSubject: 2\r\n\r\nsmuggled\r\n.\r\n")
                self.assertEqual(c.reply()[0], 250)
                self.assertEqual(c.cmd("NOOP")[0], 250)
                self.assertEqual(self.count(), before + 1)

    def test_bare_newlines_leave_as_crlf(self):
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            c.cmd("RCPT TO:<user@example.test>")
            c.cmd("DATA")
            c.send(b"Subject: 1\n\nlone lf\nlone cr\rend\r\n.\r\n")
            self.assertEqual(c.reply()[0], 250)
        primary = self.primary()
        self.wait_delivered(primary, 1)
        self.assertEqual(without_our_trace(primary.content(1))[0],
                         b"Subject: 1\r\n\r\nlone lf\r\nlone cr\r\nend\r\n")

    def test_slow_clients_do_not_hold_up_good_ones(self):
        slow = [self.client(ehlo=None) for _ in range(200)]
        for c in slow:
            c.send(b"E")
        self.assert_serves()
        for c in slow:
            c.close()

    def test_an_http_request_is_sent_away(self):
        with self.client(ehlo=None) as c:
            c.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@b.test>\r\n")
            said = c.rest()
            self.assertNotIn(b"250", said)

    def test_a_message_with_101_received_fields_is_a_loop(self):
        hop = b"Received: from a.test by b.test; Sun, 22 Nov 2026 00:00:00 +0000\r\n"
        with self.client() as c:
            self.assertEqual(c.mail(hop * 101 + b"\r\nx\r\n")[0], 554)
            self.assertEqual(c.mail(hop * 99 + b"\r\nx\r\n")[0], 250)


class Stop(mxtest.Case):
    def test_being_told_again_and_again_does_not_cut_the_stop_short(self):
        for _ in range(10):
            self.start()
            while self.daemon.poll() is None:
                self.daemon.terminate()
            self.assertEqual(self.daemon.returncode, 0)
            self.daemon = None

    def test_an_idle_client_hears_421_when_the_daemon_stops(self):
        self.start()
        c = self.client()
        self.daemon.terminate()
        self.assertIn(b"421 4.3.2", c.rest())
        self.stop()

    def test_mail_under_way_is_finished_before_the_end(self):
        self.start()
        c = self.client()
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<user@example.test>")
        self.assertEqual(c.cmd("DATA")[0], 354)
        c.send(b"Subject: x\r\n\r\n")
        self.daemon.terminate()
        time.sleep(0.3)
        c.send(b"the end\r\n.\r\n")
        self.assertEqual(c.reply()[0], 250)
        self.stop()
        self.assertEqual(self.count(), 1)


if __name__ == "__main__":
    mxtest.main()
