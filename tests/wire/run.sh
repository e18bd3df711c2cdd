#!/bin/bash
# Real primaries (Debian's Postfix, Exim and OpenSMTPD, unpacked privately)
# behind a wire that is cut. usage: sudo tests/wire/run.sh short|long|compare
#   short    Postfix, two faults, 50 messages each: what CI runs, a minute
#   long     every primary, every fault, 1,000 messages each, default probes:
#            half an hour, the three primaries side by side
#   compare  the same outage for mxholdd and for Postfix as the backup, 1,000
#            messages each, three runs side by side: a quarter of an hour;
#            OUTAGE, RUNS and LIMIT set seconds, runs and the longest wait
# Each laboratory has network namespaces of its own. MXHOLD_BIN names the
# programs.
set -euo pipefail
cd "$(dirname "$0")"
export MXHOLD_BIN=${MXHOLD_BIN:-$PWD/../../build/check/bin}
[[ -x $MXHOLD_BIN/mxholdd ]] || {
	echo "wire: no mxholdd in $MXHOLD_BIN" >&2
	exit 2
}
python=/usr/bin/python3
status=0

long() {
	local kind pids=()
	echo "| fault | primary | before the return | after it | first, s | last, s |" \
		"sockets gone, s | second copies |"
	for kind in postfix exim opensmtpd; do
		"$python" -B wire.py --primary "$kind" "$@" &
		pids+=($!)
	done
	for kind in "${pids[@]}"; do wait "$kind" || status=1; done
}

case ${1:-short} in
short) (cd ../e2e && "$python" -B test_wire.py) || status=1 ;;
long) long "${@:2}" ;;
compare) "$python" -B compare.py --outage "${OUTAGE:-90}" --runs "${RUNS:-3}" \
	--limit "${LIMIT:-1200}" || status=1 ;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
exit "$status"
