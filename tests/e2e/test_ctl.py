"""mxholdctl: shapes, exit codes, with the daemon and without it."""
import os
import re
import subprocess

import mxtest
from mxtest import message, wait_for, without_our_trace


class Ctl(mxtest.Case):
    def test_status_has_its_shape_with_and_without_the_daemon(self):
        self.start()
        self.send(message())
        for stopped in (False, True):
            if stopped:
                self.stop()
            got = self.ctl_json("status")
            self.assertEqual(got["v"], 1)
            for key in ("hostname", "version", "uptime_s", "queue", "primaries",
                        "disk", "alarms"):
                self.assertIn(key, got)
            self.assertEqual(got["queue"]["messages"], 1)
            self.assertGreater(got["queue"]["bytes"], 100)
            primary = got["primaries"][0]
            for key in ("name", "state", "since", "last_probe", "queued", "bytes",
                        "oldest_age_s"):
                self.assertIn(key, primary)
            self.assertEqual(primary["queued"], 1)
            if stopped:
                self.assertEqual(got["uptime_s"], 0)

    def test_queue_list_has_its_shape(self):
        self.start()
        qid = self.send(message())
        row = self.ctl_json("queue", "list")["messages"][0]
        self.assertEqual(row["id"], qid)
        for key in ("state", "domain", "primary", "sender", "size", "arrived_at",
                    "next_attempt_at", "client", "helo", "attempts", "reason",
                    "recipients"):
            self.assertIn(key, row)
        self.assertEqual(row["recipients"][0]["address"], "user@example.test")
        self.assertEqual(row["recipients"][0]["state"], "pending")
        self.assertEqual(self.ctl("-o", "id", "queue", "list").split(), [qid])

    def test_filters_select(self):
        self.start()
        small = self.send(message(1), sender="one@a.test")
        large = self.send(message(2, 200000), sender="two@b.test",
                          rcpts=("other@example.test",))

        def ids(*args, code=0):
            return self.ctl("-o", "id", "queue", "list", *args, code=code).split()
        self.assertEqual(ids("--from", "one@a.test"), [small])
        self.assertEqual(ids("--to", "other@example.test"), [large])
        self.assertEqual(ids("--size", "+100K"), [large])
        self.assertEqual(ids("--domain", "example.test"), [small, large])
        self.assertEqual(ids("--client", self.ip + "/32"), [small, large])
        self.assertEqual(ids("--newer", "2h"), [small, large])
        self.assertEqual(ids("--limit", "1"), [small])
        self.assertEqual(ids(large), [large])
        self.assertEqual(ids("--older", "2h", code=4), [])
        self.assertEqual(ids("--state", "held", code=4), [])

    def test_hold_release_retry_delete(self):
        self.start()
        qid = self.send(message())
        keep = self.send(message(2))
        self.ctl("--yes", "queue", "hold", qid)
        self.assertEqual(self.ctl_json("queue", "list", qid)["messages"][0]["state"], "held")
        primary = self.primary()
        self.wait_delivered(primary, 1)
        self.assertEqual(self.ctl("-o", "id", "queue", "list").split(), [qid])
        self.ctl("--yes", "queue", "release", qid)
        self.wait_delivered(primary, 2)
        self.wait_empty()
        primary.stop()
        gone = self.send(message(3))
        self.ctl("--yes", "queue", "retry", gone)
        self.ctl("--dry-run", "queue", "delete", gone)
        self.assertEqual(self.count(), 1)
        self.ctl("--yes", "queue", "delete", gone)
        self.wait_empty()      # an attempt under way is let end
        self.assertTrue(keep)
        self.assertTrue(self.events("message.removed"))

    def test_what_is_deleted_in_flight_goes_when_the_attempt_has_ended(self):
        self.primary("stall=body")
        self.start()
        qid = self.send(message(1, 900000))
        name = self.ctl_json("primary", "list")["primaries"][0]["name"]
        mxtest.wait_for("a connection", lambda:
                        self.ctl_json("primary", "show", name)["connections"])
        got = self.ctl_json("--yes", "queue", "delete", qid)
        self.assertEqual((got["messages"], got["changed"], got["in_flight"]), (1, 1, 1))
        self.parts[-1].stop()           # the attempt ends
        self.wait_empty()
        mxtest.wait_for("its log line", lambda: self.events("message.removed"))
        self.assertEqual(self.events("message.damaged"), [])
        self.assertFalse([a for a in self.ctl_json("status")["alarms"] if "damaged" in a])

    def test_an_operator_opens_and_closes_the_breaker(self):
        primary = self.primary()
        self.start()
        name = self.ctl_json("primary", "list")["primaries"][0]["name"]
        self.ctl("breaker", "open", name)
        self.send(message())
        self.assertTrue([a for a in self.ctl_json("status")["alarms"] if "breaker" in str(a)])
        self.assertEqual(self.count(), 1)
        row, = self.ctl_json("breaker", "show", "example.test")["breakers"]
        self.assertEqual((row["name"], row["state"], row["queued"]), (name, "open", 1))
        self.assertIn("operator", row["why"])
        self.assertIn("breaker close", self.ctl_json("primary", "show", name)["todo"])
        self.ctl("breaker", "close", "example.test")
        self.wait_delivered(primary, 1)
        self.wait_empty()
        self.assertEqual(self.ctl_json("breaker", "show")["breakers"][0]["state"], "closed")
        self.ctl("breaker", "open", "nobody.test", code=4)
        self.ctl("breaker", "show", "nobody.test", code=4)

    def test_an_operators_orders_are_logged_and_shown(self):
        self.start()
        name = self.ctl_json("primary", "list")["primaries"][0]["name"]
        self.send(message())
        for order in (("pause",), ("resume",), ("now",)):
            self.ctl("drain", *order, "example.test")
        self.ctl("drain", "rate", name, "30")
        self.assertEqual([re.search(r" order=(\S+)", line).group(1)
                          for line in self.events("drain.order")],
                         ["pause", "resume", "now", "rate"])
        self.assertEqual(self.ctl_json("primary", "show", name)["rate"], 30)
        self.ctl("breaker", "open", name)
        self.ctl("breaker", "close", name)
        self.assertIn("closed by an operator", self.events("breaker.close")[0])

    def test_a_hold_after_drain_now_holds(self):
        self.start()
        name = self.ctl_json("primary", "list")["primaries"][0]["name"]
        self.send(message())
        self.ctl("drain", "now", name)
        self.ctl("primary", "hold", name)
        primary = self.primary()
        self.ctl("primary", "probe", name)
        wait_for("two probes", lambda: primary.sessions() >= 2)
        self.send(message(2))
        wait_for("one more", lambda: primary.sessions() >= 3)
        self.assertEqual(primary.index(), [])
        self.ctl("drain", "now", name)
        self.wait_delivered(primary, 2)
        self.assertIn("drain now", self.ctl_json("primary", "show", name)["why"])

    def complaint(self, *args, code):
        p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                            self.path("mxholdd.conf"), *args], capture_output=True, check=False)
        self.assertEqual(p.returncode, code, p.stderr)
        return p.stderr.decode()

    def test_a_domain_where_a_primary_is_wanted_is_told_its_name(self):
        self.start()
        for verb in ("show", "hold", "resume", "probe"):
            self.assertIn(f'its primary is "{self.ip}:{self.PRIMARY}"',
                          self.complaint("primary", verb, "example.test", code=4))

    def test_a_primary_that_refuses_our_probes_recipient_is_an_alarm(self):
        self.primary("rcpt=550")
        self.start()
        wait_for("up", lambda: self.primary_state() == "up")
        self.assertIn("recipient of our probes: 550", str(self.ctl_json("status")["alarms"]))

    def test_what_is_shown_on_a_terminal_has_units(self):
        self.start()
        qid = self.send(message(1, 50000), sender="")
        name = self.ctl_json("primary", "list")["primaries"][0]["name"]
        shown = self.ctl("-o", "table", "msg", "show", qid)
        self.assertRegex(shown, r"(?m)^size +49\.\d KiB$")
        self.assertRegex(shown, r"(?m)^arrived_at +20\S+Z, (now|\d+s ago)$")
        self.assertRegex(shown, r"(?m)^sender +<>$")
        self.assertRegex(self.ctl("-o", "table", "queue", "list"), r" due +<> ")
        shown = self.ctl("-o", "table", "primary", "show", name)
        self.assertRegex(shown, r"(?m)^bytes +49\.\d KiB$")
        self.assertRegex(shown, r"(?m)^oldest_age_s +\d+s$")

    def test_what_failed_is_looked_at_released_and_dropped(self):
        self.global_extra = 'breaker { first_5xx = "0s"  max_5xx = 100 }'
        primary = self.primary("rcpt=550")
        self.start()
        ids = [self.send(message()) for _ in range(3)]
        wait_for("quarantine", lambda: len(self.listed("--state", "quarantine")) == 3)
        self.assertEqual([m["id"] for m in self.ctl_json("quarantine", "list")["messages"]],
                         ids)
        shown = self.ctl_json("quarantine", "show", ids[0])
        self.assertEqual(shown["state"], "quarantine")
        self.assertIn("550", shown["reason"])
        self.ctl("quarantine", "drop", code=2)
        self.ctl("--yes", "quarantine", "drop", ids[0])
        primary.stop()
        primary.start()
        self.ctl("--yes", "quarantine", "release", ids[1])
        self.wait_delivered(primary, 1)
        self.assertEqual(self.count(), 1)
        other = self.send(message(), rcpts=("other@example.test",))
        self.ctl("quarantine", "show", other, code=4)
        self.assertEqual(self.ctl("-o", "id", "quarantine", "list").split(), [ids[2]])

    def test_what_is_given_up_is_kept_or_reported(self):
        self.config_extra = 'bounce { send = "none"  route = "primary" }'
        self.start()
        told, quiet = self.send(message()), self.send(message())
        self.ctl("--yes", "queue", "expire", quiet)
        wait_for("quarantine", lambda: self.listed("--state", "quarantine"))
        self.ctl("--yes", "queue", "bounce", told)
        wait_for("the report", lambda: self.events("bounce.made"))
        self.assertEqual([m["id"] for m in self.listed("--state", "quarantine")], [quiet])
        self.ctl("--yes", "queue", "bounce", quiet)
        wait_for("the other", lambda: len(self.events("bounce.made")) == 2)
        self.assertEqual(len(self.events("message.given_up")), 3)

    def test_acting_needs_a_word_and_a_choice(self):
        self.start()
        qid = self.send(message())
        self.assertEqual(self.count(), 1)
        self.ctl("queue", "delete", qid, code=2)          # no --yes, no terminal
        self.ctl("--yes", "queue", "delete", code=2)      # nothing chosen
        self.ctl("--yes", "queue", "delete", "0000000000000", code=4)
        self.assertEqual(self.count(), 1)
        self.ctl("--yes", "queue", "delete", "--all")
        self.assertEqual(self.count(), 0)

    def test_msg_raw_is_what_the_primary_would_get(self):
        self.start()
        content = message(1, 50000)
        qid = self.send(content)
        raw = self.ctl("msg", "raw", qid, raw=True)
        self.assertEqual(without_our_trace(raw)[0], content)
        self.assertIn("Subject: message 1", self.ctl("msg", "headers", qid))
        self.assertIn(qid, self.ctl("msg", "show", qid))
        self.stop()
        self.assertEqual(self.ctl("msg", "raw", qid, raw=True), raw)
        primary = self.primary()
        self.start()
        self.wait_delivered(primary, 1)
        self.assertEqual(primary.content(1), raw)

    def test_reading_works_with_the_daemon_stopped_acting_does_not(self):
        self.start()
        qid = self.send(message())
        self.stop()
        self.assertEqual(self.count(), 1)
        self.assertEqual(self.ctl("-o", "id", "queue", "list").split(), [qid])
        self.ctl("primary", "list")
        self.ctl("queue", "verify")
        self.ctl("--yes", "queue", "delete", qid, code=3)
        self.ctl("config", "reload", code=3)

    def test_primary_probe_and_list(self):
        self.start()
        wait_for("down", lambda: self.primary_state() == "down")
        self.primary()
        name = self.ctl_json("status")["primaries"][0]["name"]
        self.ctl("primary", "probe", name)
        wait_for("up", lambda: self.primary_state() == "up")
        self.assertIn("up", self.ctl("-o", "table", "primary", "list"))

    def test_a_held_primary_is_shown_and_stays_held(self):
        self.start()
        self.send(message())
        name = self.ctl_json("status")["primaries"][0]["name"]
        self.ctl("--yes", "primary", "hold", name)
        wait_for("held", lambda: self.primary_state() == "held")
        primary = self.primary()
        self.stop()
        self.assertEqual(self.primary_state(), "held")
        self.start()
        self.assertEqual(self.primary_state(), "held")
        self.ctl("primary", "probe", name)
        self.assertEqual(primary.index(), [])
        self.ctl("--yes", "primary", "resume", name)
        self.wait_delivered(primary, 1)

    def test_recipients_test_says_what_rcpt_would(self):
        self.start()
        for stopped in (False, True):
            if stopped:
                self.stop()
            for address, verdict, reply in (
                    ("user@example.test", "accept", "250"),
                    ("nobody@example.test", "reject", "550 5.1.1"),
                    ("postmaster@example.test", "accept", "250")):
                got = self.ctl_json("recipients", "test", "example.test", address)
                self.assertEqual(got["verdict"], verdict, got)
                self.assertTrue(got["reply"].startswith(reply), got)

    def test_config_check_names_what_is_wrong(self):
        conf = self.configure()
        self.ctl("config", "check")
        with open(conf, "a", encoding="utf-8") as f:
            f.write("hostnam = 1\n")
        self.ctl("config", "check", code=7)

    def test_what_failed_prints_no_empty_list(self):
        self.configure()
        for args in (("queue", "list"), ("primary", "list"), ("trace", "a@example.test")):
            self.assertEqual(self.ctl("-o", "json", *args, code=3), "", args)

    def test_config_reload(self):
        self.start()
        self.ctl("config", "reload")
        self.assertTrue(self.events("config.reloaded"))
        with open(self.path("mxholdd.conf"), "a", encoding="utf-8") as f:
            f.write("hostnam = 1\n")
        self.ctl("config", "reload", code=7)
        self.send(message())

    def test_usage_errors(self):
        self.configure()
        self.ctl("nonsense", code=2)
        self.ctl("queue", "nonsense", code=2)
        self.ctl("-o", "xml", "status", code=2)
        self.assertIn("a verb: show, open, close", self.complaint("breaker", code=2))
        self.ctl("help")
        self.assertRegex(self.ctl("version"), r"\d+\.\d+")

    def test_without_a_terminal_the_answer_is_json(self):
        self.start()
        self.assertTrue(self.ctl("status").lstrip().startswith("{"))
        self.assertFalse(self.ctl("-o", "table", "status").lstrip().startswith("{"))

    def test_a_listing_of_many_messages_is_whole(self):
        self.start()
        with self.client() as c:
            for n in range(700):
                self.assertEqual(c.mail(message(n))[0], 250)
        self.assertEqual(len(self.ctl("-o", "id", "queue", "list").split()), 700)
        self.assertEqual(len(self.ctl_json("queue", "list")["messages"]), 700)
        self.ctl("--yes", "queue", "delete", "--all")
        self.assertEqual(self.count(), 0)

    def test_a_stranger_may_not_read(self):
        if os.getuid() != 0:
            self.skipTest("needs root to become somebody else")
        self.start()
        conf = self.path("mxholdd.conf")
        os.chmod(self.top, 0o755)
        os.chmod(conf, 0o644)
        os.chmod(self.path("rcpt"), 0o644)
        with open(os.path.join(mxtest.BIN, "mxholdctl"), "rb") as f:
            program = f.read()
        path = self.path("ctl")
        with open(path, "wb") as f:
            f.write(program)
        os.chmod(path, 0o755)
        p = subprocess.run([path, "-c", conf, "status"], user=65534, group=65534,
                           extra_groups=[], capture_output=True, check=False)
        self.assertEqual(p.returncode, 5, p.stderr)


if __name__ == "__main__":
    mxtest.main()
