"""Rules of docs/protocol.md that only the whole daemon can show: what comes out
at the primary of what went in, and what the door says to whom."""
import re
import time

import mxtest
from mxtest import message, wait_for, without_our_trace

HOP = (b"Received: from a.test (a.test [192.0.2.7])\r\n\tby b.test with ESMTP id x;"
       b" Sun, 22 Nov 2026 00:00:00 +0000\r\n")


class Content(mxtest.Case):
    """In and out again: the message is the sender's, not ours."""

    def through(self, *contents, faults=(), params="", **kw):
        """What the primary gets of each, without our trace line."""
        primary = self.primary(*faults)
        self.start()
        with self.client() as c:
            for content in contents:
                code, said = c.mail(content, params=params, **kw)
                self.assertEqual(code, 250, said)
        self.wait_delivered(primary, len(contents))
        self.cmds = primary.commands()
        return [without_our_trace(c) for c in primary.contents()]

    def mails(self):
        """MAIL commands of messages, not of probes."""
        return [c for c in self.cmds if c.startswith("MAIL") and "SIZE=" in c
                and not c.startswith("MAIL FROM:<> SIZE=0")]

    def test_nothing_is_added_removed_or_mended(self):
        # MSG-8 MSG-9 MSG-10 MSG-19 MSG-28 TRC-1 TRC-2: no Date, no Message-ID, no
        # From; doubled and folded fields; the marks of others
        sent = (b"Return-Path: <old@x.test>\r\n" + HOP * 3 +
                b"Delivered-To: user@example.test\r\n"
                b"Subject: one\r\nSubject: two\r\n"
                b"x-long: " + b"word " * 30 + b"\r\n  folded\t\r\n \r\n"
                b"Resent-From: nobody\r\nTo: undisclosed recipients\r\n"
                b"\r\n. dot\r\n.. dots\r\n \r\n\r\n\r\n")
        (got, trace), = self.through(sent)
        self.assertEqual(got, sent)
        self.assertEqual(trace.count(b"Received:"), 1)
        for field in (b"Date:", b"Message-ID:", b"Return-Path:", b"X-"):
            self.assertNotIn(b"\n" + field, b"\n" + trace)

    def test_every_octet_comes_through(self):
        # MSG-16: NUL too, in the header, in the body and right before the end
        others = bytes(b for b in range(256) if b not in b"\r\n")
        sent = (b"Subject: \0x\r\nX-All: " + others + b"\r\n\r\n" +
                b"".join(b"%c\r\n" % b for b in others) + b"\0\r\n")
        (got, _), = self.through(sent)
        self.assertEqual(got, sent)

    def test_long_lines_are_not_folded(self):
        # MSG-12 MSG-13: 998 octets, 100,000 octets, and both in the header
        sent = (b"X-A: " + b"a" * 993 + b"\r\nX-B: " + b"b" * 99995 + b"\r\n\r\n" +
                b"c" * 998 + b"\r\n." + b"d" * 997 + b"\r\n" + b"e" * 100000 + b"\r\n")
        (got, _), = self.through(sent)
        self.assertEqual(got, sent)

    def test_text_without_a_header_is_parted_from_our_trace(self):
        # MSG-10 MSG-11: body text never becomes header
        for_all = (b"Just text, no field.\r\n", b"From joe to jim\r\nand no field\r\n",
                   b" folded\r\n")
        for (got, _), sent in zip(self.through(*for_all), for_all):
            self.assertEqual(got, b"\r\n" + sent)

    def test_eight_bits_without_the_word_are_8bitmime_afterwards(self):
        # MSG-17: nothing said, and a wrong word
        sent = b"Subject: x\r\n\r\nGr\xfc\xdfe\r\n"
        (got, _), = self.through(sent)
        self.assertEqual(got, sent)
        self.assertIn("BODY=8BITMIME", self.mails()[-1])
        with self.client() as c:
            self.assertEqual(c.mail(sent, params=" BODY=7BIT")[0], 250)
        self.wait_delivered(self.parts[0], 2)
        self.assertEqual(without_our_trace(self.parts[0].content(2))[0], sent)
        self.cmds = self.parts[0].commands()
        self.assertIn("BODY=8BITMIME", self.mails()[-1])

    def test_raw_utf8_in_a_field_grants_no_smtputf8(self):
        # MSG-18 MSG-27: legacy 8-bit; our own line stays ASCII
        sent = "Subject: Grüße\r\n\r\nx\r\n".encode()
        (got, trace), = self.through(sent, faults=("utf8",))
        self.assertEqual(got, sent)
        self.assertTrue(trace.isascii())
        self.assertIn("BODY=8BITMIME", self.mails()[-1])
        self.assertNotIn("SMTPUTF8", self.mails()[-1])

    def test_the_trace_line_tells_of_no_other_recipient(self):
        # MSG-19 MSG-22 MSG-23 MSG-24
        primary = self.primary()
        self.start()
        with self.client() as c:
            c.mail(message(1))
            c.mail(message(2), rcpts=("user@example.test", "other@example.test"))
        self.wait_delivered(primary, 2)
        one, two = (re.sub(rb"\r\n[ \t]+", b" ", without_our_trace(c)[1])
                    for c in sorted(primary.contents(), key=lambda c: b"message 2" in c))
        self.assertIn(b" for <user@example.test>;", one)
        self.assertNotIn(b" for ", two)
        for trace in (one, two):
            self.assertRegex(trace, rb"; [A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} "
                             rb"\d\d:\d\d:\d\d [+-]\d{4}\r\n$")
            self.assertRegex(trace, rb"^Received: from client\.test \(.*\[127\.")

    def test_the_form_of_an_address_is_kept(self):
        # ADR-2 ADR-5 ADR-6 ADR-7 ADR-9: no route, no needless quotes; case, signs
        # and short names as they were said
        self.recipients = ["joe@example.test", "a%b@example.test"]
        primary = self.primary()
        self.start()
        with self.client() as c:
            for sender, rcpt in (("@h.test,@i.test:Root@localhost", "@j.test:JoE@EXAMPLE.test"),
                                 ('"a.b"@x.test', 'joe+Tag/x@example.test'),
                                 ('"a b"@x.test', '"j\\o\\e"@example.test'),
                                 ("", "a%b@example.test")):
                self.assertEqual(c.mail(message(), sender=sender, rcpts=(rcpt,))[0], 250)
        self.wait_delivered(primary, 4)
        seen = {(row["from"].split(" ")[0], row["rcpt"][0].split(" ")[0])
                for row in primary.index() if '"a b"' not in row["from"]}
        self.assertEqual(seen, {
            ("<Root@localhost>", "<JoE@EXAMPLE.test>"),
            ("<a.b@x.test>", "<joe+Tag/x@example.test>"),
            ("<>", "<a%b@example.test>")})
        quoted = [row for row in primary.index() if '"a b"' in row["from"]]
        self.assertTrue(quoted[0]["from"].startswith('<"a b"@x.test>'), quoted)
        self.assertTrue(quoted[0]["rcpt"][0].startswith("<joe@example.test>"), quoted)


