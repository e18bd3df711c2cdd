"""Primaries that misbehave, many at once, and the ledgers by which a backup
host is judged (docs/testing.md, I1-I6). What fakeprimary.py can do wrong is
done by threads of this process, so that a fault begins and ends when the test
says so, while connections come and go.

usage: hostile.py [--minutes N] [--seed S]     random mixes; prints the figures.
test_hostile.py has every fault on its own, and a few short mixes.
"""
import argparse
import collections
import random
import re
import socket
import ssl
import sys
import threading
import time
import types

import mxtest
from mxtest import message, sha, wait_for, without_our_trace

sys.path.insert(0, mxtest.SUPPORT)
import fakeprimary  # noqa: E402  pylint: disable=wrong-import-position

PORT = 2526
BIG = 300 << 10
MESSAGE_ID = re.compile(rb"(?im)^message-id: *(\S+)")


class Ledger:
    """What a primary took, and whether its 250 got out."""

    def __init__(self):
        self.rows, self.heard, self.grey = [], [], set()

    def note(self, **what):
        self.heard.append(what)

    def keep(self, sender, rcpts, body, acked):
        found = MESSAGE_ID.search(body)
        self.rows.append({
            "id": found.group(1).decode() if found else None, "from": sender,
            "rcpt": [re.search(r"<(.*?)>", r).group(1).lower() for r in rcpts],
            "sha": sha(without_our_trace(body)[0]), "acked": acked})
        return len(self.rows)

    def verbs(self):
        return [h["cmd"].split(" ")[0].upper() for h in list(self.heard)
                if h.get("event") == "cmd"]


class Hop:
    """One primary: an address of its own, faults that can be changed."""

    def __init__(self, ip, name, cert=None):
        self.ip, self.name, self.ledger = ip, name, Ledger()
        self.args = types.SimpleNamespace(faults=[], seed=1, timeout=900)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if cert else None
        if cert:
            self.tls.load_cert_chain(*cert)
        self.sessions, self.ever, self.socks = 0, set(), []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((ip, PORT))
        self.listener.listen(512)
        threading.Thread(target=self.accept, daemon=True).start()

    def faults(self, *texts):
        """From the next session on."""
        self.args.faults = [fakeprimary.fault(t) for t in texts]
        self.ever |= {f[0] for f in self.args.faults}

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sessions += 1
            self.socks = [s for s in self.socks if s.fileno() >= 0] + [sock]
            threading.Thread(target=fakeprimary.serve, daemon=True, args=(
                sock, self.sessions, self.args, self.ledger, self.tls)).start()

    def hang_up(self):
        """All that are open, but those within TLS."""
        for sock in self.socks:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.hang_up()


class Sent:
    """A message, and what its client was told (0: nothing)."""

    def __init__(self, content, rcpts):
        self.content_id = MESSAGE_ID.search(content).group(1).decode()
        self.sha, self.rcpts = sha(content), rcpts
        self.qid, self.code = None, 0


