"""STARTTLS for clients (towards primaries: test_tls_modes.py, test_dane.py),
and signatures that must survive."""
import base64
import os
import shutil
import ssl
import subprocess
import unittest

import mxtest
from mxtest import message, without_our_trace

try:
    import dkim
except ImportError:
    dkim = None


class Server(mxtest.Case):
    def test_mail_comes_in_over_tls(self):
        self.start()
        with self.client() as c:
            self.assertIn("STARTTLS", c.ehlo_reply[1])
            code, text = c.starttls()
            self.assertEqual(code, 250)
            self.assertNotIn("STARTTLS", text)
            self.assertEqual(c.mail(message(1, 500000))[0], 250)
            self.assertIn(c.s.version(), ("TLSv1.2", "TLSv1.3"))
        primary = self.primary()
        self.wait_delivered(primary, 1)
        _, trace = without_our_trace(primary.content(1))
        self.assertIn(b"ESMTPS", trace)

    def test_knowledge_from_before_tls_is_forgotten(self):
        # TLS-3
        self.start()
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            c.cmd("RSET")
            c.starttls()
            self.assertEqual(c.cmd("RCPT TO:<user@example.test>")[0], 503)

    def test_tls_1_1_is_refused(self):
        # TLS-7
        self.start()
        with self.client() as c:
            c.cmd("STARTTLS")
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
            ctx.set_ciphers("ALL:@SECLEVEL=0")
            ctx.minimum_version = ssl.TLSVersion.TLSv1
            ctx.maximum_version = ssl.TLSVersion.TLSv1_1
            with self.assertRaises((ssl.SSLError, ConnectionError, OSError)):
                ctx.wrap_socket(c.s)

    def test_a_certificate_is_replaced_by_a_reload(self):
        # TLS-10
        cert, key = mxtest.make_cert(self.top, "mx2.test")
        self.global_extra = f'tls {{ cert = "{cert}"  key = "{key}" }}'
        self.start()

        def shown():
            with self.client() as c:
                c.starttls()
                return c.s.getpeercert(binary_form=True)
        first = shown()
        new_cert, new_key = mxtest.make_cert(self.top, "new.test")
        shutil.copy(new_cert, cert)
        shutil.copy(new_key, key)
        self.reload()
        self.assertNotEqual(shown(), first)
        other, _ = mxtest.make_cert(self.top, "other.test")
        shutil.copy(other, cert)          # does not fit the key
        second = shown()
        self.reload()
        self.assertTrue(self.events("config.refused"))
        self.assertEqual(shown(), second)


@unittest.skipUnless(dkim, "python3-dkim is not installed")
class Signatures(mxtest.Case):
    def test_mail_signed_before_still_verifies_after(self):
        key = self.path("dkim.key")
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"],
                       check=True, capture_output=True)
        pub = subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout

        record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(pub)
        with open(key, "rb") as f:
            pem = f.read()
        sent = []
        for n, (content, canon) in enumerate((
                (message(1), (b"simple", b"simple")),
                (message(2, 100000), (b"relaxed", b"relaxed")),
                ("Subject: Grüße\r\nFrom: a@client.test\r\n\r\n.\r\n..\r\n\r\n \t\r\nä\r\n"
                 .encode(), (b"simple", b"simple")))):
            sig = dkim.sign(content, b"s", b"client.test", pem, canonicalize=canon)
            sent.append(sig + content)
        self.start()
        for content in sent:
            self.send(content, params=" BODY=8BITMIME")
        primary = self.primary()
        self.wait_delivered(primary, len(sent))
        for content in primary.contents():
            self.assertTrue(dkim.verify(content, dnsfunc=lambda *_a, **_k: record))
            self.assertIn(without_our_trace(content)[0], sent)
        broken = primary.content(1).replace(b"This is message", b"That is message")
        self.assertFalse(dkim.verify(broken, dnsfunc=lambda *_a, **_k: record))


if __name__ == "__main__":
    mxtest.main()
