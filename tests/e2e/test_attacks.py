"""What strangers try at a mail server's door, one class a test. The rows of the
list of attacks that have tests elsewhere:

  smuggling, BDAT                  test_smuggling.py
  relaying, backscatter            test_relay.py
  controls in logs and terminals   test_injection.py
  floods, slow and broken clients  test_clients.py
  half-done TLS handshakes         test_clients.py, unit/net/test_stream_tls.c
  memory, descriptors              test_memory.py, test_clients.py
  injected STARTTLS replies, next hops of all kinds   test_tls.py, test_outage.py,
                                   transcripts/client, unit/outbound
  parameters of MAIL and RCPT      transcripts/server/{unknown_parameter,dsn_bad,...},
                                   unit/smtp/test_params.c, fuzz/fuzz_params.c
  certificates and their names     unit/net/test_tls_verify.c
  a full disk, a full map          test_disk.py
  the control socket               unit/control/test_server.c, test_protocol.c
"""
import itertools
import socket
import ssl
import subprocess

import mxtest
from mxtest import message, without_our_trace

HTTP = ("GET / HTTP/1.1", "POST / HTTP/1.1", "PUT /x HTTP/1.1", "HEAD / HTTP/1.0",
        "OPTIONS * HTTP/1.1", "CONNECT mx2.test:25 HTTP/1.1", "DELETE / HTTP/1.1",
        "PATCH / HTTP/1.1", "TRACE / HTTP/1.1", "PRI * HTTP/2.0", "get / http/1.0",
        "Host: mx2.test")
BODY = ("\r\nHost: mx2.test:25\r\nContent-Type: text/plain\r\n\r\n"
        "EHLO evil.test\r\nMAIL FROM:<evil@x.test>\r\nRCPT TO:<user@example.test>\r\n"
        "DATA\r\nSubject: evil\r\n\r\nx\r\n.\r\nQUIT\r\n").encode()


class Case(mxtest.Case):
    def setUp(self):
        super().setUp()
        self.start()

    def tearDown(self):
        try:
            self.send(message(99))      # a good client is still served
        finally:
            super().tearDown()


class CrossProtocol(Case):
    """ALPACA (CVE-2021-3618), HTTP, TLS where it was not asked for."""

    def test_http_in_clear(self):
        # also transcripts/server/http_post.txt, http_late.txt
        for line, ehlo in itertools.product(HTTP, (None, "client.test")):
            with self.subTest(line=line, ehlo=ehlo), self.client(ehlo=ehlo) as c:
                c.send(line.encode() + BODY)
                said = c.rest()
                self.assertRegex(said, rb"^421 4\.7\.0 [^\r]*\r\n$")
        self.assertEqual(self.count(), 0)

    def test_http_within_tls(self):
        for line in HTTP:
            with self.subTest(line=line), self.client() as c:
                c.starttls()
                c.send(line.encode() + BODY)
                self.assertRegex(c.rest(), rb"^421 4\.7\.0 [^\r]*\r\n$")
        self.assertEqual(self.count(), 0)

    def test_a_client_hello_in_clear(self):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = ctx.wrap_bio(into, out, server_hostname="mx2.test")
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        with self.client(greet=False) as c:
            c.send(out.read())
            said = c.rest()
            self.assertRegex(said, rb"^220 [^\r]*\r\n421 4\.7\.0 [^\r]*\r\n$")

    def test_other_protocols_hellos(self):
        for octets in (b"SSH-2.0-OpenSSH_9.2\r\n" * 20, b"\x00\x00\x00\x85\xffSMBr", b"\x05\x01\x00",
                       b"\x80\x2e\x01\x00\x02", b"\x00" * 4096, b"\xff" * 4096,
                       b"USER root\r\nPASS x\r\n" * 10, b"a1 LOGIN x y\r\n" * 20,
                       b"* OK\r\n" * 20, b"\r\n" * 100, b"stats\r\n" * 20):
            with self.subTest(octets=octets[:20]), self.client(ehlo=None) as c:
                c.send(octets)
                c.s.shutdown(socket.SHUT_WR)
                self.assertNotIn(b"250", c.rest())

    def test_another_alpn_is_refused_and_smtp_or_none_is_taken(self):
        # also unit/net/test_stream_tls.c
        for names, good in ((["http/1.1"], False), (["h2", "http/1.1"], False), (["ftp"], False),
                            (["h2", "smtp"], True), (["smtp"], True), ([], True)):
            with self.subTest(names=names), self.client() as c:
                self.assertEqual(c.cmd("STARTTLS")[0], 220)
                ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
                if names:
                    ctx.set_alpn_protocols(names)
                if good:
                    c.s = ctx.wrap_socket(c.s, server_hostname="other.test")
                    self.assertEqual(c.s.selected_alpn_protocol(), "smtp" if names else None)
                    self.assertEqual(c.cmd("EHLO x")[0], 250)
                else:
                    with self.assertRaises(OSError):
                        ctx.wrap_socket(c.s, server_hostname="other.test").recv(1)


