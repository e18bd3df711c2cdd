#!/bin/sh
# No tracked shell script gives shellcheck anything to say.
set -eu
cd "$(git -C "$(dirname "$0")" rev-parse --show-toplevel)"

if ! command -v shellcheck >/dev/null; then
	echo "shellcheck is not installed" >&2
	exit 1
fi
git ls-files -z -- '*.sh' .ci/run | xargs -0 -r shellcheck -x --source-path=SCRIPTDIR
