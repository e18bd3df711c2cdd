"""The queue taken out, put in, packed, checked and looked back at."""
import json
import os
import shutil
import subprocess
import threading
import time

import mxtest
from mxtest import message, wait_for


class Trace(mxtest.Case):
    def events_of(self, *args):
        return self.ctl_json("trace", *args)["events"]

    def test_trace_tells_what_became_of_mail_newest_first(self):
        self.start()
        primary = self.primary()
        qid = self.send(message(1), sender="one@a.test")
        self.send(message(2), sender="two@a.test", rcpts=("other@example.test",))
        self.wait_delivered(primary, 2)
        self.wait_empty()
        for stopped in (False, True):
            if stopped:
                self.stop()
            got = self.events_of("one@a.test")
            self.assertEqual([e["what"] for e in got], ["forwarded", "kept"])
            for key in ("at", "id", "what", "sender", "recipient", "message_id", "text"):
                self.assertIn(key, got[0])
            self.assertEqual({e["id"] for e in got}, {qid})
            self.assertEqual(self.events_of(qid), got)
            self.assertEqual(self.events_of(got[0]["message_id"]), got)
            self.assertEqual(self.events_of(got[0]["message_id"].strip("<>")), got)
            self.assertEqual(len(self.events_of("@example.test", "--since", "1h")), 4)
            self.assertIn("forwarded", self.ctl("-o", "table", "trace", qid))
            self.ctl("trace", "nobody@example.test", code=4)
            self.ctl("trace", code=2)
            self.ctl("trace", qid, "--since", "soon", code=2)
            self.ctl("queue", "list", "--since", "1h", code=2)


