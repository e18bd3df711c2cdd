"""One message in is one message out: a next hop that takes any dot for the end
of a message must not find a second one in what we hand over. The judge is what
that next hop stored, never what anybody said."""
import time

import mxtest
from mxtest import without_our_trace

# MSG-1 MSG-2 MSG-4: all but CRLF . CRLF; CVE-2023-51764, -51765, -51766,
# CVE-2024-27305
ENDS = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\n.\r",
        b"\r.\r\n", b"\r\n.\r", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\r\r.\r\r",
        b"\n\n.\n\n", b"\n\r.\n\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n\0.\0\r\n",
        b"\r\n.\t\r\n", b"\r\n .\r\n", b"\r\n. \r\n", b"\n.\0\r\n", b"\0\n.\n",
        b"\r\n..\r\n", b"\n..\r\n", b"\r\n..\n", b"\x85.\x85", b"\xe2\x80\xa8.\xe2\x80\xa8",
        b"\x0b.\x0b", b"\x0c.\x0c", b"\r\n.\r\n"[:-1] + b"\r")
SMUGGLED = (b"MAIL FROM:<smuggled@evil.test>\r\nRCPT TO:<user@example.test>\r\n"
            b"DATA\r\nSubject: smuggled\r\n\r\nsecond\r\n")


def first(n):
    return b"Subject: case %d\r\nMessage-ID: <%d@client.test>\r\n\r\nfirst" % (n, n)


def whole(c, head, end, tail):
    c.send(head + end + tail)


def in_two(c, head, end, tail):
    half = len(end) // 2
    c.send(head + end[:half])
    time.sleep(0.01)  # so that they come as two reads, mostly
    c.send(end[half:] + tail)


def by_octets(c, head, end, tail):
    c.send(head)
    for at in range(len(end)):
        c.send(end[at:at + 1])
    c.send(tail)


