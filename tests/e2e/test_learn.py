"""Recipients that are learned: by what the primary takes and refuses."""
import re

import mxtest
from mxtest import message, wait_for


class Learn(mxtest.Case):
    """The primary knows anna, bert and postmaster unless said otherwise."""

    sources = '{"learn"}'

    def setUp(self):
        super().setUp()
        self.config_extra = "probe { interval_up = 1s  down_after = 2 }"
        self.users("anna", "bert", "postmaster")

    def users(self, *names):
        self.write("users", "\n".join(names) + "\n")

    def config_text(self):
        return re.sub(r'recipients = ".*"', f"recipients = {self.sources}",
                      super().config_text())

    def knowing(self, *faults):
        return self.primary(f"users={self.path('users')}", *faults)

    def up(self):
        wait_for("the primary to be up", lambda: self.primary_state() == "up")

    def down(self, primary):
        primary.stop()
        wait_for("the primary to be down", lambda: self.primary_state() == "down")

    def rcpt(self, address):
        with self.client() as c:
            c.cmd("MAIL FROM:<sender@client.test>")
            return c.cmd(f"RCPT TO:<{address}>")

    def learned(self):
        rows = self.ctl_json("recipients", "learned", "example.test")["recipients"]
        return {r["address"]: r["state"] for r in rows}

    def wait_learned(self, **states):
        want = {f"{k}@example.test": v for k, v in states.items()}
        wait_for(f"{want} to be learned", lambda: self.learned() == want)

    def says(self, address):
        """What `recipients test` says; RCPT must say the same."""
        test = self.ctl_json("recipients", "test", "example.test", address)
        code, text = self.rcpt(address)
        self.assertEqual(test["reply"], f"{code} {text}")
        return code, text

    def asked(self, primary, local):
        return len([c for c in primary.commands()
                    if c.upper().startswith(f"RCPT TO:<{local.upper()}@")])


