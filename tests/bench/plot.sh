#!/bin/bash
# Draws what scale.sh has recorded last: how cost grows with the queue.
# usage: plot.sh [OUT.svg]    (default docs/benchmarks-scale.svg; needs gnuplot)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
out=${1:-$HERE/../../docs/benchmarks-scale.svg}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# One row a queue length; of several runs the last counts.
awk -F '\t' '
    $2 == "scale" { split($3, part, "[ =]"); v[part[2], $5] = $6; seen[part[2]] }
    END {
        for (n in seen)
            print n, v[n, "first_accept_ms"], v[n, "count_ms"], v[n, "status_ms"], v[n, "page_ms"],
                v[n, "messages_per_s"], v[n, "private_mib"]
    }' "$RESULTS" | sort -n >"$dir/scale"
[[ -s $dir/scale ]] || die "nothing recorded: run scale.sh first"
base=$(awk 'NR == 1 { print $6 }' "$dir/scale")

gnuplot <<END
set terminal svg size 900,380 font "sans-serif,12" background "white"
set output "$out"
set multiplot layout 1,2
set logscale x
set format x "10^{%L}"
set xlabel "messages in the queue (4 KiB each)"
set grid
set key bottom right
set logscale y
set yrange [1:1000]
set ylabel "milliseconds"
plot "$dir/scale" using 1:2 with linespoints title "start to first accept", \
    "" using 1:3 with linespoints title "queue count", \
    "" using 1:4 with linespoints title "status", \
    "" using 1:5 with linespoints title "first page of queue list"
unset logscale y
set yrange [0:150]
set ylabel "percent of the shortest queue; MiB"
plot "$dir/scale" using 1:(100*\$6/$base) with linespoints title "acceptance, percent", \
    "" using 1:7 with linespoints title "private memory, MiB"
END
