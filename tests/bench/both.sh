#!/bin/bash
# Does draining slow acceptance, and the reverse? Acceptance alone (the primary is away), draining alone, then
# both at once, always with a queue of the same length to begin with. Rates of "both" are taken while both are
# under way: from the first to the last 250 of the load.
# usage: both.sh [RUNS]    (default 3; needs "peers.sh setup postfix" for smtp-sink; about 1 GB in $MXBENCH_DATA)
# $BOTH_PEER (mxholdd), $BOTH_QUEUE (40000 messages), $BOTH_LOAD (10000 messages), $BOTH_BYTES (10240)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
runs=${1:-3}
queue=${BOTH_QUEUE:-40000}
load=${BOTH_LOAD:-10000}
bytes=${BOTH_BYTES:-10240}
write_recipients
build_tools
load_peer "${BOTH_PEER:-mxholdd}"
mkdir -p "$DATA" "$CACHE/$PEER"
setup
notes=$(mktemp -d)
SINK=
finish() {
    [[ -z $SINK ]] || kill "$SINK" 2>/dev/null || true
    stop
    end_group
    rm -rf "$notes"
}
trap finish EXIT

generator() { "$TOOLS/smtp_load" -d -s 20 -m "$1" -l "$bytes" -n 10000 127.0.0.1 "$MX_PORT"; }
filled() {
    stop
    end_group
    rm -rf "${QUEUE:?}"
    start
    banner "$MX_PORT" 30
    generator "$queue" >/dev/null
    sleep 2 # first attempts fail, as they have in any real outage
}
# back MESSAGES: the primary is there again; $notes/trace tells what it got when.
back() {
    open_sink "$1" 300 "$notes/drained" "$notes/trace"
    flush >/dev/null
}
# drained FROM TO: messages a second that the primary got between two times.
drained() {
    awk -v from="$1" -v to="$2" '
        $1 <= from { t0 = $1; n0 = $2 }
        $1 > from && !t0 { t0 = $1; n0 = $2 }
        $1 <= to { t1 = $1; n1 = $2 }
        END { printf("%.1f", (t1 > t0) ? (n1 - n0) / (t1 - t0) : 0) }' "$notes/trace"
}
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

key="queue=$queue bytes=$bytes"
for ((run = 1; run <= runs; run++)); do
    filled
    generator "$load" >"$notes/accept"
    record both "$key" "$run" accept_alone "$(cut -d' ' -f1 "$notes/accept")" >&2
    record both "$key" "$run" accept_alone_p99_ms "$(cut -d' ' -f4 "$notes/accept")" >&2

    filled
    back "$queue"
    close_sink
    read -r first last count <"$notes/drained"
    record both "$key" "$run" drain_alone "$(calc "$count / ($last - $first)")" >&2

    filled
    back $((queue + load))
    sleep 1 # past the canary and the ramp
    began=$(now)
    generator "$load" >"$notes/accept"
    ended=$(now)
    close_sink
    read -r first last count <"$notes/drained"
    record both "$key" "$run" accept_both "$(cut -d' ' -f1 "$notes/accept")" >&2
    record both "$key" "$run" accept_both_p99_ms "$(cut -d' ' -f4 "$notes/accept")" >&2
    record both "$key" "$run" drain_both "$(drained "$began" "$ended")" >&2
    record both "$key" "$run" delivered_minus_queued $((count - queue - load)) >&2
done

value() { awk -F '\t' -v p="$PEER" -v k="$key" -v m="$1" '$1 == p && $2 == "both" && $3 == k && $5 == m { print $6 }' "$RESULTS" | tail -n "$runs" | median; }
printf '| | alone, messages/s | both at once, messages/s | ratio |\n|---|---|---|---|\n'
for what in accept drain; do
    alone=$(value "${what}_alone")
    both=$(value "${what}_both")
    printf '| %s | %.0f | %.0f | %.0f %% |\n' "$what" "$alone" "$both" "$(calc "100 * $both / $alone")"
done
