"""DANE (RFC 7672) against signed zones: a DNS of the test's own, its key as
trust anchor, libunbound's validation, and primaries with certificates. A
domain for each case; what fails waits, and goes once the zone is mended."""
import mxtest
import pki
from mxtest import message, wait_for
from pki import TLS

PORT = 2600


class Dane(mxtest.Case):
    """TLS-18 TLS-19 TLS-20 TLS-21 TLS-22 TLS-23 TLS-25 TLS-27"""

    def setUp(self):
        super().setUp()
        self.second = mxtest.own_address()
        self.ca = pki.Authority(self.top)
        hosts = ("mx.ta.test", "mx.ta512.test", "mx.fromhosted.test", "tadomain.test",
                 "plain.test", "tacname.example.test")
        self.first_cert = self.ca.issue("first", ",".join(f"DNS:{h}" for h in hosts))
        self.second_cert = pki.make_cert(self.top, "second.test")
        self.records, self.cases = [], {}

    def case(self, name, wanted, *tlsa, host=None, more=()):
        """A domain with one MX at the first server, unless `more` says better.
        wanted: TLS, or the beginning of why it waits."""
        host = host or f"mx.{name}.test"
        if not any(r.startswith(f"{name}.test MX ") for r in more):
            more = (f"{name}.test MX 10 {host}",) + tuple(more)
        if not any(r.split()[:2] in ([host, "A"], [host, "CNAME"]) for r in more):
            more += (f"{host} A {self.ip}",)
        self.records += more
        self.records += [f"_{PORT}._tcp.{host} TLSA {t}" for t in tlsa]
        self.cases[name] = wanted

    def make_cases(self):
        cert, ca, other = self.first_cert[0], self.ca.cert, self.second_cert[0]
        ee, wrong, unusable = (pki.tlsa(cert), pki.tlsa(other), pki.tlsa(cert, 1))
        # what the records say
        self.case("ee", TLS, ee)
        self.case("eewhole", TLS, pki.tlsa(cert, 3, 0, 0))
        self.case("ee512", TLS, pki.tlsa(cert, 3, 0, 2))
        self.case("ta", TLS, pki.tlsa(ca, 2, 0, 1))
        self.case("ta512", TLS, pki.tlsa(ca, 2, 1, 2))
        self.case("taname", "tls: the server is not proved: hostname mismatch",
                  pki.tlsa(ca, 2))
        self.case("wrong", "tls: the server is not proved: No matching DANE TLSA records; "
                  "publish", wrong)
        self.case("rollover", TLS, wrong, ee)
        self.case("unusable", "tls: DANE: no TLSA record of mx.unusable.test is usable",
                  unusable)
        self.case("mixed", TLS, unusable, ee)
        self.case("none", "tls: DANE: mx.none.test has no signed TLSA record for port 2600")
        # what DNSSEC says of them
        for name in ("FORGED", "EXPIRED", "STRIPPED"):
            low = name.lower()
            tlsa_name = f"_{PORT}._tcp.mx.{low}.test"
            self.case(low, f"tls: DANE: the TLSA look-up for mx.{low}.test failed", ee,
                      more=(f"{tlsa_name} {name} TLSA",))
        self.case("servfail", "tls: DANE: the TLSA look-up for mx.servfail.test failed",
                  more=(f"_{PORT}._tcp.mx.servfail.test SERVFAIL",))
        self.case("forgedno", "tls: DANE: the TLSA look-up for mx.forgedno.test failed",
                  more=(f"_{PORT}._tcp.mx.forgedno.test FORGED NSEC",))
        self.case("forgedmx", "dns: DNS has no answer for the MX", ee,
                  more=("forgedmx.test FORGED MX",))
        self.case("forgeda", "dns: DNS has no answer for the addresses", ee,
                  more=("mx.forgeda.test FORGED A",))
        # the names that count: of the domain too, but behind a signed MX alone
        self.case("tadomain", TLS, pki.tlsa(ca, 2))
        self.case("plain", "tls: the server is not proved: hostname mismatch",
                  pki.tlsa(ca, 2), host="mx.forplain.test", more=("plain.test INSECURE",))
        self.case("hosted", TLS, pki.tlsa(ca, 2), host="mx.fromhosted.test",
                  more=("hosted.test INSECURE",))
        self.alias_cases(ee, wrong)
        self.next_host_cases(wrong, pki.tlsa(other))

    def alias_cases(self, ee, wrong):
        self.case("tacname", TLS, pki.tlsa(self.ca.cert, 2), host="mx.tacname.test",
                  more=("tacname.test CNAME tacname.example.test",
                        "tacname.example.test MX 10 mx.tacname.test",
                        "tacname.test MX 10 not.asked.test"))
        self.case("away", "tls: DANE: DNSSEC does not vouch for the addresses of mx.unsigned.test",
                  ee, host="mx.unsigned.test", more=("unsigned.test INSECURE",))
        self.case("cname", TLS, ee, host="real.cname.test",
                  more=("cname.test MX 10 alias.cname.test",
                        "alias.cname.test CNAME real.cname.test",
                        f"_{PORT}._tcp.alias.cname.test TLSA {wrong}"))
        self.case("cnamefirst", TLS, ee, host="alias.cnamefirst.test",
                  more=("alias.cnamefirst.test CNAME real.cnamefirst.test",
                        f"real.cnamefirst.test A {self.ip}"))
        self.case("cnameaway", TLS, ee, host="alias.cnameaway.test",
                  more=("alias.cnameaway.test CNAME far.unsigned.test",
                        f"far.unsigned.test A {self.ip}"))
        self.case("aliasaway", "tls: DANE: DNSSEC does not vouch for the addresses of "
                  "alias.unsigned.test", ee, host="alias.unsigned.test",
                  more=("alias.unsigned.test CNAME far.unsigned.test",))
        self.case("tlsaaway", "tls: DANE: mx.tlsaaway.test has no signed TLSA record",
                  more=(f"_{PORT}._tcp.mx.tlsaaway.test CNAME _tlsa.unsigned.test",
                        f"_tlsa.unsigned.test TLSA {ee}"))
        self.case("tlsaalias", TLS,
                  more=(f"_{PORT}._tcp.mx.tlsaalias.test CNAME _tlsa.example.test",
                        f"_tlsa.example.test TLSA {ee}"))

    def next_host_cases(self, wrong, good):
        for name, first in (("nextwrong", f"TLSA {wrong}"), ("nextfail", "SERVFAIL")):
            self.case(name, TLS, good, host=f"b.{name}.test", more=(
                f"{name}.test MX 20 b.{name}.test", f"b.{name}.test A {self.second}",
                f"{name}.test MX 10 a.{name}.test", f"a.{name}.test A {self.ip}",
                f"_{PORT}._tcp.a.{name}.test {first}"))

    def config_text(self):
        more = "".join(
            f'primary "{name}" {{ port = {PORT}  tls = "dane" }}\n'
            f'domain "{name}.test" {{ primary = "{name}"  recipients = "{self.path("rcpt")}" }}\n'
            for name in self.cases)
        return super().config_text().replace('"none"', f'"{self.zone.anchor}"').replace(
            'interval_down = "1s"  interval_up = "5s"  timeout = "5s"',
            'interval_down = "5s"  interval_up = "60s"  timeout = "30s"') + more

    def serve(self):
        args = [("--cert", cert, "--key", key)
                for cert, key in (self.first_cert, self.second_cert)]
        self.first = self.primary("starttls", "requiretls", port=PORT, name="first",
                                  args=args[0])
        self.other = mxtest.Primary(self.top, self.second, PORT, "starttls", name="second",
                                    args=args[1])
        self.parts.append(self.other)
        self.zone = self.dns(*self.records, sign="test")

    def begin(self):
        self.make_cases()
        self.serve()
        self.recipients = ["@"]
        self.start()
        with self.client() as c:
            for name in self.cases:
                got = c.mail(message(), rcpts=(f"user@{name}.test",))
                self.assertEqual(got[0], 250, name)

    def test_what_rfc_7672_says_of_each_zone(self):
        self.begin()
        for name, wanted in self.cases.items():
            with self.subTest(case=name):
                self.meets(name, wanted)
        self.check_queue()
        self.check_names()
        self.check_log()
        self.check_requiretls()
        self.check_mended()

    def check_queue(self):
        """What failed is kept whole: no word of it has left."""
        held = [name for name, wanted in self.cases.items() if wanted != TLS]
        for name in held:
            self.assertEqual(len(self.listed("--domain", f"{name}.test")), 1, name)
        self.assertEqual(self.count(), len(held))
        alarms = "\n".join(self.ctl_json("status")["alarms"])
        self.assertIn("wrong: it is down: tls: the server is not proved: ", alarms)
        self.assertIn("none: it is down: tls: DANE: ", alarms)
        # TLS-19
        asked = self.zone.asked()
        self.assertIn(f"_{PORT}._tcp.mx.none.test TLSA", asked)
        self.assertFalse([a for a in asked if a.endswith(".unsigned.test TLSA")
                          and not a.startswith("_tlsa.")])
        # TLS-27, TLS-28
        for name in ("nextwrong", "nextfail"):
            self.assertTrue([r for r in self.other.index() if f"@{name}.test" in str(r["rcpt"])])

    def check_names(self):
        """TLS-14: SNI is the TLSA base domain"""
        seen = {shake["sni"] for shake in self.first.notes("tls")}
        self.assertTrue({"mx.ee.test", "real.cname.test", "alias.cnamefirst.test",
                         "alias.cnameaway.test", "mx.tlsaalias.test"} <= seen, seen)
        self.assertNotIn("alias.cname.test", seen)
        self.assertNotIn("_tlsa.example.test", seen)

    def check_log(self):
        """TLS-16 TLS-21"""
        lines = {name: [x for x in self.events("message.forwarded")
                        if f"primary={name} " in x][0] for name in ("ee", "hosted")}
        self.assertIn("proof=dane", lines["ee"])
        self.assertNotIn("mx=unsigned", lines["ee"])
        self.assertIn("proof=dane mx=unsigned", lines["hosted"])

    def check_requiretls(self):
        """TLS-30: DANE proves a host; a signed MX that it is the right one"""
        with self.client() as c:
            c.starttls()
            for name in ("ee", "hosted"):
                self.assertEqual(c.cmd("MAIL FROM:<a@client.test> REQUIRETLS")[0], 250)
                self.assertEqual(c.cmd(f"RCPT TO:<tagged@{name}.test>")[0], 250)
                self.assertEqual(c.data(message())[0], 250)
        wait_for("the one", lambda: [r for r in self.first.index()
                                     if "<tagged@ee.test>" in str(r["rcpt"])])
        wait_for("not the other", lambda: [x for x in self.events("message.deferred")
                                           if "tagged@hosted.test" in x and "5.7.10" in x])

    def check_mended(self):
        """No hand is needed once the zone is right."""
        ee = pki.tlsa(self.first_cert[0])
        for name in ("wrong", "none", "servfail"):
            owner = f"_{PORT}._tcp.mx.{name}.test"
            self.records = [r for r in self.records if not r.startswith(owner)]
            self.records.append(f"{owner} TLSA {ee}")
        self.zone.set(self.records)
        for name in ("wrong", "none", "servfail"):
            self.meets(name, TLS)

    def meets(self, name, wanted):
        pki.meets(self, (self.first, self.other), name, wanted)


if __name__ == "__main__":
    mxtest.main()
