"""Bounds, for every engine and quantity. The error of a tensor is the largest absolute difference from the library in float64, over the
largest magnitude there, but at least over 2^-126: smaller numbers no float32 holds with full precision. All sides get the same numbers.
  set    over all cases, our largest error is at most twice the library's own largest in float32, and our root mean square at most twice its
  case   in every single tensor, ours is at most twice the library's, or at most 2e-6: below that, luck decides the ratio (either side
         exceeds the other twofold now and then; both counts are printed)
  short  below 2e-6 where T <= 50. Where terms of a sum cancel, no float32 sum keeps that: tensors beyond it are listed, and break the bound
         unless ours is within twice the library's
  f64    below 1e-12 in double precision (engine reference)
Exit code 1 if a bound is broken.
"""
# What the parity scripts share: `vpoint inspect` on the cases of a family, and the comparison. Needs numpy and safetensors, no library.
import argparse
import collections
import dataclasses
import math
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable

import numpy
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
EPS, SMALLEST = 2.0**-23, 2.0**-126
FLOOR, RATIO, SHORT_STEPS, DOUBLE = 2e-6, 2.0, 50, 1e-12
TOML = 'name = "parity"\ntask.name = "adding"\n'  # the task is not looked at
Row = collections.namedtuple("Row", "case quantity ours theirs")


@dataclasses.dataclass(frozen=True)
class Family:
    """Models of one kind, and how the library computes them. A case has number, T, target, in_double and settings()."""
    make_cases: Callable  # (count, seed) -> cases, about so many
    make_data: Callable  # (case, seed) -> weights and batch in float64, as arrays by name
    truth: Callable  # (case, data) -> what `vpoint inspect` writes, as arrays by name, by the library in float64
    own: Callable  # the same in float32


@dataclasses.dataclass(frozen=True)
class Library:
    """The other side."""
    name: str
    column: str  # heading of its errors
    version: str
    families: dict  # by name


def make_target(case, rows, chance):
    """Targets that suit the case, by a numpy.random.Generator or its like; rows: their shape without the outputs."""
    if case.target == "classes":
        return chance.integers(case.C, size=rows)
    if case.target == "binary":
        return chance.integers(2, size=(*rows, case.C)).astype(numpy.float64)
    return chance.standard_normal((*rows, case.C))


def rounded(data, dtype):
    """The same with its floating tensors in dtype."""
    return {name: a if numpy.issubdtype(a.dtype, numpy.integer) else a.astype(dtype) for name, a in data.items()}


def log10_norms(gradients):
    """(T, ...) -> (T): log10 of each step's norm, -inf where it is zero."""
    squares = numpy.square(gradients.astype(numpy.float64)).reshape(len(gradients), -1).sum(axis=1)
    with numpy.errstate(divide="ignore"):
        return numpy.log10(numpy.sqrt(squares))


class Vpoint:
    def __init__(self, program, directory):
        self.program, self.directory = program, directory
        (directory / "parity.toml").write_text(TOML)

    def inspect(self, case, data, backend, precision):
        """The same dictionary as the library's."""
        source, out = self.directory / "in.safetensors", self.directory / "out.safetensors"
        save_file({name: numpy.ascontiguousarray(a) for name, a in data.items()}, source)
        output = {"classes": "softmax", "binary": "sigmoid", "values": "linear"}[case.target]
        command = [self.program, "inspect", self.directory / "parity.toml", *case.settings(), f"model.output={output}",
                   "--tensors", source, "--out", out, "--backend", backend, "--precision", precision, "--threads", "1"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{case}\n{done.stderr}")
        return load_file(out)


def error(actual, truth):
    """NaN counts as infinite. A tensor that is zero must be exactly that."""
    gap, scale = numpy.abs(actual.astype(numpy.float64) - truth).max(), numpy.abs(truth).max()
    if math.isnan(gap):
        return math.inf
    if scale == 0:
        return math.inf if gap > 0 else 0.0
    return float(gap / max(scale, SMALLEST))


def quantity_of(name):
    """The name without the number of a layer, _l0, .l0 or .0, and its direction."""
    return re.sub(r"(_l|\.l|\.)\d+(_reverse)?", "", name)


def norm_error(actual, truth):
    """Largest gap of log10 norms, where there is a norm at all."""
    if not numpy.array_equal(numpy.isneginf(actual), numpy.isneginf(truth)):
        return math.inf
    finite = numpy.isfinite(truth)
    return float(numpy.abs(actual[finite] - truth[finite]).max(initial=0))


def compare(case, ours, truth, own=None):
    """A row for every tensor; own: the library's in the same precision."""
    one_side = set(truth) ^ set(ours)
    if one_side:
        raise RuntimeError(f"{case}\nonly on one side: {sorted(one_side)}")
    for name, tensor in truth.items():
        if ours[name].shape != tensor.shape:
            raise RuntimeError(f"{case}\n{name}: shape {ours[name].shape}, the library's {tensor.shape}")
        measure = norm_error if name.startswith("log10_norm") else error
        yield Row(case, quantity_of(name), measure(ours[name], tensor), math.nan if own is None else measure(own[name], tensor))


def require_agreement(case, actual, truth):
    """Two ways of the library to compute the same in float64 must agree to rounding, or the truth is in doubt."""
    for name, tensor in actual.items():
        assert error(tensor, truth[name]) < 1e-11, (case, name)


def rms(values):
    return math.sqrt(sum(v * v for v in values) / len(values))


def ratio(a, b):
    return a / b if b > 0 else (math.inf if a > 0 else 1.0)


def grouped(rows):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row.quantity].append(row)
    return sorted(groups.items())


