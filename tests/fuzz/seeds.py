#!/usr/bin/env python3
"""Makes the inputs that the fuzzers begin with.

    seeds.py DIR    writes DIR/<target>/<name>

Addresses, parameters, XCLIENT, headers, replies, reports and trace lines
come from the transcripts; the configuration from the example file; what no
transcript has (records, JSON, DNS, files of recipients, units) from the
lists below. The whole dialogues are fed to the machines by the transcripts'
own runner (transcripts --seeds). What was found later, made small by
minimise.sh, is in corpus/.
"""
import glob
import hashlib
import json
import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LONGEST = 2000  # longer ones only teach a fuzzer patience
END = b"\xff"

out_dir = None


def put(target, data):
    if not data or len(data) > LONGEST:
        return
    folder = os.path.join(out_dir, target)
    os.makedirs(folder, exist_ok=True)
    name = hashlib.sha1(data).hexdigest()[:12]
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


# --- transcripts ----------------------------------------------------------

ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}


def unescape(match):
    what = match.group(1)
    if what[:1] == b"x" and len(what) == 3:
        return bytes([int(what[1:], 16)])
    return ESCAPES.get(what, what)


def octets(text):
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", unescape, text, flags=re.S)


def steps(path):
    """Yields (kind, octets) as tests/transcripts/script.c reads them."""
    with open(path, "rb") as file:
        for line in file.read().splitlines():
            match = re.match(rb"([CcS])(?:\*(\d+))?: ?(.*)", line, re.S)
            if match:
                text = octets(match.group(3)) * int(match.group(2) or 1)
                yield (match.group(1).decode(),
                       text if match.group(1) == b"c" else text + b"\r\n")


def from_command(text, found):
    match = re.match(rb"(?i)\s*(MAIL|RCPT)\s+(?:FROM|TO):\s*(<[^>]*>|\S+)(.*)",
                     text, re.S)
    if match:
        found["paths"].add(match.group(2))
        put("fuzz_address", match.group(2))
        put("fuzz_address", match.group(2).strip(b"<>"))
        put("fuzz_params", b"\x0e" + match.group(3).rstrip(b"\r\n"))
        return
    match = re.match(rb"(?i)(EHLO|HELO|BDAT|XCLIENT)(.*)", text, re.S)
    if not match:
        return
    arg = match.group(2).strip()
    if match.group(1).upper() == b"XCLIENT":
        put("fuzz_xclient", arg)
    else:
        put("fuzz_params", b"\x00" + arg)
        found["names"].add(arg)


def from_server(path, found):
    content, in_data = b"", False
    for kind, text in steps(path):
        if kind == "S":
            in_data = in_data or text.startswith(b"354")
            continue
        if in_data and text == b".\r\n":
            put("fuzz_header", content)
            content, in_data = b"", False
        elif in_data:
            content += text
        else:
            from_command(text, found)
            put("fuzz_text", b"\x20" + text)
            if text.startswith((b"PROXY", b"\r\n\r\n\0")):
                put("fuzz_proxy", text)


def from_client(path, found):
    reply = b""
    for kind, text in steps(path):
        if kind == "S":
            reply += text
            if text[3:4] != b"-":
                put("fuzz_reply", reply)
                found["replies"].add(reply)
                reply = b""


def from_transcripts():
    found = {"paths": set(), "names": set(), "replies": set()}
    folder = os.path.join(ROOT, "tests", "transcripts")
    for path in sorted(glob.glob(os.path.join(folder, "server", "*.txt"))):
        from_server(path, found)
    for path in sorted(glob.glob(os.path.join(folder, "client", "*.txt"))):
        from_client(path, found)
    paths = sorted(p.strip(b"<>") for p in found["paths"])
    names = sorted(found["names"])
    for i, name in enumerate(names):
        path = paths[i % len(paths)]
        put("fuzz_received", bytes([i % 256]) +
            END.join([name, names[-i], b"TLSv1.3 TLS_AES_256_GCM_SHA384",
                      path, paths[-i % len(paths)]]))
    for i, reply in enumerate(sorted(found["replies"])):
        put("fuzz_dsn", bytes([i * 37 % 256, i % 3]) +
            END.join([b"a@b.test", b"QQ+20x", names[i % len(names)],
                      paths[i % len(paths)], b"rfc822;c+2Bd@e.test",
                      b"mx1.example.com", reply,
                      b"Subject: x\r\nMessage-ID: <1@x>\r\n\r\nbody\r\n"]))


