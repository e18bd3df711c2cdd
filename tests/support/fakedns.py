#!/usr/bin/env python3
"""fakedns: a DNS server for tests (Python 3, stdlib only), UDP and TCP.

  fakedns.py --listen 127.0.0.1:5353 --zone FILE

The zone file is read again at every question, so that a test can change it:
one record a line, "NAME TYPE VALUE": A, AAAA, CNAME, MX "10 host", TXT "text",
PTR host; or "NAME SERVFAIL", "NAME DROP" (no answer), "* NXDOMAIN" is the
default for names that do not stand in it. Names are absolute, without the
trailing dot. MX "0 ." is a null MX.
"""
import argparse
import socket
import socketserver
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}


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
    raise ValueError(kind)


class Zone:
    def __init__(self, path):
        self.path = path

    def rows(self):
        with open(self.path, encoding="utf-8") as f:
            for line in f:
                words = line.split(None, 2)
                if len(words) >= 2 and not line.startswith("#"):
                    yield words[0].lower().rstrip("."), words[1], (words[2:] or [""])[0].strip()

    def answer(self, query):
        if len(query) < 12:
            return None
        name, at = unpack_name(query, 12)
        qtype = struct.unpack("!H", query[at:at + 2])[0]
        rows = list(self.rows())
        records, seen, here = [], set(), name
        while here not in seen:
            seen.add(here)
            mine = [(k, v) for n, k, v in rows if n == here]
            if any(k == "DROP" for k, _ in mine):
                return None
            if any(k == "SERVFAIL" for k, _ in mine):
                return self.build(query, at, 2, [])
            if not mine and not records:
                below = any(n.endswith("." + here) for n, _, _ in rows)
                return self.build(query, at, 0 if below else 3, [])
            alias = [v for k, v in mine if k == "CNAME"]
            if alias and qtype != 5:
                records.append((here, "CNAME", alias[0]))
                here = alias[0].lower().rstrip(".")
                continue
            records += [(here, k, v) for k, v in mine if TYPES.get(k) == qtype]
        return self.build(query, at, 0, records)

    @staticmethod
    def build(query, at, rcode, records):
        question = query[12:at + 4]
        flags = 0x8180 | rcode
        soa = b""
        if not records:
            soa_data = (pack_name("ns.test") + pack_name("admin.test") +
                        struct.pack("!IIIII", 1, 3600, 600, 86400, 1))
            soa = (b"\xc0\x0c" + struct.pack("!HHIH", 6, 1, 1, len(soa_data)) + soa_data)
        out = query[:2] + struct.pack("!HHHHH", flags, 1, len(records), bool(soa), 0) + question
        for name, kind, value in records:
            data = rdata(kind, value)
            out += pack_name(name) + struct.pack("!HHIH", TYPES[kind], 1, 1, len(data)) + data
        return out + soa


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        reply = self.server.zone.answer(data)
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
    a = p.parse_args()
    host, port = a.listen.rsplit(":", 1)
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    servers = [socketserver.ThreadingUDPServer((host, int(port)), Udp),
               socketserver.ThreadingTCPServer((host, int(port)), Tcp)]
    for server in servers:
        server.zone = Zone(a.zone)
        server.daemon_threads = True
    threading.Thread(target=servers[1].serve_forever, daemon=True).start()
    print("ready", flush=True)
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
