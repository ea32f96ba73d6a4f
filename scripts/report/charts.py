"""Charts: dictionaries for plotly.js, made by hand so that every version of plotly draws the same, and the HTML around them."""
import html
import math

from arms import NAMED, UNSET_TEXT, WEIGHT_SCALES, over_seeds
from intervals import SCALE_WORDS, interval, scale_of
from packages import pd
from results import has, loss_kinds, rounded, short, words

MAX_POINTS = 400  # of a drawn line; 1,000 runs of 10,000 steps would choke a browser
HOVER = {"bgcolor": "#1d2430", "bordercolor": "#8a93a3", "font": {"color": "#fff"}, "align": "left"}  # on light and on dark pages
DH, DC = "log10 ‖∂L/∂h<sub>t</sub>‖", "log10 ‖∂L/∂c<sub>t</sub>‖"


class Page:
    """Collects what is drawn: the HTML parts hold empty boxes, which the script in the page fills from `charts`."""

    def __init__(self):
        self.charts = []

    def plot(self, data, x_axis, y_axis, height=270):
        name = f"chart{len(self.charts)}"
        layout = {"height": height, "margin": {"l": 60, "r": 12, "t": 10, "b": 46}, "showlegend": False, "hovermode": "closest",
                  "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#8a93a3", "activecolor": NAMED[0]},
                  "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
                  "hoverlabel": HOVER, "font": {"family": "system-ui, sans-serif", "size": 12}, "xaxis": x_axis, "yaxis": y_axis}
        self.charts.append({"id": name, "data": data, "layout": layout})
        return f'<div id="{name}" class="chart" style="min-height:{height}px"></div>'


def axis(title, log=False, **more):
    return {"title": {"text": title, "standoff": 8}, "type": "log" if log else "linear", "automargin": True, "zeroline": False,
            "ticks": "outside", "ticklen": 4} | more


