"""Holds `vpoint inspect` against PyTorch on random configurations.
usage: torch_parity.py [--family sequence|feed_forward] [--vpoint FILE] [--cases N] [--seed S]

Error of a tensor: largest absolute difference from PyTorch in float64, over the largest magnitude there, but at least over 2^-126: smaller
numbers no float32 holds with full precision. Both sides get the same float32 numbers. The bounds, for every engine and quantity:
  set    over all cases, our largest error is at most twice PyTorch's own largest in float32, and our root mean square at most twice its
  case   in every single tensor, ours is at most twice PyTorch's, or at most 2e-6: below that, luck decides the ratio (either side exceeds
         the other twofold now and then; both counts are printed)
  short  below 2e-6 where T <= 50. Where terms of a sum cancel, no float32 sum keeps that: tensors beyond it are listed, and break the bound
         unless ours is within twice PyTorch's
  f64    below 1e-12 in double precision (engine reference)
Exit code 1 if a bound is broken.
"""
import argparse
import collections
import functools
import math
import pathlib
import random
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

import torch_feed_forward
import torch_model

ROOT = pathlib.Path(__file__).resolve().parents[2]
EPS, SMALLEST = 2.0**-23, 2.0**-126
FLOOR, RATIO, SHORT_STEPS, DOUBLE = 2e-6, 2.0, 50, 1e-12
TOML = 'name = "parity"\ntask.name = "adding"\n'  # the task is not looked at
Row = collections.namedtuple("Row", "case quantity ours torch")


def make_cases(count, seed):
    chance = random.Random(seed)
    for number in range(count):
        cell, activation = [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh")][number % 3]
        target = chance.choice(["classes", "binary", "values"])
        yield torch_model.Case(
            number=number, cell=cell, activation=activation, layers=chance.randint(1, 3),
            T=round(math.exp(chance.uniform(0, math.log(200)))),
            B=chance.choice([1, 2, 3, 5, 8, 13, 16, 31, 33, 64, 67]), I=chance.choice([1, 2, 3, 7, 16, 19, 28]),
            H=chance.choice([1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 128]),
            C=chance.randint(2, 11) if target == "classes" else chance.randint(1, 5), target=target, every_step=chance.random() < 0.5,
            initial_states=chance.random() < 0.4, shard_rows=chance.choice([1, 3, 8, 32, 128]) if number % 2 else 32,
            checkpoint_every_steps=chance.choice([0, 0, 0, 1, 10]), gain=chance.choice([0.5, 1, 1, 1.25]))


class Vpoint:
    def __init__(self, program, directory):
        self.program, self.directory = program, directory
        (directory / "parity.toml").write_text(TOML)

    def inspect(self, case, data, backend, precision):
        """The same dictionary as PyTorch's."""
        source, out = self.directory / "in.safetensors", self.directory / "out.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in data.items()}, source)
        output = {"classes": "softmax", "binary": "sigmoid", "values": "linear"}[case.target]
        settings = [*case.settings(), f"model.output={output}"]
        command = [self.program, "inspect", self.directory / "parity.toml", *settings, "--tensors", source, "--out", out, "--backend",
                   backend, "--precision", precision, "--threads", "1"]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{case}\n{done.stderr}")
        return load_file(out)


def error(actual, truth):
    """NaN counts as infinite. A tensor that is zero must be exactly that."""
    gap, scale = (actual.double() - truth).abs().max().item(), truth.abs().max().item()
    if math.isnan(gap):
        return math.inf
    if scale == 0:
        return math.inf if gap > 0 else 0.0
    return gap / max(scale, SMALLEST)


def quantity_of(name):
    if name.startswith(("grad.layers.", "grad.conv.", "grad.norms.", "grad.readout.")) and name.count(".") == 3:
        return ".".join(part for part in name.split(".") if not part.isdigit())
    return name.rsplit("_l", 1)[0] if "_l" in name and name.startswith("grad.rnn") else name.rsplit(".l", 1)[0]


def norm_error(actual, truth):
    """Largest gap of log10 norms, where there is a norm at all."""
    if not torch.equal(torch.isneginf(actual), torch.isneginf(truth)):
        return math.inf
    gap = (actual - truth)[torch.isfinite(truth)].abs()
    return gap.max().item() if len(gap) else 0.0


def compare(case, ours, truth, own=None):
    """A row for every tensor; own: PyTorch's in the same precision."""
    expected = set(truth) ^ set(ours)
    if expected:
        raise RuntimeError(f"{case}\nonly on one side: {sorted(expected)}")
    for name, tensor in truth.items():
        if ours[name].shape != tensor.shape:
            raise RuntimeError(f"{case}\n{name}: shape {tuple(ours[name].shape)}, PyTorch's {tuple(tensor.shape)}")
        measure = norm_error if name.startswith("log10_norm") else error
        yield Row(case, quantity_of(name), measure(ours[name], tensor), math.nan if own is None else measure(own[name], tensor))


def torch_truth(case, data):
    """PyTorch in float64: the unrolled model, which must agree with the modules to rounding."""
    truth, modules = (run(case, data, torch.float64) for run in (torch_model.unrolled, torch_model.by_modules))
    for name, tensor in modules.items():
        assert error(tensor, truth[name]) < 1e-11, (case, name)
    return truth


def torch_float32(case, data):
    """What PyTorch's modules say in float32, and, of what they do not say, the unrolled model."""
    return torch_model.unrolled(case, data, torch.float32) | torch_model.by_modules(case, data, torch.float32)


def sequences(arguments):
    for case in make_cases(arguments.cases, arguments.seed):
        yield case, torch_model.make_data(case, arguments.seed), torch_truth, torch_float32


def feed_forward_nets(arguments):
    for case in torch_feed_forward.make_cases(arguments.cases, random.Random(arguments.seed)):
        data = torch_feed_forward.make_data(case, arguments.seed)
        run_wide, run_narrow = (functools.partial(torch_feed_forward.run, dtype=dtype) for dtype in (torch.float64, torch.float32))
        yield case, data, run_wide, run_narrow


FAMILIES = {"sequence": sequences, "feed_forward": feed_forward_nets}


def rms(values):
    return math.sqrt(sum(v * v for v in values) / len(values))


def ratio(a, b):
    return a / b if b > 0 else (math.inf if a > 0 else 1.0)


def grouped(rows):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row.quantity].append(row)
    return sorted(groups.items())