class Moving(mxtest.Case):
    """queue export, queue import."""

    def export(self, *args, code=0, to="out"):
        return json.loads(self.ctl("-o", "json", "queue", "export", "--dir",
                                   self.path(to), *args, code=code) or "null")

    def take(self, *args, code=0, where="out"):
        return json.loads(self.ctl("-o", "json", *args, "queue", "import", "--dir",
                                   self.path(where), code=code) or "null")

    def file(self, name, where="out"):
        with open(os.path.join(self.path(where), name), "rb") as f:
            return f.read()

    def envelope(self, qid, where="out"):
        return json.loads(self.file(qid + ".json", where))

    def names(self, where="out"):
        return sorted(os.listdir(self.path(where)))

    def complaints(self, *args):
        p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                            self.path("mxholdd.conf"), *args],
                           capture_output=True, check=False, timeout=120)
        return p.returncode, p.stderr.decode()

    def new_host(self):
        """The same configuration, and nothing kept."""
        self.stop()
        shutil.rmtree(self.path("state"))
        self.start()

    def fill(self):
        """Small, large and held; what `msg raw` says of each."""
        ids = [self.send(message(1), sender="one@a.test", rcpts=(
                   "user@example.test", "other@example.test"),
                   params=" RET=HDRS ENVID=abc+2B",
                   rcpt_params=" NOTIFY=FAILURE,DELAY ORCPT=rfc822;u@x.test"),
               self.send(message(2, 1000000), sender=""),
               self.send(message(3, 261120)),
               self.send(message(4))]
        self.ctl("--yes", "queue", "hold", ids[3])
        return ids, [self.ctl("msg", "raw", qid, raw=True) for qid in ids]

    def test_export_writes_content_and_envelope_up_and_down(self):
        self.start()
        ids, raws = self.fill()
        for where in ("up", "down"):
            if where == "down":
                self.stop()
            got = self.export(to=where)
            self.assertEqual((got["messages"], got["failed"]), (4, 0))
            self.assertEqual(got["bytes"], sum(map(len, raws)))
            self.assertEqual(self.names(where), sorted(
                [i + ".eml" for i in ids] + [i + ".json" for i in ids]))
            for qid, raw in zip(ids, raws):
                self.assertEqual(self.file(qid + ".eml", where), raw)
                self.assertEqual(self.envelope(qid, where)["size"], len(raw))
            env = self.envelope(ids[0], where)
            self.assertEqual(env["sender"], "one@a.test")
            self.assertEqual((env["ret"], env["envid"]), ("HDRS", "abc+2B"))
            self.assertEqual([r["address"] for r in env["recipients"]],
                             ["user@example.test", "other@example.test"])
            self.assertEqual(env["recipients"][0]["orcpt"], "rfc822;u@x.test")
            self.assertEqual(env["recipients"][0]["notify"], ["FAILURE", "DELAY"])
            self.assertEqual(env["recipients"][0]["destination"], "example.test")
            self.assertEqual((env["client"], env["helo"], env["protocol"]),
                             (self.ip, "client.test", "ESMTP"))
            self.assertEqual(self.envelope(ids[3], where)["state"], "held")
            self.assertEqual(os.stat(self.path(where)).st_mode & 0o777, 0o700)

    def test_export_takes_a_filter(self):
        self.start()
        ids, _ = self.fill()
        self.assertEqual(self.export("--from", "one@a.test")["messages"], 1)
        self.assertEqual(self.export(ids[3], to="two")["messages"], 1)
        self.assertEqual(self.names("two"), [ids[3] + ".eml", ids[3] + ".json"])
        self.ctl("queue", "export", self.path("three"), "--state", "held")
        self.assertEqual(len(self.names("three")), 2)
        self.ctl("queue", "export", "--dir", self.path("x"), "--older", "2h", code=4)
        self.ctl("queue", "export", code=2)
        self.ctl("queue", "list", "--dir", self.path("x"), code=2)
        self.assertEqual(self.count(), 4)

    def test_export_overwrites_nothing(self):
        self.start()
        ids, _ = self.fill()
        self.export(ids[0], ids[3])
        again = self.export(ids[0], ids[3])
        self.assertEqual((again["messages"], again["present"]), (0, 2))
        with open(self.path(f"out/{ids[0]}.eml"), "ab") as f:
            f.write(b"mine")
        code, text = self.complaints("queue", "export", "--dir", self.path("out"),
                                     ids[0], ids[3])
        self.assertEqual(code, 6)
        self.assertIn(ids[0] + ".eml", text)
        self.assertTrue(self.file(ids[0] + ".eml").endswith(b"mine"))
        self.assertEqual(len(self.names()), 4)

    def test_import_elsewhere_gives_the_primary_the_same_mail(self):
        self.start()
        ids, raws = self.fill()
        self.export()
        for stopped in (False, True):
            self.new_host()
            if stopped:
                self.stop()
            got = self.take()
            self.assertEqual((got["imported"], got["failed"]), (4, 0))
            self.assertEqual(got["bytes"], sum(map(len, raws)))
            again = self.take()
            self.assertEqual((again["imported"], again["present"]), (0, 4))
            rows = self.listed()
            self.assertEqual(len(rows), 4)
            self.assertFalse({r["id"] for r in rows} & set(ids))
            self.assertEqual([r["state"] for r in rows].count("held"), 1)
            self.ctl("queue", "verify")
            told = self.ctl_json("trace", ids[0])["events"]
            self.assertEqual([e["what"] for e in told], ["imported"] * 2)
            self.assertEqual(told[0]["text"], ids[0])
            self.assertEqual(told[0]["id"], rows[0]["id"])
            if not stopped:
                self.assertEqual(len(self.events("message.imported")), 4)
            # what is exported from here says what it said there
            self.export(to=f"again{stopped}")
            for old, row in zip(ids, rows):
                a = self.envelope(old)
                b = self.envelope(row["id"], f"again{stopped}")
                for e in (a, b):
                    del e["id"]
                    for volatile in ("attempts", "state", "reason"):
                        e.pop(volatile)
                    for r in e["recipients"]:
                        for volatile in ("attempts", "last_attempt_at", "reply", "remote"):
                            r.pop(volatile)
                self.assertEqual(a, b)
        primary = self.primary()
        self.start()
        self.wait_delivered(primary, 3)
        self.assertEqual(sorted(primary.contents()), sorted(raws[:3]))
        row = next(r for r in primary.index() if r["from"] == "<one@a.test>"
                   or "one@a.test" in str(r["from"]))
        self.assertIn("other@example.test", str(row))
        self.ctl("--yes", "queue", "release", "--all")
        self.wait_delivered(primary, 4)
        self.wait_empty()
        # delivered since: still not taken again
        self.assertEqual(self.take()["present"], 4)
        self.assertEqual(self.count(), 0)

    def test_import_where_it_never_left_adds_nothing(self):
        self.start()
        ids, _ = self.fill()
        self.export()
        self.assertEqual(self.take()["present"], 4)
        self.ctl("--yes", "queue", "delete", ids[2])
        got = self.take()
        self.assertEqual((got["imported"], got["present"]), (1, 3))
        self.assertEqual(self.count(), 4)

    def test_a_recipient_that_was_delivered_is_not_tried_again(self):
        primary = self.primary("rcptmix")
        self.domain_extra = 'drain { retry_message = {"1h"} }'
        self.start()
        qid = self.send(message(), rcpts=("user@example.test", "other@example.test"))
        wait_for("one of two", lambda: [r["state"] for row in self.listed()
                                        for r in row["recipients"]] ==
                 ["delivered", "pending"])
        primary.stop()
        self.export()
        self.new_host()
        self.take()
        self.assertEqual([r["state"] for r in self.listed()[0]["recipients"]],
                         ["delivered", "pending"])
        later = self.primary(name="later")
        self.wait_delivered(later, 1)
        self.assertNotIn("user@example.test", str(later.index()[0]["rcpt"]))
        self.assertTrue(qid)

    def test_bad_files_are_named_and_the_rest_goes_on(self):
        self.start()
        ids, _ = self.fill()
        self.export()
        extra = [self.send(message(n)) for n in range(6)]
        self.export(*extra)
        self.new_host()
        os.unlink(self.path(f"out/{extra[0]}.json"))
        os.unlink(self.path(f"out/{extra[1]}.eml"))
        for qid, change in ((extra[2], lambda e: e.update(sender="no address")),
                            (extra[3], lambda e: e["recipients"][0].pop("address")),
                            (extra[4], lambda e: e.update(v=2))):
            env = self.envelope(qid)
            change(env)
            self.write(f"out/{qid}.json", json.dumps(env))
        self.write("out/nonsense.json", "{")
        with open(self.path(f"out/{extra[5]}.eml"), "r+b") as f:
            f.seek(200)
            f.write(b"!")
        with open(self.path(f"out/{ids[1]}.eml"), "ab") as f:
            f.write(b"more")
        for stopped in (False, True):
            if stopped:
                self.ctl("--yes", "queue", "delete", "--all")
                self.new_host()
                self.stop()
            code, text = self.complaints("queue", "import", self.path("out"))
            self.assertEqual(code, 6, text)
            for name in (extra[0] + ".eml", extra[1] + ".eml", extra[2] + ".json",
                         extra[3] + ".json", extra[4] + ".json", extra[5] + ".eml",
                         "nonsense.json", ids[1] + ".eml"):
                self.assertIn(name + ": ", text)
            self.assertEqual(len(text.splitlines()), 8, text)
            self.assertEqual(self.count(), 3)
            self.ctl("queue", "verify")

    def test_dry_run_takes_nothing(self):
        self.start()
        self.fill()
        self.export()
        self.new_host()
        self.assertEqual(self.take("--dry-run")["imported"], 4)
        self.assertEqual(self.count(), 0)

    def test_import_leaves_the_reserve_alone_up_and_down(self):
        self.start()
        self.send(message())
        self.export()
        self.new_host()
        self.stop()
        self.write("mxholdd.conf", self.config_text().replace(
            'reserve = "1M"', 'reserve = "1000T"'))
        with open(self.log_file, "ab") as log:
            self.daemon = subprocess.Popen(
                [os.path.join(mxtest.BIN, "mxholdd"), "-c", self.path("mxholdd.conf")],
                stderr=log, stdout=log)
        wait_for("the door", lambda: mxtest.is_open(self.ip, self.SMTP))
        for stopped in (False, True):
            if stopped:
                self.stop()
            code, text = self.complaints("queue", "import", self.path("out"))
            self.assertEqual(code, 1, text)
            self.assertIn("no room in the queue", text)
            self.assertEqual(self.count(), 0)

    def test_import_says_what_is_missing(self):
        self.start()
        os.mkdir(self.path("empty"))
        self.ctl("queue", "import", self.path("empty"), code=4)
        self.ctl("queue", "import", self.path("nowhere"), code=1)
        self.ctl("queue", "import", code=2)
        self.send(message())
        self.export()
        self.stop()
        shutil.rmtree(self.path("state"))
        self.assertIn("no queue", self.complaints("queue", "import", self.path("out"))[1])
        self.assertFalse(os.path.exists(self.path("state")))

    def test_a_client_that_goes_away_leaves_nothing_behind(self):
        self.start()
        self.send(message(1, 3000000))
        self.export()
        self.new_host()
        args = [os.path.join(mxtest.BIN, "mxholdctl"), "-c", self.path("mxholdd.conf"),
                "queue", "import", self.path("out")]
        for n in range(12):
            p = subprocess.Popen(args, stdout=subprocess.DEVNULL)
            time.sleep(0.003 * n)
            p.kill()
            p.wait()
        self.assertEqual(self.take()["failed"], 0)
        self.assertEqual(self.count(), 1)
        self.ctl("queue", "verify")

    def test_a_daemon_killed_in_an_import_takes_the_rest_later(self):
        self.start()
        self.fill()
        self.export()
        for point in ("after-commit-before-250:3", "before-commit:4", "chunk-put:100"):
            self.stop()
            shutil.rmtree(self.path("state"))
            self.start(env={"MXHOLDD_FAIL": point})
            code, text = self.complaints("queue", "import", self.path("out"))
            if code == 0:
                self.skipTest("built without MX_FAILPOINTS")
            self.assertIn(code, (3, 6), text)
            self.daemon.wait()
            self.daemon = None
            self.start()
            before = self.count()
            got = self.take()
            self.assertEqual((got["imported"], got["present"]), (4 - before, before))
            self.assertEqual(self.count(), 4)
            self.ctl("queue", "verify")

    def test_an_operator_who_is_not_the_daemon_may_export_and_import(self):
        if os.getuid() != 0:
            self.skipTest("needs root to become somebody else")
        self.start()
        qid = self.send(message())
        self.stop()
        subprocess.run(["chown", "-R", "65534:65534", self.path("state")], check=True)
        os.chmod(self.top, 0o711)
        os.mkdir(self.path("mine"), 0o700)
        self.export(to="mine/out")
        self.assertEqual(os.stat(self.path(f"mine/out/{qid}.eml")).st_uid, 0)
        self.ctl("queue", "verify")
        self.assertEqual(self.take(where="mine/out")["present"], 1)
        for folder, _, files in os.walk(self.path("state/queue")):
            for name in files:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_uid, 65534)


