"""Recipients from https servers and programs: what they say, and what becomes of them when they fail."""
import base64
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time

import mxtest
from mxtest import wait_for

PORT = 2543


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


class Lists(http.server.BaseHTTPRequestHandler):
    """GET /list; what it does is in self.server."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        s = self.server
        s.seen.append((self.path, dict(self.headers)))
        if self.path == "/list" and s.redirect:
            return self.say(302, b"not this", {"Location": s.redirect, "ETag": '"redirect"'})
        etag = f'"{hash(s.text)}"'
        if self.headers.get("If-None-Match") == etag:
            s.unchanged += 1
            return self.say(304, b"", {"ETag": etag})
        return self.say(s.status, s.text.encode(), {"ETag": etag})

    def say(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server:
    """An https server whose certificate a CA of our own has signed."""

    def __init__(self, top, ip):
        self.ca = os.path.join(top, "ca.pem")
        leaf, key, ext = (os.path.join(top, n) for n in ("leaf.pem", "leaf.key", "leaf.ext"))
        with open(ext, "w", encoding="ascii") as f:
            f.write(f"subjectAltName=IP:{ip}\n")
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *ec, "-keyout", self.ca + ".key", "-out", self.ca,
                "-subj", "/CN=test CA", "-days", "30")
        openssl("req", "-new", *ec, "-keyout", key, "-out", leaf + ".csr", "-subj", "/CN=lists")
        openssl("x509", "-req", "-in", leaf + ".csr", "-CA", self.ca, "-CAkey", self.ca + ".key",
                "-CAcreateserial", "-out", leaf, "-days", "30", "-extfile", ext)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf, key)
        self.http = http.server.ThreadingHTTPServer((ip, PORT), Lists)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True,
                                               do_handshake_on_connect=False)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # who does not believe us hangs up
        self.http.seen, self.http.unchanged = [], 0
        self.http.redirect, self.http.status, self.http.text = None, 200, ""
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


class Recipients(mxtest.Case):
    def setUp(self):
        super().setUp()
        self.source = ""
        self.refresh = "1s"

    def config_text(self):
        listed = f'"{self.path("rcpt")}"'
        text = super().config_text()
        assert listed in text
        return text.replace(listed, "{%s}  refresh = \"%s\"" % (self.source, self.refresh))

    def server(self, text):
        s = Server(self.top, self.ip)
        s.http.text = text
        self.parts.append(s)
        return s

    def script(self, text, name="lister"):
        path = self.path(name)
        self.write(name + ".new", "#!/bin/sh\n" + text)
        os.chmod(path + ".new", 0o700)
        os.rename(path + ".new", path)
        self.source = f'"exec:{path}"'
        return path

    def rcpt(self, address):
        with self.client() as c:
            c.cmd("MAIL FROM:<a@b.test>")
            return c.cmd(f"RCPT TO:<{address}>")[0]

    def alarms(self):
        return [a for a in self.ctl_json("status")["alarms"] if a.startswith("recipients of")]

    def sources(self):
        return self.ctl_json("recipients", "sources", "example.test")["sources"]

    def entries(self):
        rows = self.ctl_json("recipients", "list", "example.test")["recipients"]
        return [r["address"] for r in rows]

    # https

    def start_https(self, text="user\nother\n", path="/list", trusted=True):
        server = self.server(text)
        self.source = f'"https://{self.ip}:{PORT}{path}"'
        self.start(env={"SSL_CERT_FILE": server.ca} if trusted else None)
        return server.http

    def test_a_list_is_fetched_and_asked_for_when_it_changed(self):
        server = self.start_https()
        self.assertEqual(self.rcpt("user@example.test"), 250)
        self.assertEqual(self.rcpt("nobody@example.test"), 550)
        wait_for("a conditional request", lambda: server.unchanged > 0)
        server.text = "user\nother\nthird\n"
        wait_for("the new list", lambda: self.rcpt("third@example.test") == 250)
        self.assertEqual(self.sources()[0]["state"], "good")
        self.assertEqual(self.sources()[0]["entries"], 3)
        before = len(self.events("recipients.synced"))
        unchanged = server.unchanged
        wait_for("it to be unchanged", lambda: server.unchanged > unchanged)
        self.assertEqual(len(self.events("recipients.synced")), before)

    def test_an_unknown_authority_is_not_believed(self):
        self.start_https(trusted=False)
        self.assertEqual(self.rcpt("user@example.test"), 451)
        self.assertIn("certificate", wait_for("an alarm", self.alarms)[0])
        self.assertEqual(self.sources()[0]["state"], "failed")

    def test_a_certificate_of_another_name_is_not_believed(self):
        server = self.server("user\n")
        wrong = mxtest.own_address()
        self.source = f'"https://{wrong}:{PORT}/list"'
        relay = Relay(wrong, self.ip)
        self.parts.append(relay)
        self.start(env={"SSL_CERT_FILE": server.ca})
        wait_for("an alarm", self.alarms)
        self.assertEqual(self.rcpt("user@example.test"), 451)
        self.assertEqual(server.http.seen, [])

    def test_a_failing_server_leaves_the_list(self):
        server = self.start_https()
        server.status, server.text = 404, "third\n"
        self.assertIn("answers 404", wait_for("an alarm", self.alarms)[0])
        self.assertEqual(self.rcpt("user@example.test"), 250)
        self.assertEqual(self.rcpt("third@example.test"), 550)
        self.assertTrue(self.events("recipients.refused"))
        server.status, server.text = 200, "user\nother\nthird\n"
        wait_for("no alarm", lambda: not self.alarms())
        self.assertEqual(self.rcpt("third@example.test"), 250)

    def test_redirects_lead_to_https_only(self):
        server = self.start_https()
        server.redirect = "/elsewhere"
        server.text = "user\nother\nthird\n"
        wait_for("the list elsewhere", lambda: self.rcpt("third@example.test") == 250)
        server.redirect = f"http://{self.ip}:{PORT}/list"
        self.assertIn("http", wait_for("an alarm", self.alarms)[0])
        server.redirect = "file:///etc/passwd"
        server.seen.clear()
        wait_for("another look", lambda: server.seen)
        self.ctl("recipients", "sync", code=1)
        self.assertEqual(self.rcpt("third@example.test"), 250)
        self.assertEqual(self.rcpt("root@example.test"), 550)
        server.redirect = "/list"  # to itself, for ever
        self.ctl("recipients", "sync", code=1)

    def test_a_password_is_sent_and_never_shown(self):
        server = self.server("user\n")
        self.source = f'"https://me:secret@{self.ip}:{PORT}/list"'
        self.start(env={"SSL_CERT_FILE": server.ca})
        self.assertEqual(self.rcpt("user@example.test"), 250)
        given = server.http.seen[0][1]["Authorization"]
        self.assertEqual(base64.b64decode(given.split()[1]), b"me:secret")
        server.http.status, server.http.text = 500, "another\n"
        alarms = wait_for("an alarm", self.alarms)
        shown = json.dumps([alarms, self.sources()]) + self.log()
        self.assertIn(self.ip, shown)
        self.assertNotIn("secret", shown)

    def test_a_server_that_says_nothing_holds_nobody(self):
        deaf = socket.create_server((self.ip, PORT))
        self.addCleanup(deaf.close)
        self.source, self.refresh = f'"https://{self.ip}:{PORT}/list"', "5m"
        self.start()  # the greeting comes all the same
        self.assertEqual(self.rcpt("user@example.test"), 451)
        self.assertEqual(self.alarms(), [])
        self.stop()

    # Programs

    def test_a_program_gets_what_is_written_and_nothing_else(self):
        self.script(f'env | sort >{self.path("env")}\n'
                    f'for w in "$@"; do echo "$w"; done >{self.path("argv")}\n'
                    'echo user\n')
        self.source = self.source[:-1] + ' one $(two)  *"'
        self.start(env={"SECRET": "x"})
        self.assertEqual(self.rcpt("user@example.test"), 250)
        with open(self.path("argv"), encoding="ascii") as f:
            self.assertEqual(f.read(), "one\n$(two)\n*\n")
        with open(self.path("env"), encoding="ascii") as f:
            names = [line.split("=")[0] for line in f]
        self.assertEqual([n for n in names if n not in ("_", "PWD", "SHLVL", "OLDPWD")],
                         ["MXHOLD_DOMAIN", "PATH"])

    def program_fails(self, text, says):
        self.script("printf 'user\\nother\\nthird\\n'\n")
        self.start()
        self.assertEqual(self.rcpt("user@example.test"), 250)
        self.script(text)
        wait_for("an alarm", lambda: any(says in a for a in self.alarms()))
        self.assertEqual(self.rcpt("user@example.test"), 250)
        self.assertEqual(self.rcpt("new@example.test"), 550)
        self.assertEqual(len(self.entries()), 3)
        self.script("printf 'user\\nother\\nthird\\nnew\\n'\n")
        wait_for("no alarm", lambda: not self.alarms())
        self.assertEqual(self.rcpt("new@example.test"), 250)

    def test_a_program_that_fails_leaves_the_list(self):
        self.program_fails("echo new\necho no luck >&2\nexit 2\n", "ended with status 2: no luck")

    def test_a_program_that_hangs_is_killed(self):
        self.program_fails(f"echo new\nsleep 1000 &\necho $! >{self.path('pid')}\nsleep 1000\n",
                           "did not end within 1 s")
        with open(self.path("pid"), encoding="ascii") as f:
            child = int(f.read())

        def is_gone():
            try:
                with open(f"/proc/{child}/stat", encoding="ascii") as f:
                    return f.read().split()[2] == "Z"
            except FileNotFoundError:
                return True
        wait_for("its child to be gone", is_gone)

    def test_a_program_that_floods_is_killed(self):
        self.program_fails("yes new\n", "did not end within 1 s")

    def test_a_program_that_hangs_does_not_keep_the_daemon(self):
        self.refresh = "5m"
        self.script("sleep 1000\n")
        self.start()
        self.assertEqual(self.rcpt("user@example.test"), 451)
        self.stop()

    # Files under way

    def write_slowly(self, names, asked):
        """True: without a pause of a second; what was asked meanwhile is in `asked`."""
        longest, last = 0, time.monotonic()
        with open(self.path("list"), "w", encoding="ascii") as f:
            f.write("\n".join(names[:8]) + "\n")
            for _ in range(60):     # more than two times `refresh`
                f.write("# still at it\n")
                f.flush()
                longest, last = max(longest, time.monotonic() - last), time.monotonic()
                asked.append(self.rcpt("u9@example.test"))
                time.sleep(0.05)
            f.write("\n".join(names[8:]) + "\n")
        return longest < 0.9

    def test_a_file_that_is_being_written_is_not_read_yet(self):
        names = [f"u{n}" for n in range(11)]
        self.source = f'"{self.path("list")}"'
        self.write("list", "\n".join(names[:10]) + "\n")
        self.start()
        for _ in range(20):     # where the machine is too busy, another time
            wait_for("the list", lambda: self.rcpt("u9@example.test") == 250)
            asked = []
            if self.write_slowly(names, asked):
                self.assertEqual(set(asked), {250})
                break
        wait_for("the new list", lambda: self.rcpt("u10@example.test") == 250)
        self.assertEqual(self.rcpt("u9@example.test"), 250)

    # Lists that shrink

    def test_a_list_that_shrank_waits_to_be_confirmed(self):
        self.script("printf 'user\\nother\\nthird\\nfourth\\n'\n")
        self.start()
        self.script("echo user\n")
        alarm = wait_for("an alarm", self.alarms)[0]
        self.assertIn("would shrink from 4 to 1 entries", alarm)
        self.assertTrue(self.events("recipients.refused"))
        self.assertEqual(self.rcpt("fourth@example.test"), 250)
        diff = self.ctl_json("recipients", "diff", "example.test")["differences"]
        self.assertEqual([r["change"] + r["address"] for r in diff],
                         ["-fourth@example.test", "-other@example.test", "-third@example.test"])
        # without a daemon: what stands there is still to be read
        self.stop()
        self.assertEqual(len(self.entries()), 4)
        self.assertEqual(self.sources()[0]["kind"], "exec")
        diff = self.ctl_json("recipients", "diff", "example.test")["differences"]
        self.assertEqual(len(diff), 3)
        self.ctl("recipients", "accept", "example.test", code=3)
        # with it again: the refusal has outlived it
        self.start()
        self.assertTrue(self.alarms())
        self.assertEqual(self.rcpt("fourth@example.test"), 250)
        self.ctl("recipients", "sync", "example.test", code=1)
        self.ctl("recipients", "accept", "example.test")
        self.assertEqual(self.alarms(), [])
        self.assertEqual(self.entries(), ["user@example.test"])
        self.assertEqual(self.rcpt("fourth@example.test"), 550)
        self.ctl("recipients", "accept", "example.test", code=4)

    def test_an_empty_list_waits_to_be_confirmed(self):
        self.script("echo user\n")
        self.start()
        self.script("")
        self.assertIn("holds no address", wait_for("an alarm", self.alarms)[0])
        self.assertEqual(self.rcpt("user@example.test"), 250)
        self.script("echo user\n")
        wait_for("no alarm", lambda: not self.alarms())
        self.script("")
        wait_for("an alarm", self.alarms)
        self.ctl("recipients", "accept", "example.test")
        self.assertEqual(self.rcpt("user@example.test"), 550)
        self.assertEqual(self.entries(), [])

    def test_a_list_that_is_not_confirmed_gets_old(self):
        self.domain_extra = 'stale_after = "1s"'
        self.script("echo user\n")
        self.start()
        self.script("exit 1\n")
        wait_for("an alarm", lambda: any("stale_after" in a for a in self.alarms()))
        self.assertEqual(self.rcpt("user@example.test"), 250)

    # Commands

    def test_sync_says_how_it_went(self):
        self.refresh = "30d"
        self.write("list", "user\n!never\n@\n")
        self.source = f'"{self.path("list")}"'
        self.start()
        rows = self.ctl_json("recipients", "list", "EXAMPLE.test")["recipients"]
        self.assertEqual({r["address"]: r["kind"] for r in rows},
                         {"user@example.test": "address", "!never@example.test": "never", "@": "all"})
        self.write("list", "user\nother\n@\n")
        row = self.ctl_json("recipients", "sync")["domains"][0]
        self.assertEqual((row["domain"], row["state"], row["entries"]), ("example.test", "good", 3))
        self.assertIn("other@example.test", self.entries())
        self.write("list", "not a word\n")
        row = self.ctl_json("recipients", "sync", "example.test", code=1)["domains"][0]
        self.assertEqual(row["state"], "failed")
        self.assertIn("list:1: ", row["problem"])
        for verb in ("list", "sync", "diff", "accept", "sources"):
            self.ctl("recipients", verb, "other.test", code=4)
        self.ctl("recipients", "import", "example.test", "/dev/null", code=2)
        self.stop()
        self.ctl("recipients", "sync", code=3)
        self.assertEqual(len(self.entries()), 3)
        self.assertEqual(self.sources()[0]["state"], "failed")

    def test_a_long_list_is_listed_whole(self):
        self.recipients = [f"user{n:05}" for n in range(5000)]
        self.source = f'"{self.path("rcpt")}"'
        self.start()
        self.assertEqual(self.entries(), [f"user{n:05}@example.test" for n in range(5000)])


class Relay:
    """Hands connections to one address on to another."""

    def __init__(self, ip, to):
        self.to = to
        self.s = socket.create_server((ip, PORT))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                a, _ = self.s.accept()
            except OSError:
                return
            b = socket.create_connection((self.to, PORT))
            for x, y in ((a, b), (b, a)):
                threading.Thread(target=self.copy, args=(x, y), daemon=True).start()

    @staticmethod
    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        a.close()
        b.close()

    def stop(self):
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()


if __name__ == "__main__":
    mxtest.main()
