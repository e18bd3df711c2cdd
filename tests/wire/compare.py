"""How soon mail is at its primary after an outage: mxholdd beside Postfix as
the backup, with its default schedule and with an impatient one. All three
hold 1,000 messages through the same outage of the same Postfix primary."""
import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
import traceback

import lab
import primaries
import scene
import unpacked
from mxtest import is_open, wait_for

sys.path.insert(0, os.path.join(scene.HERE, "..", "support"))
import postfix  # pylint: disable=wrong-import-position

# Each backup has a recipient of its own, so that a look at mailboxes tells.
BACKUPS = {"mxholdd": "user", "Postfix": "other", "Postfix, impatient": "third"}
STEP = 5    # seconds by which outages differ: probes come every 15
IMPATIENT = """
queue_run_delay = 15s
minimal_backoff_time = 15s
maximal_backoff_time = 60s
"""


class PostfixBackup(postfix.Postfix):
    def __init__(self, top, name, port, settings, netns):
        super().__init__(top, name, lab.MX_IP, port, f"""
relay_domains = example.test
relay_recipient_maps =
transport_maps = inline:{{example.test=relay:[{lab.HOP_IP}]:25}}
smtpd_relay_restrictions = reject_unauth_destination
maximal_queue_lifetime = 5d
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
{settings}
""", netns)

    def queued(self):
        top, names = self.path("var/spool/postfix"), set()
        for d in ("incoming", "active", "deferred"):
            for _, _, files in os.walk(os.path.join(top, d)):
                names.update(files)
        return len(names)


class Client(scene.Client):
    def __init__(self, network, port, backup):
        super().__init__(network, lab.MX_IP, port, backup.replace(", ", "-"))
        self.rcpt = BACKUPS[backup] + "@example.test"

    def rcpts_of(self, n):
        return [self.rcpt]

    def noted(self, text):
        return text     # whatever it calls it


class Race:
    """One run: its laboratory, and what came of each backup."""

    def __init__(self, name):
        self.top = tempfile.mkdtemp(prefix="mxhold-wire.")
        os.chmod(self.top, 0o755)
        self.lab = lab.Lab(name)
        self.parts, self.backups, self.clients = [], {}, {}
        self.lab.up()
        self.primary = self.add(primaries.PostfixPrimary(self.top, "primary", lab.HOP_IP,
                                                         self.lab.hop))
        wait_for("the primary", lambda: self.is_open(lab.HOP_IP, 25))
        daemon = self.add(scene.Daemon(self.top, self.lab, ""))
        daemon.start()
        wait_for("the primary's state", lambda: daemon.state() == "up")
        self.backups = {
            "mxholdd": daemon,
            "Postfix": self.add(PostfixBackup(self.top, "backup", 26, "", self.lab.mx)),
            "Postfix, impatient": self.add(
                PostfixBackup(self.top, "eager", 27, IMPATIENT, self.lab.mx)),
        }
        for backup, port in zip(BACKUPS, (25, 26, 27)):
            wait_for(backup, lambda p=port: self.is_open(lab.MX_IP, p))
            self.clients[backup] = Client(self.lab, port, backup)

    def add(self, part):
        self.parts.append(part)
        return part

    def is_open(self, ip, port):
        with self.lab.inside(self.lab.mx):
            return is_open(ip, port)

    def close(self):
        for part in reversed(self.parts):
            part.stop()
        self.lab.down()
        scene.shutil.rmtree(self.top, ignore_errors=True)

    def box(self, backup):
        return os.path.join(self.primary.boxes(), BACKUPS[backup], "new")

    def arrived(self, backup):
        return len(os.listdir(self.box(backup))) if os.path.isdir(self.box(backup)) else 0

    def run(self, count, outage, limit):
        for backup, client in self.clients.items():
            client.send(1)
            wait_for("a first message", lambda b=backup: self.arrived(b) == 1)
        self.lab.fault("drop")
        cut = time.time()
        threads = [threading.Thread(target=c.send, args=(count,))
                   for c in self.clients.values()]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for backup, part in self.backups.items():
            if part.queued() != count:
                raise AssertionError(f"{backup} holds {part.queued()} of {count}")
        time.sleep(max(0, cut + outage - time.time()))
        returned = time.time()
        self.lab.ok()
        while time.time() < returned + limit and \
                any(self.arrived(b) <= count for b in BACKUPS):
            time.sleep(0.5)
        return {b: self.figures(b, returned) for b in BACKUPS}

    def figures(self, backup, returned):
        """(first, last, how many), each sent message once, as it was."""
        times, names = [], set()
        for rcpt, when, content in self.primary.arrived():
            if rcpt != self.clients[backup].rcpt:
                continue
            name = scene.name_of(content)
            sent = self.clients[backup].sent[name].content.replace(b"\r\n", b"\n")
            if name in names or not content.endswith(sent):
                raise AssertionError(f"{backup}: {name} came twice or was changed")
            names.add(name)
            if when > returned:
                times.append(when - returned)
        return min(times, default=None), max(times, default=None), len(times)


def races(a):
    out, threads = [], []

    def go(i):
        race = None
        try:
            time.sleep(i * 10)      # so that they do not return together
            race = Race(f"mxc{os.getpid()}n{i}")
            got = race.run(a.messages, a.outage + i * STEP, a.limit)
            out.append(got)
            for backup, (first, last, n) in got.items():
                print(f"run {i + 1}: {backup}: {n} messages, first "
                      f"{seconds(first)}, last {seconds(last)}", flush=True)
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            if race:
                race.close()

    for i in range(a.runs):
        threads.append(threading.Thread(target=go, args=(i,)))
        threads[-1].start()
    for t in threads:
        t.join()
    return out


def seconds(value):
    return "-" if value is None else f"{value:.1f} s"


def middle(values):
    """Median (lowest-highest), or what is missing."""
    if not values or None in values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--outage", type=float, default=90)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--limit", type=float, default=1200)
    p.add_argument("--messages", type=int, default=1000)
    a = p.parse_args()
    why = lab.why_not() or unpacked.why_not(postfix.PACKAGE)
    if why:
        print(f"skipped: {why}")
        return 0
    out = races(a)
    longest = a.outage + (a.runs - 1) * STEP
    print(f"\n| {a.outage:.0f} to {longest:.0f} s away, {len(out)} runs |"
          f" first of {a.messages}, s | last, s | arrived |\n|---|---|---|---|")
    for b in BACKUPS:
        got = [run[b] for run in out]
        # The last counts only where all had come within the limit.
        print(f"| {b} | {middle([g[0] for g in got])} | "
              f"{middle([g[1] if g[2] == a.messages else None for g in got])} | "
              f"{min((g[2] for g in got), default=0)} |", flush=True)
    return 0 if len(out) == a.runs else 1


if __name__ == "__main__":
    sys.exit(main())