class Compact(mxtest.Case):
    def size(self):
        return os.path.getsize(self.path("state/queue/data.mdb"))

    def fill(self, megabytes):
        """One message, and the room that others took."""
        qid = self.send(message(1))
        gone = [self.send(message(2, 1 << 20)) for _ in range(megabytes)]
        self.ctl("--yes", "queue", "delete", *gone)
        wait_for("their content to be swept", lambda: self.ctl_json(
            "status")["disk"]["queue_used_bytes"] < 2 << 20)
        return qid, gone[-1]

    def test_compact_shrinks_the_file_and_loses_nothing(self):
        self.start()
        qid, last = self.fill(8)
        raw = self.ctl("msg", "raw", qid, raw=True)
        shown = self.ctl_json("msg", "show", qid)
        p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                            self.path("mxholdd.conf"), "queue", "compact"],
                           capture_output=True, check=False, timeout=60)
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"stop it", p.stderr)
        self.stop()
        before = self.size()
        dry = self.ctl_json("--dry-run", "queue", "compact")
        self.assertEqual((dry["before_bytes"], self.size()), (before, before))
        got = self.ctl_json("queue", "compact")
        self.assertEqual(got["before_bytes"], before)
        self.assertEqual(got["after_bytes"], self.size())
        self.assertLess(got["after_bytes"], 1 << 20)
        self.assertEqual(got["messages"], 1)
        self.assertIn("->", self.ctl("-o", "table", "queue", "compact"))
        self.ctl("queue", "verify")
        self.start()
        self.assertEqual(self.ctl("msg", "raw", qid, raw=True), raw)
        again = self.ctl_json("msg", "show", qid)
        self.assertEqual(again["recipients"][0]["address"],
                         shown["recipients"][0]["address"])
        self.assertGreater(self.send(message(3)), last)
        primary = self.primary()
        self.wait_delivered(primary, 2)

    def test_the_daemon_compacts_a_mostly_empty_file_at_start(self):
        self.start()
        qid, _ = self.fill(70)
        self.stop()
        self.assertGreater(self.size(), 64 << 20)
        self.start()
        self.assertEqual(len(self.events("queue.compacted")), 1)
        self.assertLess(self.size(), 1 << 20)
        self.assertEqual(self.ctl("-o", "id", "queue", "list").split(), [qid])
        self.ctl("queue", "verify")

    def test_killed_at_any_moment_the_queue_is_whole(self):
        self.start()
        for n in range(30):
            self.send(message(n, 1 << 20))
        self.stop()
        count = self.count()
        args = [os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                self.path("mxholdd.conf"), "queue", "compact"]
        killed = 0
        for n in range(20):
            p = subprocess.Popen(args, stdout=subprocess.DEVNULL)
            time.sleep(0.004 * n)
            p.kill()
            killed += p.wait() != 0
            self.ctl("queue", "verify")
            self.assertEqual(self.count(), count)
        self.assertTrue(killed)
        self.start()
        self.ctl("queue", "verify")
        self.assertFalse(os.path.exists(self.path("state/queue/data.mdb.new")))