class Hostile(mxtest.Case):
    """A daemon with a domain for each of many primaries."""

    QUICK, PATIENT = 1 * mxtest.SLOW, 60

    def setUp(self):
        super().setUp()
        self.hops, self.sent = {}, {}
        self.quick, self.tls = set(), {}
        self.more = ""
        self.net = self.ip.rsplit(".", 1)[0]

    def add_hop(self, name, *faults, cert=None, tls="may", quick=False):
        octet = len(self.hops) + 1
        if octet >= int(self.ip.rsplit(".", 1)[1]):
            octet += 1      # that one is the daemon's
        hop = self.hops[name] = Hop(f"{self.net}.{octet}", name, cert)
        hop.faults(*faults)
        self.tls[name] = tls
        if quick:
            self.quick.add(name)
        self.parts.append(hop)
        return hop

    def domain_text(self, hop):
        limit = self.QUICK if hop.name in self.quick else self.PATIENT
        return f"""
primary "{hop.name}" {{ host = "{hop.ip}:{PORT}"  tls = "{self.tls[hop.name]}" }}
domain "{hop.name}.test" {{
    primary = "{hop.name}"
    recipients = "{self.path('rcpt')}"
    drain {{ command_timeout = "{limit}s"  data_timeout = "{limit}s" }}
}}
"""

    def config_text(self):
        text = super().config_text()
        head = text[:text.index('domain "example.test"')]
        head = head.replace('timeout = "5s"', f'timeout = "{2 * mxtest.SLOW}s"')
        head = head.replace('drain { ', 'drain { per_connection = 10  ')
        return (head + 'breaker { retry = "1s" }\n' + self.more +
                "".join(self.domain_text(h) for h in self.hops.values()))

    def configure(self):
        self.recipients = ["user", "other", "third", "postmaster"]
        return super().configure()

    # Mail

    def mail_to(self, name, client, size=0, local=("user",), sender="sender@client.test"):
        rcpts = [f"{part}@{name}.test" for part in local]
        content = message(len(self.sent), size, sender=sender, rcpt=rcpts[0])
        sent = Sent(content, rcpts)
        self.sent[sent.content_id] = sent
        sent.code, text = client.mail(content, rcpts=rcpts, sender=sender)
        if sent.code == 250:
            sent.qid = re.search(r"\b([0-9a-z]{13})\b", text).group(1)
        return sent

    def mail_of_all_kinds(self, name, client):
        return [self.mail_to(name, client),
                self.mail_to(name, client, 0, ("user", "other", "third"), "two@client.test"),
                self.mail_to(name, client, BIG, ("other",), "three@client.test")]

    # What the daemon says

    def queued(self, name):
        return self.listed("--domain", f"{name}.test")

    def states(self):
        return {p["name"]: p for p in self.ctl_json("status")["primaries"]}

    def told(self, event, name):
        """Its lines about this primary."""
        return [line for line in self.events(event) if f" primary={name} " in line + " "]

    def maybe_there(self):
        """How often the reply behind the dot was lost (as our log has it), or
        was a 421; by queue id."""
        return collections.Counter(
            re.search(r"\bqid=(\S+)", line).group(1) for line in self.log().splitlines()
            if 'note="unknown after data"' in line or 'reply="421' in line)

    def timed_out(self):
        """Those whose reply came too late for us, as it may where our patience
        is short and the machine busy."""
        return {re.search(r"\bqid=(\S+)", line).group(1) for line in self.log().splitlines()
                if 'note="unknown after data"' in line and "no answer in time" in line}

    # The judgement

    def hop_of(self, rcpt):
        return self.hops[rcpt.split("@")[1].removesuffix(".test")]

    def judge(self, kills=0):
        """I1-I4 and I6 once everything is quiet and the queue empty; how many
        copies too many there are. After a kill a client may have heard nothing,
        and what had been handed over may come again."""
        for sent in self.sent.values():
            allowed = {250} | ({0} if kills else set()) | (
                {552} if "size" in self.hop_of(sent.rcpts[0]).ever else set())
            self.assertIn(sent.code, allowed, f"I6: {sent.rcpts}")
        for event in ("message.failed", "message.expired", "bounce.made", "message.damaged"):
            self.assertEqual(self.events(event), [])
        copies = collections.defaultdict(list)
        for hop in self.hops.values():
            for row in hop.ledger.rows:
                self.assertIn(row["id"], self.sent, f"smuggled, {hop.name}: {row}")
                sent = self.sent[row["id"]]
                self.assertEqual(row["sha"], sent.sha, f"I2, I4: changed, {hop.name}: {row}")
                self.assertLessEqual(set(row["rcpt"]), set(sent.rcpts), hop.name)
                for rcpt in row["rcpt"]:
                    copies[sent.content_id, rcpt].append(row)
        self.unknown, self.slow = self.maybe_there(), self.timed_out()
        return sum(self.judge_one(sent, rcpt, copies[sent.content_id, rcpt], kills)
                   for sent in self.sent.values() for rcpt in sent.rcpts)

    def may_come_late(self, sent, rcpt):
        """A 250 that got out, but when we had hung up."""
        hop = self.hop_of(rcpt)
        return "late" in hop.ever or (hop.name in self.quick and sent.qid in self.slow)

    def judge_one(self, sent, rcpt, rows, kills):
        if sent.code == 250:
            self.assertTrue(rows, f"I1: {sent.qid} for {rcpt} is lost")
        late = self.may_come_late(sent, rcpt)
        for row in rows[:-1]:
            self.assertTrue(not row["acked"] or late or kills,
                            f"I3: {sent.qid} for {rcpt} twice, though its 250 got out")
        if len(rows) > 1:
            self.assertLessEqual(len(rows) - 1, self.unknown[sent.qid] + kills,
                                 f"I3: {sent.qid} for {rcpt}: not marked maybe_duplicate")
        return max(len(rows) - 1, 0)


# --- random mixes ----------------------------------------------------------