class Probes(Learn):
    def test_a_probe_teaches_who_is_there_and_who_is_not(self):
        primary = self.knowing()
        self.start()
        self.up()
        self.assertEqual(self.rcpt("anna@example.test")[0], 250)
        code, text = self.rcpt("ghost@example.test")
        self.assertEqual((code, text[:5]), (550, "5.1.1"))
        self.wait_learned(anna="taken", ghost="refused")
        self.assertNotIn("DATA", primary.commands())
        self.down(primary)
        self.assertEqual(self.says("anna@example.test")[0], 250)
        self.assertEqual(self.says("ANNA@example.test")[0], 250)
        self.assertEqual(self.says("anna+detail@example.test")[0], 250)
        self.assertEqual(self.says("ghost@example.test")[0], 550)

    def test_who_is_known_is_not_asked_for_again(self):
        primary = self.knowing()
        self.start()
        self.up()
        for _ in range(5):
            self.assertEqual(self.says("anna@example.test")[0], 250)
            self.assertEqual(self.says("ghost@example.test")[0], 550)
        self.assertEqual(self.asked(primary, "anna"), 1 + 1)  # and as a measure
        self.assertEqual(self.asked(primary, "ghost"), 1)

    def test_those_who_ask_together_share_an_answer(self):
        primary = self.knowing("slow=20")
        self.start()
        self.up()
        clients = [self.client() for _ in range(10)]
        for c in clients:
            c.cmd("MAIL FROM:<sender@client.test>")
        for c in clients:
            c.send(b"RCPT TO:<anna@example.test>\r\n")
        for c in clients:
            self.assertEqual(c.reply()[0], 250)
            c.close()
        self.assertEqual(self.asked(primary, "anna"), 1)

    def test_many_unknown_ones_share_few_connections(self):
        primary = self.knowing()
        self.start()
        self.up()
        before = primary.sessions()
        with self.client() as c:
            c.send(b"MAIL FROM:<sender@client.test>\r\n" + b"".join(
                b"RCPT TO:<ghost%d@example.test>\r\n" % i for i in range(5)))
            for code in [250] + [550] * 5:
                self.assertEqual(c.reply()[0], code)
        clients = [self.client() for _ in range(40)]
        for c in clients:
            c.cmd("MAIL FROM:<sender@client.test>")
        for i, c in enumerate(clients):
            c.send(b"RCPT TO:<other%d@example.test>\r\n" % i)
        for c in clients:
            self.assertEqual(c.reply()[0], 550)
            c.close()
        self.assertLess(primary.sessions() - before, 40)

    def test_a_message_goes_through_behind_the_question(self):
        primary = self.knowing()
        self.start()
        self.up()
        with self.client() as c:
            c.send(b"MAIL FROM:<sender@client.test>\r\n"
                   b"RCPT TO:<anna@example.test>\r\n"
                   b"RCPT TO:<ghost@example.test>\r\n"
                   b"RCPT TO:<Bert@example.test>\r\nDATA\r\n")
            codes = [c.reply()[0] for _ in range(5)]
            self.assertEqual(codes, [250, 250, 550, 250, 354])
            c.send(message() + b".\r\n")
            self.assertEqual(c.reply()[0], 250)
        self.wait_delivered(primary, 1)
        self.assertEqual([r.strip("<>") for r in primary.index()[0]["rcpt"]],
                         ["anna@example.test", "Bert@example.test"])

    def test_a_client_that_leaves_meanwhile_leaves_nothing_behind(self):
        primary = self.knowing("stall=rcpt")
        self.config_extra += " probe { depth = ehlo }"
        self.start()
        self.up()
        for i in range(5):
            c = self.client()
            c.cmd("MAIL FROM:<sender@client.test>")
            c.send(f"RCPT TO:<who{i}@example.test>\r\n".encode())
            c.close()
        primary.stop()
        primary.start(f"users={self.path('users')}")
        wait_for("an answer", lambda: self.rcpt("anna@example.test")[0] == 250)

    def test_stops_at_once_while_a_primary_is_asked(self):
        self.knowing("stall=rcpt")
        self.config_extra += " probe { depth = ehlo timeout = 60s }"
        self.start()
        self.up()
        with self.client() as c:
            c.cmd("MAIL FROM:<sender@client.test>")
            c.send(b"RCPT TO:<anna@example.test>\r\n")
            wait_for("the question", lambda: self.parts[0].commands())
            wait_for("the question at RCPT", lambda: any(
                "anna" in cmd for cmd in self.parts[0].commands()))
            self.daemon.terminate()
            self.assertEqual(c.reply()[0], 451)
            self.assertEqual(c.reply()[0], 421)

    def test_postmaster_is_never_asked_for(self):
        self.users("anna")
        primary = self.knowing()
        self.start()
        self.up()
        before = self.asked(primary, "postmaster")
        for name in ("postmaster@example.test", "PostMaster@Example.Test", "postmaster"):
            self.assertEqual(self.rcpt(name)[0], 250)
        self.assertLessEqual(self.asked(primary, "postmaster"), before + 2)
        self.assertEqual(self.learned(), {})


class Forwards(Learn):
    domain_extra_ = "unknown_down = accept"

    def test_a_forward_teaches(self):
        self.domain_extra = self.domain_extra_
        self.start()
        self.send(message(), rcpts=("anna@example.test",))
        self.send(message(), rcpts=("ghost@example.test",))
        primary = self.knowing()
        self.wait_learned(anna="taken", ghost="refused")
        self.domain_extra = ""
        self.reload()
        self.down(primary)
        self.assertEqual(self.says("anna@example.test")[0], 250)
        self.assertEqual(self.says("ghost@example.test")[0], 550)
        self.assertEqual(self.says("never@example.test")[0], 451)

    def test_who_was_taken_once_survives_a_primary_that_lost_its_users(self):
        self.domain_extra = self.domain_extra_
        self.start()
        self.send(message(1), rcpts=("anna@example.test",))
        primary = self.knowing()
        self.wait_learned(anna="taken")
        self.down(primary)
        self.users("nobody")
        self.send(message(2), rcpts=("anna@example.test",))
        primary.start(f"users={self.path('users')}")
        wait_for("the refusal", lambda: self.events("message.deferred"))
        self.assertEqual(self.learned(), {"anna@example.test": "taken"})
        self.assertEqual(self.rcpt("anna@example.test")[0], 250)
        self.assertEqual(self.events("message.failed"), [])
        self.users("anna")
        self.wait_delivered(primary, 2)


