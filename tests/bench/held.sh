#!/bin/bash
# Does good mail pass as fast while thousands of sessions are held open that do nothing, and thousands that send
# an octet a second? The rate without and with them, in turn, from a fresh daemon each time; and what such a
# session costs the daemon in memory, in clear and within TLS.
# usage: held.sh [RUNS]    (default 3)
# $HELD_IDLE (5000), $HELD_SLOW (1000): sessions; $HELD_LOAD (20000 messages), $HELD_BYTES (10240), 20 sessions
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
runs=${1:-3}
idle=${HELD_IDLE:-5000}
slow=${HELD_SLOW:-1000}
load=${HELD_LOAD:-20000}
bytes=${HELD_BYTES:-10240}
MAXCONN=$((idle + slow + 100))
write_recipients
build_tools
load_peer mxholdd
mkdir -p "$DATA" "$CACHE/$PEER"
setup
ulimit -n "$(ulimit -Hn)"
notes=$(mktemp -d)
finish() {
    stop
    end_group
    rm -rf "$notes"
}
trap finish EXIT

fresh() {
    stop
    end_group
    rm -rf "${QUEUE:?}"
    start
    banner "$MX_PORT" 30
    sleep 1
}
generator() { "$TOOLS/smtp_load" -d -s 20 -m "$load" -l "$bytes" -n 10000 127.0.0.1 "$MX_PORT"; }

# hold NAME [OPTION] COUNT: they are open when it returns. let_go NAME: how many still were.
declare -A held_in held_out
hold() {
    local name=$1 count=${*: -1} in out ready
    shift
    mkfifo "$notes/$name.in" "$notes/$name.out"
    "$TOOLS/smtp_idle" "${@:1:$#-1}" "$MX_PORT" "$count" 120 <"$notes/$name.in" >"$notes/$name.out" &
    exec {in}>"$notes/$name.in" {out}<"$notes/$name.out"
    held_in[$name]=$in held_out[$name]=$out
    read -r ready _ <&"$out"
    [[ $ready -eq $count ]] || die "$name: only $ready of $count sessions were let in"
}
let_go() {
    local in=${held_in[$1]} out=${held_out[$1]} still
    exec {in}>&-
    read -r still <&"$out"
    exec {out}<&-
    rm "$notes/$1.in" "$notes/$1.out"
    STILL=$still
}

key="idle=$idle slow=$slow bytes=$bytes"
# take RUN WHICH: the good mail; RATE is what it was.
take() {
    local rate p50 p99 cpu
    cpu=$(cpu_used)
    generator >"$notes/load"
    record held "$key" "$1" "$2_cpu_s_per_1000" "$(calc "($(cpu_used) - $cpu) * 1000 / $load")" >&2
    read -r rate _ p50 p99 _ <"$notes/load"
    record held "$key" "$1" "$2_messages_per_s" "$rate" >&2
    record held "$key" "$1" "$2_p50_ms" "$p50" >&2
    record held "$key" "$1" "$2_p99_ms" "$p99" >&2
    RATE=$rate
}
both_rates() { # RUN
    local held alone
    fresh
    take "$1" without
    alone=$RATE
    fresh
    hold idle "$idle"
    hold slow -d "$slow"
    take "$1" with
    record held "$key" "$1" percent "$(calc "100 * $RATE / $alone")" >&2
    let_go slow
    held=$STILL
    let_go idle
    record held "$key" "$1" still_held "$((held + STILL))" >&2
}
pss() { memory | cut -d' ' -f1; }
session_cost() { # RUN NAME OPTION...
    local run=$1 name=$2 base
    shift 2
    fresh
    base=$(pss)
    hold "$name" "$@" "$idle"
    sleep 3
    record held "idle=$idle" "$run" "${name}_kib_each" "$(calc "($(pss) - $base) / $idle")" >&2
    let_go "$name"
    [[ $STILL -eq $idle ]] || die "$name: not all were held"
}

for ((run = 1; run <= runs; run++)); do
    both_rates "$run"
    session_cost "$run" plain
    session_cost "$run" tls -t
done

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
value() { awk -F '\t' -v m="$1" '$1 == "mxholdd" && $2 == "held" && $5 == m { print $6 }' "$RESULTS" | tail -n "$runs" | median; }
row_of() {
    printf '%.0f | %.1f | %.1f | %.3f' "$(value "$1_messages_per_s")" "$(value "$1_p50_ms")" \
        "$(value "$1_p99_ms")" "$(value "$1_cpu_s_per_1000")"
}
printf '| sessions held | messages/s | p50, ms | p99, ms | CPU of the daemon, s a 1,000 |\n|---|---|---|---|---|\n'
printf '| none | %s |\n' "$(row_of without)"
printf '| %d idle, %d dripping | %s |\n' "$idle" "$slow" "$(row_of with)"
printf '\nThe rate with them, to that without: %.0f %% (median of %d pairs). Still held afterwards: %.0f.\n' \
    "$(value percent)" "$runs" "$(value still_held)"
printf '\n| an idle session | KiB |\n|---|---|\n'
printf '| in clear | %.1f |\n| within TLS | %.1f |\n' "$(value plain_kib_each)" "$(value tls_kib_each)"
