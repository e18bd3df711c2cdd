"""Reports go to strangers, by TLS as good as their zones ask for (opportunistic
DANE, RFC 7672 2.2). Strangers have global addresses: these are local routes of
a network namespace, which wants root and iproute2."""
import ctypes
import os
import shutil
import subprocess
import unittest

import mxtest
import pki
from mxtest import message, wait_for
from pki import CLEAR, TLS

CLONE_NEWNET = 0x40000000
SECURE, PLAIN = "9.9.9.1", "9.9.9.2"     # the second server has no TLS


def enter_namespace():
    """Reasons not to; "" when this process has a network of its own."""
    if not shutil.which("ip"):
        return "iproute2 is not installed"
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        return "no network namespace: " + os.strerror(ctypes.get_errno())
    for args in (("link", "set", "lo", "up"),
                 ("route", "add", "local", "9.9.9.0/24", "dev", "lo")):
        subprocess.run(["ip", *args], check=True)
    return ""


def setUpModule():
    reason = enter_namespace()
    if reason:
        raise unittest.SkipTest(reason)


class Reports(mxtest.Case):
    """TLS-19 TLS-22"""

    def setUp(self):
        super().setUp()
        ca = pki.Authority(self.top)
        self.cert = ca.issue("mx", "DNS:mx.named.test")
        ee, usage1 = pki.tlsa(self.cert[0]), pki.tlsa(self.cert[0], 1)
        self.records, self.cases = [], {}
        self.case("good", SECURE, f"TLSA {ee}", TLS, "proof=dane")
        self.case("named", SECURE, f"TLSA {pki.tlsa(ca.cert, 2)}", TLS, "proof=dane")
        self.case("wrong", SECURE, f"TLSA {pki.tlsa(ca.cert, 3)}", "", "4.7.5 the server is not")
        self.case("stripped", PLAIN, f"TLSA {ee}", "", "4.7.5 STARTTLS is not offered")
        self.case("unusable", SECURE, f"TLSA {usage1}", TLS, "proof=no")
        self.case("unusableplain", PLAIN, f"TLSA {usage1}", "", "4.7.5 STARTTLS is not offered")
        self.case("silent", SECURE, "SERVFAIL", "", "4.7.5 DANE: the TLSA look-up for mx.silent")
        self.case("none", SECURE, None, TLS, "proof=no")
        self.case("noneplain", PLAIN, None, CLEAR, "tls=no")
        self.case("unsigned", PLAIN, "SERVFAIL", CLEAR, "tls=no")
        self.records.append("unsigned.test INSECURE")

    def case(self, name, address, tlsa, wanted, logged):
        self.records += [f"{name}.test MX 10 mx.{name}.test", f"mx.{name}.test A {address}"]
        if tlsa:
            self.records.append(f"_25._tcp.mx.{name}.test {tlsa}")
        self.cases[name] = (wanted, logged)

    def config_text(self):
        return super().config_text().replace('"none"', f'"{self.zone.anchor}"') + \
            'bounce { send = "all"  route = "mx" }\n'

    def serve(self):
        self.zone = self.dns(*self.records, sign="test")
        args = ("--cert", self.cert[0], "--key", self.cert[1])
        servers = [mxtest.Primary(self.top, SECURE, 25, "starttls", name="secure", args=args),
                   mxtest.Primary(self.top, PLAIN, 25, name="plain")]
        self.parts += servers
        return servers

    def test_a_report_gets_the_tls_that_its_host_asks_for(self):
        servers = self.serve()
        self.start()
        ids = [self.send(message(), sender=f"sender@{name}.test") for name in self.cases]
        self.ctl("--yes", "queue", "bounce", *ids)
        for name, (wanted, logged) in self.cases.items():
            event = "message.forwarded" if wanted else "message.deferred"
            with self.subTest(stranger=name):
                wait_for(name, lambda e=event, n=name, t=logged: [
                    x for x in self.events(e) if f"to=sender@{n}.test" in x and t in x])
                self.assertEqual(self.way(servers, name), wanted)

    @staticmethod
    def way(servers, name):
        said = [c for s in servers for c in s.notes("cmd")
                if c["cmd"].startswith(f"RCPT TO:<sender@{name}.test>")]
        return " and ".join(sorted({TLS if c["tls"] else CLEAR for c in said}))


if __name__ == "__main__":
    mxtest.main()
