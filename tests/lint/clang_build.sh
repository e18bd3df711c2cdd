#!/bin/sh
# Everything compiles without a warning by clang too (the presets that are not
# sanitizers use gcc). usage: clang_build.sh BUILD_DIR
set -eu
src=$(cd "$(dirname "$0")/../.." && pwd)
launcher=
command -v ccache >/dev/null && launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
# shellcheck disable=SC2086
cmake -S "$src" -B "$1" -G Ninja -DCMAKE_C_COMPILER=clang -DMX_WERROR=ON \
	-DMX_FAILPOINTS=ON $launcher >/dev/null
exec cmake --build "$1"
