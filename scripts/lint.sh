#!/usr/bin/env bash
# What reading overlooks: layout, naming, includes, shell and Python faults, links.
#
#   scripts/lint.sh          clang-tidy looks at the C++ files that changed since the branch left origin/main; on main, in the last commit
#   scripts/lint.sh --all    clang-tidy looks at every C++ file: about half an hour on two cores
#
# The tools are those of Debian 12, clang 14 among them, and are installed if they are missing. Another version would ask for another
# layout, so elsewhere they are skipped with a word. clang-tidy needs build/release (scripts/build.sh). LINT_BASE=COMMIT: what changed since that.
# shellcheck disable=SC2317  # check() calls the functions
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=0

# check NAME COMMAND...: runs it, and says how it went.
check() {
  local name=$1
  shift
  if "$@"; then echo "lint: $name: clean"; else
    echo "lint: $name: FAILED" >&2
    failed=1
  fi
}

have() { command -v "$1" >/dev/null || { echo "lint: $1 is not there: its check is skipped"; return 1; }; }

# C++ files that changed, one per line; of a changed header the source file beside it.
changed_sources() {
  local base=${LINT_BASE-}
  if [ -z "$base" ]; then base=$(git merge-base HEAD origin/main 2>/dev/null || true); fi
  if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then base=$(git rev-parse --verify --quiet HEAD~1 || git rev-parse HEAD); fi
  { git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } |
    sed -n 's/\.h$/.cpp/; /^\(kernels\|models\|experiments\|tests\)\/.*\.cpp$/p' | sort -u | while read -r file; do
      if [ -f "$file" ]; then echo "$file"; fi
    done
}

all_sources() { git ls-files 'kernels/*.cpp' 'models/*.cpp' 'experiments/*.cpp' 'tests/*.cpp'; }

tidy() {
  local sources
  sources=$("$1")
  if [ -z "$sources" ]; then return 0; fi
  echo "lint: clang-tidy looks at $(wc -l <<<"$sources") files"
  xargs --no-run-if-empty --max-args=1 --max-procs="$(nproc)" clang-tidy-14 -p build/release --quiet --extra-arg=-Wno-unknown-warning-option --warnings-as-errors='*' \
    <<<"$sources" 2> >(grep --invert-match --extended-regexp '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter' >&2)
}

layout() { git ls-files '*.h' '*.cpp' | xargs clang-format-14 --dry-run -Werror; }

scripts() { git ls-files '*.sh' '.ci/*' | xargs shellcheck; }

python() { git ls-files '*.py' | xargs pyflakes3; }

sources=changed_sources
case "${1-}" in
  '') ;;
  --all) sources=all_sources ;;
  *) echo "lint: unknown argument '$1'" >&2; exit 2 ;;
esac

if grep --quiet '^VERSION_ID="12"' /etc/os-release; then scripts/setup.sh --lint; fi
check "rooms" python3 scripts/check_layers.py
check "includes" python3 scripts/check_includes.py
check "documents" python3 scripts/check_docs.py
if have shellcheck; then check "shell" scripts; fi
if have pyflakes3; then check "Python" python; fi
if have clang-format-14; then check "layout" layout; fi
if have clang-tidy-14; then
  if [ -f build/release/compile_commands.json ]; then check "clang-tidy" tidy "$sources"; else
    echo "lint: clang-tidy needs build/release: run scripts/build.sh first" >&2
    failed=1
  fi
fi
exit "$failed"
