#!/bin/bash
# Ratios of the recorded medians, as Markdown. Absolute figures say more about the machine than about the
# programs; ratios from runs that took the peers in turn can be compared with those of another machine.
# usage: ratios.sh [TABLE...]    tables, default all of them:
#   accept  mxholdd's rate to smtp-source's ceiling (a sink that stores nothing), to Postfix, to the best other peer
#   cpu     CPU seconds per 1000 messages to Postfix's, all settled
#   load    the same with smtp_load, and the milliseconds from final dot to 250 (median and 99th percentile)
#   large   1 MiB mail to raw LMDB with the same chunks, one and fifteen a transaction
#   disk    bytes on disk to bytes of the message
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[[ $# -gt 0 ]] || set -- accept cpu load large disk

sort -t $'\t' -k2,2 -k5,5 -k3,3V -k1,1 -k6,6g "$RESULTS" | awk -F '\t' -v tables="$*" '
    function of(peer, metric) { return ((peer, metric, key) in median) ? median[peer, metric, key] : 0 }
    function times(a, b) { return (a && b) ? sprintf("%.1f", a / b) : "" }
    function percent(a, b) { return (a && b) ? sprintf("%.3g %%", 100 * a / b) : "" }
    function plain(v) { return v ? sprintf("%.3g", v) : "" }
    function head(titles,   n, i, part) {
        n = split(titles, part, "|")
        printf "|"
        for (i = 1; i <= n; i++) printf " %s |", part[i]
        printf "\n|"
        for (i = 1; i <= n; i++) printf "---|"
        printf "\n"
    }
    function best(metric,   i, v, found) {
        for (i = 1; i <= peers; i++) {
            v = of(name[i], metric)
            if (name[i] != "mxholdd" && name[i] != "limits" && v > found) found = v
        }
        return found
    }
    function raw(batch) {
        return median["limits", "lmdb messages_per_s", "bytes=1048576 per_transaction=" batch " chunk=4080"]
    }
    function row(table,   rate) {
        if (table == "accept") {
            rate = of("mxholdd", "accept messages_per_s")
            if (!rate) return ""
            return percent(rate, of("limits", "accept messages_per_s")) " | " \
                times(rate, of("postfix", "accept messages_per_s")) " | " times(rate, best("accept messages_per_s"))
        }
        if (table == "cpu")
            return percent(of("mxholdd", "accept cpu_s_per_1000_settled"), of("postfix", "accept cpu_s_per_1000_settled"))
        rate = of("mxholdd", "load messages_per_s")
        if (!rate) return ""
        if (table == "large") {
            if (key !~ / bytes=1048576 /) return ""
            return percent(rate, raw(1)) " | " percent(rate, raw(15))
        }
        return times(rate, of("postfix", "load messages_per_s")) " | " plain(of("mxholdd", "load p50_ms")) " | " \
            plain(of("mxholdd", "load p99_ms")) " | " plain(of("postfix", "load p50_ms")) " | " \
            plain(of("postfix", "load p99_ms"))
    }
    function disk(   i, p, bytes) {
        for (i = 1; i <= rows; i++) {
            key = keys[i]
            if (key !~ /^s=100 .* many$/) continue
            split(key, p, "[ =]")
            bytes = p[4]
            print "| " bytes " | " plain(of("mxholdd", "accept disk_per_message") / bytes) " | " \
                plain(of("postfix", "accept disk_per_message") / bytes) " | " \
                plain(of("exim", "accept disk_per_message") / bytes) " | " \
                plain(of("opensmtpd", "accept disk_per_message") / bytes) " |"
        }
    }
    $2 !~ /^(accept|load|lmdb)$/ { next }
    {
        id = $1 SUBSEP $2 " " $5 SUBSEP $3
        n[id]++
        value[id, n[id]] = $6
        if ($2 != "lmdb" && !($3 in seen)) { seen[$3]; keys[++rows] = $3 }
        if (!($1 in known)) { known[$1]; name[++peers] = $1 }
    }
    END {
        for (id in n) {
            half = int((n[id] + 1) / 2)
            median[id] = n[id] % 2 ? value[id, half] : (value[id, half] + value[id, half + 1]) / 2
        }
        title["accept"] = "sessions, bytes, messages a connection|of the ceiling|times Postfix|times the best other peer"
        title["cpu"] = "sessions, bytes, messages a connection|CPU, of that of Postfix"
        title["load"] = "sessions, bytes, messages a connection|rate, times Postfix|p50, ms|p99, ms" \
            "|Postfix: p50, ms|Postfix: p99, ms"
        title["large"] = "sessions, bytes, messages a connection|of raw LMDB, 1 a transaction|of raw LMDB, 15"
        title["disk"] = "bytes|mxholdd|Postfix|Exim|OpenSMTPD"
        count = split(tables, table, " ")
        for (t = 1; t <= count; t++) {
            head(title[table[t]])
            if (table[t] == "disk") disk()
            for (i = 1; i <= rows && table[t] != "disk"; i++) {
                key = keys[i]
                text = row(table[t])
                split(key, p, "[ =]")
                if (text != "") print "| " p[2] ", " p[4] ", " p[5] " | " text " |"
            }
            if (t < count) print ""
        }
    }'
