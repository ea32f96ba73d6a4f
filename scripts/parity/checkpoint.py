#!/usr/bin/env python3
"""Checkpoints against PyTorch: files made by vpoint load there, files made there load in vpoint, and both sides get the same loss.

Usage: checkpoint.py VPOINT [--configurations N] [--seed S]      exit 1 if a gap is beyond the rounding of the precision

Needs torch, safetensors and numpy, in an environment of their own: python3 -m venv E && E/bin/pip install torch safetensors numpy

For every random configuration (cell, activation, layers, sizes, target, readout, precision), on random sequences:
  drawn    vpoint draws parameters and saves them; its loss on all sequences against that of the torch module that loads the file
  trained  vpoint trains from them and saves; the same comparison, with the loss of a vpoint run that starts from the file
  torch    a torch module is saved; vpoint starts from it: loss, and the file it saves again holds the same values
load_state_dict is strict throughout. A gap is relative to the loss.
"""
import argparse
import csv
import pathlib
import subprocess
import sys
import tempfile

import numpy
import safetensors.torch
import torch

EPSILON = {"f32": 2.0**-23, "f64": 2.0**-52}
ROUNDINGS = 50  # a gap of so many epsilons is rounding: a loss is a mean over sums that both sides add in another order
DTYPE = {"f32": torch.float32, "f64": torch.float64}


class Model(torch.nn.Module):
    """Attributes `rnn` and `readout`: the names in the file."""

    def __init__(self, c):
        super().__init__()
        if c["cell"] == "lstm":
            self.rnn = torch.nn.LSTM(c["inputs"], c["hidden"], c["layers"])
        elif c["cell"] == "gru":
            self.rnn = torch.nn.GRU(c["inputs"], c["hidden"], c["layers"])
        else:
            self.rnn = torch.nn.RNN(c["inputs"], c["hidden"], c["layers"], nonlinearity=c["activation"])
        self.readout = torch.nn.Linear(c["hidden"], c["outputs"])
        self.every_step = c["form"] == "many_to_many"

    def forward(self, x):  # (T, B, I) -> logits (B, C) or (T, B, C)
        h, _ = self.rnn(x)
        return self.readout(h if self.every_step else h[-1])


def random_configuration(random):
    cell = random.choice(["rnn", "lstm", "gru"])
    kind = random.choice(["classes", "binary", "values"])
    return {
        "cell": str(cell),
        "activation": str(random.choice(["tanh", "relu"])) if cell == "rnn" else "tanh",
        "layers": int(random.integers(1, 4)),
        "hidden": int(random.integers(1, 40)),
        "inputs": int(random.integers(1, 6)),
        "outputs": int(random.integers(2, 6)) if kind == "classes" else 1,
        "kind": str(kind),
        "form": str(random.choice(["many_to_one", "many_to_many"])),
        "precision": str(random.choice(["f32", "f64"])),
        "steps": int(random.integers(1, 30)),
        "rows": int(random.integers(2, 60)),
    }


def random_sequences(c, random):
    """inputs (T, B, I) and target (T, B), rounded to float."""
    x = random.standard_normal((c["steps"], c["rows"], c["inputs"])).astype(numpy.float32)
    if c["kind"] == "values":
        return x, random.standard_normal(x.shape[:2]).astype(numpy.float32)
    target = random.integers(0, max(c["outputs"], 2), x.shape[:2])
    target[-1, 0] = max(c["outputs"], 2) - 1  # every class is seen: their number is taken from the file
    return x, target


