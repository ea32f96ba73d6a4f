"""The sections of the page, in the order in which all_sections() puts them."""
import html
import math

from arms import NAMED, RATE, SEED, UNSET_TEXT, over_seeds
from charts import curve_chart, gradient_chart, slope_chart, small_multiples, swatches
from intervals import SCALE_WORDS, interval, scale_of
from packages import pd
from results import NUMBERS, counted, has, loss_kinds, show, words

VERDICTS = {"holds": "holds", "fails": "fails", "does not hold": "fails", "inconclusive": "inconclusive", "incomplete": "incomplete"}
SUMMARY = ["validation_accuracy", "test_accuracy", "validation_loss", "test_loss", "gradient_slope", "gradient_slope_final", "train_loss"]


def all_sections(page, plan, results):
    return "".join([headline(page, plan, results), claims_section(results), summary_section(results, plan),
                    learning_section(page, plan, results), gradient_section(page, plan, results), layers_section(page, plan, results),
                    outputs_section(results, plan), notes_section(results, plan), timings_section(results, plan),
                    sources_section(results, plan)])


def section(title, *parts):
    body = "".join(parts)
    return f"<section><h2>{title}</h2>{body}</section>" if body else ""


def charts_of(plan, *charts):
    """Charts one below the other, or, where each is a single panel, side by side."""
    body = "".join(charts)
    return f'<div class="pair">{body}</div>' if body and len(plan.panels) == 1 else body


def details(summary, body):
    return f"<details><summary>{summary}</summary>{body}</details>" if body else ""


