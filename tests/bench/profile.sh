#!/bin/bash
# Where the daemon's CPU time goes while it accepts: perf samples of mxholdd under smtp_load, summed up by what
# they were for, as a Markdown table in percent of all samples. Waiting for the disk is not CPU time; what
# starting and finishing a sync costs is.
# usage: profile.sh [BYTES:MESSAGES...]    (default 1024:40000 10240:20000 1048576:400; needs perf)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[[ $# -gt 0 ]] || set -- 1024:40000 10240:20000 1048576:400
write_recipients
build_tools
load_peer mxholdd
mkdir -p "$DATA" "$CACHE/$PEER"
setup
notes=$(mktemp -d)
finish() {
    stop
    end_group
    rm -rf "$notes"
}
trap finish EXIT

# sum_up: one line a sample: its thread, then its stack, innermost first.
sum_up() {
    awk -v bytes="$1" '
        function has(f) { return index(stack, " " f "+") > 0 }
        function what() {
            if (has("fdatasync") || has("ext4_sync_file") || has("generic_write_sync")) return "sync to disk"
            if (has("ext4_buffered_write_iter") && thread != "mxholdd") return "log lines"
            if (has("ext4_buffered_write_iter")) return "writing pages to the file"
            if (has("tcp_sendmsg")) return "TCP, sending (and loopback delivery)"
            if (has("tcp_recvmsg")) return "TCP, receiving"
            if (has("do_epoll_wait") || has("__x64_sys_futex") || has("eventfd_write") || has("eventfd_read") || \
                has("do_epoll_ctl")) return "waiting and waking (epoll, futex, eventfd)"
            if (has("crc32c_sse42") || has("crc32c_portable")) return "checksum of content"
            if (library == "liblmdb") return "LMDB"
            if (has("header_scan_feed")) return "header scanner"
            if (library == "mxholdd") return "the rest of mxholdd"
            if (library == "libc.so") return "libc (copying, formatting, allocating)"
            if (library == "libuv") return "libuv"
            return "the rest of the kernel (page faults, interrupts)"
        }
        function close_sample() {
            if (stack == "") return
            n[what()]++
            total++
            stack = ""
        }
        /^[^ \t]/ { close_sample(); thread = $1; next }
        NF >= 2 {
            if (stack == "") {
                library = "kernel"
                if (match($NF, /liblmdb|libc[.]so|libuv|mxholdd/)) library = substr($NF, RSTART, RLENGTH)
            }
            stack = stack " " $2 "+"
        }
        END {
            close_sample()
            for (w in n) printf "%s\t%d\t%.1f\n", w, bytes, 100 * n[w] / total
        }'
}

for cell in "$@"; do
    bytes=${cell%:*}
    stop
    end_group
    rm -rf "${QUEUE:?}"
    start
    banner "$MX_PORT" 30
    perf record -q -F 1999 -g -p "$(pids | head -1)" -o "$notes/perf" 2>/dev/null &
    recorder=$!
    sleep 0.5
    "$TOOLS/smtp_load" -d -s 20 -l "$bytes" -m "${cell#*:}" -n 10000 127.0.0.1 "$MX_PORT" >&2
    kill -INT "$recorder"
    wait "$recorder" || true
    perf script -i "$notes/perf" -F comm,ip,sym,dso 2>/dev/null | sum_up "$bytes" >>"$notes/all"
done
sort -t $'\t' -k1,1 -k2,2n "$notes/all" | awk -F '\t' -v cells="$*" '
    BEGIN {
        columns = split(cells, cell, " ")
        head = "| what for |"
        rule = "|---|"
        for (i = 1; i <= columns; i++) {
            sub(/:.*/, "", cell[i])
            head = head " " cell[i] " bytes |"
            rule = rule "---|"
        }
        print head "\n" rule
    }
    { v[$1, $2] = $3; if ($1 != last) name[++rows] = last = $1 }
    END {
        for (r = 1; r <= rows; r++) {
            line = "| " name[r] " |"
            for (i = 1; i <= columns; i++) line = line " " ((name[r], cell[i]) in v ? v[name[r], cell[i]] " %" : "") " |"
            print line
        }
    }'