# --- configuration --------------------------------------------------------

def from_example():
    """The example with its comment signs off, as it is and as a tree."""
    path = os.path.join(ROOT, "systemd", "mxholdd.conf.example")
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"(?m)^#(?! |$)", "", file.read())
    text = re.sub(r"(?m)^# .*\n|^#\n", "", text)
    for part in re.split(r"\n\n+", text):
        put("fuzz_lexer", part.encode())
        put("fuzz_config", tree(part).encode())
    put("fuzz_lexer", b'a = "x" # c\n/* d\n */ b { c = {"${HOME}", \'e\'} }\n')
    put("fuzz_lexer", b'domain "x" { primary += 1 // z\n} f("g")')
    put("fuzz_config", DOMAINS.encode())


DOMAINS = """[primary hq]
host=mx1.example.com|[2001:db8::1]:26|192.0.2.1
tls=verify
[primary pinned]
host=
tls=pin
pin=sha256:%s
[domain example.com]
primary=hq
recipients=/etc/list|learn|https://x.test/l|exec:/bin/x
[.drain]
rate=10
retry_message=1m|5m|1h
[.policy]
milter=unix:/run/m|inet:127.0.0.1:11332
[domain b\u00fccher.example]
primary=mx
recipients=learn
[domain c.example]
primary=192.0.2.9:2525
recipients=learn
[.bounce]
from=auto
[listen a\x01b]
address=127.0.0.1:25
[alert ops]
events=queue|disk
exec=/bin/true
[policy]
dnsbl=zen.example:2|list.example:-1
[dns]
resolver=127.0.0.1@5353
[queue]
hard_limit=60d
max_bytes=auto
""" % ("0f" * 32)


def tree(part):
    """fuzz_config's lines: [section title] and name=a|b."""
    lines = []
    for line in part.splitlines():
        line = re.sub(r"\s+#.*", "", line.strip())
        match = re.match(r'(\w+)\s*(?:"([^"]*)")?\s*\{$', line)
        if match:
            lines.append("[%s %s]" % (match.group(1), match.group(2) or ""))
            continue
        match = re.match(r"(\w+)\s*=\s*(.*)", line)
        if match:
            value = match.group(2).strip()
            texts = re.findall(r'"([^"]*)"', value)
            if not texts and value[:1] != "{":
                texts = [value]
            lines.append("%s=%s" % (match.group(1), "|".join(texts)))
    return "\n".join(lines)


# --- the control socket ---------------------------------------------------

REQUESTS = [
    {"v": 1, "command": "queue list", "args": {
        "domain": "EXAMPLE.com", "from": "<>", "to": "@a.example",
        "reason": "time", "client": "192.0.2.0/24", "older": "1h",
        "newer": "2d", "size": "+1M", "state": "ready,held", "limit": "10",
        "until": "01hx0000000a0"}},
    {"v": 1, "command": "queue delete", "args": {
        "ids": ["01hx0000000a0", "0000000000007", "01HX0000000A0"],
        "size": "-64K", "client": "2001:db8::/32", "all": True}},
    {"v": 1, "command": "queue hold", "args": {
        "domain": "b\u00fccher.example", "from": "Joe@A.example"}},
    {"v": 1, "command": "status", "args": {}},
    {"row": {"id": "01hx0000000a0", "ages": [1, 2.5, None]}},
    {"result": {"messages": 4, "text": "\u2028\u00e9"}},
    {"raw": "0d0A00ff"},
    {"end": {"exit": 0, "error": ""}},
    {"end": {"exit": 7, "error": "c:1: hostnam: no such option\n"}},
]

