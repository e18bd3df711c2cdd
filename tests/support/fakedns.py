#!/usr/bin/env python3
"""fakedns: a DNS server for tests (Python 3, stdlib only), UDP and TCP.

  fakedns.py --listen 127.0.0.1:5353 --zone FILE [--log FILE]
             [--sign test --anchor FILE]

The zone file is read again at every question, so that a test can change it:
one record a line, "NAME TYPE VALUE": A, AAAA, CNAME, MX "10 host", TXT "text",
PTR host, TLSA "3 1 1 hex"; or "NAME SERVFAIL", "NAME REFUSED" and other codes,
"NAME DROP" (no answer), "NAME LATE MS", "NAME GARBAGE HOW": noise, an answer
that ends half way, one with a name that points at itself, one to an other
question, or one with another id. "* NXDOMAIN" is the default for names that do
not stand in it. Names are absolute, without the trailing dot. MX "0 ." is a
null MX. What is longer than 1,232 octets comes by TCP. --log gets a line for
each question, "NAME TYPE".

With --sign everything below that name is signed (ECDSA P-256, by the openssl
command) with a key made at the start, whose trust anchor is written to FILE;
denials are NSEC records made for the question (RFC 4470). In such a zone
  "NAME INSECURE"         is a delegation without DS: nothing below is signed
  "NAME FORGED TYPE"      the signature of that set is wrong
  "NAME EXPIRED TYPE"     or of last week
  "NAME STRIPPED TYPE"    or missing; a denial's type is NSEC
"""
import argparse
import base64
import os
import socket
import socketserver
import struct
import subprocess
import threading
import time

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "DS": 43,
         "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "TLSA": 52}
RCODES = {"FORMERR": 1, "SERVFAIL": 2, "NOTIMP": 4, "REFUSED": 5, "NOTAUTH": 9, "RESERVED": 15}
UDP_MAX = 1232
TTL, DAY, P256 = 1, 86400, 13


def pack_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def unpack_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels).lower(), at + 1


def rdata(kind, value):
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind in ("CNAME", "PTR"):
        return pack_name(value)
    if kind == "MX":
        pref, host = value.split()
        return struct.pack("!H", int(pref)) + pack_name(host)
    if kind == "TXT":
        return bytes([len(value)]) + value.encode()
    if kind == "TLSA":
        usage, selector, matching, data = value.split()
        return bytes([int(usage), int(selector), int(matching)]) + bytes.fromhex(data)
    raise ValueError(kind)


def soa_rdata():
    return pack_name("ns.test") + pack_name("admin.test") + \
        struct.pack("!IIIII", 1, 3600, 600, 86400, 1)


def bitmap(kinds):
    """RFC 4034 4.1.2: all types here are below 256."""
    bits = bytearray(32)
    for kind in kinds:
        bits[TYPES[kind] // 8] |= 0x80 >> TYPES[kind] % 8
    n = max(i for i, b in enumerate(bits) if b) + 1
    return bytes([0, n]) + bytes(bits[:n])


def record(name, number, data):
    return pack_name(name) + struct.pack("!HHIH", number, 1, TTL, len(data)) + data


class Signer:
    """The key of a zone, and signatures by it (RFC 4034, RFC 6605)."""

    def __init__(self, zone, anchor):
        self.zone, self.key, self.made, self.lock = zone, anchor + ".key", {}, threading.Lock()
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-out", self.key)
        public = self.openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-64:]
        self.dnskey = struct.pack("!HBB", 257, 3, P256) + public
        total = sum(b << (0 if i & 1 else 8) for i, b in enumerate(self.dnskey))
        self.tag = (total + (total >> 16)) & 0xffff
        with open(anchor + ".new", "w", encoding="ascii") as f:
            f.write(f"{zone}. 3600 IN DNSKEY 257 3 {P256} "
                    f"{base64.b64encode(public).decode()}\n")
        os.rename(anchor + ".new", anchor)

    @staticmethod
    def openssl(*args, data=b""):
        return subprocess.run(["openssl", *args], input=data, check=True,
                              capture_output=True).stdout

    def signature(self, data):
        der = self.openssl("dgst", "-sha256", "-sign", self.key, data=data)
        out, at = b"", 2
        for _ in range(2):      # two INTEGERs, r and s
            n = der[at + 1]
            out += der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0")
            at += 2 + n
        return out

    def rrsig(self, name, kind, datas, how):
        """The RRSIG over a set; how: FORGED, EXPIRED or anything else."""
        with self.lock:
            known = (name, kind, tuple(sorted(datas)), how)
            if known not in self.made:
                self.made[known] = self.make(name, kind, sorted(datas), how)
            return self.made[known]

    def make(self, name, kind, datas, how):
        now = int(time.time()) - (7 * DAY if how == "EXPIRED" else 0)
        labels = len([x for x in name.split(".") if x])
        head = struct.pack("!HBBIIIH", TYPES[kind], P256, labels, TTL, now + DAY, now - DAY,
                           self.tag) + pack_name(self.zone)
        sig = self.signature(head + b"".join(record(name, TYPES[kind], d) for d in datas))
        if how == "FORGED":
            sig = sig[:-1] + bytes([sig[-1] ^ 1])
        return head + sig


