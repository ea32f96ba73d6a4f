"""Reads the result files of an experiment. Imports none of the report's other modules but packages."""
import json
import math
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from packages import pd

# What is read of each table; everything else in it is left alone. runs.csv is read whole: its other columns are the configuration.
NUMBERS = {
    "runs": ["updates_done", "train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy", "gradient_slope",
             "gradient_slope_low", "gradient_slope_high", "gradient_slope_final", "max_gradient_norm"],
    "curves": ["update", "train_loss", "validation_loss", "validation_accuracy", "gradient_norm"],
    "timesteps": ["update", "layer", "t", "log10_dh", "log10_dc"],
    "layers": ["update", "layer", "activation_mean", "activation_std", "saturated", "log10_gradient", "log10_weight_gradient",
               "dead_units"],
    "metrics": ["update", "value"],
    "timings": ["seconds"],
    "claims": ["runs", "runs_against", "estimate", "low", "high"],
}
TEXTS = ["run_id", "note", "phase", "host", "claim", "text", "metric", "required", "verdict", "source", "published", "split", "class",
         "class_name"]
CROSS_ENTROPY, SQUARED_ERROR = "nats", "squared error"  # units of the losses
VALUE_TASKS = ["adding", "adding_resets", "multiplication", "parentheses", "running_sum", "sine", "wave"]  # whose targets are numbers


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
    expected: int | None = None  # runs of the whole sweep, if that is known

    def about(self, table, column):
        """Unit and meaning of a column, for a tooltip."""
        info = self.columns.get((table, column), {})
        return info.get("description", "") + (f" [{info['unit']}]" if info.get("unit") else "")

    def axis(self, table, column):
        """Axis title with unit; of a loss its kind says the unit, see loss_kinds()."""
        unit = self.columns.get((table, column), {}).get("unit", "")
        return words(column) + (f" ({unit})" if unit and unit != words(column) else "")


def fault(path, error):
    """A ReportError that names the file (the one a link leads to) and, once, the reason."""
    name = os.readlink(path) if os.path.islink(path) else path
    return ReportError(f"{name}: {(error.strerror if isinstance(error, OSError) else None) or error}")


def regular(path):
    """The path; a named pipe or a device would keep the report waiting."""
    if path.exists() and not path.is_file():
        raise ReportError(f"{path}: not a regular file")
    return path


def read_text(path):
    try:
        return regular(path).read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, ValueError) as error:
        raise fault(path, error) from error


def read_table(folder, name):
    """Numbers as floats, everything else as the text that stands there (a run id of digits is no number)."""
    path = folder / f"{name}.csv"
    wanted = None if name == "runs" else lambda column: column in NUMBERS[name] + TEXTS
    if not path.exists() and name != "runs":
        return pd.DataFrame(columns=[*NUMBERS[name], *TEXTS])
    try:
        header = pd.read_csv(regular(path), nrows=0).columns
        types = {column: str for column in header if column not in NUMBERS[name]}
        table = pd.read_csv(path, dtype=types, usecols=wanted, keep_default_na=False, na_values=[""], float_precision="round_trip")
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


def read_results(folder, expected=None):
    tables = {name: read_table(folder, name) for name in NUMBERS}
    runs = tables["runs"]
    if runs.empty or "outcome" not in runs or (runs["run_id"] == "").any():
        raise ReportError(f"{folder / 'runs.csv'}: no runs in it (a result file has the columns run_id and outcome and at least one row)")
    if runs["run_id"].duplicated().any():
        raise ReportError(f"{folder / 'runs.csv'}: run {runs.loc[runs['run_id'].duplicated(), 'run_id'].iloc[0]} stands there twice")
    package, _ = parse(json.loads, folder / "datapackage.json")
    try:
        columns = {(resource["name"], column["name"]): column for resource in package.get("resources", [])
                   for column in resource.get("schema", {}).get("fields", [])}
    except (AttributeError, KeyError, TypeError) as error:
        raise ReportError(f"{folder / 'datapackage.json'}: not a data package ({error})") from error
    config, config_text = parse(tomllib.loads, folder / "config.toml")
    return Results(folder, tables, columns, config, config_text, read_text(folder / "manifest.json"), expected)


def dotted(table, prefix=""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from dotted(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def grid_keys(config):
    """The keys of [grid], or of all [[grid]] blocks, in the order of their first appearance."""
    blocks = config.get("grid", [])
    return list(dict.fromkeys(key for block in (blocks if isinstance(blocks, list) else [blocks]) if isinstance(block, dict)
                              for key in dotted(block)))


def loss_kinds(runs, metrics):
    """CROSS_ENTROPY or SQUARED_ERROR for every run. metrics.csv says it by what it measures; where it has no rows (targets at every step),
    the task does. A regression may have an accuracy too: the share of the samples that are close enough."""
    none = pd.Series("", index=runs.index)
    task = ["\n".join(row) for row in runs[[column for column in runs if column.startswith("task.")]].to_numpy(dtype=object)]
    no_accuracy = runs["validation_accuracy"].isna().groupby(task).transform("all")
    values = no_accuracy | runs.get("task.target_kind", none).eq("values") | runs.get("task.name", none).isin(VALUE_TASKS)
    measured, regressions = set(metrics["run_id"]), set(metrics.loc[metrics["metric"] == "mse", "run_id"])
    is_value = [run in regressions if run in measured else value for run, value in zip(runs["run_id"], values)]
    return pd.Series([SQUARED_ERROR if value else CROSS_ENTROPY for value in is_value], index=runs.index)


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


