"""Holds rows of unequal length against PyTorch in float64, where every row is computed alone, on its own steps, by cells written out step by
step. usage: torch_lengths.py [--vpoint FILE] [--cases N] [--runs N] [--seed S]

  cases  `vpoint inspect --precision f64` on random models (every cell and option, activations, directions, embeddings, resets, recomputed
         segments) with something random behind each row's end (NaN, infinities, huge and denormal numbers, tokens and classes out of range):
         loss, outputs, states, all gradients and norms
  runs   `vpoint run` on random sentences, from given weights: gradient_slope with its interval, and the norms in timesteps.csv, from their
         definition in results/README.md

Exit code 1 if an error is above 1e-12 of the largest magnitude of its tensor; of log10 norms and slopes, above 1e-12.
"""
import argparse
import collections
import csv
import dataclasses
import itertools
import math
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy
import torch
from safetensors.numpy import save_file
from torch.nn import functional as F

import parity

BOUND = 1e-12
SOFT = "expr: x/(1+abs(x))"
ACTIVATIONS = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu, "softplus": F.softplus, "linear": lambda z: z,
               SOFT: lambda z: z / (1 + z.abs())}
GATES = {"rnn": 1, "lstm": 4, "gru": 3, "mgu": 2}
LSTM_VARIANTS = ["no_input_gate", "no_forget_gate", "no_output_gate", "no_input_activation", "no_output_activation", "coupled"]
KINDS = [("rnn", {}), ("rnn", {"activation": "relu"}), ("rnn", {"activation": SOFT}), ("rnn", {"layer_norm": "true"}),
         ("lstm", {}), ("lstm", {"peepholes": "true"}), ("lstm", {"layer_norm": "true"}),
         ("lstm", {"peepholes": "true", "layer_norm": "true", "gate_activation": SOFT, "candidate_activation": "softplus"}),
         *[("lstm", {"variant": v, "peepholes": "true"}) for v in LSTM_VARIANTS], ("lstm", {"state_activation": SOFT}),
         ("gru", {}), ("gru", {"reset": "before"}), ("gru", {"reset": "before", "gate_activation": SOFT}),
         ("gru", {"candidate_activation": "softplus"}), ("mgu", {}), ("mgu", {"candidate_activation": SOFT})]


@dataclasses.dataclass(frozen=True)
class Case:
    """One configuration. Sizes by their letters: T steps, B rows, I inputs, H hidden units, C classes or outputs."""
    number: int
    cell: str
    options: dict
    layers: int
    T: int
    B: int
    I: int
    H: int
    C: int
    target: str  # classes, binary or values
    every_step: bool
    vocabulary: int
    bidirectional: bool
    reset_every: int
    checkpoint_every_steps: int
    shard_rows: int
    initial_states: bool

    @property
    def directions(self):
        return 2 if self.bidirectional else 1

    def option(self, name, default=""):
        return self.options.get(name, default)

    def settings(self):
        keys = {"cell": self.cell, "layers": self.layers, "hidden": self.H, "form": "many_to_many" if self.every_step else "many_to_one",
                "embedding": self.I if self.vocabulary else 0, "bidirectional": str(self.bidirectional).lower(),
                "reset_every": self.reset_every} | self.options
        return [f"model.{key}={value}" for key, value in keys.items()] + [
            f"train.shard_rows={self.shard_rows}", f"train.checkpoint_every_steps={self.checkpoint_every_steps}"]


def draw_case(number, chance):
    cell, options = KINDS[number % len(KINDS)]
    target, both = chance.choice(["classes", "binary", "values"]), chance.random() < 0.4
    reset = 0 if both else chance.choice([0, 0, 2, 3])
    widths = ([3, 5], [5, 9]) if "layer_norm" in options else ([1, 3, 5], [1, 2, 5, 9])  # of one or two numbers the norm is all but constant
    return Case(number=number, cell=cell, options=options, layers=chance.randint(1, 3), T=chance.choice([1, 2, 5, 9, 14, 40]),
                B=chance.choice([1, 2, 4, 7]), I=chance.choice(widths[0]), H=chance.choice(widths[1]),
                C=chance.randint(2, 5) if target == "classes" else chance.randint(1, 3), target=target, every_step=chance.random() < 0.5,
                vocabulary=chance.choice([0, 0, 6]), bidirectional=both, reset_every=reset,
                checkpoint_every_steps=0 if both else chance.choice([0, 1, 10]), shard_rows=chance.choice([1, 3, 32, 512]),
                initial_states=reset == 0 and chance.random() < 0.3)


