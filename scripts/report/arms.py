"""Arms: which runs belong together, which key is drawn as colour, which keys make panels, and each arm's best learning rate.

The keys of an arm are those of the grid in config.toml that take several values. A key that only some cells have (model.layer_norm) is
no axis of the sweep, though its column differs between runs.
"""
import math
from dataclasses import dataclass

from packages import pd
from results import grid_keys, has, is_number, short

SEED, RATE = "train.seed", "train.learning_rate"
WEIGHT_SCALES = (".gain", ".spectral_radius", ".std")
# All colours are legible on white and on black; the ordered ones also to the colour-blind.
ORDERED = ["#3a62d0", "#7f55c7", "#c04a9e", "#e0603f", "#e59b13"]  # ordered values, blended by rank
UNSET = "#7d8590"  # arms without the key that is drawn as colour
UNSET_TEXT = "unset"
NAMED = ["#3a7bd5", "#e0762b", "#2a9d6f", "#c2418c", "#8a6bd1", "#b08a00", "#2aa5b8", "#c8473a"]


@dataclass
class Plan:
    keys: list  # keys that tell the arms apart, the seed and the learning rate left out: an arm is one choice of all of these
    following: list  # keys that vary as well, but follow from the others (a forget bias that only the LSTM of the grid has)
    rate: bool  # arms have several learning rates each, of which one is chosen
    scale: str  # the key that is drawn as colour, or ""
    ordered: bool  # its values are numbers
    colours: dict  # value of the scale key -> colour, in the order of the legend
    panels: list  # texts, one panel each
    runs: pd.DataFrame  # runs.csv with the columns arm (a number), arm_text, panel, colour, seed, shown (at the arm's best learning rate)
    best: dict  # arm -> chosen learning rate


def numeric(runs, keys):
    return [key for key in keys if all(is_number(v) for v in runs[key] if v)]


def pick_scale(runs, keys):
    """A weight scale if one varies, else the numeric key with most values, else the key with most values."""
    numbers = numeric(runs, keys)
    weights = [key for key in numbers if key.endswith(WEIGHT_SCALES)]
    return next(iter(weights + sorted(numbers or keys, key=lambda key: -runs[key].nunique())), "")


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
    """Names speak for themselves; numbers, truth values and what is unset need the key."""
    if not value:
        return f"{short(key)} {UNSET_TEXT}"
    return f"{short(key)} {value}" if is_number(value) or value in ("true", "false") else value


def follows(runs, key, others):
    """Every choice of the others leaves one value of the key."""
    return runs.groupby(others)[key].nunique().max() <= 1 if others else runs[key].nunique() <= 1


def split_keys(runs, keys):
    """The keys that are needed to tell the arms apart, and those that follow from them. A key that some runs do not have goes first, then
    numbers, then names, of each the last first; a key that all runs have must follow from others that all runs have."""
    everywhere = [key for key in keys if (runs[key] != "").all()]
    numbers = numeric(runs, everywhere)
    needed = list(keys)
    for key in [key for key in keys if key not in everywhere] + numbers[::-1] + [key for key in everywhere if key not in numbers][::-1]:
        others = [other for other in needed if other != key and (other in everywhere or key not in everywhere)]
        if follows(runs, key, others):
            needed.remove(key)
    return needed, [key for key in keys if key not in needed]


def join_labels(runs, keys):
    """One text per run: its values of these keys."""
    return [" · ".join(map(label, keys, row)) for row in runs[keys].to_numpy(dtype=object)]


def best_rate(arm):
    """Learning rate with the lowest mean final validation loss, as claims with best_over choose: a run that diverged, or has no validation
    loss, makes its rate the worst; of equals the first in the grid's order counts."""
    losses = arm["validation_loss"].where(arm["outcome"] != "diverged").fillna(math.inf)
    return losses.groupby(arm[RATE], sort=False).mean().fillna(math.inf).idxmin()  # pandas 1 makes NaN of a sum of infinities


def varying_keys(runs, config):
    """The keys of the grid that take several values in these runs; where no grid is known, all keys that do."""
    configuration = [c for c in runs.columns[:runs.columns.get_loc("outcome")] if "." in c]
    axes = [key for key in grid_keys(config) if key in configuration] or configuration
    return [key for key in axes if key != SEED and runs[key].nunique() > 1]


def make_plan(runs, config):
    runs = runs.copy()
    varying = varying_keys(runs, config)
    without_rate = [key for key in varying if key != RATE]
    rate = RATE in varying and has(runs, "validation_loss") and not follows(runs, RATE, without_rate)
    keys, following = split_keys(runs, without_rate if rate else varying)
    scale = pick_scale(runs, keys)
    panel_keys = [key for key in keys if key != scale]
    runs["arm"] = runs.groupby(keys, sort=False).ngroup() if keys else 0
    runs["panel"] = join_labels(runs, panel_keys)
    runs["colour"] = runs[scale] if scale else ""
    runs["arm_text"] = join_labels(runs, panel_keys + [scale]) if keys else "all runs"
    runs["seed"] = runs[SEED] if SEED in runs else runs["run_id"]
    best = {arm: best_rate(part) for arm, part in runs.groupby("arm")} if rate else {}
    runs["shown"] = runs[RATE] == runs["arm"].map(best) if rate else True
    colours = blend(list(runs["colour"].unique()))
    ordered = all(is_number(v) for v in colours if v)
    order = sorted(colours, key=lambda v: float(v) if v else -math.inf) if ordered else list(colours)
    return Plan(keys, following, rate, scale, ordered, {v: colours[v] for v in order}, list(runs["panel"].unique()), runs, best)


def over_seeds(rows, column):
    """One value per seed, absent ones left out: runs of one seed are not independent, so they are averaged first."""
    return rows.dropna(subset=[column]).groupby("seed")[column].mean()
