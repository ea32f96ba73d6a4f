"""`vpoint report` as a user meets it: what it runs, where it writes, and its numbers against pandas' own calculation from the CSV files of
real sweeps. usage: report_test.py VPOINT [unittest arguments]"""
import html
import json
import math
import os
import re
import resource
import shutil
import subprocess
import sys

import pandas as pd
import program
from program import Vpoint

T = {2: 12.706205, 3: 4.302653, 4: 3.182446}  # 97.5 % quantile of Student's t for the mean of so many values
CELLS = """
name = "cells"
[task]
name = "adding"
length = 10
validation_samples = 100
test_samples = 100
[model]
hidden = 4
[train]
batch = 8
updates = 20
evaluate_every = 5
[[grid]]
model.cell = ["rnn"]
train.seed = [0, 1, 2]
[[grid]]
model.cell = ["lstm"]
init.bias.forget_gate = [1.0]
train.seed = [0, 1, 2]
[[grid]]
model.cell = ["gru"]
train.seed = [0, 1, 2]
"""
STOPPING = """
name = "stopping"
[task]
name = "adding"
length = 10
form = "le2015"
validation_samples = 200
test_samples = 100
[model]
hidden = 16
[train]
batch = 32
updates = 600
evaluate_every = 50
learning_rate = 0.02
stop_at = 0.5
[grid]
model.cell = ["rnn", "gru"]
train.seed = [0, 1, 2, 3]
"""
RATES = """
name = "rates"
[task]
name = "adding"
length = 10
validation_samples = 100
test_samples = 100
[model]
hidden = 8
activation = "relu"
[init]
scheme = "orthogonal"
[train]
optimizer = "sgd"
batch = 16
updates = 60
evaluate_every = 5
[grid]
train.learning_rate = [0.02, 0.3, 0.5, 1.0]
train.seed = [0, 1, 2, 3]
[[claim]]
name = "best"
text = "The best rate."
metric = "runs.validation_loss"
best_over = ["train.learning_rate"]
relation = "at_most"
value = 1
"""
# A loss of every kind, by the options of the task; forms with a target at every step leave no metrics.csv.
REGRESSIONS = ["task.name=adding task.length=6", "task.name=multiplication task.length=6", "task.name=adding_resets task.length=6",
               "task.name=adding_resets task.length=6 model.form=many_to_many", "task.name=running_sum model.form=many_to_many",
               "task.name=running_sum model.form=many_to_many task.inputs=bits", "task.name=parentheses model.form=many_to_many",
               "task.name=parentheses", "task.name=echo model.form=many_to_many", "task.name=sine model.form=stateful",
               "task.name=wave model.form=one_to_many"]
CLASSES = ["task.name=parity task.length=6", "task.name=parity model.form=many_to_many", "task.name=temporal_order",
           "task.name=echo model.form=many_to_many task.inputs=bits", "task.name=copy model.form=many_to_many",
           "task.name=negation model.embedding=4", "task.name=two_sequence", "task.name=reber model.form=many_to_many", "task.name=spirals model.kind=mlp"]


class Report(Vpoint):
    def sweep(self, out, text, *arguments, code=0):
        """The experiment run into the directory `out`."""
        file = self.write(f"{out}.toml", text)
        done = self.vpoint("run", file, "--out", out, "--quiet", *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        return self.dir / out

    def report(self, out, *arguments, **more):
        """The page that `vpoint report` writes."""
        page = self.dir / (arguments[arguments.index("--out") + 1] if "--out" in arguments else f"{out}/report.html")
        page.unlink(missing_ok=True)
        done = self.vpoint("report", out, *arguments, **more)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return page.read_text(encoding="utf-8")

    def table(self, out, name):
        """A result file; one that is joined with runs.csv has its keys and outcome too."""
        folder = self.dir / out
        runs = pd.read_csv(folder / "runs.csv", dtype={"run_id": str}, float_precision="round_trip")
        if name == "runs":
            return runs
        rows = pd.read_csv(folder / f"{name}.csv", dtype={"run_id": str}, float_precision="round_trip")
        return rows.merge(runs[["run_id", "outcome", *(c for c in runs if "." in c)]], on="run_id")


def charts_of(page):
    """The charts by the text of their y axis and the heading of their panel."""
    charts = json.loads(re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.S)[1])
    headings = {chart: html.unescape(text) for text, chart in re.findall(r'<div class="panel">(?:<h4>(.*?)</h4>)?<div id="(.*?)"', page)}
    return [(chart["layout"]["yaxis"]["title"]["text"], headings.get(chart["id"], ""), chart["data"]) for chart in charts]


