#!/bin/bash
# mxholdd as backup MX for example.test. Contract: ../README.md
# shellcheck shell=bash disable=SC2034,SC2154
QUEUE=$STATE/state/queue
FACTOR=8
conf=$ROOT/mxholdd.conf

setup() {
    mkdir -p "$ROOT"
    cat >"$conf" <<END
hostname = "mx2.example.test"
state_dir = "$STATE/state"
conf_dir = "$ROOT/domains.d"
listen "smtp" { address = "127.0.0.1:$MX_PORT" }
# Bench: one client address opens all the connections and sends all the mail.
smtp { max_sessions = $MAXCONN  max_sessions_per_ip = $MAXCONN }
policy { max_rate = 100000000  unknown_budget = 1000000 }
queue { reserve = "1G"  map_size = "${MXHOLD_MAP:-64G}" }
dns { trust_anchor = "none" }
control { socket = "$STATE/control.sock" }
domain "example.test" {
    primary = "127.0.0.1:$PRIMARY_PORT"
    recipients = "$RECIPIENTS"
}
END
}

start() {
    mkdir -p "$STATE"
    spawn "$MXHOLD_BIN/mxholdd" -c "$conf"
}
# Asks, and waits: it closes its database in order.
stop() {
    local try
    pids | xargs -r kill 2>/dev/null || true
    for try in {1..200}; do
        [[ -n $(pids) ]] || return 0
        sleep 0.02
    done
}
# Not the blocks it keeps behind the end of the file, which grow and shrink.
disk_used() { stat -c %s "$QUEUE/data.mdb"; }
ctl() { "$MXHOLD_BIN/mxholdctl" -c "$conf" "$@"; }
queue_count() { ctl -o json queue count 2>/dev/null | sed -n 's/.*"messages": *\([0-9]*\).*/\1/p'; }
flush() { ctl --yes drain now example.test; }
list() { ctl -o table queue list; }