class Verify(mxtest.Case):
    SHAPE = {"v", "messages", "recipients", "chunks", "bytes", "due_rows", "problems",
             "found"}

    def send_until(self, done, seed):
        """Mail of every size, some of it half sent."""
        n = 0
        while not done.is_set():
            n += 1
            with self.client() as c:
                size = (0, 3000, 70000, 600000)[(n + seed) % 4]
                self.assertEqual(c.mail(message(n, size), rcpts=(
                    "user@example.test", "other@example.test")[:1 + n % 2])[0], 250)
            if n % 5 == 0:
                with self.client() as c:
                    c.cmd("MAIL FROM:<half@a.test>")
                    c.cmd("RCPT TO:<user@example.test>")
                    c.cmd("DATA")
                    c.send(message(n, 900000))

    def act_until(self, done):
        """What operators do to the queue, whether something matches or not."""
        acts = (("hold", "--limit", "7", "--all"), ("release", "--state", "held"),
                ("delete", "--size", "+300K", "--limit", "9"), ("retry", "--all"))
        n = 0
        while not done.is_set():
            p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                                self.path("mxholdd.conf"), "--yes", "queue",
                                *acts[n % len(acts)]], capture_output=True, check=False)
            self.assertIn(p.returncode, (0, 4, 6), p.stderr)
            n += 1

    def test_verify_beside_a_busy_daemon_raises_no_false_alarm(self):
        primary = self.primary("rcpt=450%20", "drop=dot%5")
        self.start()
        done, failures = threading.Event(), []

        def guarded(fn, *args):
            try:
                fn(*args)
            except Exception as e:      # pylint: disable=broad-except
                failures.append(e)
                done.set()
        threads = [threading.Thread(target=guarded, args=a) for a in (
            (self.send_until, done, 0), (self.send_until, done, 2),
            (self.act_until, done))]
        for t in threads:
            t.start()
        looks = []
        try:
            while (len(looks) < 40 or len(primary.index()) < 30) and not done.is_set():
                looks.append(self.ctl_json("queue", "verify"))
        finally:
            done.set()
            for t in threads:
                t.join()
        self.assertEqual(failures, [])
        for got in looks:
            self.assertEqual(set(got), self.SHAPE)
            self.assertEqual((got["problems"], got["found"]), (0, []))
        self.assertTrue(any(got["messages"] for got in looks))
        self.stop()
        self.ctl("queue", "verify")

    def test_verify_finds_a_changed_octet_up_and_down(self):
        self.start()
        mark = b"a sentence that stands nowhere else"
        qid = self.send(message(1, extra=b"X-Mark: " + mark + b"\r\n"))
        self.send(message(2))
        self.stop()
        path = self.path("state/queue/data.mdb")
        with open(path, "rb") as f:
            data = f.read()
        with open(path, "wb") as f:
            f.write(data.replace(mark, mark.swapcase()))
        for stopped in (True, False):
            if not stopped:
                self.start()
            got = self.ctl_json("queue", "verify", code=1)
            self.assertEqual(set(got), self.SHAPE)
            self.assertEqual((got["messages"], got["problems"]), (2, 1))
            self.assertIn(qid, got["found"][0])
            self.assertIn("checksum", got["found"][0])
            self.assertIn(qid, self.ctl("-o", "table", "queue", "verify", code=1))
        # nor does a damaged message leave by an export
        p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                            self.path("mxholdd.conf"), "queue", "export", "--dir",
                            self.path("out")], capture_output=True, check=False)
        self.assertEqual(p.returncode, 6)
        self.assertIn(f"{qid}.eml: its content in the queue is damaged".encode(), p.stderr)
        self.assertEqual(len(os.listdir(self.path("out"))), 2)


    def test_a_damaged_directory_hides_no_mail(self):
        self.start()
        qid = self.send(message())
        self.stop()
        with open(self.path("state/directory/data.mdb"), "wb") as f:
            f.write(b"no database" * 10000)
        self.assertEqual(self.count(), 1)
        self.assertEqual(self.ctl_json("queue", "verify")["messages"], 1)
        self.ctl("queue", "export", "--dir", self.path("out"))
        self.assertIn(f"{qid}.json", os.listdir(self.path("out")))
        p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                            self.path("mxholdd.conf"), "status"],
                           capture_output=True, check=True)
        self.assertEqual(json.loads(p.stdout)["queue"]["messages"], 1)
        self.assertIn(b"state/directory: ", p.stderr)


