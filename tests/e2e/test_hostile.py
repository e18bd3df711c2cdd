"""Every fault of fakeprimary.py, each at a primary of its own, all of them at
once on one daemon; random mixes of them; how gently the broken are treated.
hostile.py has the ledgers and the judgement."""
import os
import re
import subprocess
import time
from typing import NamedTuple

import hostile
import mxtest
from mxtest import wait_for

ANY = ("up", "doubtful", "down")


class Row(NamedTuple):
    """A fault (with others beside it), and what is to be seen while it lasts."""
    faults: str
    state: tuple = ANY      # of the primary
    says: str = ""          # the last probe, or the reply that mail waits for
    passes: bool = False    # mail goes through in spite of it
    late: bool = False      # and some of it late, perhaps
    some: bool = False      # some of it does
    deferred: bool = False  # a reply: mail waits by a timer of its own
    lost: bool = False      # replies are lost behind the dot: there may be copies
    breaker: bool = False   # opens
    quick: bool = False     # our patience is short
    tls: str = "may"


def passes(faults, **kw):
    return Row(faults, passes=True, **kw)


def down(faults, says, **kw):
    return Row(faults, ("down",), says, **kw)


def refusing(faults, says):
    return Row(faults, ("refusing",), says)


def defers(faults, says, **kw):
    return Row(faults, ("up",), says, deferred=True, **kw)


def breaks(faults, says, **kw):
    return Row(faults, ANY, says, deferred=True, **kw)


GONE, SILENT = "lost|hung up|reset", "no answer|no session"

ROWS = (
    # the connection
    down("refuse", GONE), down("reset", GONE), down("nobanner", SILENT, quick=True),
    # the greeting
    down("banner=421", "421"), down("banner=450", "450"), refusing("banner=554", "554"),
    refusing("banner=521", "521"), down("endless", "too many lines"),
    down("badreply", "not an SMTP reply"),
    # replies of all sizes and speeds
    passes("flood=90"), down("flood=200", "too many lines"), passes("longline=2000"),
    down("longline=100000", "too many octets"), passes("split"), passes("slow=1"),
    down("slow=300", SILENT, quick=True),
    # what EHLO offers, and what it does not
    passes("no8bit"), passes("nosize"), passes("nopipe"), passes("nochunk"),
    passes("nosmtputf8"), passes("nodsn"), passes("utf8"), passes("binarymime"),
    passes("starttls requiretls"), passes("no8bit nosize nopipe nochunk nodsn"),
    passes("heloonly"), passes("lie"), passes("lie binarymime"), passes("size=0"),
    defers("size=1000", "5.3.4", some=True),
    # a reply code at each stage
    down("ehlo=421", "421"), down("ehlo=450", "450"), refusing("ehlo=550", "550"),
    down("mail=421", "421"), down("mail=450", "450"), down("mail=452", "452"),
    refusing("mail=550", "550"), refusing("mail=553", "553"),
    refusing("mail=550 drop=rcpt", "550"), refusing("mail=550 rst=rcpt", "550"),
    down("rcpt=421", "421"), defers("rcpt=450", "450"), defers("rcpt=452", "452"),
    defers("rcpt=550", "550", breaker=True), defers("rcpt=552", "552", breaker=True),
    breaks("data=421", "421"), defers("data=450", "450"), defers("data=554", "554", breaker=True),
    breaks("dot=421", "421"), defers("dot=450", "450"), defers("dot=452", "452"),
    defers("dot=552", "552", breaker=True), defers("dot=554", "554", breaker=True),
    passes("rset=421"), passes("rset=500"),
    defers("rcptmix", "450|550", some=True), defers("greylist", "450", some=True),
    # a farewell, a broken line, silence at each stage
    down("421=ehlo", "421"), down("421=mail", "421"), down("421=rcpt", "421"),
    breaks("421=data", "421"), breaks("421=body", "421|no reply", some=True),
    breaks("421=dot", "421", lost=True), passes("421=quit"),
    down("drop=ehlo", GONE), down("drop=mail", GONE), down("drop=rcpt", GONE),
    breaks("drop=data", GONE), breaks("drop=body", "no reply|" + GONE, some=True),
    breaks("drop=dot", "no reply", lost=True), passes("drop=quit"),
    down("rst=ehlo", GONE), down("rst=mail", GONE), down("rst=rcpt", GONE),
    breaks("rst=data", GONE), breaks("rst=body", "no reply|" + GONE, some=True),
    breaks("rst=dot", "no reply", lost=True), passes("rst=quit"),
    down("stall=ehlo", SILENT, quick=True), down("stall=mail", SILENT, quick=True),
    down("stall=rcpt", SILENT, quick=True), breaks("stall=data", SILENT, quick=True),
    breaks("stall=body", "no reply|" + SILENT, quick=True, some=True),
    breaks("stall=dot", "no reply", quick=True, lost=True), passes("stall=quit"),
    # the reply to the dot
    passes("late=300"), breaks(f"late={4000 * mxtest.SLOW}", "no reply", quick=True, lost=True),
    passes("double", late=True),
    # TLS that may be had, and TLS that must be
    passes("starttls"), passes("tlsrefuse"), passes("tlsgarbage"), passes("tlsdrop"),
    down("tlsinject", "STARTTLS"),
    down("tlsrefuse", "454", tls="require"), down("tlsgarbage", "TLS", tls="require"),
    down("tlsinject", "STARTTLS", tls="require"), down("tlsdrop", "TLS", tls="require"),
    down("nopipe", "not offered", tls="require"),
    breaks("starttls rst=data", GONE, tls="require"),
    breaks("starttls rst=body", "no reply|" + GONE, tls="require", some=True),
    breaks("starttls rst=dot", "no reply", tls="require", lost=True),
    breaks("starttls drop=dot", "no reply", tls="require", lost=True),
    breaks("starttls stall=dot", "no reply", tls="require", lost=True, quick=True),
    down("starttls rst=mail", GONE, tls="require"), passes("starttls rst=quit", tls="require"),
    # what listens to more than it should, and what says more
    passes("lenient"), defers("evil rcpt=450", "450"), defers("wordy=60000 rcpt=450", "450"),
    down("wordy=200000 rcpt=450", "too many"), breaks("wordy=200000 dot=450", "no reply"),
)


