#!/usr/bin/python3
"""The report, run as the program runs it (one script on standard input), against small result directories with odd values in them."""
import csv
import html
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from synthetic_results import RUN_COLUMNS, TABLES, a_claim, learning_rate_runs, quickstart_runs, write_csv, write_results

ROOT = Path(__file__).resolve().parents[2]
EVIL = '<img src=x onerror="alert(1)"> & "quotes"'
T_2 = 4.302653  # 97.5 % quantile of Student's t with 2 degrees of freedom

sys.path.insert(0, str(ROOT / "scripts" / "report"))


def run_report(folder):
    """Exit code, standard error and page (empty if there is none). Warnings count as errors: users would see them."""
    script = subprocess.run(["sh", ROOT / "scripts/report/bundle.sh"], capture_output=True, check=True).stdout
    done = subprocess.run([sys.executable, "-I", "-W", "error::FutureWarning", "-", folder], input=script, capture_output=True, cwd="/")
    page = Path(folder) / "report.html"
    return done.returncode, done.stderr.decode(), page.read_text(encoding="utf-8") if page.is_file() else ""


def logit_interval(values):
    """Student's t on the logit scale, three values."""
    mean = statistics.mean(values)
    half = T_2 * statistics.stdev(values) / 3 ** 0.5 / (mean * (1 - mean))
    return [1 / (1 + math.exp(-(math.log(mean / (1 - mean)) + sign * half))) for sign in (-1, 1)]


def charts_of(page):
    return json.loads(re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.S)[1])


def without_scripts(page):
    return re.sub(r"<script.*?</script>", "", page, flags=re.S)


def means(chart):
    """The mean lines of a chart by name."""
    return {trace["name"]: trace for trace in chart["data"] if "name" in trace}


def read_rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class ReportTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def page(self):
        code, err, page = run_report(self.folder)
        self.assertEqual((code, err), (0, ""))
        return page

    def refused(self, *expected):
        code, err, page = run_report(self.folder)
        self.assertEqual(code, 3, err)
        for text in expected:
            self.assertIn(text, err)
        self.assertEqual(len(err.splitlines()), 1, err)
        return page


