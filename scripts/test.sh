#!/usr/bin/env bash
# Installs what is missing, builds, and passes every test.
#
#   scripts/test.sh [CTEST ARGUMENTS]   for example: scripts/test.sh -R report
#   scripts/test.sh --asan              the C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   scripts/test.sh --all               all of that, and ThreadSanitizer, a build by clang, clang-tidy of everything, planted faults.
#                                       Before a release. A warning of a compiler fails
#
# VP_WERROR=ON: a warning fails the build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# tests_of PRESET: builds the C++ tests by it, and passes them.
tests_of() {
  local launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  echo "test: the C++ tests, preset $1"
  cmake --preset "$1" -DVP_WERROR="${VP_WERROR-OFF}" "${launcher[@]}"
  cmake --build --preset "$1" --target kernels_tests models_tests experiments_tests vpoint
  ctest --preset "$1" --no-tests=error --parallel "$(nproc)" --tests-regex '^(kernels|models|experiments)\.'
}

plain() {
  scripts/setup.sh --tests
  scripts/build.sh
  echo "test: all tests, about 15 minutes on two cores"
  ctest --preset release --no-tests=error --parallel "$(nproc)" "$@"
}

everything() {
  export VP_WERROR=ON
  plain
  scripts/lint.sh --all
  tests_of asan
  tests_of tsan
  scripts/setup.sh --clang
  tests_of clang
  python3 scripts/mutants.py
}

case "${1-}" in
  --all) everything ;;
  --asan) scripts/setup.sh --tests && tests_of asan ;;
  *) plain "$@" ;;
esac