class Faults(hostile.Hostile):
    """Each primary was away, and comes back with its fault."""

    def test_each_leaves_the_promises_true(self):
        self.open_all()
        begun = time.monotonic()
        with self.client() as c:
            of = {name: self.mail_of_all_kinds(name, c) for name in self.rows}
        for name, row in self.rows.items():
            self.hops[name].faults(*row.faults.split())
        for name, row in self.rows.items():
            with self.subTest(fault=row.faults, tls=row.tls):
                self.while_it_lasts(name, row, of[name])
        self.assert_gentle(time.monotonic() - begun)
        for name, hop in self.hops.items():
            hop.faults(*["starttls"] if self.tls[name] == "require" else [])
        self.wait_empty()       # I5
        self.judge()

    def open_all(self):
        cert = mxtest.make_cert(self.top, "primary.test")
        self.rows = {f"f{n}": row for n, row in enumerate(ROWS)}
        for name, row in self.rows.items():
            self.add_hop(name, "refuse", cert=cert, tls=row.tls, quick=row.quick)
        self.start()

    def while_it_lasts(self, name, row, sent):
        if row.passes:
            wait_for("its mail", lambda: self.queued(name) == [])
            if not row.late:
                self.assertEqual(self.told("message.deferred", name), [])
            return
        wait_for(f"state {row.state}", lambda: self.states()[name]["state"] in row.state)
        if row.deferred:
            wait_for("a deferral", lambda: self.told("message.deferred", name))
            for line in self.told("message.deferred", name):
                self.assertRegex(line, rf'reply="[^"]*({row.says})')
        else:
            wait_for("its words", lambda: re.search(
                row.says, self.states()[name]["last_probe"]["result"]))
            self.assertEqual({(m["state"], m["attempts"]) for m in self.queued(name)}, {("ready", 0)})
        if row.breaker:
            wait_for("the breaker", lambda: self.told("breaker.open", name))
        if row.lost:
            unknown = self.maybe_there()
            self.assertTrue(any(unknown[s.qid] for s in sent))
            self.assertTrue(self.hops[name].ledger.rows)
        elif not row.some:
            self.assertEqual(self.hops[name].ledger.rows, [])

    def assert_gentle(self, elapsed):
        """Some three connections a second at the most: probes are a second
        apart, and three messages try twice in the second that they wait."""
        for name, hop in self.hops.items():
            self.assertLess(hop.sessions, 10 + 3 * elapsed, self.rows[name].faults)


class Gentle(hostile.Hostile):
    def config_text(self):
        return super().config_text().replace('retry_message = {"1s"}', 'retry_message = {"1h"}')

    def test_a_queue_does_not_run_against_what_breaks_every_connection(self):
        # Banner to RCPT are good, so that every probe says up.
        faults = ("drop=data", "421=data", "rst=dot", "421=dot")
        hops = [self.add_hop(f"h{n}", f) for n, f in enumerate(faults)]
        self.start()
        with self.client() as c:
            for n in range(200):
                self.mail_to(f"h{n % 4}", c)
        begun = time.monotonic()
        wait_for("connections", lambda: min(h.sessions for h in hops) >= 12)
        self.assertGreater(time.monotonic() - begun, 3)
        for hop in hops:
            self.assertLess(len(hop.ledger.rows), 12)
            hop.faults()
        wait_for("what was not tried", lambda: all(len(h.ledger.rows) > 30 for h in hops))
        self.retry_until_empty()
        self.judge()

    def retry_until_empty(self):
        """What has a timer of its own would wait for an hour."""
        def look():
            p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                                self.path("mxholdd.conf"), "--yes", "queue", "retry", "--all"],
                               capture_output=True, check=False)
            self.assertIn(p.returncode, (0, 4, 6), p.stderr)
            return self.count() == 0
        wait_for("an empty queue", look)

    PATIENT = 600

    def test_many_that_stall_do_not_keep_others_waiting(self):
        hops = [self.add_hop(f"h{n}") for n in range(20)]
        good = self.add_hop("good")
        self.start()
        with self.client() as c:
            for hop in hops:
                for _ in range(80):     # so that eight connections are open
                    self.mail_to(hop.name, c)
            self.wait_empty()
            for hop in hops:
                hop.faults("stall=data")
                for _ in range(100):
                    self.mail_to(hop.name, c)
            wait_for("all to stall", lambda: sum(map(self.stalled, hops)) >= 120)
            self.mail_to("good", c)
        wait_for("the good one's mail", lambda: good.ledger.rows)
        for hop in hops:
            hop.faults()
            hop.hang_up()
        self.retry_until_empty()
        self.judge()

    @staticmethod
    def stalled(hop):
        return hop.ledger.verbs().count("DATA") - len(hop.ledger.rows)


class Mixes(hostile.Mix):
    def test_a_mix_of_faults(self):
        self.mix(seed=1, seconds=10)

    def test_a_mix_of_faults_and_kills(self):
        self.mix(seed=2, seconds=10, kills=3)


if __name__ == "__main__":
    mxtest.main()
