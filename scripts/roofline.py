#!/usr/bin/python3 -I
"""Draws the roofline of a profile: what each row reaches, under what the machine could do at its arithmetic intensity.

Usage: roofline.py PROFILE.json OUT [--filter REGEX]     writes OUT.svg and OUT.png; REGEX selects rows (default: ^step/)

PROFILE.json is what `vpoint profile --benchmark_out=PROFILE.json` wrote. Rows without matrix FLOPs and error rows are left out. The PNG
is the SVG as chromium draws it. Standard library only.
"""
import argparse
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 1100, 720
LEFT, RIGHT, TOP, BOTTOM = 80, 30, 84, 64  # margins of the plot
LABEL_GAP = 15  # pixels between the shapes' names, which stand upright
LABEL_BAND = 170  # height of the band below the points that belongs to the names

# Okabe & Ito's colours, told apart by colour-blind readers too.
COLOURS = {"native": "#d55e00", "onednn": "#0072b2", "onednn_primitive": "#009e73", "reference": "#777777"}
OTHER_COLOUR = "#cc79a7"


@dataclass
class Point:
    """The median of one row."""
    shape: str      # e.g. lstm/T100B64H128I2
    backend: str
    threads: int
    intensity: float  # FLOP / byte
    flops: float      # per second


def split_name(run_name):
    """(shape, backend, threads) of a row's name; kernels are named backend first."""
    parts = run_name.removesuffix("/real_time").split("/")
    if parts[0] == "step":
        return "/".join(parts[1:3]), parts[3], int(parts[4].removeprefix("threads:"))
    return "/".join(parts[1:]), parts[0], 1


def read_points(profile, pattern):
    """The points of the rows that match."""
    samples = {}
    for row in profile["benchmarks"]:
        wanted = row.get("run_type") == "iteration" and "FLOPS" in row and "intensity" in row and re.search(pattern, row["run_name"])
        if wanted and not row.get("error_occurred") and "skipped" not in row:
            samples.setdefault(row["run_name"], []).append(row)
    return [Point(*split_name(name), rows[0]["intensity"], statistics.median(r["FLOPS"] for r in rows)) for name, rows in samples.items()]


def read_roofs(context):
    """{threads: (FLOP/s, bytes/s)} as measured at the start of the run."""
    roofs = {}
    for key, value in context.items():
        if match := re.fullmatch(r"fma_peak_flops_per_s_threads_(\d+)", key):
            threads = int(match[1])
            roofs[threads] = (float(value), float(context[f"triad_bytes_per_s_threads_{threads}"]))
    return roofs


class LogScale:
    """Maps [low, high], widened to whole powers of two of `unit`, to pixels [start, end]."""

    def __init__(self, low, high, unit, start, end):
        self.unit, self.start, self.end = unit, start, end
        self.low, self.high = math.floor(math.log2(low / unit) + 1e-9), math.ceil(math.log2(high / unit) - 1e-9)
        if self.high == self.low:
            self.high += 1

    def __call__(self, value):
        return self.start + (math.log2(value / self.unit) - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self):
        return [self.unit * 2.0 ** power for power in range(self.low, self.high + 1)]


