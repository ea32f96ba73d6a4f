#!/usr/bin/python3
"""Runs every experiment of the catalog, with few updates, by two builds of vpoint, and compares the CSV files byte by byte.

Usage: same_results.py BEFORE AFTER [--updates N] [--only NAME]... [--threads N]

BEFORE, AFTER: paths of two programs, as build/release/vpoint. timings.csv is left out: it depends on the clock. Each run is cut to N
updates (default 2), each axis of seeds to its first value. Exit code: 0 if all files are the same, 1 if one differs, 2 for a wrong
argument. Standard library only.
"""
import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = {"timings.csv"}  # the one that depends on the clock


def cut(text, updates):
    """The text of an experiment with few updates and one seed, and no claims, which are for the whole of it."""
    text = text.split("[[claim]]")[0]
    text = re.sub(r"^(train\.seed = \[)([^\],]*)[^\]]*\]", r"\1\2]", text, flags=re.M)
    text = re.sub(r"^((?:train\.)?updates = )(\[?)[^\n\]]*(\]?)", rf"\g<1>\g<2>{updates}\g<3>", text, flags=re.M)
    text = re.sub(r"^((?:train\.|probe\.)?(?:evaluate_every|timesteps_every) = )(\[?)[^\n\]]*(\]?)", r"\g<1>\g<2>1\g<3>", text, flags=re.M)
    return text


def run(program, experiment, directory, threads):
    done = subprocess.run([program, "run", experiment, "--threads", str(threads), "--out", directory], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"same_results: {program}: exit {done.returncode} on {experiment}\n{done.stderr[-2000:]}")


def differences(before, after):
    """Names of the CSV files that are not the same bytes in both directories."""
    names = sorted({file.name for directory in (before, after) for file in directory.glob("*.csv")} - LEFT_OUT)

    def content(directory, name):
        return (directory / name).read_bytes() if (directory / name).exists() else None

    return names, [name for name in names if content(before, name) != content(after, name)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--updates", type=int, default=2)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    different = 0
    for file in sorted((ROOT / "experiments" / "catalog").glob("*.toml")):
        if arguments.only and file.stem not in arguments.only:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            directory = Path(temporary)
            experiment = directory / file.name
            experiment.write_text(cut(file.read_text(encoding="utf-8"), arguments.updates), encoding="utf-8")
            for program, out in ((arguments.before, "before"), (arguments.after, "after")):
                run(program, experiment, directory / out, arguments.threads)
            names, others = differences(directory / "before", directory / "after")
            size = sum((directory / "after" / name).stat().st_size for name in names)
            different += bool(others)
            verdict = "DIFFER: " + ", ".join(others) if others else "the same"
            print(f"{file.stem:28} {len(names)} files, {size} bytes: {verdict}", flush=True)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
