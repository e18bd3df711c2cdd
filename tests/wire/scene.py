"""One laboratory with a real primary on one side and mxholdd on the other, a
client that keeps a ledger of what got 250, and the judge who compares it with
the primary's mailboxes and our queue."""
import collections
import contextlib
import email.utils
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import lab
import primaries

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import mxtest  # pylint: disable=wrong-import-position
from mxtest import wait_for  # pylint: disable=wrong-import-position

GOOD = ("user@example.test", "other@example.test", "third@example.test")
LATER, NEVER = primaries.LATER, primaries.NEVER
LARGE, SMALL = 40000, 1500

# What an operator would not set, so that a run ends within minutes (but idle
# sessions end between two tries, and the primary sees new ones): when a
# message that was refused is tried again, and how long its 5xx is doubted.
IMPATIENT = """
drain { retry_message = {"7s"} }
breaker { first_5xx = "20s" }
"""

# name: how it is switched on; "stop": the primary's processes end.
FAULTS = {
    "silence": ("drop",),
    "reject": ("reject",),
    "rst": ("rst",),
    "unplug": ("unplug",),
    "halfopen": ("halfopen",),
    "loss-1": ("loss", "1"),
    "loss-10": ("loss", "10"),
    "loss-30": ("loss", "30"),
    "mtu": ("mtu", "600"),
    "rate": ("rate", "512"),
    "stop": None,
}


# What leaves a connection without any answer.
SILENT = ("silence", "reject", "unplug", "halfopen", "mtu")


def message(name, size):
    """With clean line ends; its first field tells it from all others."""
    head = (f"X-Wire: {name}\r\nFrom: sender@client.test\r\nTo: user@example.test\r\n"
            f"Subject: {name}\r\nDate: {email.utils.formatdate()}\r\n"
            f"Message-ID: <{name}@client.test>\r\n\r\n")
    body = f"This is {name}.\r\n.\r\n..dots\r\n".encode()
    line = b"0123456789abcdef" * 4 + b"\r\n"
    return head.encode() + body + line * ((size - len(head)) // len(line))


class Sent:
    def __init__(self, content, rcpts, qid):
        self.content, self.rcpts, self.qid = content, rcpts, qid
        self.at = time.time()


class Client:
    """Hands in mail, whatever the primary does, and notes what got 250."""

    def __init__(self, network, ip, port=25, name="m"):
        self.network, self.ip, self.port, self.name = network, ip, port, name
        self.sent = {}
        self.lock = threading.Lock()

    def connect(self):
        with self.network.inside(self.network.mx):
            return mxtest.Smtp(self.ip, self.port)

    def rcpts_of(self, n):
        """Some of the first, not the very first, will be refused."""
        odd = {5: [LATER], 6: [NEVER], 7: [GOOD[0], LATER, NEVER]}
        if n in odd:
            return odd[n]
        return [GOOD[n % 3], GOOD[(n + 1) % 3]] if n % 7 == 0 else [GOOD[n % 3]]

    def one(self, c):
        with self.lock:
            n = len(self.sent) + 1
            name = f"{self.name}{n}"
            entry = self.sent[name] = Sent(message(name, LARGE if n % 10 == 0 else SMALL),
                                           self.rcpts_of(n), None)
        code, text = c.mail(entry.content, rcpts=entry.rcpts)
        if code != 250:
            raise AssertionError(f"{name}: {code} {text}")
        entry.qid = self.noted(text)

    def noted(self, text):
        return re.search(r"\b([0-9a-z]{13})\b", text).group(1)

    def send(self, n):
        with self.connect() as c:
            for _ in range(n):
                self.one(c)

    def pairs(self, rcpts):
        return {(name, r) for name, s in self.sent.items() for r in s.rcpts if r in rcpts}


class Flow:
    """Mail that comes in by itself, so that something is always under way."""

    def __init__(self, client):
        self.client, self.error = client, None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            with self.client.connect() as c:
                while not self.over.wait(0.005):
                    self.client.one(c)
        except (OSError, EOFError, AssertionError) as e:
            self.error = e

    def stop(self):
        self.over.set()
        self.thread.join()
        if self.error:
            raise AssertionError("the flow of mail") from self.error


class Daemon:
    """mxholdd in the laboratory."""

    def __init__(self, top, network, settings, primary="10.79.0.2"):
        self.top, self.network, self.p = top, network, None
        self.log_file = os.path.join(top, "mxholdd.log")
        self.conf = os.path.join(top, "mxholdd.conf")
        with open(os.path.join(top, "rcpt"), "w", encoding="ascii") as f:
            f.write("".join(f"{u}@example.test\n" for u in primaries.USERS))
        with open(self.conf, "w", encoding="ascii") as f:
            f.write(f"""
hostname = "mx2.test"
state_dir = "{top}/state"
conf_dir = "{top}/conf.d"
listen "smtp" {{ address = {{"{lab.MX_IP}:25"}} }}
smtp {{ max_sessions_per_ip = 1000 }}
policy {{ max_rate = 1000000  unknown_budget = 100000 }}
queue {{ reserve = "1M"  max_bytes = "4G"  map_size = "8G" }}
dns {{ resolver = {{"{lab.MX_IP}@5353"}}  trust_anchor = "none" }}
control {{ socket = "{top}/control.sock" }}
{settings}
domain "example.test" {{ primary = "{primary}"  recipients = "{top}/rcpt" }}
""")

    def start(self):
        with open(self.log_file, "ab") as log:
            self.p = subprocess.Popen([*self.network.prefix(),
                                       os.path.join(mxtest.BIN, "mxholdd"), "-c", self.conf],
                                      stdout=log, stderr=log)
        wait_for("the greeting", self.is_up)

    def is_up(self):
        if self.p.poll() is not None:
            raise AssertionError("mxholdd ended: " + "\n".join(self.log()[-5:]))
        with self.network.inside(self.network.mx):
            return mxtest.is_open(lab.MX_IP, 25)

    def ctl(self, *args):
        p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c", self.conf, "-o",
                            "json", *args], capture_output=True, check=False, timeout=60)
        if p.returncode not in (0, 4):
            raise AssertionError(f"mxholdctl {args}: {p.stderr.decode()}")
        return mxtest.json.loads(p.stdout) if p.returncode == 0 else {"messages": []}

    def state(self):
        return self.ctl("status")["primaries"][0]["state"]

    def queued(self):
        return self.ctl("queue", "count")["messages"]

    def fds(self):
        top, found = f"/proc/{self.p.pid}/fd", []
        for n in os.listdir(top):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(os.path.join(top, n)))
        return sorted(found)

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as f:
            return f.read().splitlines()

    def stop(self):
        if self.p is None:
            return
        self.p.send_signal(signal.SIGTERM)
        try:
            code = self.p.wait(60)
        except subprocess.TimeoutExpired:
            self.p.kill()
            code = self.p.wait()
        self.p = None
        if code != 0:
            raise AssertionError(f"mxholdd ended with {code}")


