#!/bin/bash
# The crash programme: kill -9 and power cuts under load; nothing that got a
# 250 may be lost. usage: tests/crash/run.sh short|long
#   short   20 kills and 3 cuts a mode (what CI runs), about two minutes
#   long    ten times 50 kills a mode and 3 cuts a mode: 1,000 kills, 210 cuts
# Kills need nothing; cuts need root, loop devices and FUSE (they are skipped,
# aloud, where these are missing). MXHOLD_BIN names the programs, TMPDIR where
# the disks lie (a tmpfs is as good: the cut is ours). Run it alone: a mount
# namespace made meanwhile copies the mounts and keeps a loop device busy.
set -euo pipefail
cd "$(dirname "$0")"

case ${1:-short} in
short) rounds=1 kills=20 cuts=3 ;;
long) rounds=10 kills=50 cuts=3 ;;
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

can_cut=no has_cache=no
if [[ $(id -u) -ne 0 ]] || ! losetup -f >/dev/null 2>&1; then
	echo "skipped: power cuts need root and loop devices"
else
	can_cut=yes
	read -ra fuse < <(pkg-config --cflags --libs fuse3)
	if [[ -e /dev/fuse ]] && cc -O2 -o "$work/vdisk" vdisk.c "${fuse[@]}"; then
		has_cache=yes
	else
		echo "skipped: cuts of the disk's cache need FUSE"
	fi
fi

# The store is kept from cycle to cycle within a round, so that what is old
# must survive every cut; each round begins with an empty one.
one_round() {
	try 0 "kill -9" --cut kill --cycles "$kills"
	try 0 "kill -9, primary takes mail" --cut kill --cycles "$kills"
	[[ $can_cut == yes ]] || return 0
	for fs in ext4 xfs; do
		try 0 "power cut, shutdown, $fs" --cut shutdown --fs $fs --cycles "$cuts"
		try 0 "power cut, shutdown, $fs, primary takes mail" \
			--cut shutdown --fs $fs --cycles "$cuts"
	done
	[[ $has_cache == yes ]] || return 0
	for cut in drop prefix subset; do
		try 0 "power cut, disk cache: $cut" --vdisk "$work/vdisk" \
			--cut $cut --cycles "$cuts"
	done
}

# The proof that the harness sees a loss.
negative_controls() {
	MXHOLDD_FAIL=ack-early try 1 "kill -9, 250 before the commit" \
		--cut kill --cycles 10
	[[ $has_cache == yes ]] || return 0
	try 1 "a disk that ignores flushes" --vdisk "$work/vdisk" \
		--cut subset --lie --cycles 6 --stop-at-first
}

negative_controls
for ((i = 0; i < rounds; i++)); do one_round; done | tee "$work/all"
# one_round ran in a subshell of the pipe: count from what it said.
passed=$((passed + $(grep -c '^ok ' "$work/all" || true)))
failed=$((failed + $(grep -c '^FAIL ' "$work/all" || true)))
awk '/^ok/ && /powercut:/ {
	for (i = 1; i <= NF; i++) {
		if ($i ~ /^cycles/) c[/kill -9/] += $(i - 1)
		if ($i ~ /^acknowledged/) acked += $(i - 1)
		if ($i ~ /^delivered/) done += $(i - 1)
		if ($i ~ /^corrupt/) corrupt += $(i - 1)
		if ($i == "lost") lost += $(i - 1)
	}
} END {
	printf "crash: %d kills, %d power cuts: %d messages acknowledged, ", c[1], c[0], acked
	printf "%d delivered meanwhile, %d corrupt, %d lost\n", done, corrupt, lost
}' "$work/all"
echo "crash: $passed passed, $failed failed"
[[ $failed -eq 0 ]]
