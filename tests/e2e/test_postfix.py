"""The whole way with Debian's Postfix at both ends: as the sending MTA that
finds the primary away, and as the primary that comes back."""
import os
import smtplib
import sys
import unittest

import mxtest
from mxtest import message, wait_for

sys.path.insert(0, mxtest.SUPPORT)
import postfix  # pylint: disable=wrong-import-position

WHY_NOT = postfix.why_not()


@unittest.skipIf(WHY_NOT, f"Postfix: {WHY_NOT}")
class BothEnds(mxtest.Case):
    SENDER = 2530

    def setUp(self):
        super().setUp()
        os.chmod(self.top, 0o755)
        a, b, c, _ = self.ip.split(".")
        self.sender_ip, self.primary_ip = (f"{a}.{b}.{c}.{n}" for n in (251, 252))

    def config_text(self):
        return super().config_text().replace(f'"{self.ip}:{self.PRIMARY}"',
                                             f'"{self.primary_ip}:{self.PRIMARY}"')

    def start_sender(self):
        p = postfix.Postfix(self.top, "sender", self.sender_ip, self.SENDER, f"""
relay_domains = example.test
transport_maps = inline:{{example.test=relay:[{self.ip}]:{self.SMTP}}}
smtp_tls_security_level = may
""")
        self.parts.append(p)
        wait_for("the sending Postfix", lambda: mxtest.is_open(self.sender_ip, self.SENDER))
        return p

    def start_primary(self, more=""):
        p = postfix.Postfix(self.top, "primary", self.primary_ip, self.PRIMARY, more + """
virtual_mailbox_domains = example.test
virtual_mailbox_maps = inline:{user@example.test=user/,other@example.test=other/}
virtual_mailbox_base = /var/mail
virtual_uid_maps = static:5101
virtual_gid_maps = static:5101
virtual_mailbox_limit = 0
""")
        self.parts.append(p)
        return p

    def inbox(self, p, user):
        top = os.path.join(p.top, "var/mail", user, "new")
        if not os.path.isdir(top):
            return []
        out = []
        for name in os.listdir(top):
            with open(os.path.join(top, name), "rb") as f:
                out.append(f.read())
        return out

    def test_mail_goes_from_postfix_through_us_to_postfix(self):
        self.start()
        self.start_sender()
        sent = [message(n, 1000 * n * n) for n in range(1, 9)]
        with smtplib.SMTP(self.sender_ip, self.SENDER) as c:
            for content in sent:
                c.sendmail("sender@client.test", ["user@example.test", "other@example.test"],
                           content)
        wait_for("all mail in our queue", lambda: self.count() == len(sent))
        self.kill()
        self.start()
        self.assertEqual(self.count(), len(sent))
        primary = self.start_primary()
        for user in ("user", "other"):
            wait_for(f"{user}'s mail", lambda u=user: len(self.inbox(primary, u)) == len(sent))
        self.wait_empty()
        for user in ("user", "other"):
            bodies = sorted(c.split(b"\n\n", 1)[1] for c in self.inbox(primary, user))
            # Postfix stores with LF.
            self.assertEqual(bodies, sorted(c.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1]
                                            for c in sent))
        self.assertIn("status=sent", primary.log())

    def test_the_primary_judges_the_client_and_not_us(self):
        # TRC-4
        """By XCLIENT: what it holds against an address it holds against the client's."""
        a, b, c, _ = self.ip.split(".")
        good, bad = (f"{a}.{b}.{c}.{n}" for n in (253, 254))
        self.start()
        for n, client in enumerate((good, bad)):
            with self.client(source=client, ehlo=f"client{n}.test") as c:
                self.assertEqual(c.mail(message(n))[0], 250)
        primary = self.start_primary(f"""
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_client_restrictions = check_client_access inline:{{{bad}=REJECT}}
""")
        wait_for("the good client's mail", lambda: len(self.inbox(primary, "user")) == 1)
        wait_for("the other's refusal", lambda: any(
            f"[{bad}]" in line and "Client host rejected" in line
            for line in self.events("message.deferred")))
        self.assertIn(f"from client0.test (unknown [{good}])",
                      self.inbox(primary, "user")[0].decode())


if __name__ == "__main__":
    mxtest.main()
