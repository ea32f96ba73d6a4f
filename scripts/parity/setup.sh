#!/bin/sh
# A Python environment of its own with PyTorch, or TensorFlow, and safetensors, for the scripts beside this one. Nothing else of the project
# needs it.
# usage: scripts/parity/setup.sh [--tensorflow] [DIRECTORY]    default: build/parity-venv, or build/tensorflow-venv
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
library=torch==2.13.0 script=torch_parity.py venv=$root/build/parity-venv
if [ "${1:-}" = --tensorflow ]; then
  library=tensorflow-cpu==2.21.0 script=tensorflow_parity.py venv=$root/build/tensorflow-venv
  shift
fi
venv=${1:-$venv}
python3 -I -m venv "$venv"
"$venv/bin/pip" install --quiet "$library" numpy safetensors packaging
echo "$venv/bin/python $root/scripts/parity/$script"
