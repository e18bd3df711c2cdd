"""What the end-to-end tests share: a daemon in a temporary directory, a
scripted primary, a raw SMTP client, the command-line companion.

Every test has a loopback address of its own (127.x.y.z), so that fixed ports
never meet and tests run in parallel. MXHOLD_BIN names the directory of the
programs. Python's standard library only.
"""
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

BIN = os.environ.get("MXHOLD_BIN") or "build/check/bin"
HERE = os.path.dirname(os.path.abspath(__file__))
SUPPORT = os.path.join(HERE, "..", "support")
LIMIT = 60          # seconds to wait for what must happen (a bound, no measure)
SLOW = 4 if os.environ.get("MXHOLD_SLOW") else 1


def wait_for(what, check, limit=LIMIT * SLOW):
    """Poll until check() is true; returns its value."""
    end = time.monotonic() + limit
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s for {what}")
        time.sleep(0.02)


def own_address():
    rnd = random.SystemRandom()
    return f"127.{rnd.randint(1, 254)}.{rnd.randint(0, 255)}.{rnd.randint(1, 254)}"


def is_open(ip, port):
    with socket.socket() as s:
        s.settimeout(2)
        return s.connect_ex((ip, port)) == 0


def message(n=1, size=0, extra=b"", sender="sender@client.test",
            rcpt="user@example.test"):
    """A message with clean CRLF line ends."""
    head = (f"From: {sender}\r\nTo: {rcpt}\r\nSubject: message {n}\r\n"
            f"Message-ID: <{n}.{random.getrandbits(48):x}@client.test>\r\n"
            ).encode() + extra + b"\r\n"
    body = f"This is message {n}.\r\n.\r\n..dots\r\n".encode()
    line = b"0123456789abcdef" * 4 + b"\r\n"
    if size > len(head) + len(body):
        body += line * ((size - len(head) - len(body)) // len(line) + 1)
    return head + body


def make_cert(top, name, days=30):
    cert, key = os.path.join(top, name + ".pem"), os.path.join(top, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                    "-days", str(days), "-subj", f"/CN={name}", "-addext",
                    f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
    return cert, key


class Smtp:
    """A raw client: lines out, replies in, no help and no mercy."""

    def __init__(self, ip, port, ehlo="client.test", greet=True, timeout=LIMIT,
                 source=None):
        # from the test's own address, so that limits and traces tell it
        self.s = socket.create_connection((ip, port), timeout * SLOW, (source or ip, 0))
        self.buf = b""
        try:
            self.begin(greet, ehlo)
        except BaseException:
            self.s.close()
            raise

    def begin(self, greet, ehlo):
        if greet:
            self.greeting = self.reply()
            if ehlo:
                self.ehlo_reply = self.cmd(f"EHLO {ehlo}")

    def send(self, data):
        self.s.sendall(data)

    def fill(self):
        data = self.s.recv(65536)
        if not data:
            raise EOFError("connection closed, left over: %r" % self.buf)
        self.buf += data

    def reply(self):
        """(code, text of all lines joined by LF)."""
        lines = []
        while True:
            while b"\r\n" not in self.buf:
                self.fill()
            line, self.buf = self.buf.split(b"\r\n", 1)
            line = line.decode("utf-8", "replace")
            if not re.match(r"[2-5]\d\d[ -]", line):
                raise AssertionError(f"no SMTP reply: {line!r}")
            lines.append(line[4:])
            if line[3] == " ":
                return int(line[:3]), "\n".join(lines)

    def cmd(self, line):
        self.send(line.encode("utf-8") + b"\r\n")
        code, text = self.reply()
        # EXT-10: a status on each line, but for EHLO, HELO and 354
        if not re.match(r"(?i)(ehlo|helo)\b", line) and code != 354:
            for part in text.split("\n"):
                assert re.match(rf"{code // 100}\.\d{{1,3}}\.\d{{1,3}} ", part) or \
                    re.match(r"(?i)xclient\b", line), (line, code, text)
        return code, text

    def starttls(self):
        assert self.cmd("STARTTLS")[0] == 220
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        self.s = ctx.wrap_socket(self.s, server_hostname="mx2.test")
        self.buf = b""
        return self.cmd("EHLO client.test")

    def data(self, content, stuff=True):
        code = self.cmd("DATA")
        if code[0] != 354:
            return code
        if stuff:
            content = re.sub(rb"(?m)^\.", b"..", content)
        self.send(content + b".\r\n")
        return self.reply()

    def mail(self, content, rcpts=("user@example.test",),
             sender="sender@client.test", params="", rcpt_params=""):
        """The whole transaction; the last reply."""
        got = self.cmd(f"MAIL FROM:<{sender}>{params}")
        if got[0] != 250:
            return got
        for rcpt in rcpts:
            got = self.cmd(f"RCPT TO:<{rcpt}>{rcpt_params}")
            if got[0] not in (250, 251):
                return got
        return self.data(content)

    def rest(self):
        """Everything until the other side closes."""
        try:
            while True:
                self.fill()
        except (EOFError, ConnectionError):
            data, self.buf = self.buf, b""
            return data

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Primary:
    """tests/support/fakeprimary.py as a process."""

    def __init__(self, top, ip, port, *faults, name="primary", args=()):
        self.store = os.path.join(top, name)
        self.log_file = os.path.join(top, name + ".log")
        self.ip, self.port, self.faults, self.args = ip, port, faults, args
        self.p = None
        self.start(*faults)

    def start(self, *faults):
        self.p = subprocess.Popen(
            [sys.executable, os.path.join(SUPPORT, "fakeprimary.py"),
             "--listen", f"{self.ip}:{self.port}", "--store", self.store,
             "--log", self.log_file, *self.args, *faults],
            stdout=subprocess.PIPE)
        line = self.p.stdout.readline()
        assert line.startswith(b"ready"), line

    def stop(self):
        if self.p:
            self.p.kill()
            self.p.wait()
            self.p.stdout.close()
            self.p = None

    def index(self):
        try:
            with open(os.path.join(self.store, "index.jsonl"), encoding="utf-8") as f:
                return [json.loads(line) for line in f if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def content(self, n):
        with open(os.path.join(self.store, f"{n:06d}.eml"), "rb") as f:
            return f.read()

    def contents(self):
        return [self.content(row["n"]) for row in self.index()]

    def notes(self, event):
        """What it wrote down: "cmd" (tls, cmd), "tls" (version, sni, client) ..."""
        try:
            with open(self.log_file, encoding="utf-8") as f:
                rows = [json.loads(line) for line in f if line.endswith("\n")]
        except FileNotFoundError:
            return []
        return [r for r in rows if r.get("event") == event]

    def commands(self):
        return [r["cmd"] for r in self.notes("cmd")]

    def sessions(self):
        with open(self.log_file, encoding="utf-8") as f:
            return sum('"event": "open"' in line for line in f)


class Dns:
    """tests/support/fakedns.py as a process; records may be changed."""

    def __init__(self, top, ip, records, sign=None):
        self.zone, self.anchor = os.path.join(top, "zone"), os.path.join(top, "anchor")
        self.log_file = os.path.join(top, "dns.log")
        self.set(records)
        self.p = subprocess.Popen(
            [sys.executable, os.path.join(SUPPORT, "fakedns.py"),
             "--listen", f"{ip}:5353", "--zone", self.zone, "--log", self.log_file,
             *(("--sign", sign, "--anchor", self.anchor) if sign else ())],
            stdout=subprocess.PIPE)
        assert self.p.stdout.readline().startswith(b"ready")

    def asked(self):
        """What was asked for so far, as "NAME TYPE"."""
        with open(self.log_file, encoding="utf-8") as f:
            return set(f.read().splitlines())

    def set(self, records):
        with open(self.zone + ".new", "w", encoding="utf-8") as f:
            f.write("\n".join(records) + "\n")
        os.rename(self.zone + ".new", self.zone)

    def stop(self):
        self.p.kill()
        self.p.wait()
        self.p.stdout.close()


def without_our_trace(content):
    """Content without the one Received field in front (and its folds)."""
    m = re.match(rb"Received: .*\r\n(?:[ \t].*\r\n)*", content)
    assert m, content[:200]
    return content[m.end():], m.group(0)


class Case(unittest.TestCase):
    """A test with a directory, an address and a daemon of its own."""

    SMTP, PRIMARY = 2525, 2526

    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="mxhold-e2e.")
        self.ip = own_address()
        self.daemon = None
        self.parts = []
        self.config_extra = ""
        self.global_extra = ""
        self.domain_extra = ""
        self.recipients = ["user@example.test", "other@example.test",
                           "third@example.test", "postmaster"]

    def tearDown(self):
        for p in self.parts:
            p.stop()
        failed = any(err for _, err in getattr(self._outcome, "errors", [])
                     ) if hasattr(self._outcome, "errors") else False
        try:
            self.stop()
            self.check_log_clean()
        finally:
            if os.environ.get("MXHOLD_KEEP") or failed:
                print(f"\n{self.id()}: kept {self.top}", file=sys.stderr)
            if not os.environ.get("MXHOLD_KEEP"):
                shutil.rmtree(self.top, ignore_errors=True)

    # Files

    def path(self, name):
        return os.path.join(self.top, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def config_text(self):
        return f"""
hostname = "mx2.test"
state_dir = "{self.path('state')}"
conf_dir = "{self.path('conf.d')}"
threads = 2
{self.global_extra}
listen "smtp" {{ address = {{"{self.ip}:{self.SMTP}"}} }}
smtp {{ max_sessions_per_ip = 1000 }}
policy {{ max_rate = 1000000  unknown_budget = 100000 }}
queue {{ reserve = "1M"  max_bytes = "4G"  map_size = "8G" }}
probe {{ interval_down = "1s"  interval_up = "5s"  timeout = "5s"  up_after = 1 }}
drain {{ retry_message = {{"1s"}} }}
dns {{ resolver = {{"{self.ip}@5353"}}  trust_anchor = "none" }}
control {{ socket = "{self.path('control.sock')}" }}
{self.config_extra}
domain "example.test" {{
    primary = "{self.ip}:{self.PRIMARY}"
    recipients = "{self.path('rcpt')}"
    {self.domain_extra}
}}
"""

    def configure(self):
        self.write("rcpt", "\n".join(self.recipients) + "\n")
        return self.write("mxholdd.conf", self.config_text())

    # The daemon

    @property
    def log_file(self):
        return self.path("mxholdd.log")

    def start(self, wait=True, env=None, prefix=()):
        conf = self.configure()
        with open(self.log_file, "ab") as log:
            self.daemon = subprocess.Popen(
                [*prefix, os.path.join(BIN, "mxholdd"), "-c", conf],
                stderr=log, stdout=log, env={**os.environ, **(env or {})})
        if wait:
            wait_for("the greeting", self.is_up)

    def is_up(self):
        if self.daemon.poll() is not None:
            raise AssertionError(
                f"mxholdd ended with {self.daemon.returncode}:\n{self.log()[-3000:]}")
        return is_open(self.ip, self.SMTP)

    def stop(self, expect=0):
        if not self.daemon:
            return
        if self.daemon.poll() is None:
            self.daemon.terminate()
        try:
            code = self.daemon.wait(60 * SLOW)
        except subprocess.TimeoutExpired:
            self.daemon.send_signal(signal.SIGABRT)
            self.daemon.wait()
            code = "nothing within a minute"
        self.daemon = None
        self.assertEqual(code, expect, f"exit status; log:\n{self.log()[-4000:]}")

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()
        self.daemon = None

    def reload(self):
        before = len(self.events("config.reloaded")) + len(self.events("config.refused"))
        self.configure()
        self.daemon.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: len(self.events("config.reloaded")) +
                 len(self.events("config.refused")) > before)

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as f:
            return f.read()

    def events(self, name):
        return [line for line in self.log().splitlines()
                if re.search(rf"\bevent={re.escape(name)}(\s|$)", line)]

    def check_log_clean(self):
        if os.path.exists(self.log_file):
            text = self.log()
            for bad in ("Sanitizer", "runtime error", "assertion", "MX_ASSERT"):
                self.assertNotIn(bad, text, text[-6000:])

    def rss_kib(self):
        """What is its own; a file's mapped pages would be dirty on a tmpfs, too."""
        with open(f"/proc/{self.daemon.pid}/smaps_rollup", encoding="ascii") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))

    def assert_grew_less(self, before, kib):
        """Not under a sanitizer, which keeps what is freed."""
        if SLOW == 1:
            self.assertLess(self.rss_kib() - before, kib)

    # Its companion and its clients

    def ctl(self, *args, code=0, stdin=None, raw=False):
        p = subprocess.run([os.path.join(BIN, "mxholdctl"), "-c",
                            self.path("mxholdd.conf"), *args],
                           input=stdin, capture_output=True, check=False,
                           timeout=120 * SLOW)
        self.assertEqual(p.returncode, code,
                         f"mxholdctl {args}: {p.stdout[-2000:]} {p.stderr[-2000:]}")
        return p.stdout if raw else p.stdout.decode()

    def ctl_json(self, *args, code=0):
        return json.loads(self.ctl("-o", "json", *args, code=code))

    def listed(self, *args):
        """Rows of `queue list`; none when the filter matches nothing."""
        p = subprocess.run([os.path.join(BIN, "mxholdctl"), "-c", self.path("mxholdd.conf"),
                            "-o", "json", "queue", "list", *args],
                           capture_output=True, check=False, timeout=120 * SLOW)
        self.assertIn(p.returncode, (0, 4), p.stderr)
        return json.loads(p.stdout)["messages"] if p.returncode == 0 else []

    def count(self):
        return self.ctl_json("queue", "count")["messages"]

    def client(self, **kw):
        return Smtp(self.ip, self.SMTP, **kw)

    def send(self, content, **kw):
        with self.client() as c:
            code, text = c.mail(content, **kw)
            self.assertEqual(code, 250, text)
            return re.search(r"\b([0-9a-z]{13})\b", text).group(1)

    def primary(self, *faults, **kw):
        p = Primary(self.top, self.ip, kw.pop("port", self.PRIMARY), *faults, **kw)
        self.parts.append(p)
        return p

    def dns(self, *records, sign=None):
        d = Dns(self.top, self.ip, records, sign)
        self.parts.append(d)
        return d

    def wait_delivered(self, primary, n):
        wait_for(f"{n} messages at the primary",
                 lambda: len([r for r in primary.index() if r["acked"]]) >= n)

    def wait_empty(self):
        wait_for("an empty queue", lambda: self.count() == 0)

    def primary_state(self, index=0):
        return self.ctl_json("status")["primaries"][index]["state"]


def sha(data):
    return hashlib.sha256(data).hexdigest()


def main():
    unittest.main(verbosity=2)
