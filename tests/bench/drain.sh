#!/bin/bash
# How fast is a queue handed over when the primary is back? Messages of 10 KiB to smtp-sink, all peers in turn:
# Postfix over 20 connections (its default) and over 8, Exim, OpenSMTPD, mxholdd over its default 8; beside them what
# smtp-sink takes over 8 connections from smtp-source, and from smtp_load, which pipelines as mxholdd does.
# usage: drain.sh [RUNS]    (default $RUNS or 3; seven minutes; needs "peers.sh setup")
# $DRAIN_MESSAGES (10000); $DRAIN_EXIM (1000) and $DRAIN_OPENSMTPD (200), as they take their time; $DRAIN_SETTLE (5),
# the seconds between the last message and the primary's return
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
runs=${1:-${RUNS:-3}}
export DRAIN_MESSAGES=${DRAIN_MESSAGES:-10000} DRAIN_SETTLE=${DRAIN_SETTLE:-5}
write_recipients
build_tools
mkdir -p "$DATA"

# drained PEER RUN KEY [MESSAGES]
drained() {
    echo "# $(date '+%T') load $(cut -d' ' -f1-3 /proc/loadavg): $3, run $2" >&2
    DRAIN_MESSAGES=${4:-$DRAIN_MESSAGES} DRAIN_KEY=$3 "$HERE/peers.sh" drain "$1" "$2" >&2
}
one_run() { # RUN
    "$HERE/limits.sh" sink "$1" >&2
    drained postfix "$1" "Postfix, 20 connections"
    POSTFIX_EXTRA="smtp_destination_concurrency_limit = 8" "$HERE/peers.sh" setup postfix >&2
    drained postfix "$1" "Postfix, 8 connections"
    "$HERE/peers.sh" setup postfix >&2
    drained exim "$1" "Exim" "${DRAIN_EXIM:-1000}"
    drained opensmtpd "$1" "OpenSMTPD" "${DRAIN_OPENSMTPD:-200}"
    drained mxholdd "$1" "mxholdd, 8 connections"
}
"$HERE/peers.sh" setup mxholdd >&2
for ((run = 1; run <= runs; run++)); do one_run "$run"; done

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
# value KEY METRIC: the median of what was just measured.
value() { awk -F '\t' -v k="$1" -v m="$2" '$2 == "drain" && $3 == k && $5 == m { print $6 }' "$RESULTS" | tail -n "$runs" | median; }
of() { calc "$1 / $2"; }

best=0
printf '| | messages/s | of the most that the sink takes | times Postfix | from the return to the first, s | messages/s from the return on | CPU, s a 1,000 | of that of Postfix |\n'
printf '|---|---|---|---|---|---|---|---|\n'
for key in "the sink, from smtp-source" "the sink, from smtp_load"; do
    rate=$(value "$key" messages_per_s)
    best=$(calc "($rate > $best) ? $rate : $best")
done
postfix=$(value "Postfix, 20 connections" messages_per_s)
postfix_cpu=$(value "Postfix, 20 connections" cpu_s_per_1000)
for key in "the sink, from smtp-source" "the sink, from smtp_load"; do
    rate=$(value "$key" messages_per_s)
    printf '| %s | %.0f | %.0f %% | %.1f | | | | |\n' "$key" "$rate" "$(calc "100 * $rate / $best")" "$(of "$rate" "$postfix")"
done
for key in "Postfix, 20 connections" "Postfix, 8 connections" Exim OpenSMTPD "mxholdd, 8 connections"; do
    rate=$(value "$key" messages_per_s)
    cpu=$(value "$key" cpu_s_per_1000)
    printf '| %s | %.0f | %.0f %% | %.2f | %.2f | %.0f | %.3f | %.1f %% |\n' "$key" "$rate" \
        "$(calc "100 * $rate / $best")" "$(of "$rate" "$postfix")" "$(value "$key" seconds_to_first)" \
        "$(value "$key" messages_per_s_from_return)" "$cpu" "$(calc "100 * $cpu / $postfix_cpu")"
done