def make_weights(case, chance):
    """By name, as in a checkpoint, in float64."""
    rows, bound, shapes = GATES[case.cell] * case.H, 1 / math.sqrt(case.H), {}
    for layer, direction in itertools.product(range(case.layers), range(case.directions)):
        end = f"_l{layer}" + "_reverse" * direction
        inputs = case.directions * case.H if layer else case.I
        shapes |= {"rnn.weight_ih" + end: (rows, inputs), "rnn.weight_hh" + end: (rows, case.H), "rnn.bias_ih" + end: (rows,),
                   "rnn.bias_hh" + end: (rows,)}
        if case.option("peepholes"):
            shapes["rnn.weight_ch" + end] = (3 * case.H,)
        if case.option("layer_norm"):
            shapes |= {"rnn.gain_ih" + end: (rows,), "rnn.gain_hh" + end: (rows,)}
    shapes |= {"readout.weight": (case.C, case.directions * case.H), "readout.bias": (case.C,)}
    if case.vocabulary:
        shapes["embedding.weight"] = (case.vocabulary, case.I)
    # Nets that contract: others amplify the last bit of a number, step after step, on either side.
    return {name: chance.uniform(-bound, bound, shape) * (0.5 if "weight_hh" in name else 1) + 0.5 * ("gain" in name)
            for name, shape in shapes.items()}


def make_batch(case, chance):
    """The batch with zeros behind the rows' ends, and the mask (T, B) of their own steps."""
    lengths = 1 + chance.integers(case.T, size=case.B)
    own = numpy.arange(case.T)[:, None] < lengths
    x = chance.integers(case.vocabulary, size=own.shape) if case.vocabulary else chance.standard_normal((*own.shape, case.I))
    batch = {"lengths": lengths, "input": x, "target": parity.make_target(case, own.shape if case.every_step else (case.B,), chance)}
    if case.initial_states:
        shape = (case.layers * case.directions, case.B, case.H)
        batch |= {name: 0.5 * chance.standard_normal(shape) for name in (("h0", "c0") if case.cell == "lstm" else ("h0",))}
    return batch, own


def with_padding(case, batch, own, chance):
    """The same with something behind the rows' ends."""
    numbers = [math.nan, math.inf, -math.inf, 1e308, -1e38, 5e-324, 1.0]
    integers = [-1, -100, 10**6, 2**62, -(2**63), 0]
    padded = {name: array.copy() for name, array in batch.items()}
    for name in ("input", "target") if case.every_step else ("input",):
        array = padded[name]
        garbage = numpy.array(integers if numpy.issubdtype(array.dtype, numpy.integer) else numbers, dtype=array.dtype)
        array[~own] = chance.choice(garbage, size=array[~own].shape)
    return padded


def normalised(x):
    return (x - x.mean()) / torch.sqrt(x.var(unbiased=False) + 1e-5)


def lstm_step(case, w, z, c):
    """(h, c) from the pre-activations."""
    variant, gate = case.option("variant"), ACTIVATIONS[case.option("gate_activation", "sigmoid")]
    i, f, g, o = z.split(case.H)
    see_i, see_f, see_o = w["weight_ch"].split(case.H) if case.option("peepholes") else (0, 0, 0)
    one = torch.ones_like(i)
    i = one if variant == "no_input_gate" else gate(i + see_i * c)
    f = one if variant == "no_forget_gate" else 1 - i if variant == "coupled" else gate(f + see_f * c)
    g = g if variant == "no_input_activation" else ACTIVATIONS[case.option("candidate_activation", "tanh")](g)
    c = f * c + i * g
    o = one if variant == "no_output_gate" else gate(o + see_o * c)
    return o * (c if variant == "no_output_activation" else ACTIVATIONS[case.option("state_activation", "tanh")](c)), c