class Hops(mxtest.Case):
    def test_a_hundred_hops_pass_and_one_more_is_a_loop(self):
        # MSG-20 REP-16: counted in the header alone; nothing of a refused one is left
        self.start()
        large = b"0123456789abcdef" * 4 + b"\r\n"
        with self.client() as c:
            self.assertEqual(c.mail(HOP * 100 + b"\r\nx\r\n")[0], 250)
            self.assertEqual(c.mail(HOP + b"Subject: x\r\n\r\n" + HOP * 200)[0], 250)
            folded = b"rEcEiVeD  :\r\n\tfrom a\r\n\tby b; date\r\n"
            for hops in (HOP * 101, folded * 101, HOP * 50 + b"X: y\r\n" + HOP * 51):
                for body in (b"x\r\n", large * 20000):
                    code, said = c.mail(hops + b"\r\n" + body)
                    self.assertEqual((code, said[:5]), (554, "5.4.6"))
            self.assertEqual(c.cmd("NOOP")[0], 250)
        self.assertEqual(self.count(), 2)
        self.stop()
        self.ctl("queue", "verify")

    def test_the_limit_is_the_operators(self):
        # MSG-20
        self.global_extra = "smtp { max_hops = 3 }"
        self.start()
        with self.client() as c:
            self.assertEqual(c.mail(HOP * 3 + b"\r\nx\r\n")[0], 250)
            self.assertEqual(c.mail(HOP * 4 + b"\r\nx\r\n")[0], 554)


