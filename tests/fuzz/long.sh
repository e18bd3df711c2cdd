#!/bin/bash
# Every fuzzer for a long time, two at once and out of everybody's way. They take
# turns of five minutes and keep a record, so that what is stopped goes on where
# it was: each runs until it had its time of a processor. What is found is kept
# in build/fuzz/tests/fuzz/new, with a log of each target; ends with a table:
# target, seconds by the clock, seconds of a processor, executions, inputs that
# found new code, findings.
#
#     tests/fuzz/long.sh [SECONDS [TARGET...]]     an hour each, all of them
#     touch build/fuzz/tests/fuzz/new/stop         ends it after these slices
#     rm -r build/fuzz/tests/fuzz/new              forgets the record
#
# $FUZZ_JOBS (2): how many at once; $FUZZ_NICE (19)
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-3600}
[[ $# -eq 0 ]] || shift
cmake --preset fuzz >/dev/null
nice cmake --build --preset fuzz >/dev/null
cd build/fuzz/tests/fuzz
mkdir -p new
rm -f new/stop
if [[ $# -gt 0 ]]; then
	targets=("$@")
else
	targets=()
	for options in options/fuzz_*; do targets+=("${options##*/}"); done
fi

had() { # TARGET: seconds of a processor on record
	touch "new/$1.record"
	awk '{ n += $2 } END { print int(n) }' "new/$1.record"
}

stat_of() { # TARGET NAME
	sed -n "s/^stat::$2: *//p" "new/$1.log" | tail -1
}

slice() { # SECONDS TARGET
	local dirs=("new/$2") options took
	for dir in "../../../../tests/fuzz/corpus/$2" "seeds/$2"; do
		[[ -d $dir ]] && dirs+=("$dir")
	done
	mkdir -p "new/$2"
	mapfile -t options <"options/$2"
	local TIMEFORMAT='%U %S'
	{ time "./$2" -max_total_time="$1" "${options[@]}" -print_final_stats=1 \
		-artifact_prefix="new/$2-" "${dirs[@]}" >"new/$2.log" 2>&1; } \
		2>"new/$2.cpu" || {
		cp "new/$2.log" "new/$2.failed"
		return 1
	}
	took=$(sed -n 's/^Done [0-9]* runs in \([0-9]*\) second.*/\1/p' "new/$2.log")
	echo "$took $(awk '{ print $1 + $2 }' "new/$2.cpu")" \
		"$(stat_of "$2" number_of_executed_units)" \
		"$(stat_of "$2" new_units_added)" >>"new/$2.record"
}

left() { # SECONDS: the targets that did not have their time yet
	local target
	[[ ! -e new/stop ]] || return 0
	for target in "${targets[@]}"; do
		[[ -e new/$target.failed ]] || (($(had "$target") >= $1)) ||
			echo "$target"
	done
}

report() { # TARGET
	local found=none
	[[ ! -e new/$1.failed ]] || found="build/fuzz/tests/fuzz/new/$1.failed"
	awk -v target="$1" -v found="$found" '
		{ s += $1; cpu += $2; runs += $3; more += $4 }
		END { printf "%-16s %6d s %6d cpu %12d runs %6d new  found: %s\n",
			target, s, cpu, runs, more, found }' "new/$1.record"
}
export -f had slice stat_of

rm -f new/*.failed
while turn=$(left "$seconds") && [[ -n $turn ]]; do
	echo "$turn" | nice -n "${FUZZ_NICE:-19}" xargs -P "${FUZZ_JOBS:-2}" -I{} \
		bash -c "[[ -e new/stop ]] || slice $((seconds < 300 ? seconds : 300)) {}" || true
done
for target in "${targets[@]}"; do report "$target"; done | tee new/table
! grep -qv 'found: none$' new/table
