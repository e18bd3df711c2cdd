#!/bin/bash
# Negative controls: with a rule broken on purpose, the simulator must say so,
# and say it of that rule.
set -euo pipefail
cd "$(dirname "$0")/../.."

sim=${SIM:-build/check/tests/sim/sim}
failed=0

# CONTROL SEEDS WORDS
must_fail() {
	local told

	told=$("$sim" -j "$(nproc)" -c "$1" 1 "$2" || true)
	if grep -qE "$3" <<<"$told"; then
		echo "$1: found, as it must be"
	else
		echo "$1: NOT FOUND in $2 seeds"
		failed=1
	fi
}

must_fail ack-early 120 'and LOST'
must_fail lose 10 'still in the queue|LOST'
must_fail twice 10 'delivered twice'
must_fail alter 10 'another content'
must_fail late 20 'has no mail yet'
must_fail crowd 10 'connections at once'
must_fail canary 40 'not alone'
must_fail order 40 'overtaken'
must_fail stuck 5 'still in the queue'
must_fail words 40 'goes, though it is (held|paused)'
must_fail words 200 'goes, removed at'
exit "$failed"
