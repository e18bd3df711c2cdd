"""Disks that fail, fill, go read-only or linger: nothing that got a 250 is
lost, nothing gets a 250 that is not on disk, and reception goes on as soon
as the disk is well."""
import os
import re
import signal
import subprocess
import threading
import unittest

from disk import (BIN, DiskCase, Reader, STRACE, SmallDisk, message, mxtest,
                  needs_root, needs_strace, wait_for, without_our_trace)

# The n-th call fails, for n up to this; more at night.
DEPTH = int(os.environ.get("MXHOLD_DEPTH", "12"))


@needs_strace
class FailedSync(DiskCase):
    def test_what_was_not_synced_is_not_acknowledged(self):
        # RX-26
        self.start()
        for n in range(1, DEPTH + 1):
            with self.inject(f"fdatasync:error=EIO:when={n}"), self.client() as c:
                codes = [self.offer(client=c)[0] for _ in range(n)]
                self.assertEqual(codes, [250] * (n - 1) + [451])
                self.assertIn("cannot be written", self.alarms())
            self.assertEqual(self.count(), len(self.ledger.kept))
            self.assertTrue(self.is_taken())
            self.assertEqual(self.alarms(), "")
        self.assertEqual(len(self.events("queue.failed")), DEPTH)
        self.kill()
        self.bring_to_an_end()

    def test_a_batch_that_was_not_synced_is_refused_as_a_whole(self):
        self.start()
        with self.inject("fdatasync:error=EIO:when=3+2"):
            self.offer_all([message(n, 5000) for n in range(60)], 8)
        self.assertTrue(self.ledger.kept)
        self.assertTrue(self.ledger.refused)
        self.assertEqual(self.count(), len(self.ledger.kept))
        self.kill()
        self.bring_to_an_end()

    def test_a_disk_that_stays_ill_takes_nothing_until_it_is_well(self):
        self.start()
        self.assertTrue(self.is_taken())
        with self.inject("fdatasync:error=EIO:when=1+"):
            for _ in range(5):
                code, text = self.offer()
                self.assertEqual((code, text[:5]), (451, "4.3.0"))
                self.assertIn("cannot be written", self.alarms())
        self.assertTrue(self.is_taken())
        self.assertEqual(self.alarms(), "")
        self.assertTrue(self.events("queue.failed"))
        self.bring_to_an_end()

    def test_a_large_message_fails_at_any_of_its_parts(self):
        self.start()
        used = self.disk()["queue_used_bytes"]
        for n in range(1, 5):
            with self.inject(f"fdatasync:error=EIO:when={n}"):
                code, _ = self.offer(message(n, 1000000))
                self.assertEqual(code, 451)
            wait_for("its parts to go",
                     lambda: self.disk()["queue_used_bytes"] < used + 200000)
        self.assertEqual(self.offer(message(9, 1000000))[0], 250)
        self.kill()
        self.bring_to_an_end()


@needs_strace
class FailedWrite(DiskCase):
    """Pages, or the meta page: the first is a 451, the second an end with 1."""

    def fail_at(self, what, sizes=(0, 20000)):
        """One attempt; whether the daemon went on."""
        with self.inject(what):
            for k in range(2 * DEPTH):
                code, _ = self.offer(message(k, sizes[k % len(sizes)]))
                if code is None:
                    self.wait_ended()
                    self.verify()
                if code != 250:
                    break
            else:
                self.fail(f"{what}: nothing failed")
        if self.daemon:
            self.assertIsNone(self.daemon.poll())
            return True
        self.start()
        return False

    def assert_each_n(self, calls, how, depth=DEPTH):
        went_on = set()
        self.start()
        for n in range(1, depth + 1):
            went_on.add(self.fail_at(f"{calls}:{how}:when={n}"))
            self.assertTrue(self.is_taken())
            self.assertEqual(self.alarms(), "")
        self.kill()
        self.bring_to_an_end()
        return went_on

    def test_a_page_that_cannot_be_written(self):
        self.assertEqual(self.assert_each_n("writev", "error=EIO"), {True})
        self.assertTrue(self.events("queue.failed"))

    def test_a_page_or_the_meta_page_that_cannot_be_written(self):
        self.assertIn(False, self.assert_each_n("pwrite64", "error=EIO"))
        self.assertTrue(self.events("database.panic"))

    def test_any_write_falls_short(self):
        self.assertEqual(self.assert_each_n("pwrite64,writev", "retval=100", 3 * DEPTH),
                         {True, False})

    def test_no_space_for_any_write(self):
        self.assertEqual(self.assert_each_n("pwrite64,writev", "error=ENOSPC", 3 * DEPTH),
                         {True, False})

    def test_no_space_for_a_page_is_said_so(self):
        self.start()
        with self.inject("writev:error=ENOSPC:when=1+"):
            code, text = self.offer(message(1, 50000))
            self.assertEqual((code, text[:5]), (452, "4.3.1"))
            self.assertTrue(self.alarms())
        self.assertTrue(self.is_taken())
        self.bring_to_an_end()

    def test_a_failed_meta_page_ends_the_daemon_under_load(self):
        ends = 0
        for n in range(3, 60):      # a few of them are meta pages
            if ends == 2:
                break
            self.start()
            with self.inject(f"pwrite64:error=EIO:when={n}"):
                self.offer_all([message(k) for k in range(60)], 6)
            if self.has_ended():
                self.verify()
                ends += 1
            else:
                self.stop()
        self.assertEqual(ends, 2)
        self.assertTrue(self.ledger.unknown)
        self.bring_to_an_end()