Result = collections.namedtuple("Result", "fault primary meanwhile waiting first last gone "
                                "copies")


class Scene:
    def __init__(self, kind, name, settings=IMPATIENT):
        self.kind = kind
        self.top = tempfile.mkdtemp(prefix="mxhold-wire.")
        os.chmod(self.top, 0o755)
        self.lab = lab.Lab(name)
        self.primary = self.daemon = None
        try:
            self.lab.up()
            self.primary = primaries.KINDS[kind](self.top, "primary", lab.HOP_IP, self.lab.hop)
            wait_for("the primary", self.is_primary_open)
            self.daemon = Daemon(self.top, self.lab, settings)
            self.client = Client(self.lab, lab.MX_IP)
            self.daemon.start()
            wait_for("the primary", lambda: self.daemon.state() == "up")
        except BaseException:
            self.close()
            raise

    def is_primary_open(self):
        with self.lab.inside(self.lab.mx):
            return mxtest.is_open(lab.HOP_IP, 25)

    def close(self, keep=False):
        try:
            if self.daemon:
                self.daemon.stop()
        finally:
            if self.primary:
                self.primary.stop()
            self.lab.down()
            if keep:
                print(f"kept {self.top}", file=sys.stderr)
            else:
                shutil.rmtree(self.top, ignore_errors=True)

    # What happens

    def begin(self, fault):
        if fault == "stop":
            self.primary.stop()
        else:
            self.lab.fault(*FAULTS[fault])

    def end(self, fault):
        if fault == "stop":
            self.primary.start()
        self.lab.ok()

    def run(self, fault, count, outage, limit=300):
        """One outage by that fault, in the middle of mail; its figures."""
        wait_for("the first probe to end", lambda: not self.lab.sockets_to_hop())
        fds = self.daemon.fds()
        flow = Flow(self.client)
        try:
            wait_for("mail under way", lambda: self.primary.count() >= 20 and
                     self.lab.sockets_to_hop())
            under_way = self.lab.sockets_to_hop()
            self.begin(fault)
            since = time.time()
        finally:
            flow.stop()
        self.client.send(count)
        if fault == "halfopen":
            returned, gone = since, self.watch_gone(under_way, since)
        else:
            gone = self.watch_gone(under_way, since, outage) if fault in SILENT else None
            time.sleep(max(0, since + outage - time.time()))
            returned = time.time()  # it takes a moment, on a busy machine
            self.end(fault)
        self.wait_pairs("all mail", self.client.pairs(GOOD), limit)
        self.lab.ok()
        self.settle_refused()
        self.wait_given_back(fds)
        self.judge()
        return self.figures(fault, since, returned, gone)

    def watch_gone(self, ports, since, limit=60):
        """Seconds until those connections are given up, None: they are not."""
        while time.time() < since + limit:
            if not ports & self.lab.sockets_to_hop():
                return time.time() - since
            time.sleep(0.5)
        return None

    def wait_given_back(self, fds):
        try:
            wait_for("descriptors to be given back",
                     lambda: len(self.daemon.fds()) <= len(fds))
        except AssertionError as e:
            raise AssertionError(f"{fds} before, {self.daemon.fds()} now") from e

    def arrived_pairs(self):
        return {(name_of(content), rcpt) for rcpt, _, content in self.primary.arrived()}

    def wait_pairs(self, what, pairs, limit):
        wait_for(f"{what} ({len(pairs)} copies)",
                 lambda: self.primary.count() >= len(pairs) and pairs <= self.arrived_pairs(),
                 limit)

    def settle_refused(self):
        """450 until now; the 550 is doubted at first, then quarantined."""
        wait_for("the 450 to be heard", lambda: self.replies("deferred", LATER, "450"))
        if self.client.pairs((LATER,)) & self.arrived_pairs():
            raise AssertionError("arrived in spite of its 450")
        self.primary.take_later()
        self.wait_pairs("what was refused 4xx", self.client.pairs((LATER,)), 60)
        never = {s.qid for s in self.client.sent.values() if NEVER in s.rcpts}
        wait_for("nothing but the quarantine in the queue", lambda: {
            (m["id"], m["state"]) for m in self.daemon.ctl("queue", "list")["messages"]
        } == {(qid, "quarantine") for qid in never})

    def replies(self, what, rcpt, code):
        return [line for line in self.daemon.log() if f"event=message.{what} " in line and
                f"to={rcpt}" in line and re.search(rf'reply="?{code}', line)]

    # What is judged

    def copies(self):
        """(name, recipient): when each of its copies came, by what the primary
        put in front. Stopped, it may itself file a message twice."""
        got = collections.defaultdict(dict)
        for rcpt, when, content in self.primary.arrived():
            name = name_of(content)
            heads = got[name, rcpt]
            head = self.check_content(name, content)
            heads[head] = min(when, heads.get(head, when))
        return got

    def handed_over_since(self, when):
        """Ids, by our log."""
        iso = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when + 1))
        return {m.group(1) for line in self.daemon.log() if "event=message.forwarded " in line
                and line[len("time="):] > iso for m in [re.search(r"\bqid=(\S+)", line)]}

    def judge(self):
        got = self.copies()
        wanted = self.client.pairs((*GOOD, LATER))
        if set(got) != wanted:
            raise AssertionError(f"missing {sorted(wanted - set(got))[:5]}, "
                                 f"not wanted {sorted(set(got) - wanted)[:5]}")
        self.check_copies(got)
        self.check_refused()

    def figures(self, fault, since, returned, gone):
        """The first is of what came in meanwhile; what was under way when the
        fault began may lie in the primary's own queue. With half-open
        connections, of what was waiting then and handed over since, too."""
        got = {(name, rcpt): list(heads.values()) for (name, rcpt), heads in
               self.copies().items() if rcpt in GOOD}
        handed = self.handed_over_since(since) if fault == "halfopen" else ()
        first = [min(times) for (name, _), times in got.items()
                 if self.client.sent[name].at > since or
                 (self.client.sent[name].qid in handed and len(times) == 1)]
        after = [min(times) for times in got.values() if min(times) > returned]
        return Result(fault, self.kind, len(got) - len(after), len(after),
                      min((t - returned for t in first if t > returned), default=None),
                      max((t - returned for t in after), default=None), gone,
                      sum(len(times) - 1 for times in got.values()))

    def check_content(self, name, content):
        """What the primary put in front, with our own trace line in it."""
        head, _, _ = content.partition(b"X-Wire: ")
        sent = self.client.sent.get(name)
        if not sent:
            raise AssertionError(f"arrived, never sent: {content[:300]}")
        # Maildirs have LF.
        if content[len(head):] != sent.content.replace(b"\r\n", b"\n"):
            raise AssertionError(f"{name} was changed: {content[:300]}")
        if head.count(b"by mx2.test") != 1 or sent.qid.encode() not in head:
            raise AssertionError(f"{name}: our trace line: {head}")
        return head

    def check_copies(self, got):
        """I3: a second copy only where a reply can have been lost."""
        lost = {m.group(1) for line in self.daemon.log() if "unknown after data" in line
                for m in [re.search(r"\bqid=(\S+)", line)]}
        twice = {key: heads for key, heads in got.items() if len(heads) > 1}
        for name, rcpt in twice:
            if self.client.sent[name].qid not in lost:
                raise AssertionError(f"{name} arrived twice at {rcpt}, no reply was lost")

    def check_refused(self):
        if not self.replies("deferred", NEVER, "550"):
            raise AssertionError("the first 550 was not doubted")
        log = "\n".join(self.daemon.log())
        for bad in ("event=bounce.made", "Sanitizer", "runtime error", "MX_ASSERT"):
            if bad in log:
                raise AssertionError(f"{bad} in the log")


def name_of(content):
    m = re.search(rb"^X-Wire: (\S+)$", content, re.M)
    return m.group(1).decode() if m else ""
