#!/usr/bin/env bash
# Installs what is missing, builds, and passes every test. Arguments go to ctest, for example: scripts/test.sh -R report
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh --tests
scripts/build.sh
echo "test: all tests, about 15 minutes on two cores"
ctest --preset release --no-tests=error --parallel "$(nproc)" "$@"
