"""Clients that flood, dawdle, never read or break off: they cost little, and
good mail goes on."""
import os
import signal
import socket
import ssl
import struct
import threading
import time

import mxtest
from mxtest import message, wait_for, without_our_trace


def tls_context():
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    return ctx


class Case(mxtest.Case):
    def assert_serves(self, n=99):
        before = self.count()
        self.send(message(n))
        self.assertEqual(self.count(), before + 1)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    def wait_sessions_over(self):
        wait_for("every session to end", lambda: len(self.events("session.open")) ==
                 len(self.events("session.close")))


class Harvest(Case):
    """Who goes through names learns nothing for free."""

    def ask(self, c, n, name):
        """RCPT for n names in writes of 500; the codes."""
        codes = []
        for at in range(0, n, 500):
            c.send(b"".join(b"RCPT TO:<" + name % i + b"@example.test>\r\n"
                            for i in range(at, at + 500)))
            codes += [c.reply()[0] for _ in range(500)]
        return codes

    def test_ten_thousand_unknown_names_on_one_session_stay_cheap(self):
        self.config_extra = "smtp { max_errors = 10000 }"
        self.start()
        with self.client() as warm, self.client() as c:
            warm.cmd("MAIL FROM:<a@b.test>")
            self.ask(warm, 1000, b"warm%d")
            before = self.rss_kib()
            c.cmd("MAIL FROM:<a@b.test>")
            self.assertEqual(self.ask(c, 9500, b"u%d"), [550] * 9500)
            self.assertEqual(self.ask(c, 500, b"user+%d"), [250] * 100 + [452] * 400)
            self.assert_grew_less(before, 2048)
            self.assertEqual(c.data(b"Subject: x\r\n\r\nx\r\n")[0], 250)

    def test_ten_thousand_known_ones_are_cut_at_the_limit(self):
        # RX-21
        self.recipients = ["@"]
        self.start()
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            codes = self.ask(c, 10000, b"u%d")
            self.assertEqual(codes, [250] * 100 + [452] * 9900)
            before = self.rss_kib()
            self.ask(c, 10000, b"v%d")
            self.assert_grew_less(before, 2048)
            self.assertEqual(c.data(b"Subject: x\r\n\r\nx\r\n")[0], 250)
        self.assertEqual([len(m["recipients"]) for m in self.listed()], [100])

    def test_every_name_that_is_refused_hears_the_same(self):
        """Not listed, listed as never, a detail of it; VRFY tells of none."""
        self.recipients = ["user", "!never"]
        self.start()
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            said = {c.cmd(f"RCPT TO:<{name}@example.test>")
                    for name in ("nobody", "never", "never+x", '"n o"', "use", "userr")}
            self.assertEqual({code for code, _ in said}, {550})
            self.assertEqual(len(said), 1)
            self.assertEqual(c.cmd("VRFY user"), c.cmd("VRFY nobody"))

    def test_every_name_that_is_put_off_hears_the_same(self):
        self.domain_extra = "unknown_down = defer"
        self.start()
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            said = {c.cmd(f"RCPT TO:<u{n}@example.test>") for n in range(20)}
            self.assertEqual([code for code, _ in said], [451])

    def test_errors_end_the_session_and_the_budget_ends_the_visit(self):
        self.config_extra = "policy { unknown_budget = 25 }"
        self.start()
        tried = 0
        for _ in range(40):                 # 400 names without a budget
            try:
                with self.client() as c:
                    c.cmd("MAIL FROM:<a@b.test>")
                    while True:
                        tried += 1
                        code = c.cmd(f"RCPT TO:<u{tried}@example.test>")[0]
                        self.assertIn(code, (550, 421))
                        if code == 421 or c.buf.startswith(b"421"):
                            break
            except (EOFError, ConnectionError):
                pass
            except AssertionError:
                break                       # no greeting but a refusal
        # each loop counts by itself and tells the others a little later
        self.assertLess(tried, 2 * (25 + 10) + 10)
        def greeting():
            with self.client(ehlo=None) as c:
                return c.greeting
        wait_for("the door to be closed", lambda: greeting()[0] == 421)
        self.assertIn("unknown recipients", greeting()[1])


