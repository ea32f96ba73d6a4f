"""Reads the result files of an experiment, and the few statistics the report needs. Imports none of the report's other modules."""
import functools
import json
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

# What is read of each table; everything else in it is left alone. runs.csv is read whole: its other columns are the configuration.
NUMBERS = {
    "runs": ["updates_done", "train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy", "gradient_slope",
             "gradient_slope_low", "gradient_slope_high", "gradient_slope_final", "max_gradient_norm"],
    "curves": ["update", "train_loss", "validation_loss", "validation_accuracy", "gradient_norm"],
    "timesteps": ["update", "layer", "t", "log10_dh", "log10_dc"],
    "layers": ["update", "layer", "activation_mean", "activation_std", "saturated", "log10_gradient", "log10_weight_gradient", "dead_units"],
    "metrics": ["update", "value"],
    "timings": ["seconds"],
    "claims": ["runs", "runs_against", "estimate", "low", "high"],
}
TEXTS = ["run_id", "note", "phase", "host", "claim", "text", "metric", "required", "verdict", "split", "class"]


class ReportError(Exception):
    """What cannot be read or written, in words for the user."""


@dataclass
class Results:
    folder: Path
    tables: dict  # name -> DataFrame; an absent table is empty
    columns: dict = field(default_factory=dict)  # (table, column) -> {"unit", "description"} from datapackage.json
    config: dict = field(default_factory=dict)
    config_text: str = ""
    manifest_text: str = ""

    def about(self, table, column):
        """Unit and meaning of a column, for a tooltip."""
        info = self.columns.get((table, column), {})
        return info.get("description", "") + (f" [{info['unit']}]" if info.get("unit") else "")

    def axis(self, table, column):
        """Axis title with unit. The unit of a loss depends on the task: nats where there are classes."""
        unit = self.columns.get((table, column), {}).get("unit", "").split(", or ")
        classes = has(self.tables["runs"], "validation_accuracy")
        unit = unit[0 if classes else -1].removesuffix(" for regression")
        return words(column) + (f" ({unit})" if unit and unit != words(column) else "")


def fault(path, error):
    """A ReportError that names the file and, once, the reason."""
    return ReportError(f"{path}: {error.strerror if isinstance(error, OSError) else error}")


def read_text(path):
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, ValueError) as error:
        raise fault(path, error) from error


def read_table(folder, name):
    """Numbers as floats, everything else as the text that stands there (a run id of digits is no number)."""
    path = folder / f"{name}.csv"
    wanted = None if name == "runs" else lambda column: column in NUMBERS[name] + TEXTS
    if not path.exists() and name != "runs":
        return pd.DataFrame(columns=[*NUMBERS[name], *TEXTS])
    try:
        header = pd.read_csv(path, nrows=0).columns
        types = {column: str for column in header if column not in NUMBERS[name]}
        table = pd.read_csv(path, dtype=types, usecols=wanted, keep_default_na=False, na_values=[""])
        if len(table) and not isinstance(table.index, pd.RangeIndex):  # pandas takes what is too much for an index
            raise ValueError("its rows have more fields than its header")
        for column in NUMBERS[name]:
            table[column] = pd.to_numeric(table[column]) if column in table else math.nan
    except (OSError, ValueError) as error:
        raise fault(path, error) from error
    texts = [column for column in table if column not in NUMBERS[name]]
    table[texts] = table[texts].fillna("")
    return table.reindex(columns=[*table.columns, *(c for c in TEXTS if c not in table)], fill_value="")


def parse(parser, path):
    text = read_text(path)
    try:
        return (parser(text) if text else {}), text
    except ValueError as error:
        raise fault(path, error) from error


def read_results(folder):
    tables = {name: read_table(folder, name) for name in NUMBERS}
    runs = tables["runs"]
    if runs.empty or "outcome" not in runs or (runs["run_id"] == "").any():
        raise ReportError(f"{folder / 'runs.csv'}: no runs in it (a result file has the columns run_id and outcome and at least one row)")
    package, _ = parse(json.loads, folder / "datapackage.json")
    columns = {(resource["name"], column["name"]): column for resource in package.get("resources", [])
               for column in resource.get("schema", {}).get("fields", [])}
    config, config_text = parse(tomllib.loads, folder / "config.toml")
    return Results(folder, tables, columns, config, config_text, read_text(folder / "manifest.json"))


def has(table, column):
    return column in table and bool(table[column].notna().any())


def words(name):
    return name.replace("_", " ")


def counted(count, name):
    return f"{count:.0f} {name}{'' if count == 1 else 's'}"


def short(key):
    """init.recurrent.gain -> recurrent gain"""
    return words(" ".join(key.split(".")[1:]))


def is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def rounded(values):
    """For JSON: six digits, None for what is absent."""
    return [float(f"{v:.6g}") if v is not None and math.isfinite(v) else None for v in values]


def show(value):
    return f"{value:.4g}" if math.isfinite(value) else "–"


def coverage(t, df):
    """P(|T| < t) of Student's t with df degrees of freedom: Abramowitz & Stegun 26.7.3 and 26.7.4."""
    theta = math.atan2(t, math.sqrt(df))
    odd = df % 2
    term, total = (math.cos(theta) if odd else 1.0), 0.0
    for k in range(2 + odd, df + 1, 2):
        total += term
        term *= math.cos(theta) ** 2 * (k - 1) / k
    return (theta + math.sin(theta) * total) * 2 / math.pi if odd else math.sin(theta) * total


@functools.lru_cache(maxsize=None)
def student_t(df):
    """The t that |T| stays below with probability 0.95."""
    low, high = 0.0, 13.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if coverage(middle, df) < 0.95 else (low, middle)
    return low


def half_width(std, count):
    """Half of the 95 % interval of a mean; NaN for fewer than two values."""
    return student_t(int(count) - 1) * std / math.sqrt(count) if count >= 2 else math.nan


def mean_and_interval(values):
    values = values.dropna()
    if values.empty:
        return "–"
    half = half_width(values.std(), len(values))
    mean = values.mean()
    return show(mean) + (f" <small>[{show(mean - half)}, {show(mean + half)}]</small>" if math.isfinite(half) else "")


