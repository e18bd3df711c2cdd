"""Odd but honest mail comes out as it went in; corpus.py says what is compared,
and takes a folder of real mail."""
import corpus
import mxtest

HEAD = b"From: Ann <ann@client.test>\r\nTo: user@example.test\r\nDate: Sun, 22 Nov 2026 00:00:00 +0000\r\n"


def mail(fields, body):
    return HEAD + fields + b"\r\n" + body


MAILS = {
    "plain": mail(b"Subject: x\r\n", b"Hello.\r\n"),
    "no body": HEAD + b"\r\n",
    "no empty line": HEAD,
    "no header": b"\r\nHello.\r\n",
    "text alone": b"Hello you,\r\n\r\nSubject: not a field\r\n",
    "text like a fold": b" Subject: x\r\n\r\nHello.\r\n",
    "an empty message": b"\r\n",
    "empty lines": b"\r\n" * 20,
    "mbox separator": b"From ann@client.test  Sun Nov 22 00:00:00 2026\r\n" + mail(b"", b"x\r\n"),
    "mbox separator, quoted": b">From ann Sun Nov 22 00:00:00 2026\n" + mail(b"", b"x\r\n").replace(b"\r", b""),
    "mbox lines in the body": mail(b"", b"From here on\r\n>From there\r\n>>From\r\n"),
    "a dialogue as content": b"HELO client.test\r\nMAIL FROM:<>\r\nDATA\r\n" + mail(b"", b"x\r\n.\r\n"),
    "trailing empty lines": mail(b"", b"x\r\n" + b"\r\n" * 30),
    "trailing blanks": mail(b"Subject: x  \t\r\n", b"x \t \r\n \r\n\t\r\n  "),
    "no newline at the end": mail(b"", b"end without newline"),
    "dots": mail(b"", b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n \r\n.\r\n"),
    "dot first": b".\r\n.Subject: x\r\n\r\n.\r\n",
    "folds": mail(b"Subject:\r\n folded\r\n\tand  again\r\n \r\n x\r\nX-Empty:\r\nX-Blank: \r\n", b"x\r\n"),
    "names of all kinds": mail(b"subject : spaced\r\nSUBJECT: twice\r\nX!#$%&'*+-.^_`|~: odd\r\n"
                               b"X-" + b"y" * 500 + b": long\r\n", b"x\r\n"),
    "a line in the header that is no field": mail(b"Subject: x\r\nno field at all\r\nX: y\r\n", b"x\r\n"),
    "8 bit in the header": mail("Subject: Grüße 你好\r\n".encode() + b"X-Latin: \xe4\xf6\xfc\xa0\r\n", b"x\r\n"),
    "8 bit in the body": mail(b"Content-Transfer-Encoding: 8bit\r\n", bytes(range(128, 256)) * 3 + b"\r\n"),
    "utf-16": mail(b"Content-Type: text/plain; charset=utf-16\r\n",
                   "﻿Grüße\r\n.\r\nend\r\n".encode("utf-16-le")),
    "nul": mail(b"X-Nul: a\0b\r\n", b"\0\0\r\n\0.\r\nx\0\r\n"),
    "controls": mail(b"", bytes(b for b in range(32) if b not in (10, 13)) + b"\x7f\r\n"),
    "long lines": mail(b"X-Long: " + b"h" * 20000 + b"\r\n", b"b" * 998 + b"\r\n" + b"b" * 100000 + b"\r\n"),
    "a long header": mail(b"".join(b"X-%d: %s\r\n" % (i, b"v" * 60) for i in range(3000)), b"x\r\n"),
    "many hops": mail(b"Received: from a by b; Sun, 22 Nov 2026 00:00:00 +0000\r\n" * 60, b"x\r\n"),
    "signatures of others": mail(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=x.test; s=s;\r\n"
                                 b"\th=from : to : subject; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                                 b"\tb=AAAA\r\nARC-Seal: i=1; a=rsa-sha256; cv=none; d=x.test; s=s; b=AAAA\r\n", b"x\r\n"),
    "mime": mail(b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=\"==\"\r\n",
                 b"preamble\r\n--==\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n.\r\n"
                 b"--==\r\n\r\n--== \r\n\r\nnever closed\r\n"),
    "mime without end": mail(b"Content-Type: multipart/mixed; boundary=\r\n", b"--\r\n----\r\n"),
    "uuencode": mail(b"", b"begin 644 x\r\n`\r\n.\r\nend\r\n"),
    "large": mail(b"Subject: large\r\n", b"0123456789abcdef" * 4 * 4096 + b"\r\n.\r\n" * 50000),
    "unix": mail(b"Subject: x\r\n", b"one\r\n\r\ntwo\r\n.\r\n").replace(b"\r", b""),
    "mixed line ends": mail(b"Subject: x\nX: y\r\n", b"lf\ncr\rboth\r\nlf at the end\n"),
    "bare cr": mail(b"Subject: x\rX: y\r\n", b"a\rb\r\r\nc\r"),
    "lf between": mail(b"", b"a\n\n\nb\r\n\n\r\n.\nc\r\n"),
}


class Odd(corpus.Corpus):
    def test_odd_mail(self):
        figures = self.carry(MAILS)
        self.assertEqual(figures["messages"], 2 * len(MAILS))
        self.assertEqual(figures["hashes unchanged"], 2 * len(MAILS))
        self.assertGreater(figures["clean"], 50)
        self.assertGreater(figures["signed"], 20)
        self.assertEqual(figures["still verified"], figures["signed"])

    def test_the_comparison_can_fail(self):
        """One octet more or less shows in header and body."""
        plain = MAILS["plain"]
        same = corpus.hashes(*corpus.parse(plain))
        for other in (plain.replace(b"Hello", b"hello"), plain.replace(b": x", b": y"),
                      plain.replace(b"\r\n\r\n", b"\r\n\r\n\r\n"), b"\r\n" + plain):
            self.assertNotEqual(corpus.hashes(*corpus.parse(other)), same)


del corpus.Folder       # for who has a folder


if __name__ == "__main__":
    mxtest.main()
