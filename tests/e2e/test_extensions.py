"""Extensions from end to end: what the primary is known to take, binary
content, REQUIRETLS, ETRN, certificates by name, what a relay leaves alone."""
import os
import shutil
import ssl
import subprocess
import unittest

import mxtest
from mxtest import message, wait_for, without_our_trace


class Known(mxtest.Case):
    """What was heard of a primary is used at the door, also after a restart."""

    def ehlo(self):
        with self.client() as c:
            return c.ehlo_reply[1].split("\n")

    def learn(self, primary, word):
        wait_for(f"{word} to be known", lambda: word in self.ehlo())
        primary.stop()

    def test_the_size_that_the_primary_takes_is_announced(self):
        """EXT-1 EXT-2 EXT-6"""
        self.start()
        self.assertIn("SIZE 52428800", self.ehlo())
        self.learn(self.primary("size=100000"), "SIZE 98464")
        self.stop()
        self.start()    # the primary is away: from what is on disk
        self.assertIn("SIZE 98464", self.ehlo())
        with self.client() as c:
            self.assertEqual(c.cmd("MAIL FROM:<a@client.test> SIZE=98465")[:1], (552,))
            self.assertEqual(c.cmd("MAIL FROM:<a@client.test> SIZE=98464")[0], 250)

    def test_nothing_is_announced_that_the_primary_lacks(self):
        """EXT-28 RX-12: of a restarted daemon, too"""
        self.start()
        self.assertIn("SMTPUTF8", self.ehlo())
        self.learn(self.primary("no8bit", "nodsn", "size=100000"), "SIZE 98464")
        self.stop()
        self.start()
        words = [w.split()[0] for w in self.ehlo()]
        for word in ("SMTPUTF8", "8BITMIME", "DSN", "BINARYMIME"):
            self.assertNotIn(word, words)
        with self.client() as c:
            self.assertEqual(c.cmd("MAIL FROM:<a@client.test> BODY=8BITMIME")[0], 555)
            code, text = c.mail(b"Subject: x\r\n\r\n\xe9\r\n")
            self.assertEqual(code, 554)
            self.assertTrue(text.startswith("5.6.3 "))
        self.assertEqual(self.count(), 0)

    def test_an_address_the_primary_cannot_take_is_refused_at_rcpt(self):
        """EXT-29: the second domain's primary takes SMTPUTF8"""
        everybody = self.write("everybody", "@\n")
        self.config_extra = (f'domain "utf8.test" {{ primary = "{self.ip}:2530"  '
                             f'recipients = "{everybody}" }}\n')
        self.start()
        plain, utf8 = self.primary("size=100000"), self.primary("utf8", "size=200000",
                                                                 port=2530, name="utf8")
        self.learn(plain, "SIZE 198464")
        utf8.stop()
        wait_for("both to be known", lambda: all(
            p["last_probe"]["result"] for p in self.ctl_json("status")["primaries"]))
        with self.client() as c:
            self.assertEqual(c.cmd("MAIL FROM:<ü@client.test> SMTPUTF8")[0], 250)
            self.assertEqual(c.cmd("RCPT TO:<user@example.test>")[0], 553)
            self.assertEqual(c.cmd("RCPT TO:<ü@utf8.test>")[0], 250)


