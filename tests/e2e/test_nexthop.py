"""What the next hop, DNS and forged senders make us do; what no other file has
of the client's side of the list of attacks (docs/testing.md has the list)."""
import os
import re
import threading
import time

import hostile
import mxtest
from mxtest import message, wait_for

BELIEVED = 'breaker { first_5xx = "0s"  max_5xx = 100  window = 1  retry = "1s" }\n'


class Reports(hostile.Hostile):
    """A primary that refuses, and senders who never wrote."""
    send = "all"

    def setUp(self):
        super().setUp()
        self.hop = self.add_hop("p", "dot=550")

    def config_text(self):
        text = super().config_text()
        self.assertIn('breaker { retry = "1s" }\n', text)
        return text.replace('breaker { retry = "1s" }\n', BELIEVED + f"""
bounce {{ send = "{self.send}" }}
smtp {{ max_sessions_per_ip = 1000  max_rcpt = 1000 }}
""").replace("smtp { max_sessions_per_ip = 1000 }\n", "", 1)

    def forge(self, senders):
        """Many at once, each piped."""
        def run(part):
            with self.client() as c:
                for sender, params in part:
                    c.send(f"MAIL FROM:<{sender}>\r\nRCPT TO:<user@p.test>{params}\r\nDATA\r\n"
                           .encode())
                    self.assertEqual([c.reply()[0] for _ in range(3)], [250, 250, 354])
                    c.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
                    self.assertEqual(c.reply()[0], 250)
        threads = [threading.Thread(target=run, args=(senders[n::8],)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def settled(self):
        return len(self.events("message.failed"))

    def reports(self):
        """Nobody has an MX here: they wait."""
        return [re.search(r"\breport=(\S+)", line).group(1) for line in self.events("bounce.made")]


class Backscatter(Reports):
    ALL = int(os.environ.get("MXHOLD_FORGED", "3000"))

    def test_forged_senders_hear_no_more_than_is_allowed(self):
        # DSN-1 DSN-4
        begun, half = time.monotonic(), (self.ALL - 200) // 2
        self.start()
        self.forge([("victim@victim.test", "")] * half + [(f"v@v{n}.test", "") for n in range(half)] +
                   [("", "")] * 100 + [("a@never.test", " NOTIFY=NEVER")] * 100)
        wait_for("the last verdict", lambda: self.settled() == self.ALL, limit=600)
        hours = (time.monotonic() - begun) / 3600
        told = [re.search(r"\bto=\S+@(\S+)", line).group(1) for line in self.events("bounce.made")]
        self.assertGreaterEqual(len(told), 1000)
        self.assertLessEqual(len(told), 1000 * (1 + hours) + 1)
        self.assertLessEqual(told.count("victim.test"), 100 * (1 + hours) + 1)
        self.assertEqual(told.count("never.test"), 0)
        self.assertEqual(len(self.listed("--state", "quarantine")), 2 * half - len(told))
        self.assertIn("withheld", " ".join(self.ctl_json("status")["alarms"]))
        self.assertLess(len(self.events("bounce.withheld")), 10)


class Default(Reports):
    send = "authenticated"

    def test_by_default_nobody_hears_anything(self):
        # DSN-11
        self.start()
        self.forge([(f"v@v{n}.test", "") for n in range(1000)])
        wait_for("the last verdict", lambda: self.settled() == 1000)
        self.assertEqual(self.events("bounce.made"), [])
        self.assertEqual(len(self.listed("--state", "quarantine")), 1000)


class Bomb(Reports):
    def setUp(self):
        super().setUp()
        self.recipients_of_one = [f"u{n}" for n in range(1000)]

    def configure(self):
        path = super().configure()
        self.write("rcpt", "@\n")
        return path

    def test_a_thousand_refusals_of_60_kib_make_one_report(self):
        self.hop.faults("wordy=60000", "evil", "rcpt=550")
        self.start()
        with self.client() as c:
            self.mail_to("p", c, local=self.recipients_of_one)
        wait_for("the report", self.reports)
        wait_for("nothing else", lambda: self.count() == 1)
        report, = self.reports()
        self.judge_report(self.ctl("msg", "raw", report, raw=True))

    def judge_report(self, report):
        self.assertEqual(report.count(b"\r\nFinal-Recipient: "), 1000)
        self.assertLess(len(report), 4 << 20)
        self.assertLess(max(map(len, report.split(b"\r\n"))), 999)
        self.assertEqual(set(report) & (set(range(32)) - set(b"\r\n\t") | {127}), set())
        texts = re.findall(rb"(?m)^Diagnostic-Code: smtp; ((?:.*\r\n)(?:[ \t].*\r\n)*)", report)
        self.assertEqual(len(texts), 1000)
        for text in texts:
            self.assertLess(len(text), 600)
            self.assertIn(b"550", text)


class Dns(mxtest.Case):
    """Domains whose MX DNS is asked for, each answered in a way of its own. All
    hosts share one port; what differs is the loopback address."""

    def setUp(self):
        super().setUp()
        self.host_ip = self.ip.rsplit(".", 1)[0] + ".254"
        self.others = []
        self.recipients = ["user"]

    def config_text(self):
        text = super().config_text()
        head = text[:text.index('domain "example.test"')]
        return head + "".join(f"""
primary "{name}" {{ host = {{}}  port = {self.PRIMARY} }}
domain "{name}" {{ primary = "{name}"  recipients = "{self.path('rcpt')}" }}
""" for name in self.others)

    def good(self, name):
        return [f"{name} MX 10 good.host", f"good.host A {self.host_ip}"]

    def host(self):
        p = mxtest.Primary(self.top, self.host_ip, self.PRIMARY, name="host")
        self.parts.append(p)
        return p

    def send_to(self, c, name):
        code, said = c.mail(message(rcpt=f"user@{name}"), rcpts=(f"user@{name}",))
        self.assertEqual(code, 250, said)

    def assert_held(self, n):
        self.assertEqual(self.count(), n)
        for event in ("message.failed", "message.expired", "bounce.made"):
            self.assertEqual(self.events(event), [])

    def test_no_answer_of_dns_loses_mail_or_stops_the_others(self):
        # DNS-3 DNS-6 DNS-11 DNS-12
        bad = {
            "servfail": ["SERVFAIL"], "refused": ["REFUSED"], "formerr": ["FORMERR"],
            "notimp": ["NOTIMP"], "reserved": ["RESERVED"], "silent": ["DROP"],
            "late": ["LATE 20000"], "noise": ["GARBAGE noise"], "half": ["GARBAGE half"],
            "loop": ["GARBAGE loop"], "other": ["GARBAGE other"], "id": ["GARBAGE id"],
            "null": ["MX 0 ."], "nodata": ["TXT x"], "absent": [], "address": ["MX 10 192.0.2.1"],
            "self": ["MX 10 mx2.test"], "zero": ["A 0.0.0.0"], "group": ["A 224.0.0.1"],
            "circle": ["MX 10 circle.circle.host"],
        }
        records = [f"{name}.bad {r}" for name, rows in bad.items() for r in rows] + [
            "circle.circle.host CNAME other.circle.host", "other.circle.host CNAME circle.circle.host",
            f"mx2.test A {self.ip}"] + self.good("good.good")
        self.others = [f"{name}.bad" for name in bad] + ["good.good"]
        dns, host = self.dns(*records), self.host()
        self.start()
        with self.client() as c:
            for name in self.others:
                self.send_to(c, name)
            self.wait_delivered(host, 1)        # while the late ones are waited for
            wait_for("a probe of each", lambda: all(
                p["last_probe"]["result"] for p in self.ctl_json("status")["primaries"]))
            self.assert_held(len(bad))
            self.send_to(c, "good.good")
            self.wait_delivered(host, 2)
        dns.set([r for name in self.others for r in self.good(name)])
        self.wait_delivered(host, len(bad) + 2)
        self.wait_empty()
        self.assert_held(0)

    def test_1500_mx_are_too_long_for_udp_and_the_best_is_found(self):
        # DNS-8, DNS-21
        self.others = ["many.good"]
        self.dns(*[f"many.good MX {n + 20} m{n}.host" for n in range(1500)],
                 *self.good("many.good"))
        host = self.host()
        self.start()
        with self.client() as c:
            self.send_to(c, "many.good")
        self.wait_delivered(host, 1)

    def test_a_name_that_comes_and_goes(self):
        # DNS-3
        self.others = ["flap.good"]
        dns, host = self.dns(), self.host()
        self.start()
        with self.client() as c:
            for n in range(6):
                dns.set(self.good("flap.good") if n % 2 else [])
                self.send_to(c, "flap.good")
                if n % 2:
                    self.wait_delivered(host, n + 1)
        self.wait_empty()
        self.assert_held(0)


if __name__ == "__main__":
    mxtest.main()
