#!/bin/bash
# Measures everything that docs/benchmarks.md shows, and puts the tables there: each stands between
# "<!-- table: NAME -->" and "<!-- end -->". Best on a machine with nothing else to do.
# usage: all.sh [STEP...]    steps, default all (about 55 minutes, 10 GB in $MXBENCH_DATA):
#   accept drain store both idle held scale profile recipients    measure; accept is three runs of all peers
#   docs                                    only put the tables of what was measured into the document
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
document=$HERE/../../docs/benchmarks.md
tables=$CACHE/tables
mkdir -p "$tables"
[[ $# -gt 0 ]] || set -- accept drain store both idle held scale profile recipients docs

# into NAME COMMAND...: its output is the table of that name, once it has succeeded.
into() {
    local name=$1
    shift
    "$@" >"$tables/$name.new"
    mv "$tables/$name.new" "$tables/$name"
}

# Exim and OpenSMTPD are in mode "one" with one session only: a run would take twice as long, and see README.md.
accept() {
    local run lone=() others=() cell
    for cell in $CELLS; do
        if [[ $cell == 1:* ]]; then lone+=("$cell"); else others+=("$cell"); fi
    done
    "$HERE/peers.sh" setup
    for ((run = 1; run <= ${RUNS:-3}; run++)); do
        RUN_FIRST=$run MODES=many "$HERE/bench.sh" -r "$run" -m accept postfix exim opensmtpd mxholdd
        CELLS="${lone[*]}" RUN_FIRST=$run MODES=one "$HERE/bench.sh" -r "$run" -m accept postfix exim opensmtpd mxholdd
        CELLS="${others[*]}" RUN_FIRST=$run MODES=one "$HERE/bench.sh" -r "$run" -m accept postfix mxholdd
        RUN_FIRST=$run MODES=many "$HERE/bench.sh" -r "$run" -m load postfix mxholdd
        LMDB_BYTES=1048576 LMDB_BATCHES="1 15" LMDB_CHUNKS=4080 "$HERE/limits.sh" lmdb "$run"
    done
}

idle() {
    MAXCONN=6000 "$HERE/peers.sh" setup mxholdd
    "$HERE/peers.sh" idle mxholdd 1
    "$HERE/peers.sh" setup mxholdd
}
idle_table() {
    printf '| idle connections | KiB each |\n|---|---|\n'
    awk -F '\t' '$1 == "mxholdd" && $2 == "idle" && $5 == "pss_kb_per_connection" {
        sub("connections=", "", $3); v[$3] = $6 }
        END { for (n in v) printf "| %d | %.1f |\n", n, v[n] }' "$RESULTS" | sort -t '|' -k2,2n
}

put_tables() {
    local name
    for name in accept cpu load large disk; do into "$name" "$HERE/ratios.sh" "$name"; done
    into idle idle_table
    awk -v folder="$tables" '
        /^<!-- table: .* -->$/ {
            print
            file = folder "/" $3
            found = (getline line < file) > 0
            if (found) {
                do print line; while ((getline line < file) > 0)
                skipping = 1
            }
            close(file)
            next
        }
        /^<!-- end -->$/ { skipping = 0 }
        !skipping { print }' "$document" >"$tables/document"
    cat "$tables/document" >"$document"
}

for step in "$@"; do
    case $step in
    accept | idle) "$step" ;;
    drain)
        "$HERE/peers.sh" setup
        into drain "$HERE/drain.sh"
        ;;
    store | both | held | scale | profile | recipients) into "$step" "$HERE/$step.sh" ;;
    docs) put_tables ;;
    *) die "no such step: $step" ;;
    esac
    [[ $step != scale ]] || "$HERE/plot.sh"
done