def write_sequences(path, x, target):
    with open(path, "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["sequence", "step", "target"] + [f"x{i}" for i in range(x.shape[2])])
        for b in range(x.shape[1]):
            for t in range(x.shape[0]):
                rows.writerow([b, t, target[t, b].item()] + [v.item() for v in x[t, b]])


def torch_loss(model, c, x, target):
    dtype = DTYPE[c["precision"]]
    x, target = torch.tensor(x, dtype=dtype), torch.tensor(target)
    if c["form"] == "many_to_one":
        target = target[-1]
    with torch.no_grad():
        logits = model.to(dtype)(x)
        if c["kind"] == "classes":
            return torch.nn.functional.cross_entropy(logits.flatten(0, -2), target.flatten()).item()
        logits, target = logits.squeeze(-1), target.to(dtype)
        if c["kind"] == "binary":
            return torch.nn.functional.binary_cross_entropy_with_logits(logits, target).item()
        return torch.nn.functional.mse_loss(logits, target).item()


class Vpoint:
    """Runs of the program in a directory of their own."""

    def __init__(self, program, directory, c):
        self.program, self.directory, self.count = program, directory, 0
        self.toml = directory / "experiment.toml"
        self.toml.write_text(f"""name = "parity"
[task]
name = "csv"
path = "{directory / 'sequences.csv'}"
target_kind = "{c['kind']}"
validation_share = 0
test_share = 0
[model]
cell = "{c['cell']}"
activation = "{c['activation']}"
layers = {c['layers']}
hidden = {c['hidden']}
form = "{c['form']}"
[train]
batch = {c['rows']}
save_checkpoint = true
[run]
precision = "{c['precision']}"
""")

    def run(self, *settings):
        """The training loss at update 0, over all sequences, and the checkpoint."""
        self.count += 1
        out = self.directory / f"out{self.count}"
        subprocess.run([self.program, "run", self.toml, "--out", out, "--quiet", "--threads", "1", *settings], check=True)
        with open(out / "curves.csv", newline="") as file:
            loss = float(next(csv.DictReader(file))["train_loss"])
        (checkpoint,) = (out / "checkpoints").iterdir()
        return loss, checkpoint


def loaded(c, checkpoint):
    model = Model(c).to(DTYPE[c["precision"]])
    model.load_state_dict(safetensors.torch.load_file(checkpoint), strict=True)
    return model


def compare(program, c, random):
    """{comparison: relative gap}; raises if a file does not load or loses a value."""
    with tempfile.TemporaryDirectory(prefix="vpoint-parity-") as name:
        directory = pathlib.Path(name)
        x, target = random_sequences(c, random)
        write_sequences(directory / "sequences.csv", x, target)
        vpoint = Vpoint(program, directory, c)
        gaps = {}

        def note(key, ours, model):
            theirs = torch_loss(model, c, x, target)
            gaps[key] = abs(ours - theirs) / abs(theirs)

        loss, drawn = vpoint.run("train.updates=0")
        note("drawn", loss, loaded(c, drawn))

        _, trained = vpoint.run("train.updates=20", "train.learning_rate=0.01", f"init.from_checkpoint='{drawn}'")
        loss, again = vpoint.run("train.updates=0", f"init.from_checkpoint='{trained}'")
        assert drawn.read_bytes() != trained.read_bytes(), "nothing was learnt"
        note("trained", loss, loaded(c, trained))

        model = Model(c).to(DTYPE[c["precision"]])
        made = directory / "torch.safetensors"
        safetensors.torch.save_file(model.state_dict(), made)
        loss, again = vpoint.run("train.updates=0", f"init.from_checkpoint='{made}'")
        note("torch", loss, model)
        back = safetensors.torch.load_file(again)
        for key, value in model.state_dict().items():
            assert torch.equal(back[key], value), f"{key} came back changed"
        return gaps


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vpoint")
    parser.add_argument("--configurations", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    random = numpy.random.default_rng(arguments.seed)
    torch.manual_seed(arguments.seed)
    worst = {}
    for i in range(arguments.configurations):
        c = random_configuration(random)
        gaps = compare(arguments.vpoint, c, random)
        text = "  ".join(f"{key} {gap:.1e}" for key, gap in gaps.items())
        print(f"{i:3}  {text}  {' '.join(f'{key}={value}' for key, value in c.items())}", flush=True)
        for key, gap in gaps.items():
            place = (c["precision"], key)
            worst[place] = gap if not gap <= worst.get(place, 0) else worst.get(place, 0)  # NaN is the worst
    print(f"{arguments.configurations} configurations, every file loaded strictly; worst relative gap of the loss, in units of rounding:")
    good = True
    for (precision, key), gap in sorted(worst.items()):
        roundings = gap / EPSILON[precision]
        good = good and roundings <= ROUNDINGS
        print(f"  {precision} {key:8} {gap:.1e} = {roundings:.1f} eps")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
