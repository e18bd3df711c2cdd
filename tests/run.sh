#!/bin/bash
# Installs what is missing, builds, and runs everything that CI runs.
# usage: tests/run.sh [STEP...]    steps: check asan tsan fuzz crash
set -euo pipefail
cd "$(dirname "$0")/.."

steps=("$@")
[[ $# -gt 0 ]] || steps=(check asan tsan fuzz crash)
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Adds up what ctest and the other runners say.
tally() {
	local total bad
	total=$(grep -oE 'tests? failed out of [0-9]+' "$log" | grep -oE '[0-9]+' |
		awk '{ s += $1 } END { print s + 0 }')
	bad=$(grep -oE '[0-9]+ tests? failed out of' "$log" | grep -oE '^[0-9]+' |
		awk '{ s += $1 } END { print s + 0 }')
	passed=$((passed + total - bad))
	failed=$((failed + bad))
	skipped=$((skipped + $(grep -cE '\(skipped=[0-9]+\)' "$log" || true)))
}

step() { # NAME COMMAND...
	local name=$1 began=$SECONDS
	shift
	printf '\n=== %s\n' "$name"
	if "$@" 2>&1 | tee "$log"; then
		tally
	else
		tally
		failed=$((failed + 1))
		printf '=== %s FAILED\n' "$name"
	fi
	printf '=== %s: %d s\n' "$name" $((SECONDS - began))
}

tests/support/deps.sh test
for name in "${steps[@]}"; do
	case $name in
	check | asan | tsan | fuzz)
		step "$name" cmake --workflow --preset "$name"
		;;
	crash) step crash tests/crash/run.sh short ;;
	*)
		echo "run.sh: no such step: $name" >&2
		exit 2
		;;
	esac
done
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[[ $failed -eq 0 ]]
