"""Debian's Postfix as an instance of `unpacked`: where it listens, what it
does with mail, and in which network is the owner's choice."""
import os

import unpacked

PACKAGE = "postfix"
POSTFIX, POSTDROP = 5101, 5102


def why_not():
    return unpacked.why_not(PACKAGE)


class Postfix(unpacked.Instance):
    """One instance that listens on ip:port. `settings` go into main.cf."""

    PACKAGE = PACKAGE
    USERS = (("postfix", POSTFIX), ("postdrop", POSTDROP))

    def __init__(self, top, name, ip, port, settings, netns=None):
        super().__init__(top, name, netns)
        self.ip, self.port = ip, port
        self.spool()
        self.master_cf()
        # In a namespace all: smtpd dies without the address of a link that is
        # down, and its master starts no other for a minute.
        self.write("etc/postfix/main.cf", f"""compatibility_level = 3.6
myhostname = {name}.test
inet_interfaces = {'all' if netns else 'loopback-only'}
inet_protocols = ipv4
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
maillog_file = /var/log/postfix.log
biff = no
smtp_bind_address = {ip}
{settings}
""")
        self.start()

    def spool(self):
        self.folder("var/spool/postfix/pid")
        for d in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                  "incoming", "private", "saved", "trace"):
            self.folder("var/spool/postfix/" + d, POSTFIX, 0, 0o700)
        self.folder("var/spool/postfix/public", POSTFIX, POSTDROP, 0o710)
        self.folder("var/spool/postfix/maildrop", POSTFIX, POSTDROP, 0o730)
        self.folder("var/lib/postfix", POSTFIX, POSTFIX)
        self.folder("var/mail", POSTFIX, POSTFIX)

    def master_cf(self):
        with open(os.path.join(self.root, "usr/share/postfix/master.cf.dist"),
                  encoding="utf-8") as f:
            lines = f.read().splitlines()
        out, seen = [], False
        for line in lines:
            words = line.split()
            if line[:1] in ("#", " ") or len(words) < 8:
                out.append(line)
                continue
            if words[:2] == ["smtp", "inet"]:
                words[0] = f"{self.ip}:{self.port}"
            words[4] = "n"          # no chroot: the files a jail needs are not there
            seen = seen or words[0] == "postlog"
            out.append(" ".join(words))
        if not seen:
            out.append("postlog unix-dgram n - n - 1 postlogd")
        self.write("etc/postfix/master.cf", "\n".join(out) + "\n")

    def start(self):
        self.spawn("/usr/lib/postfix/sbin/master", "-d")

    def log(self):
        return self.read("var/log/postfix.log")
