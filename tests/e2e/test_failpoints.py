"""Death and failure at every named step of docs/queue.md, in the whole daemon.

MXHOLDD_FAIL (builds with MX_FAILPOINTS) kills the process at a step, or lets
the step fail; then everything a daemon does happens around it: small mail and
large, a deletion, a reload, a drain, a report. In the end what got a 250 must
have arrived byte for byte and once.
"""
import concurrent.futures
import os
import subprocess
import unittest

from disk import BIN, DiskCase, message, mxtest, wait_for

BOUNCER = 2527      # the port of a primary that refuses every recipient

# Step, which pass of it, and how its failure shows: in a reply to a client,
# in the log, or (None) not at all, because nothing can fail there.
REPLY = "reply"
UNANSWERED = (None, "")     # what offer says then
POINTS = {
    "data-read": (2, REPLY),
    "chunk-put": (90, REPLY),
    "chunk-commit": (2, REPLY),
    "envelope-put": (2, REPLY),
    "before-commit": (2, REPLY),
    "after-commit-before-250": (2, None),
    "after-250": (2, None),
    "delete-batch": (1, "queue.replay|queue.failed|queue.full"),
    "reload": (2, "recipients.refused|recipients.failed"),
    "drain": (2, None),
    "before-primary-dot": (2, "message.deferred|session.failed|primary.state"),
    "after-primary-250-before-commit": (2, "settle.failed|queue.replay"),
    "after-delivered-commit": (2, None),
    "dsn-put": (1, "settle.failed|queue.replay"),
}
# Where the primary may have what our commit did not see: one copy more for
# each connection that was cut.
MAY_DOUBLE = {"drain", "before-primary-dot", "after-primary-250-before-commit",
              "after-delivered-commit", "dsn-put"}


def has_failpoints():
    with open(os.path.join(BIN, "mxholdd"), "rb") as f:
        return b"after-commit-before-250" in f.read()


class Run(DiskCase):
    """One daemon, one step, one way to fail there."""

    def __init__(self, point, mode):
        super().__init__("whole_day")
        self.point, self.mode = point, mode
        self.deaths, self.reports = 0, 0
        self.deleted = None

    def id(self):
        return f"{self.point}={self.mode}"

    def setUp(self):
        super().setUp()
        self.write("anybody", "@\n")
        self.global_extra = ('bounce { send = "all"  route = "primary" }\n'
                             'breaker { max_5xx = 100  first_5xx = "1s" }')
        # behind the other: reports go by the first domain's primary
        self.domain_extra = (
            f'}} domain "bounce.test" {{ primary = "{self.ip}:{BOUNCER}" '
            f'recipients = "{self.path("anybody")}"')

    def config_text(self):
        return super().config_text().replace('interval_down = "1s"',
                                             'interval_down = "200ms"')

    def spec(self):
        n, shows = POINTS[self.point]
        how = self.mode if self.mode in ("eio", "enospc") else ""
        return f"{self.point}:{n}" + (f"={how}" if how else "")

    def start_failing(self):
        self.start(wait=False, env={"MXHOLDD_FAIL": self.spec()})
        wait_for("the greeting or an end", lambda: self.daemon.poll() is not None or
                 mxtest.is_open(self.ip, self.SMTP))

    def restart_if_dead(self):
        if self.daemon.poll() is None:
            return
        self.assertEqual(self.daemon.returncode, -9, self.log()[-3000:])
        self.daemon = None
        self.deaths += 1
        self.verify()
        if self.mode == "twice" and self.deaths == 1:
            self.start_failing()
            self.restart_if_dead()
        else:
            self.start()

    def do(self, step):
        """A step of the day; the daemon may be dead after it."""
        got = None
        try:
            got = step()
        except (AssertionError, EOFError, OSError):
            if not self.is_dead_soon():
                raise
        if got == UNANSWERED:
            self.assertTrue(self.is_dead_soon(), "it hung up, and lives")
        self.restart_if_dead()
        return got

    def is_dead_soon(self):
        """A killed process closes its sockets before it can be waited for."""
        try:
            self.daemon.wait(2)
        except subprocess.TimeoutExpired:
            return False
        return True

    def send_all(self):
        for n, size in enumerate((0, 5000, 700000, 0, 300000)):
            self.do(lambda n=n, size=size: self.offer(message(n, size)))
        self.do(lambda: self.offer(message(8), rcpts=(
            "user@example.test", "other@example.test")))

    def delete_one(self):
        content = message(9)
        try:
            qid = self.do(lambda: self.send(content))
        except AssertionError:      # refused where it may be
            self.ledger.refused.append(content)
            return
        self.deleted = content
        done = qid and self.do(lambda: subprocess.run(
            [os.path.join(BIN, "mxholdctl"), "-c", self.path("mxholdd.conf"), "--yes",
             "queue", "delete", qid], check=False, capture_output=True, timeout=60))
        gone = done and done.returncode == 0
        (self.ledger.refused if gone else self.ledger.unknown).append(content)

    def change_list(self):
        self.recipients.append("new@example.test")
        self.do(self.reload_or_end)
        # a list that could not be read is read again: nobody is needed
        self.recipients.append("newer@example.test")
        self.do(self.reload_or_end)

    def drain(self):
        primary = self.primary()
        self.parts.append(mxtest.Primary(self.top, self.ip, BOUNCER, "rcpt=550",
                                         name="bouncer"))

        def is_drained():
            self.restart_if_dead()
            try:
                return self.count() == 0
            except AssertionError:
                return False
        wait_for("an empty queue", is_drained)
        return primary

    def whole_day(self):
        self.start_failing()
        self.restart_if_dead()
        self.send_all()
        bounced = message(7, sender="sender@example.test")
        self.do(lambda: self.offer(bounced, rcpts=("x@bounce.test",),
                                   sender="user@example.test"))
        self.delete_one()
        self.change_list()
        primary = self.drain()
        self.verify()
        self.check_failed()
        self.check_reports(primary, bounced)
        copies = 1 + (self.deaths if self.point in MAY_DOUBLE else 0)
        self.assert_ledger(primary, {c: copies for c in
                                     self.ledger.kept + self.ledger.unknown})
        if self.mode in ("eio", "enospc"):
            self.assertTrue(self.do(self.is_taken))

    def check_failed(self):
        """The step was met at all: else all this proves nothing."""
        shows = POINTS[self.point][1]
        if self.mode == "kill":
            self.assertEqual(self.deaths, 1)
        elif self.mode == "twice":
            self.assertGreaterEqual(self.deaths, 1)
        elif shows == REPLY:
            self.assertTrue(self.ledger.refused)
        elif shows:
            self.assertRegex(self.log(), rf"\bevent=({shows})\b")

    def check_reports(self, primary, bounced):
        """One report for the message that was refused, and out of sight."""
        rows = [r for r in primary.index() if r["from"].startswith("<>")]
        most = 1 + (self.deaths if self.point in MAY_DOUBLE else 0)
        if bounced in self.ledger.kept:
            self.assertIn(len(rows), range(1, most + 1))
            self.ledger.kept.remove(bounced)
        for row in rows:
            self.assertIn(b"multipart/report", primary.content(row["n"]))
        primary.contents = lambda: [primary.content(r["n"]) for r in primary.index()
                                    if not r["from"].startswith("<>")]