class Content(ReportTest):
    def test_everything_from_data_is_escaped(self):
        runs = [run | {"task.path": EVIL if run["train.seed"] == "1" else "</script><b>"} for run in learning_rate_runs()]
        write_results(self.folder, runs, title=EVIL, description=EVIL, claims=[a_claim(EVIL, "holds", text=EVIL, note=EVIL, required=EVIL)])
        rows = read_rows(self.folder / "runs.csv")
        rows[0]["note"] = EVIL
        write_csv(self.folder / "runs.csv", list(rows[0]), rows)
        page = self.page()
        self.assertNotIn("<img src=x", page.replace(json.dumps(EVIL), ""))
        self.assertGreaterEqual(page.count(html.escape(EVIL)), 6)  # title twice, description, claim, note, configuration ...
        self.assertNotIn("</script><b>", page)
        names = {trace.get("name", "") for chart in charts_of(page) for trace in chart["data"]}
        self.assertTrue(any("&lt;img" in name for name in names), names)

    def test_a_value_cannot_end_the_script_it_stands_in(self):
        write_results(self.folder, [{"model.cell": "rnn", "task.path": path} for path in ("</script><script>alert(1)</script>", "b")])
        page = self.page()
        self.assertNotIn("alert(1)</script>", page)
        self.assertIn("</script><script>alert(1)</script>", {trace["meta"] for trace in charts_of(page)[0]["data"]})

    def test_the_page_needs_no_other_file_and_no_network(self):
        write_results(self.folder, quickstart_runs())
        page = self.page()
        self.assertIn("Plotly", page)
        self.assertEqual(re.findall(r"<script[^>]*src|<link[^>]*href=\"(?!data:)|@import|url\(", without_scripts(page)), [])
        self.assertEqual([file.name for file in self.folder.iterdir() if "report" in file.name], ["report.html"])

    def test_arms_panels_and_colours(self):
        write_results(self.folder, quickstart_runs())
        page = self.page()
        self.assertEqual(re.findall(r"<h4>(.*?)</h4>", page)[:3], ["rnn · tanh", "rnn · relu", "lstm · tanh"])
        first = charts_of(page)[0]
        self.assertEqual(list(means(first)), [f"rnn · tanh · recurrent gain {gain}" for gain in ("0.5", "1", "1.5")])
        self.assertEqual(len({trace["line"]["color"] for trace in first["data"]}), 3)
        self.assertEqual(first["layout"]["yaxis"]["title"]["text"], "log10 ‖∂L/∂h<sub>t</sub>‖ (loss per unit)")

    def test_weight_scales_are_in_the_order_of_numbers(self):
        write_results(self.folder, [{"model.cell": "rnn", "init.recurrent.gain": gain} for gain in ("10", "9", "0.5", "1e-3")])
        keys = re.findall(r'data-key="(.*?)"', self.page())
        self.assertEqual(keys[:4], ["1e-3", "0.5", "9", "10"])

    def test_an_arm_without_the_weight_scale_is_grey_and_first(self):
        write_results(self.folder, [{"model.cell": "rnn", "init.recurrent.gain": gain} for gain in ("2", "", "1")])
        keys = re.findall(r'data-key="(.*?)"><i style="background:(.*?)"', self.page())
        self.assertEqual(keys[:3], [("", "#7d8590"), ("1", "#3a62d0"), ("2", "#e59b13")])

    def test_gradients_are_drawn_against_the_lag(self):
        write_results(self.folder, quickstart_runs()[:1])
        rows = [row for row in read_rows(self.folder / "timesteps.csv") if row["update"] == "0"]
        trace = charts_of(self.page())[0]["data"][0]
        by_lag = {27 - int(row["t"]): float(row["log10_dh"]) for row in rows}
        self.assertEqual(trace["x"], list(range(28)))
        for x, y in zip(trace["x"], trace["y"]):
            self.assertLess(abs(y - by_lag[x]), 1e-4)  # six digits are drawn

    def test_mean_and_interval_over_seeds(self):
        write_results(self.folder, [run for run in learning_rate_runs() if run["train.learning_rate"] == "0.001"])
        rows = [row for row in read_rows(self.folder / "runs.csv") if row["model.activation"] == "tanh"]
        values = [float(row["test_accuracy"]) for row in rows]
        mean, (low, high) = statistics.mean(values), logit_interval(values)
        page = self.page()
        self.assertIn(f"<td>{mean:.4g} <small>[{low:.4g}, {high:.4g}]</small></td>", page)
        accuracy = next(c for c in charts_of(page) if c["layout"]["yaxis"]["title"]["text"] == "validation accuracy (share)")
        seeds, band, line = accuracy["data"][:3]
        last = [float(row["validation_accuracy"]) for row in rows]
        self.assertLess(abs(line["y"][-1] - statistics.mean(last)), 1e-5)
        middle = len(band["y"]) // 2
        self.assertLess(abs(band["y"][middle - 1] - logit_interval(last)[1]), 1e-5)
        self.assertLess(abs(band["y"][middle] - logit_interval(last)[0]), 1e-5)
        self.assertEqual(seeds["y"].count(None), 3)

    def test_each_arm_is_compared_at_its_best_learning_rate_by_validation_loss(self):
        runs = learning_rate_runs()
        write_results(self.folder, runs)
        rows = read_rows(self.folder / "runs.csv")
        for row in rows:  # relu: the validation loss prefers 0.01, the test data 0.0003
            if row["model.activation"] == "relu":
                row["validation_loss"] = {"0.01": "0.1", "0.001": "0.2", "0.0003": "0.3"}[row["train.learning_rate"]]
                row["test_loss"] = {"0.01": "9", "0.001": "8", "0.0003": "0.01"}[row["train.learning_rate"]]
        write_csv(self.folder / "runs.csv", list(rows[0]), rows)
        table = re.search(r"Test data choose nothing.*?<table>(.*?)</table>", self.page(), re.S)[1]
        chosen = re.findall(r"<tr><td>(\w+)</td><td>([\d.]+)</td><td>3</td>", table)
        self.assertEqual(chosen, [("tanh", "0.001"), ("relu", "0.01"), ("sigmoid", "0.001")])

    def test_a_learning_rate_at_which_a_run_diverged_is_not_the_best(self):
        runs = learning_rate_runs()
        write_results(self.folder, runs, diverged=[3])  # tanh at 0.001, the best otherwise
        page = self.page()
        best, every = page[page.index("Test data choose nothing"):].split("Every arm at every learning rate", 1)
        self.assertRegex(best, r"<tr><td>tanh</td><td>0.0003</td><td>3</td><td>3 completed</td>")
        self.assertRegex(every, r"<tr><td>tanh</td><td>0.001</td><td>3</td><td>2 completed, 1 diverged</td>")

    def test_nothing_is_hidden(self):
        write_results(self.folder, quickstart_runs(), diverged=[5])
        page = self.page()
        notes = page[page.index("Runs that diverged, failed or carry a note"):page.index("Where the time went")]
        self.assertIn("1000000000000005", notes)
        self.assertIn("train_loss=inf at update 200", notes)
        self.assertIn("<code>log10_dh=-inf</code> (3×)", notes)
        self.assertEqual(len(re.findall("<tr>", notes)), 2)
        self.assertIn("3 of 252 values are absent", page)
        relu = means(charts_of(page)[1])["rnn · relu · recurrent gain 1.5"]
        self.assertEqual(relu["y"][-3:], [None, None, None])  # lag 27, 26, 25: a gap, not a bridge

    def test_an_arm_without_any_value_is_named(self):
        write_results(self.folder, quickstart_runs())
        page = self.page()
        self.assertIn("Without values, so not drawn: rnn · tanh, rnn · relu.", page)  # they have no cell state

    def test_claims_with_verdicts(self):
        one_run = {"estimate": 0.123, "low": "", "high": "", "runs": 1, "required": "at least 0.5"}
        claims = [a_claim("first", "holds"), a_claim("second", "does not hold", **one_run)]
        write_results(self.folder, quickstart_runs(), claims=claims)
        page = without_scripts(self.page())
        self.assertIn("1 of 2 claims hold", page)
        items = re.findall(r'<li class="(\w+)"><span class="verdict">(.*?)</span> (.*?)<div class="facts">(.*?)</div>', page)
        self.assertEqual([item[:3] for item in items], [("holds", "holds", "The claim first in plain words."),
                                                        ("fails", "does not hold", "The claim second in plain words.")])
        self.assertIn("estimate <b>-0.11</b> [-0.2, -0.05] · required: at most 0", items[0][3])
        self.assertIn("estimate <b>0.123</b> · required: at least 0.5 · <code>runs.gradient_slope</code> · 1 run", items[1][3])

    def test_every_verdict_has_its_word_and_colour(self):
        words = ["holds", "fails", "inconclusive", "incomplete"]
        more = {"source": "Table 1 of <b>", "published": "0.5"}
        write_results(self.folder, quickstart_runs(), claims=[a_claim(f"c{word}", word) for word in words])
        path = self.folder / "claims.csv"
        rows = [row | more for row in read_rows(path)]
        write_csv(path, list(rows[0]), rows)
        page = without_scripts(self.page())
        self.assertEqual(re.findall(r'<li class="(\w+)"><span class="verdict">(.*?)</span>', page), [(word, word) for word in words])
        colours = {word: re.search(rf"\.{word} .verdict[^{{]*{{ color: (.*?);", page) for word in words[1:]}
        self.assertEqual(len({match[1] for match in colours.values()}), 3)
        self.assertIn("published: 0.5 · source: Table 1 of &lt;b&gt;", page)
        for word in words[2:]:
            self.assertIn(f'<span class="{word}">1 {word}</span>', page)
        self.assertIn("1 of 4 claims hold", page)

    def test_intervals_stay_where_their_quantity_can_be(self):
        write_results(self.folder, [run for run in learning_rate_runs() if run["train.learning_rate"] == "0.001"])
        for name in ("runs.csv", "curves.csv"):
            rows = read_rows(self.folder / name)
            for i, row in enumerate(rows):  # Student t on the values themselves leaves [0, 1] and goes below 0
                seed = i % 3 if name == "runs.csv" else i // (len(rows) // 9) % 3
                row["validation_accuracy"], row["validation_loss"] = [("0.99", "0.001"), ("1", "0.01"), ("0.7", "5")][seed]
            write_csv(self.folder / name, list(rows[0]), rows)
        page = self.page()
        for start, low, high in (("validation accuracy", 0, 1), ("validation loss", 0, math.inf)):
            charts = [chart for chart in charts_of(page) if chart["layout"]["yaxis"]["title"]["text"].startswith(start)]
            self.assertEqual(len(charts), 1)
            for band in (trace for trace in charts[0]["data"] if trace.get("fill")):
                self.assertEqual(len(band["y"]), 42)
                self.assertTrue(all(low < y < high for y in band["y"]), band["y"])
        mean = (0.99 + 1 + 0.7) / 3
        low, high = logit_interval([0.99, 1, 0.7])
        self.assertIn(f"<td>{mean:.4g} <small>[{low:.4g}, {high:.4g}]</small></td>", page)
        self.assertIn("Student t on the logit scale", page)
        self.assertIn("Student t on a logarithmic scale", page)

    def test_runs_of_one_seed_are_averaged_first(self):
        write_results(self.folder, learning_rate_runs()[:3])
        rows = read_rows(self.folder / "runs.csv")
        for row, seed, slope in zip(rows, "011", (-0.5, -0.1, -0.3)):
            row["train.seed"], row["gradient_slope"] = seed, slope
        write_csv(self.folder / "runs.csv", list(rows[0]), rows)
        half = 12.706205 * statistics.stdev([-0.5, -0.2]) / 2 ** 0.5  # two seeds, not three runs
        self.assertIn(f"<td>-0.35 <small>[{-0.35 - half:.4g}, {-0.35 + half:.4g}]</small></td>", self.page())

    def test_a_diverged_run_with_a_validation_loss_does_not_win(self):
        write_results(self.folder, learning_rate_runs())
        rows = read_rows(self.folder / "runs.csv")
        for row in rows:
            if row["train.learning_rate"] == "0.01" and row["train.seed"] == "1":
                row["outcome"], row["validation_loss"] = "diverged", "1e-9"
            elif row["train.learning_rate"] == "0.01":
                row["validation_loss"] = "1e-9"
        write_csv(self.folder / "runs.csv", list(rows[0]), rows)
        table = re.search(r"Test data choose nothing.*?<table>(.*?)</table>", self.page(), re.S)[1]
        self.assertEqual(re.findall(r"<tr><td>(\w+)</td><td>([\d.]+)</td><td>3</td>", table),
                         [("tanh", "0.001"), ("relu", "0.001"), ("sigmoid", "0.001")])

    def test_of_equal_rates_the_first_of_the_grid_is_the_best(self):
        write_results(self.folder, learning_rate_runs())
        rows = read_rows(self.folder / "runs.csv")
        for row in rows:
            row["validation_loss"] = {"tanh": "0.5", "relu": "", "sigmoid": "0.25"}[row["model.activation"]]
        write_csv(self.folder / "runs.csv", list(rows[0]), rows)
        table = re.search(r"Test data choose nothing.*?<table>(.*?)</table>", self.page(), re.S)[1]
        self.assertEqual(re.findall(r"<tr><td>(\w+)</td><td>([\d.]+)</td><td>3</td>", table),
                         [("tanh", "0.0003"), ("relu", "0.0003"), ("sigmoid", "0.0003")])

    def test_the_summary_has_only_the_keys_that_tell_arms_apart(self):
        keys = [f"model.key{i}" for i in range(20)]
        runs = [{"model.cell": cell, "train.seed": seed} | {key: f"{cell}{i}" for i, key in enumerate(keys)}
                for cell in ("rnn", "lstm", "gru") for seed in "01"]
        write_results(self.folder, runs)
        page = self.page()
        table = re.search(r"<h2>Summary</h2>.*?<table>(.*?)</table>", page, re.S)[1]
        self.assertEqual(re.findall(r"<th [^>]*>(.*?)</th>", table)[:4], ["model.cell", "runs", "outcomes", "validation accuracy"])
        self.assertIn("<code>model.key19</code>", page)

    def test_slope_against_weight_scale_with_theory_where_it_applies(self):
        write_results(self.folder, quickstart_runs())
        self.assertEqual(means(charts_of(self.page())[-1])["theory"]["y"], [-0.30103, 0.0, 0.176091])
        runs = quickstart_runs()
        runs.append(runs[0] | {"init.recurrent.scheme": "normal", "init.recurrent.gain": ""})  # beside the scales: not in this chart
        write_results(self.folder, runs)
        self.assertIn("theory", means(charts_of(self.page())[-1]))
        runs[0]["init.recurrent.scheme"] = "normal"
        write_results(self.folder, runs)
        self.assertNotIn("theory", means(charts_of(self.page())[-1]))

    def test_column_meanings_are_tooltips(self):
        write_results(self.folder, quickstart_runs())
        self.assertIn('<th title="meaning of test_accuracy [share]">test accuracy</th>', self.page())

    def test_long_sequences_are_thinned_with_both_ends_kept(self):
        write_results(self.folder, quickstart_runs()[:1])
        rows = [{"run_id": "1000000000000000", "update": 0, "layer": 0, "t": t, "log10_dh": -0.5 * (9999 - t)} for t in range(10000)]
        write_csv(self.folder / "timesteps.csv", list(rows[0]), rows)
        trace = charts_of(self.page())[0]["data"][0]
        self.assertLessEqual(len(trace["x"]), 402)
        self.assertEqual((trace["x"][0], trace["x"][-1], trace["y"][-1]), (0, 9999, -4999.5))

    def test_student_t_quantiles(self):
        from intervals import student_t  # reference values: Abramowitz & Stegun, table 26.10
        for df, t in [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (30, 2.042), (120, 1.980)]:
            self.assertLess(abs(student_t(df) - t), 6e-4, df)

    def test_a_net_without_time_shows_its_layers_and_outputs(self):
        write_results(self.folder, quickstart_runs()[:2])
        write_csv(self.folder / "timesteps.csv", TABLES["timesteps"], [])  # as a feed-forward net leaves it
        runs = [run["run_id"] for run in read_rows(self.folder / "runs.csv")]
        values = [(0, "test", "recall", "0", 0.125), (9, "validation", "accuracy", "", 0.0625), (9, "test", "accuracy", "", 0.75),
                  (9, "test", "recall", "0", 0.5), (9, "test", "recall", "1", 0.25)]
        rows = [dict(zip(TABLES["metrics"], (run, *row))) | {"class_name": "Bag" if row[3] == "1" else ""}
                for run in runs for row in values]
        write_csv(self.folder / "metrics.csv", [*TABLES["metrics"], "class_name"], rows)
        layers = [{"run_id": run, "update": 0, "layer": layer, "activation_std": 0.5, "log10_gradient": -layer, "log10_weight_gradient": -1}
                  for run in runs for layer in (0, 1, 2)]
        write_csv(self.folder / "layers.csv", TABLES["layers"], layers)
        page = self.page()
        for heading in ("Weight gradient by layer", "Signal by layer", "Activations by layer"):
            self.assertTrue(f"<h3>{heading}, before training</h3>" in page, heading)
        outputs = re.search(r"<h2>Outputs</h2>.*?</section>", page, re.S)[0]
        self.assertIn("least recall", outputs)
        self.assertIn("<th title=\"\">Bag</th>", outputs)
        cells = re.findall(r"<td>(.*?)</td>", outputs.split("Recall by class")[0])
        self.assertTrue({"0.75", "0.25"} <= {re.sub(" <small>.*", "", cell) for cell in cells}, cells)
        self.assertFalse({"0.125", "0.0625", "0.5"} & set(cells), cells)