class Starttls(Case):
    """CVE-2011-0411 and its like: what came in clear is nothing inside TLS."""

    def test_nothing_that_follows_starttls_is_ever_run(self):
        # TLS-2; also transcripts/server/starttls_injection*.txt
        for tail in (b"NOOP\r\n", b"EHLO evil.test\r\n", b"MAIL FROM:<evil@x.test>\r\n", b"\r\n",
                     b"QUIT\r\n", b"X", b"STARTTLS\r\n", b"\x16\x03\x01", b"RSET\r\n" * 4000):
            with self.subTest(tail=tail[:30]), self.client() as c:
                c.send(b"STARTTLS\r\n" + tail)
                said = c.rest()
                self.assertRegex(said, rb"^554 5\.5\.1 [^\r]*\r\n$")

    def test_what_comes_late_is_no_command_either(self):
        with self.client() as c:
            self.assertEqual(c.cmd("STARTTLS")[0], 220)
            c.send(b"MAIL FROM:<evil@x.test>\r\nNOOP\r\n")
            self.assertNotIn(b"250", c.rest())

    def test_a_second_layer_is_refused(self):
        # TLS-1 TLS-3
        with self.client() as c:
            self.assertEqual(c.cmd("STARTTLS now")[0], 501)
            self.assertEqual(c.starttls()[0], 250)
            self.assertEqual(c.cmd("STARTTLS")[0], 503)
            self.assertEqual(c.mail(message())[0], 250)

    def test_the_cipher_is_of_our_choice(self):
        """A client's list in any order; TLS-7."""
        weak, strong = "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-GCM-SHA384"
        for names in (f"{weak}:{strong}", f"{strong}:{weak}"):
            with self.subTest(names=names), self.client() as c:
                self.assertEqual(c.cmd("STARTTLS")[0], 220)
                ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
                ctx.maximum_version = ssl.TLSVersion.TLSv1_2
                ctx.set_ciphers(names)
                c.s = ctx.wrap_socket(c.s)
                self.assertEqual(c.s.cipher()[0], strong)

    def s_client(self, *args, stdin):
        return subprocess.run(
            ["openssl", "s_client", "-starttls", "smtp", "-connect", f"{self.ip}:{self.SMTP}",
             *args], input=stdin, capture_output=True, check=False, timeout=120)

    def test_no_renegotiation_no_compression_no_early_data(self):
        # TLS-7; also unit/net/test_stream_tls.c
        p = self.s_client("-tls1_2", stdin=b"R\n")
        self.assertIn(b"Compression: NONE", p.stdout)
        self.assertIn(b"no renegotiation", p.stderr + p.stdout)
        session = self.path("session")
        p = self.s_client("-tls1_3", "-sess_out", session, stdin=b"Q\n")
        self.assertNotIn(b"Max Early Data: 1", p.stdout)
        early = self.path("early")
        with open(early, "wb") as f:
            f.write(b"EHLO evil.test\r\n")
        p = self.s_client("-tls1_3", "-sess_in", session, "-early_data", early, stdin=b"Q\n")
        self.assertNotIn(b"Early data was accepted", p.stdout)


