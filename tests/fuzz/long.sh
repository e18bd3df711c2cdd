#!/bin/bash
# Every fuzzer for a long time, two at once and out of everybody's way. What
# they find is kept in build/fuzz/tests/fuzz/new, with a log of each; ends with
# a table: target, seconds, executions, inputs that found new code, findings.
# usage: tests/fuzz/long.sh [SECONDS [TARGET...]]     (an hour each)
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-3600}
[[ $# -eq 0 ]] || shift
cmake --preset fuzz >/dev/null
nice cmake --build --preset fuzz >/dev/null
cd build/fuzz/tests/fuzz
if [[ $# -gt 0 ]]; then
	targets=("$@")
else
	targets=()
	for options in options/fuzz_*; do targets+=("${options##*/}"); done
fi

run() { # SECONDS TARGET
	local dirs=("new/$2") options
	for dir in "../../../../tests/fuzz/corpus/$2" "seeds/$2"; do
		[[ -d $dir ]] && dirs+=("$dir")
	done
	mapfile -t options <"options/$2"
	rm -f "new/$2.failed"
	"./$2" -max_total_time="$1" "${options[@]}" -print_final_stats=1 \
		-artifact_prefix="new/$2-" "${dirs[@]}" >"new/$2.log" 2>&1 ||
		touch "new/$2.failed"
	report "$2"
}

stat_of() { # TARGET NAME
	sed -n "s/^stat::$2: *//p" "new/$1.log" | tail -1
}

report() { # TARGET
	local took found=none
	took=$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "new/$1.log")
	[[ ! -e new/$1.failed ]] || found="build/fuzz/tests/fuzz/new/$1.log"
	printf '%-16s %8s s %12s runs %6s new  found: %s\n' "$1" "${took:-?}" \
		"$(stat_of "$1" number_of_executed_units)" \
		"$(stat_of "$1" new_units_added)" "$found"
}
export -f run stat_of report

printf '%s\n' "${targets[@]}" |
	nice -n 19 xargs -P 2 -I{} bash -c "run $seconds {}" |
	tee new/table
! grep -qv 'found: none$' new/table