def table(results, source, head, rows):
    """head: column names of a result file or plain words; rows: cells that are HTML already."""
    def heading(name):
        return f'<th title="{html.escape(results.about(source, name))}">{html.escape(words(name) if "." not in name else name)}</th>'

    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (f'<div class="scroll" tabindex="0"><table><thead><tr>{"".join(map(heading, head))}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")


def chip(text, mark=""):
    return f'<span class="{mark}">{html.escape(text)}</span>' if mark else f"<span>{html.escape(text)}</span>"


def run_chips(results, runs):
    """How many runs there are, of how many, and how they ended."""
    partial = results.expected is not None and len(runs) < results.expected
    chips = [chip(f"{len(runs)} of {results.expected} runs", "fails") if partial else chip(counted(len(runs), "run"))]
    counts = runs["outcome"].value_counts()
    return chips + [chip(f"{count} {name}", "fails" if name in ("failed", "diverged") else "") for name, count in counts.items()]


def claim_chips(claims):
    chips = [chip(f"{(claims['verdict'] == 'holds').sum()} of {len(claims)} claims hold")] if len(claims) else []
    return chips + [chip(f"{(claims['verdict'] == word).sum()} {word}", word) for word in ("inconclusive", "incomplete")
                    if (claims["verdict"] == word).any()]


def partial_words(results, runs):
    missing = (results.expected or 0) - len(runs)
    if missing <= 0:
        return ""
    return (f'<p class="partial">This sweep is not finished: {len(runs)} of {results.expected} runs are there, and all that follows is of '
            f"these. <code>vpoint run</code> does the other {missing}.</p>")


def header(results, plan):
    """The page's title, and its head with what there is at a glance."""
    runs = plan.runs
    chips = run_chips(results, runs)
    if SEED in runs and runs[SEED].nunique() > 1:
        chips.append(chip(f"{runs[SEED].nunique()} seeds"))
    chips += claim_chips(results.tables["claims"])
    title = str(results.config.get("title") or results.config.get("name") or results.folder.resolve().name)
    description = str(results.config.get("description", ""))
    lead = f'<p class="lead">{html.escape(description)}</p>' if description else ""
    return title, (f'<header><h1>{html.escape(title)}</h1>{partial_words(results, runs)}{lead}'
                   f'<p class="chips">{"".join(chips)}</p></header>')


def headline(page, plan, results):
    accuracy = has(results.tables["curves"], "validation_accuracy")
    column, rises = ("validation_accuracy", "higher") if accuracy else ("validation_loss", "lower")
    charts = charts_of(plan, gradient_chart(page, plan, results, "log10_dh", "first"),
                       curve_chart(page, plan, results, column, words(column).capitalize(),
                                   f"On the validation samples, which the net was not trained on; {rises} is better."))
    return f'<section id="headline">{charts}</section>' if charts else ""


def claim_item(claim):
    mark = VERDICTS.get(claim["verdict"], "incomplete")
    interval_text = f" [{show(claim['low'])}, {show(claim['high'])}]" if math.isfinite(claim["low"]) else ""
    runs = counted(claim["runs"], "run") + (f" against {claim['runs_against']:.0f}" if claim["runs_against"] > 0 else "")
    facts = [f"estimate <b>{show(claim['estimate'])}</b>{interval_text}", f"required: {html.escape(claim['required'])}",
             f"<code>{html.escape(claim['metric'])}</code>", runs, html.escape(claim["note"]),
             *(f"{name}: {html.escape(claim[name])}" for name in ("published", "source") if claim[name])]
    return (f'<li class="{mark}"><span class="verdict">{html.escape(claim["verdict"])}</span> '
            f'{html.escape(claim["text"] or claim["claim"])}<div class="facts">{" · ".join(filter(None, facts))}</div></li>')


def claims_section(results):
    items = "".join(claim_item(claim) for claim in results.tables["claims"].to_dict("records"))
    return section("Claims", f'<ul class="claims">{items}</ul>') if items else ""


def key_cell(value):
    return html.escape(value) if value else f"<i>{UNSET_TEXT}</i>"


def mean_cell(part, metric, scale):
    """Mean over seeds with its interval; where runs have no value, of how many runs it is."""
    values, runs = over_seeds(part, metric), part["run_id"].nunique()
    if values.empty:
        return "–"
    low, high = interval(values.mean(), values.std(), len(values), scale)
    there = part.dropna(subset=[metric])["run_id"].nunique()
    facts = ([f"[{show(low)}, {show(high)}]"] if math.isfinite(low) else []) + ([f"({there} of {runs} runs)"] if there < runs else [])
    return show(values.mean()) + (f" <small>{' '.join(facts)}</small>" if facts else "")


def summary_table(results, plan, runs, by):
    """A row per group of runs. by: one column or a list of columns of runs."""
    metrics = [metric for metric in SUMMARY if has(runs, metric)]
    keys = plan.keys + ([RATE] if plan.rate else [])
    kinds = loss_kinds(runs, results.tables["metrics"])
    rows = []
    for _, part in runs.groupby(by, sort=False):
        outcomes = ", ".join(f"{count} {html.escape(name)}" for name, count in part["outcome"].value_counts().items())
        names = [key_cell(part.iloc[0][key]) for key in keys]
        rows.append([*names, str(len(part)), outcomes, *(mean_cell(part, metric, scale_of(metric)) for metric in metrics),
                     kinds[part.index[0]]])
    return table(results, "runs", [*keys, "runs", "outcomes", *metrics, "loss unit"], rows)


def summary_words(plan):
    scales = "; ".join(f"{what}: {SCALE_WORDS[scale]}" for what, scale in (("shares", "share"), ("losses", "positive"), ("others", "any")))
    text = (f"<p>Mean over seeds with its 95 % interval ({scales}); a value without brackets is of one seed. (2 of 3 runs): the others "
            "have no value, because they diverged or failed, and the mean is of the rest. Hold the pointer over a heading for its "
            "meaning.</p>")
    if not plan.following:
        return text
    keys = ", ".join(f"<code>{html.escape(key)}</code>" for key in plan.following)
    return text + f"<p>These keys vary too, but follow from those of the table: {keys} (all runs, below, have them).</p>"


def summary_section(results, plan):
    note = summary_words(plan)
    if not plan.rate:
        return section("Summary", note, summary_table(results, plan, plan.runs, "arm"))
    chosen = ("<p>Each arm at the learning rate with the lowest mean final validation loss; a rate at which a run diverged, or has no "
              "validation loss, comes last, and of equals the first counts. Test data choose nothing.</p>")
    return section("Summary", chosen, summary_table(results, plan, plan.runs[plan.runs["shown"]], "arm"), note,
                   details("Every arm at every learning rate", summary_table(results, plan, plan.runs, ["arm", RATE])))


def learning_section(page, plan, results):
    accuracy = has(results.tables["curves"], "validation_accuracy")  # if not, the headline has the validation loss
    charts = [("validation_loss", "Validation loss", "Mean over the validation samples; lower is better.")] if accuracy else []
    charts += [("train_loss", "Training loss", "Mean over the batches since the point before; lower is better."),
               ("gradient_norm", "Norm of the batch gradient", "Of all parameters together, before clipping.")]
    return section("Learning", charts_of(plan, *(curve_chart(page, plan, results, *chart) for chart in charts)))


def gradient_section(page, plan, results):
    choices = [("log10_dh", "last"), ("log10_dc", "first"), ("log10_dc", "last")]
    charts = [gradient_chart(page, plan, results, column, which) for column, which in choices]
    return section("Gradients through time", charts_of(plan, *charts, slope_chart(page, plan, results)))


def layer_charts(page, plan, results, rows):
    """Of the first probed update. Nets without time show here what the others show step by step."""
    x_axis = ("layer", "layer (0 is nearest the input)")
    charts = [("log10_weight_gradient", "Weight gradient by layer, before training", "log10 ‖∂L/∂W‖ (loss per weight)",
               "Norm of the gradient by each layer's parameters. If it falls to the left, the layers near the input get little gradient.")]
    if results.tables["timesteps"].empty:
        charts += [("log10_gradient", "Signal by layer, before training", "log10 ‖∂L/∂h‖", "Norm of the gradient by each layer's output."),
                   ("activation_std", "Activations by layer, before training", "standard deviation",
                    "Standard deviation of each layer's output over samples and units.")]
    return "".join(small_multiples(page, plan, heading, rows, column, x_axis, y_title, caption,
                                   log=None if column == "activation_std" else False)
                   for column, heading, y_title, caption in charts)


def of_shown_runs(plan, rows):
    return rows.merge(plan.runs.loc[plan.runs["shown"], ["run_id", "arm", "arm_text", "seed"]], on="run_id")


def layers_section(page, plan, results):
    rows = of_shown_runs(plan, results.tables["layers"])
    if rows.empty:
        return ""
    first, last = (rows.groupby("run_id")["update"].transform(end) for end in ("min", "max"))
    chart = layer_charts(page, plan, results, rows.loc[rows["update"] == first]) if rows["layer"].nunique() > 1 else ""
    ends = pd.concat([rows[rows["update"] == first].assign(end=0), rows[(rows["update"] == last) & (last > first)].assign(end=1)])
    metrics = [metric for metric in NUMBERS["layers"][2:] if has(rows, metric)]
    cells = []
    for (_, text, _, layer), part in ends.groupby(["arm", "arm_text", "end", "layer"]):
        updates = " to ".join(f"{update:.0f}" for update in dict.fromkeys([part["update"].min(), part["update"].max()]))
        cells.append([html.escape(text), updates, f"{layer:.0f}", *(show(over_seeds(part, m).mean()) for m in metrics)])
    return section("By layer", chart, details("Table by layer, first and last update of each run, mean over seeds",
                                              table(results, "layers", ["arm", "update", "layer", *metrics], cells)))


def recall_table(results, recalls):
    """Recall by class. Classes by name where they have one."""
    names = recalls["class_name"].where(recalls["class_name"] != "", recalls["class"])
    wide = recalls.assign(name=names).groupby(["arm", "arm_text", "name", "seed"], sort=False)["value"].mean()
    wide = wide.groupby(["arm", "arm_text", "name"], sort=False).mean().unstack()[list(dict.fromkeys(names))]
    rows = [[html.escape(text), *map(show, values)] for (_, text), values in wide.iterrows()]
    return table(results, "", ["arm", *wide.columns], rows)


def outputs_section(results, plan):
    """metrics.csv on the test samples at each run's last evaluation: measures of all classes, and the least recall of any class."""
    rows = of_shown_runs(plan, results.tables["metrics"])
    rows = rows[(rows["split"] == "test") & (rows["update"] == rows.groupby("run_id")["update"].transform("max"))]
    if rows.empty:
        return ""
    recalls = rows[rows["metric"] == "recall"]
    least = recalls.groupby(["arm", "arm_text", "seed", "run_id"], as_index=False)["value"].min().assign(metric="least_recall")
    measures = pd.concat([rows[rows["metric"].ne("recall") & rows["class"].eq("")], least])
    names = list(dict.fromkeys(measures["metric"]))
    cells = [[html.escape(text), *(mean_cell(part[part["metric"] == name], "value", scale_of(name)) for name in names)]
             for (_, text), part in measures.groupby(["arm", "arm_text"])]
    words_of_it = "<p>On the test samples at the last evaluation. The least recall is that of the class that is found least often.</p>"
    return section("Outputs", words_of_it, table(results, "metrics", ["arm", *names], cells),
                   details("Recall by class, mean over seeds", recall_table(results, recalls) if len(recalls) else ""))


def run_rows(results, plan, runs):
    keys = list(dict.fromkeys(plan.keys + plan.following + [key for key in (RATE, SEED) if key in runs]))
    numbers = [metric for metric in NUMBERS["runs"] if has(runs, metric)]
    rows = [[f"<code>{html.escape(run['run_id'])}</code>", *(key_cell(run[key]) for key in keys), html.escape(run["outcome"]),
             *(show(run[metric]) for metric in numbers), html.escape(run["note"])] for run in runs.to_dict("records")]
    return table(results, "runs", ["run_id", *keys, "outcome", *numbers, "note"], rows)


def notes_section(results, plan):
    """Nothing is hidden: runs that did not end well or carry a note, and the notes of the other tables, counted."""
    runs = plan.runs
    odd = runs[~runs["outcome"].isin(["completed", "solved"]) | (runs["note"] != "")]
    parts = [run_rows(results, plan, odd)] if len(odd) else ["<p>Every run completed without a note.</p>"]
    for name in ("curves", "timesteps", "layers", "metrics"):
        notes = results.tables[name]["note"]
        counts = notes[notes != ""].value_counts()
        if len(counts):
            texts = ", ".join(f"<code>{html.escape(text)}</code> ({count}×)" for text, count in counts.head(8).items())
            parts.append(f"<p>Notes in {name}.csv, for values that are not finite or the logarithm of zero: {texts}"
                         f"{' and others' if len(counts) > 8 else ''}.</p>")
    mixed = [column for column in ("build", "isa", "libraries", "backend") if column in runs and runs[column].nunique() > 1]
    if mixed:
        parts.append(f"<p>These runs differ in {', '.join(mixed)}: their last bits may differ for that reason alone.</p>")
    return section("Runs that diverged, failed or carry a note", *parts)


def phase_bar(seconds, longest, colours):
    parts = (f'<i style="width:{100 * s / longest:.2f}%;background:{colours[phase]}" title="{html.escape(phase)} {s:.3g} s"></i>'
             for phase, s in seconds.items())
    return f'<div class="bar">{"".join(parts)}</div>'


def timings_section(results, plan):
    timings = results.tables["timings"].merge(plan.runs[["run_id", "arm", "arm_text"]], on="run_id")
    work = timings[timings["phase"] != "wall"]
    if work.empty:
        return ""
    colours = {phase: NAMED[i % len(NAMED)] for i, phase in enumerate(work["phase"].unique())}
    means = work.groupby(["arm", "arm_text", "phase"], sort=False)["seconds"].mean().unstack()[list(colours)].fillna(0)
    wall = timings[timings["phase"] == "wall"].groupby("arm")["seconds"].mean()
    longest = means.sum(axis=1).max() or 1
    rows = [[html.escape(text), phase_bar(seconds, longest, colours), show(seconds.sum()), show(wall.get(arm, math.nan)),
             *map(show, seconds)] for (arm, text), seconds in means.iterrows()]
    runs_on = timings.groupby("host")["run_id"].nunique()
    hosts = " and ".join(f"{html.escape(host)} ({counted(count, 'run')})" for host, count in runs_on.items())
    words_of_it = ("<p>Mean seconds of a run: work, summed over threads, by phase; and the wall clock, during which it may have shared the "
                   f"threads with other runs. On {hosts}.</p>")
    return section("Where the time went", words_of_it, f'<div class="legend">{swatches(colours)}</div>',
                   table(results, "timings", ["arm", "by phase", "work (s)", "wall (s)", *colours], rows))


def sources_section(results, plan):
    meanings = [[html.escape(text) for text in (file, column, info.get("unit", ""), info.get("description", ""))]
                for (file, column), info in results.columns.items()]
    return section("Behind this page", details("All runs", run_rows(results, plan, plan.runs)),
                   details("Configuration", results.config_text and f"<pre>{html.escape(results.config_text)}</pre>"),
                   details("Machine and program", results.manifest_text and f"<pre>{html.escape(results.manifest_text)}</pre>"),
                   details("What the columns mean", meanings and table(results, "", ["file", "column", "unit", "meaning"], meanings)))
