#!/bin/sh
# Line and branch coverage by folder, of what ran in the coverage preset:
#   cmake --workflow --preset coverage && tests/support/coverage.sh
set -eu
cd "$(dirname "$0")/../.."
build=build/coverage
find "$build" -name '*.gcda' -path '*/mx_*' | grep -q . || {
	echo "coverage: run cmake --workflow --preset coverage first" >&2
	exit 1
}
find "$build" -name '*.gcda' -path '*/mx_*' -print0 |
	xargs -0 gcov -b -n 2>/dev/null |
	awk '
	/^File / { f = $2; gsub(/\047/, "", f); keep = f ~ /(daemon|storage)\/.*\.c$/ ; sub(/.*\/(daemon|storage)\//, "&", f) }
	keep && /^Lines executed/ { split($0, a, /[:%]| of /); lines = a[4]; hit = a[2] * lines / 100 }
	keep && /^Taken at least once/ { split($0, a, /[:%]| of /); br = a[4]; taken = a[2] * br / 100 }
	keep && /^Calls executed|^No calls/ {
		n = split(f, p, "/"); dir = p[n - 1]
		L[dir] += lines; H[dir] += hit; B[dir] += br; T[dir] += taken
		lines = hit = br = taken = 0; keep = 0
	}
	END {
		printf "%-10s %8s %8s\n", "floor", "lines", "branches"
		for (d in L) printf "%-10s %7.1f%% %7.1f%%\n", d, 100 * H[d] / L[d], B[d] ? 100 * T[d] / B[d] : 0 | "sort"
	}'
