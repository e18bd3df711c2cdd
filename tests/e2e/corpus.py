"""Mail of all kinds through the daemon and to a primary: it must come out byte
for byte where its line ends are clean, and with the hashes that DKIM makes of
header and body in any case (RFC 6376 3.4).

usage: corpus.py FOLDER     every file in it is a message; prints the figures.
test_corpus.py does the same with messages of its own.
"""
import base64
import hashlib
import os
import re
import subprocess
import sys
import unittest

import mxtest
from mxtest import without_our_trace

try:
    import dkim
    from dkim.canonicalization import Relaxed, Simple
except ImportError:
    dkim = None

FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:")
SEPARATOR = re.compile(rb">?From [^\r\n]")


def as_sent(data):
    """What a client makes of a file: CRLF of the line ends of this system."""
    if b"\r\n" not in data:
        data = data.replace(b"\n", b"\r\n")
    return data if data.endswith(b"\r\n") else data + b"\r\n"


def normalized(data):
    """RFC 5321 2.3.8: what we make of bare newlines."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", data)


def is_clean(data):
    return normalized(data) == data


def parse(data):
    """(header fields, body); a mailbox's separator is no field."""
    fields, rest = [], data
    while rest:
        line, _, behind = rest.partition(b"\r\n")
        if not line:
            return fields, behind
        m = FIELD.match(line)
        if line[:1] in b" \t" and fields:
            fields[-1][1] += line + b"\r\n"
        elif m:
            fields.append([m.group(1), line[m.end():] + b"\r\n"])
        elif not SEPARATOR.match(line):
            break
        rest = behind
    return fields, rest


def hashes(fields, body):
    """Of header and body, by both canonicalizations."""
    def of_header(how):
        return hashlib.sha256(b"".join(
            name + b":" + value for name, value in how.canonicalize_headers(fields))).hexdigest()

    def of_body(how):
        return hashlib.sha256(how.canonicalize_body(body)).hexdigest()
    return tuple(of(how) for of in (of_header, of_body) for how in (Simple, Relaxed))


def stuffed(data):
    return re.sub(rb"(^|\r\n)\.", rb"\1..", data) + b".\r\n"


@unittest.skipUnless(dkim, "python3-dkim is not installed")
class Corpus(mxtest.Case):
    """carry() is what both users call."""

    def setUp(self):
        super().setUp()
        self.config_extra = "smtp { max_hops = 1000  max_errors = 10000 }"
        key = self.path("dkim.key")
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "1024"],
                       check=True, capture_output=True)
        with open(key, "rb") as f:
            self.key = f.read()
        public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-outform", "DER"],
                                check=True, capture_output=True).stdout
        self.record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def signed(self, content):
        """With a signature of our own in front, where it can have one."""
        try:
            return dkim.sign(content, b"s", b"client.test", self.key,
                             canonicalize=(b"simple", b"simple")) + content
        except (dkim.DKIMException, IndexError):  # no From field, no header
            return None

    def hand_in(self, client, content, bdat):
        self.assertEqual(client.cmd("MAIL FROM:<a@client.test> BODY=8BITMIME")[0], 250)
        self.assertEqual(client.cmd("RCPT TO:<user@example.test>")[0], 250)
        if bdat:
            client.send(b"BDAT %d LAST\r\n" % len(content) + content)
        else:
            self.assertEqual(client.cmd("DATA")[0], 354)
            client.send(stuffed(content))
        code, said = client.reply()
        self.assertEqual(code, 250, said)
        return said.split()[-1]

    def carry(self, mails):
        """mails: name -> octets of the file. The figures."""
        figures = dict.fromkeys(("messages", "octets", "clean", "byte for byte",
                                 "hashes unchanged", "signed", "still verified"), 0)
        self.start()
        sent = {}
        with self.client() as c:
            for name, data in sorted(mails.items()):
                content = as_sent(data)
                for bdat in (False, True):
                    sent[self.hand_in(c, content, bdat)] = (name, content)
                mine = self.signed(content) if is_clean(content) else None
                if mine:
                    sent[self.hand_in(c, mine, False)] = (None, mine)
        for qid, (name, content) in sent.items():
            with self.subTest(name=name or "signed", qid=qid):
                self.look_at(self.ctl("msg", "raw", qid, raw=True), name, content, figures)
        self.judge_primary(sent)
        return figures

    def look_at(self, raw, name, content, figures):
        """Counts what is as it should be, then says what is not."""
        kept, _ = without_our_trace(raw)
        clean = normalized(content)
        if not name:
            figures["signed"] += 1
            ok = dkim.verify(raw, dnsfunc=lambda *_a, **_k: self.record, minkey=1024)
            figures["still verified"] += ok
            self.assertTrue(ok)
            return
        fields, body = parse(clean)
        has_header = fields or clean.startswith(b"\r\n")
        # MSG-11: content without a header gets an empty one, and no more
        wanted = clean if has_header else b"\r\n" + clean
        same = hashes(*parse(kept)) == hashes(fields, body)
        figures["messages"] += 1
        figures["octets"] += len(content)
        figures["clean"] += is_clean(content)
        figures["byte for byte"] += kept == content
        figures["hashes unchanged"] += same
        self.assertEqual(kept, wanted)
        self.assertTrue(same)

    def judge_primary(self, sent):
        """The primary got what we keep, to the octet."""
        kept = {qid: self.ctl("msg", "raw", qid, raw=True) for qid in sent}
        primary = self.primary()
        self.wait_delivered(primary, len(sent))
        self.wait_empty()
        self.assertEqual(sorted(mxtest.sha(c) for c in primary.contents()),
                         sorted(mxtest.sha(c) for c in kept.values()))


class Folder(Corpus):
    """Not run by itself: main() names it."""

    def test_the_folder(self):
        mails = {}
        for name in sorted(os.listdir(FOLDER)):
            if name.startswith(("README", ".")):
                continue
            with open(os.path.join(FOLDER, name), "rb") as f:
                mails[name] = f.read()
        figures = self.carry(mails)
        print("\n".join(f"{what}: {n}" for what, n in figures.items()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    FOLDER = sys.argv[1]
    result = unittest.TextTestRunner().run(Folder("test_the_folder"))
    sys.exit(not result.wasSuccessful())