class Smuggling(mxtest.Case):
    newline, faults = "normalize", ("lenient",)

    def setUp(self):
        super().setUp()
        self.config_extra = (f'smtp {{ bare_newline = "{self.newline}"  max_errors = 10000'
                             '  max_sessions_per_ip = 1000 }')
        self.start()
        self.kept = self.n = 0

    def begin(self):
        c = self.client()
        self.n += 1
        self.assertEqual(c.cmd("MAIL FROM:<sender@client.test>")[0], 250)
        self.assertEqual(c.cmd("RCPT TO:<user@example.test>")[0], 250)
        return c

    def ended(self, c, wanted):
        """One answer, and nothing behind it."""
        code, said = c.reply()
        self.assertEqual(code, wanted, said)
        self.assertEqual(c.cmd("NOOP x"), (250, "2.0.0 ok"))
        self.kept += code == 250
        c.close()

    def judge(self):
        """What we keep, and what the next hop made of it."""
        self.assertEqual(self.count(), self.kept)
        primary = self.primary(*self.faults)
        self.wait_delivered(primary, self.kept)
        self.wait_empty()
        rows = primary.index()
        self.assertEqual(len(rows), self.kept)
        for row in rows:
            self.assertTrue(row["from"].startswith("<sender@client.test>"), row)
        for cmd in primary.commands():
            self.assertNotIn("smuggled@evil", cmd)
        with open(primary.log_file, encoding="utf-8") as f:
            log = f.read()
        self.assertNotIn("bare-cr-or-lf-in-data", log)  # MSG-7
        self.assertNotIn("bare-lf", log)
        return primary

    def test_data(self):
        for end in ENDS:
            for how in (whole, in_two, by_octets):
                with self.subTest(end=end, how=how.__name__):
                    c = self.begin()
                    self.assertEqual(c.cmd("DATA")[0], 354)
                    how(c, first(self.n), end, SMUGGLED + b".\r\n")
                    self.ended(c, 250)
        self.judge()

    def test_bdat(self):
        """Octets are counted: CRLF . CRLF is content too (EXT-11 EXT-21)."""
        for end in ENDS + (b"\r\n.\r\n", b"\r\nQUIT\r\n.\r\n"):
            with self.subTest(end=end):
                c = self.begin()
                content = first(self.n) + end + SMUGGLED
                half = len(first(self.n)) + len(end) // 2
                c.send(b"BDAT %d\r\n" % half + content[:half])
                self.assertEqual(c.reply()[0], 250)
                c.send(b"BDAT %d LAST\r\n" % (len(content) - half) + content[half:])
                self.ended(c, 250)
        primary = self.judge()
        self.assertIn(first(self.n) + b"\r\nQUIT\r\n.\r\n" + SMUGGLED,
                      [without_our_trace(content)[0] for content in primary.contents()])

    def test_bdat_of_every_count(self):
        """CVE-2017-16943, -16944, CVE-2020-28019: what a chunk holds is never a
        command, whatever was wrong with the chunk (EXT-14 EXT-15 EXT-17)."""
        inside = b"MAIL FROM:<smuggled@evil.test>\r\n"
        c = self.client()
        c.send(b"BDAT %d\r\n" % len(inside) + inside)         # without MAIL
        self.assertEqual(c.reply()[0], 503)
        c.send(b"BDAT %d LAST\r\n" % len(inside) + inside)
        self.assertEqual(c.reply()[0], 503)
        self.assertEqual(c.cmd("RCPT TO:<user@example.test>")[0], 503)
        c.close()
        c = self.client()
        c.cmd("MAIL FROM:<a@b.test>")                         # without RCPT
        c.send(b"BDAT %d LAST\r\n" % len(inside) + inside)
        self.assertEqual(c.reply()[0] // 100, 5)
        self.assertEqual(c.cmd("NOOP")[0], 250)
        c.close()
        c = self.begin()                                      # empty ones
        for line in (b"BDAT 0\r\n", b"BDAT 0\r\n", b"BDAT 3\r\nx\r\n", b"BDAT 0 LAST\r\n"):
            c.send(line)
            code = c.reply()[0]
        self.assertEqual(code, 250)
        self.kept += 1
        self.assertEqual(c.cmd("DATA")[0], 503)
        c.close()
        c = self.begin()                                      # DATA behind BDAT
        c.send(b"BDAT 3\r\nx\r\nDATA\r\n")
        self.assertEqual([c.reply()[0], c.reply()[0]], [250, 503])
        c.close()
        c = self.begin()                                      # STARTTLS between
        c.send(b"BDAT 3\r\nx\r\n")
        self.assertEqual(c.reply()[0], 250)
        self.assertEqual(c.cmd("STARTTLS")[0], 503)
        c.close()
        for count in ("-1", "0x10", "18446744073709551616", "9" * 40, "1e3", "+5", "5 LASTX"):
            with self.subTest(count=count):
                c = self.begin()
                c.send(f"BDAT {count}\r\n".encode() + inside)
                said = c.rest()
                self.assertTrue(said.startswith(b"501 "), said)
                self.assertNotIn(b"250", said)
                c.close()
        for count in (1 << 63, (1 << 64) - 1):                # read on, and dropped
            c = self.begin()
            c.send(b"BDAT %d LAST\r\n" % count + inside * 100)
            c.close()
        c = self.begin()                                      # sums that overflow
        c.send(b"BDAT 3\r\nx\r\nBDAT %d LAST\r\n" % ((1 << 64) - 1) + inside)
        self.assertEqual(c.reply()[0], 250)
        c.close()
        self.judge()


class SmugglingWithoutChunking(Smuggling):
    """To a next hop that must be sent DATA, dots and all."""
    faults = ("lenient", "nochunk")


class Rejecting(Smuggling):
    """bare_newline = reject: the true end is waited for, then 550."""
    newline = "reject"
    clean = (b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n\0.\0\r\n", b"\r\n.\t\r\n", b"\r\n .\r\n",
             b"\r\n. \r\n", b"\r\n..\r\n", b"\x85.\x85", b"\xe2\x80\xa8.\xe2\x80\xa8",
             b"\x0b.\x0b", b"\x0c.\x0c")

    def test_data(self):
        for end in ENDS:
            for how in (whole, in_two, by_octets):
                with self.subTest(end=end, how=how.__name__):
                    c = self.begin()
                    self.assertEqual(c.cmd("DATA")[0], 354)
                    how(c, first(self.n), end, SMUGGLED + b".\r\n")
                    self.ended(c, 250 if end in self.clean else 550)
        self.judge()

    def test_bdat(self):
        for end in ENDS + (b"\r\n.\r\n",):
            with self.subTest(end=end):
                c = self.begin()
                content = first(self.n) + end + SMUGGLED
                c.send(b"BDAT %d LAST\r\n" % len(content) + content)
                self.ended(c, 250 if end in self.clean + (b"\r\n.\r\n",) else 550)
        self.judge()


if __name__ == "__main__":
    mxtest.main()