POOL = """refuse reset nobanner banner=421 banner=450 banner=554 endless slow=2 flood=90 flood=200
longline=2000 longline=100000 badreply split no8bit nosize nopipe nochunk nosmtputf8 nodsn size=1000
size=0 lie heloonly utf8 binarymime ehlo=450 ehlo=550 mail=421 mail=450 mail=550 rcpt=450 rcpt=452
rcpt=550 data=421 data=450 data=554 dot=450 dot=452 dot=554 rset=500 rset=421 rcptmix greylist 421=ehlo
421=mail 421=rcpt 421=data 421=body 421=dot 421=quit drop=ehlo drop=mail drop=rcpt drop=data drop=body
drop=dot drop=quit rst=ehlo rst=mail rst=rcpt rst=data rst=body rst=dot rst=quit stall=ehlo stall=mail
stall=rcpt stall=data stall=body stall=dot stall=quit late=100 late=4000 double starttls tlsrefuse
tlsgarbage tlsinject tlsdrop lenient evil""".split()


class Mix(Hostile):
    """Mail keeps coming while every primary changes its faults at random, and
    the daemon is killed now and then."""

    HOPS, EVERY = 12, 2.0

    def mixed_faults(self, rnd):
        """None at times; else up to three, some for a share of the sessions."""
        return [f + rnd.choice(("", "%50", "%20")) for f in rnd.sample(POOL, rnd.choice((0, 1, 1, 2, 3)))]

    def keep_sending(self, rnd, until):
        """As a client that does not come again."""
        while time.monotonic() < until:
            try:
                with self.client() as c:
                    for _ in range(20):
                        self.mail_to(rnd.choice(list(self.hops)), c, rnd.choice((0, 0, 0, 20000, BIG)),
                                     rnd.sample(("user", "other", "third"), rnd.randint(1, 3)))
                        time.sleep(rnd.random() / 10)
            except (OSError, EOFError):
                time.sleep(0.1)     # the daemon was killed

    def kill_and_start(self):
        self.kill()
        self.start()

    def mix(self, seed, seconds, kills=0):
        """One seed; its figures."""
        rnd = random.Random(seed)
        cert = mxtest.make_cert(self.top, "primary.test")
        for n in range(self.HOPS):
            self.add_hop(f"h{n}", cert=cert, quick=True)
        self.start()
        end = time.monotonic() + seconds
        senders = [threading.Thread(target=self.keep_sending, args=(random.Random(f"{seed} {n}"), end))
                   for n in range(3)]
        for sender in senders:
            sender.start()
        kill_at = sorted(rnd.random() * seconds for _ in range(kills))
        while time.monotonic() < end:
            for hop in self.hops.values():
                if rnd.random() < 0.5:
                    hop.faults(*self.mixed_faults(rnd))
            time.sleep(self.EVERY * rnd.random())
            if kill_at and end - time.monotonic() < seconds - kill_at[0]:
                kill_at.pop(0)
                self.kill_and_start()
        for sender in senders:
            sender.join()
        for hop in self.hops.values():
            hop.faults()
        self.wait_empty()
        return self.figures(kills - len(kill_at))

    def figures(self, kills):
        rows = [row for hop in self.hops.values() for row in hop.ledger.rows]
        self.assertEqual(self.count(), 0)
        return collections.Counter(
            messages=sum(s.code == 250 for s in self.sent.values()),
            recipients=sum(len(s.rcpts) for s in self.sent.values() if s.code == 250),
            sessions=sum(hop.sessions for hop in self.hops.values()),
            deferred=len(self.events("message.deferred")),
            unacknowledged=sum(not row["acked"] for row in rows),
            copies_too_many=self.judge(kills), kills=kills)


class Long(Mix):
    """Seeds one after the other; from the command line."""
    seed, minutes = 1, 15.0

    def runTest(self):
        total, seed, end = collections.Counter(), self.seed, time.monotonic() + self.minutes * 60
        while time.monotonic() < end:
            found = self.mix(seed, 60, kills=seed % 3)
            total.update(found, seeds=1)
            print(f"seed {seed}: " + ", ".join(f"{k} {v}" for k, v in found.items()), flush=True)
            self.tearDown()
            self.setUp()
            seed += 1
        print("in all: " + ", ".join(f"{k} {v}" for k, v in total.items()))


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=15)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    Long.seed, Long.minutes = a.seed, a.minutes
    result = mxtest.unittest.TextTestRunner(verbosity=0).run(Long())
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