def judge_quantity(library, backend, quantity, group):
    """Prints a line of the table; returns the broken bounds of the set."""
    ours, own = [r.ours for r in group], [r.theirs for r in group]
    line = f"{quantity:22}{len(group):>5}{max(ours):>10.1e}{max(own):>10.1e}{{:>7}}{rms(ours):>10.1e}{rms(own):>10.1e}{{:>7}}"
    if quantity.startswith("log10_norm"):  # gaps of logarithms, for information: they follow from those of dL/dh_t
        print(line.format("", ""))
        return []
    worst, square = ratio(max(ours), max(own)), ratio(rms(ours), rms(own))
    short = [(r.ours, r.theirs) for r in group if r.case.T <= SHORT_STEPS] or [(0, 0)]
    beyond = [sum(a > max(RATIO * b, 4 * EPS) for a, b in pairs) for pairs in (zip(ours, own), zip(own, ours))]
    line += "".join(f"{max(side):>10.1e}" for side in zip(*short)) + "".join(f"{n:>8}" for n in beyond)
    print(line.format(f"{worst:.2f}", f"{square:.2f}"))
    return [f"{backend} {quantity}: {what} error is {value:.2f} times {library.name}'s, bound {RATIO:g}"
            for what, value in (("largest", worst), ("rms", square)) if not value <= RATIO]


def judge_float(library, backend, rows):
    """Prints the table of an engine; returns the broken bounds."""
    sides = "".join(f"{side:>10}" for side in ("ours", library.column))
    print(f"\n{backend} f32: errors over scale; beyond: tensors where one side's is over twice the other's and over 4 eps")
    print(f"{'':22}{'':5}{'largest':>10}{'':>17}{'rms':>10}{'':>17}{'T <= 50':>10}{'':>10}{'beyond':>8}")
    print(f"{'quantity':22}{'n':>5}" + f"{sides}{'ratio':>7}" * 2 + f"{sides}{'ours':>8}{library.column:>8}")
    broken = [line for quantity, group in grouped(rows) for line in judge_quantity(library, backend, quantity, group)]
    for r in rows:
        if r.quantity.startswith("log10_norm"):
            continue
        words = f"{backend} {r.quantity}: ours {r.ours:.3g}, {library.name}'s {r.theirs:.3g} in {r.case}"
        if not r.ours <= max(RATIO * r.theirs, FLOOR):
            broken.append(words)
        elif r.case.T <= SHORT_STEPS and r.ours > FLOOR:
            print(f"over 2e-6, {library.name} much the same:", words)
    return broken


def judge_double(library, rows):
    broken = []
    print(f"\nreference f64: errors over scale against {library.name} in float64")
    for quantity, group in grouped(rows):
        worst = max(group, key=lambda r: r.ours)
        print(f"{quantity:24}{len(group):>5}{worst.ours:>10.1e}")
        if not worst.ours <= DOUBLE:
            broken.append(f"f64 {quantity}: {worst.ours:.3g}, bound {DOUBLE:g}, in {worst.case}")
    return broken


def measure(family, arguments):
    """(number of cases, their rows in float32 by backend, rows in float64)."""
    cases = list(family.make_cases(arguments.cases, arguments.seed))
    single, double = collections.defaultdict(list), []
    with tempfile.TemporaryDirectory(prefix="parity-") as directory:
        vpoint = Vpoint(arguments.vpoint.resolve(), pathlib.Path(directory))
        for case in cases:
            wide = family.make_data(case, arguments.seed)
            narrow = rounded(wide, numpy.float32)
            truth, own = family.truth(case, narrow), family.own(case, narrow)
            for backend in arguments.backends.split(","):
                single[backend] += compare(case, vpoint.inspect(case, narrow, backend, "f32"), truth, own)
            if case.in_double:
                double += compare(case, vpoint.inspect(case, wide, "reference", "f64"), family.truth(case, wide))
            if case.number % 20 == 19:
                print(f"{case.number + 1} of {len(cases)} cases", file=sys.stderr, flush=True)
    return len(cases), single, double


def main(library, description, cases, cases_help=None):
    """The script: returns its exit code. cases: how many by default; cases_help: what they are, if not all there are."""
    parser = argparse.ArgumentParser(description=f"{description}\n{__doc__}", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpoint", default=ROOT / "build/release/vpoint", type=pathlib.Path)
    parser.add_argument("--family", default="sequence", choices=sorted(library.families))
    parser.add_argument("--cases", default=cases, type=int, help=cases_help)
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--backends", default="onednn,native,reference")
    arguments = parser.parse_args()
    count, single, double = measure(library.families[arguments.family], arguments)
    broken = [line for backend, rows in single.items() for line in judge_float(library, backend, rows)] + judge_double(library, double)
    print(f"\n{count} configurations, {library.name} {library.version}, seed {arguments.seed}: {len(broken)} bounds broken")
    for line in broken:
        print("BROKEN", line)
    return 1 if broken else 0
