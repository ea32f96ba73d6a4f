"""Claims as a user meets them: verdicts, exit codes, what is checked before the first run.
usage: claims_test.py VPOINT [unittest arguments]"""
import csv
import json
import os
import shutil
import stat
import subprocess

import program
from program import EXPERIMENT, Vpoint


class Claims(Vpoint):
    def verdicts(self, out, code):
        done = self.vpoint("check", out, "--json")
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def only(self, out, code):
        (claim,) = self.verdicts(out, code)
        return claim

    def claims_csv(self, out):
        with open(self.dir / out / "claims.csv", newline="") as file:
            return list(csv.DictReader(file))


class Verdicts(Claims):
    def test_holds_and_fails(self):
        self.run_ok("out")
        claim = self.only("out", 0)
        self.assertEqual((claim["verdict"], claim["holds"], claim["note"]), ("holds", True, "2 seeds (2 runs)"))
        self.toml = self.write("small.toml", EXPERIMENT.replace("value = 0\n", "value = -5\n"))
        self.run_ok("out")
        claim = self.only("out", 1)
        self.assertEqual((claim["verdict"], claim["holds"]), ("fails", False))
        self.assertEqual([row["verdict"] for row in self.claims_csv("out")], ["fails"])

    # Slopes of seeds differ, so a bound between them is straddled by the interval of two seeds, and by that of one seed if it had one.
    def test_inconclusive(self):
        self.run_ok("first")
        estimate = self.only("first", 0)["estimate"]
        self.toml = self.write("small.toml", EXPERIMENT.replace("value = 0\n", f'value = {estimate}\nby = "interval"\n'))
        self.run_ok("two")
        self.assertEqual(self.only("two", 1)["verdict"], "inconclusive")
        self.run_ok("one", "train.seed=0")
        claim = self.only("one", 1)
        self.assertEqual((claim["verdict"], claim["low"], claim["high"]), ("inconclusive", None, None))
        self.assertIn("1 seed (1 run); no interval: 1 independent value, 2 needed", claim["note"])

    # Two gains of one seed are one observation; as runs they are two.
    def test_runs_of_one_seed_are_no_sample(self):
        claim = EXPERIMENT.replace(", init.recurrent.gain = 0.5 }", " }").replace("value = 0\n", "value = 5\n")
        self.toml = self.write("small.toml", claim)
        self.run_ok("seed", "train.seed=3")
        one = self.only("seed", 0)
        self.assertEqual((one["runs"], one["low"]), (2, None))
        self.assertIn("1 seed (2 runs)", one["note"])
        self.toml = self.write("small.toml", claim.replace("value = 5\n", 'value = 5\nunit = "run"\n'))
        self.run_ok("run", "train.seed=3")
        by_run = self.only("run", 0)
        self.assertIsNotNone(by_run["low"])
        self.assertEqual(by_run["estimate"], one["estimate"])

    def test_source_and_published(self):
        self.toml = self.write("small.toml", EXPERIMENT + 'source = "Hochreiter 1991, eq. 3"\npublished = "below 0"\n')
        self.run_ok("out")
        text = self.vpoint("check", "out").stdout
        self.assertRegex(text, "(?m)^ +source: Hochreiter 1991, eq. 3$")
        self.assertRegex(text, "(?m)^ +published: below 0$")
        row = self.claims_csv("out")[0]
        self.assertEqual((row["source"], row["published"]), ("Hochreiter 1991, eq. 3", "below 0"))
        claim = self.only("out", 0)
        self.assertEqual((claim["source"], claim["published"]), ("Hochreiter 1991, eq. 3", "below 0"))