class Door(mxtest.Case):
    def test_who_says_another_name_is_let_in(self):
        # RX-7: no look-up of the name decides anything
        self.start()
        for name in ("localhost", "mx2.test", "[203.0.113.9]", "[IPv6:2001:db8::9]",
                     "no-such-host.invalid", "win_pc"):
            with self.client(ehlo=name) as c:
                self.assertEqual(c.mail(message())[0], 250, name)

    def test_one_reply_settles_the_message_for_all(self):
        # RX-20 RX-22 RX-29 RX-47 DSN-11: who cannot have it hears so at RCPT
        self.start()
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            said = [c.cmd(f"RCPT TO:<{rcpt}>") for rcpt in
                    ("user@example.test", "nobody@example.test", "x@elsewhere.test",
                     "other@example.test")]
            self.assertEqual([(code, text[:5]) for code, text in said],
                             [(250, "2.1.5"), (550, "5.1.1"), (550, "5.7.1"), (250, "2.1.5")])
            self.assertEqual(c.data(message())[0], 250)
            c.send(b"NOOP\r\n")
            self.assertEqual(c.reply(), (250, "2.0.0 ok"))
        row, = self.ctl_json("queue", "list")["messages"]
        self.assertEqual({r["address"] for r in row["recipients"]},
                         {"user@example.test", "other@example.test"})

    def test_a_hundred_recipients_and_no_more(self):
        # RX-21 REP-13: the 101st comes later, the hundred are delivered
        self.recipients = ["@"]
        primary = self.primary()
        self.start()
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            for n in range(100):
                self.assertEqual(c.cmd(f"RCPT TO:<u{n}@example.test>")[0], 250)
            for n in range(2):
                self.assertEqual(c.cmd("RCPT TO:<late@example.test>")[1][:5], "4.5.3")
            self.assertEqual(c.data(message())[0], 250)
        wait_for("all of them", lambda: len({r for row in primary.index()
                                             for r in row["rcpt"]}) == 100)

    def test_what_comes_at_once_is_answered_in_order(self):
        # RX-46: before the greeting, and behind DATA
        self.start()
        with self.client(greet=False) as c:
            c.send(b"EHLO client.test\r\nMAIL FROM:<a@b.test>\r\n"
                   b"RCPT TO:<user@example.test>\r\nDATA\r\nQUIT\r\nRSET\r\n.\r\nQUIT\r\n")
            self.assertEqual([c.reply()[0] for _ in range(7)],
                             [220, 250, 250, 250, 354, 250, 221])
        self.assertEqual(self.count(), 1)

    def test_421_says_why(self):
        # REP-2 RX-4 RX-41 RX-45: too many, idle, stopping
        self.config_extra = ('smtp { max_sessions = 2  max_sessions_per_ip = 9'
                             f'  command_timeout = "{5 * mxtest.SLOW}s" }}')
        self.start()
        with self.let_in() as a, self.let_in() as b:
            with self.client(greet=False) as c:
                self.assertEqual(c.rest()[:9], b"421 4.3.2")
            self.assertEqual(a.rest()[:9], b"421 4.4.2")
            self.assertEqual(b.rest()[:9], b"421 4.4.2")
        with self.let_in() as c:
            self.daemon.terminate()
            self.assertEqual(c.rest()[:9], b"421 4.3.2")
        self.stop()

    def let_in(self):
        """A client that has been greeted, when those before have been counted out."""
        def try_it():
            c = self.client(greet=False)
            if c.reply()[0] == 220:
                return c
            c.close()
            return None
        return wait_for("a session that is free", try_it)

    def config_text(self):
        # one smtp section may stand there
        text = super().config_text()
        if "max_sessions = 2" in self.config_extra:
            text = text.replace("smtp { max_sessions_per_ip = 1000 }\n", "")
        return text

    def test_postmaster_is_always_there(self):
        # RX-19: on no list, in any case and spelling, with no domain too
        self.recipients = ["user@example.test", "!postmaster@example.test"]
        primary = self.primary()
        self.start()
        spelt = ("postmaster", "POSTMASTER", "PostMaster@example.test",
                 '"postmaster"@EXAMPLE.TEST')
        for n, rcpt in enumerate(spelt):
            self.send(message(n), rcpts=(rcpt,))
        self.wait_delivered(primary, len(spelt))
        for row in primary.index():
            self.assertRegex(row["rcpt"][0].lower(), r"^<postmaster@example\.test>")
        with self.client() as c:
            c.cmd("MAIL FROM:<>")
            for rcpt in ("postmaster@elsewhere.test", f"postmaster@[{self.ip}]"):
                # ADR-12 REP-10: no literal is ours
                self.assertEqual(c.cmd(f"RCPT TO:<{rcpt}>")[1][:5], "5.7.1")

    def test_a_stranger_at_both_ends_is_never_served(self):
        # ADR-9 REP-8: a short name is no name of ours
        self.start()
        with self.client() as c:
            c.cmd("MAIL FROM:<a@localhost>")
            for rcpt in ("user@localhost", "user@example", "user@test", "user@mx2.test"):
                self.assertEqual(c.cmd(f"RCPT TO:<{rcpt}>"), (550, "5.7.1 relaying denied"))
            self.assertEqual(c.cmd("DATA")[0], 554)
        self.assertEqual(self.count(), 0)


