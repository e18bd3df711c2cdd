#!/bin/sh
# Installs what is missing from Debian 12, with sudo when not root.
# usage: deps.sh build|demo|test|bench|interop ...   (each adds to the ones before)
set -eu

build="gcc cmake ninja-build pkg-config libuv1-dev liblmdb-dev libssl-dev
	libconfuse-dev libunbound-dev libidn2-dev libjansson-dev
	libsystemd-dev libcurl4-openssl-dev check"
demo="curl python3 openssl"
tests="git clang clang-format clang-tidy libclang-rt-14-dev shellcheck mandoc
	python3-dkim systemd e2fsprogs util-linux openssl strace"
crash="xfsprogs libfuse3-dev fuse3 kmod"
wire="iproute2 nftables"
bench="binutils procps gnuplot-nox linux-perf"
interop="swaks libnet-ssleay-perl testssl.sh bsdextrautils python3"

want=
for kind in "$@"; do
	case $kind in
	build) want="$want $build" ;;
	demo) want="$want $build $demo" ;;
	test) want="$want $build $demo $tests $crash $wire" ;;
	bench) want="$want $build $bench" ;;
	interop) want="$want $build $interop" ;;
	*)
		echo "deps.sh: no such kind: $kind" >&2
		exit 2
		;;
	esac
done

missing=
for package in $want; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null |
		grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
	sudo=sudo
	command -v sudo >/dev/null || {
		echo "needs these Debian packages, and is not root:$missing" >&2
		exit 1
	}
fi
echo "installing from Debian:$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get -qq update
# shellcheck disable=SC2086
$sudo apt-get -qq install -y --no-install-recommends $missing >/dev/null
