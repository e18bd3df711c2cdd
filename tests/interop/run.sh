#!/bin/bash
# Other people's tools against the running daemon: swaks and testssl.sh, both
# from Debian, which must be installed (tests/support/deps.sh interop).
# usage: run.sh [BUILD_FOLDER [swaks|testssl]]    (default build/check, both)
# Ends with "N passed, N failed"; what testssl.sh found is printed as well.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${1:-$root/build/check}
[[ $# -le 1 ]] || what=$2
dir=$(mktemp -d)
daemon=
passed=0 failed=0
finish() {
	[[ -z $daemon ]] || kill "$daemon" 2>/dev/null || true
	wait
	rm -rf "$dir"
}
trap finish EXIT

# An address of its own, so that no port is anybody else's.
ip=127.$((RANDOM % 254 + 1)).$((RANDOM % 256)).$((RANDOM % 254 + 1))
printf '%s\n' user@example.test other@example.test >"$dir/recipients"
cat >"$dir/conf" <<END
hostname = "mx2.example.test"
state_dir = "$dir/state"
conf_dir = "$dir/domains.d"
listen "smtp" { address = "$ip:2525" }
smtp { max_sessions_per_ip = 1000  max_size = "2M" }
policy { max_rate = 1000000  unknown_budget = 100000 }
queue { reserve = "1M"  map_size = "1G" }
dns { trust_anchor = "none" }
control { socket = "$dir/control.sock" }
domain "example.test" {
	primary = "$ip:2526"
	recipients = "$dir/recipients"
}
END
"$build/bin/mxholdd" -c "$dir/conf" >"$dir/log" 2>&1 &
daemon=$!
answers() { (exec 3<>"/dev/tcp/$ip/2525") 2>/dev/null; }
for _ in {1..600}; do
	answers && break
	sleep 0.05
done

ctl() { "$build/bin/mxholdctl" -c "$dir/conf" -o json "$@"; }
kept() { ctl queue count | sed -n 's/.*"messages": *\([0-9]*\).*/\1/p'; }

# judge NAME GOOD(0|1)
judge() {
	if [[ $2 -eq 1 ]]; then
		passed=$((passed + 1))
		printf 'ok      %s\n' "$1"
	else
		failed=$((failed + 1))
		printf 'FAILED  %s\n' "$1"
		sed 's/^/        /' "$dir/said" | tail -25
	fi
}

# ---- swaks ----

# say NAME STATUS KEPT OPTION...: swaks must end with that status, and that
# many messages more must be kept.
say() {
	local name=$1 wanted=$2 more=$3 status=0 before
	shift 3
	before=$(kept)
	swaks --server "$ip:2525" --helo client.test --from sender@client.test \
		--to user@example.test "$@" >"$dir/said" 2>&1 </dev/null || status=$?
	[[ $status -eq $wanted ]] || echo "(status $status, not $wanted)" >>"$dir/said"
	judge "swaks: $name" \
		$((status == wanted && $(kept) - before == more ? 1 : 0))
}

run_swaks() {
	printf '.\r\n..\r\nline\r\n' >"$dir/dots"
	head -c 1500000 /dev/zero | tr '\0' 'x' | fold -w 76 >"$dir/large"
	head -c 3000000 /dev/zero | tr '\0' 'x' | fold -w 76 >"$dir/too-large"
	printf 'Gr\303\274\303\237e\r\n' >"$dir/utf8"

	say "a message" 0 1
	say "a message by HELO" 0 1 --protocol SMTP
	say "pipelined" 0 1 --pipeline
	say "two recipients" 0 1 --to user@example.test,other@example.test
	say "one of two recipients is unknown" 0 1 --to user@example.test,nobody@example.test
	say "the null sender" 0 1 --from '<>'
	say "an attachment" 0 1 --attach @"$dir/utf8"
	say "lines with dots" 0 1 --body @"$dir/dots"
	say "1.5 MB" 0 1 --body @"$dir/large"
	say "a header of 8 bits" 0 1 --header "Subject: Grüße" --body @"$dir/utf8"
	say "an address literal in EHLO" 0 1 --helo '[192.0.2.1]'
	say "postmaster" 0 1 --to postmaster@example.test
	say "quit behind RCPT" 0 0 --quit-after RCPT

	say "STARTTLS" 0 1 --tls
	say "STARTTLS, TLS 1.2" 0 1 --tls --tls-protocol tlsv1_2
	say "STARTTLS, TLS 1.3" 0 1 --tls --tls-protocol tlsv1_3
	say "STARTTLS, pipelined" 0 1 --tls --pipeline
	say "STARTTLS, another name asked for" 0 1 --tls --tls-sni other.test
	say "STARTTLS, TLS 1.1 is refused" 29 0 --tls --tls-protocol tlsv1_1
	say "TLS without STARTTLS is refused" 29 0 --tlsc

	say "relaying is refused" 24 0 --to user@out.test
	say "the percent hack is refused" 24 0 --to user%out.test@example.test
	say "an unknown recipient is refused" 24 0 --to nobody@example.test
	say "AUTH is not offered" 28 0 --auth PLAIN --auth-user u --auth-password p
	say "3 MB are refused by size" 26 0 --body @"$dir/too-large"
	say "a stranger's XCLIENT is refused" 33 0 --xclient 'ADDR=192.0.2.1'
	say "a stranger's PROXY is no client's name" 25 0 --proxy-version 1 --proxy-family TCP4 \
		--proxy-source 192.0.2.1 --proxy-source-port 1 \
		--proxy-dest 192.0.2.2 --proxy-dest-port 25
}

# ---- testssl.sh ----

# What testssl.sh may find, and why that is well:
#   cert_*, overall_*, grade_*   the certificate that the daemon makes for
#                                itself has nobody's trust
#   cipherlist_AVERAGE, LUCKY13  CBC suites for old servers, whose other choice
#                                would be to send in clear
expected='(cert_\w+|overall_grade|grade_cap_reason\w*|cipherlist_AVERAGE|LUCKY13)'

run_testssl() {
	local status=0
	testssl --quiet --color 0 --warnings off --starttls smtp --nodns none \
		--jsonfile "$dir/found.json" "$ip:2525" >"$dir/said" 2>&1 || status=$?
	judge "testssl.sh: it came through" \
		$((status < 128 && $(grep -c '"id"' "$dir/found.json") > 60 ? 1 : 0))
	python3 - "$dir/found.json" "$expected" >"$dir/said" <<'END'
import collections
import json
import re
import sys
rows = json.load(open(sys.argv[1], encoding="utf-8"))
print(", ".join(f"{n} {what}" for what, n in sorted(
    collections.Counter(row["severity"] for row in rows).items())))
for row in rows:
    if row["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL"):
        known = re.fullmatch(sys.argv[2], row["id"])
        print("expected  " if known else "UNEXPECTED", row["severity"], row["id"], row["finding"])
END
	judge "testssl.sh: it found nothing new" "$((! $(grep -c ^UNEXPECTED "$dir/said" || true)))"
	cat "$dir/said"
	say "a message after it all" 0 1
}

for tool in ${what:-swaks testssl}; do
	command -v "$tool" >/dev/null || {
		echo "interop: $tool is not installed" >&2
		exit 1
	}
	"run_$tool"
done
kill "$daemon"
wait "$daemon" || {
	failed=$((failed + 1))
	echo "FAILED  the daemon ended with $?"
}
daemon=
printf 'interop: %d passed, %d failed\n' "$passed" "$failed"
[[ $failed -eq 0 ]]