PARCEL = {
    "v": 1, "id": "01hx0000000a0", "state": "held", "size": 812,
    "crc32c": "0badc0de", "attempts": 2, "maybe_duplicate": False,
    "arrived_at": "2026-11-22T02:19:16.123Z", "message_id": "<m@x>",
    "reason": "held by ops", "sender": "a@b.example", "envid": "QQ+20x",
    "client_name": "c.example", "helo": {"hex": "ff00"}, "protocol": "ESMTPS",
    "tls": "TLSv1.3 X", "client": "2001:db8::1", "client_port": 4711,
    "ret": "HDRS", "body": "8BITMIME", "smtputf8": True, "requiretls": False,
    "eight_bit": True, "utf8_header": False, "tls_optional": False,
    "report": False, "recipients": [
        {"address": "u@a.example", "destination": "a.example",
         "orcpt": "rfc822;u@a.example", "reply": "450 4.2.0 busy\nlater",
         "remote": "mx1", "notify": ["SUCCESS", "DELAY"], "state": "pending",
         "kept": False, "attempts": 1, "last_attempt_at": "",
         "first_5xx_at": "2026-11-22T02:19:16Z"},
        {"address": "\"x y\"@b.example", "destination": "xn--bcher-kva.test",
         "orcpt": "", "reply": {"hex": "80"}, "remote": "", "notify": [],
         "state": "failed", "kept": True, "attempts": 0,
         "last_attempt_at": "", "first_5xx_at": ""}]}


def from_json():
    for request in REQUESTS:
        put("fuzz_control", json.dumps(request).encode())
    put("fuzz_parcel", json.dumps(PARCEL).encode())
    for state in "ready", "retry", "quarantine":
        put("fuzz_parcel", json.dumps(dict(
            PARCEL, state=state, sender="", body="",
            recipients=PARCEL["recipients"][:1])).encode())


# --- records --------------------------------------------------------------

def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def signed(value):
    return varint((value << 1 ^ value >> 63) & (2 ** 64 - 1))


def text(value):
    return varint(len(value)) + value


def message_record():
    texts = [b"a@b.test", b"", b"c.test", b"h.test", b"ESMTPS",
             b"TLSv1.3 X", b"<m@x>", b"why"]
    return (b"\x01" + struct.pack(">H", 0x4f) + b"\x12" + varint(5000) +
            varint(2) + struct.pack(">I", 0xbadc0de) + varint(3) +
            signed(1790000000000) + signed(0) + b"\x04\xc0\x00\x02\x01" +
            struct.pack(">H", 4711) + b"".join(text(t) for t in texts) +
            struct.pack(">HH", 2, 1) + struct.pack(">IHQ", 7, 2, 500))


def recipient_record(flags, domain):
    return (b"\x01" + bytes([flags]) + b"\x0a" + varint(7) +
            text(b"u@a.test") + domain + text(b"rfc822;u@a.test") +
            varint(2) + signed(1790000000000) + signed(0) +
            text(b"450 later") + text(b"mx1"))


def from_records():
    kinds = [
        message_record(), recipient_record(0, b""),
        b"\x01\x01" + text(b"a.test") + varint(9) + varint(99999),
        b"\x01" + struct.pack(">QQIQQ", 1 << 40, 2, 3, 4, 5),
        b"\x01" + struct.pack(">I", 12),
        struct.pack(">Q", 1790000000000 << 20) + b"\x01\x02" + signed(-5) +
        struct.pack(">Q", 77) + text(b"a@b") + text(b"c@d") +
        text(b"<m@x>") + text(b"250 ok"),
        b"\x01" + struct.pack(">I", 4) + varint(10 ** 7) +
        signed(1790000000000) + b"\x01\x00\x01" + text(b"salt"),
        b"\x01\x00" + struct.pack(">IQ", 4711, 42),
        b"\x01\x03" + signed(1) + signed(2) + varint(3) + text(b"refused") +
        varint(255) + varint(1 << 40) + signed(4) + signed(5) + signed(6) +
        b"\x02\x04\xc0\x00\x02\x01\x00\x19\x06" + b"\x20" * 16 + b"\x09\xdd",
        b"\x01" + struct.pack(">IQ", 7, 1 << 60) + signed(-9) + signed(9) +
        varint(1000) * 3,
        b"\x01\x01\x01" + signed(9) + signed(1790000000000) + signed(0),
    ]
    for kind, record in enumerate(kinds):
        put("fuzz_record", bytes([kind]) + record)
        put("fuzz_record", bytes([kind]) + record[:-1])
    put("fuzz_record", b"\x01" + recipient_record(8, text(b"b.test")))
    put("fuzz_record", b"\x01" + recipient_record(6, b""))
    for kind in range(4):
        put("fuzz_record", bytes([0x80 + kind]) + bytes(range(32)) +
            END.join([b"a@b.test", b"b.test", b"x", b"y", b"z"]))