def plain(text):
    """Text as plotly.js shows it, which reads a few tags and entities, and in hover texts %{names}."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "%\u200b{")


def hover(heading, x):
    """One box, in which the heading stands above the value."""
    return f"<b>{plain(heading)}</b><br>%{{y:.4g}} at {plain(x)} %{{x}}<extra></extra>"


def swatches(colours):
    """The entries of a legend that shows colours and does nothing."""
    return "".join(f'<span class="key"><i style="background:{colour}"></i>{html.escape(text)}</span>'
                   for text, colour in colours.items() if text)


def legend(plan):
    """The values of the scale key, as buttons that show and hide their lines."""
    if not plan.scale:
        return ""
    keys = "".join(f'<button class="key" aria-pressed="true" data-key="{html.escape(value)}"><i style="background:{colour}"></i>'
                   f'{html.escape(value or UNSET_TEXT)}</button>' for value, colour in plan.colours.items())
    return f'<div class="legend"><span>{html.escape(short(plan.scale))}</span>{keys}</div>'


def thin(frame):
    step = max(1, math.ceil(len(frame) / MAX_POINTS))
    return frame if step == 1 else pd.concat([frame.iloc[:-1:step], frame.iloc[-1:]])


def run_trace(part, x, y):
    """All runs of an arm as one faint trace, None between them."""
    xs, ys = [], []
    for _, run in part.groupby("run_id", sort=False):
        run = thin(run.sort_values(x))
        xs, ys = xs + run[x].tolist() + [None], ys + rounded(run[y]) + [None]
    return {"x": xs, "y": ys, "opacity": 0.35, "hoverinfo": "skip"}


def carried(plan, wide, x):
    """wide: a column per run, a row per x. A run that met its stopping rule keeps its last value at the updates it did not need."""
    if x != "update":
        return wide
    solved = set(plan.runs.loc[plan.runs["outcome"] == "solved", "run_id"])
    for run in [run for run in wide if run in solved]:
        last = wide[run].last_valid_index()
        wide.loc[wide.index > last, run] = wide.at[last, run]
    return wide


def mean_line(plan, part, x, y):
    """Mean, interval and number of seeds at every x at which all runs have a row: where one diverged, the line ends. A mean of those that
    are left would be of another set of seeds. An absent value leaves a gap."""
    values, rows = (part.groupby([x, "run_id"])[y].agg(how).unstack() for how in ("mean", "size"))
    wide = carried(plan, values.fillna(math.inf).where(rows.notna()), x)  # inf: a row without a value
    wide = wide[wide.notna().all(axis=1)]
    seeds = wide.T.groupby(plan.runs.set_index("run_id")["seed"]).mean().T.replace(math.inf, math.nan)
    stats = pd.DataFrame({"mean": seeds.mean(axis=1, skipna=False), "std": seeds.std(axis=1, skipna=False)}, index=seeds.index)
    ends = [interval(mean, std, seeds.shape[1], scale_of(y)) for mean, std in zip(stats["mean"], stats["std"])]
    return stats.assign(low=[low for low, _ in ends], high=[high for _, high in ends]).rename_axis(x).reset_index()


def band_trace(stats, x):
    """The 95 % interval of the mean, where there are two seeds or more."""
    band = stats.dropna(subset=["low"])
    xs = band[x].tolist()
    return {"x": xs + xs[::-1], "y": rounded(band["high"]) + rounded(band["low"])[::-1], "fill": "toself", "hoverinfo": "skip"}


def arm_traces(plan, arm, part, x, y, shade):
    """The runs faintly, the 95 % band, and the mean on top. part: rows of one arm with the columns run_id, x, y; shade: of the band."""
    first = plan.runs[plan.runs["arm"] == arm].iloc[0]
    colour, text = plan.colours[first["colour"]], plain(first["arm_text"])
    common = {"type": "scatter", "mode": "lines", "meta": first["colour"]}
    stats = thin(mean_line(plan, part, x, y))
    mean = common | {"x": stats[x].tolist(), "y": rounded(stats["mean"]), "mode": "lines+markers" if len(stats) <= 12 else "lines",
                     "name": text, "line": {"color": colour, "width": 2.2}, "marker": {"size": 5},
                     "hovertemplate": hover(first["arm_text"], words(x))}
    if part["run_id"].nunique() == 1:
        return [mean]
    runs = common | run_trace(part, x, y) | {"line": {"color": colour, "width": 1}}
    band = common | band_trace(stats, x) | {"line": {"width": 0}, "fillcolor": colour + shade}
    return [runs, band, mean]


def padded_range(values, log):
    low, high = values.min(), values.max()
    if log:
        low, high = math.log10(low), math.log10(high)
    pad = 0.05 * (high - low) or 0.1
    return [low - pad, high + pad]


def missing_words(plan, frame, drawn, y):
    """Nothing is left out in silence: the arms without a single value, and how many values of the others are absent."""
    rows = plan.runs[plan.runs["shown"]]
    no_panel = [panel for panel in plan.panels if panel and panel not in set(drawn["panel"])]
    no_line = list(rows.loc[~rows["arm"].isin(drawn["arm"]) & ~rows["panel"].isin(no_panel), "arm_text"].unique())
    names, gaps = no_panel + no_line, int(drawn[y].isna().sum())
    listed = html.escape(", ".join(names[:8])) + (" and others" if len(names) > 8 else "")
    absent = f" Without values, so not drawn: {listed}." if names else ""
    if gaps:
        absent += f" {gaps} of {len(drawn)} values are absent (the notes of the CSV say why); there is no mean where one is."
    return absent


def band_words(plan, drawn, x, y):
    """What the lines and bands of a figure are."""
    runs = plan.runs[plan.runs["run_id"].isin(drawn["run_id"])]
    if runs.groupby("arm").size().max() < 2:
        return ""
    text = f" Strong line: mean over seeds; faint: each run; band: 95 % interval of the mean ({SCALE_WORDS[scale_of(y)]})."
    if x == "update" and (runs["outcome"] == "solved").any():
        text += " In the mean a run that met its stopping rule keeps its last value."
    if x == "update" and (runs["outcome"] == "diverged").any():
        text += " Where a run diverged, the mean of its arm ends."
    return text


def small_multiples(page, plan, heading, table, y, x_axis, y_title, caption, log=None):
    """One panel per choice of the other keys, one colour per value of the scale key, the same y axis in all. x_axis: (column, title).
    log: the y axis is logarithmic; None: if the values are positive and far apart. Empty text if there is nothing to draw."""
    x, x_title = x_axis
    frame = table[["run_id", x, y]].merge(plan.runs.loc[plan.runs["shown"], ["run_id", "arm", "panel"]], on="run_id")
    drawn = frame[frame.groupby("arm")[y].transform("count") > 0].dropna(subset=[x])
    values = drawn[y].dropna()
    if values.empty:
        return ""
    log_y = values.min() > 0 and values.max() > 50 * values.min() if log is None else log
    ticks = {"dtick": 1} if x == "layer" and drawn[x].max() <= 20 else {}
    panels = []
    for panel in [panel for panel in plan.panels if panel in set(drawn["panel"])]:
        arms = drawn[drawn["panel"] == panel].groupby("arm")
        shade = "2e" if len(arms) <= 4 else "12"  # many bands lie over each other
        data = [trace for arm, part in arms for trace in arm_traces(plan, arm, part, x, y, shade)]
        chart = page.plot(data, axis(x_title, **ticks), axis(y_title, log_y, range=padded_range(values, log_y)))
        panels.append(f'<div class="panel">{f"<h4>{html.escape(panel)}</h4>" if panel else ""}{chart}</div>')
    return (f'<figure><h3>{heading}</h3>{legend(plan)}<div class="panels of{min(3, len(plan.panels))}">{"".join(panels)}</div>'
            f"<figcaption>{caption}{missing_words(plan, frame, drawn, y)}{band_words(plan, drawn, x, y)}</figcaption></figure>")


def rate_words(plan):
    return " Each arm at its best learning rate (chosen by validation loss, see the table)." if plan.rate else ""


def gradient_chart(page, plan, results, column, which):
    """dL/dh_t or dL/dc_t of the top layer against the lag, at the first or the last probed update of each run."""
    steps = results.tables["timesteps"]
    by_run = steps.groupby("run_id")
    if steps.empty or (which == "last" and (by_run["update"].nunique() < 2).all()):
        return ""
    probed = by_run["update"].transform("min" if which == "first" else "max")
    steps = steps[(steps["update"] == probed) & (steps["layer"] == by_run["layer"].transform("max"))]
    steps = steps.assign(lag=steps.groupby("run_id")["t"].transform("max") - steps["t"])
    when = f"at update {steps['update'].min():.0f}" if which == "first" else "after the last update"
    unit = results.columns.get(("timesteps", column), {}).get("unit", "").removeprefix("log10 of ")
    title = (DC if column == "log10_dc" else DH) + (f" ({plain(unit)})" if unit else "")
    caption = (f"Gradient norm against lag: the gradient of the loss by the {'cell state' if column == 'log10_dc' else 'state'} of the top "
               f"layer, k steps before the end of the sequence, {when}. Falling to the right: the gradient vanishes; rising: it explodes; "
               f"one unit is a factor of ten.{rate_words(plan)}")
    heading = f"Gradient through time, {'cell state, ' if column == 'log10_dc' else ''}{when}"
    return small_multiples(page, plan, heading, steps, column, ("lag", "lag k = T−1−t (time steps)"), title, caption, log=False)


def curve_chart(page, plan, results, column, heading, caption):
    """A figure; of a loss one for each kind that occurs, since nats and squared errors share no axis."""
    curves, x_axis, caption = results.tables["curves"], ("update", "update (optimiser steps)"), caption + rate_words(plan)
    if not column.endswith("loss"):
        return small_multiples(page, plan, heading, curves, column, x_axis, plain(results.axis("curves", column)), caption,
                               log=False if "accuracy" in column else None)
    kinds = loss_kinds(plan.runs, results.tables["metrics"])
    return "".join(small_multiples(page, plan, f"{heading} ({kind})" if kinds.nunique() > 1 else heading,
                                   curves[curves["run_id"].isin(plan.runs.loc[kinds == kind, "run_id"])], column, x_axis,
                                   f"{words(column)} ({kind})", caption)
                   for kind in dict.fromkeys(kinds))


def log10_gain_line(plan, runs, values):
    """log10 g, what a linear net with orthogonal recurrent weights times g does; only where all weights with a gain are orthogonal."""
    none = pd.Series("", index=runs.index)
    scheme = runs.get("init.recurrent.scheme", none)
    scheme = scheme.where(scheme != "", runs.get("init.scheme", none))
    if plan.scale != "init.recurrent.gain" or not (scheme == "orthogonal").all() or min(values) <= 0:
        return [], ""
    trace = {"type": "scatter", "mode": "lines", "x": values, "y": rounded(math.log10(v) for v in values), "name": "theory",
             "line": {"color": "#888888", "dash": "dot"}, "hovertemplate": "<b>theory</b><br>log10 g = %{y:.4g}<extra></extra>"}
    return [trace], " Dotted: log10 g, what a linear net with these orthogonal weights does."


def slope_points(part):
    """A row per weight scale: mean slope, its 95 % interval over seeds (over samples where there is one seed), mean after training."""
    points = []
    for x, runs in part.groupby("x"):
        slopes = over_seeds(runs, "gradient_slope")
        low, high = interval(slopes.mean(), slopes.std(), len(slopes), "any")
        if len(slopes) == 1:
            low, high = (over_seeds(runs, f"gradient_slope_{end}").mean() for end in ("low", "high"))
        points.append({"x": x, "mean": slopes.mean(), "low": low, "high": high, "final": over_seeds(runs, "gradient_slope_final").mean()})
    return pd.DataFrame(points)


def slope_traces(plan, panel, part, colour):
    """One panel's slopes: before training with their intervals, after it open."""
    points = slope_points(part)
    up, down = points["high"] - points["mean"], points["mean"] - points["low"]
    common = {"type": "scatter", "x": points["x"].tolist(), "name": plain(panel), "line": {"color": colour}}
    first = common | {"mode": "lines+markers", "y": rounded(points["mean"]), "marker": {"size": 8},
                      "hovertemplate": hover(f"{panel} before training", short(plan.scale)),
                      "error_y": {"type": "data", "symmetric": False, "array": rounded(up), "arrayminus": rounded(down), "thickness": 1.5}}
    last = common | {"mode": "markers", "y": rounded(points["final"]), "marker": {"size": 8, "symbol": "circle-open", "color": colour},
                     "hovertemplate": hover(f"{panel} after the last update", short(plan.scale))}
    return [first, last] if has(points, "final") else [first]