def judge_quantity(backend, quantity, group):
    """Prints a line of the table; returns the broken bounds of the set."""
    ours, own = [r.ours for r in group], [r.torch for r in group]
    line = f"{quantity:22}{len(group):>5}{max(ours):>10.1e}{max(own):>10.1e}{{:>7}}{rms(ours):>10.1e}{rms(own):>10.1e}{{:>7}}"
    if quantity.startswith("log10_norm"):  # gaps of logarithms, for information: they follow from those of dL/dh_t
        print(line.format("", ""))
        return []
    worst, square = ratio(max(ours), max(own)), ratio(rms(ours), rms(own))
    short = [(r.ours, r.torch) for r in group if r.case.T <= SHORT_STEPS] or [(0, 0)]
    beyond = [sum(a > max(RATIO * b, 4 * EPS) for a, b in pairs) for pairs in (zip(ours, own), zip(own, ours))]
    line += "".join(f"{max(side):>10.1e}" for side in zip(*short)) + "".join(f"{n:>8}" for n in beyond)
    print(line.format(f"{worst:.2f}", f"{square:.2f}"))
    return [f"{backend} {quantity}: {what} error is {value:.2f} times PyTorch's, bound {RATIO:g}"
            for what, value in (("largest", worst), ("rms", square)) if not value <= RATIO]


def judge_float(backend, rows):
    """Prints the table of an engine; returns the broken bounds."""
    print(f"\n{backend} f32: errors over scale; beyond: tensors where one side's is over twice the other's and over 4 eps")
    print(f"{'':22}{'':5}{'largest':>10}{'':>17}{'rms':>10}{'':>17}{'T <= 50':>10}{'':>10}{'beyond':>8}")
    print(f"{'quantity':22}{'n':>5}" + f"{'ours':>10}{'torch':>10}{'ratio':>7}" * 2 + f"{'ours':>10}{'torch':>10}{'ours':>8}{'torch':>8}")
    broken = [line for quantity, group in grouped(rows) for line in judge_quantity(backend, quantity, group)]
    for r in rows:
        if r.quantity.startswith("log10_norm"):
            continue
        words = f"{backend} {r.quantity}: ours {r.ours:.3g}, PyTorch's {r.torch:.3g} in {r.case}"
        if not r.ours <= max(RATIO * r.torch, FLOOR):
            broken.append(words)
        elif r.case.T <= SHORT_STEPS and r.ours > FLOOR:
            print("over 2e-6, PyTorch much the same:", words)
    return broken


def judge_double(rows):
    broken = []
    print("\nreference f64: errors over scale against PyTorch in float64")
    for quantity, group in grouped(rows):
        worst = max(group, key=lambda r: r.ours)
        print(f"{quantity:24}{len(group):>5}{worst.ours:>10.1e}")
        if not worst.ours <= DOUBLE:
            broken.append(f"f64 {quantity}: {worst.ours:.3g}, bound {DOUBLE:g}, in {worst.case}")
    return broken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpoint", default=ROOT / "build/release/vpoint", type=pathlib.Path)
    parser.add_argument("--cases", default=240, type=int)
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--family", default="sequence", choices=sorted(FAMILIES))
    parser.add_argument("--backends", help="default: all engines; for feed_forward without reference, whose sums over thousands of pixels are "
                        "one chain in float")
    arguments = parser.parse_args()
    arguments.backends = arguments.backends or "onednn,native" + (",reference" if arguments.family == "sequence" else "")
    torch.set_num_threads(1)
    single, double = collections.defaultdict(list), []
    with tempfile.TemporaryDirectory(prefix="parity-") as directory:
        vpoint = Vpoint(arguments.vpoint.resolve(), pathlib.Path(directory))
        for case, wide, run_wide, run_narrow in FAMILIES[arguments.family](arguments):
            narrow = {name: t if t.dtype == torch.int64 else t.float() for name, t in wide.items()}
            truth, own = run_wide(case, narrow), run_narrow(case, narrow)
            for backend in arguments.backends.split(","):
                single[backend] += compare(case, vpoint.inspect(case, narrow, backend, "f32"), truth, own)
            if case.number % 2 == 0:
                double += compare(case, vpoint.inspect(case, wide, "reference", "f64"), run_wide(case, wide))
            if case.number % 20 == 19:
                print(f"{case.number + 1} of {arguments.cases} cases", file=sys.stderr, flush=True)
    broken = [line for backend, rows in single.items() for line in judge_float(backend, rows)] + judge_double(double)
    print(f"\n{arguments.cases} configurations, PyTorch {torch.__version__}, seed {arguments.seed}: {len(broken)} bounds broken")
    for line in broken:
        print("BROKEN", line)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