class Zone:
    def __init__(self, path, signer=None, log=None):
        self.path, self.signer, self.log = path, signer, log
        self.parsed = None, []

    def rows(self):
        text = self.read()
        if self.parsed[0] != text:
            self.parsed = text, list(self.parse(text))
        return self.parsed[1]

    def read(self):
        with open(self.path, encoding="utf-8") as f:
            return f.read()

    @staticmethod
    def parse(text):
        for line in text.splitlines():
            words = line.split(None, 2)
            if len(words) >= 2 and not line.startswith("#"):
                yield words[0].lower().rstrip("."), words[1], (words[2:] or [""])[0].strip()

    def answer(self, query):
        if len(query) < 12:
            return None
        name, at = unpack_name(query, 12)
        qtype = struct.unpack("!H", query[at:at + 2])[0]
        if self.log:
            kind = [k for k, v in TYPES.items() if v == qtype] or [str(qtype)]
            print(name, kind[0], file=self.log, flush=True)
        return Answer(self, self.rows(), query, at + 4).to(name, qtype)


class Answer:
    def __init__(self, zone, rows, query, end):
        self.signer, self.rows, self.query, self.end = zone.signer, rows, query, end
        # an OPT right behind the question, with DO (RFC 3225)
        self.dnssec = len(query) > end + 8 and bool(query[end + 7] & 0x80)

    def to(self, name, qtype):
        sets, seen, here = [], set(), name
        if self.is_apex(name) and qtype == TYPES["DNSKEY"]:
            return self.build(0, [(name, "DNSKEY", [self.signer.dnskey])])
        while here not in seen:
            seen.add(here)
            mine = [(k, v) for n, k, v in self.rows if n == here]
            if any(k == "DROP" for k, _ in mine):
                return None
            for kind, value in mine:
                if kind in RCODES:
                    return self.build(RCODES[kind], [])
                if kind == "GARBAGE":
                    return self.garbage(name, value)
                if kind == "LATE":
                    time.sleep(int(value) / 1000)
            if not mine and not sets:
                below = any(n.endswith("." + here) for n, _, _ in self.rows)
                return self.deny(here, 0 if below else 3)
            alias = [v for k, v in mine if k == "CNAME"]
            if alias and qtype != 5:
                sets.append((here, "CNAME", [rdata("CNAME", alias[0])]))
                here = alias[0].lower().rstrip(".")
                continue
            kinds = {k for k, _ in mine if TYPES.get(k) == qtype}
            sets += [(here, k, [rdata(k, v) for t, v in mine if t == k]) for k in kinds]
        return self.build(0, sets) if sets else self.deny(here, 0)

    def garbage(self, name, how):
        good = self.build(0, [(name, "A", [rdata("A", "192.0.2.1")])])
        if how == "noise":
            return self.query[:2] + os.urandom(200)
        if how == "half":
            return good[:self.end + 9]
        if how == "loop":
            here = struct.pack("!H", 0xc000 | self.end)
            return (good[:6] + b"\0\1\0\0\0\0" + good[12:self.end] + here +
                    struct.pack("!HHIH", TYPES["MX"], 1, TTL, 4) + b"\0\n" + here)
        if how == "other":
            return good[:12] + pack_name("other.test") + good[self.end - 4:]
        return bytes([good[0] ^ 0xff]) + good[1:]

    def is_apex(self, name):
        return self.signer is not None and name == self.signer.zone

    def is_cut(self, name):
        return any(n == name and k == "INSECURE" for n, k, _ in self.rows)

    def is_signed(self, name, kind):
        """A delegation's own name is on both sides: the parent's NSEC is signed."""
        if not self.dnssec or not self.signer:
            return False
        if name != self.signer.zone and not name.endswith("." + self.signer.zone):
            return False
        if any(k == "STRIPPED" and (n, v) == (name, kind) for n, k, v in self.rows):
            return False
        cuts = [n for n, k, _ in self.rows if k == "INSECURE"]
        return not any(name.endswith("." + cut) or (name == cut and kind != "NSEC")
                       for cut in cuts)

    def pack(self, name, kind, datas):
        """A set with its signature; how many records, and the octets."""
        out = [record(name, TYPES[kind], d) for d in datas]
        if self.is_signed(name, kind):
            how = [k for n, k, v in self.rows if (n, v) == (name, kind)]
            sig = self.signer.rrsig(name, kind, datas, how[0] if how else "")
            out.append(record(name, TYPES["RRSIG"], sig))
        return len(out), b"".join(out)

    def nsec(self, name):
        """That there is nothing between this name and the next possible one."""
        kinds = {k for n, k, _ in self.rows if n == name and k in TYPES} | {"RRSIG", "NSEC"}
        if self.is_apex(name):
            kinds |= {"SOA", "DNSKEY"}
        bits = bytearray(bitmap(kinds))
        if self.is_cut(name):
            bits = bytearray(bitmap({"RRSIG", "NSEC"}))
            bits[2] |= 0x80 >> 2    # NS
        return b"\1\0" + pack_name(name) + bytes(bits)

    def deny(self, name, rcode):
        """A signed zone denies what it has not as if the name were there."""
        qtype = struct.unpack("!H", self.query[self.end - 4:self.end - 2])[0]
        at_parent = qtype == TYPES["DS"] or not self.is_cut(name)
        if not at_parent or not self.is_signed(name, "NSEC"):
            return self.build(rcode, [], [(name, "SOA", [soa_rdata()])])
        return self.build(0, [], [(self.signer.zone, "SOA", [soa_rdata()]),
                                  (name, "NSEC", [self.nsec(name)])])

    def build(self, rcode, answers, authority=()):
        packed = [[self.pack(*s) for s in part] for part in (answers, authority)]
        counts = [sum(n for n, _ in part) for part in packed]
        opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0x8000, 0) if self.dnssec else b""
        return (self.query[:2] + struct.pack("!HHHHH", 0x8180 | rcode, 1, *counts, bool(opt)) +
                self.query[12:self.end] + b"".join(o for part in packed for _, o in part) + opt)


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        reply = self.server.zone.answer(data)
        if reply and len(reply) > UDP_MAX:     # TC: come again by TCP
            end = unpack_name(data, 12)[1] + 4
            reply = reply[:2] + bytes([reply[2] | 2]) + reply[3:6] + bytes(6) + reply[12:end]
        if reply:
            sock.sendto(reply, self.client_address)


class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        head = self.rfile.read(2)
        if len(head) == 2:
            reply = self.server.zone.answer(self.rfile.read(struct.unpack("!H", head)[0]))
            if reply:
                self.wfile.write(struct.pack("!H", len(reply)) + reply)


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--listen", required=True)
    p.add_argument("--zone", required=True)
    p.add_argument("--log", type=argparse.FileType("a", encoding="utf-8"))
    p.add_argument("--sign")
    p.add_argument("--anchor")
    a = p.parse_args()
    host, port = a.listen.rsplit(":", 1)
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    servers = [socketserver.ThreadingUDPServer((host, int(port)), Udp),
               socketserver.ThreadingTCPServer((host, int(port)), Tcp)]
    zone = Zone(a.zone, Signer(a.sign, a.anchor) if a.sign else None, a.log)
    for server in servers:
        server.zone = zone
        server.daemon_threads = True
    threading.Thread(target=servers[1].serve_forever, daemon=True).start()
    print("ready", flush=True)
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
