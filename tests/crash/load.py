#!/usr/bin/env python3
"""load: a daemon under load from many clients, for powercut.py.

Starts mxholdd with its state below $MNT, sends from --clients threads, and
prints the queue id of each 250 as soon as it is heard; runs until killed.
With --primary a primary takes mail meanwhile and "done ID" is printed before
its 250. Content is made from its own number and carries its own checksum, so
that check.py can tell whether it is whole.
"""
import argparse
import hashlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

BIN = os.environ.get("MXHOLD_BIN") or "build/check/bin"
SIZES = (200, 1000, 4080, 5000, 10240, 50000, 300000, 700000)
LOCK = threading.Lock()
DAEMON = []


def say(text):
    with LOCK:
        os.write(1, text.encode() + b"\n")


def content(rnd):
    body = rnd.randbytes(rnd.choice(SIZES) // 2).hex().encode()
    body = b"\r\n".join(body[i:i + 76] for i in range(0, len(body), 76)) + b"\r\n"
    return (f"Subject: crash\r\nMessage-ID: <{rnd.getrandbits(64):x}@load.test>\r\n"
            f"X-Body-SHA256: {hashlib.sha256(body).hexdigest()}\r\n\r\n").encode() + body


def configuration(a, ip):
    os.makedirs(a.work, exist_ok=True)
    with open(os.path.join(a.work, "rcpt"), "w", encoding="ascii") as f:
        f.write("user\n")
    path = os.path.join(a.work, "mxholdd.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"""
hostname = "mx2.test"
state_dir = "{a.state}"
conf_dir = "{a.work}/conf.d"
threads = 2
listen "smtp" {{ address = "{ip}:2525" }}
smtp {{ max_sessions_per_ip = 1000 }}
policy {{ max_rate = 100000000 }}
queue {{ reserve = "16M" max_bytes = "4G" map_size = "8G" }}
probe {{ interval_down = "1s" up_after = 1 }}
drain {{ retry_message = {{"1s"}} }}
dns {{ trust_anchor = "none" }}
control {{ socket = "{a.work}/control.sock" }}
domain "example.test" {{ primary = "{ip}:2526" recipients = "{a.work}/rcpt" }}
""")
    return path


class Peer:
    def __init__(self, sock):
        self.s, self.f = sock, sock.makefile("rb")

    def reply(self):
        while True:
            line = self.f.readline()
            if not line:
                raise EOFError
            if line[3:4] == b" ":
                return line

    def cmd(self, line):
        self.s.sendall(line)
        return self.reply()


def client(ip, seed):
    rnd = random.Random(seed)
    while True:
        try:
            p = Peer(socket.create_connection((ip, 2525), 30))
            p.reply()
            p.cmd(b"EHLO load.test\r\n")
            for _ in range(20):
                p.s.sendall(b"MAIL FROM:<a@load.test>\r\nRCPT TO:<user@example.test>\r\nDATA\r\n")
                for _ in range(2):
                    p.reply()
                if not p.reply().startswith(b"354"):
                    break
                got = p.cmd(content(rnd) + b".\r\n")
                found = re.search(rb"\b([0-9a-z]{13})\b", got)
                if got.startswith(b"250") and found:
                    say(found.group(1).decode())
                else:
                    time.sleep(0.05)
            p.s.close()
        except (OSError, EOFError):
            time.sleep(0.05)


def serve(sock):
    p = Peer(sock)
    try:
        p.s.sendall(b"220 primary.test ESMTP\r\n")
        while True:
            line = p.f.readline()
            if not line:
                return
            verb = line[:4].upper()
            if verb == b"EHLO":
                p.s.sendall(b"250-primary.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n")
            elif verb == b"DATA":
                p.s.sendall(b"354 go\r\n")
                head = b""
                while True:
                    row = p.f.readline()
                    if not row:
                        return
                    if row == b".\r\n":
                        break
                    if len(head) < 2000:
                        head += row
                qid = re.search(rb"\bid\s+([0-9a-z]{13})\b", head)
                say("done " + qid.group(1).decode())
                p.s.sendall(b"250 2.0.0 taken\r\n")
            elif verb == b"QUIT":
                p.s.sendall(b"221 bye\r\n")
                return
            else:
                p.s.sendall(b"250 ok\r\n")
    except OSError:
        pass
    finally:
        sock.close()


def primary(ip):
    ls = socket.socket()
    ls.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ls.bind((ip, 2526))
    ls.listen(64)
    while True:
        sock, _ = ls.accept()
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--work", required=True, help="directory for configuration and log")
    p.add_argument("--state", default=os.path.join(os.environ.get("MNT", "."), "state"))
    p.add_argument("--clients", type=int, default=12)
    p.add_argument("--primary", action="store_true")
    a = p.parse_args()
    rnd = random.SystemRandom()
    ip = f"127.{rnd.randint(1, 254)}.{rnd.randint(0, 255)}.{rnd.randint(1, 250)}"
    conf = configuration(a, ip)
    with open(os.path.join(a.work, "mxholdd.log"), "ab") as log:
        DAEMON.append(subprocess.Popen([os.path.join(BIN, "mxholdd"), "-c", conf], stderr=log))
    if a.primary:
        threading.Thread(target=primary, args=(ip,), daemon=True).start()
    for n in range(a.clients):
        threading.Thread(target=client, args=(ip, rnd.getrandbits(64) + n), daemon=True).start()
    code = DAEMON[0].wait()
    print(f"load: mxholdd ended with {code}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main())