class Verbs(Case):
    # VRFY, EXPN, TURN, the holes of old; RX-13 RX-33..RX-36 EXT-44 EXT-45
    ANSWERS = (("VRFY user", 252), ("VRFY <user@example.test>", 252), ("VRFY nobody", 252),
               ("VRFY root", 252), ("VRFY", 501), ("EXPN all", 502), ("EXPN", 502),
               ("TURN", 502), ("ATRN example.test", 502), ("SEND FROM:<a@b>", 502),
               ("SOML FROM:<a@b>", 502), ("SAML FROM:<a@b>", 502), ("AUTH PLAIN AHgAeA==", 502),
               ("AUTH LOGIN", 502), ("DEBUG", 500), ("DEBUG 1", 500), ("WIZ", 500),
               ("WIZ anything", 500), ("KILL", 500), ("SHOWQ", 500), ("VERB", 500),
               ("ONEX", 500), ("XADR", 500), ("XEXCH50 1 2", 500), ("XFORWARD ADDR=x", 502),
               ("BURL x LAST", 500), ("HELP", 214), ("HELP DEBUG", 214))

    def ask_all(self, c, greeted):
        for line, code in self.ANSWERS + (("ETRN example.test", 459 if greeted else 503),):
            with self.subTest(line=line):
                got = c.cmd(line)
                self.assertEqual(got[0], code, got)
                self.assertNotIn("user@", got[1])

    def test_before_ehlo_behind_it_and_within_tls(self):
        self.stop()
        self.config_extra = "smtp { max_errors = 10000 }"
        self.start()
        # not from the primary's own address, which may use ETRN
        with self.client(ehlo=None, source=mxtest.own_address()) as c:
            self.ask_all(c, False)
            c.ehlo_reply = c.cmd("EHLO client.test")
            for word in ("VRFY", "EXPN", "AUTH", "TURN", "DEBUG"):
                self.assertNotIn(word, c.ehlo_reply[1])
            self.ask_all(c, True)
            c.starttls()
            self.ask_all(c, True)
            # RX-36: what follows AUTH is a command, not a secret
            self.assertEqual(c.cmd("AUTH LOGIN")[0], 502)
            self.assertEqual(c.cmd("NOOP")[0], 250)

    def test_the_banner_tells_nothing(self):
        # RX-1
        with self.client() as c:
            said = c.greeting[1] + c.ehlo_reply[1] + c.cmd("HELP")[1] + c.cmd("QUIT")[1]
            for word in ("mxhold", "linux", "debian", "openssl", "version"):
                self.assertNotIn(word, said.lower())


