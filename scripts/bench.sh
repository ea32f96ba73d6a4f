#!/usr/bin/env bash
# Measures the fixed set: every training step of the table of goals, each engine, one thread and all, 9 repetitions in random order. Under 5 minutes.
#
#   scripts/bench.sh [--isa ISA] [DIR]     DIR: default results/reference; ISA, e.g. AVX2: limits peak, kernels and oneDNN, and joins the files' names
#
# Writes DIR/profile.csv (median, quartiles, variation), profile.manifest.json (machine, build, limits at start and end) and profile.svg|png (the roofline);
# every repetition goes to results/bench/profile.json, for `vpoint profile --compare`. Exit code: that of `vpoint profile`; 1 if a row is wrong (the files are written all the same).
#
# Wants a quiet machine. VPOINT names the program (default: build/release/vpoint, which is built first).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

name=profile
flags=()
if [ "${1-}" = --isa ]; then
  if [ $# -lt 2 ]; then echo "usage: scripts/bench.sh [--isa ISA] [DIR]" >&2; exit 2; fi
  flags+=(--isa "$2")
  name=profile_$(printf '%s' "$2" | tr '[:upper:]' '[:lower:]')
  shift 2
fi
case "${1-}" in -*) echo "usage: scripts/bench.sh [--isa ISA] [DIR]" >&2; exit 2 ;; esac
directory=${1-results/reference}

if [ -z "${VPOINT-}" ]; then
  scripts/build.sh --target vpoint
  VPOINT=build/release/vpoint
fi
repetitions=results/bench/$name.json
mkdir -p "$directory" results/bench

# The address layout is fixed, so that a repetition does not depend on the luck of a process; where that is forbidden, it varies and the manifest says so.
run=(setarch "$(uname -m)" --addr-no-randomize)
if ! "${run[@]}" true 2>/dev/null; then run=(env); fi

echo "bench: about 3 minutes"
status=0
"${run[@]}" "$VPOINT" profile "${flags[@]}" --benchmark_filter='^step/.*/(onednn|native|onednn_primitive)/' --benchmark_repetitions=9 \
  --benchmark_enable_random_interleaving=true --benchmark_out="$repetitions" --benchmark_out_format=json >/dev/null || status=$?
if [ "$status" -gt 1 ]; then exit "$status"; fi

scripts/profile_csv.py "$repetitions" "$directory/$name.csv" "$directory/$name.manifest.json"
scripts/roofline.py "$repetitions" "$directory/$name"
echo "bench: $directory/$name.csv"
exit "$status"
