"""Debian's Postfix, Exim and OpenSMTPD as primaries for example.test: they
know user, other, third, later, never and postmaster, put mail into maildirs, say 450 to
later until take_later() and 550 to never."""
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import postfix  # pylint: disable=wrong-import-position
import unpacked  # pylint: disable=wrong-import-position

USERS = ("user", "other", "third", "later", "never", "postmaster")
LATER, NEVER = "later@example.test", "never@example.test"


class Mailboxes:
    """What all of them have in common: maildirs under /var/mail."""

    def boxes(self):
        return self.path("var/mail")

    def arrived(self):
        """(recipient, time, content) of each file in a mailbox."""
        for user in USERS:
            new = os.path.join(self.boxes(), user, "new")
            if not os.path.isdir(new):
                continue
            for name in os.listdir(new):
                file = os.path.join(new, name)
                try:
                    with open(file, "rb") as f:
                        yield f"{user}@example.test", os.fstat(f.fileno()).st_mtime, f.read()
                except FileNotFoundError:
                    pass

    def count(self):
        total = 0
        for user in USERS:
            new = os.path.join(self.boxes(), user, "new")
            total += len(os.listdir(new)) if os.path.isdir(new) else 0
        return total


class PostfixPrimary(Mailboxes, postfix.Postfix):
    def __init__(self, top, name, ip, netns):
        boxes = ",".join(f"{u}@example.test={u}/" for u in USERS)
        self.access_in = os.path.join(top, name, "var/access")
        os.makedirs(os.path.dirname(self.access_in), exist_ok=True)
        self.refuse(f"{LATER} 450 4.2.0 not now", f"{NEVER} 550 5.7.1 never")
        super().__init__(top, name, ip, 25, f"""
virtual_mailbox_domains = example.test
virtual_mailbox_maps = inline:{{{boxes}}}
virtual_mailbox_base = /var/mail
virtual_uid_maps = static:{postfix.POSTFIX}
virtual_gid_maps = static:{postfix.POSTFIX}
virtual_mailbox_limit = 0
smtpd_recipient_restrictions = reject_unauth_destination,
    check_recipient_access texthash:/var/access
# Thousands of messages at once, from one client.
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
virtual_destination_concurrency_limit = 20
""", netns)

    def refuse(self, *lines):
        with open(self.access_in, "w", encoding="ascii") as f:
            f.write("".join(line + "\n" for line in lines))

    def take_later(self):
        self.refuse(f"{NEVER} 550 5.7.1 never")
        master = unpacked.child_of(unpacked.child_of(self.p.pid))
        os.kill(master, signal.SIGHUP)


class EximPrimary(Mailboxes, unpacked.Instance):
    PACKAGE = "exim4-daemon-heavy"
    EXIM = 5101
    USERS = (("Debian-exim", EXIM),)

    def __init__(self, top, name, ip, netns):
        super().__init__(top, name, netns)
        self.ip = ip
        # The key alone would leave $local_part_data empty.
        self.write("var/users", "".join(f"{u}: {u}\n" for u in USERS))
        self.write("var/later", LATER + "\n")
        self.write("var/never", NEVER + "\n")
        for d in ("var/spool/exim4", "var/log/exim4", "run/exim4", "var/mail"):
            self.folder(d, self.EXIM, self.EXIM)
        self.write("etc/exim4/exim4.conf", f"""
primary_hostname = {name}.test
local_interfaces = {ip}
daemon_smtp_ports = 25
domainlist local_domains = example.test
acl_smtp_rcpt = check_rcpt
never_users =
keep_environment =
log_file_path = /var/log/exim4/%slog
rfc1413_query_timeout = 0s
tls_advertise_hosts =
host_lookup =
split_spool_directory = true
# Thousands of messages at once, from one client: none waits for a queue run.
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0

begin acl
check_rcpt:
  defer   message = 450 4.2.0 not now
          recipients = lsearch;/var/later
  deny    message = 550 5.7.1 never
          recipients = lsearch;/var/never
  require domains = +local_domains
  accept

begin routers
mailbox:
  driver = accept
  domains = +local_domains
  local_parts = lsearch;/var/users
  transport = maildir

begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = /var/mail/$local_part_data
  create_directory
  user = Debian-exim
  group = Debian-exim

begin retry
*  *  F,2h,1m
""")
        self.start()

    def start(self):
        self.spawn("exim4", "-bdf", "-q1m")

    def take_later(self):
        self.write("var/later", "")

    def log(self):
        return self.read("var/log/exim4/mainlog") + self.read("output")


class OpensmtpdPrimary(Mailboxes, unpacked.Instance):
    PACKAGE = "opensmtpd"
    QUEUE, MAIL = 5102, 5103
    USERS = (("opensmtpd", 5101), ("opensmtpq", QUEUE), ("vmail", MAIL))

    def __init__(self, top, name, ip, netns):
        super().__init__(top, name, netns)
        self.ip = ip
        self.write("var/users", "".join(
            f"{u} {self.MAIL}:{self.MAIL}:/var/mail/{u}\n" for u in USERS))
        self.write("var/known", "".join(f"{u}@example.test\n" for u in USERS))
        self.write("var/later", LATER + "\n")
        self.write("var/never", NEVER + "\n")
        self.folder("var/spool/smtpd", mode=0o711)
        self.folder("var/lib/opensmtpd/empty")
        for u in USERS:
            self.folder("var/mail/" + u, self.MAIL, self.MAIL)
        # The package does this when it is installed.
        smtpctl = os.path.join(self.root, "usr/sbin/smtpctl")
        os.chown(smtpctl, 0, self.QUEUE)
        os.chmod(smtpctl, 0o2755)
        self.write("etc/resolv.conf", "nameserver 127.0.0.1\nlookup file\n"
                   "options timeout:1 attempts:1\n")
        self.write("etc/smtpd.conf", f"""
table users file:/var/users
table known file:/var/known
table later file:/var/later
table never file:/var/never
filter later phase rcpt-to match rcpt-to <later> reject "450 4.2.0 not now"
filter never phase rcpt-to match rcpt-to <never> reject "550 5.7.1 never"
filter both chain {{ later, never }}
listen on {ip} port 25 hostname {name}.test filter both
action store maildir "/var/mail/%{{dest.user}}" userbase <users>
match from any for rcpt-to <known> action store
""")
        self.start()

    def start(self):
        self.spawn("smtpd", "-d")

    def take_later(self):
        self.write("var/later", "nobody@example.test\n")
        self.run("smtpctl", "update", "table", "later",
                 stdout=subprocess.DEVNULL)

    def log(self):
        return self.read("output")


KINDS = {"postfix": PostfixPrimary, "exim": EximPrimary, "opensmtpd": OpensmtpdPrimary}
