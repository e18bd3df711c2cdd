#!/bin/bash
# Every fuzzer for a long time, two at once, with what it found kept in
# build/fuzz/tests/fuzz/new. usage: tests/fuzz/long.sh SECONDS [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?how many seconds each}
shift
cmake --preset fuzz >/dev/null && cmake --build --preset fuzz >/dev/null
cd build/fuzz/tests/fuzz
[[ $# -gt 0 ]] || set -- fuzz_*[!.]
run() { # SECONDS TARGET
	local dirs=("new/$2")
	for dir in "../../../../tests/fuzz/corpus/$2" "seeds/$2"; do
		[[ -d $dir ]] && dirs+=("$dir")
	done
	"./$2" -max_total_time="$1" -max_len=8192 -timeout=10 \
		-artifact_prefix="new/$2-" "${dirs[@]}" >"new/$2.log" 2>&1 ||
		echo "$2 FOUND SOMETHING: build/fuzz/tests/fuzz/new/$2.log"
	echo "$2: $(grep -oE 'Done [0-9]+ runs in [0-9]+ second' "new/$2.log" || tail -1 "new/$2.log")"
}
export -f run
targets=()
for name in "$@"; do [[ -x $name && -f $name ]] && targets+=("$name"); done
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c "run $seconds {}"
