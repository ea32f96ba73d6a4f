#!/usr/bin/python3 -I
"""Makes a table of a profile: a line for every row, with median and dispersion over its repetitions.

Usage: profile_csv.py PROFILE.json OUT.csv MANIFEST.json
The manifest is the profile's context: CPU, caches, compiler, libraries, limits at start and end.

Columns: row, backend, threads, repetitions; median_us, quartile1_us, quartile3_us and variation (standard deviation / mean) of the
real time of one call; gflops, share_of_peak, share_beside_peak, bytes, gigabytes_per_s, share_of_triad, intensity (FLOP/byte),
updates_per_s: medians; implementation; error. Standard library only.
"""
import csv
import json
import statistics
import sys
from pathlib import Path

MICROSECONDS = {"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6}
COLUMNS = ["row", "backend", "threads", "repetitions", "median_us", "quartile1_us", "quartile3_us", "variation", "gflops", "share_of_peak",
           "share_beside_peak", "bytes", "gigabytes_per_s", "share_of_triad", "intensity", "updates_per_s", "implementation", "error"]
# column, counter, factor
COUNTERS = [("gflops", "FLOPS", 1e-9), ("share_of_peak", "share_of_peak", 1), ("share_beside_peak", "share_beside_peak", 1),
            ("bytes", "bytes", 1), ("gigabytes_per_s", "bytes_per_s", 1e-9), ("share_of_triad", "share_of_triad", 1),
            ("intensity", "intensity", 1),
            ("updates_per_s", "updates_per_s", 1)]


def short(value):
    return f"{value:.5g}" if abs(value) < 1e5 else f"{value:.0f}"


def dispersion(times):
    """Quartiles (as numpy's default) and coefficient of variation; nothing where there is one value only."""
    if len(times) < 2:
        return {}
    first, _, third = statistics.quantiles(times, n=4, method="inclusive")
    variation = statistics.stdev(times) / statistics.mean(times)
    return {"quartile1_us": short(first), "quartile3_us": short(third), "variation": short(variation)}


def describe(name):
    """Row, backend and threads of a benchmark's name."""
    parts = name.removesuffix("/real_time").split("/")
    step = parts[0] == "step"
    backend, threads = (parts[3], parts[4].removeprefix("threads:")) if step else (parts[0], "1")
    return {"row": "/".join(parts), "backend": backend, "threads": threads}


def summarize(name, rows):
    """One line of the table."""
    error = next((row.get("error_message") or row.get("skip_message") or "error"
                  for row in rows if row.get("error_occurred") or "skipped" in row), "")
    line = describe(name) | {"repetitions": len(rows), "error": error, "implementation": rows[0].get("label", "")}
    if error:
        return line
    times = [row["real_time"] * MICROSECONDS[row["time_unit"]] for row in rows]
    line |= {"median_us": short(statistics.median(times))} | dispersion(times)
    for column, counter, factor in COUNTERS:
        if counter in rows[0]:
            line[column] = short(factor * statistics.median(row[counter] for row in rows))
    return line


def table(profile):
    """All lines, in the order of the rows' first repetitions by name."""
    samples = {}
    for row in profile["benchmarks"]:
        if row.get("run_type", "iteration") == "iteration" and not row["run_name"].startswith("machine/"):
            samples.setdefault(row["run_name"], []).append(row)
    return [summarize(name, samples[name]) for name in sorted(samples)]


def manifest(profile):
    """The context without the host's name, and the limits as they were at the end."""
    end = {row["run_name"]: row.get("FLOPS", row.get("bytes_per_s"))
           for row in profile["benchmarks"] if row["run_name"].startswith("machine/")}
    return {key: value for key, value in profile["context"].items() if key != "host_name"} | {"at_end": end}


def main(arguments):
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    source, out, manifest_path = map(Path, arguments)
    try:
        profile = json.loads(source.read_text(encoding="utf-8"))
        lines, context = table(profile), manifest(profile)
    except (OSError, ValueError, KeyError) as error:
        print(f"profile_csv: {source}: not a profile: {error}", file=sys.stderr)
        return 3
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    manifest_path.write_text(json.dumps(context, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
