"""Primaries found by MX; trouble in DNS holds mail and never bounces it."""
import json
import os
import subprocess
import time

import mxtest
from mxtest import message, wait_for


class Mx(mxtest.Case):
    """All hosts share one port; what differs is the loopback address."""

    def setUp(self):
        super().setUp()
        a, b, c, _ = self.ip.split(".")
        self.one, self.two = (f"{a}.{b}.{c}.{n}" for n in (251, 252))

    quick_dns = False

    def config_text(self):
        drain = 'drain { connect_timeout = "1s" ' if self.quick_dns else "drain {"
        return (super().config_text().replace(
            f'primary = "{self.ip}:{self.PRIMARY}"', 'primary = "byname"').replace(
            "drain {", drain) +
            f'primary "byname" {{ host = {{}}  port = {self.PRIMARY} }}\n')

    def host(self, ip, name):
        p = mxtest.Primary(self.top, ip, self.PRIMARY, name=name)
        self.parts.append(p)
        return p

    def test_the_lowest_preference_is_asked_first(self):
        # DNS-8
        self.dns("example.test MX 10 one.test", "example.test MX 20 two.test",
                 f"one.test A {self.one}", f"two.test A {self.two}")
        one, two = self.host(self.one, "one"), self.host(self.two, "two")
        self.start()
        for n in range(5):
            self.send(message(n))
        self.wait_delivered(one, 5)
        self.assertEqual(two.index(), [])

    def no_other_is_asked(self, fault, event):
        self.global_extra = 'breaker { first_5xx = "0s"  max_5xx = 100 }'
        self.dns("example.test MX 10 one.test", "example.test MX 20 two.test",
                 f"one.test A {self.one}", f"two.test A {self.two}")
        self.parts.append(mxtest.Primary(self.top, self.one, self.PRIMARY, fault, name="one"))
        two = self.host(self.two, "two")
        self.start()
        self.send(message())
        wait_for(event, lambda: self.events(event))
        self.assertEqual(two.sessions(), 0)

    def test_no_other_host_is_asked_when_one_says_later(self):
        # DNS-16 DNS-17
        self.no_other_is_asked("rcpt=450", "message.deferred")

    def test_no_other_host_is_asked_when_one_says_no(self):
        # DNS-16
        self.no_other_is_asked("dot=554", "message.failed")

    def test_a_better_mx_than_us_takes_the_mail_while_the_best_is_down(self):
        self.dns("example.test MX 10 one.test", "example.test MX 20 two.test",
                 "example.test MX 30 mx2.test", f"one.test A {self.one}",
                 f"two.test A {self.two}", f"mx2.test A {self.ip}")
        two = self.host(self.two, "two")
        self.start()
        self.send(message())
        self.wait_delivered(two, 1)

    def test_hosts_not_better_than_we_are_never_asked(self):
        # DNS-9
        self.dns("example.test MX 10 one.test", "example.test MX 20 mx2.test",
                 "example.test MX 20 two.test", f"one.test A {self.one}",
                 f"two.test A {self.two}", f"mx2.test A {self.ip}")
        two = self.host(self.two, "two")
        self.start()
        self.send(message())
        wait_for("down", lambda: self.primary_state() == "down")
        time.sleep(2)
        self.assertEqual(self.count(), 1)
        self.assertEqual(two.index(), [])

    def test_without_mx_the_domain_itself_is_asked(self):
        # DNS-4
        self.dns(f"example.test A {self.one}")
        one = self.host(self.one, "one")
        self.start()
        self.send(message())
        self.wait_delivered(one, 1)

    def test_what_is_known_of_a_primary_outlives_a_kill_and_its_dns(self):
        dns = self.dns("example.test MX 10 one.test", f"one.test A {self.one}")
        one = self.host(self.one, "one")
        self.quick_dns = True
        self.start()
        name = self.ctl_json("primary", "list")["primaries"][0]["name"]
        wait_for("up", lambda: self.primary_state() == "up")
        stored = ["state", "last_good", "ehlo", "since"]

        def known():
            shown = self.ctl_json("primary", "show", name)
            return {key: shown[key] for key in stored}
        before = known()
        self.assertEqual(before["last_good"], [f"{self.one}:{self.PRIMARY}"])
        self.assertIn("8BITMIME", before["ehlo"])
        wait_for("it on disk", lambda: self.stored(name)["state"] == "up")
        self.kill()
        dns.stop()
        self.parts.remove(dns)
        self.assertEqual(known(), before)
        self.start()
        self.send(message())
        self.wait_delivered(one, 1)

    def stored(self, name):
        """As `primary show` has it without the daemon, which goes on."""
        conf = self.config_text().replace("control.sock", "nobody.sock")
        self.write("stored.conf", conf)
        p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                            self.path("stored.conf"), "-o", "json", "primary", "show", name],
                           capture_output=True, check=True)
        return json.loads(p.stdout)

    def test_no_report_goes_to_a_domain_that_takes_no_mail(self):
        # DSN-12
        self.global_extra = ('breaker { first_5xx = "0s"  max_5xx = 100 }\n'
                             'bounce { send = "all" }')
        self.dns("example.test MX 10 one.test", f"one.test A {self.one}",
                 "silent.test MX 0 .")
        self.parts.append(mxtest.Primary(self.top, self.one, self.PRIMARY, "rcpt=550",
                                         name="one"))
        self.start()
        self.send(message(), sender="a@silent.test")
        wait_for("the report", lambda: self.events("bounce.made"))
        self.wait_empty()
        said = [line for line in self.events("message.failed") if "5.1.10" in line]
        self.assertEqual(len(said), 1, self.log()[-3000:])
        self.assertEqual(len(self.events("bounce.made")), 1)

    def held(self, *records):
        dns = self.dns(*records)
        self.start()
        self.send(message())
        wait_for("a bad probe", lambda: self.primary_state() in
                 ("down", "doubtful", "refusing", "unknown") and
                 self.ctl_json("status")["primaries"][0]["last_probe"]["result"])
        wait_for("an alarm", lambda: [a for a in self.ctl_json("status")["alarms"]
                                      if "zone" in a])
        time.sleep(2)
        row = self.ctl_json("queue", "list")["messages"][0]
        self.assertIn(row["state"], ("ready", "retry"))
        self.assertEqual(self.events("message.failed"), [])
        one = self.host(self.one, "one")
        dns.set(["example.test MX 10 one.test", f"one.test A {self.one}"])
        self.wait_delivered(one, 1)

    def test_nxdomain_is_an_outage(self):
        # DNS-3
        self.held("other.test A 127.0.0.1")

    def test_servfail_is_an_outage(self):
        self.held("example.test SERVFAIL")

    def test_a_null_mx_is_held(self):
        # DNS-6
        self.held("example.test MX 0 .")

    def test_an_mx_that_is_only_us_is_held(self):
        # DNS-11
        self.held("example.test MX 10 mx2.test", f"mx2.test A {self.ip}")

    def test_an_mx_that_is_an_address_is_named(self):
        # DNS-12
        self.held(f"example.test MX 10 {self.one}")
        told = [x for x in self.events("dns.mistake") if "domain=example.test" in x]
        self.assertEqual(len(told), 1, self.log()[-3000:])
        self.assertIn(f"{self.one} is an address", told[0])


if __name__ == "__main__":
    mxtest.main()