class Incomplete(Claims):
    def test_missing_runs(self):
        self.assertEqual(self.vpoint("run", self.toml, "--shard", "1/4", "--out", "out", "--quiet").returncode, 0)
        self.assertEqual(self.vpoint("merge", "out").returncode, 75)
        claim = self.only("out", 1)
        self.assertEqual((claim["verdict"], claim["holds"], claim["runs"]), ("incomplete", False, 1))
        self.assertIn("6 of 8 runs are missing (", claim["note"])
        row = self.claims_csv("out")[0]
        self.assertEqual(row["verdict"], "incomplete")
        self.assertIn("6 of 8 runs are missing (", row["note"])
        self.assertRegex(self.vpoint("check", "out").stdout, "^incomplete ")

    def test_a_group_of_missing_runs(self):
        self.assertEqual(self.vpoint("run", self.toml, "--shard", "8/8", "--out", "out", "--quiet").returncode, 0)
        self.vpoint("merge", "out")
        claim = self.only("out", 1)
        self.assertEqual((claim["verdict"], claim["runs"], claim["estimate"]), ("incomplete", 0, None))

    def test_unless_the_claim_allows_it(self):
        self.toml = self.write("small.toml", EXPERIMENT + "allow_incomplete = true\n")
        self.assertEqual(self.vpoint("run", self.toml, "--shard", "1/4", "--out", "out", "--quiet").returncode, 0)
        self.vpoint("merge", "out")
        claim = self.only("out", 0)
        self.assertEqual(claim["verdict"], "holds")
        self.assertIn("6 of 8 runs are missing (", claim["note"])

    # The CSV files of four runs, the bundles of eight; or rows that are not those of the bundle.
    def test_stale_tables(self):
        self.run_ok("out", "train.seed=0")
        old = (self.dir / "out" / "runs.csv").read_bytes()
        new = self.run_ok("out")
        (self.dir / "out" / "runs.csv").write_bytes(old)
        claim = self.only("out", 1)
        self.assertEqual(claim["verdict"], "incomplete")
        self.assertIn("4 of 8 runs are stale (", claim["note"])
        self.assertIn("vpoint merge", claim["note"])
        (self.dir / "out" / "runs.csv").write_bytes(new["runs.csv"].replace(b",completed,", b",completed,1", 1))
        self.assertIn("1 of 8 runs is stale (", self.only("out", 1)["note"])
        self.assertEqual(self.vpoint("merge", "out").returncode, 0)
        self.assertEqual(self.only("out", 0)["verdict"], "holds")

    def test_never_merged(self):
        self.run_ok("out")
        (self.dir / "out" / "runs.csv").unlink()
        claim = self.only("out", 1)
        self.assertEqual(claim["verdict"], "incomplete")
        self.assertIn("8 of 8 runs are stale (", claim["note"])

    # The metric's own file is of before, runs.csv is not.
    def test_stale_curves(self):
        claim = EXPERIMENT.replace("runs.gradient_slope", "curves.train_loss").replace("value = 0\n", "value = 9\n")
        self.toml = self.write("small.toml", claim)
        self.run_ok("out", "train.seed=0")
        old = (self.dir / "out" / "curves.csv").read_bytes()
        self.run_ok("out")
        self.assertEqual(self.only("out", 0)["verdict"], "holds")
        (self.dir / "out" / "curves.csv").write_bytes(old)
        claim = self.only("out", 1)
        self.assertEqual(claim["verdict"], "incomplete")
        self.assertIn("4 of 8 runs are stale (", claim["note"])


