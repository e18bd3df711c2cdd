#!/bin/bash
# Seeds that have found something, whatever else is run. Each line of found.txt
# is a seed (a + behind it: with an operator) and what it found; a plan that is drawn in another way makes other
# worlds of them, and then they are only more seeds.
set -euo pipefail
cd "$(dirname "$0")/../.."

sim=${SIM:-build/check/tests/sim/sim}
failed=0
while read -r seed what; do
	[[ $seed == [0-9]* ]] || continue
	run=("$sim" "${seed%+}")
	[[ $seed == *+ ]] && run=("$sim" -o "${seed%+}")
	if ! "${run[@]}" >/dev/null; then
		echo "seed $seed, which once found: $what"
		"${run[@]}" || true
		failed=1
	fi
done <tests/sim/found.txt
exit "$failed"