class Binary(mxtest.Case):
    CONTENT = (b"Subject: binary\r\nMIME-Version: 1.0\r\nContent-Type: image/x\r\n"
               b"Content-Transfer-Encoding: binary\r\n\r\n" +
               bytes(range(256)) + b"\r\n.\r\nQUIT\r\n\n.\n\r.\r" + b"\0" * 70000 + b"\r")

    def send_binary(self, c, step=30000):
        self.assertEqual(c.cmd("MAIL FROM:<a@client.test> BODY=BINARYMIME")[0], 250)
        self.assertEqual(c.cmd("RCPT TO:<user@example.test>")[0], 250)
        self.assertEqual(c.cmd("DATA")[0], 503)
        for at in range(0, len(self.CONTENT), step):
            part = self.CONTENT[at:at + step]
            last = " LAST" if at + step >= len(self.CONTENT) else ""
            c.send(f"BDAT {len(part)}{last}\r\n".encode() + part)
            self.assertEqual(c.reply()[0], 250)

    def offered(self):
        with self.client() as c:
            return "BINARYMIME" in c.ehlo_reply[1]

    def test_binary_content_goes_through_untouched(self):
        """EXT-23 TX-36"""
        self.start()
        self.assertFalse(self.offered())
        primary = self.primary("binarymime")
        wait_for("BINARYMIME to be offered", self.offered)
        with self.client() as c:
            self.send_binary(c)
        self.wait_delivered(primary, 1)
        self.assertEqual(without_our_trace(primary.content(1))[0], self.CONTENT)
        self.assertTrue(any("BODY=BINARYMIME" in cmd for cmd in primary.commands()))
        self.assertFalse(any(cmd.startswith("DATA") for cmd in primary.commands()))

    def test_binary_content_never_goes_by_data(self):
        """EXT-23 TX-36: the primary has lost it since; the mail is kept"""
        self.start()
        primary = self.primary("binarymime")
        wait_for("BINARYMIME to be offered", self.offered)
        primary.stop()
        with self.client() as c:
            self.send_binary(c)
        primary.start()    # without the keyword
        wait_for("an attempt", lambda: "4.6.3" in self.events("message.deferred")[-1]
                 if self.events("message.deferred") else False)
        self.assertEqual(primary.index(), [])
        self.assertFalse(any(cmd.startswith(("DATA", "BDAT")) for cmd in primary.commands()))
        self.assertEqual(self.count(), 1)
        primary.stop()
        primary.start("binarymime")
        self.wait_delivered(primary, 1)
        self.assertEqual(without_our_trace(primary.content(1))[0], self.CONTENT)

    def test_content_without_a_last_newline(self):
        """EXT-22: as it is by BDAT; with a CRLF where it goes by DATA"""
        self.start()
        with self.client() as c:
            c.cmd("MAIL FROM:<a@client.test>")
            c.cmd("RCPT TO:<user@example.test>")
            c.send(b"BDAT 14 LAST\r\nSubject: x\r\n\r\n")
            self.assertEqual(c.reply()[0], 250)
            c.cmd("MAIL FROM:<a@client.test>")
            c.cmd("RCPT TO:<user@example.test>")
            c.send(b"BDAT 17 LAST\r\nSubject: x\r\n\r\nend")
            self.assertEqual(c.reply()[0], 250)
        primary = self.primary()
        self.wait_delivered(primary, 2)
        self.assertEqual(sorted(without_our_trace(m)[0] for m in primary.contents()),
                         [b"Subject: x\r\n\r\n", b"Subject: x\r\n\r\nend\r\n"])

    def test_chunks_before_the_last_are_no_promise(self):
        """EXT-13: killed before LAST, nothing is queued"""
        self.start()
        c = self.client()
        c.cmd("MAIL FROM:<a@client.test>")
        c.cmd("RCPT TO:<user@example.test>")
        for _ in range(20):
            c.send(b"BDAT 50000\r\n" + b"x" * 49998 + b"\r\n")
            self.assertEqual(c.reply()[0], 250)
        self.kill()
        c.close()
        self.start()
        self.assertEqual(self.count(), 0)


class Parameters(mxtest.Case):
    def test_what_dsn_asks_reaches_the_primary_as_it_was_said(self):
        """EXT-32 EXT-38 TX-41: after a restart, too"""
        self.start()
        with self.client() as c:
            self.assertEqual(c.cmd("MAIL FROM:<a@client.test> RET=HDRS ENVID=QQ+2B1")[0], 250)
            self.assertEqual(c.cmd("RCPT TO:<user@example.test> NOTIFY=SUCCESS,DELAY "
                                   "ORCPT=x400;c+3Ddc")[0], 250)
            self.assertEqual(c.cmd("RCPT TO:<other@example.test>")[0], 250)
            self.assertEqual(c.data(message())[0], 250)
        self.stop()
        self.start()
        primary = self.primary()
        self.wait_delivered(primary, 1)
        said = "\n".join(primary.commands())
        self.assertIn(" RET=HDRS ENVID=QQ+2B1", said)
        self.assertIn("RCPT TO:<user@example.test> NOTIFY=SUCCESS,DELAY ORCPT=x400;c+3Ddc\n", said)
        self.assertIn("RCPT TO:<other@example.test>\n", said)

    def test_as_many_recipients_as_limits_says(self):
        """EXT-43"""
        self.config_extra = "smtp { max_rcpt = 150 }\n"
        self.recipients += [f"u{i}@example.test" for i in range(160)]
        self.start()
        with self.client() as c:
            self.assertIn("LIMITS RCPTMAX=150", c.ehlo_reply[1])
            c.cmd("MAIL FROM:<a@client.test>")
            codes = [c.cmd(f"RCPT TO:<u{i}@example.test>")[0] for i in range(152)]
        self.assertEqual(codes, [250] * 150 + [452] * 2)

    def config_text(self):    # one smtp section only
        text = super().config_text()
        return text.replace("smtp { max_sessions_per_ip = 1000 }\n", "") \
            if "max_rcpt" in self.config_extra else text