class Numbers(Case):
    def test_sizes_that_overflow(self):
        # EXT-2, CVE-2005-1513, CVE-2020-28017; also transcripts/server/size_parameter.txt
        codes = {552: ("52428801", "2147483648", "4294967296", "4294967297",
                       "9223372036854775807", "9223372036854775808", "18446744073709551615",
                       "18446744073709551616", "18446744073709551617", "9" * 20),
                 501: ("9" * 21, "1" + "0" * 40, "-1", "+1", "0x10", "1e6", "", " 1", "1 ,",
                       "٣", "1\0"),
                 250: ("0", "00000000000000000001", "52428800")}
        for code, values in codes.items():
            for value in values:
                with self.subTest(value=value), self.client() as c:
                    got = c.cmd(f"MAIL FROM:<> SIZE={value}")[0]
                    if "\0" in value or not value.isascii() or " " in value:
                        self.assertEqual(got // 100, 5)
                    else:
                        self.assertEqual(got, code)
        self.assertEqual(self.count(), 0)

    def test_a_size_is_a_promise_not_a_length(self):
        # EXT-5: what was declared neither ends nor lengthens the content
        with self.client() as c:
            self.assertEqual(c.mail(message(1, 5000), params=" SIZE=1")[0], 250)
            self.assertEqual(c.mail(message(2), params=" SIZE=5000000")[0], 250)
        self.assertEqual(self.count(), 2)

    def test_commands_of_64_kib_are_answered_once(self):
        # RX-38 RX-39, CVE-2019-16928, CVE-2002-1337
        for head in ("EHLO ", "HELO ", "MAIL FROM:<", "RCPT TO:<", "VRFY ", "MAIL FROM:<> ",
                     "NOOP ", "MAIL FROM:<a@b.test> ENVID=", "\"" * 10, "@a,", "("):
            with self.subTest(head=head), self.client() as c:
                self.assertEqual(c.cmd(head + "A" * 65536)[0], 500)
                self.assertEqual(c.cmd("NOOP")[0], 250)

    def test_what_nests_or_repeats_without_end_is_just_long(self):
        with self.client() as c:
            for line in ("MAIL FROM:<" + "@a," * 600 + ":u@x.test>", "MAIL FROM:<" + "<" * 2000,
                         "MAIL FROM:<" + "(" * 2000 + ">", "MAIL FROM:<a@b.test>" + " SIZE=1" * 250,
                         "MAIL FROM:<\"" + "\\" * 1999 + "\"@x.test>",
                         "MAIL FROM:<" + "a." * 900 + "@x.test>"):
                self.assertEqual(c.cmd(line)[0] // 100, 5)
                self.assertEqual(c.cmd("NOOP")[0], 250)


class Content(Case):
    def body(self, c, content, bdat):
        if not bdat:
            return c.data(content)
        c.send(b"BDAT %d LAST\r\n" % len(content) + content)
        return c.reply()

    def test_every_octet_comes_out_as_it_went_in(self):
        # MSG-8 MSG-16 MSG-17 EXT-25; also transcripts/server/eight_bit_and_nul.txt
        octets = bytes(b for b in range(256) if b not in (10, 13))
        bodies = [octets + b"\r\n", octets[::-1] * 20 + b"\r\n", b"\0\r\n" * 50, b"\0" * 5000 + b"\r\n",
                  b".\0.\r\n.\r\n\0.\r\n", b"\xff\xfe\r\n" * 9, bytes(range(0x80, 0x100)) * 40 + b"\r\n"]
        bodies += [b"x" * 4079 + bytes([b]) + b"\r\n" for b in octets[::16]]  # at a chunk's border
        sent = []
        for n, (body, bdat) in enumerate(itertools.product(bodies, (False, True))):
            content = b"Subject: %d\r\nX-Odd: \0\xff\r\n\r\n" % n + body
            with self.client() as c:
                params = ("", " BODY=7BIT", " BODY=8BITMIME")[n % 3]
                self.assertEqual(c.cmd("MAIL FROM:<a@b.test>" + params)[0], 250)
                self.assertEqual(c.cmd("RCPT TO:<user@example.test>")[0], 250)
                code, said = self.body(c, content, bdat)
                self.assertEqual(code, 250, said)
                sent.append((said.split()[-1], content))
        for qid, content in sent:
            raw = self.ctl("msg", "raw", qid, raw=True)
            self.assertEqual(without_our_trace(raw)[0], content)
        primary = self.primary()
        self.wait_delivered(primary, len(sent))
        self.assertEqual(sorted(without_our_trace(c)[0] for c in primary.contents()),
                         sorted(content for _, content in sent))

    def test_what_is_sent_behind_data_is_content(self):
        # RX-46; also transcripts/server/data_and_more_in_one_write.txt
        with self.client() as c:
            c.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<user@example.test>\r\nDATA\r\n"
                   b"QUIT\r\nRSET\r\nMAIL FROM:<evil@x.test>\r\n.\r\nNOOP x\r\n")
            self.assertEqual([c.reply()[0] for _ in range(5)], [250, 250, 354, 250, 250])
        self.assertEqual([m["sender"] for m in self.listed()], ["a@b.test"])

    def test_talking_before_the_greeting_gains_nothing(self):
        # RX-46
        with self.client(greet=False) as c:
            c.send(b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<nobody@out.test>\r\nDATA\r\n")
            got = [c.reply()[0] for _ in range(5)]
            self.assertEqual(got, [220, 250, 250, 550, 554])

    def test_received_bombs(self):
        # MSG-20; test_input.py has the plain count
        hop = b"Received: from a.test by b.test; Sun, 22 Nov 2026 00:00:00 +0000\r\n"
        folded = b"RECEIVED :\r\n from a.test\r\n\tby b.test; Sun, 22 Nov 2026 00:00:00 +0000\r\n"
        with self.client() as c:
            self.assertEqual(c.mail(folded * 101 + b"\r\nx\r\n")[0], 554)
            self.assertEqual(c.mail((hop + folded) * 51 + b"\r\nx\r\n")[0], 554)
            self.assertEqual(c.mail(b"Subject: x\r\n\r\n" + hop * 200)[0], 250)     # a body
            self.assertEqual(c.mail(b"Received: " + b"x" * (1 << 20) + b"\r\n\r\nx\r\n")[0], 250)
            self.assertEqual(c.mail(b"Received:\r\n" + b"\tx\r\n" * 300000 + b"\r\nx\r\n")[0], 250)
            self.assertEqual(c.mail(b"X-Received: y\r\n" * 5000 + b"\r\nx\r\n")[0], 250)
            self.assertEqual(c.mail(b"X: y\r\n" * 200000 + hop * 101 + b"\r\nx\r\n")[0], 554)
        self.assertEqual(self.count(), 4)

    def test_a_gigabyte_without_a_line_end_costs_no_memory(self):
        """As a command and as content."""
        block = b"x" * (1 << 20)
        before = self.rss_kib()
        with self.client(ehlo=None) as c, self.client() as d:
            d.cmd("MAIL FROM:<a@b.test>")
            d.cmd("RCPT TO:<user@example.test>")
            self.assertEqual(d.cmd("DATA")[0], 354)
            for _ in range(1024 // mxtest.SLOW):
                c.send(block)
                d.send(block)
            c.send(b"\r\n")
            d.send(b"\r\n.\r\n")
            self.assertEqual((c.reply()[0], d.reply()[0]), (500, 552))
            self.assertEqual((c.cmd("NOOP")[0], d.cmd("NOOP")[0]), (250, 250))
        self.assert_grew_less(before, 4096)
        self.assertEqual(self.count(), 0)


if __name__ == "__main__":
    mxtest.main()