def run_case(case):
    result = unittest.TestResult()
    case.run(result)
    return [text for _, text in result.failures + result.errors]


@unittest.skipUnless(has_failpoints(),
                     "SKIPPED, NOTHING PROVED: a build without MX_FAILPOINTS")
class Failpoints(unittest.TestCase):
    """The methods are made below: one for each step."""

    def run_modes(self, point):
        modes = ["kill", "twice"]
        if POINTS[point][1]:
            modes += ["eio", "enospc"]
        with concurrent.futures.ThreadPoolExecutor(len(modes)) as pool:
            for mode, failed in zip(modes, pool.map(
                    run_case, [Run(point, mode) for mode in modes])):
                with self.subTest(mode=mode):
                    self.assertFalse(failed, "\n".join(failed))


for name in POINTS:
    setattr(Failpoints, "test_" + name.replace("-", "_"),
            lambda self, name=name: self.run_modes(name))


@unittest.skipUnless(has_failpoints(),
                     "SKIPPED, NOTHING PROVED: a build without MX_FAILPOINTS")
class Controls(DiskCase):
    """Broken on purpose: the oracle must see it."""

    def test_an_acknowledgement_before_the_commit_is_seen_as_a_loss(self):
        # RX-26
        for _ in range(5):
            self.start(env={"MXHOLDD_FAIL": "ack-early"})
            code, _ = self.offer()
            self.kill()
            self.assertEqual(code, 250)
        self.start()
        self.assertLess(self.count(), len(self.ledger.kept))
        primary = self.primary()
        self.wait_empty()
        with self.assertRaises(AssertionError):
            self.assert_ledger(primary)

    def test_without_a_failpoint_nothing_dies_and_nothing_doubles(self):
        self.assertEqual(run_case(Control()), [])

    def test_a_failpoint_that_is_not_met_is_no_proof(self):
        failed = run_case(Unmet())
        self.assertEqual(len(failed), 1)
        self.assertIn("0 != 1", failed[0])


class Unmet(Run):
    def __init__(self):
        super().__init__("after-250", "kill")

    def spec(self):
        return "after-250:1000"


class Control(Run):
    def __init__(self):
        super().__init__("after-250", "none")

    def spec(self):
        return ""


if __name__ == "__main__":
    mxtest.main()
