#!/bin/bash
# Runs seeds of the simulator, as many at once as there are processors; says
# which failed and how to replay them, and sums up.
# usage: run.sh [-o] [FIRST [COUNT]]     (1 1000); -o: with an operator
# SIM: the program
set -euo pipefail
cd "$(dirname "$0")/../.."

sim=${SIM:-build/check/tests/sim/sim}
options=(-j "$(nproc)")
if [[ ${1:-} == -o ]]; then
	options+=(-o)
	shift
fi
first=${1:-1}
count=${2:-1000}
begin=$SECONDS
status=0

"$sim" "${options[@]}" "$first" "$count" || status=$?
printf '  in %d s\n' $((SECONDS - begin))
exit "$status"
