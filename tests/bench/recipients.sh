#!/bin/bash
# A list of 10 million recipients: how long it takes to load, what a look-up costs, and whether sessions notice
# when another list takes its place.
# usage: recipients.sh [NAMES]    (default 10000000; some 3 GB in $MXBENCH_DATA). Prints a Markdown table.
# shellcheck disable=SC2034  # PEER: record names it
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
names=${1:-10000000}
seconds=${RECIPIENTS_SECONDS:-20}
PEER=mxholdd
port=12990
cmake --build "$MXHOLD_BIN/.." --target recipients_bench >/dev/null
bench=$MXHOLD_BIN/../tests/bench/recipients_bench
top=$DATA/recipients
rm -rf "$top"
mkdir -p "$top"
trap 'kill $daemon 2>/dev/null; wait; rm -rf "$top"' EXIT
daemon=

# In no order: 15485863 is a prime and divides no such number.
awk -v n="$names" 'BEGIN { for (i = 0; i < n; i++) printf "user%d\n", (i * 15485863) % n }' >"$top/list"
cat >"$top/conf" <<END
hostname = "mx2.example.test"
state_dir = "$top/state"
conf_dir = ""
listen "smtp" { address = "127.0.0.1:$port" }
policy { max_rate = 100000000 }
queue { reserve = "1M"  max_bytes = "1G"  map_size = "2G" }
dns { trust_anchor = "none" }
control { socket = "$top/control.sock" }
domain "example.test" {
    primary = "127.0.0.1:$((port + 1))"
    recipients = "$top/list"
    refresh = "30d"
}
END

start() {
    "$MXHOLD_BIN/mxholdd" -c "$top/conf" 2>>"$top/log" &
    daemon=$!
    banner $port 600 || die "mxholdd does not start"
}
synced() { grep -c 'event=recipients.synced' "$top/log"; }
ms_of_last() { sed -n 's/.*event=recipients.synced.* ms=\([0-9]*\).*/\1/p' "$top/log" | tail -1; }
row() { printf '| %s | %s |\n' "$1" "$2"; }

began=$(now)
start
first=$(printf %.1f "$(calc "$(now) - $began")")
load_ms=$(ms_of_last)
memory=$(awk '/^Pss:/ { print $2 }' "/proc/$daemon/smaps_rollup")
disk=$(du -k "$top/state/directory/data.mdb" | cut -f1)
read -r lookups mean p50 p99 < <("$bench" lookup "$top/state" example.test "$names" "$seconds")
read -r _ quiet_p50 quiet_p99 quiet_max < <("$bench" rcpt 127.0.0.1 $port example.test "$names" "$seconds")

# Another list, one longer, while a session goes on.
echo "user$names" >>"$top/list"
"$bench" rcpt 127.0.0.1 $port example.test "$names" 0 >"$top/busy" &
load=$!
sleep 1
began=$(now)
"$MXHOLD_BIN/mxholdctl" -c "$top/conf" -q recipients sync
reload=$(printf %.1f "$(calc "$(now) - $began")")
kill -TERM $load
wait $load
[[ $(synced) == 2 ]] || die "the new list was not taken"
read -r rcpts busy_p50 busy_p99 busy_max <"$top/busy"
# The same again, but without LMDB: what a copy of the list costs the sessions that share these cores.
"$bench" rcpt 127.0.0.1 $port example.test "$names" 0 >"$top/sort" &
load=$!
sleep 1
LC_ALL=C sort -S 64M -T "$top" "$top/list" >"$top/sorted"
kill -TERM $load
wait $load
read -r _ sort_p50 sort_p99 sort_max <"$top/sort"
kill $daemon
wait $daemon
began=$(now)
start
again=$(printf %.2f "$(calc "$(now) - $began")")

record recipients "names=$names" 1 lookup_us "$mean" >&2
record recipients "names=$names" 1 load_ms "$load_ms" >&2
record recipients "names=$names" 1 reload_rcpt_p99_us "$busy_p99" >&2
printf '| %s recipients | |\n|---|---|\n' "$names"
row "look-up in the directory, half of them unknown: mean, p50, p99 ($lookups look-ups)" "$mean, $p50, $p99 µs"
row "first load, file to switch" "$(printf %.1f "$(calc "$load_ms / 1000")") s"
row "start to banner with that load" "$first s"
row "start to banner with the list unchanged" "$again s"
row "reload of a list that changed" "$reload s"
row "RCPT without a reload: p50, p99, max" "$quiet_p50, $quiet_p99, $quiet_max µs"
row "RCPT during the reload: p50, p99, max ($rcpts)" "$busy_p50, $busy_p99, $busy_max µs"
row "RCPT beside sort(1) of the same file: p50, p99, max" "$sort_p50, $sort_p99, $sort_max µs"
row "directory on disk after the first load" "$((disk / 1024)) MiB"
row "memory of the daemon after the first load (PSS)" "$((memory / 1024)) MiB"
