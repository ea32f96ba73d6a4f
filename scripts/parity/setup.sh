#!/bin/sh
# A Python environment of its own with PyTorch and safetensors, for the scripts beside this one. Nothing else of the project needs it.
# usage: scripts/parity/setup.sh [DIRECTORY]    default: build/parity-venv
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
venv=${1:-$root/build/parity-venv}
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet torch==2.13.0 numpy safetensors packaging
echo "$venv/bin/python $root/scripts/parity/torch_parity.py"
