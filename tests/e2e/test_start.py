"""What can be wrong at the start: each a clear error."""
import os
import signal
import subprocess
import tempfile
import unittest

import mxtest
from mxtest import BIN, message


class Start(mxtest.Case):
    def run_daemon(self, *args):
        p = subprocess.run([os.path.join(BIN, "mxholdd"), *args],
                           capture_output=True, text=True, check=False, timeout=60)
        return p.returncode, p.stderr + p.stdout

    def assert_config_error(self, text, *words):
        path = self.write("bad.conf", text)
        code, said = self.run_daemon("-t", "-c", path)
        self.assertEqual(code, 7, said)
        for word in words:
            self.assertIn(word, said)

    def test_a_typo_names_file_line_and_the_nearest_name(self):
        self.assert_config_error('hostname = "mx2.test"\nstate_dri = "/x"\n',
                                 "bad.conf:2", "state_dri", "state_dir")

    def test_every_kind_of_bad_value_is_named(self):
        good = 'hostname = "mx2.test"\n'
        for text, word in (
                ('smtp { max_rcpt = "many" }', "max_rcpt"),
                ('smtp { max_rcpt = 0 }', "max_rcpt"),
                ('probe { interval_down = "15 parsecs" }', "interval_down"),
                ('smtp { bare_newline = "maybe" }', "bare_newline"),
                ('listen "x" { address = "nowhere" }', "address"),
                ('domain "x.test" { primary = "mx1.x.test"\nrecipients = "/nonexistent/file" }',
                 "/nonexistent/file"),
                ('domain "x.test" { }', "primary"),
                ('domain "x.test" { primary = "mx1.x.test" recipients = "learn" }\n'
                 'domain "X.TEST" { primary = "mx1.x.test" recipients = "learn" }',
                 "X.TEST"),
                ('tls { cert = "/nonexistent.pem" key = "/nonexistent.key" }', "/nonexistent"),
                ('}', "bad.conf"),
                ('domain "x.test" {', "bad.conf")):
            with self.subTest(text=text):
                self.assert_config_error(good + text + "\n", word)

    def assert_refused(self, conf, line, *words):
        """By the check, by mxholdctl and by the start, naming file and line."""
        with open(conf, encoding="utf-8") as f:
            where = f"{conf}:{[line in text for text in f].index(True) + 1}: "
        for args in (("-t",), ()):
            code, said = self.run_daemon(*args, "-c", conf)
            self.assertEqual(code, 7, said)
            for word in (where, *words):
                self.assertIn(word, said)
        p = subprocess.run([os.path.join(BIN, "mxholdctl"), "-c", conf, "config", "check"],
                           capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(p.returncode, 7, p.stderr)
        for word in (where, *words):
            self.assertIn(word, p.stderr)
        self.assertFalse(os.path.exists(self.path("state")), "something was started")

    def test_a_certificate_that_is_none_is_named(self):
        _, key = mxtest.make_cert(self.top, "mx2.test")
        cert = self.write("none.pem", "no certificate\n")
        self.global_extra = f'tls {{\n cert = "{cert}"\n key = "{key}"\n}}'
        self.assert_refused(self.configure(), "cert = ", "tls.cert: ", cert)

    def test_a_key_that_does_not_fit_is_named(self):
        cert, _ = mxtest.make_cert(self.top, "mx2.test")
        _, key = mxtest.make_cert(self.top, "other.test")
        self.global_extra = f'tls {{\n cert = "{cert}"\n key = "{key}"\n}}'
        self.assert_refused(self.configure(), "key = ", "tls.key: ", "does not fit", key)

    def test_a_clients_certificate_that_is_none_is_named(self):
        cert, key = self.write("none.pem", "x\n"), self.write("none.key", "x\n")
        self.config_extra = ('primary "one" {\n client_cert = "' + cert +
                             f'"\n client_key = "{key}"\n}}\ndomain "one.test" {{\n'
                             f'primary = "one"\nrecipients = "{self.path("rcpt")}" }}')
        self.assert_refused(self.configure(), "client_cert = ", 'primary "one".client_cert: ',
                            cert)

    def test_a_line_of_a_list_that_cannot_be_understood_is_named(self):
        self.recipients = ["good@example.test", "two words@x y"]
        conf = self.configure()
        for program, *args in (("mxholdd", "-t"), ("mxholdctl", "config", "check")):
            p = subprocess.run([os.path.join(BIN, program), "-c", conf, *args],
                               capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual(p.returncode, 7, p.stderr)
            self.assertIn(self.path("rcpt") + ":2: ", p.stderr)
            self.assertIn('domain "example.test".recipients', p.stderr)

    def test_a_good_file_checks_good(self):
        code, said = self.run_daemon("-t", "-c", self.configure())
        self.assertEqual(code, 0, said)

    def test_a_missing_file_is_named(self):
        code, said = self.run_daemon("-c", "/nonexistent/mxholdd.conf")
        self.assertEqual(code, 7)
        self.assertIn("/nonexistent/mxholdd.conf", said)

    def test_a_state_directory_that_cannot_be_made(self):
        self.write("file", "")
        conf = self.configure()
        with open(conf, "a", encoding="utf-8") as f:
            f.write("")
        text = self.config_text().replace(self.path("state"), self.path("file") + "/state")
        code, said = self.run_daemon("-c", self.write("x.conf", text))
        self.assertEqual(code, 1, said)
        self.assertIn(self.path("file") + "/state", said)

    def test_a_second_daemon_on_the_same_directory_is_refused(self):
        self.start()
        text = self.config_text().replace(f":{self.SMTP}\"}}", ":2599\"}"
                                          ).replace("control.sock", "c2.sock")
        code, said = self.run_daemon("-c", self.write("x.conf", text))
        self.assertEqual(code, 1, said)
        self.assertIn(self.path("state"), said)
        self.send(message())

    def test_an_address_in_use_is_named(self):
        self.start()
        text = self.config_text().replace(self.path("state"), self.path("state2")
                                          ).replace("control.sock", "c2.sock")
        code, said = self.run_daemon("-c", self.write("x.conf", text))
        self.assertEqual(code, 1, said)
        self.assertIn(f"{self.ip}:{self.SMTP}", said)

    def test_a_broken_file_at_reload_keeps_the_old_configuration(self):
        self.start()
        self.recipients.append("new@example.test")
        self.domain_extra = "nonsense = 1"
        self.reload()
        self.assertTrue(self.events("config.refused"))
        self.send(message())

    def test_a_reload_with_another_state_directory_asks_for_a_restart(self):
        self.start()
        text = self.config_text().replace(self.path("state"), self.path("elsewhere"))
        self.write("mxholdd.conf", text)
        self.ctl("config", "reload")
        self.assertIn("state_dir", self.events("config.restart_needed")[0])
        self.ctl("config", "reload")
        self.assertEqual(len(self.events("config.restart_needed")), 2,
                         "it is in force as little as before")
        self.assertFalse(os.path.exists(self.path("elsewhere")))
        with self.client() as c:
            self.assertEqual(c.starttls()[0], 250)
            self.assertEqual(c.mail(message())[0], 250)

    def test_a_reload_asked_during_another_is_not_lost(self):
        self.start()
        for i in range(20):
            for octets in (2000000 + i, 3000000 + i):
                self.config_extra = f"smtp {{ max_size = {octets} }}"
                # Never half a file: the signal may be acted on at any time.
                os.replace(self.write("new.conf", self.config_text()),
                           self.path("mxholdd.conf"))
                if octets < 3000000:
                    self.daemon.send_signal(signal.SIGHUP)
            self.ctl("config", "reload")
            with self.client() as c:
                self.assertIn(f"SIZE {3000000 + i}", c.ehlo_reply[1])

    def test_reloads_asked_at_once_are_all_answered(self):
        self.start()
        self.daemon.send_signal(signal.SIGSTOP)
        asked = [subprocess.Popen([os.path.join(BIN, "mxholdctl"), "-c",
                                   self.path("mxholdd.conf"), "config", "reload"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                 for _ in range(5)]
        self.daemon.send_signal(signal.SIGHUP)
        self.daemon.send_signal(signal.SIGCONT)
        for p in asked:
            said, _ = p.communicate(timeout=60)
            self.assertEqual(p.returncode, 0, said)

    @unittest.skipUnless(os.getuid() == 0, "needs root to become somebody else")
    def test_root_makes_what_the_user_could_not(self):
        os.chmod(self.top, 0o755)
        self.global_extra = 'user = "nobody"'
        text = self.config_text
        self.config_text = lambda: text().replace("control.sock", "run/control.sock")
        os.chmod(self.configure(), 0o644)
        os.chmod(self.path("rcpt"), 0o644)
        self.start()
        self.send(message())
        self.ctl("status")
        for name, mode in (("state", 0o700), ("run", 0o750)):
            st = os.stat(self.path(name))
            self.assertEqual((st.st_uid, st.st_mode & 0o777), (65534, mode), name)
        with open(f"/proc/{self.daemon.pid}/status", encoding="utf-8") as f:
            self.assertIn("Uid:\t65534\t65534\t65534", f.read())

    @unittest.skipUnless(os.getuid() == 0, "needs root to become somebody else")
    def test_a_state_directory_that_cannot_be_written(self):
        conf = self.configure()
        os.mkdir(self.path("state"), 0o755)
        os.chmod(self.top, 0o755)
        os.chmod(conf, 0o644)
        os.chmod(self.path("rcpt"), 0o644)
        with tempfile.TemporaryDirectory(prefix="mxhold-bin.") as bin_dir:
            os.chmod(bin_dir, 0o755)
            program = os.path.join(bin_dir, "mxholdd")
            subprocess.run(["cp", os.path.join(BIN, "mxholdd"), program], check=True)
            p = subprocess.run([program, "-c", conf], capture_output=True, text=True,
                               check=False, user=65534, group=65534, extra_groups=[],
                               timeout=60)
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertIn(self.path("state"), p.stderr)
        self.assertIn("ermission denied", p.stderr)


if __name__ == "__main__":
    mxtest.main()