def lines_of(page, y_title, panel=""):
    """The mean lines of a chart by name, each with the band that stands before it (None for a single run)."""
    data = next(data for title, heading, data in charts_of(page) if title.startswith(y_title) and heading == panel)
    return {trace["name"]: (trace, data[i - 1] if i and data[i - 1].get("fill") == "toself" else None)
            for i, trace in enumerate(data) if "name" in trace}


def summary_of(page):
    """The rows of the summary table, cells by heading, without the tags in them."""
    text = re.search(r"<h2>Summary</h2>.*?<table>(.*?)</table>", page, re.S)[1]
    heads = [html.unescape(head) for head in re.findall(r"<th [^>]*>(.*?)</th>", text)]
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", text)[1:]]
    return [dict(zip(heads, (html.unescape(re.sub(r"<.*?>", "", cell)) for cell in row))) for row in rows]


def linear(mean, std, n):
    return mean - T[n] * std / math.sqrt(n), mean + T[n] * std / math.sqrt(n)


def logarithmic(mean, std, n):
    factor = math.exp(T[n] * std / math.sqrt(n) / mean)
    return mean / factor, mean * factor


def logistic(mean, std, n):
    def share(x):
        return 1 / (1 + math.exp(-x))
    center, half = math.log(mean / (1 - mean)), T[n] * std / math.sqrt(n) / (mean * (1 - mean))
    return share(center - half), share(center + half)


class Isolation(Report):
    def setUp(self):
        super().setUp()
        self.sweep("small", program.EXPERIMENT.replace("updates = 120", "updates = 2").replace("every = 60", "every = 0"))

    def assert_nothing_ran(self, **more):
        page = self.report("small", **more)
        self.assertIn("</html>", page)
        self.assertFalse((self.dir / "executed").exists())

    def trap(self, path):
        self.write(path, f"open({str(self.dir / 'executed')!r}, 'w').close()\nraise ImportError('of another Python')\n")

    def test_modules_of_the_current_and_the_result_directory_are_not_executed(self):
        for name in ("random", "html", "json", "types", "token", "pandas", "calendar", "plotly", "sitecustomize", "argparse", "errno"):
            self.trap(f"{name}.py")
            self.trap(f"small/{name}.py")
        self.assert_nothing_ran()

    def test_the_environment_names_no_modules(self):
        for name in ("pandas/__init__", "sitecustomize", "usercustomize", "json"):
            self.trap(f"path/{name}.py")
        self.trap("startup.py")
        home = self.dir / "home"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        for name in ("usercustomize.py", "pandas.py"):
            self.trap(f"home/.local/lib/{version}/site-packages/{name}")
        self.write(f"home/.local/lib/{version}/site-packages/a.pth", f"import os; open({str(self.dir / 'executed')!r}, 'w').close()\n")
        for more in ({"PYTHONPATH": str(self.dir / "path")}, {"PYTHONHOME": str(self.dir / "path")},
                     {"PYTHONUSERBASE": str(home / ".local")}, {"PYTHONSTARTUP": str(self.dir / "startup.py")}, {"HOME": str(home)}, {"PYTHONINSPECT": "1", "PYTHONSAFEPATH": ""}):
            with self.subTest(more):
                self.assert_nothing_ran(env=os.environ | more)

    def test_another_python_is_named_by_its_absolute_path(self):
        self.refused(2, "VPOINT_PYTHON", "absolute path", args=("report", "small"), env=os.environ | {"VPOINT_PYTHON": "python3"})
        self.refused(3, "/nowhere/python3", "No such file", "setup.sh", args=("report", "small"),
                     env=os.environ | {"VPOINT_PYTHON": "/nowhere/python3"})
        done = self.refused(3, "ended with code 1", args=("report", "small"), env=os.environ | {"VPOINT_PYTHON": "/bin/false"})
        self.assertNotIn("setup.sh", done.stderr)
        self.report("small", env=os.environ | {"VPOINT_PYTHON": sys.executable})

    def test_a_python_without_packages_is_named_with_what_it_lacks(self):
        subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", self.dir / "venv"], check=True)
        python = self.dir / "venv/bin/python3"
        self.refused(3, f"{python} lacks pandas and lacks plotly", f"{python} -m pip install pandas plotly", args=("report", "small"),
                     env=os.environ | {"VPOINT_PYTHON": str(python)})
        packages = next((self.dir / "venv/lib").iterdir()) / "site-packages"
        self.write(packages / "pandas.py", "raise ValueError('numpy of another version')\n")
        self.refused(3, "cannot load pandas: numpy of another version and lacks plotly", args=("report", "small"),
                     env=os.environ | {"VPOINT_PYTHON": str(python)})


