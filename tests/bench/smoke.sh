#!/bin/bash
# Do the bench programs still work against this build? A few messages each;
# what is checked is that all were kept, never how fast.
# usage: smoke.sh BUILD_FOLDER
set -euo pipefail
build=$1
dir=$(mktemp -d)
daemon=
finish() {
	[[ -z $daemon ]] || kill "$daemon" 2>/dev/null || true
	wait
	rm -rf "$dir"
}
trap finish EXIT

mkdir "$dir/store"
"$build/tests/bench/store_bench" "$dir/store" 10240 16 0.2

# An address of its own, so that no port is anybody else's.
ip=127.$((RANDOM % 254 + 1)).$((RANDOM % 256)).$((RANDOM % 254 + 1))
for n in {1..10}; do echo "${n}user@example.test"; done >"$dir/recipients"
for n in {0..9}; do echo "user$n@example.test"; done >>"$dir/recipients"
cat >"$dir/conf" <<END
hostname = "mx2.example.test"
state_dir = "$dir/state"
conf_dir = "$dir/domains.d"
listen "smtp" { address = "$ip:2525" }
smtp { max_sessions_per_ip = 100 }
policy { max_rate = 1000000 }
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

load() { "$build/tests/bench/smtp_load" -n 10 "$@" "$ip" 2525; }
if ! { load -s 1 -m 5 -l 1024 && load -s 10 -m 100 -l 10240 &&
	load -d -s 10 -m 100 -l 1024 && load -d -s 2 -m 4 -l 1048576; }; then
	cat "$dir/log" >&2
	exit 1
fi
"$build/tests/bench/recipients_bench" lookup "$dir/state" example.test 10 0.2
"$build/tests/bench/recipients_bench" rcpt "$ip" 2525 example.test 10 0.2
# All let in, all still held.
for options in "" "-t" "-d" "-t -d"; do
	# shellcheck disable=SC2086
	held=$("$build/tests/bench/smtp_idle" $options -a "$ip" 2525 20 60 </dev/null)
	[[ $held == "20 "*$'\n20' ]] || {
		echo "smoke: smtp_idle $options: $held" >&2
		exit 1
	}
done
kept=$("$build/bin/mxholdctl" -c "$dir/conf" -o json queue count |
	sed -n 's/.*"messages": *\([0-9]*\).*/\1/p')
[[ $kept -eq 209 ]] || {
	echo "smoke: 209 messages sent, $kept kept" >&2
	exit 1
}
kill "$daemon"
wait "$daemon"
daemon=
echo "smoke: $kept messages kept"
