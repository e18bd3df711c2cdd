#!/bin/bash
# The simulator has no part of net's own loops, sockets and threads in it: the
# proof that layers above net see nothing of the libraries below it.
# usage: seams.sh PROGRAM
set -euo pipefail

# OpenSSL's hashes (net/digest.c) and libcrypto are pure.
found=$(nm -- "$1" | grep -E ' (U|T) (uv_|SSL_|ub_|curl_|(pthread_create|accept4|connect|socket)(@|$))' || true)
if [[ -n $found ]]; then
	printf 'the simulator is linked against the real network:\n%s\n' "$found"
	exit 1
fi
