"""What goes from the daemon to systemd, seen through a socket of our own."""
import os
import socket
import subprocess
import sys

import mxtest


class Notify(mxtest.Case):
    def listen(self, abstract=False):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = self.path("notify")
        s.bind("\0" + name if abstract else name)
        s.settimeout(mxtest.LIMIT)
        self.addCleanup(s.close)
        return s, ("@" if abstract else "") + name

    def until(self, sock, word):
        seen = []
        while True:
            seen.append(sock.recv(4096).decode())
            if word in seen[-1].split("\n"):
                return seen

    def test_ready_comes_when_the_door_is_open_and_stopping_at_the_end(self):
        for abstract in (False, True):
            with self.subTest(abstract=abstract):
                sock, name = self.listen(abstract)
                self.start(wait=False, env={"NOTIFY_SOCKET": name})
                self.until(sock, "READY=1")
                self.assertTrue(mxtest.is_open(self.ip, self.SMTP))
                self.daemon.terminate()
                self.until(sock, "STOPPING=1")
                self.stop()

    def test_a_reload_says_reloading_with_a_time_and_ready(self):
        sock, name = self.listen()
        self.start(wait=False, env={"NOTIFY_SOCKET": name})
        self.until(sock, "READY=1")
        for broken in (False, True):
            if broken:
                self.domain_extra = "nonsense = 1"
            self.configure()
            self.daemon.send_signal(1)
            seen = self.until(sock, "RELOADING=1")
            self.assertRegex(seen[-1], r"MONOTONIC_USEC=\d+")
            self.until(sock, "READY=1")

    def test_the_watchdog_is_fed(self):
        sock, name = self.listen()
        self.start(wait=False, env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"})
        for _ in range(3):
            self.until(sock, "WATCHDOG=1")

    def test_another_process_watchdog_is_left_alone(self):
        sock, name = self.listen()
        self.start(wait=False, env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000",
                                    "WATCHDOG_PID": str(os.getpid())})
        self.until(sock, "READY=1")
        sock.settimeout(2)
        with self.assertRaises(TimeoutError):
            self.until(sock, "WATCHDOG=1")


class Activation(mxtest.Case):
    """Sockets handed over: LISTEN_FDS, as systemd does it."""

    def test_a_socket_that_was_handed_over_is_served(self):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((self.ip, 2600))
        s.listen(16)
        conf = self.configure()
        script = ("import os,sys; os.dup2(int(sys.argv[1]),3); os.set_inheritable(3,True); "
                  "os.environ['LISTEN_PID']=str(os.getpid()); os.environ['LISTEN_FDS']='1'; "
                  "os.execv(sys.argv[2],sys.argv[2:])")
        with open(self.log_file, "ab") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, "-c", script, str(s.fileno()),
                 os.path.join(mxtest.BIN, "mxholdd"), "-c", conf],
                pass_fds=(s.fileno(),), stderr=log, stdout=log)
        c = mxtest.Smtp(self.ip, 2600)
        self.assertEqual(c.mail(mxtest.message())[0], 250)
        c.close()
        self.assertFalse(mxtest.is_open(self.ip, self.SMTP))
        self.stop()
        # the socket itself still listens: it is the manager's
        with socket.create_connection((self.ip, 2600), 5):
            pass
        s.close()


if __name__ == "__main__":
    mxtest.main()