class RequireTls(mxtest.Case):
    def setUp(self):
        super().setUp()
        self.dns(f"primary.test A {self.ip}")
        self.cert, self.key = mxtest.make_cert(self.top, "primary.test")

    def config_text(self):
        return (super().config_text().replace(
            f'primary = "{self.ip}:{self.PRIMARY}"', 'primary = "byname"') +
            f'primary "byname" {{ host = "primary.test:{self.PRIMARY}"  '
            f'ca = "{self.cert}" }}\n')

    def tls_primary(self, *faults, cert=None, key=None):
        return self.primary("starttls", *faults, args=(
            "--cert", cert or self.cert, "--key", key or self.key))

    def send_tagged(self, rcpt="user@example.test"):
        with self.client() as c:
            self.assertNotIn("REQUIRETLS", c.ehlo_reply[1])
            self.assertIn("REQUIRETLS", c.starttls()[1])
            got = c.cmd("MAIL FROM:<a@client.test> REQUIRETLS")
            self.assertEqual(got[0], 250)
            got = c.cmd(f"RCPT TO:<{rcpt}>")
            return got if got[0] != 250 else c.data(message())

    def test_tagged_mail_goes_to_a_primary_that_is_proved_and_offers_it(self):
        """EXT-39 EXT-40 TLS-30 TLS-31"""
        self.start()
        self.assertEqual(self.send_tagged()[0], 250)
        primary = self.tls_primary("requiretls")
        self.wait_delivered(primary, 1)
        self.assertTrue(any(cmd.startswith("MAIL") and cmd.endswith(" REQUIRETLS")
                            for cmd in primary.commands()))

    def deferred_for(self, status):
        wait_for("an attempt", lambda: any(status in line for line in
                                           self.events("message.deferred")))
        self.assertEqual(self.count(), 1)

    def test_tagged_mail_waits_for_a_primary_without_the_keyword(self):
        # REP-25
        """TLS-30: no word of it leaves; others go on, and no breaker opens"""
        self.start()
        self.assertEqual(self.send_tagged()[0], 250)
        primary = self.tls_primary()
        self.deferred_for("5.7.30")
        self.send(message(2))
        self.wait_delivered(primary, 1)
        self.assertEqual(self.events("breaker.open"), [])
        wait_for("it to be known", lambda: not self.offered())
        primary.stop()
        primary.start("starttls", "requiretls")
        self.wait_delivered(primary, 2)

    def offered(self):
        with self.client() as c:
            return "REQUIRETLS" in c.starttls()[1]

    def test_tagged_mail_waits_for_a_primary_that_nobody_proves(self):
        # REP-25
        """TLS-30"""
        cert, key = mxtest.make_cert(self.top, "wrong.test")
        self.start()
        self.assertEqual(self.send_tagged()[0], 250)
        primary = self.tls_primary("requiretls", cert=cert, key=key)
        self.deferred_for("5.7.10")
        self.assertEqual(primary.index(), [])


class Etrn(mxtest.Case):
    def test_a_primary_asks_for_its_mail(self):
        """EXT-44 EXT-45: clients here come from the primary's address"""
        self.start()
        with self.client() as c:
            self.assertIn("ETRN", c.ehlo_reply[1])
            self.assertEqual(c.cmd("ETRN example.test")[0], 251)
            self.assertEqual(c.mail(message())[0], 250)
            self.assertEqual(c.cmd("ETRN other.test")[0], 459)
            self.assertEqual(c.cmd("ETRN #q")[0], 458)
            self.ctl("--yes", "primary", "hold", f"{self.ip}:{self.PRIMARY}")
            self.assertEqual(c.cmd("ETRN example.test")[0], 458)
            self.ctl("--yes", "primary", "resume", f"{self.ip}:{self.PRIMARY}")
            primary = self.primary()
            code, text = c.cmd("ETRN @test")
            self.assertEqual(code, 253)
            self.assertIn("1 messages", text)
        self.wait_delivered(primary, 1)