class Sick(Learn):
    def test_a_primary_that_refuses_whom_it_must_have_is_not_believed(self):
        self.users("nobody")
        self.knowing()
        self.start()
        self.up()
        self.assertEqual(self.says("anna@example.test")[0], 451)
        self.assertEqual(self.learned(), {})
        self.assertTrue(self.events("recipients.doubted"))

    def test_a_known_one_is_the_measure_where_postmaster_is_refused(self):
        self.users("anna")
        self.knowing()
        self.start()
        self.up()
        self.assertEqual(self.rcpt("anna@example.test")[0], 250)
        self.assertEqual(self.rcpt("ghost@example.test")[0], 550)
        self.wait_learned(anna="taken", ghost="refused")

    def test_refusals_before_rcpt_teach_nothing(self):
        primary = self.knowing()
        self.start()
        self.up()
        primary.stop()
        primary.start("mail=550", f"users={self.path('users')}")
        for name in ("anna", "ghost"):
            self.assertEqual(self.rcpt(f"{name}@example.test")[0], 451)
        self.assertEqual(self.learned(), {})

    def test_4xx_teaches_nothing(self):
        self.knowing("rcpt=450")
        self.start()
        self.up()
        self.assertEqual(self.says("anna@example.test")[0], 451)
        self.assertEqual(self.learned(), {})

    def test_a_primary_that_hangs_defers(self):
        self.config_extra += " probe { depth = ehlo timeout = 1s }"
        self.knowing("stall=rcpt")
        self.start()
        self.up()
        self.assertEqual(self.rcpt("anna@example.test")[0], 451)
        self.assertEqual(self.learned(), {})

    def test_a_catch_all_is_found_out_and_its_yes_teaches_nothing(self):
        primary = self.primary()
        self.start()
        self.up()
        self.assertEqual(self.says("anna@example.test")[0], 250)
        self.assertEqual(self.says("ghost@example.test")[0], 250)
        self.assertEqual(self.asked(primary, "ghost"), 2)
        self.assertEqual(len(self.events("recipients.catchall")), 1)
        self.assertEqual(self.learned(), {})
        # What it took is another matter.
        self.send(message(), rcpts=("anna@example.test",))
        self.wait_learned(anna="taken")
        self.down(primary)
        self.assertEqual(self.says("anna@example.test")[0], 250)
        self.assertEqual(self.says("ghost@example.test")[0], 451)


class Down(Learn):
    def unknown(self, option, sources='{"learn"}'):
        self.sources = sources
        self.domain_extra = option
        self.start()
        wait_for("the primary to be down", lambda: self.primary_state() == "down")
        return self.says("never@example.test")

    def test_a_stranger_is_deferred(self):  # RX-20
        code, text = self.unknown("")
        self.assertEqual((code, text[:5]), (451, "4.4.3"))

    def test_a_stranger_is_refused_if_so_configured(self):
        self.assertEqual(self.unknown("unknown_down = reject")[0], 550)

    def test_a_stranger_is_accepted_if_so_configured(self):
        self.assertEqual(self.unknown("unknown_down = accept")[0], 250)

    def test_a_list_and_learning_go_together(self):
        self.recipients = ["carol@example.test", "!ghost@example.test"]
        code, _ = self.unknown("", '{"%s", "learn"}' % self.path("rcpt"))
        self.assertEqual(code, 451)
        self.assertEqual(self.says("carol@example.test")[0], 250)
        self.assertEqual(self.says("ghost@example.test")[0], 550)
        primary = self.knowing()
        self.up()
        self.assertEqual(self.says("anna@example.test")[0], 250)
        self.assertEqual(self.says("never@example.test")[0], 550)
        self.assertEqual(self.says("carol@example.test")[0], 250)
        self.wait_learned(anna="taken", never="refused")
        self.assertEqual(self.asked(primary, "carol"), 0)

    def test_nothing_expires_while_it_is_down(self):
        self.domain_extra = "learn_ttl = 2s  forget_ttl = 2s"
        primary = self.knowing()
        self.start()
        self.up()
        self.rcpt("anna@example.test")
        self.rcpt("ghost@example.test")
        wait_for("both to be learned", lambda: len(self.learned()) == 2)
        self.down(primary)
        left = self.learned()
        shown = self.ctl_json("recipients", "learned", "example.test")
        wait_for("time to pass", lambda: self.uptime() > 6)
        self.assertEqual(self.learned(), left)
        self.assertEqual(self.ctl_json("recipients", "learned", "example.test"), shown)

    def uptime(self):
        return self.ctl_json("status")["uptime_s"]

    def test_what_has_expired_is_asked_anew(self):
        self.domain_extra = "learn_ttl = 1s  forget_ttl = 1s"
        primary = self.knowing()
        self.start()
        self.up()
        self.assertEqual(self.rcpt("ghost@example.test")[0], 550)
        self.users("anna", "ghost", "postmaster")
        wait_for("another question", lambda: self.rcpt("ghost@example.test")[0] == 250)
        self.assertGreaterEqual(self.asked(primary, "ghost"), 2)