class Slow(Case):
    def slow_ones(self):
        """(name, client, what it goes on sending by the octet)"""
        ones = [("idle", self.client(ehlo=None), b""), ("idle behind EHLO", self.client(), b"")]
        c = self.client()
        c.starttls()
        ones.append(("idle within TLS", c, b""))
        ones.append(("a command by the octet", self.client(), b"N"))
        c = self.client()
        c.starttls()
        ones.append(("a command by the octet within TLS", c, b"N"))
        c = self.client()
        c.cmd("STARTTLS")
        c.send(b"\x16\x03\x01\x02\x00")
        ones.append(("a handshake by the octet", c, b"\x01"))
        for begin in (b"DATA\r\n", b"BDAT 100000 LAST\r\n"):
            c = self.client()
            c.cmd("MAIL FROM:<a@b.test>")
            c.cmd("RCPT TO:<user@example.test>")
            c.send(begin)
            ones.append((f"content by the octet, {begin}", c, b"x"))
        c = self.client()
        c.cmd("MAIL FROM:<a@b.test>")
        c.cmd("RCPT TO:<user@example.test>")
        c.send(b"BDAT 100000 LAST\r\nx")
        ones.append(("content that stops", c, b""))
        return ones

    def is_over(self, c, drip):
        """Feeds it one octet more."""
        try:
            if drip:
                c.s.send(drip)
            c.s.settimeout(0.01)
            while True:
                data = c.s.recv(4096)
                c.buf += data
                if not data:
                    return True
        except (TimeoutError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True

    def test_a_deadline_is_for_a_command_and_a_rate_for_content(self):
        # RX-41: octets one by one renew nothing; good mail passes meanwhile
        self.config_extra = 'smtp { command_timeout = "3s"  data_timeout = "5s"  min_rate = 500 }'
        self.start()
        crowd = [self.client(ehlo=None) for _ in range(300)]
        for c in crowd:
            c.send(b"E")
        left = self.slow_ones()
        self.addCleanup(lambda ones: [c.close() for _, c, _ in ones], left)
        n, end = 0, time.monotonic() + 90 * mxtest.SLOW
        while left:
            self.assertLess(time.monotonic(), end, [name for name, _, _ in left])
            left = [one for one in left if not self.is_over(one[1], one[2])]
            if n % 10 == 0:
                self.send(message(n))
            n += 1
            time.sleep(0.2)
        for c in crowd:
            self.assertIn(b"421 4.4.2", c.rest())
            c.close()
        self.wait_sessions_over()
        self.assertEqual(self.count(), (n + 9) // 10)

    def test_who_never_reads_is_not_served_and_then_cut_off(self):
        """A window of zero: neither memory nor a thread waits for it."""
        self.config_extra = 'smtp { command_timeout = "5s"  max_errors = 10000 }'
        self.start()
        greedy = []
        self.addCleanup(lambda: [c.close() for c in greedy])
        self.assert_serves(1)
        before = self.rss_kib()
        for n in range(40):
            c = self.client()
            if n % 2:
                c.starttls()
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.s.setblocking(False)
            greedy.append(c)
        block, stuck = b"HELP\r\n" * 4000, 0
        while stuck < 50 * mxtest.SLOW:     # turns in which nobody could send more
            stuck += 1
            time.sleep(0.02)
            for c in greedy:
                try:
                    c.s.send(block)
                    stuck = 0
                except OSError:     # it would block, or was cut off already
                    pass
        self.assert_grew_less(before, 40 * 256)
        self.assert_serves(2)
        wait_for("them to be cut off", lambda: len(self.events("session.close")) >= 42)
        self.assertIn('why="client does not read"', self.log())
        self.assert_serves(3)


class Overload(Case):
    def config_text(self):
        return super().config_text().replace("smtp { max_sessions_per_ip = 1000 }\n", "")

    def test_near_the_limit_idle_clients_go_early_and_good_mail_passes(self):
        """15 seconds instead of five minutes, for those who were there before, too."""
        self.config_extra = "smtp { max_sessions = 20  max_sessions_per_ip = 20 }"
        self.start()
        idle = [self.client() for _ in range(17)]
        self.addCleanup(lambda: [c.close() for c in idle])
        self.assertEqual(self.events("overload.begin"), [])
        idle.append(self.client())
        wait_for("the overload", lambda: self.events("overload.begin"))
        self.assertIn("idle clients have less time", str(self.ctl_json("status")["alarms"]))
        self.send(message(1))
        for c in idle:
            self.assertIn(b"421 4.4.2", c.rest())
        wait_for("its end", lambda: self.events("overload.end"))
        self.assertEqual(self.ctl_json("status")["alarms"], [])
        self.send(message(2))


class Handshakes(Case):
    """TLS begun and not finished: bounded in octets, memory and time."""

    def begun(self, octets):
        c = self.client()
        self.assertEqual(c.cmd("STARTTLS")[0], 220)
        c.send(octets)
        return c

    def hello(self):
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        with self.assertRaises(ssl.SSLWantReadError):
            tls_context().wrap_bio(into, out, server_hostname="mx2.test").do_handshake()
        return out.read()

    # a ClientHello that says it has 128 KiB
    LONG = b"\x16\x03\x01\x40\x00\x01\x01\xff\xff" + bytes(16380)

    def good_client(self, n):
        with self.client() as c:
            self.assertEqual(c.starttls()[0], 250)
            self.assertEqual(c.mail(message(n))[0], 250)

    def test_hundreds_of_half_done_ones_cost_little(self):
        self.start()
        self.good_client(1)
        before = self.rss_kib()
        half = []
        self.addCleanup(lambda: [c.close() for c in half])
        for octets in (b"\x16\x03\x01", self.LONG, self.hello()):
            half += [self.begun(octets) for _ in range(100)]
        self.good_client(2)
        self.assert_grew_less(before, 300 * 96)
        self.assertEqual(self.count(), 2)

    def test_an_endless_one_is_broken_off(self):
        self.start()
        c = self.begun(self.LONG)
        try:
            for _ in range(1000):
                c.send(b"\x16\x03\x01\x40\x00" + bytes(16384))
        except OSError:
            pass
        self.assertNotIn(b"250", c.rest())
        c.close()
        wait_for("its end", lambda: 'why="TLS: endless handshake"' in self.log())
        self.good_client(1)

    def test_they_end_at_their_deadline(self):
        self.config_extra = f'smtp {{ command_timeout = "{3 * mxtest.SLOW}s" }}'
        self.start()
        half = [self.begun(octets) for octets in (b"", b"\x16", self.LONG, self.hello())]
        for c in half:
            c.rest()
            c.close()
        self.wait_sessions_over()
        self.assertEqual(self.log().count("TLS handshake took too long"), len(half))


class Descriptors(Case):
    def test_no_descriptor_left_is_told_and_is_not_the_end(self):
        self.start(prefix=("prlimit", "--nofile=64:64"))
        held, told = [], 0
        callers = [socket.create_connection((self.ip, self.SMTP), 60, (self.ip, 0))
                   for _ in range(100)]
        self.addCleanup(lambda: [s.close() for s in callers])
        for s in callers:
            said = s.recv(4096)
            if said.startswith(b"220 "):
                held.append(s)
            else:
                self.assertRegex(said, rb"^421 4\.3\.2 [^\r]*\r\n$")
                told += 1
        self.assertTrue(held and told)
        self.assertLess(len(held), 64)
        # who is in is served, a reload is refused or taken, none of it ends us
        acked = 0
        for s in held[:5]:
            s.settimeout(60)
            s.sendall(b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<user@example.test>\r\nDATA\r\n")
            said = b""
            while b"354 " not in said:
                said += s.recv(4096)
            s.sendall(b"Subject: x\r\n\r\nx\r\n.\r\n")
            self.assertTrue(s.recv(4096).startswith(b"250 "))
            acked += 1
        self.daemon.send_signal(signal.SIGHUP)
        wait_for("an answer to the reload", lambda: self.events("config.reloaded") +
                 self.events("config.refused"))
        self.assertIsNone(self.daemon.poll())
        # they go, and others are let in
        for s in callers:
            s.close()
        wait_for("room", lambda: self.greeting().startswith("mx2.test"))
        primary = self.primary()
        self.assert_delivered(primary, acked)

    def greeting(self):
        with self.client(ehlo=None) as c:
            return c.greeting[1]

    def assert_delivered(self, primary, n):
        self.send(message(7))
        self.wait_delivered(primary, n + 1)
        self.wait_empty()


class Resets(Case):
    """RST at every stage, in clear and within TLS."""
    CONTENT = b"Subject: reset\r\n\r\n" + b"0123456789abcdef" * 8 + b"\r\n"
    ENVELOPE = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<user@example.test>\r\n"
    STAGES = (
        b"", b"NO", b"EHLO x\r\n", b"MAIL FROM:<a@b.test>\r\n", ENVELOPE, ENVELOPE + b"DATA\r\n",
        ENVELOPE + b"DATA\r\n" + CONTENT[:30], ENVELOPE + b"DATA\r\n" + CONTENT * 8000,
        ENVELOPE + b"DATA\r\n" + CONTENT + b".\r", ENVELOPE + b"DATA\r\n" + CONTENT + b".\r\n",
        ENVELOPE + b"DATA\r\n" + CONTENT + b".\r\nQUIT\r\n", ENVELOPE + b"BDAT 100000\r\nxx",
        ENVELOPE + b"BDAT 3\r\nxxx", ENVELOPE + b"BDAT 0 LAST\r\n", b"HELP\r\n" * 3000,
        b"STARTTLS\r\n", b"STARTTLS\r\n\x16\x03\x01", b"QUIT\r\n", b"RSET\r\n" * 500 + ENVELOPE,
        b"VRFY x\r\n" * 300, b"ETRN example.test\r\n")

    def break_off(self, stage, how):
        with self.client(greet=how != "at once") as c:
            self.go_as_far_as(c, stage, how)
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def go_as_far_as(self, c, stage, how):
        if how in ("tls", "half tls"):
            c.cmd("STARTTLS")
            if how == "half tls":
                into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
                try:
                    tls_context().wrap_bio(into, out).do_handshake()
                except ssl.SSLWantReadError:
                    pass
                c.send(out.read())
            else:
                c.s = tls_context().wrap_socket(c.s)
                c.cmd("EHLO x")
        if how != "half tls":
            c.s.settimeout(60)
            try:
                c.send(stage)
            except OSError:     # it was ended before
                pass

    def test_at_every_stage(self):
        self.start()
        self.assert_serves(1)
        self.wait_sessions_over()
        before = self.descriptors()
        for how in ("plain", "tls", "half tls", "at once"):
            for stage in self.STAGES[:1] if how == "half tls" else self.STAGES:
                with self.subTest(how=how, stage=stage[:40], size=len(stage)):
                    threads = [threading.Thread(target=self.break_off, args=(stage, how))
                               for _ in range(8)]
                    for t in threads:
                        t.start()
                    for t in threads:
                        t.join()
        self.assert_serves(2)
        self.wait_sessions_over()
        wait_for("their descriptors", lambda: self.descriptors() <= before + 1)
        self.ctl("queue", "verify")
        whole = (self.CONTENT, b"")
        for row in self.listed():
            content = without_our_trace(self.ctl("msg", "raw", row["id"], raw=True))[0]
            if row["sender"] == "a@b.test":
                self.assertIn(content, whole)    # I4: all of it or none
            self.assertEqual(len(row["recipients"]), 1)
        self.ctl("--yes", "queue", "delete", "--all")
        self.assertEqual(self.count(), 0)

    def test_at_every_stage_while_the_daemon_stops(self):
        for how in ("plain", "tls"):
            self.start()
            go_on = threading.Event()

            def breaker():
                while not go_on.is_set():
                    for stage in self.STAGES:
                        try:
                            self.break_off(stage, how)
                        except (OSError, EOFError, AssertionError):
                            return
            threads = [threading.Thread(target=breaker) for _ in range(4)]
            for t in threads:
                t.start()
            wait_for("sessions", lambda: len(self.events("session.close")) > 40)
            self.stop()
            go_on.set()
            for t in threads:
                t.join()


class Signals(Case):
    def test_a_thousand_hangups_under_load(self):
        """CVE-2006-0058: good, broken and other configurations, as fast as they come."""
        self.start()
        acked, end = [], threading.Event()

        def load(k):
            n = 0
            while not end.is_set():
                acked.append(self.send(message(k * 100000 + n)))
                n += 1
        threads = [threading.Thread(target=load, args=(k,)) for k in range(3)]
        for t in threads:
            t.start()
        good = self.config_text()
        others = (good, "broken {", good.replace("max_rate = 1000000", "max_rate = 2000000"),
                  good.replace("hostname", "hostnam"), good + "smtp { max_rcpt = 200 }\n")
        try:
            for n in range(1000):
                self.write("mxholdd.conf.new", others[n % len(others)])
                os.rename(self.path("mxholdd.conf.new"), self.path("mxholdd.conf"))
                self.daemon.send_signal(signal.SIGHUP)
                if n % 50 == 0:
                    time.sleep(0.05)
        finally:
            end.set()
            for t in threads:
                t.join()
        self.write("mxholdd.conf", good)
        self.reload()
        self.assertTrue(self.events("config.refused"))
        self.assertTrue(self.events("config.reloaded"))
        self.assertGreater(len(acked), 10)
        self.assertEqual(len(acked), len(set(acked)))
        self.assertEqual(self.count(), len(acked))


if __name__ == "__main__":
    mxtest.main()
