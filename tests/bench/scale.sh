#!/bin/bash
# How cost grows with the queue: fills one to each length in turn with 4 KiB
# messages and notes what starting, looking and accepting cost at that length.
# usage: scale.sh [LENGTH...]   (default 1000 10000 100000 1000000; about 10
# minutes and 6 GB in $MXBENCH_DATA). Prints a Markdown table; lines go to
# $MXBENCH_RESULTS too, from which plot.sh draws.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[[ $# -gt 0 ]] || set -- 1000 10000 100000 1000000
write_recipients
build_tools
load_peer mxholdd
mkdir -p "$DATA"
setup
trap 'stop; end_group' EXIT

load() { "$TOOLS/smtp_load" -d -s 100 -m "$1" -l 4096 -n 10000 127.0.0.1 "$MX_PORT"; }
ms() { # COMMAND...: median of five, in milliseconds
	local start
	for _ in 1 2 3 4 5; do
		start=$(now)
		"$@" >/dev/null
		calc "($(now) - $start) * 1000"
		echo
	done | sort -g | sed -n 3p
}
private_mib() {
	pids | sed 's|.*|/proc/&/smaps_rollup|' | xargs cat |
		awk '/^Private_Dirty:/ { p += $2 } END { printf "%.1f", p / 1024 }'
}
# From exec to the first 250 after a final dot.
first_accept() {
	local start
	stop
	end_group
	start=$(now)
	start
	until "$TOOLS/smtp_load" -s 1 -m 1 -l 4096 127.0.0.1 "$MX_PORT" >/dev/null 2>&1; do
		sleep 0.005
	done
	calc "($(now) - $start) * 1000"
}

rm -rf "$STATE"
start
banner "$MX_PORT" 30
have=0
burst=2500 # with three of them, the shortest lengths are still apart
printf '| messages | start to first accept, ms | private memory, MiB | queue count, ms | status, ms | first page of queue list, ms | accepts, messages/s | disk, bytes a message |\n'
printf '|---|---|---|---|---|---|---|---|\n'
for want in "$@"; do
	((want - 1 <= have)) || load $((want - have - 1)) >/dev/null
	have=$want
	first=$(first_accept)
	count=$(ms ctl -o json queue count)
	status=$(ms ctl -o json status)
	page=$(ms ctl -o table queue list --limit 100)
	rate=$(for _ in 1 2 3; do load "$burst" | cut -d' ' -f1; done | sort -g | sed -n 2p)
	have=$((have + 3 * burst))
	memory=$(private_mib)
	disk=$(calc "$(du -s -B1 "$QUEUE" | cut -f1) / $have")
	key="messages=$want bytes=4096"
	{
		record scale "$key" 1 first_accept_ms "$first"
		record scale "$key" 1 count_ms "$count"
		record scale "$key" 1 status_ms "$status"
		record scale "$key" 1 page_ms "$page"
		record scale "$key" 1 messages_per_s "$rate"
		record scale "$key" 1 private_mib "$memory"
		record scale "$key" 1 disk_per_message "$disk"
	} >&2
	printf '| %d | %.0f | %s | %.1f | %.1f | %.1f | %.0f | %.0f |\n' \
		"$want" "$first" "$memory" "$count" "$status" "$page" "$rate" "$disk"
done

# Rates some minutes apart say little on a noisy machine: so pairs, the long
# queue and an empty one in turn.
burst_from_cold() {
	start
	banner "$MX_PORT" 30
	load 500 >/dev/null
	load "$burst" | cut -d' ' -f1
	stop
	end_group
}
stop
end_group
ratio=$(for _ in 1 2 3 4 5 6 7; do
	long=$(burst_from_cold)
	mv "$STATE/state" "$STATE/long"
	empty=$(burst_from_cold)
	rm -rf "$STATE/state"
	mv "$STATE/long" "$STATE/state"
	calc "100 * $long / $empty"
	echo
done | sort -g | sed -n 4p)
record scale "messages=$want bytes=4096" 1 percent_of_empty "$ratio" >&2
printf '\nAcceptance with %d messages queued, to that with an empty queue, in turn: %.0f %% (median of seven pairs).\n' \
	"$want" "$ratio"
