#!/bin/bash
# Seeds that have found something, whatever else is run. Each line of found.txt
# is a seed and what it found; a plan that is drawn in another way makes other
# worlds of them, and then they are only more seeds.
set -euo pipefail
cd "$(dirname "$0")/../.."

sim=${SIM:-build/check/tests/sim/sim}
failed=0
while read -r seed what; do
	[[ $seed == [0-9]* ]] || continue
	if ! "$sim" "$seed" >/dev/null; then
		echo "seed $seed, which once found: $what"
		"$sim" "$seed" || true
		failed=1
	fi
done <tests/sim/found.txt
exit "$failed"