class Faults(ReportTest):
    def test_only_runs_csv_is_needed(self):
        run = {"run_id": "1", "model.cell": "rnn", "outcome": "failed", "note": "disk"}
        write_csv(self.folder / "runs.csv", ["run_id", "model.cell", *RUN_COLUMNS], [run])
        page = self.page()
        self.assertIn("1 failed", page)
        self.assertIn(self.folder.name, re.search("<h1>(.*?)</h1>", page)[1])

    def test_missing_optional_files_leave_only_their_sections_out(self):
        write_results(self.folder, quickstart_runs(), timings=False)
        (self.folder / "layers.csv").unlink()
        page = without_scripts(self.page())
        for title, there in [("Claims", False), ("Where the time went", False), ("By layer", False), ("Learning", True)]:
            self.assertEqual(f"<h2>{title}</h2>" in page, there, title)

    def test_no_runs(self):
        self.refused("runs.csv", "No such file")
        for text in ["", "run_id,outcome\n", "a,b\n1,2\n"]:
            (self.folder / "runs.csv").write_text(text)
            self.refused("runs.csv")
        (self.folder / "runs.csv").write_bytes(b"run_id,outcome\n\xff\xfe,completed\n")
        self.refused("runs.csv")

    def test_damaged_files_are_named(self):
        for name, text in [("curves.csv", "run_id,update,train_loss\n1,0,abc\n"), ("timesteps.csv", 'run_id,update\n"1,0\n'),
                           ("datapackage.json", "{"), ("config.toml", "title = "), ("claims.csv", "claim\n1,2,3,4\n5,6\n")]:
            with self.subTest(name):
                write_results(self.folder, quickstart_runs()[:2])
                (self.folder / name).write_text(text)
                self.refused(name)

    def test_an_old_page_survives_a_fault(self):
        write_results(self.folder, quickstart_runs()[:2])
        (self.folder / "report.html").write_text("old")
        (self.folder / "runs.csv").write_text("")
        self.assertEqual(self.refused("runs.csv"), "old")

    def test_a_run_that_stands_twice_and_files_that_are_none(self):
        write_results(self.folder, quickstart_runs()[:2])
        (self.folder / "datapackage.json").write_text('{"resources": [3]}')
        self.refused("datapackage.json", "not a data package")
        write_results(self.folder, quickstart_runs()[:2])
        (self.folder / "layers.csv").unlink()
        os.mkfifo(self.folder / "layers.csv")
        self.refused("layers.csv", "not a regular file")
        (self.folder / "layers.csv").unlink()
        rows = read_rows(self.folder / "runs.csv")
        write_csv(self.folder / "runs.csv", list(rows[0]), [*rows, rows[0]])
        self.refused("runs.csv", rows[0]["run_id"], "twice")

    def test_a_page_that_cannot_be_written(self):
        write_results(self.folder, quickstart_runs()[:2])
        (self.folder / "report.html").mkdir()
        self.refused("report.html")
        self.assertEqual([file.name for file in self.folder.iterdir() if file.name.startswith(".")], [])

    def test_wrong_usage(self):
        done = subprocess.run([sys.executable, ROOT / "scripts/report"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage", done.stderr)


if __name__ == "__main__":
    unittest.main()
