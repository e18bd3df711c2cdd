"""Each mode of TLS towards a primary against each kind of server: what goes
there in TLS, what in clear, and what waits, and why."""
import mxtest
import pki
from mxtest import message
from pki import CLEAR, TLS

MODES = ("may", "require", "verify", "pin", "dane")


def rows():
    """Kind of server -> its faults, and what becomes of mail in each mode. With
    `off` all of them get it in clear. A certificate is for primary.test."""
    named = "ostname mismatch"
    broken = "tls: "
    return {
        # certificates: pin and dane (3 1 1) name the key, whatever is around it
        "good": ((), TLS, TLS, TLS, TLS, TLS),
        "self": ((), TLS, TLS, "self-signed", TLS, TLS),
        "wrong": ((), TLS, TLS, named + ", its certificate names wrong.test", TLS, TLS),
        "expired": ((), TLS, TLS, "expired (CN=x); renew it", TLS, TLS),
        "nul": ((), TLS, TLS, named, TLS, TLS),
        "stars": ((), TLS, TLS, named + ", its certificate names *.*", TLS, TLS),
        "cn": ((), TLS, TLS, named + ", its certificate names no host", TLS, TLS),
        "ip": ((), TLS, TLS, named, TLS, TLS),
        "dot": ((), TLS, TLS, named, TLS, TLS),
        "address": ((), TLS, TLS, None, TLS, None),    # no such configuration
        # what is done to the dialogue
        "refused": (("tlsrefuse",), CLEAR) + ("454 4.7.0 no TLS now",) * 4,
        "stripped": ((), CLEAR) + ("STARTTLS is not offered",) * 4,
        "garbage": (("tlsgarbage",), CLEAR) + (broken,) * 4,
        "dropped": (("tlsdrop",), CLEAR) + (broken,) * 4,
        "injected": (("tlsinject",),) + ("plaintext behind STARTTLS",) * 5,
        "old": (("tlsold",), CLEAR) + ("protocol version",) * 4,
        # certificates of ours
        "asked": ((), TLS, TLS, TLS, TLS, TLS),
        "missing": ((), CLEAR) + ("certificate required",) * 4,
    }


class Modes(mxtest.Case):
    """TLS-12 TLS-13 TLS-14 TLS-15 TLS-24 TLS-45 TLS-46"""

    def setUp(self):
        super().setUp()
        self.table = rows()
        self.ports = {kind: 2600 + i for i, kind in enumerate(self.table)}
        self.ca = pki.Authority(self.top)
        self.ours = self.ca.issue("ours", cn="mx2.test")
        self.certs = self.make_certs()
        self.servers = {}

    def make_certs(self):
        host, issue = "DNS:primary.test", self.ca.issue
        good = issue("good", host)
        certs = {
            "self": pki.make_cert(self.top, "primary.test"),
            "wrong": issue("wrong", "DNS:wrong.test"),
            "expired": self.ca.issue_expired("expired", host),
            "nul": issue("nul", pki.dns_name(b"primary.test\0.evil.test")),
            "stars": issue("stars", "DNS:*.*"),
            "cn": issue("cn", cn="primary.test"),
            "ip": issue("ip", f"IP:{self.ip}"),
            "dot": issue("dot", pki.dns_name(b"primary.test.")),
            "address": issue("address", f"IP:{self.ip}"),
        }
        return {kind: certs.get(kind, good) for kind in self.table}

    def serve(self):
        records = [f"primary.test A {self.ip}"]
        for kind, (faults, *_) in self.table.items():
            cert, key = self.certs[kind]
            args = ["--cert", cert, "--key", key]
            if kind in ("asked", "missing"):
                args += ["--client-ca", self.ca.cert]
            if kind != "stripped":
                faults += ("starttls",)
            self.servers[kind] = self.primary(*faults, port=self.ports[kind], name=kind,
                                              args=args)
            records.append(f"_{self.ports[kind]}._tcp.primary.test TLSA {pki.tlsa(cert)}")
        self.anchor = self.dns(*records, sign="test").anchor

    def sections(self, mode, kind):
        more = [f'pin = "{pki.pin(self.certs[kind][0])}"'] if mode == "pin" else []
        if kind == "asked":
            more.append(f'client_cert = "{self.ours[0]}"  client_key = "{self.ours[1]}"')
        host = self.ip if kind == "address" else "primary.test"
        return (f'primary "{mode}-{kind}" {{ host = "{host}:{self.ports[kind]}"  '
                f'tls = "{mode}"  ca = "{self.ca.cert}" {" ".join(more)} }}\n'
                f'domain "{mode}-{kind}.test" {{ primary = "{mode}-{kind}"  '
                f'recipients = "{self.path("rcpt")}" }}\n')

    def config_text(self):
        more = "".join(self.sections(mode, kind) for mode, kind, _ in self.expected())
        return super().config_text().replace('"none"', f'"{self.anchor}"').replace(
            'interval_down = "1s"  interval_up = "5s"',
            'interval_down = "10s"  interval_up = "60s"') + more

    def send_all(self):
        with self.client() as c:
            for mode, kind, _ in self.expected():
                got = c.mail(message(), rcpts=(f"user@{mode}-{kind}.test",))
                self.assertEqual(got[0], 250)

    def expected(self):
        for kind, (_, *wanted) in self.table.items():
            yield from ((mode, kind, what) for mode, what in zip(MODES, wanted) if what)
            yield "off", kind, CLEAR

    def test_each_mode_with_each_server(self):
        self.serve()
        self.recipients = ["@"]
        self.start()
        self.send_all()
        for mode, kind, wanted in self.expected():
            with self.subTest(mode=mode, server=kind):
                pki.meets(self, [self.servers[kind]], f"{mode}-{kind}", wanted)
        self.check_handshakes()
        self.check_log()
        self.check_alarms()

    def check_handshakes(self):
        for kind, server in self.servers.items():
            for shake in server.notes("tls"):
                self.assertEqual(shake["sni"], None if kind == "address" else "primary.test")
                self.assertIn(shake["version"], ("TLSv1.2", "TLSv1.3"), kind)
                self.assertFalse(shake["reused"] or shake["compression"], kind)
                self.assertEqual(shake["client"], "mx2.test" if kind == "asked" else "", kind)

    def check_log(self):
        """TLS-16"""
        proof = {"may": "proof=name", "require": "proof=name", "verify": "proof=name",
                 "pin": "proof=pin", "dane": "proof=dane", "off": "tls=no"}
        lines = self.events("message.forwarded")
        for mode, wanted in proof.items():
            line, = [x for x in lines if f"primary={mode}-good " in x]
            self.assertIn(wanted, line)
            self.assertEqual("tls=TLSv1.3 cipher=TLS_" in line, mode != "off")
        line, = [x for x in lines if "primary=may-wrong " in x]
        self.assertIn("proof=no", line)

    def check_alarms(self):
        alarms = "\n".join(self.ctl_json("status")["alarms"])
        for mode in ("require", "verify", "pin", "dane"):
            self.assertIn(f"{mode}-refused: it is down: tls: STARTTLS refused: ", alarms)
            self.assertNotIn(f"{mode}-good", alarms)
        self.assertIn("require-garbage: it is down: tls: TLS: ", alarms)
        self.assertNotIn("TLS: TLS: ", alarms)
        self.assertNotIn("may-wrong", alarms)
        shown = self.ctl_json("primary", "show", "dane-good")
        self.assertEqual([shown["tls"], shown["tls_version"], shown["tls_proof"]],
                         ["dane", "TLSv1.3", "dane"])


if __name__ == "__main__":
    mxtest.main()