# --- and the rest ---------------------------------------------------------

RECIPIENTS = [
    b"\xef\xbb\xbf# our people\r\njoe\r\nJane.Doe@EXAMPLE.com\r\n",
    b"#salt: pepper\nsha256:" + b"0aF9" * 16 + b"\n",
    b"@\n!spam\n!\"x y\"@example.com\n\"a@b\"\n\"joe\"\n",
    b"@example.com\n@other.test\nx@other.test # elsewhere\n",
    b"joe@\nj\xc3\xb6rg\nsha256:12\n", b"#x@example.com\n\"!joe\"\n",
]

XCLIENT = [b"ADDR=IPV6:2001:db8::1 PORT=4711 PROTO=esmtp HELO=h+2Etest",
           b"NAME=[TEMPUNAVAIL] LOGIN=joe+40x DESTADDR=192.0.2.1"]

PROXY = [
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\r\nEHLO a\r\n",
    b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 25\r\n", b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x12\x67\0\x19",
    b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x28" + bytes(range(36)) + b"\x04\0\1x",
]

UNITS = [b"0", b"18446744073709551615", b"18446744073709551616", b"500ms",
         b"30d", b"9223372036854775807ms", b"10G", b"16777216T",
         b"2026-11-22T02:19:16Z", b"2026-11-22T02:19:16.123Z",
         b"1970-01-01T00:00:00Z", b"2024-02-30T00:00:00Z", b"01hx0000000a0",
         b"0badC0DE", b"192.0.2.1", b"2001:db8::1", b"::ffff:192.0.2.1",
         b"192.0.2.1:25", b"[2001:db8::1]:25", b"[::ffff:192.0.2.1]:25",
         b"192.0.2.0/24", b"2001:db8::/32", b"::ffff:192.0.2.0/120",
         b"hostname"]

NAME = b"\x03mx1\x07Example\x03com\0"

DNS = [  # type, flags, records
    (0, 0, [b"\xc0\0\2\1", b"\xc0\0\2\2", b"\1\2\3"]),
    (1, 1, [b"\x20\1\x0d\xb8" + bytes(12)]),
    (2, 1, [b"\0\x0a" + NAME, b"\0\x14\0", b"\0\x0a\xc0\0"]),
    (2, 0, [struct.pack(">H", i % 7) + NAME for i in range(40)]),
    (3, 0, [NAME]), (4, 0, [b"\x06v=STSv\x08" + b"1; id=42"]),
    (5, 1, [b"\3\1\1" + bytes(32), b"\3\1\2" + bytes(64), b"\3\1\0cert"]),
    (5, 1, [b"\2\0\0cert", b"\2\0\1" + bytes(32)]), (2, 4, []), (2, 16, []),
]

TEXT = [b"\x05a=b \"c\" \\x41\\", b"\xff" + "\u00e9\u2028\u202e\u20ac".encode(),
        b"\x10\xc3\xed\xa0\x80\xf4\x90\x80\x80\0\x1b[31m",
        b"\xff" + b"\xe2\x82\xac" * 90]


def from_lists():
    for data in RECIPIENTS:
        put("fuzz_recipients", data)
    for data in XCLIENT:
        put("fuzz_xclient", data)
    for data in PROXY:
        put("fuzz_proxy", data)
    for i, data in enumerate(UNITS):
        put("fuzz_units", struct.pack(">Q", 1790000000000 << i % 21) + data +
            END + UNITS[-i])
    for kind, flags, records in DNS:
        put("fuzz_dns", bytes([kind, flags]) +
            b"".join(bytes([len(r)]) + r for r in records))
    for data in TEXT:
        put("fuzz_text", data)


def main():
    global out_dir
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out_dir = sys.argv[1]
    from_transcripts()
    from_example()
    from_json()
    from_records()
    from_lists()


if __name__ == "__main__":
    main()
