#!/bin/bash
# The queue's writer against raw LMDB: store_bench and lmdb_limit in turn, at equal batch and chunk sizes.
# usage: store.sh [RUNS]    (default 7). Prints a Markdown table of medians; lines go to $MXBENCH_RESULTS too.
# The ratio is the median of the ratios of pairs: a pair takes two seconds, in which a noisy disk changes less.
# shellcheck disable=SC2034  # PEER: record names it
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
runs=${1:-7}
seconds=${STORE_SECONDS:-1}
build=$MXHOLD_BIN/..
cmake --build "$build" --target store_bench >/dev/null
build_tools
mkdir -p "$DATA"

# one PROGRAM BYTES BATCH [CHUNK]: "rate disk" in an empty folder.
one() {
    local program=$1 bytes=$2 batch=$3 dir
    shift 3
    dir=$(mktemp -d "$DATA/store.XXXXXX")
    "$program" "$dir" "$bytes" "$batch" "$seconds" "$@"
    rm -rf "$dir"
}
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

printf '| bytes | batch | raw LMDB, messages/s | writer, messages/s | writer / raw | disk / size, raw | disk / size, writer |\n'
printf '|---|---|---|---|---|---|---|\n'
# A batch of the writer ends at 16 MiB, so 1 MiB mail never comes in batches of 64.
for cell in ${STORE_CELLS:-1024:1 1024:16 1024:64 1024:256 10240:1 10240:16 10240:64 10240:256 1048576:1 1048576:15}; do
    bytes=${cell%:*}
    batch=${cell#*:}
    key="bytes=$bytes batch=$batch"
    raws='' ours='' ratios=''
    for ((run = 1; run <= runs; run++)); do
        read -r raw raw_disk < <(one "$TOOLS/lmdb_limit" "$bytes" "$batch" 4080)
        read -r our our_disk < <(one "$build/tests/bench/store_bench" "$bytes" "$batch")
        PEER=limits record store "$key" "$run" messages_per_s "$raw" >&2
        PEER=mxholdd record store "$key" "$run" messages_per_s "$our" >&2
        raws+=$raw$'\n' ours+=$our$'\n' ratios+=$(calc "100 * $our / $raw")$'\n'
    done
    raw=$(median <<<"${raws%$'\n'}")
    our=$(median <<<"${ours%$'\n'}")
    ratio=$(median <<<"${ratios%$'\n'}")
    printf '| %d | %d | %.0f | %.0f | %.0f %% | %.2f | %.2f |\n' "$bytes" "$batch" "$raw" "$our" \
        "$ratio" "$(calc "$raw_disk / $bytes")" "$(calc "$our_disk / $bytes")"
done
