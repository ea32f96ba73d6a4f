"""Arms: which runs belong together, which key is drawn as colour, which keys make panels, and each arm's best learning rate."""
import math
from dataclasses import dataclass

import pandas as pd

from results import has, is_number, short

SEED, RATE = "train.seed", "train.learning_rate"
WEIGHT_SCALES = (".gain", ".spectral_radius", ".std")
# All colours are legible on white and on black; the ordered ones also to the colour-blind.
ORDERED = ["#3a62d0", "#7f55c7", "#c04a9e", "#e0603f", "#e59b13"]  # ordered values, blended by rank
UNSET = "#7d8590"  # arms without the key that is drawn as colour
NAMED = ["#3a7bd5", "#e0762b", "#2a9d6f", "#c2418c", "#8a6bd1", "#b08a00", "#2aa5b8", "#c8473a"]


@dataclass
class Plan:
    keys: list  # configuration keys that vary, the seed and the learning rate left out: an arm is one choice of all of these
    rate: bool  # the learning rate varies too
    scale: str  # the key that is drawn as colour, or ""
    ordered: bool  # its values are numbers
    colours: dict  # value of the scale key -> colour, in the order of the legend
    panels: list  # texts, one panel each
    runs: pd.DataFrame  # runs.csv with the columns arm (a number), arm_text, panel, colour, shown (at the arm's best learning rate)
    best: dict  # arm -> chosen learning rate


def pick_scale(runs, keys):
    """A weight scale if one varies, else the first numeric key, else the key with most values."""
    numeric = [key for key in keys if all(is_number(v) for v in runs[key] if v)]
    weights = [key for key in numeric if key.endswith(WEIGHT_SCALES)]
    return next(iter(weights + numeric + sorted(keys, key=lambda key: -runs[key].nunique())), "")


def blend(values):
    """A colour per value: by rank along ORDERED if they are numbers, else by name."""
    if not all(is_number(v) for v in values if v):
        return {v: NAMED[i % len(NAMED)] for i, v in enumerate(values)}
    colours = {"": UNSET} if "" in values else {}
    ranked = sorted(filter(None, values), key=float)
    for rank, value in enumerate(ranked):
        place = rank / max(1, len(ranked) - 1) * (len(ORDERED) - 1)
        i = min(int(place), len(ORDERED) - 2)
        pair = [[int(c[j:j + 2], 16) for j in (1, 3, 5)] for c in ORDERED[i:i + 2]]
        colours[value] = "#" + "".join(f"{round(a + (b - a) * (place - i)):02x}" for a, b in zip(*pair))
    return colours


def label(key, value):
    """Names speak for themselves, numbers and truth values need the key."""
    return f"{short(key)} {value}" if is_number(value) or value in ("true", "false") else value


def needed_for_label(runs, keys):
    """Leaves out keys that follow from those before them (a bias that only one cell has)."""
    kept = []
    for key in keys:
        if not kept or runs.groupby(kept)[key].nunique().max() > 1:
            kept.append(key)
    return kept


def join_labels(runs, keys):
    """One text per run: the values of these keys that are set."""
    return [" · ".join(filter(None, map(label, keys, row))) for row in runs[keys].to_numpy(dtype=object)]


def best_rate(arm):
    """Learning rate with the lowest mean final validation loss; one at which a run has none comes after those at which all have one."""
    rates = arm.groupby(RATE, sort=False)["validation_loss"].agg(missing=lambda x: x.isna().sum(), mean="mean")
    return rates.fillna(math.inf).sort_values(["missing", "mean"], kind="stable").index[0]


def make_plan(runs):
    runs = runs.copy()
    varying = [c for c in runs.columns[:runs.columns.get_loc("outcome")] if "." in c and c != SEED and runs[c].nunique() > 1]
    keys = [key for key in varying if key != RATE]
    rate = RATE in varying and has(runs, "validation_loss")
    if RATE in varying and not rate:
        keys.append(RATE)
    scale = pick_scale(runs, keys)
    panel_keys = needed_for_label(runs, [key for key in keys if key != scale])
    runs["arm"] = runs.groupby(keys, sort=False).ngroup() if keys else 0
    runs["panel"] = join_labels(runs, panel_keys)
    runs["colour"] = runs[scale] if scale else ""
    runs["arm_text"] = join_labels(runs, panel_keys + [scale] if scale else []) if keys else "all runs"
    best = {arm: best_rate(part) for arm, part in runs.groupby("arm")} if rate else {}
    runs["shown"] = runs[RATE] == runs["arm"].map(best) if rate else True
    colours = blend(list(runs["colour"].unique()))
    ordered = all(is_number(v) for v in colours if v)
    order = sorted(colours, key=lambda v: float(v) if v else -math.inf) if ordered else list(colours)
    return Plan(keys, rate, scale, ordered, {v: colours[v] for v in order}, list(runs["panel"].unique()), runs, best)


