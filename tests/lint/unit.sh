#!/bin/sh
# The unit's exposure by `systemd-analyze security` must stay at most 2.0.
set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sed -e 's|@sbindir@|/usr/sbin|' -e 's|@sysconfdir@|/etc|' \
	systemd/mxholdd.service >"$dir/mxholdd.service"
systemd-analyze security --offline=true --no-pager --threshold=20 \
	"$dir/mxholdd.service" | tail -1
# The measure itself must be able to fail: an open unit is above it.
sed -e '/^[A-Z][A-Za-z]*=/{/^\(Type\|ExecStart\|User\)=/!d}' \
	"$dir/mxholdd.service" >"$dir/open.service"
if systemd-analyze security --offline=true --no-pager --threshold=20 \
	"$dir/open.service" >/dev/null 2>&1; then
	echo "an unconfined unit passed" >&2
	exit 1
fi