class Certificates(mxtest.Case):
    """TLS-8 TLS-9 TLS-10"""

    def setUp(self):
        super().setUp()
        self.one = mxtest.make_cert(self.top, "mx2.test")
        self.two = mxtest.make_cert(self.top, "other.test")
        self.use(self.one, self.two)

    def use(self, *pairs, more=""):
        certs, keys = (", ".join(f'"{p[i]}"' for p in pairs) for i in (0, 1))
        self.global_extra = f"tls {{ cert = {{{certs}}}  key = {{{keys}}} {more} }}"

    def shown(self, name, version=None):
        with self.client() as c:
            c.cmd("STARTTLS")
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
            if version:
                ctx.minimum_version = ctx.maximum_version = version
            c.s = ctx.wrap_socket(c.s, server_hostname=name)
            return ssl.DER_cert_to_PEM_cert(c.s.getpeercert(binary_form=True))

    def pem(self, pair):
        with open(pair[0], encoding="ascii") as f:
            return f.read()

    def test_the_name_chooses_and_any_other_gets_the_first(self):
        self.start()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.shown("other.test", version), self.pem(self.two))
            for name in ("mx2.test", "unknown.test", None):
                self.assertEqual(self.shown(name, version), self.pem(self.one))

    def test_only_tls_1_3_when_so_configured(self):
        # TLS-7
        self.use(self.one, more='min_version = "1.3"')
        self.start()
        self.shown("mx2.test", ssl.TLSVersion.TLSv1_3)
        with self.assertRaises((ssl.SSLError, OSError)):
            self.shown("mx2.test", ssl.TLSVersion.TLSv1_2)

    def test_a_reload_changes_certificates_and_cuts_no_session(self):
        self.start()
        with self.client() as inside, self.client() as clear:
            inside.starttls()
            new = mxtest.make_cert(self.top, "mx2.test.new")
            for i in (0, 1):
                shutil.copy(new[i], self.two[i])
            self.reload()
            self.assertEqual(self.shown("mx2.test.new"), self.pem(new))
            self.assertEqual(self.shown("other.test"), self.pem(self.one))
            self.assertEqual(inside.mail(message(1))[0], 250)
            self.assertEqual(clear.starttls()[0], 250)
            self.assertEqual(clear.mail(message(2))[0], 250)

    def test_a_certificate_that_ends_soon_is_an_alarm_until_it_is_renewed(self):
        near = mxtest.make_cert(self.top, "near.test", days=5)
        self.use(self.one, near)
        ours = mxtest.make_cert(self.top, "client.test", days=5)
        self.config_extra = (f'primary "x" {{ host = "x.test"  client_cert = "{ours[0]}"  '
                             f'client_key = "{ours[1]}" }}\n')
        self.start()
        alarms = self.ctl_json("status")["alarms"]
        for cert in (near[0], ours[0]):
            self.assertTrue([a for a in alarms if f"{cert} ends " in a], alarms)
        self.assertFalse([a for a in alarms if self.one[0] in a])
        self.assertEqual(len(self.events("tls.expiry")), 2)
        for pair in (near, ours):
            new = mxtest.make_cert(self.top, "new.test")
            for i in (0, 1):
                shutil.copy(new[i], pair[i])
        self.reload()
        self.assertFalse([a for a in self.ctl_json("status")["alarms"] if " ends " in a])

    def test_a_certificate_that_ends_soon_or_names_another_is_told(self):
        self.use(mxtest.make_cert(self.top, "elsewhere.test", days=5))
        conf = self.configure()
        p = subprocess.run([os.path.join(mxtest.BIN, "mxholdd"), "-t", "-c", conf],
                           capture_output=True, check=False, text=True)
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertIn("no certificate is for mx2.test", p.stderr + p.stdout)
        self.assertIn("elsewhere.test.pem expires ", p.stderr + p.stdout)
        self.use(self.one, self.two)
        conf = self.configure()
        p = subprocess.run([os.path.join(mxtest.BIN, "mxholdd"), "-t", "-c", conf],
                           capture_output=True, check=False, text=True)
        self.assertNotIn("tls.cert", p.stderr + p.stdout)


class LeftAlone(mxtest.Case):
    def test_fields_of_others_pass_unchanged(self):
        # ARC-1 TRC-3
        """TRC-1 TRC-2 AR-4: nothing is added but our Received"""
        content = (b"Delivered-To: user@example.test\r\nReturn-Path: <x@y.test>\r\n"
                   b"Authentication-Results: mx2.test; spf=pass smtp.mailfrom=y.test\r\n"
                   b"Authentication-Results: elsewhere.test; none\r\n"
                   b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=y.test; s=s; b=AAAA\r\n"
                   b"Received: from a by b; Sun, 22 Nov 2026 07:00:00 +0000\r\n"
                   b"X-Odd:   folded\r\n\tand  odd \r\n\r\nbody\r\n")
        self.start()
        self.send(content)
        primary = self.primary()
        self.wait_delivered(primary, 1)
        rest, trace = without_our_trace(primary.content(1))
        self.assertEqual(rest, content)
        self.assertIn(b"by mx2.test", trace)


if __name__ == "__main__":
    unittest.main(verbosity=2)
