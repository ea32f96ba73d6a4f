"""The user's own CSV files, as the program reads and names them. usage: own_data_test.py VPOINT [unittest arguments]"""
import csv
import gzip
import math

import program
from program import Vpoint

ROWS = """
name = "rows"
[task]
name = "csv_rows"
path = "data.csv"
[model]
kind = "mlp"
widths = [4]
[init]
scheme = "zeros"
[train]
batch = 4
updates = 0
"""
SEQUENCES = """
name = "sequences"
[task]
name = "csv"
path = "data.csv"
[model]
hidden = 3
[train]
batch = 4
updates = 2
"""


class OwnData(Vpoint):
    def run_on(self, experiment, text, *args, out="out", name="data.csv"):
        self.write(name, text)
        return self.vpoint("run", self.write("own.toml", experiment), "--out", out, "--quiet", *args)

    def rows(self, table, out="out"):
        with open(self.dir / out / table, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def good(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)

    def bad(self, done, *parts, code=3):
        self.assertEqual(done.returncode, code, done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)
        self.assertFalse((self.dir / "out").exists())


class Labels(OwnData):
    TEXT = "label,a\n" + "".join(f"{1 + i % 4},{i}\n" for i in range(80))

    def test_labels_from_1_are_as_many_classes(self):
        self.good(self.run_on(ROWS, self.TEXT))
        run, = self.rows("runs.csv")
        self.assertAlmostEqual(float(run["test_loss"]), math.log(4), places=6)
        classes = self.rows("classes.csv")
        self.assertEqual([row["class_name"] for row in classes], ["1", "2", "3", "4"])
        self.assertEqual([row["class"] for row in classes], ["0", "1", "2", "3"])
        self.assertEqual([sum(int(row[split]) for split in ("train", "validation", "test")) for row in classes], [20] * 4)
        recalls = {row["class"]: row["class_name"] for row in self.rows("metrics.csv") if row["metric"] == "recall"}
        self.assertEqual(recalls, {"0": "1", "1": "2", "2": "3", "3": "4"})
        self.assertEqual({row["class_name"] for row in self.rows("metrics.csv") if not row["class"]}, {""})

    def test_texts_a_list_and_what_is_in_one_set_only(self):
        text = "label,a\n" + "".join(f'{["cat", "dog"][i % 2]},{i}\n' for i in range(40))
        self.write("test.csv", "label,a\nemu,1\ncat,2\n")
        done = self.run_on(ROWS, text, "task.test_path=test.csv", "train.seed=0,1")
        self.good(done)
        note = 'a class occurs in the test set only: "emu"'
        self.assertEqual(done.stderr.count(note), 1, done.stderr)
        self.assertIn("warning: data.csv: " + note, done.stderr)
        for run in self.rows("runs.csv"):
            self.assertIn(note, run["note"])
        self.good(self.run_on(ROWS, text, "task.classes=[emu,dog,cat]", out="listed"))
        self.assertEqual([row["class_name"] for row in self.rows("classes.csv", "listed")], ["emu", "dog", "cat"])
        self.good(self.run_on(ROWS, text, "task.classes=['emu', \"dog\", cat]", "--dry-run"))
        done = self.run_on(ROWS, text, "task.classes=[dog,cow]", out="none")
        self.assertEqual(done.returncode, 3)
        self.assertIn('data.csv:2: label: "cat" is not among task.classes: "dog", "cow"', done.stderr)

    def test_the_resolved_file_makes_the_same_runs(self):
        text = "b,label,a\n" + "".join(f"x,{i % 3},{i}\n" for i in range(40))
        self.good(self.run_on(ROWS, text, "task.inputs=[a]", "task.classes=[2,1,0]"))
        done = self.vpoint("run", self.dir / "out" / "config.toml", "--out", "again", "--quiet")
        self.good(done)
        self.assertEqual(self.rows("runs.csv"), self.rows("runs.csv", "again"))
        self.assertEqual(self.rows("runs.csv")[0]["task.classes"], "2,1,0")

    def test_a_checkpoint_fits_classes_of_the_same_list(self):
        text = "label,a\n" + "".join(f"{i % 3},{i}\n" for i in range(60))
        self.good(self.run_on(ROWS, text, "train.save_checkpoint=true", "train.updates=2"))
        file, = (self.dir / "out" / "checkpoints").iterdir()
        args = [f"init.from_checkpoint={file}", "init.scheme=pytorch"]
        fewer = text.replace("\n2,", "\n1,")
        done = self.run_on(ROWS, fewer, *args, out="fewer")
        self.assertEqual(done.returncode, 3)
        self.assertIn("its readout has 3 outputs, the data 2 classes: list the classes it was trained on in task.classes", done.stderr)
        self.good(self.run_on(ROWS, fewer, *args, "task.classes=[0,1,2]", out="listed"))
        done = self.run_on(ROWS, text.replace("\n2,", "\n3,"), *args, out="others")
        self.good(done)
        self.assertIn('it was trained on the classes ["0", "1", "2"], and these are ["0", "1", "3"]', done.stderr)


class Numbers(OwnData):
    def test_double_precision_reads_doubles(self):
        text = "label,a\n" + "16777217,1\n" * 11
        self.good(self.run_on(ROWS, text, "task.target_kind=values", "run.precision=f64", "model.widths=[1]"))
        self.assertEqual(float(self.rows("runs.csv")[0]["validation_loss"]), 16777217**2)
        self.good(self.run_on(ROWS, text, "task.target_kind=values", "model.widths=[1]", out="single"))
        self.assertEqual(float(self.rows("runs.csv", "single")[0]["validation_loss"]), 16777216**2)

    def test_double_precision_trains_on_doubles(self):
        settings = ["task.target_kind=values", "train.updates=3", "init.scheme=pytorch"]
        losses = {}
        for precision in ("f64", "f32"):
            for x in ("0.1", "0.10000000149011612"):  # the second is the first in single precision
                out = f"{precision} {x}"
                self.good(self.run_on(ROWS, "label,a\n" + f"0,{x}\n" * 20, *settings, f"run.precision={precision}", out=out))
                losses[out] = self.rows("runs.csv", out)[0]["validation_loss"]
        self.assertEqual(losses["f32 0.1"], losses["f32 0.10000000149011612"])
        self.assertNotEqual(losses["f64 0.1"], losses["f64 0.10000000149011612"])


class Sequences(OwnData):
    TEXT = "sequence,step,x,target\n" + "".join(f"s{s},{t},{math.sin(s * 3 + t)},{s % 2}\n" for s in range(40) for t in range(3 + s % 3))

    def test_unequal_lengths(self):
        self.good(self.run_on(SEQUENCES, self.TEXT))
        self.assertEqual(self.rows("runs.csv")[0]["outcome"], "completed")
        self.assertEqual({row["t"] for row in self.rows("timesteps.csv")}, set("01234"))
        for form in ("many_to_many", "many_to_one"):
            for more in ("model.cell=lstm", "model.bidirectional=true", "model.layers=2", "run.precision=f64", "run.backend=native"):
                self.good(self.run_on(SEQUENCES, self.TEXT, f"model.form={form}", more, out=f"{form}{more}"))

    def test_models_without_lengths_say_so(self):
        mlp = SEQUENCES.replace("hidden = 3", 'kind = "mlp"')
        self.bad(self.run_on(mlp, self.TEXT), "lengths of their own", 'model.kind = "sequence"', code=2)
        self.bad(self.run_on(SEQUENCES, self.TEXT, "model.form=stateful"), "model.form", "many_to_many", code=2)
        self.bad(self.run_on(SEQUENCES, self.TEXT, "model.form=sequence_to_sequence"), "model.form", "many_to_one", code=2)

    def test_one_result_whatever_the_file_is_packed_in(self):
        self.good(self.run_on(SEQUENCES, self.TEXT))
        expected = [(self.dir / "out" / name).read_bytes() for name in program.RESULTS]
        for number, text in enumerate([gzip.compress(self.TEXT.encode()), self.TEXT.replace(",", ";"), self.TEXT.replace(",", "\t"),
                                       ("\ufeff" + self.TEXT).replace("\n", "\r\n") + "\r\n\r\n"]):
            with self.subTest(number):
                self.good(self.run_on(SEQUENCES, text, out=f"o{number}"))
                self.assertEqual([(self.dir / f"o{number}" / name).read_bytes() for name in program.RESULTS], expected)


class Messages(OwnData):
    def test_the_true_cause_and_a_remedy(self):
        good = Sequences.TEXT
        cases = {
            "german": (good.replace(",", ";").replace(".", ","), ["data.csv:2: x: ", "written with a comma"]),
            "pandas": ("," + "\n".join(f"{i}," * (i > 0) + line for i, line in enumerate(good.splitlines())) + "\n",
                       ["data.csv:1: column 1 has no name", "to_csv(index=False)"]),
            "text": ("\n".join(line + (",bob" if i else ",name") for i, line in enumerate(good.splitlines())),
                     ['data.csv:2: name: "bob"', 'task.ignore = ["name"]']),
            "date": ("\n".join(line + (",2020-01-01" if i else ",day") for i, line in enumerate(good.splitlines())),
                     ['data.csv:2: day: "2020-01-01"', 'task.ignore = ["day"]']),
            "truncated": (gzip.compress(good.encode())[:-20], ["data.csv: the gzip file is truncated"]),
            "tail": (gzip.compress(good.encode()) + b"tail", ["data.csv", "4 bytes behind its end"]),
            "utf16": (good.encode("utf-16"), ["data.csv:1:", "UTF-16", "UTF-8"]),
            "utf16_without_mark": (good.encode("utf-16-le"), ["data.csv:1:", "NUL", "UTF-16"]),
            "misspelt": (good.replace("sequence", "sequnce"), ['no column "sequence"; the file has "sequnce"', "task.sequence_column"]),
            "thousands": ('sequence,step,x,target\na,0,"1,234.5",1\nb,0,1,0\n', ["data.csv:2: x: ", "thousands separators"]),
            "quote": (good.replace("s3,1,", 's3,1,"', 1), ["data.csv:", "never closed"]),
            "twice": (good.replace("step,x", "x,x"), ['column "x" stands twice']),
        }
        for name, (text, parts) in cases.items():
            with self.subTest(name):
                self.bad(self.run_on(SEQUENCES, text), *parts)
        self.good(self.run_on(SEQUENCES, cases["text"][0], "task.ignore=[name]", out="ignored"))
        self.good(self.run_on(SEQUENCES, cases["text"][0], 'task.inputs=["x"]', out="chosen"))

    def test_lists_of_names(self):
        self.bad(self.run_on(SEQUENCES, Sequences.TEXT, "task.inputs=x"),
                 'task.inputs: expected a list of texts in brackets, as in ["a", "b"]', code=2)
        done = self.run_on(SEQUENCES, Sequences.TEXT, "task.inputs=[x],[step]")
        self.good(done)
        self.assertEqual([run["task.inputs"] for run in self.rows("runs.csv")], ["x", "step"])
        done = self.run_on(SEQUENCES.replace('path =', 'inputs = ["x", 1.5]\npath ='), Sequences.TEXT, out="bad")
        self.assertEqual(done.returncode, 2)
        self.assertIn("task.inputs: expected texts in the list, got 1.5", done.stderr)

    def test_ratings_of_0_and_1(self):
        sentiment = SEQUENCES.replace('"csv"', '"sentiment"').replace("hidden = 3", "hidden = 3\nembedding = 2")
        text = "id,rating,text\n" + "".join(f"{i},{i % 2},{['bad', 'good'][i % 2]} film\n" for i in range(60))
        self.bad(self.run_on(sentiment, text), "rating: the sign decides", "30 are positive, 30 are 0 and left out", "write -1 there",
                 code=2)


if __name__ == "__main__":
    program.main()