def number(value):
    """1, 0.25, 128, 2.5: as short as it can be."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def text(x, y, content, extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {extra}>{escape(content)}</text>'


def line(x1, y1, x2, y2, extra):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {extra}/>'


def draw_axes(x, y):
    """Grid, numbers and titles."""
    for value in x.ticks():
        yield line(x(value), TOP, x(value), HEIGHT - BOTTOM - LABEL_BAND, 'stroke="#e4e4e4"')
        yield text(x(value), HEIGHT - BOTTOM + 18, number(value), 'text-anchor="middle"')
        yield line(x(value), HEIGHT - BOTTOM, x(value), HEIGHT - BOTTOM + 5, 'stroke="#888"')
    for value in y.ticks():
        yield line(LEFT, y(value), WIDTH - RIGHT, y(value), 'stroke="#e4e4e4"')
        yield text(LEFT - 8, y(value) + 4, number(value / y.unit), 'text-anchor="end"')
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 18, "arithmetic intensity, FLOP per byte moved (model)", 'text-anchor="middle"')
    yield line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, 'stroke="#888"')
    middle = (TOP + HEIGHT - BOTTOM - LABEL_BAND) / 2
    yield text(24, middle, "GFLOP/s of matrix products", f'text-anchor="middle" transform="rotate(-90 24 {middle:.1f})"')


def draw_roofs(roofs, x, y):
    """For each thread count: the slope of the memory, then the flat of the multipliers."""
    left, right, floor = x.ticks()[0], x.ticks()[-1], y.ticks()[0]
    for order, (threads, (flops, bandwidth)) in enumerate(sorted(roofs.items())):
        ridge = flops / bandwidth
        start = max(left, floor / bandwidth)
        corners = [(start, bandwidth * start), (ridge, flops), (right, flops)] if ridge > start else [(left, flops), (right, flops)]
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in corners)
        dash = "" if order == 0 else 'stroke-dasharray="7 5"'
        yield f'<polyline points="{path}" fill="none" stroke="#222" stroke-width="2" {dash}/>'
        name = f"{threads} thread{'' if threads == 1 else 's'}: {flops / 1e9:.0f} GFLOP/s, triad {bandwidth / 1e9:.1f} GB/s"
        yield text(WIDTH - RIGHT - 4, y(flops) + (-7 if order else 16), name, 'text-anchor="end" font-size="13" fill="#222"')


def draw_points(points, x, y):
    """One thread filled, more threads hollow."""
    for p in points:
        colour = COLOURS.get(p.backend, OTHER_COLOUR)
        fill = colour if p.threads == 1 else "white"
        title = f"{p.shape} {p.backend}, {p.threads} thread(s): {p.flops / 1e9:.1f} GFLOP/s"
        yield (f'<circle cx="{x(p.intensity):.1f}" cy="{y(p.flops):.1f}" r="5.5" fill="{fill}" stroke="{colour}" '
               'stroke-width="2" fill-opacity="0.9">'
               f"<title>{escape(title)}</title></circle>")


def draw_shapes(points, x, y):
    """The name of each shape, upright below its points; neighbours are pushed apart and keep a line to their place."""
    places = sorted({p.shape: x(p.intensity) for p in points}.items(), key=lambda place: place[1])
    at, head = -math.inf, HEIGHT - BOTTOM - LABEL_BAND
    for shape, wanted in places:
        at = max(wanted, at + LABEL_GAP)
        top = max(p.flops for p in points if p.shape == shape)
        yield line(wanted, y(top), wanted, head + 4, 'stroke="#aaa" stroke-dasharray="2 4"')
        yield line(wanted, head + 4, at, head + 16, 'stroke="#aaa" stroke-dasharray="2 4"')
        yield text(at + 4, head + 20, shape,
                   f'text-anchor="end" font-size="12" fill="#444" transform="rotate(-90 {at + 4:.1f} {head + 20:.1f})"')


def draw_legend(points):
    """Colours of the engines, and what hollow means."""
    at = LEFT
    present = {p.backend for p in points}
    for backend in [b for b in COLOURS if b in present] + sorted(present - COLOURS.keys()):
        colour = COLOURS.get(backend, OTHER_COLOUR)
        yield f'<circle cx="{at + 6}" cy="{TOP - 16}" r="5.5" fill="{colour}" stroke="{colour}"/>'
        yield text(at + 17, TOP - 11, backend, 'font-size="14"')
        at += 36 + 8 * len(backend)
    if any(p.threads > 1 for p in points):
        yield f'<circle cx="{at + 6}" cy="{TOP - 16}" r="5.5" fill="white" stroke="#555" stroke-width="2"/>'
        yield text(at + 17, TOP - 11, "more than one thread", 'font-size="14"')


def draw(points, roofs, context):
    """The whole picture as SVG text."""
    rates = [p.flops for p in points] + [flops for flops, _ in roofs.values()]
    x = LogScale(min(p.intensity for p in points) / 2, max(p.intensity for p in points) * 1.5, 1, LEFT, WIDTH - RIGHT)
    y = LogScale(min(rates) * 0.95, max(rates) * 1.05, 1e9, HEIGHT - BOTTOM - LABEL_BAND, TOP)
    machine = f"{context.get('cpu', 'unknown CPU')}, {context.get('instruction_set', '')}, {context.get('libraries', '')}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="14" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(LEFT, 28, "Training steps under the roof", 'font-size="20" font-weight="bold"'),
        text(LEFT, 48, machine, 'font-size="13" fill="#555"'),
        *draw_axes(x, y), *draw_shapes(points, x, y), *draw_roofs(roofs, x, y), *draw_points(points, x, y), *draw_legend(points), "</svg>",
    ]
    return "\n".join(parts) + "\n"


def write_png(svg, png):
    """Has chromium draw the SVG at twice its size. False if there is no chromium or it fails."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return False
    with tempfile.TemporaryDirectory() as profile:
        page = Path(profile) / "page.html"
        page.write_text(f'<!doctype html><style>body{{margin:0}}</style>{svg.read_text(encoding="utf-8")}', encoding="utf-8")
        subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                        "--disable-background-networking", "--hide-scrollbars",
                        "--force-device-scale-factor=2", f"--user-data-dir={profile}/browser",
                        f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={png.resolve()}",
                        page.as_uri()], capture_output=True, timeout=120, check=False)
    return png.exists()


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("profile", type=Path, help="what vpoint profile --benchmark_out wrote")
    parser.add_argument("out", help="name of the pictures, without .svg and .png")
    parser.add_argument("--filter", default="^step/", help="regular expression of the rows to draw")
    options = parser.parse_args(arguments)
    try:
        profile = json.loads(options.profile.read_text(encoding="utf-8"))
        points, roofs = read_points(profile, options.filter), read_roofs(profile["context"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"roofline: {options.profile}: not a profile: {error}", file=sys.stderr)
        return 3
    if not points or not roofs:
        print(f"roofline: {options.profile}: no row with FLOPs matches {options.filter}", file=sys.stderr)
        return 2
    svg, png = Path(options.out + ".svg"), Path(options.out + ".png")
    png.unlink(missing_ok=True)
    svg.write_text(draw(points, roofs, profile["context"]), encoding="utf-8")
    print(f"roofline: {svg}")
    if not write_png(svg, png):
        print("roofline: no PNG: it needs chromium (scripts/setup.sh --tests installs it)", file=sys.stderr)
        return 3
    print(f"roofline: {png}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
