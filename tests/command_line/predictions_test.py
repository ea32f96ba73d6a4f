"""predictions.csv and image directories as a user meets them. usage: predictions_test.py VPOINT [unittest arguments]"""
import collections
import csv
import json
import math
import random
import struct

import program
from program import Vpoint

TOML = """
name = "p"
[task]
name = "fashion_mnist"
path = "d"
[model]
kind = "mlp"
widths = [8]
[train]
batch = 16
updates = 40
learning_rate = 0.01
save_predictions = true
"""


class Images(Vpoint):
    def images(self, folder, labels, prefix="", test="t10k", ending="-idx{}-ubyte"):
        """240 training and 80 test images of 8 x 6 pixels; two bright rows tell the class, a place in `labels`."""
        chance = random.Random(1)
        for part, count in (("train", 240), (test, 80)):
            classes = [chance.randrange(len(labels)) for _ in range(count)]
            pixels = bytes(255 if row // 2 == c % 4 else chance.randrange(60) for c in classes for row in range(8) for _ in range(6))
            name = f"{folder}/{prefix}{part}-{{}}{ending}"
            self.write(name.format("images", 3), struct.pack(">IIII", 0x803, count, 8, 6) + pixels)
            self.write(name.format("labels", 1), struct.pack(">II", 0x801, count) + bytes(labels[c] for c in classes))

    def rows(self, out, table):
        with open(self.dir / out / f"{table}.csv", newline="") as file:
            return list(csv.DictReader(file))

    def run_toml(self, *args, text=TOML, out="o"):
        toml = self.write("p.toml", text)
        done = self.vpoint("run", toml, "--out", out, "--quiet", *args)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_labels_from_one(self):
        self.images("d", [1, 2, 3, 4])
        self.run_toml("init.scheme=zeros", "train.updates=0")
        self.assertAlmostEqual(float(self.rows("o", "runs")[0]["test_loss"]), math.log(4), places=6)
        first = self.rows("o", "predictions")[0]
        self.assertEqual((first["prediction"], first["prediction_name"], first["probability"]), ("0", "1", "0.25"))
        self.assertEqual(first["target_name"], str(int(first["target"]) + 1))

    def test_names_of_emnist_and_kaggle(self):
        for folder, settings in (("emnist", dict(prefix="emnist-letters-", test="test")), ("kaggle", dict(ending=".idx{}-ubyte"))):
            self.images(folder, [1, 2, 3, 4], **settings)
            self.run_toml(f"task.path={folder}", "train.updates=1", out=folder)
        self.assertEqual(self.rows("emnist", "predictions")[5]["target"], self.rows("kaggle", "predictions")[5]["target"])

    def test_agree_with_accuracy_of_every_run(self):
        self.images("d", [1, 2, 3, 4])
        self.run_toml("train.seed=0..2", "model.output=softmax,sigmoid")
        runs, rows = self.rows("o", "runs"), self.rows("o", "predictions")
        self.assertEqual(len(rows), 6 * (20 + 80))
        order = [row["run_id"] for row in rows]
        self.assertEqual(list(dict.fromkeys(order)), [run["run_id"] for run in runs])  # in grid order
        right = collections.defaultdict(list)
        for row in rows:
            right[row["run_id"], row["split"]].append(row["prediction"] == row["target"])
            self.assertEqual(int(row["prediction_name"]), int(row["prediction"]) + 1)
        for run in runs:
            for split in ("validation", "test"):
                share = sum(right[run["run_id"], split]) / len(right[run["run_id"], split])
                self.assertAlmostEqual(share, float(run[f"{split}_accuracy"]), places=14)
        self.assertGreater(max(float(run["test_accuracy"]) for run in runs), 0.9)
        validation = {row["sample"] for row in rows if row["split"] == "validation"}
        self.assertEqual(len(validation), 20)
        self.assertTrue(min(map(int, validation)) < 120)  # not a block at the end

    def test_a_table_of_the_data_package(self):
        self.images("d", [1, 2, 3, 4])
        self.run_toml("train.updates=1")
        package = json.loads((self.dir / "o" / "datapackage.json").read_text())
        table = next(resource for resource in package["resources"] if resource["name"] == "predictions")
        self.assertEqual([field["name"] for field in table["schema"]["fields"]], list(self.rows("o", "predictions")[0]))

    def test_of_a_diverged_run(self):
        self.images("d", [1, 2, 3, 4])
        self.run_toml("train.optimizer=sgd", "train.learning_rate=1e30", "model.activation=relu")
        self.assertEqual(self.rows("o", "runs")[0]["outcome"], "diverged")
        rows = self.rows("o", "predictions")
        self.assertEqual(len(rows), 100)
        self.assertEqual({(row["prediction"], row["prediction_name"], row["probability"], row["note"]) for row in rows},
                         {("", "", "", "diverged")})
        self.assertEqual({row["target_name"] for row in rows}, {"1", "2", "3", "4"})

    def test_names_of_csv_samples_and_classes(self):
        text = "id,label,x,y\n" + "".join(f"person {i},{('dog', 'cat', 'an owl')[i % 3]},{i % 3},{i % 7}\n" for i in range(90))
        self.write("rows.csv", text)
        for precision in ("f32", "f64"):
            toml = TOML.replace('"fashion_mnist"', '"csv_rows"').replace('"d"', '"rows.csv"\nid_column = "id"')
            self.run_toml(f"run.precision={precision}", text=toml, out=precision)
            rows = self.rows(precision, "predictions")
            self.assertEqual(len(rows), 18)
            for row in rows:
                number = int(row["sample"].removeprefix("person "))
                self.assertEqual(row["target_name"], ("dog", "cat", "an owl")[number % 3])
                self.assertEqual(row["target"], str(("an owl", "cat", "dog").index(row["target_name"])))
                self.assertEqual(row["prediction_name"], ("an owl", "cat", "dog")[int(row["prediction"])])

    def test_absent_unless_asked_for(self):
        self.images("d", [1, 2, 3, 4])
        self.run_toml("train.save_predictions=false", "train.updates=1")
        self.assertEqual(self.rows("o", "predictions"), [])

    def test_a_class_that_is_never_trained_on_is_said(self):
        self.images("d", [1, 2, 3, 4])
        labels = self.dir / "d" / "t10k-labels-idx1-ubyte"
        labels.write_bytes(labels.read_bytes()[:-1] + b"\x09")
        done = self.vpoint("run", self.write("p.toml", TOML), "--dry-run")
        self.assertIn('"9"', done.stdout + done.stderr)

    def test_too_many_rows(self):
        text = self.toml.read_text().replace("_samples = 50", "_samples = 6000000")
        self.refused(2, "train.save_predictions", "10000000", args=["run", self.write("many.toml", text), "--out", "many"])
        self.assertFalse((self.dir / "many").exists())


if __name__ == "__main__":
    program.main()
