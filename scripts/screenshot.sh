#!/usr/bin/env bash
# Saves the headline picture of a report as PNG, for the README: scripts/screenshot.sh DIR OUT.png [WIDTH]
# DIR holds report.html; WIDTH is in CSS pixels (default 1200); the PNG has twice as many, for sharp text. Needs Debian's chromium.
set -euo pipefail

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
  echo "usage: scripts/screenshot.sh DIR OUT.png [WIDTH]" >&2
  exit 2
fi
report=$(realpath "$1")/report.html
picture=$(realpath "$2")
width=${3-1200}
if [ ! -f "$report" ]; then
  echo "screenshot: $report: no such file; vpoint report makes it" >&2
  exit 3
fi

# A profile of its own, so that a browser that is open is left alone; the time budget lets every chart be drawn first.
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
browser() {
  chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --no-first-run \
    --user-data-dir="$profile" --hide-scrollbars --blink-settings=preferredColorScheme=1 --force-device-scale-factor=2 \
    --virtual-time-budget=20000 --window-size="$width,$1" "${@:2}" "file://$report#headline" 2>/dev/null
}

# The page notes how high its picture is; the second call takes just that.
height=$(browser 1000 --dump-dom | grep -o 'data-height="[0-9]*' | grep -o '[0-9]*$' | head -n 1 || true)
if [ -z "$height" ]; then
  echo "screenshot: chromium did not draw $report" >&2
  exit 1
fi
browser "$height" --screenshot="$picture" >/dev/null
echo "screenshot: $picture"
