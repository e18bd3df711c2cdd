#!/bin/bash
# Ratios of the recorded medians, as Markdown: mxholdd to Postfix, to the best other peer and to smtp-source's
# ceiling (a sink that stores nothing), for each cell of the accept measure. Absolute figures say more about the
# machine than about the programs; ratios from one run can be compared with those from another machine.
# usage: ratios.sh [RESULTS.tsv]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sort -t $'\t' -k2,2 -k5,5 -k3,3V -k1,1 -k6,6g "${1:-$RESULTS}" | awk -F '\t' '
    function of(peer, metric) { return (peer, metric, key) in median ? median[peer, metric, key] : 0 }
    function times(a, b) { return a && b ? sprintf("%.2f", a / b) : "" }
    function percent(a, b) { return a && b ? sprintf("%.1f %%", 100 * a / b) : "" }
    function best(metric, sign,   i, v, found) {
        for (i = 1; i <= peers; i++) {
            v = of(name[i], metric)
            if (name[i] != "mxholdd" && name[i] != "limits" && v && (!found || sign * v > sign * found)) found = v
        }
        return found
    }
    $2 != "accept" && $2 != "load" { next }
    {
        id = $1 SUBSEP $2 " " $5 SUBSEP $3
        n[id]++
        value[id, n[id]] = $6
        if (!($3 in seen)) { seen[$3]; keys[++rows] = $3 }
        if (!($1 in known)) { known[$1]; name[++peers] = $1 }
    }
    END {
        for (id in n) {
            half = int((n[id] + 1) / 2)
            median[id] = n[id] % 2 ? value[id, half] : (value[id, half] + value[id, half + 1]) / 2
        }
        print "| cell | rate / Postfix | rate / best other peer | rate / ceiling | CPU / Postfix |" \
            " disk a message / its size | smtp_load: rate / Postfix | p50 / Postfix | p99 / Postfix |"
        print "|---|---|---|---|---|---|---|---|---|"
        for (i = 1; i <= rows; i++) {
            key = keys[i]
            split(key, part, "[ =]")
            rate = of("mxholdd", "accept messages_per_s")
            print "| " key " | " times(rate, of("postfix", "accept messages_per_s")) \
                " | " times(rate, best("accept messages_per_s", 1)) \
                " | " percent(rate, of("limits", "accept messages_per_s")) \
                " | " percent(of("mxholdd", "accept cpu_s_per_1000_settled"), \
                    of("postfix", "accept cpu_s_per_1000_settled")) \
                " | " times(of("mxholdd", "accept disk_per_message"), part[4]) \
                " | " times(of("mxholdd", "load messages_per_s"), of("postfix", "load messages_per_s")) \
                " | " percent(of("mxholdd", "load p50_ms"), of("postfix", "load p50_ms")) \
                " | " percent(of("mxholdd", "load p99_ms"), of("postfix", "load p99_ms")) " |"
        }
    }'
