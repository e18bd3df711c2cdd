#!/bin/bash
# Takes what the fuzzers found (build/fuzz/tests/fuzz/new) into the corpus: of
# seeds, corpus and finds, the fewest and shortest inputs that reach as much
# code as all of them. Files with a name of their own (a finding that was
# mended, a case written by hand) stay.
# usage: tests/fuzz/minimise.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/../.."
corpus=$PWD/tests/fuzz/corpus
longest=1024
cd build/fuzz/tests/fuzz
if [[ $# -eq 0 ]]; then
	for options in options/fuzz_*; do set -- "$@" "${options##*/}"; done
fi
for target in "$@"; do
	mkdir -p "$corpus/$target" "new/$target"
	small=$(mktemp -d)
	# What has a name counts as had already: it is merged first.
	find "$corpus/$target" -type f -regextype posix-extended \
		! -regex '.*/[0-9a-f]{40}' \
		-exec cp -t "$small" {} +
	# By code alone: how often it is run would make a file of each number.
	"./$target" -set_cover_merge=1 -use_counters=0 -timeout=10 \
		-max_len="$longest" "$small" \
		"seeds/$target" "$corpus/$target" "new/$target" \
		>"new/$target.merge" 2>&1
	find "$corpus/$target" -type f -regextype posix-extended \
		-regex '.*/[0-9a-f]{40}' -delete
	cp -n "$small"/* "$corpus/$target/"
	rm -rf "$small"
	echo "$target: $(find "$corpus/$target" -type f | wc -l) inputs," \
		"$(du -bs "$corpus/$target" | cut -f1) octets"
done
