#!/usr/bin/env bash
# From a fresh machine to results: installs what is missing, builds, runs the quick-start experiment on real data, draws the report
# and checks the claims. Run again, it resumes or has nothing left to do. Arguments go to `vpoint run`, for example: scripts/run.sh --threads 1
#
# Exit code: that of the step that failed; 1 if a run failed or a claim does anything but hold (the report is written all the same).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

results=results/quickstart
vpoint=build/release/vpoint

scripts/setup.sh
scripts/build.sh --target vpoint

echo "run: quick-start experiment, under a minute"
status=0
"$vpoint" run experiments/catalog/quickstart.toml "$@" --out "$results" || status=$?
if [ "$status" -gt 1 ]; then exit "$status"; fi  # 1: some runs failed; the others are worth a report

"$vpoint" report "$results"
echo "run: results are in $PWD/$results:"
echo "  report.html   open it in a browser"
echo "  *.csv         described column by column in results/README.md"
"$vpoint" check "$results" || status=$?
exit "$status"