def step(case, w, x, h, c):
    """(h, c) of one row after one step; w: the tensors of the layer and direction by their short names."""
    from_x, from_h = w["weight_ih"] @ x, w["weight_hh"] @ h
    if case.option("layer_norm"):
        from_x, from_h = w["gain_ih"] * normalised(from_x), w["gain_hh"] * normalised(from_h)
    from_x, from_h = from_x + w["bias_ih"], from_h + w["bias_hh"]
    if case.cell == "rnn":
        return ACTIVATIONS[case.option("activation", "tanh")](from_x + from_h), c
    if case.cell == "lstm":
        return lstm_step(case, w, from_x + from_h, c)
    gate = ACTIVATIONS[case.option("gate_activation", "sigmoid")]
    candidate = ACTIVATIONS[case.option("candidate_activation", "tanh")]
    last = slice((GATES[case.cell] - 1) * case.H, None)  # the candidate's block
    decided = gate((from_x + from_h)[:last.start])
    update = decided[-case.H:]
    if case.cell == "gru" and case.option("reset", "after") == "after":
        recurrent = decided[:case.H] * from_h[last]
    else:
        recurrent = w["weight_hh"][last] @ (decided[:case.H] * h) + w["bias_hh"][last]
    new = candidate(from_x[last] + recurrent)
    return ((1 - update) * new + update * h if case.cell == "gru" else (1 - update) * h + update * new), c


def walk(case, w, inputs, h, c):
    """The states of one row in one direction, as lists, each with its gradient kept."""
    all_h, all_c, zero = [], [], torch.zeros(case.H, dtype=torch.float64)
    for t, x in enumerate(inputs):
        if case.reset_every and t % case.reset_every == 0:
            h = c = zero
        h, c = step(case, w, x, h, c)
        h.retain_grad()
        all_h.append(h)
        if case.cell == "lstm":
            c.retain_grad()
            all_c.append(c)
    return all_h, all_c


def row_loss(case, logits, target):
    if case.target == "classes":
        return F.cross_entropy(logits, target)
    return (F.binary_cross_entropy_with_logits if case.target == "binary" else F.mse_loss)(logits, target)


def truth(case, data):
    """All that `vpoint inspect` writes, each row by itself."""
    w = {name: torch.from_numpy(array).requires_grad_() for name, array in data.items() if "." in name}
    states = {name: torch.from_numpy(data[name]).requires_grad_() for name in ("h0", "c0") if name in data}
    zero, loss, D, H = torch.zeros(case.H, dtype=torch.float64), 0, case.directions, case.H
    logits = numpy.empty((case.T, case.B, case.C))
    logits[:] = data["readout.bias"]
    hidden, walks = numpy.zeros((case.T, case.B, D * H)), {}
    for b, length in enumerate(data["lengths"]):
        x = torch.from_numpy(data["input"][:length, b])
        outputs = list(w["embedding.weight"][x] if case.vocabulary else x)
        for layer in range(case.layers):
            for direction in range(D):
                end, place = f"_l{layer}" + "_reverse" * direction, layer * D + direction
                own = {name[4:-len(end)]: tensor for name, tensor in w.items() if name.startswith("rnn.") and name.endswith(end)}
                start = [states[name][place, b] if name in states else zero for name in ("h0", "c0")]
                walks[b, layer, direction] = walk(case, own, outputs[::-1] if direction else outputs, *start)
            forward, reverse = walks[b, layer, 0][0], walks[b, layer, D - 1][0][::-1]
            ends = torch.cat([walks[b, layer, d][0][-1] for d in range(D)])
            outputs = [torch.cat(pair) for pair in zip(forward, reverse)] if D == 2 else forward
        target = torch.from_numpy(data["target"][:length, b] if case.every_step else data["target"][b][None])
        said = torch.stack(outputs if case.every_step else [ends]) @ w["readout.weight"].T + w["readout.bias"]
        loss = loss + row_loss(case, said, target) / case.B
        logits[:len(said), b], hidden[:length, b] = said.detach(), torch.stack(outputs).detach()
    loss.backward()
    found = {"loss": numpy.array(loss.item()), "logits": logits if case.every_step else logits[0], "hidden": hidden}
    found |= {"grad." + name: numpy.zeros(t.shape) if t.grad is None else t.grad.numpy() for name, t in (w | states).items()}
    for layer, (kind, name) in itertools.product(range(case.layers), enumerate(("hidden", "cell")[:1 + (case.cell == "lstm")])):
        gradient = numpy.zeros_like(hidden)
        for b, length in enumerate(data["lengths"]):
            for direction in range(D):
                of = [numpy.zeros(H) if s.grad is None else s.grad.numpy() for s in walks[b, layer, direction][kind]]
                gradient[:length, b, direction * H:(direction + 1) * H] = of[::-1] if direction else of
        if name == "hidden":
            found[f"grad.hidden.l{layer}"] = gradient
        found[f"log10_norm.{name}.l{layer}"] = parity.log10_norms(gradient)
        found[f"squares.{name}.l{layer}"] = numpy.square(gradient).sum(axis=2)  # (T, B), for runs
    return found