class Versions(mxtest.Case):
    def patch(self, old, new):
        """Rows of meta where they stand in the file."""
        path = self.path("state/queue/data.mdb")
        with open(path, "rb") as f:
            data = f.read()
        self.assertIn(old, data)
        with open(path, "wb") as f:
            f.write(data.replace(old, new))

    def test_a_queue_of_a_newer_version_is_refused_and_left_alone(self):
        self.start()
        self.send(message())
        self.stop()
        for good, newer in ((b"format\x01\0\0\0\1", b"format\x01\0\0\0\2"),
                            (b"format\x01\0\0\0\1", b"format\x02\0\0\0\1"),
                            (b"state\x01", b"state\x02")):
            self.patch(good, newer)
            p = subprocess.run([os.path.join(mxtest.BIN, "mxholdd"), "-c",
                                self.path("mxholdd.conf")],
                               capture_output=True, check=False, timeout=60)
            self.assertEqual(p.returncode, 1, p.stderr)
            self.assertIn(b"newer version of this program", p.stderr)
            for args in (("status",), ("queue", "count"), ("queue", "verify")):
                p = subprocess.run([os.path.join(mxtest.BIN, "mxholdctl"), "-c",
                                    self.path("mxholdd.conf"), *args],
                                   capture_output=True, check=False, timeout=60)
                self.assertEqual(p.returncode, 1, p.stderr)
                self.assertIn(b"newer version of this program", p.stderr)
            self.patch(newer, good)
        self.start()
        self.assertEqual(self.count(), 1)


if __name__ == "__main__":
    mxtest.main()
