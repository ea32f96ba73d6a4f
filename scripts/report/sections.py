"""The sections of the page, in the order in which all_sections() puts them."""
import html
import math

import pandas as pd

from arms import NAMED, RATE, SEED
from charts import curve_chart, gradient_chart, slope_chart, small_multiples, swatches
from results import NUMBERS, counted, has, mean_and_interval, show, words

SUMMARY = ["validation_accuracy", "test_accuracy", "validation_loss", "test_loss", "gradient_slope", "gradient_slope_final", "train_loss"]


def all_sections(page, plan, results):
    return "".join([headline(page, plan, results), claims_section(results), summary_section(results, plan),
                    learning_section(page, plan, results), gradient_section(page, plan, results), layers_section(page, plan, results),
                    outputs_section(results, plan), notes_section(results, plan), timings_section(results, plan), sources_section(results, plan)])


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


def header(results, plan):
    """The page's title, and its head with what there is at a glance."""
    runs, claims = plan.runs, results.tables["claims"]
    chips = [counted(len(runs), "run")] + [f"{count} {html.escape(name)}" for name, count in runs["outcome"].value_counts().items()]
    if SEED in runs and runs[SEED].nunique() > 1:
        chips.append(f"{runs[SEED].nunique()} seeds")
    if len(claims):
        chips.append(f"{(claims['verdict'] == 'holds').sum()} of {len(claims)} claims hold")
    title = str(results.config.get("title") or results.config.get("name") or results.folder.resolve().name)
    description = str(results.config.get("description", ""))
    lead = f'<p class="lead">{html.escape(description)}</p>' if description else ""
    return title, f'<header><h1>{html.escape(title)}</h1>{lead}<p class="chips">{"".join(f"<span>{c}</span>" for c in chips)}</p></header>'


def headline(page, plan, results):
    accuracy = has(results.tables["curves"], "validation_accuracy")
    column, rises = ("validation_accuracy", "higher") if accuracy else ("validation_loss", "lower")
    charts = charts_of(plan, gradient_chart(page, plan, results, "log10_dh", "first"),
                       curve_chart(page, plan, results, column, words(column).capitalize(),
                                   f"What the net had learned of samples it was not trained on; {rises} is better."))
    return f'<section id="headline">{charts}</section>' if charts else ""


def claim_item(claim):
    holds = claim["verdict"] == "holds"
    interval = f" [{show(claim['low'])}, {show(claim['high'])}]" if math.isfinite(claim["low"]) else ""
    runs = counted(claim["runs"], "run") + (f" against {claim['runs_against']:.0f}" if claim["runs_against"] > 0 else "")
    facts = [f"estimate <b>{show(claim['estimate'])}</b>{interval}", f"required: {html.escape(claim['required'])}",
             f"<code>{html.escape(claim['metric'])}</code>", runs, html.escape(claim["note"])]
    return (f'<li class="{"holds" if holds else "fails"}"><span class="verdict">{html.escape(claim["verdict"])}</span> '
            f'{html.escape(claim["text"] or claim["claim"])}<div class="facts">{" · ".join(filter(None, facts))}</div></li>')


def claims_section(results):
    items = "".join(claim_item(claim) for claim in results.tables["claims"].to_dict("records"))
    return section("Claims", f'<ul class="claims">{items}</ul>') if items else ""


def summary_table(results, plan, runs, by):
    """A row per group of runs. by: one column or a list of columns of runs."""
    metrics = [metric for metric in SUMMARY if has(runs, metric)]
    keys = plan.keys + ([RATE] if plan.rate else [])
    rows = []
    for _, part in runs.groupby(by, sort=False):
        outcomes = ", ".join(f"{count} {html.escape(name)}" for name, count in part["outcome"].value_counts().items())
        names = [html.escape(part.iloc[0][key]) for key in keys]
        rows.append([*names, str(len(part)), outcomes, *(mean_and_interval(part[metric]) for metric in metrics)])
    return table(results, "runs", [*keys, "runs", "outcomes", *metrics], rows)


def summary_section(results, plan):
    note = ("<p>Mean over seeds with its 95 % interval (Student t); a value without brackets is of one run. "
            "Hold the pointer over a heading for its meaning.</p>")
    if not plan.rate:
        return section("Summary", note, summary_table(results, plan, plan.runs, "arm"))
    chosen = ("<p>Each arm at the learning rate with the lowest mean final validation loss; a rate at which a run ended without a finite "
              "validation loss comes after those at which all have one. Test data choose nothing.</p>")
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
               "Which layers hear the loss. Level is healthy; if it falls to the left, the layers near the input learn little.")]
    if results.tables["timesteps"].empty:
        charts += [("log10_gradient", "Signal by layer, before training", "log10 ‖∂L/∂h‖", "What comes back to each layer's output."),
                   ("activation_std", "Activations by layer, before training", "standard deviation",
                    "What goes up: outputs that shrink or grow from layer to layer, over samples and units.")]
    return "".join(small_multiples(page, plan, heading, rows, column, x_axis, y_title, caption,
                                   log=None if column == "activation_std" else False)
                   for column, heading, y_title, caption in charts)


def layers_section(page, plan, results):
    rows = results.tables["layers"].merge(plan.runs.loc[plan.runs["shown"], ["run_id", "arm", "arm_text"]], on="run_id")
    if rows.empty:
        return ""
    first, last = (rows.groupby("run_id")["update"].transform(end) for end in ("min", "max"))
    chart = layer_charts(page, plan, results, rows.loc[rows["update"] == first]) if rows["layer"].nunique() > 1 else ""
    rows = rows[(rows["update"] == first) | (rows["update"] == last)]
    metrics = [metric for metric in NUMBERS["layers"][2:] if has(rows, metric)]
    cells = [[html.escape(text), f"{update:.0f}", f"{layer:.0f}", *(show(part[m].mean()) for m in metrics)]
             for (_, text, update, layer), part in rows.groupby(["arm", "arm_text", "update", "layer"])]
    return section("By layer", chart, details("Table by layer, first and last update, mean over seeds",
                                              table(results, "layers", ["arm", "update", "layer", *metrics], cells)))


def outputs_section(results, plan):
    """metrics.csv on the test samples at each run's last evaluation: measures of all classes, and the least recall of any class."""
    rows = results.tables["metrics"].merge(plan.runs.loc[plan.runs["shown"], ["run_id", "arm", "arm_text"]], on="run_id")
    rows = rows[(rows["split"] == "test") & (rows["update"] == rows.groupby("run_id")["update"].transform("max"))]
    if rows.empty:
        return ""
    recalls = rows[rows["metric"] == "recall"].groupby(["arm", "arm_text", "run_id"], as_index=False)["value"].min()
    measures = pd.concat([rows[rows["metric"].ne("recall") & rows["class"].eq("")], recalls.assign(metric="least_recall")])
    names = list(dict.fromkeys(measures["metric"]))
    cells = [[html.escape(text), *(mean_and_interval(part.loc[part["metric"] == name, "value"]) for name in names)]
             for (_, text), part in measures.groupby(["arm", "arm_text"])]
    words_of_it = "<p>On the test samples at the last evaluation. The least recall is that of the class that is found least often.</p>"
    return section("Outputs", words_of_it, table(results, "metrics", ["arm", *names], cells))


def run_rows(results, plan, runs):
    keys = plan.keys + [key for key in (RATE, SEED) if key in runs and key not in plan.keys]
    numbers = [metric for metric in NUMBERS["runs"] if has(runs, metric)]
    rows = [[f"<code>{html.escape(run['run_id'])}</code>", *(html.escape(run[key]) for key in keys), html.escape(run["outcome"]),
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