def hold_inspect(vpoint, case, seed, worst):
    chance = numpy.random.default_rng([seed, case.number])
    weights = make_weights(case, chance)
    batch, own = make_batch(case, chance)
    expected = {name: array for name, array in truth(case, weights | batch).items() if not name.startswith("squares.")}
    found = vpoint.inspect(case, weights | with_padding(case, batch, own, chance), "reference", "f64")
    for row in parity.compare(case, found, expected):
        worst[row.quantity] = max(worst[row.quantity], (row.ours, case.number))


def log10_norm(squares):
    with numpy.errstate(divide="ignore"):
        return 0.5 * numpy.log10(squares)


def line_slope(x, y, n):
    """Of the finite points; nan for fewer than two."""
    x, y, n = numpy.array(x, dtype=float), numpy.array(y), numpy.array(n, dtype=float)
    finite = numpy.isfinite(y)
    if finite.sum() < 2:
        return math.nan
    x, y, n = x[finite], y[finite], n[finite]
    dx, dy = x - numpy.average(x, weights=n), y - numpy.average(y, weights=n)
    return (n * dx * dy).sum() / (n * dx * dx).sum()


def slopes(squares, lengths):
    """gradient_slope, _low and _high of squared norms (T, B), as results/README.md defines them."""
    by_lag = [squares[:n, b][::-1] for b, n in enumerate(lengths)]
    y, n = [], []
    for lag in range(max(lengths)):
        both = [own for own in by_lag if len(own) > lag]
        before, now = (log10_norm(sum(own[k] for own in both)) for k in (lag - 1, lag))
        with numpy.errstate(invalid="ignore"):  # -inf - -inf: no signal came so far
            y.append(y[-1] + now - before if lag else now)
        n.append(len(both))
    own_slopes = [line_slope(range(len(own)), log10_norm(own), numpy.ones(len(own))) for own in by_lag]
    own_slopes = [slope for slope in own_slopes if not math.isnan(slope)]
    interval = numpy.quantile(own_slopes, [0.025, 0.975]) if len(own_slopes) > 1 else [math.nan] * 2
    return [line_slope(range(len(y)), y, n), *interval]


def step_norms(squares, lengths):
    """log10_dh and log10_dh_typical by step, of the samples that have it."""
    for t in range(max(lengths)):
        own = squares[t, [b for b, n in enumerate(lengths) if n > t]]
        yield log10_norm(own.mean() * len(lengths)), log10_norm(own).mean()


SENTENCES = """name = "sentences"
task = {{ name = "sentiment", path = "sentences.csv", min_count = 1, max_length = {T}, validation_share = 0, test_share = 0 }}
init.from_checkpoint = "weights.safetensors"
train = {{ batch = {B}, updates = 1 }}
run.precision = "f64"
"""


