#!/bin/bash
# The main job of mxholdd, shown on this machine: installs what is missing,
# builds, and plays an outage on loopback ports in a temporary directory.
# Nothing is installed but Debian packages; nothing stays running.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
die() {
	echo "demo: $*" >&2
	[[ -f ${top:-}/mxholdd.log ]] && tail -5 "$top/mxholdd.log" >&2
	exit 1
}

say "1. Build (Debian packages that are missing are installed first)"
tests/support/deps.sh demo
cmake --workflow --preset release >build-demo.log 2>&1 || {
	cat build-demo.log
	die "the build failed"
}
rm -f build-demo.log
echo "built build/release/bin/mxholdd and mxholdctl"

# An ordinary user runs the daemon, also when root runs the demo.
top=$(mktemp -d /tmp/mxhold-demo.XXXXXX)
chmod 755 "$top"
cp build/release/bin/mxholdd build/release/bin/mxholdctl "$top/"
as_user=()
if [[ $(id -u) -eq 0 ]]; then
	as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chown 65534:65534 "$top"
fi
ip=127.$((RANDOM % 250 + 2)).$((RANDOM % 250)).$((RANDOM % 250 + 2))
smtp=$ip:2525 primary=$ip:2526
daemon_pid='' primary_pid=''
end() {
	[[ -z $daemon_pid ]] || kill "$daemon_pid" 2>/dev/null || true
	[[ -z $primary_pid ]] || kill "$primary_pid" 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$top"
}
trap end EXIT

cat >"$top/mxholdd.conf" <<END
hostname  = "mx2.example.test"
state_dir = "$top/state"
conf_dir  = "$top/domains.d"
listen "smtp" { address = "$smtp" }
control { socket = "$top/control.sock" }
queue { reserve = "64M" }

domain "example.test" {
    primary    = "$primary"
    recipients = "$top/example.test.rcpt"
}
END
printf 'anna\nbert\n' >"$top/example.test.rcpt"

ctl() { "${as_user[@]}" "$top/mxholdctl" -c "$top/mxholdd.conf" "$@"; }
is_open() { (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; }
start_daemon() {
	"${as_user[@]}" "$top/mxholdd" -c "$top/mxholdd.conf" \
		2>>"$top/mxholdd.log" &
	daemon_pid=$!
	for _ in {1..100}; do
		is_open "$smtp" && return
		kill -0 "$daemon_pid" 2>/dev/null || die "mxholdd did not start"
		sleep 0.1
	done
	die "mxholdd does not answer on $smtp"
}
queued() { ctl -o json queue count | sed 's/.*"messages": *\([0-9]*\).*/\1/'; }

say "2. Start mxholdd on $smtp; its primary, $primary, is down"
echo "the configuration:"
sed -n '/^domain/,$p' "$top/mxholdd.conf"
start_daemon

say "3. Senders come to us: five messages with attachments and non-ASCII"
python3 - "$top" <<'END'
import os
import sys
from email.message import EmailMessage
from email.policy import SMTP

subjects = ["Grüße aus Köln", "見積書の件", "Quarterly figures", "Счёт № 17", "hello"]
for n, subject in enumerate(subjects, 1):
    m = EmailMessage(policy=SMTP)
    m["From"], m["To"] = "Zoë Sender <zoe@sender.test>", "anna@example.test"
    m["Subject"], m["Message-ID"] = subject, f"<demo-{n}@sender.test>"
    m.set_content(f"Dear Anna,\n\n{subject}!\n.\nA line with one dot stands above.\n")
    if n > 1:
        m.add_attachment(os.urandom(30000 * n), maintype="application",
                         subtype="pdf", filename=f"étude-{n}.pdf")
    with open(f"{sys.argv[1]}/sent-{n}.eml", "wb") as f:
        f.write(m.as_bytes())
END
for n in 1 2 3 4 5; do
	curl -sS --url "smtp://$smtp/sender.test" --mail-from zoe@sender.test \
		--mail-rcpt anna@example.test --mail-rcpt bert@example.test \
		--upload-file "$top/sent-$n.eml" || die "message $n was refused"
done
echo "sent five messages to anna and bert with curl"

say "4. What is not ours is refused at once"
for rcpt in nobody@example.test somebody@elsewhere.test; do
	if said=$(curl -sSv --url "smtp://$smtp/sender.test" --mail-from zoe@sender.test \
		--mail-rcpt "$rcpt" --upload-file "$top/sent-1.eml" 2>&1); then
		die "$rcpt was accepted"
	fi
	echo "$rcpt: $(grep -o '< 5.*' <<<"$said" | head -1 | tr -d '\r')"
done

say "5. kill -9, and start again: a 250 means on disk"
{
	kill -9 "$daemon_pid"
	wait "$daemon_pid" || true
} 2>/dev/null
start_daemon
[[ $(queued) -eq 5 ]] || die "the queue holds $(queued) messages, not 5"
ctl -o table status
ctl -o table queue list

say "6. The primary comes back; nobody tells mxholdd"
began=$EPOCHREALTIME
mkdir "$top/primary"
python3 tests/support/fakeprimary.py --listen "$primary" --store "$top/primary" \
	--log "$top/primary.log" >"$top/primary.out" &
primary_pid=$!
for _ in {1..600}; do
	have=$(find "$top/primary" -name '*.eml' | wc -l)
	[[ $have -ge 5 && $(queued) -eq 0 ]] && break
	sleep 0.1
done
took=$(awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $began }")
[[ $have -eq 5 ]] || die "only $have of 5 messages arrived within a minute"
echo "all five arrived, $took s after the primary's return"

say "7. Whole, byte for byte, but for our Received line"
python3 - "$top" <<'END'
import glob
import re
import sys

sent = {open(f, "rb").read() for f in glob.glob(sys.argv[1] + "/sent-*.eml")}
for f in sorted(glob.glob(sys.argv[1] + "/primary/*.eml")):
    got = open(f, "rb").read()
    trace = re.match(rb"Received: .*\r\n(?:[ \t].*\r\n)*", got)
    body = got[trace.end():] if trace else got
    if body not in sent:
        sys.exit("a message was changed on its way")
    sent.discard(body)
    last = trace.group(0)
print("five of five are equal; our line on the last one:\n" + last.decode())
END
ctl -o table status

kill "$daemon_pid"
wait "$daemon_pid" || die "mxholdd ended with $?"
daemon_pid=
say "Done. Mail was kept while the primary was away, survived a kill, and was
handed over $took s after the primary's return. README.md says how to run it."