class ReadOnly(Claims):
    def check_as_nobody(self, out, *args):
        for path in [self.dir, *(self.dir / out).rglob("*")]:
            os.chmod(path, 0o755 if path.is_dir() else 0o644)
        os.chmod(self.dir / out, 0o555)
        self.addCleanup(os.chmod, self.dir / out, 0o755)
        as_nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        shutil.copy(program.VPOINT, self.dir / "vpoint")
        command = [str(self.dir / "vpoint"), "check", out, *args]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.dir, timeout=60, **as_nobody)

    def test_verdicts_are_printed_all_the_same(self):
        self.run_ok("out")
        done = self.check_as_nobody("out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("holds", done.stdout)
        self.assertIn("claims.csv was not written", done.stderr)
        self.assertFalse((self.dir / "out" / "claims.csv").exists())
        self.assertTrue(json.loads(self.check_as_nobody("out", "--json").stdout)[0]["holds"])

    def test_the_verdict_decides_the_exit_code(self):
        self.toml = self.write("small.toml", EXPERIMENT.replace("value = 0\n", "value = -5\n"))
        self.run_ok("out")
        done = self.check_as_nobody("out")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("fails", done.stdout)

    # A damaged bundle cannot be set aside there; its run is missing.
    def test_damaged_bundle(self):
        self.run_ok("out")
        bundle = next((self.dir / "out" / "runs").glob("*.run"))
        bundle.write_bytes(bundle.read_bytes()[:-40])
        os.chmod(self.dir / "out" / "runs", stat.S_IRUSR | stat.S_IXUSR)
        done = self.check_as_nobody("out", "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(json.loads(done.stdout)[0]["verdict"], "incomplete")


class BeforeTheFirstRun(Claims):
    CASES = [("gradient_slope", "gradient_slop", ":25:10: ", "gradient_slope"), ("runs.gradient", "rums.gradient", ":25:10: ", "runs"),
             ("runs.gradient_slope", "runs.outcome", ":25:10: ", "numbers"), ("gain = 0.5 }", "gain = 7 }", ":26:53: ", "0.5, 1.5"),
             ('"rnn", init.rec', '"rn", init.rec', ":26:24: ", "did you mean rnn"),
             ("{ model.cell", "{ model.sell", ":26:17: ", "model.cell"),
             ("value = 0\n", "value = 0\nuint = 1\n", ":29:1: ", "unit")]

    def test_mistakes_are_refused_with_their_place(self):
        for old, new, place, part in self.CASES:
            toml = self.write("small.toml", EXPERIMENT.replace(old, new))
            for more in ([], ["--dry-run"], ["train.updates=3"]):
                with self.subTest(new, more=more):
                    self.refused(2, f"small.toml{place}", part, args=["run", toml, "--out", "out", *more])
                    self.assertFalse((self.dir / "out").exists())

    # Not a mistake of the file: its claim is about runs that the command line took away.
    def test_a_narrowed_grid_runs_and_the_claim_is_incomplete(self):
        done = self.vpoint("run", self.toml, "model.cell=lstm", "--out", "out", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('no run of the grid has model.cell = "rnn"', done.stderr)
        claim = self.only("out", 1)
        self.assertEqual((claim["verdict"], claim["runs"]), ("incomplete", 0))
        self.assertIn('model.cell = "lstm" instead of ["rnn", "lstm"]', claim["note"])
        again = self.vpoint("run", "out/config.toml", "--out", "again", "--quiet")  # the file that vpoint wrote itself is no mistake either
        self.assertEqual(again.returncode, 0, again.stderr)

    def test_a_mistake_is_none_of_the_command_line(self):
        toml = self.write("small.toml", EXPERIMENT.replace("gain = 0.5 }", "gain = 7 }"))
        self.refused(2, "small.toml:26:53", args=["run", toml, "model.cell=rnn", "--dry-run"])

    # Claims are compared with the file as written, too: it is read once all the same.
    def test_the_file_may_be_a_pipe(self):
        done = self.vpoint("run", "/dev/stdin", "model.cell=lstm", "--dry-run", input=EXPERIMENT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("/dev/stdin:26:24: ", done.stderr)
        wrong = self.vpoint("run", "/dev/stdin", "model.cell=lstm", "--dry-run", input=EXPERIMENT.replace("gain = 0.5 }", "gain = 7 }"))
        self.assertEqual(wrong.returncode, 2, wrong.stderr)

    def test_every_claim_key_is_listed(self):
        listed = json.loads(self.vpoint("list", "claims", "--json").stdout)
        names = [item["name"] for item in listed]
        for key in ("name", "metric", "where", "against", "unit", "by", "allow_incomplete", "source", "published", "best_over"):
            self.assertIn(key, names)
        self.assertTrue(all(item["description"] for item in listed))
        self.assertIn("curves", listed[names.index("metric")]["description"])
        for name in names:
            self.assertIn(f"\n{name} ", "\n" + self.vpoint("list", "claims").stdout)


class Overrides(Claims):
    def test_are_said_beside_the_verdict(self):
        self.run_ok("out", "train.updates=60")
        text = self.vpoint("check", "out").stdout
        self.assertIn("note: 2 seeds (2 runs); changed on the command line: train.updates = 60 instead of 120", text)
        self.assertIn("train.updates = 60 instead of 120", self.claims_csv("out")[0]["note"])

    def test_more_or_other_seeds_are_no_change(self):
        self.run_ok("more", "train.seed=0..2")
        self.assertEqual(self.only("more", 0)["note"], "3 seeds (3 runs)")
        self.run_ok("other", "train.seed=10,11")
        self.assertEqual(self.only("other", 0)["note"], "2 seeds (2 runs)")
        self.run_ok("fewer", "train.seed=0")
        self.assertIn("train.seed = 0 instead of [0, 1]", self.only("fewer", 0)["note"])

    def test_short_words_for_the_engine_count_too(self):
        self.run_ok("out", "--precision", "f64")
        self.assertIn('run.precision = "f64" instead of "f32"', self.only("out", 0)["note"])


if __name__ == "__main__":
    program.main()
