#!/bin/sh
# The unit's exposure by `systemd-analyze security` must stay at most 2.0.
set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sed -e 's|@sbindir@|/usr/sbin|' -e 's|@sysconfdir@|/etc|' \
	systemd/mxholdd.service >"$dir/mxholdd.service"
exposure() {
	systemd-analyze security --offline=true --no-pager --threshold=20 \
		"$1" >"$dir/said" 2>&1
}
if ! exposure "$dir/mxholdd.service"; then
	tail -1 "$dir/said" >&2
	exit 1
fi
tail -1 "$dir/said"
# The measure itself must be able to fail: an open unit is above it.
sed -e '/^[A-Z][A-Za-z]*=/{/^\(Type\|ExecStart\|User\)=/!d}' \
	"$dir/mxholdd.service" >"$dir/open.service"
if exposure "$dir/open.service"; then
	echo "an unconfined unit passed" >&2
	exit 1
fi