def slope_chart(page, plan, results):
    """gradient_slope against the weight scale, a colour per panel."""
    runs = plan.runs[plan.runs["shown"] & plan.runs["gradient_slope"].notna() & (plan.runs["colour"] != "")]
    if not plan.scale.endswith(WEIGHT_SCALES) or runs.empty:
        return ""
    values = sorted({float(v) for v in runs["colour"]})
    colours = {panel: NAMED[i % len(NAMED)] for i, panel in enumerate(runs["panel"].unique())}
    data = []
    for panel, part in runs.assign(x=runs["colour"].astype(float)).groupby("panel", sort=False):
        data += slope_traces(plan, panel, part, colours[panel])
    theory, caption = log10_gain_line(plan, runs, values)
    ticks = {"tickvals": values, "ticktext": [f"{v:g}" for v in values]} if len(values) <= 12 else {}
    unit = results.columns.get(("runs", "gradient_slope"), {}).get("unit", "")
    title = "gradient slope" + (f" ({plain(unit)})" if unit else "")
    chart = page.plot(data + theory, axis(plain(short(plan.scale)), log=values[0] > 0, **ticks), axis(title), height=360)
    return (f'<figure><h3>Gradient slope against weight scale</h3><div class="legend">{swatches(colours)}</div>{chart}<figcaption>'
            "Change of log10 ‖∂L/∂h<sub>t</sub>‖ per time step of lag: below 0 the gradient vanishes, above it explodes. Filled: before "
            "training, with its 95 % interval over seeds (Student t; over samples where there is one seed); open: after the last update."
            f"{caption}</figcaption></figure>")