@needs_strace
class FailedStart(DiskCase):
    def test_a_start_that_cannot_sync_says_so_and_the_next_one_works(self):
        failed = 0
        conf = self.configure()
        for n in range(1, 8):
            p = subprocess.Popen(
                [STRACE, "-D", "-f", "-o", os.devnull, "-e", "trace=fdatasync,fsync",
                 "-e", f"inject=fdatasync,fsync:error=EIO:when={n}",
                 os.path.join(BIN, "mxholdd"), "-c", conf],
                stderr=subprocess.PIPE, text=True,
                # a leak checker cannot work beside strace
                env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
            self.daemon = p
            wait_for("an end or a start", lambda: p.poll() is not None or
                     mxtest.is_open(self.ip, self.SMTP))
            if p.poll() is None:
                p.terminate()
                self.assertEqual(p.wait(60), 0)
            else:
                failed += 1
                self.assertEqual(p.returncode, 1)
                self.assertIn(self.path("state"), p.stderr.read())
            p.stderr.close()
            self.daemon = None
        self.assertGreater(failed, 2)
        self.start()
        self.assertTrue(self.is_taken())
        self.bring_to_an_end()


@needs_strace
class FailedSettle(DiskCase):
    """The primary has it, and our disk cannot take that down."""

    N = 40

    def fill(self):
        self.start()
        for n in range(self.N):
            self.assertEqual(self.offer(message(n, 5000))[0], 250)

    def wait_stuck(self):
        wait_for("a settle that fails", lambda: self.events("settle.failed"))

    def test_delivered_once_when_the_disk_is_well_again(self):
        self.fill()
        with self.inject("fdatasync:error=EIO:when=2+"):
            primary = self.primary()
            self.wait_stuck()
            self.assertIn("cannot be written", self.alarms())
            self.assertEqual(self.offer()[0], 451)
        self.bring_to_an_end(primary)

    def test_few_copies_come_of_a_death_meanwhile(self):
        # TX-11
        self.fill()
        with self.inject("fdatasync:error=EIO:when=2+"):
            primary = self.primary()
            self.wait_stuck()
            wait_for("more trouble", lambda: len(self.events("settle.failed")) > 10)
            self.kill()
        at_risk = primary.contents()
        self.assertLessEqual(len(at_risk), 20, "it went on delivering")
        self.start()
        self.wait_empty()
        self.assert_ledger(primary, {c: 2 for c in self.ledger.kept})
        self.assertLessEqual(len(primary.contents()), self.N + len(at_risk))

    def test_a_meta_page_fails_during_the_drain(self):
        primary = self.primary()
        ends = 0
        self.start()
        for n in range(2, 2 * DEPTH):   # some are meta pages
            with self.inject(f"pwrite64:error=EIO:when={n}"):
                for k in range(5):
                    self.offer(message(k, 5000))
                wait_for("an end, or the drain", lambda:
                         self.daemon.poll() is not None or self.count_if_up() == 0)
            if self.has_ended():
                self.verify()
                self.start()
                ends += 1
            self.wait_empty()
        self.assertGreater(ends, 1)
        self.assert_ledger(primary, {c: 2 for c in self.ledger.kept + self.ledger.unknown})
        copies = len(primary.contents()) - len(set(primary.contents()))
        self.assertLessEqual(copies, 8 * ends, "a copy for each that was under way")

    def count_if_up(self):
        """None of a daemon that has ended, if only while it was asked."""
        try:
            return self.count() if self.daemon.poll() is None else None
        except AssertionError:
            self.daemon.wait(10)
            return None


@needs_strace
class FailedDirectory(DiskCase):
    """What is known of recipients and primaries is in a file of its own."""

    @property
    def directory_file(self):
        return self.path("state/directory/data.mdb")

    def test_mail_is_kept_while_it_cannot_be_written(self):
        self.start()
        with self.inject("fdatasync:error=EIO:when=1+", self.directory_file):
            self.recipients.append("new@example.test")
            self.configure()
            self.daemon.send_signal(signal.SIGHUP)
            for _ in range(5):
                self.assertTrue(self.is_taken())
            primary = self.primary()
            self.wait_delivered(primary, 5)
        self.reload()
        wait_for("the new recipient", lambda: self.ctl_json(
            "recipients", "test", "example.test", "new@example.test"
            )["verdict"] == "accept")
        self.assertEqual(self.offer(rcpts=("new@example.test",))[0], 250)
        self.bring_to_an_end(primary)

    def test_a_failed_meta_page_does_not_refuse_recipients_for_ever(self):
        ends = 0
        self.start()
        for n in range(1, DEPTH + 1):
            with self.inject(f"pwrite64:error=EIO:when={n}", self.directory_file):
                self.recipients.append(f"new{n}@example.test")
                self.reload_or_end()
                for _ in range(20):
                    self.offer()
            if self.has_ended():
                ends += 1
                self.start()
            self.assertTrue(self.is_taken())
        self.assertGreater(ends, 0)
        self.bring_to_an_end()


@needs_root
class FullDisk(SmallDisk):
    def fill_until_refused(self):
        content = message(1, 500000)
        with self.client() as c:
            for k in range(200):
                code, text = self.offer(content + b"%d\r\n" % k, client=c)
                if code != 250:
                    c.cmd("RSET")
                    return code, text
        return self.fail("the disk never became full")

    def test_a_full_disk_defers_and_loses_nothing(self):
        self.start()
        code, text = self.fill_until_refused()
        self.assertEqual((code, text[:5]), (452, "4.3.1"))
        self.assertEqual(self.count(), len(self.ledger.kept))
        self.bring_to_an_end()
        wait_for("mail to be taken again", self.is_taken)

    def test_a_file_system_without_any_room_left(self):
        """Beyond the reserve: the writes themselves fail."""
        self.start()
        with self.client() as c:
            for n in range(6):
                self.offer(message(n, 20000), client=c)
            # the door has looked a moment ago and believes there is room
            c.cmd("MAIL FROM:<a@client.test>")
            c.cmd("RCPT TO:<user@example.test>")
            self.assertEqual(c.cmd("DATA")[0], 354)
            self.fill()
            big = message(7, 8000000)
            c.send(big.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            code, text = c.reply()
            self.ledger.note(big, code)
            self.assertEqual((code, text[:5]), (452, "4.3.1"))
        self.assertTrue(self.events("queue.full"))
        # what was freed inside the file may be used; more than that may not
        codes = {self.offer(message(n, 900000))[0] for n in range(8)}
        self.assertIn(codes, ({452}, {250, 452}))
        self.give_back()
        wait_for("mail to be taken again", self.is_taken)
        self.kill()
        self.bring_to_an_end()

    def test_a_full_disk_still_drains(self):
        """Others took the last block; ours were set aside (slack.c)."""
        self.start()
        for n in range(40):
            self.assertEqual(self.offer(message(n))[0], 250)
        self.fill()
        primary = self.primary()
        self.wait_empty()
        self.assertEqual(self.events("settle.failed"), [])
        self.assertIn("queue.reserve", self.alarms())
        self.assertEqual(self.offer()[0], 452)
        self.give_back()
        wait_for("mail to be taken again", self.is_taken)
        self.bring_to_an_end(primary)

    def test_below_the_reserve_mail_is_deferred_at_its_first_word(self):
        self.start()
        self.assertTrue(self.is_taken())
        self.leave_free(800 << 10)

        def refused():
            with self.client() as c:
                return c.cmd("MAIL FROM:<a@client.test>") == (
                    452, "4.3.1 no room left, try again later")
        wait_for("452 at MAIL", refused)
        self.assertIn("queue.reserve", self.alarms())
        self.bring_to_an_end()      # it still drains
        self.give_back()
        wait_for("mail to be taken again", self.is_taken)
        self.assertEqual(self.alarms(), "")


@needs_root
class ReadOnlyDisk(SmallDisk):
    """The kernel makes ext4 read-only after an error of its own."""

    def abort(self):
        done = subprocess.run(["mount", "-o", "remount,abort", self.path("disk")],
                              capture_output=True, text=True, check=False)
        if done.returncode or not self.is_read_only():
            self.skipTest(f"remount,abort makes nothing read-only here: {done.stderr}")

    def is_read_only(self):
        try:
            with open(self.path("disk/x"), "wb") as f:
                f.write(b"x")
                os.fsync(f.fileno())
        except OSError:
            return True
        return False

    def test_nothing_is_promised_and_nothing_lost(self):
        self.start()
        for n in range(5):
            self.assertEqual(self.offer(message(n, 9000))[0], 250)
        self.abort()
        code, _ = self.offer(message(6, 9000))
        self.assertIn(code, (None, 451, 452))
        if code is not None:
            self.assertTrue(self.alarms())
            self.assertEqual(self.count(), 5)
            self.assertNotEqual(self.offer()[0], 250)
            self.assertTrue(self.events("queue.failed"))
            self.stop(expect=self.daemon.poll() or 0)
        else:
            self.wait_ended()
        # what systemd would do meanwhile
        conf = self.configure()
        p = subprocess.run([os.path.join(BIN, "mxholdd"), "-c", conf], check=False,
                           capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertIn(self.path("disk/state"), p.stderr)
        self.unmount()
        subprocess.run(["e2fsck", "-fp", self.image], check=False, capture_output=True)
        self.mount()
        self.bring_to_an_end()


class Limits(DiskCase):
    QUEUE = ""

    def config_text(self):
        text = super().config_text()
        if self.QUEUE:
            text = re.sub(r"(?m)^queue \{.*\}$", f"queue {{ {self.QUEUE} }}", text)
        return text

    def fill(self, size=300000, most=100):
        for n in range(most):
            code, text = self.offer(message(n, size))
            if code != 250:
                return code, text
        return self.fail("the limit was never reached")


class MaxBytes(Limits):
    QUEUE = 'reserve = "0"  max_bytes = "2M"  map_size = "64M"'

    def test_it_is_told_at_mail_when_the_size_is_known(self):
        self.start()
        with self.client() as c:
            self.assertEqual(c.cmd("MAIL FROM:<a@client.test> SIZE=2500000"),
                             (452, "4.3.1 no room left, try again later"))
            self.assertEqual(c.cmd("MAIL FROM:<a@client.test> SIZE=100000")[0], 250)

    def test_it_is_told_after_the_content_when_it_is_not(self):
        self.start()
        code, text = self.offer(message(1, 3000000))
        self.assertEqual((code, text[:5]), (452, "4.3.1"))
        self.assertEqual(self.count(), 0)
        self.assertTrue(self.is_taken())
        self.bring_to_an_end()

    def test_a_full_queue_is_alarmed_drains_and_opens_again(self):
        self.start()
        code, text = self.fill()
        self.assertEqual((code, text[:5]), (452, "4.3.1"))
        while self.offer(message(9, 20000))[0] == 250:
            continue
        self.assertIn("queue.max_bytes", self.alarms())
        self.assertLessEqual(self.disk()["queue_used_bytes"], 2 << 20)
        self.bring_to_an_end()
        wait_for("mail to be taken again", self.is_taken)
        self.assertEqual(self.alarms(), "")


class FullMap(Limits):
    QUEUE = 'reserve = "0"  max_bytes = "1G"  map_size = "8M"'

    def test_a_full_map_defers_and_still_deletes_and_drains(self):
        self.start()
        self.offer_all([message(n, 1200000) for n in range(12)], 12)
        while self.offer(message(9, 20000))[0] == 250:
            continue
        self.assertGreater(len(self.ledger.kept), 2)
        self.assertIsNone(self.daemon.poll())
        self.assertEqual(self.count(), len(self.ledger.kept))
        victim = self.listed()[0]["id"]
        raw = self.ctl("msg", "raw", victim, raw=True)
        self.ctl("--yes", "queue", "delete", victim)
        self.ledger.kept.remove(without_our_trace(raw)[0])
        self.bring_to_an_end()
        wait_for("mail to be taken again", self.is_taken)


class Quota(Limits):
    def test_a_domain_at_its_quota_defers_and_others_do_not(self):
        self.domain_extra = 'quota = "500K"'
        self.write("other", "user\n")
        self.config_extra = (f'domain "other.test" {{ primary = "{self.ip}:{self.PRIMARY}" '
                             f'recipients = "{self.path("other")}" }}')
        self.start()
        code, text = self.fill()
        self.assertEqual((code, text[:5]), (452, "4.3.1"))
        self.assertLessEqual(len(self.ledger.kept), 2)
        self.assertEqual(self.offer(rcpts=("user@other.test",))[0], 250)
        self.bring_to_an_end()
        self.assertTrue(self.is_taken())


class Readers(DiskCase):
    @property
    def queue_dir(self):
        return self.path("state/queue")

    def churn(self, n):
        """Mail comes and goes; how much the file has grown by it."""
        before = os.path.getsize(self.queue_file)
        with self.client() as c:
            for k in range(n):
                self.assertEqual(self.offer(message(k, 200000), client=c)[0], 250)
                self.ctl("--yes", "queue", "delete", *[m["id"] for m in
                                                      self.listed("--state", "ready")])
        return os.path.getsize(self.queue_file) - before

    def test_the_file_is_used_again_but_for_what_a_snapshot_holds(self):
        self.start()
        self.churn(5)
        self.assertLess(self.churn(15), 1000000)
        holder = Reader(self.queue_dir)
        self.parts.append(holder)
        self.assertGreater(self.churn(15), 2000000, "so this test can see it")

    def test_a_killed_reader_is_forgotten_at_the_next_start(self):
        self.start()
        holder = Reader(self.queue_dir)
        self.parts.append(holder)
        self.assertIn(holder.pid, Reader.pids(self.queue_dir))
        holder.stop()
        self.parts.remove(holder)
        self.stop()
        self.start()
        self.assertNotIn(holder.pid, Reader.pids(self.queue_dir))
        self.churn(5)
        self.assertLess(self.churn(15), 1000000)

    def test_a_stalled_primary_holds_no_snapshot(self):
        self.start()
        stuck = [message(n, 3000000 if n % 2 else 3000) for n in range(12)]
        for content in stuck:
            self.send(content)
        primary = self.primary("stall=body")
        wait_for("deliveries that hang", lambda: primary.sessions() > 2 and
                 any(c.startswith("DATA") for c in primary.commands()))
        before = {m["id"] for m in self.listed()}
        grown = []
        for _ in range(2):
            size = os.path.getsize(self.queue_file)
            for k in range(12):
                qid = self.send(message(k, 200000))
                self.assertNotIn(qid, before)
                self.ctl("--yes", "queue", "delete", qid)
            grown.append(os.path.getsize(self.queue_file) - size)
        self.assertLess(grown[1], 1000000)


@needs_strace
class SlowDisk(DiskCase):
    def config_text(self):
        return super().config_text().replace("threads = 2", "threads = 1")

    def test_other_sessions_go_on_while_a_commit_lingers(self):
        # RX-28
        self.start()
        with self.inject("fdatasync:delay_enter=6000000:when=1"), \
                self.client() as other:
            t = threading.Thread(target=self.offer)
            t.start()
            for _ in range(20):
                self.assertEqual(other.cmd("NOOP")[0], 250)
            other.cmd("MAIL FROM:<a@client.test>")
            self.assertEqual(other.cmd("RCPT TO:<user@example.test>")[0], 250)
            with self.client() as third:
                self.assertEqual(third.cmd("EHLO x.test")[0], 250)
            self.assertEqual(self.count(), 0)
            self.assertTrue(self.ctl_json("status")["running"])
            self.assertTrue(t.is_alive(), "the commit lingers")
            t.join()
        self.assertEqual(len(self.ledger.kept), 1)
        self.bring_to_an_end()


if __name__ == "__main__":
    mxtest.main()
