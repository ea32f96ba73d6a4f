"""Makes a result directory as `vpoint run` leaves it, with invented numbers that behave like the real ones: gradients that vanish or
explode by weight scale, accuracy that follows. For tests of the report; standard library only.
"""
import csv
import itertools
import json
import math
import random
from pathlib import Path

STEPS = 28
RUN_COLUMNS = ["outcome", "updates_done", "train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy",
               "gradient_slope", "gradient_slope_low", "gradient_slope_high", "gradient_slope_final", "max_gradient_norm", "note"]
TABLES = {
    "curves": ["run_id", "update", "train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy", "gradient_norm",
               "clipped", "note"],
    "timesteps": ["run_id", "update", "layer", "t", "log10_dh", "log10_dh_typical", "log10_dc", "activation_mean", "activation_std",
                  "saturated", "note"],
    "layers": ["run_id", "update", "layer", "activation_mean", "activation_std", "saturated", "log10_gradient", "log10_weight_gradient",
               "dead_units", "note"],
    "metrics": ["run_id", "update", "split", "metric", "class", "value", "note"],
    "timings": ["run_id", "phase", "seconds", "host", "threads"],
    "claims": ["claim", "text", "metric", "runs", "runs_against", "estimate", "low", "high", "required", "verdict", "note"],
}
UNITS = {"validation_accuracy": "share", "test_accuracy": "share", "train_loss": "nats", "validation_loss": "nats", "test_loss": "nats",
         "gradient_slope": "log10 per time step", "update": "updates", "seconds": "s",
         "log10_dh": "log10 of loss per unit"}
PHASES = {"product": 5.0, "pointwise": 1.6, "reduction": 0.4, "optimizer": 0.2, "probe": 0.1, "evaluation": 0.9, "input": 0.15, "wall": 5.2}


def slope_of(run):
    """log10 of the factor per time step that this cell and gain would give, roughly."""
    gain = float(run.get("init.recurrent.gain") or 1)
    if run["model.cell"] == "lstm":
        return -0.11 + 0.02 * math.log10(gain)
    if run.get("model.activation") == "relu":
        return math.log10(gain / 1.4)
    return math.log10(min(gain, 1.0)) - 0.02 - 0.05 * max(0.0, gain - 1)


def quality_of(run):
    rate = float(run.get("train.learning_rate", 0.001))
    return max(0.1, 0.85 - 0.5 * abs(slope_of(run)) - 0.12 * abs(math.log10(rate / 0.001)))


def curve_rows(run, updates, noise):
    for update in range(0, updates + 1, max(1, updates // 20)):
        done = 1 - math.exp(-4.0 * update / updates)
        accuracy = 0.1 + (quality_of(run) - 0.1) * done + (noise.gauss(0, 0.006) if update else 0)
        loss = 2.303 - 1.9 * (accuracy - 0.1) + noise.gauss(0, 0.01)
        yield {"update": update, "train_loss": loss - 0.02, "validation_loss": loss, "validation_accuracy": accuracy,
               "gradient_norm": 10 ** (-0.3 - 0.4 * done + noise.gauss(0, 0.05))}


def timestep_rows(run, updates, layers, noise):
    for update, layer, t in itertools.product([0, updates], range(layers), range(STEPS)):
        slope = slope_of(run) * (1 if update == 0 else 0.7)
        value = -2 + slope * (STEPS - 1 - t) + 0.2 * (layer - layers + 1) + noise.gauss(0, 0.02)
        yield {"update": update, "layer": layer, "t": t, "log10_dh": value, "log10_dh_typical": value - 0.1,
               "log10_dc": value - 0.3 if run["model.cell"] == "lstm" else "", "activation_mean": 0.01, "activation_std": 0.3,
               "saturated": 0.02}


def layer_rows(run, updates, layers, noise):
    for update, layer in itertools.product([0, updates], range(layers)):
        yield {"update": update, "layer": layer, "activation_mean": noise.gauss(0, 0.02), "activation_std": 0.3,
               "saturated": 0.01 * (layer + 1), "log10_gradient": -1.5 - 0.3 * (layers - layer),
               "log10_weight_gradient": -1.0 - 0.3 * (layers - layer)}


def write_csv(path, columns, rows):
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: shorten(value) for key, value in row.items()} for row in rows)


def shorten(value):
    return f"{value:.9g}" if isinstance(value, float) else value