class Sizes(mxtest.Case):
    def test_what_is_announced_is_what_is_taken(self):
        # MSG-14 MSG-15 EXT-1 EXT-4 REP-7: 64 KiB, to the octet
        limit = 65536
        self.config_extra = f'smtp {{ max_size = "64K" max_sessions_per_ip = 1000 }}'
        self.start()
        fits = message(1)
        fits += b"x" * (limit - len(fits) - 2) + b"\r\n"
        self.assertEqual(len(fits), limit)
        with self.client() as c:
            self.assertIn(f"SIZE {limit}", c.ehlo_reply[1].split("\n"))
            self.assertEqual(c.mail(fits, params=f" SIZE={limit}")[0], 250)
            self.assertEqual(c.mail(fits, params=f" SIZE={limit + 1}")[1][:5], "5.3.4")
            self.assertEqual(c.mail(fits + b"\r\n")[1][:5], "5.3.4")
            self.assertEqual(c.mail(b"\r\n" + fits, params=" SIZE=1")[1][:5], "5.3.4")
            self.assertEqual(c.mail(fits)[0], 250)
        self.assertEqual(self.count(), 2)

    def config_text(self):
        return super().config_text().replace("smtp { max_sessions_per_ip = 1000 }\n", "")


class Trouble(mxtest.Case):
    def test_a_connection_lost_before_the_end_leaves_nothing(self):
        # RX-27 RX-30: at each step; behind the dot the message is ours
        self.start()
        steps = (b"MAIL FROM:<a@b.test>\r\n", b"RCPT TO:<user@example.test>\r\n",
                 b"DATA\r\n", b"Subject: x\r\n\r\n", b"text\r\n", b".", b"\r")
        for n in range(1, len(steps) + 1):
            with self.client() as c:
                c.send(b"".join(steps[:n]))
                time.sleep(0.02)
        with self.client() as c:
            c.send(b"".join(steps) + b"\n")
        wait_for("the end of all", lambda: len(self.events("session.close")) >=
                 len(steps) + 1)
        wait_for("the one that was whole", lambda: self.count() == 1)

    def test_a_250_outlives_a_kill(self):
        # RX-26: the very moment after
        self.start()
        qids = set()
        for n in range(5):
            qids.add(self.send(message(n, 5000 * n)))
            self.kill()
            self.start()
        listed = {row["id"] for row in self.ctl_json("queue", "list")["messages"]}
        self.assertEqual(listed, qids)


if __name__ == "__main__":
    mxtest.main()