def hold_run(program, directory, case, seed, worst):
    """A batch that is all there is, so that the order of the samples does not matter."""
    chance = numpy.random.default_rng([seed, 1, case.number])
    lengths = numpy.concatenate([[case.T], 1 + chance.integers(case.T, size=case.B - 1)])
    sentences = [[f"w{word}" for word in chance.integers(case.vocabulary - 2, size=n)] for n in lengths]
    counts = collections.Counter(itertools.chain(*sentences))
    ids = {word: 2 + i for i, word in enumerate(sorted(counts, key=lambda word: (-counts[word], word)))}
    case = dataclasses.replace(case, vocabulary=2 + len(ids))
    data = make_weights(case, chance)
    save_file(data, directory / "weights.safetensors")
    (directory / "sentences.toml").write_text(SENTENCES.format(T=case.T, B=case.B))
    with open(directory / "sentences.csv", "w", newline="") as file:
        csv.writer(file).writerows([["id", "rating", "text"], *[[b, 1 - b % 2 * 2, " ".join(s)] for b, s in enumerate(sentences)]])
    data["input"] = numpy.zeros((case.T, case.B), dtype=numpy.int64)
    for b, sentence in enumerate(sentences):
        data["input"][:len(sentence), b] = [ids[word] for word in sentence]
    data |= {"lengths": lengths, "target": 1.0 - numpy.arange(case.B)[:, None] % 2}
    found, out = truth(case, data), directory / f"run{case.number}"
    command = [program, "run", "sentences.toml", *case.settings(), "--out", out, "--quiet", "--threads", "1"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=directory)
    if done.returncode != 0:
        raise RuntimeError(f"{case}\n{done.stdout}{done.stderr}")

    def hold(quantity, actual, expected):
        """What is not finite is empty."""
        if actual == "" or not math.isfinite(expected):
            gap = math.inf if actual != "" or math.isfinite(expected) else 0.0
        else:
            gap = abs(float(actual) - expected)
        worst[quantity] = max(worst[quantity], (gap, case.number))

    run, = csv.DictReader(open(out / "runs.csv"))
    names = ["gradient_slope", "gradient_slope_low", "gradient_slope_high"]
    for name, expected in zip(names, slopes(found[f"squares.hidden.l{case.layers - 1}"], lengths)):
        hold(name, run[name], expected)
    for row in csv.DictReader(open(out / "timesteps.csv")):
        if row["update"] != "0":
            continue
        of = {name: list(step_norms(found[f"squares.{name}.l{row['layer']}"], lengths))[int(row["t"])]
              for name in ("hidden", "cell")[:1 + (case.cell == "lstm")]}
        hold("log10_dh", row["log10_dh"], of["hidden"][0])
        hold("log10_dh_typical", row["log10_dh_typical"], of["hidden"][1])
        if "cell" in of:
            hold("log10_dc", row["log10_dc"], of["cell"][0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpoint", default=parity.ROOT / "build/release/vpoint", type=pathlib.Path)
    parser.add_argument("--cases", default=300, type=int)
    parser.add_argument("--runs", default=100, type=int)
    parser.add_argument("--seed", default=1, type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chance, worst = random.Random(arguments.seed), collections.defaultdict(lambda: (0.0, -1))
    with tempfile.TemporaryDirectory(prefix="lengths-") as name:
        directory, program = pathlib.Path(name), arguments.vpoint.resolve()
        vpoint = parity.Vpoint(program, directory)
        for number in range(arguments.cases):
            hold_inspect(vpoint, draw_case(number, chance), arguments.seed, worst)
        for number in range(arguments.runs):
            case = dataclasses.replace(draw_case(number, chance), T=chance.choice([3, 8, 20]), B=chance.choice([6, 20]), C=1, target="binary",
                                       every_step=False, vocabulary=9, bidirectional=False, reset_every=0, initial_states=False)
            hold_run(program, directory, case, arguments.seed, worst)
    for quantity, (error, number) in sorted(worst.items()):
        print(f"{quantity:26}{error:10.1e}  in case {number}{'' if error <= BOUND else '  BROKEN'}")
    broken = sum(not error <= BOUND for error, _ in worst.values())
    print(f"{arguments.cases} configurations and {arguments.runs} runs, PyTorch {torch.__version__}, seed {arguments.seed}: {broken} bounds broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
