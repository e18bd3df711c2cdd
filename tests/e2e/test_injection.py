"""Nobody outside writes our log, our operator's terminal or our trace line:
what steers them is escaped, wherever it came from."""
import json
import os
import pty
import re
import subprocess
import unicodedata

import mxtest
from mxtest import message, wait_for, without_our_trace

# What is no letter to a terminal, as characters and as octets.
STEERS = ("\x1b[31m", "\x1b]0;evil\x07", "\u009b31m", "\u202egnp", "\u2066x\u2069", "\u200e",
          "\u2028", "\x7f", "\x08", "\x0b", "\r", "\n", "\0", "\ufeff", "\U000e0041")
EXPANDED = "%n%s${run{id}}`id`$(id);id|id"


def is_steering(char):
    return char != "\n" and (unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or
                             char in "\u061c\u200e\u200f\ufeff" or
                             "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069" or
                             "\U000e0000" <= char <= "\U000e007f")


class Injection(mxtest.Case):
    def setUp(self):
        super().setUp()
        self.recipients = ["@"]
        self.config_extra = "smtp { max_errors = 10000  max_sessions_per_ip = 1000 }"

    def assert_tame(self, data, what):
        """Valid UTF-8 without anything that steers; what was said is there."""
        text = data.decode("utf-8")
        bad = [f"U+{ord(c):04X}" for c in text if is_steering(c)]
        self.assertEqual(bad, [], f"{what}: {data[:3000]}")
        return text

    def assert_log_is_tame(self):
        with open(self.log_file, "rb") as f:
            text = self.assert_tame(f.read(), "log")
        for line in text.splitlines():
            self.assertRegex(line, r"^(time=\S+ level=\w+ event=[a-z_.]+|\{\"time\":)")
        self.assertNotRegex(text, r"(?m)^\S* ?level=info event=forged")
        return text

    def table(self, *args):
        """What an operator's terminal is sent."""
        mine, theirs = pty.openpty()
        p = subprocess.Popen([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                              self.path("mxholdd.conf"), *args],
                             stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(mine, 65536)
            except OSError:
                break
            if not part:
                break
            said += part
        os.close(mine)
        p.wait()
        return said.replace(b"\r\n", b"\n")

    def assert_ctl_is_tame(self, *ids):
        commands = [("status",), ("queue", "list"), ("queue", "ages"), ("primary", "list"),
                    ("primary", "show", f"{self.ip}:{self.PRIMARY}"),
                    ("trace", "u@example.test")]
        for i in ids:
            commands += [("msg", "show", i), ("msg", "log", i), ("trace", i)]
        for command in commands:
            self.assert_tame(self.table("-o", "table", *command), command)
            for form in ("json", "jsonl", "id"):
                p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                                    self.path("mxholdd.conf"), "-o", form, *command],
                                   capture_output=True, check=False)
                said = self.assert_tame(p.stdout + p.stderr, (form, *command))
                self.assertTrue(said.isascii(), command)
                self.assertNotIn(p.returncode, (-6, -11))

    def test_what_a_client_says(self):
        # RX-43 ADR-4 ADR-13 ADR-16 EXT-34 EXT-37 MSG-22 TRC
        self.start()
        ids = []
        for n, steer in enumerate(STEERS + (EXPANDED,)):
            with self.subTest(steer=steer), self.client(ehlo=None) as c:
                for line in (f"EHLO a{steer}b.test", f"HELO {steer}", f"{steer}NOOP"):
                    if steer not in "\r\n":
                        self.assertIn(c.cmd(line)[0], (421, 500, 501), line)
            with self.client() as c:
                if steer in "\r\n":
                    c.send(f"MAIL FROM:<a@b.test>{steer}RCPT TO:<u@example.test>\r\n".encode())
                    self.assertEqual(c.reply()[0], 500)
                    if steer == "\n":
                        self.assertEqual(c.reply()[0], 500)
                    self.assertEqual(c.cmd("RCPT TO:<u@example.test>")[0], 503)
                    continue
                ids += self.say_everywhere(c, steer, n)
        self.assertGreaterEqual(len(ids), len(STEERS) // 2)
        text = self.assert_log_is_tame()
        self.assertIn(EXPANDED.replace('"', "")[:8], text)
        self.assert_ctl_is_tame(*ids)
        self.assert_delivered_tame(ids)

    def say_everywhere(self, c, steer, n):
        """One message with the thing wherever it is let in; its id."""
        for sender in (f'"s{steer}"@client.test', f"s{steer}@client.test", "s@client.test"):
            code, said = c.cmd(f"MAIL FROM:<{sender}> SMTPUTF8 ENVID={steer}")
            self.assertTrue(said.isascii(), said)
            code, said = c.cmd(f"MAIL FROM:<{sender}> SMTPUTF8")
            self.assertTrue(said.isascii(), said)
            if code == 250:
                break
        taken = 0
        hexed = "".join(f"+{b:02X}" for b in steer.encode())
        for rcpt in (f'<"u{steer}"@example.test>', f"<u{steer}@example.test>",
                     f"<u@example.test> ORCPT=utf-8;u{steer}@x.test",
                     f"<u@example.test> ORCPT=rfc822;u{hexed}@x.test",
                     f"<u@example.test> ORCPT={steer};u@x.test",
                     f"<u@{steer}out.test>", f'<"u{steer}"@out.test>'):
            code, said = c.cmd(f"RCPT TO:{rcpt}")
            self.assertTrue(said.isascii(), said)
            taken += code == 250
        if not taken:
            self.assertEqual(c.cmd("RCPT TO:<u@example.test>")[0], 250)
        code, said = c.data(f"Subject: {n}\r\nMessage-ID: <{n}@x.test>\r\n\r\nx\r\n".encode())
        self.assertEqual(code, 250, said)
        return re.findall(r"\b[0-9a-z]{13}\b", said)

    def assert_delivered_tame(self, ids):
        primary = self.primary("utf8")
        self.wait_empty()
        self.assertEqual(len(primary.index()), len(ids))
        for content in primary.contents():
            rest, trace = without_our_trace(content)
            self.assertTrue(rest.startswith(b"Subject: "), content)  # no field came in
            self.assert_tame(trace.replace(b"\r\n", b"\n").replace(b"\t", b" "), "Received")
        self.assert_log_is_tame()
        self.assert_ctl_is_tame(*ids)

    def test_what_is_no_utf8_is_refused_or_escaped(self):
        self.start()
        for octets in (b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
                       b"\x9b31m", b"\xe2\x80"):
            with self.subTest(octets=octets), self.client() as c:
                for line in (b"EHLO a%bb", b"MAIL FROM:<a%b@b.test> SMTPUTF8",
                             b'MAIL FROM:<"a%b"@b.test> SMTPUTF8',
                             b"MAIL FROM:<a@b.test> ENVID=%b", b"VRFY %b", b"HELP %b",
                             b"ETRN %b", b"X%b", b"STARTTLS %b", b"XCLIENT NAME=%b"):
                    c.send(line % octets + b"\r\n")
                    code, said = c.reply()
                    self.assertTrue(said.isascii())
                    self.assertNotIn(code, (250, 220))
                c.cmd("MAIL FROM:<a@b.test> SMTPUTF8")
                for line in (b"RCPT TO:<a%b@example.test>", b"RCPT TO:<u@%b.test>",
                             b"RCPT TO:<u@example.test> ORCPT=utf-8;%b"):
                    c.send(line % octets + b"\r\n")
                    self.assertEqual(c.reply()[0] // 100, 5, line)
        self.assert_log_is_tame()

    def test_what_the_next_hop_says(self):
        # also CVE-2020-8794: text of a reply is text
        self.start()
        ids = [self.send(message(n), rcpts=("u@example.test",)) for n in range(3)]
        refused = re.compile(r"\bevent(=|\":\")message.deferred\b")
        primary = self.primary("evil", "rcpt=450", "banner=220")
        wait_for("its refusals", lambda: len(refused.findall(self.log())) >= 3)
        self.assert_log_is_tame()
        self.assert_ctl_is_tame(*ids)
        primary.stop()
        primary.start("evil", "banner=554")
        wait_for("its greeting", lambda: "forged" in self.ctl("-o", "json", "status"))
        self.assert_ctl_is_tame(*ids)
        primary.stop()
        primary.start("evil")
        self.wait_empty()
        self.assertIn("forged", self.assert_log_is_tame())
        self.assert_ctl_is_tame(*ids)

    def test_the_log_as_json_is_json(self):
        self.global_extra = 'log { format = "json" }'
        self.test_what_the_next_hop_says()
        for line in self.log().splitlines():
            self.assertIn("event", json.loads(line))

    def test_the_trace_line_is_one_field_whatever_helo_says(self):
        # MSG-22, CVE-2020-28021, -28026
        self.start()
        for name in ("[)(]", "[x)\\]", "a_b..c", "[\"]", "[IPv6:::1] (forged)", "[x;y]",
                     "[" + "x" * 250 + "]", "[<x>,@;:\\\"]", "-", "..."):
            with self.subTest(name=name), self.client(ehlo=name) as c:
                self.assertEqual(c.mail(b"Subject: x\r\n\r\nx\r\n", rcpts=("u@example.test",))[0],
                                 250)
        primary = self.primary()
        self.wait_empty()
        for content in primary.contents():
            rest, trace = without_our_trace(content)
            self.assertEqual(rest, b"Subject: x\r\n\r\nx\r\n")
            unfolded = re.sub(rb"\r\n[ \t]+", b" ", trace)
            self.assertRegex(unfolded, rb"^Received: from [][A-Za-z0-9.?:_-]+ "
                                       rb"\([a-z]+ \[[0-9.]+\]\) by mx2\.test ")
            self.assertEqual(unfolded.count(b"("), unfolded.count(b")"))
            for line in trace.split(b"\r\n"):
                self.assertLess(len(line), 998)


if __name__ == "__main__":
    mxtest.main()
