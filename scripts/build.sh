#!/usr/bin/env bash
# Release build of everything into build/release, through ccache where there is one. Extra arguments go to `cmake --build`,
# for example: scripts/build.sh --target vpoint. VP_WERROR=ON: a warning fails the build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

configure=(--preset release -DVP_WERROR="${VP_WERROR-OFF}")
if command -v ccache >/dev/null; then configure+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
echo "build: Release, into build/release; from nothing, on two cores, about 15 minutes for vpoint and 25 for all"
cmake "${configure[@]}"
cmake --build --preset release "$@"
