#!/bin/sh
# clang-tidy (.clang-tidy) over all of our C. usage: tidy.sh BUILD_DIR
set -eu
cd "$(dirname "$0")/../.."
[ -f "$1/compile_commands.json" ] || {
	echo "tidy: no compile_commands.json in $1" >&2
	exit 1
}
git ls-files 'daemon/*.c' 'storage/*.c' |
	xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$1" 2>/dev/null
