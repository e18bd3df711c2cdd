"""Nothing leaves for a domain that is not ours, however an address is spelled;
what is ours leaves with its local part as it was said."""
import re
import unicodedata

import mxtest
from mxtest import wait_for

OURS, IDN = "example.test", "xn--bcher-kva.test"

# What is said at RCPT, and the address that leaves: None = refused for good.
# (RX-16 RX-18 RX-19 RX-40 ADR-1..ADR-10 ADR-12..ADR-16 EXT-27)
SPELLINGS = (
    # the percent hack, the bang path: just letters of a local part
    ("<u%out.test@example.test>", "u%out.test@example.test"),
    ("<u%out.test%other.test@example.test>", "u%out.test%other.test@example.test"),
    ("<out.test!u@example.test>", "out.test!u@example.test"),
    ("<out.test!other.test!u%x@example.test>", "out.test!other.test!u%x@example.test"),
    ("<u%out.test>", None),
    ("<out.test!u>", None),
    ("<u%out.test@>", None),
    ("<example.test!u@out.test>", None),
    ("<u%example.test@out.test>", None),
    # source routes: the hosts are forgotten, the mailbox decides
    ("<@example.test:u@out.test>", None),
    ("<@example.test,@example.test:u@out.test>", None),
    ("<@out.test:u@example.test>", "u@example.test"),
    ("<@out.test,@other.test:u@example.test>", "u@example.test"),
    ("<@out.test:@example.test:u@out.test>", None),
    ("<@out.test,u@example.test>", None),
    ("<@example.test>", None),
    # quotes
    ('<"u@out.test"@example.test>', '"u@out.test"@example.test'),
    ('<"u\\@out.test"@example.test>', '"u@out.test"@example.test'),
    ('<"u%out.test"@example.test>', "u%out.test@example.test"),
    ('<"out.test!u"@example.test>', "out.test!u@example.test"),
    ('<"u> <v@out.test"@example.test>', '"u> <v@out.test"@example.test'),
    ('<"@out.test:u"@example.test>', '"@out.test:u"@example.test'),
    ('<""@example.test>', '""@example.test'),
    ('<"u@out.test">', None),
    ('<"u%out.test">', None),
    ('<"u"@example.test"@out.test>', None),
    ('<"u\\"@out.test>@example.test>', None),
    ('<"u@example.test>', None),
    ("<u\\@out.test@example.test>", None),
    ("<u(@out.test)@example.test>", None),
    ("<u@(out.test)example.test>", None),
    # more than one at-sign, more than one address
    ("<u@out.test@example.test>", None),
    ("<u@example.test@out.test>", None),
    ("<u@@example.test>", None),
    ("<u@out.test,u@example.test>", None),
    ("<u@example.test><u@out.test>", None),
    ("<u@example.test>,<u@out.test>", None),
    ("<u@out.test> <u@example.test>", None),
    ("<<u@example.test>>", None),
    # literals
    ("<u@[127.0.0.1]>", None),
    ("<u@[0.0.0.0]>", None),
    ("<u@[IPv6:::1]>", None),
    ("<u@[IPv6:::ffff:127.0.0.1]>", None),
    ("<u@[2130706433]>", None),
    ("<u@[x-tag:example.test]>", None),
    ("<u@[example.test]>", None),
    ("<u@127.0.0.1>", None),
    ("<postmaster@[127.0.0.1]>", None),
    ("<u%[127.0.0.1]@example.test>", None),
    ("<u@example.test[127.0.0.1]>", None),
    # no domain, other domains
    ("<u>", None),
    ("<>", None),
    ("<u@>", None),
    ("<u@localhost>", None),
    ("<u@test>", None),
    ("<u@.>", None),
    ("<u@sub.example.test>", None),
    ("<u@xexample.test>", None),
    ("<u@example.test.out.test>", None),
    ("<u@example-test>", None),
    ("<u@out.test#example.test>", None),
    ("<u@out.test?example.test>", None),
    ("<u@out.test/example.test>", None),
    ("<u@example.test:25>", None),
    ("<postmaster@out.test>", None),
    # trailing dots
    ("<u@example.test.>", None),
    ("<u@example.test..>", None),
    ("<u@out.test.>", None),
    ("<u@.example.test>", None),
    ("<u@example..test>", None),
    # case
    ("<U.sEr+tAG@EXAMPLE.Test>", "U.sEr+tAG@example.test"),
    ("<u@OUT.test>", None),
    ("<postmaster>", "postmaster@example.test"),
    ("<PostMaster>", "postmaster@example.test"),
    ('<"postmaster">', "postmaster@example.test"),
    ("<postmaster@EXAMPLE.TEST>", "postmaster@example.test"),
    ("postmaster", None),
    ("<post.master>", None),
    # IDN: both forms are one domain, what only looks like it is none
    ("<u@xn--bcher-kva.test>", "u@" + IDN),
    ("<u@XN--BCHER-KVA.test>", "u@" + IDN),
    ("<u@b\u00fccher.test>", "u@" + IDN),
    ("<u@b\u00dccher.test>", "u@" + IDN),
    ("<u@bu\u0308cher.test>", "u@" + IDN),
    ("<\u00fc@b\u00fccher.test>", "\u00fc@" + IDN),
    ("<u@bucher.test>", None),
    ("<u@\u0435xample.test>", None),
    ("<u@ex\u0430mple.test>", None),
    ("<u@example.test\u3002out.test>", None),
    ("<u@out.test\u3002>", None),
    ("<u@out\uff0etest>", None),
    ("<u@example.test\u202etset.tuo>", None),
    # blanks
    (" <u@example.test>", "u@example.test"),
    ("< u@example.test>", None),
    ("<u@example.test >", None),
    ("<u @example.test>", None),
    ("<u@ example.test>", None),
    ("<u\t@example.test>", None),
    ("<u@\texample.test>", None),
    ("<u@out.test\t@example.test>", None),
    ("<u@out.test> @example.test>", None),
    ('<"u\t"@example.test>', None),
    ("u@example.test", None),
    ("<u@example.test", None),
    ("u@example.test>", None),
    # octets that C would stop at
    ("<u@example.test\0>", None),
    ("<u@out.test\0@example.test>", None),
    ("<u@example.test\0.out.test>", None),
    ("<u@example.test\x01>", None),
    ("<u@example.test\x7f>", None),
    ("<u\x00@example.test>", None),
    # what shells, formats and mailers would expand: letters as others
    ("<|/bin/sh@example.test>", "|/bin/sh@example.test"),
    ("</etc/passwd@example.test>", "/etc/passwd@example.test"),
    ("<${run{id}}@example.test>", "${run{id}}@example.test"),
    ("<%n%s%n%99999999d@example.test>", "%n%s%n%99999999d@example.test"),
    ("<`id`@example.test>", "`id`@example.test"),
    ('<";id;"@example.test>', '";id;"@example.test'),
    ('<"|/bin/sh -c \'id\'"@example.test>', '"|/bin/sh -c \'id\'"@example.test'),
    ("<;id;@example.test>", None),
    ("<-oQ/tmp@example.test>", "-oQ/tmp@example.test"),
    ("<:include:/etc/passwd@example.test>", None),
    # parameters that name somebody else
    ("<u@example.test> ORCPT=rfc822;u@out.test", "u@example.test"),
    ("<u@out.test> ORCPT=rfc822;u@example.test", None),
    ("<u@example.test> FORWARD=u@out.test", None),
    # lengths
    ("<" + "u" * 64 + "@example.test>", "u" * 64 + "@example.test"),
    ("<" + "u" * 65 + "@example.test>", None),
    ("<u@" + "x." * 124 + "example.test>", None),
)


