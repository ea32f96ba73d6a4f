#!/usr/bin/env bash
# Installs the Debian packages that Vanishing Point is built from (Debian 12 and 13), as root or through sudo.
#
#   scripts/setup.sh            what building, running and reporting need
#   scripts/setup.sh --tests    also what the browser test of the report needs
#   scripts/setup.sh --lint     also what scripts/lint.sh needs (Debian 12)
#   scripts/setup.sh --clang    also a second compiler
#
# Only what is missing is installed; if nothing is, there is no network traffic and nothing to be root for. Exit 3: packages are missing and
# could not be installed; where it takes an administrator, the line to hand over is printed. Configuration files that you edited are kept.
set -euo pipefail

usage() {
  sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

# Package and the reason it is needed. One per line: "name reason".
core_packages() {
  cat <<'LIST'
g++ compiler
cmake build
ninja-build build
pkg-config build: finds xxHash
libdnnl-dev oneDNN: matrix products
ocl-icd-opencl-dev build: Debian 12's oneDNN is not found by CMake without it
libtbb-dev oneTBB: threads
libhwy-dev Highway: vector code chosen at run time
libbenchmark-dev Google Benchmark: kernel timings
libgtest-dev GoogleTest: tests
libgmock-dev GoogleMock: tests
libcsv-dev CSV reader
libtomlplusplus-dev toml++: experiment files
libcli11-dev CLI11: command line
libfmt-dev fmt: text
libeigen3-dev Eigen: orthogonal matrices
libboost-dev Boost.Math: intervals of claims
nlohmann-json3-dev JSON: manifest, data package
librandom123-dev Random123: counter-based random numbers
zlib1g-dev zlib: packed data sets
libxxhash-dev xxHash: run ids, checksums
dataset-fashion-mnist the quick start's data: 70,000 images
python3 report
python3-pandas report
python3-plotly report
LIST
}

test_packages() {
  cat <<'LIST'
chromium browser test of the report, screenshots
chromium-driver browser test of the report
python3-selenium browser test of the report
LIST
}

lint_packages() {
  cat <<'LIST'
clang-format-14 layout of the code
clang-tidy-14 naming, and faults that reading overlooks
shellcheck faults of shell scripts
pyflakes3 faults of Python scripts
LIST
}

clang_packages() {
  cat <<'LIST'
clang compiler of the preset clang
LIST
}

is_installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}\n' "$1" 2>/dev/null | head -n 1)" = installed ]
}

# Root, or a sudo that works here: without a password, or at a terminal where one can be typed.
can_be_root() {
  [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; }
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Nothing is asked: a configuration file that was edited stays as it is. The lock's time-out covers an unattended upgrade that happens to be
# under way.
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

# What comes after the set-up, on two cores.
say_the_rest() {
  echo "setup: on two cores scripts/run.sh then takes about 15 minutes, scripts/test.sh about 40, most of it the build; build/ needs 0.6 GB"
}

main() {
  local wanted missing=() name reason cost="2 minutes, 1 GB of disk"
  wanted=$(core_packages)
  case "${1-}" in
    '') ;;
    --tests) wanted+=$'\n'$(test_packages) cost="4 minutes, 1.7 GB of disk" ;;
    --lint) wanted+=$'\n'$(lint_packages) cost="3 minutes, 1.5 GB of disk" ;;
    --clang) wanted+=$'\n'$(clang_packages) cost="3 minutes, 1.6 GB of disk" ;;
    -h | --help) usage; return 0 ;;
    *) echo "setup: unknown argument '$1'" >&2; usage >&2; return 2 ;;
  esac
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup: this is not a Debian system; install the equivalents of:" >&2
    echo "$wanted" >&2
    return 3
  fi
  while read -r name reason; do
    is_installed "$name" && continue
    if [ ${#missing[@]} -eq 0 ]; then echo "setup: missing packages:"; fi
    printf '  %-22s %s\n' "$name" "$reason"
    missing+=("$name")
  done <<<"$wanted"
  if [ ${#missing[@]} -eq 0 ]; then
    echo "setup: all packages are there"
    return 0
  fi
  if ! can_be_root; then
    echo "setup: installing packages needs root. Hand this line to an administrator, then run this again:" >&2
    echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
    return 3
  fi
  echo "setup: installing ${#missing[@]} packages and what they depend on with apt-get (no recommended ones): about $cost"
  apt update || echo "setup: warning: not every package list could be read; trying with those there are" >&2
  if ! apt install --yes --no-install-recommends "${missing[@]}"; then
    echo "setup: apt-get install failed; its messages above say why. When that is mended, run this again" >&2
    return 3
  fi
  echo "setup: done"
  say_the_rest
}

main "$@"