class Operator(Learn):
    def teach(self):
        primary = self.knowing()
        self.start()
        self.up()
        self.rcpt("anna@example.test")
        self.rcpt("ghost@example.test")
        self.wait_learned(anna="taken", ghost="refused")
        self.down(primary)
        return primary

    def check(self):
        self.assertEqual(self.says("anna@example.test")[0], 250)
        self.assertEqual(self.says("ghost@example.test")[0], 550)
        self.assertEqual(self.says("never@example.test")[0], 451)

    def test_a_restart_keeps_all(self):
        self.teach()
        self.stop()
        self.assertEqual(self.learned(), {"anna@example.test": "taken",
                                          "ghost@example.test": "refused"})
        test = self.ctl_json("recipients", "test", "anna@example.test")
        self.assertEqual((test["verdict"], test["why"]), ("accept", "learned"))
        self.start()
        self.check()

    def test_a_kill_keeps_what_was_shown(self):
        self.teach()
        self.kill()
        self.start()
        self.check()

    def test_one_is_forgotten(self):
        self.teach()
        self.ctl("recipients", "del", "example.test", "anna")
        self.assertEqual(self.learned(), {"ghost@example.test": "refused"})
        self.assertEqual(self.says("anna@example.test")[0], 451)
        self.ctl("recipients", "del", "example.test", "anna", code=4)

    def test_one_is_pinned(self):
        self.teach()
        self.ctl("recipients", "add", "example.test", "ghost@example.test")
        self.assertEqual(self.learned(), {"anna@example.test": "taken",
                                          "ghost@example.test": "pinned"})
        self.assertEqual(self.says("ghost@example.test")[0], 250)
        self.ctl("recipients", "add", "elsewhere.test", "a@elsewhere.test", code=4)

    def test_a_domain_that_does_not_learn_says_so(self):
        self.sources = '"%s"' % self.path("rcpt")
        self.start()
        self.ctl("recipients", "add", "example.test", "new", code=1)
        self.assertEqual(self.learned(), {})
        self.ctl("recipients", "learned", "elsewhere.test", code=4)

    def test_a_long_list_comes_in_pages(self):
        names = [f"user{i:04d}" for i in range(450)]
        self.start()
        for name in names[:3]:
            self.ctl("recipients", "add", "example.test", name)
        self.domain_extra = "unknown_down = accept"
        self.reload()
        with self.client() as c:
            for i in range(3, 450, 50):
                rcpts = [f"{n}@example.test" for n in names[i:i + 50]]
                self.assertEqual(c.mail(message(), rcpts=rcpts)[0], 250)
        self.primary()
        wait_for("all to be learned", lambda: len(self.learned()) == 450)
        shown = self.ctl("-o", "id", "recipients", "learned", "example.test")
        self.assertEqual(shown.split(), [f"{n}@example.test" for n in names])
        self.stop()
        self.assertEqual(len(self.learned()), 450)



if __name__ == "__main__":
    mxtest.main()
