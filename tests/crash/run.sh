#!/bin/bash
# The crash programme: kill -9 and power cuts under load; nothing that got a
# 250 may be lost. usage: tests/crash/run.sh short|long
#   short   20 kills and 3 cuts a mode (what CI runs), about two minutes
#   long    1,000 kills and 210 cuts over all modes, about half an hour
# Kills need nothing; cuts need root, loop devices and FUSE (they are skipped,
# aloud, where these are missing). MXHOLD_BIN names the programs, TMPDIR where
# the disks lie (a tmpfs is as good: the cut is ours).
set -euo pipefail
cd "$(dirname "$0")"

case ${1:-short} in
short) kills=20 cuts=3 ;;
long) kills=500 cuts=30 ;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
export MXHOLD_BIN=${MXHOLD_BIN:-$PWD/../../build/check/bin}
[[ -x $MXHOLD_BIN/mxholdd ]] || {
	echo "crash: no mxholdd in $MXHOLD_BIN" >&2
	exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

try() { # WANTED NAME OPTION...
	local want=$1 name=$2 got=0 primary=()
	shift 2
	[[ $name == *primary* ]] && primary=(--primary)
	mkdir -p "$work/w"
	python3 powercut.py --dir "$work" --max-ms 600 "$@" \
		--write "exec python3 load.py --work $work/w ${primary[*]:-}" \
		--list "python3 check.py --work $work/w" >"$work/said" 2>&1 || got=$?
	if [[ $got == "$want" ]]; then
		passed=$((passed + 1))
		echo "ok   $name: $(tail -1 "$work/said")"
	else
		failed=$((failed + 1))
		echo "FAIL $name: exit $got, wanted $want"
		tail -5 "$work/said"
		tail -5 "$work/w/mxholdd.log"
	fi
	rm -rf "$work/w"
}

try 0 "kill -9" --cut kill --cycles "$kills"
try 0 "kill -9, primary takes mail" --cut kill --cycles "$kills"
# The proof that the harness sees a loss: mail is acknowledged too early.
MXHOLDD_FAIL=ack-early try 1 "kill -9, 250 before the commit" --cut kill --cycles 10

if [[ $(id -u) -ne 0 ]] || ! losetup -f >/dev/null 2>&1; then
	echo "skipped: power cuts need root and loop devices"
else
	for fs in ext4 xfs; do
		try 0 "power cut, shutdown, $fs" --cut shutdown --fs $fs --cycles "$cuts"
		try 0 "power cut, shutdown, $fs, primary takes mail" \
			--cut shutdown --fs $fs --cycles "$cuts"
	done
	read -ra fuse < <(pkg-config --cflags --libs fuse3)
	if [[ -e /dev/fuse ]] && cc -O2 -o "$work/vdisk" vdisk.c "${fuse[@]}"; then
		for cut in drop prefix subset; do
			try 0 "power cut, disk cache: $cut" --vdisk "$work/vdisk" \
				--cut $cut --cycles "$cuts"
		done
		try 1 "a disk that ignores flushes" --vdisk "$work/vdisk" \
			--cut subset --lie --cycles 6 --stop-at-first
	else
		echo "skipped: cuts of the disk's cache need FUSE"
	fi
fi
echo "crash: $passed passed, $failed failed"
[[ $failed -eq 0 ]]