class Relay(mxtest.Case):
    maxDiff = None

    def config_text(self):
        return super().config_text() + f"""
domain "{IDN}" {{
    primary = "{self.ip}:{self.PRIMARY}"
    recipients = "{self.path('rcpt')}"
}}
"""

    def setUp(self):
        super().setUp()
        self.config_extra = 'smtp { max_errors = 10000 }\n bounce { send = "all"  route = "mx" }'
        # An honest resolver would find them; a query would be a step outside.
        self.dns("out.test MX 10 trap.test", f"trap.test A {self.ip}",
                 "client.test MX 10 trap.test")

    def ask(self, client, spelling):
        """The reply to RCPT."""
        self.assertEqual(client.cmd("MAIL FROM:<a@client.test> SMTPUTF8 BODY=8BITMIME")[0], 250)
        return client.cmd("RCPT TO:" + spelling)

    def test_with_every_local_part_ours_only_our_domains_get_mail(self):
        self.recipients = ["@"]
        self.start()
        expected = {}
        for n, (spelling, wanted) in enumerate(SPELLINGS):
            with self.subTest(spelling=spelling), self.client() as c:
                code, said = self.ask(c, spelling)
                if wanted:
                    self.assertEqual(code, 250, said)
                    self.assertEqual(c.data(b"Subject: spelling %d\r\n\r\nx\r\n" % n)[0], 250)
                    expected[n] = wanted
                else:
                    self.assertEqual(code // 100, 5, said)
                    self.assertEqual(c.cmd("DATA")[0] // 100, 5)
                self.assertEqual(c.cmd("NOOP")[0], 250)  # still in step
        self.assertEqual({m["domain"] for m in self.listed()}, {OURS, IDN})
        primary = self.primary("utf8")
        self.wait_delivered(primary, len(expected))
        self.wait_empty()
        self.assertEqual(self.arrived(primary), expected)

    def arrived(self, primary):
        """{number of the spelling: the address that the primary was told}"""
        got = {}
        for row in primary.index():
            self.assertEqual(len(row["rcpt"]), 1)
            n = int(re.search(rb"\r\nSubject: spelling (\d+)\r\n",
                              primary.content(row["n"])).group(1))
            self.assertNotIn(n, got)
            path = row["rcpt"][0].encode("latin-1").decode("utf-8")
            local, domain = re.match(r"<(.*)>(?: [A-Z]+=\S+)*$", path).group(1).rsplit("@", 1)
            domain = unicodedata.normalize("NFC", domain).lower()
            got[n] = f"{local}@" + domain.replace("b\u00fccher.test", IDN)
        for cmd in primary.commands():
            if cmd.startswith("RCPT"):
                self.assertRegex(cmd.lower(), r"@(example|xn--bcher-kva|b\S*cher)\.test>")
        return got

    def test_with_a_list_no_spelling_gets_past_it(self):
        self.start()
        with self.client() as c:
            for spelling, wanted in SPELLINGS:
                if wanted and wanted.startswith("postmaster@"):
                    continue
                with self.subTest(spelling=spelling):
                    code, said = self.ask(c, spelling)
                    self.assertEqual(code // 100, 5, said)
                    self.assertEqual(c.cmd("RSET")[0], 250)
        self.assertEqual(self.count(), 0)

    def test_a_routes_hosts_are_not_in_the_reverse_path(self):
        # ADR-2
        self.start()
        with self.client() as c:
            self.assertEqual(c.cmd("MAIL FROM:<@out.test,@x.test:a@client.test>")[0], 250)
            self.assertEqual(c.cmd("RCPT TO:<user@example.test>")[0], 250)
            self.assertEqual(c.data(b"Subject: x\r\n\r\nx\r\n")[0], 250)
        primary = self.primary()
        self.wait_delivered(primary, 1)
        self.assertTrue(primary.index()[0]["from"].startswith("<a@client.test>"))

    def test_no_stranger_becomes_a_friend_by_saying_so(self):
        # XCLIENT, XFORWARD, PROXY and AUTH from whom nobody named
        self.start()
        for line in ("XCLIENT ADDR=127.0.0.1 LOGIN=root", "XFORWARD ADDR=127.0.0.1",
                     "PROXY TCP4 127.0.0.1 127.0.0.1 1 25", "AUTH PLAIN AHJvb3QAcm9vdA=="):
            with self.subTest(line=line), self.client() as c:
                self.assertEqual(c.cmd(line)[0] // 100, 5)
                self.assertEqual(self.ask(c, "<u@out.test>")[0], 550)
        with self.client() as c:
            for word in ("AUTH", "XCLIENT", "XFORWARD"):     # EXT-47
                self.assertNotIn(word, c.ehlo_reply[1])
        for name in ("localhost", "[127.0.0.1]", "mx2.test", "example.test"):
            with self.subTest(helo=name), self.client(ehlo=name) as c:
                self.assertEqual(self.ask(c, "<u@out.test>")[0], 550)

    def test_a_refusal_of_the_primary_makes_no_mail_to_strangers(self):
        """Backscatter: nothing about mail we cannot prove the sender of."""
        self.config_extra = ("bounce { send = \"authenticated\" }\n"
                             "breaker { max_5xx = 100  first_5xx = \"0s\" }")
        self.primary("rcpt=550")
        self.start()
        for n in range(10):
            self.send(b"Subject: %d\r\n\r\nx\r\n" % n, sender=f"victim{n}@client.test")
        wait_for("all of them to be judged", lambda: len(self.listed(
            "--state", "quarantine")) == 10)
        self.assertEqual(self.events("bounce.made"), [])


if __name__ == "__main__":
    mxtest.main()
