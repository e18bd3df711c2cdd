#!/bin/sh
# Every tracked C file is as clang-format leaves it (.clang-format, version 14).
set -eu
cd "$(git -C "$(dirname "$0")" rev-parse --show-toplevel)"

if ! command -v clang-format >/dev/null; then
	echo "clang-format is not installed" >&2
	exit 1
fi
git ls-files -z -- '*.c' '*.h' |
	xargs -0 -r clang-format --dry-run -Werror --style=file
