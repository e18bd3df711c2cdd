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

# What a run of ctest said: "tests failed out of tests".
failed_of() {
	sed -nE 's/.* ([0-9]+) tests? failed out of ([0-9]+).*/\1 \2/p' "$1" | tail -1
}

ended() { # NAME SECONDS FAILED TOTAL
	failed=$((failed + $3))
	passed=$((passed + $4 - $3))
	printf '=== %s: %d s, %d of %d failed\n' "$1" "$2" "$3" "$4"
}

# A preset. What fails gets a second try, aloud: on a shared machine a time-out
# is not always ours; what fails twice has failed. What a fuzzer finds is found.
preset() {
	local began=$SECONDS bad=0 total=0
	printf '\n=== %s\n' "$1"
	if ! { cmake --preset "$1" && cmake --build --preset "$1"; } >"$log" 2>&1; then
		tail -40 "$log"
		ended "$1: the build" $((SECONDS - began)) 1 1
		return
	fi
	ctest --preset "$1" 2>&1 | tee "$log" | grep -vE '^ *Start ' || true
	read -r bad total < <(failed_of "$log")
	if [[ ${bad:-1} -ne 0 && $1 != fuzz ]]; then
		printf '=== %s: SECOND TRY of what failed\n' "$1"
		ctest --preset "$1" --rerun-failed 2>&1 | tee "$log" || true
		read -r bad _ < <(failed_of "$log")
	fi
	ended "$1" $((SECONDS - began)) "${bad:-1}" "${total:-1}"
	skipped=$((skipped + $(grep -cE '\(skipped=[0-9]+\)' "$log" || true)))
}

crash() {
	local began=$SECONDS ok bad
	printf '\n=== crash\n'
	tests/crash/run.sh short 2>&1 | tee "$log" || true
	read -r ok bad < <(sed -nE 's/^crash: ([0-9]+) passed, ([0-9]+) failed/\1 \2/p' "$log")
	ended crash $((SECONDS - began)) "${bad:-1}" $((${ok:-0} + ${bad:-1}))
}

tests/support/deps.sh test
for name in "${steps[@]}"; do
	case $name in
	check | asan | tsan | fuzz) preset "$name" ;;
	crash) crash ;;
	*)
		echo "run.sh: no such step: $name" >&2
		exit 2
		;;
	esac
done
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[[ $failed -eq 0 ]]
