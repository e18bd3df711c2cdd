#!/bin/sh
# What `cmake --install BUILD --prefix /usr` puts where, and that the unit
# starts the program that was installed.
#   install.sh BUILD
set -eu
build=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# install_and_check PREFIX: says what is wrong.
install_and_check() {
	root=$dir/root$1
	if ! DESTDIR="$root" cmake --install "$build" --prefix "$1" \
		>"$dir/said" 2>&1; then
		cat "$dir/said" >&2
		exit 1
	fi
	unit=lib/systemd/system/mxholdd.service
	for file in sbin/mxholdd bin/mxholdctl $unit \
		lib/systemd/system/mxholdd.socket \
		lib/sysusers.d/mxholdd.conf lib/tmpfiles.d/mxholdd.conf \
		share/man/man8/mxholdd.8 share/man/man8/mxholdctl.8 \
		share/man/man5/mxholdd.conf.5 \
		share/doc/mxholdd/examples/mxholdd.conf.example; do
		if ! [ -s "$root$1/$file" ]; then
			echo "$1/$file is not installed" >&2
			exit 1
		fi
	done
	set -- "$1" "$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$root$1/$unit")"
	if ! [ -x "$root$2" ]; then
		echo "ExecStart=$2: there is no such program below $1" >&2
		exit 1
	fi
	if ! grep -q '^ExecStart=.* -c /etc/mxholdd/mxholdd.conf$' \
		"$root$1/$unit"; then
		echo "$1: the unit does not name /etc/mxholdd" >&2
		exit 1
	fi
	if grep -q '@[a-z]*dir@' "$root$1/$unit"; then
		echo "$1: the unit still has placeholders" >&2
		exit 1
	fi
}

install_and_check /usr
install_and_check /opt/mxhold