class Places(Report):
    def anybody(self):
        """How to start a program as somebody whom permissions bind: root is not."""
        return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}

    def test_read_only_results(self):
        folder = self.sweep("small", program.EXPERIMENT.replace("updates = 120", "updates = 2"))
        program_copy = self.dir / "vpoint"
        shutil.copy(program.VPOINT, program_copy)
        (self.dir / "own").mkdir()
        for path, mode in ((self.dir, 0o755), (self.dir / "own", 0o777), (folder, 0o555)):
            path.chmod(mode)
        self.addCleanup(folder.chmod, 0o755)
        before = sorted(path.name for path in folder.iterdir())
        start = {"capture_output": True, "text": True, "cwd": self.dir, "timeout": 300} | self.anybody()
        refused = subprocess.run([program_copy, "report", "small"], **start)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("small/report.html: Permission denied; --out FILE writes the page elsewhere", refused.stderr)
        self.assertNotIn("setup.sh", refused.stderr)
        done = subprocess.run([program_copy, "report", "small", "--out", "own/page.html"], **start)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "own/page.html\n", ""))
        page = (self.dir / "own/page.html").read_text()
        self.assertIn("The gradient falls.", page)
        self.assertIn("1 of 1 claims hold", page)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), before)
        self.assertEqual([path.name for path in (self.dir / "own").iterdir()], ["page.html"])

    def test_the_page_is_written_whole_or_not_at_all(self):
        folder = self.sweep("small", program.EXPERIMENT.replace("updates = 120", "updates = 2"))
        (folder / "report.html").write_text("old")
        limit = 1 << 20  # a disk that is full after so many bytes: the page is larger, nothing else is
        self.refused(3, "report.html: File too large", args=("report", "small"),
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertEqual((folder / "report.html").read_text(), "old")
        self.assertEqual([path.name for path in folder.iterdir() if path.name.startswith(".report")], [])
        self.refused(3, "small: not a regular file", args=("report", "small", "--out", "small"))
        self.refused(3, "/dev/null: not a regular file", args=("report", "small", "--out", "/dev/null"))
        self.refused(3, "nowhere/page.html: No such file", args=("report", "small", "--out", "nowhere/page.html"))

    def test_faults_name_the_users_file(self):
        folder = self.sweep("small", program.EXPERIMENT.replace("updates = 120", "updates = 2"))
        (folder / "curves.csv").write_text("run_id,update,train_loss\n1,0,abc\n")
        self.refused(3, folder / "curves.csv", args=("report", "small"))
        self.assertEqual([name for name in os.listdir(self.dir) if name.startswith("vpoint-report")], [])

    def test_nothing_is_left_behind(self):
        self.sweep("small", program.EXPERIMENT.replace("updates = 120", "updates = 2"))
        (self.dir / "tmp").mkdir()
        self.report("small", env=os.environ | {"TMPDIR": str(self.dir / "tmp")})
        self.assertEqual(os.listdir(self.dir / "tmp"), [])
        self.refused(3, "nowhere", "TMPDIR", args=("report", "small"), env=os.environ | {"TMPDIR": str(self.dir / "nowhere")})

    def test_a_sweep_that_is_not_finished(self):
        self.refused(3, "no config.toml", args=("report", "cells"))
        folder = self.sweep("cells", CELLS, "--shard", "1/2")
        before = sorted(path.name for path in folder.iterdir())
        self.assertNotIn("runs.csv", before)
        page = self.report("cells")
        self.assertIn("<span class=\"fails\">5 of 9 runs</span>", page)
        self.assertIn("5 of 9 runs are there", page)
        self.assertEqual(sorted(path.name for path in folder.iterdir()), sorted([*before, "report.html"]))
        self.vpoint("merge", "cells")
        losses = self.table("cells", "runs").groupby("model.cell")["validation_loss"].mean()
        for row in summary_of(page):
            self.assertEqual(row["validation loss"].split(" ")[0], f"{losses[row['model.cell']]:.4g}")
        self.sweep("cells", CELLS, "--shard", "2/2")
        (folder / "runs.csv").write_text("\n".join((folder / "runs.csv").read_text().splitlines()[:-2]) + "\n")  # as an older merge left it
        self.assertIn("<span>9 runs</span>", self.report("cells"))
        for bundle in (folder / "runs").iterdir():
            bundle.unlink()
        self.assertIn("<span class=\"fails\">7 of 9 runs</span>", self.report("cells"))  # no bundles: the files as they are
        (folder / "runs.csv").unlink()
        self.refused(3, "none of its 9 runs has finished", args=("report", "cells"))


class Truth(Report):
    def assert_line(self, trace, band, expected, interval, n):
        """expected: one row per x with mean and standard deviation over n seeds, from pandas."""
        self.assertEqual(trace["x"], list(expected.index))
        for y, mean in zip(trace["y"], expected["mean"]):
            self.assertTrue(math.isclose(y, mean, rel_tol=2e-5, abs_tol=1e-12), (y, mean))
        low_high = [interval(mean, std, n) for mean, std in zip(expected["mean"], expected["std"])]
        half = len(band["y"]) // 2
        self.assertEqual(half, len(expected))
        for y, (low, high) in zip(zip(band["y"][:half - 1:-1], band["y"][:half]), low_high):
            self.assertTrue(math.isclose(y[0], low, rel_tol=1e-4, abs_tol=1e-9) and math.isclose(y[1], high, rel_tol=1e-4), (y, low, high))

    def test_three_cells_are_one_chart_of_three_lines(self):
        self.sweep("cells", CELLS)
        page = self.report("cells")
        curves, steps = self.table("cells", "curves"), self.table("cells", "timesteps")
        for title, column, interval in [("validation accuracy (share)", "validation_accuracy", logistic),
                                        ("validation loss (squared error)", "validation_loss", logarithmic),
                                        ("train loss (squared error)", "train_loss", logarithmic)]:
            self.assertEqual([heading for y, heading, _ in charts_of(page) if y == title], [""], title)
            lines = lines_of(page, title)
            self.assertEqual(list(lines), ["rnn", "lstm", "gru"])
            for cell, (trace, band) in lines.items():
                values = curves[curves["model.cell"] == cell].groupby("update")[column].agg(["mean", "std"])
                if column != "validation_accuracy":
                    self.assert_line(trace, band, values, interval, 3)
                self.assertTrue(all(math.isclose(y, mean, rel_tol=2e-5, abs_tol=1e-9) for y, mean in zip(trace["y"], values["mean"])))
        first = steps[steps["update"] == 0].assign(lag=lambda rows: rows["t"].max() - rows["t"])
        for cell, (trace, band) in lines_of(page, "log10 ‖∂L/∂h").items():
            self.assert_line(trace, band, first[first["model.cell"] == cell].groupby("lag")["log10_dh"].agg(["mean", "std"]), linear, 3)
        rows, runs = summary_of(page), self.table("cells", "runs")
        self.assertEqual(list(rows[0])[:3], ["model.cell", "runs", "outcomes"])  # the measured columns come next
        for row in rows:
            mean, std = runs[runs["model.cell"] == row["model.cell"]]["test_loss"].agg(["mean", "std"])
            low, high = logarithmic(mean, std, 3)
            self.assertEqual(row["test loss"], f"{mean:.4g} [{low:.4g}, {high:.4g}]")
            self.assertEqual(row["loss unit"], "squared error")
        self.assertNotIn("layer norm", re.sub(r"<script.*?</script>|<details>.*?</details>", "", page, flags=re.S))
        self.assertIn("<code>init.bias.forget_gate</code>", page)  # it follows from the cell, and is said to

    def test_a_run_that_solved_early_keeps_its_last_value_in_the_mean(self):
        self.sweep("stopping", STOPPING)
        page = self.report("stopping")
        curves = self.table("stopping", "curves")
        solved = curves[(curves["outcome"] == "solved") & (curves["model.cell"] == "gru")]
        self.assertGreater(solved.groupby("run_id")["update"].max().nunique(), 1, "seeds must stop at different updates")
        for title, column, interval in [("validation accuracy", "validation_accuracy", logistic),
                                        ("validation loss", "validation_loss", logarithmic)]:
            trace, band = lines_of(page, title)["gru"]
            kept = solved.pivot(index="update", columns="run_id", values=column).ffill()  # every gru run of it solved
            self.assertEqual(kept.shape[1], 4)
            if (kept > 0).all(axis=None):
                self.assert_line(trace, band, pd.DataFrame({"mean": kept.mean(axis=1), "std": kept.std(axis=1)}), interval, 4)
            self.assertTrue(all(math.isclose(y, mean, rel_tol=2e-5) for y, mean in zip(trace["y"], kept.mean(axis=1))))
            survivors, all_seeds = solved.groupby("update")[column].mean().iloc[-1], kept.mean(axis=1).iloc[-1]
            self.assertGreater(abs(survivors / all_seeds - 1), 0.01)
        self.assertIn("a run that met its stopping rule keeps its last value", page)

    def test_a_diverged_run_ends_the_mean_and_does_not_win(self):
        self.sweep("rates", RATES)
        page = self.report("rates")
        runs = self.table("rates", "runs")
        diverged = runs[runs["outcome"] == "diverged"]
        self.assertEqual(set(diverged["train.learning_rate"]), {0.5}, "the sweep must have a rate at which one seed diverges")
        means = runs[runs["outcome"] == "completed"].groupby("train.learning_rate")["validation_loss"].mean()
        self.assertEqual(means.idxmin(), 0.5, "and that would win by its other seeds")
        claims = json.loads(self.vpoint("check", "rates", "--json").stdout)
        chosen = re.search(r"train.learning_rate = ([\d.]+)", claims[0]["note"])[1]
        rows = summary_of(page)
        self.assertEqual([row["train.learning_rate"] for row in rows], [chosen])
        self.assertEqual(float(chosen), means.drop(0.5).idxmin())
        self.assertIn("1 diverged", page)
        every = page[page.index("Every arm at every learning rate"):]
        mean = runs[runs["train.learning_rate"] == 0.5]["validation_loss"].mean()
        self.assertRegex(every, rf"<td>0.5</td><td>4</td><td>3 completed, 1 diverged</td>.*?{mean:.4g} <small>\[[^<]*\] \(3 of 4 runs\)")
        self.sweep("half", RATES.replace('"rates"', '"half"').replace("[0.02, 0.3, 0.5, 1.0]", "[0.5]"))
        page = self.report("half")
        curves = self.table("half", "curves")
        trace, band = lines_of(page, "validation loss")["all runs"]
        last = curves[curves["outcome"] == "diverged"]["update"].max()
        everywhere = curves.groupby("update")["validation_loss"].agg(["mean", "std", "count"])
        there = everywhere[everywhere["count"] == 4]
        drawn = [(x, y) for x, y in zip(trace["x"], trace["y"]) if y is not None]
        self.assertTrue(drawn and all(x <= last for x, _ in drawn), drawn)
        self.assertEqual([x for x, _ in drawn], list(there.index))
        self.assertIn("Where a run diverged, the mean of its arm ends", page)

    def test_an_unset_key_has_a_name(self):
        self.sweep("unset", CELLS.replace('"cells"', '"unset"').replace("[1.0]", "[1.0, 3.0]"))
        page = self.report("unset")
        panels = [(title, panel) for title, panel, _ in charts_of(page) if title.startswith("validation loss")]
        names = {name for title, panel in panels for name in lines_of(page, title, panel)}
        self.assertEqual(names, {"rnn · bias forget gate unset", "gru · bias forget gate unset", "lstm · bias forget gate 1",
                                 "lstm · bias forget gate 3"})
        self.assertIn("</i>unset</button>", page)
        self.assertEqual({row["init.bias.forget_gate"] for row in summary_of(page)}, {"unset", "1", "3"})

    def test_a_loss_says_its_kind(self):
        for tasks, kind in ((REGRESSIONS, "squared error"), (CLASSES, "nats")):
            for number, task in enumerate(tasks):
                with self.subTest(task):
                    small = ["model.hidden=4", "train.updates=1", "train.batch=4"]
                    self.sweep(f"task{number}", 'name = "kinds"\ntask.name = "adding"', *small, *task.split(), "--fresh")
                    titles = [title for title, _, _ in charts_of(self.report(f"task{number}")) if re.match(r"\w+ loss \(", title)]
                    self.assertEqual(titles, [f"validation loss ({kind})", f"train loss ({kind})"])

    def test_two_kinds_of_loss_share_no_axis(self):
        text = ('name = "two"\ntrain.updates = 2\ntrain.batch = 4\nmodel.hidden = 4\ntask.length = 6\n'
                'grid.task.name = ["adding", "parity"]\n')
        self.sweep("two", text)
        page = self.report("two")
        for name, kind in (("adding", "squared error"), ("parity", "nats")):
            self.assertEqual(list(lines_of(page, f"validation loss ({kind})")), [name])

    def test_text_of_the_user_is_text(self):
        evil = "</script><script>document.title = 'x'</script>"
        rows = "".join(f"{label},{x}\n" for label, x in [(0, 1), (1, 2)] * 20)
        for name in ("<b>1.csv", "<b>2.csv"):
            self.write(name, "label,x\n" + rows)
        claim = f'[[claim]]\nname = "c"\ntext = "{evil}"\nmetric = "runs.validation_loss"\nrelation = "at_least"\nvalue = 0\n'
        text = (f'name = "evil"\ntitle = "{evil}"\ndescription = "{evil}"\ntask.name = "csv_rows"\nmodel.kind = "mlp"\nmodel.hidden = 2\n'
                f'train.updates = 1\ntrain.batch = 4\n[grid]\ntask.path = ["<b>1.csv", "<b>2.csv"]\n{claim}')
        self.sweep("evil", text)
        page = self.report("evil")
        self.assertNotIn(evil, page)
        self.assertNotIn("<b>1.csv", page)
        self.assertGreaterEqual(page.count(html.escape(evil)), 4)  # title twice, description, claim, configuration
        self.assertIn("&lt;b&gt;1.csv", page)


if __name__ == "__main__":
    program.main()
