#!/bin/sh
# Prints the report's modules as one Python script, which runs from a file or from standard input: `python3 -I - DIR`. The program carries this text.
# A module may import from another on one line (`from results import ...`); in the one script these lines are dropped, all names being there.
set -eu
cd "$(dirname "$0")"
echo '# scripts/report/{packages,intervals,results,arms,charts,sections,__main__}.py as one script; see scripts/report/bundle.sh.'
for module in packages intervals results arms charts sections __main__; do
  sed -E '/^from (packages|intervals|results|arms|charts|sections) import /d' "$module.py"
done
