"""Clients judged by DNS, who comes while the primary is up, and simulations."""
import json
import re

import mxtest
from mxtest import message, wait_for

GOOD, LISTED, NAMELESS = "11.22.33.44", "11.22.33.45", "11.22.33.46"
ZONE = [
    "44.33.22.11.in-addr.arpa PTR mail.good.test",
    f"mail.good.test A {GOOD}",
    "45.33.22.11.in-addr.arpa PTR mail.bad.test",
    f"mail.bad.test A {LISTED}",
    "45.33.22.11.one.bl.test A 127.0.0.2",
    "45.33.22.11.two.bl.test A 127.0.0.4",
    "44.33.22.11.broken.bl.test A 127.255.255.254",
    "44.33.22.11.parked.bl.test A 192.0.2.80",
]


class Policy(mxtest.Case):
    """The clients stand behind a proxy, which is the test."""

    def setUp(self):
        super().setUp()
        self.policy = ('policy { dnsbl = {"one.bl.test", "two.bl.test:2", '
                       '"broken.bl.test:9", "parked.bl.test:9"} }')
        self.zone = list(ZONE)

    def config_text(self):
        return (super().config_text()
                .replace(f'{{"{self.ip}:{self.SMTP}"}}',
                         f'{{"{self.ip}:{self.SMTP}"}} proxy_from = "{self.ip}"') +
                self.policy + "\n")

    def begin(self):
        self.server = self.dns(*self.zone)
        self.start()

    def come_from(self, client):
        c = self.client(greet=False)
        c.send(f"PROXY TCP4 {client} 192.0.2.1 4711 25\r\n".encode())
        self.assertEqual(c.reply()[0], 220)
        c.cmd("EHLO client.test")
        return c

    def rcpt(self, client, to="user@example.test"):
        with self.come_from(client) as c:
            c.cmd("MAIL FROM:<a@b.test>")
            return c.cmd(f"RCPT TO:<{to}>")

    def test_a_confirmed_name_stands_in_the_trace(self):
        self.begin()
        for client, name in ((GOOD, "mail.good.test"), (NAMELESS, "unknown")):
            with self.come_from(client) as c:
                code, text = c.mail(message())
                self.assertEqual(code, 250, text)
            qid = re.search(r"\b([0-9a-z]{13})\b", text).group(1)
            raw = self.ctl("msg", "raw", qid, raw=True)
            self.assertIn(f"from client.test ({name} [{client}])".encode(),
                          re.sub(rb"\r\n[ \t]+", b" ", raw))

    def test_who_is_listed_is_deferred_but_reaches_postmaster(self):
        self.begin()
        code, text = self.rcpt(LISTED)
        self.assertEqual((code, text), (450, f"4.7.1 [{LISTED}] is listed by one.bl.test, "
                                             "two.bl.test"))
        self.assertEqual(self.rcpt(LISTED, "postmaster@example.test")[0], 250)
        self.assertEqual(self.rcpt(GOOD)[0], 250)
        self.assertEqual(len(self.events("dnsbl.error")), 2)
        self.assertIn("reason=dnsbl", self.events("rcpt.refused")[0])

    def test_lists_that_are_silent_close_no_door(self):
        self.zone += [f"45.33.22.11.{zone}.bl.test DROP" for zone in ("one", "two")]
        self.begin()
        self.assertEqual(self.rcpt(LISTED)[0], 250)

    def test_a_reverse_name_may_be_required(self):
        self.policy = "policy { require_fcrdns = true }"
        self.begin()
        code, text = self.rcpt(NAMELESS)
        self.assertEqual(code, 450)
        self.assertIn("no reverse name", text)
        self.assertEqual(self.rcpt(GOOD)[0], 250)
        self.server.set(["33.22.11.in-addr.arpa SERVFAIL",
                         "47.33.22.11.in-addr.arpa SERVFAIL"])
        self.assertEqual(self.rcpt("11.22.33.47")[0], 250)

    def test_a_simulation_says_what_is_said(self):
        self.begin()
        got = self.ctl_json("simulate", "--ip", LISTED, "--helo", "c.test",
                            "--from", "a@b.test", "--rcpt", "user@example.test")
        code, text = self.rcpt(LISTED)
        self.assertEqual(got["reply"], f"{code} {text}")
        self.assertEqual((got["v"], got["verdict"], got["rule"]), (1, "defer", "dnsbl"))
        self.assertEqual([r["rule"] for r in got["rules"]],
                         ["connections", "proxy", "pregreet", "fcrdns", "dnsbl", "helo",
                          "sender", "relay", "recipient", "quota", "when_up",
                          "extensions"])
        for row in got["rules"]:
            self.assertIn(row["verdict"], ("pass", "defer", "reject", "skip"))
            self.assertTrue(row["why"])
        table = self.ctl("-o", "table", "simulate", "--ip", GOOD, "--rcpt",
                         "user@example.test")
        self.assertIn("mail.good.test is confirmed", table)
        self.assertRegex(table, r"(?m)^RESULT +accept$")
        self.assertEqual(self.count(), 0)

    def test_a_simulation_wants_an_address_and_a_daemon(self):
        self.begin()
        self.ctl("simulate", "--ip", "nonsense", "--rcpt", "a@example.test", code=2)
        self.ctl("simulate", "--rcpt", "a@example.test", code=2)
        self.ctl("status", "--ip", "192.0.2.1", code=2)
        self.stop()
        self.ctl("simulate", "--ip", GOOD, "--rcpt", "a@example.test", code=3)
        self.ctl("magnet", code=3)

    def test_magnet_tells_who_comes_while_the_primary_is_up(self):
        self.begin()
        self.assertEqual(self.rcpt(GOOD)[0], 250)  # it is not up yet
        self.primary()
        wait_for("up", lambda: self.primary_state() == "up")
        self.assertEqual(self.ctl_json("magnet"), {"v": 1, "networks": []})
        self.assertEqual(self.rcpt(LISTED)[0], 450)
        self.assertEqual(self.rcpt(GOOD)[0], 250)
        self.assertEqual(self.rcpt(GOOD, "nobody@example.test")[0], 550)
        self.assertEqual(self.rcpt(GOOD, "nobody@out.test")[0], 550)

        def rows():
            got = self.ctl_json("magnet", "--since", "1h")["networks"]
            return got if sum(r["accepted"] + r["refused"] for r in got) == 4 else None
        got = {(r["network"], r["domain"]): r for r in wait_for("all visits", rows)}
        good = got[(GOOD, "example.test")]
        self.assertEqual((good["accepted"], good["refused"], good["unknown"]), (1, 1, 1))
        self.assertEqual(good["reasons"], {"unknown": 1})
        self.assertEqual(got[(LISTED, "example.test")]["reasons"], {"dnsbl": 1})
        self.assertEqual(got[(GOOD, "")]["reasons"], {"relay": 1})
        self.assertEqual(len(self.ctl_json("magnet", "EXAMPLE.test")["networks"]), 2)
        self.ctl("magnet", "other.test", code=4)
        self.ctl("magnet", "--since", "soon", code=2)
        lines = self.ctl("-o", "jsonl", "magnet").splitlines()
        self.assertEqual(len([json.loads(line) for line in lines]), 3)
        self.assertIn("ACCEPTED", self.ctl("-o", "table", "magnet"))


if __name__ == "__main__":
    mxtest.main()