def summary(run, curve, noise):
    slope = slope_of(run)
    last = curve[-1]
    return {"outcome": "completed", "updates_done": last["update"], "train_loss": last["train_loss"],
            "validation_loss": last["validation_loss"], "validation_accuracy": last["validation_accuracy"],
            "test_loss": last["validation_loss"] + 0.02, "test_accuracy": last["validation_accuracy"] - 0.01,
            "gradient_slope": slope + noise.gauss(0, 0.002),
            "gradient_slope_low": slope - 0.01, "gradient_slope_high": slope + 0.01, "gradient_slope_final": 0.7 * slope,
            "max_gradient_norm": 1.5}


def diverge(run, row, curve, timesteps):
    """What a run looks like whose loss stopped being finite half-way: the last rows have no losses, the notes name what stood there."""
    del curve[len(curve) // 2 + 1:]
    curve[-1].update({"train_loss": "", "validation_loss": "", "validation_accuracy": "", "note": "train_loss=inf"})
    for step in timesteps[:3]:
        step.update({"log10_dh": "", "note": "log10_dh=-inf"})
    row.update({"outcome": "diverged", "updates_done": curve[-1]["update"], "train_loss": "", "validation_loss": "",
                "validation_accuracy": "", "test_loss": "", "test_accuracy": "",
                "note": "train_loss=inf at update %d" % curve[-1]["update"]})


def write_results(folder, runs, *, title="A title", description="A description", updates=400, layers=1, claims=(), diverged=(),
                  timings=True):
    """runs: one dict of configuration keys (text) a run; diverged: indices of runs that diverge; claims: dicts of claims.csv's columns."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows, tables = [], {name: [] for name in TABLES}
    for index, run in enumerate(runs):
        noise = random.Random(index)
        identity = {"run_id": f"{index + 10 ** 15:016d}"}  # digits only: a reader must not take it for a number
        curve = list(curve_rows(run, updates, noise))
        steps = list(timestep_rows(run, updates, layers, noise))
        row = summary(run, curve, noise)
        if index in diverged:
            diverge(run, row, curve, steps)
        rows.append(identity | run | row)
        for name, part in [("curves", curve), ("timesteps", steps), ("layers", layer_rows(run, updates, layers, noise)),
                           ("timings", ({"phase": p, "seconds": s, "host": "host", "threads": 2} for p, s in PHASES.items()))]:
            tables[name] += [identity | entry for entry in part]
    keys = list(dict.fromkeys(key for run in runs for key in run))
    write_csv(folder / "runs.csv", ["run_id", *keys, *RUN_COLUMNS], rows)
    tables["claims"] = list(claims)
    for name, columns in TABLES.items():
        if (name != "claims" or claims) and (name != "timings" or timings):
            write_csv(folder / f"{name}.csv", columns, tables[name])
    write_metadata(folder, title, description, {"runs": ["run_id", *keys, *RUN_COLUMNS]} | TABLES)


def write_metadata(folder, title, description, tables):
    def field(name):
        return {"name": name, "type": "string", "unit": UNITS.get(name, ""), "description": f"meaning of {name}"}
    package = {"name": "synthetic", "resources": [{"name": table, "path": f"{table}.csv", "schema": {"fields": [field(c) for c in columns]}}
                                                  for table, columns in tables.items()]}
    (folder / "datapackage.json").write_text(json.dumps(package), encoding="utf-8")
    manifest = {"cpu": "A CPU", "isa": "AVX2", "compiler": "GCC 12.2", "threads": 2}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    text = f"name = 'synthetic'\ntitle = {json.dumps(title)}\ndescription = {json.dumps(description)}\n\n[train]\nupdates = 400\n"
    (folder / "config.toml").write_text(text, encoding="utf-8")


def quickstart_runs():
    """The grid of the quick start: tanh RNN, relu RNN and LSTM at three recurrent gains."""
    cells = [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh")]
    return [{"task.name": "fashion_mnist", "model.cell": cell, "model.activation": activation, "model.hidden": "64",
             "init.recurrent.scheme": "orthogonal", "init.recurrent.gain": gain, "train.learning_rate": "0.001", "train.seed": "0"}
            for cell, activation in cells for gain in ["0.5", "1", "1.5"]]


def learning_rate_runs():
    """Three activations at three learning rates, three seeds each."""
    return [{"task.name": "fashion_mnist", "model.cell": "rnn", "model.activation": activation, "train.learning_rate": rate,
             "train.seed": seed} for activation in ["tanh", "relu", "sigmoid"] for rate in ["0.0003", "0.001", "0.01"]
            for seed in ["0", "1", "2"]]


def a_claim(name, verdict, **columns):
    return {"claim": name, "text": f"The claim {name} in plain words.", "metric": "runs.gradient_slope", "runs": 3, "estimate": -0.11,
            "low": -0.2, "high": -0.05, "required": "at most 0", "verdict": verdict} | columns
