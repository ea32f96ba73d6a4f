"""The program as a user meets it: exit codes, messages, same bytes whatever happens. usage: vpoint_test.py VPOINT [unittest arguments]"""
import csv
import gzip
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import time

import program
from program import EXPERIMENT, RESULTS, Vpoint


class SameBytes(Vpoint):
    def test_threads_shards_and_overrides(self):
        expected = self.run_ok("one", "--threads", 1)
        self.assertEqual(expected["runs.csv"].count(b"\n"), 9)
        for threads in (2, 8):
            self.assertEqual(self.run_ok(f"threads{threads}", "--threads", threads), expected)
        for shard in ("2/3", "1/3", "3/3"):
            done = self.vpoint("run", self.toml, "--out", "sharded", "--shard", shard)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({name: (self.dir / "sharded" / name).read_bytes() for name in RESULTS}, expected)
        self.run_ok("grown", "train.seed=0")
        self.assertEqual(self.run_ok("grown"), expected)

    def test_kill_and_resume(self):
        expected = self.run_ok("whole")
        chance = random.Random(4)
        for attempt in range(10):
            child = subprocess.Popen([program.VPOINT, "run", self.toml, "--out", "killed", "--quiet"], cwd=self.dir)
            time.sleep(chance.uniform(0.0, 0.25))
            child.send_signal(signal.SIGKILL)
            child.wait()
            if attempt % 3 == 2:  # now and then, it gets to the end
                self.assertEqual(self.run_ok("killed"), expected)
                shutil.rmtree(self.dir / "killed")
        self.assertEqual(self.run_ok("killed"), expected)

    def test_damaged_bundles_are_done_again(self):
        expected = self.run_ok("out")
        bundles = sorted((self.dir / "out" / "runs").glob("*.run"))
        bundles[0].write_bytes(bundles[0].read_bytes()[:-40])
        bundles[1].write_bytes(bundles[1].read_bytes().replace(b"0", b"1", 1))
        bundles[2].unlink()
        done = self.vpoint("run", self.toml, "--out", "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("warning"), 2, done.stderr)
        self.assertEqual({name: (self.dir / "out" / name).read_bytes() for name in RESULTS}, expected)

    def test_interrupt_is_resumable(self):
        child = subprocess.Popen([program.VPOINT, "run", self.toml, "train.updates=100000", "--out", "long"], cwd=self.dir,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        said, _ = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 75)
        self.assertRegex(said, r"^small: 0 of 8 runs finished \(0 now\), 0 completed, .*; interrupted")
        self.assertEqual(self.vpoint("status", "long").returncode, 75)
        self.assertEqual(json.loads(self.vpoint("status", "long", "--json").stdout)["finished"], 0)


class BadInput(Vpoint):
    def test_configuration(self):
        cases = [
            ("train.learning_rat = 1", ["learning_rat", "train.learning_rate", ":3:"]),
            ('model.hidden = "many"', ["model.hidden", "many"]),
            ("model.hidden = -3", ["model.hidden", "-3"]),
            ('model.cell = "lsmt"', ["lsmt", "lstm"]),
            ("init.bias.forget_gate = 1", ["forget_gate", "rnn"]),
            ("task.legnth = 5", ["legnth", "task.length"]),
            ("grid.train.seed = []", ["train.seed"]),
            ('run.precision = "f64"\nrun.backend = "onednn"', ["f64", "onednn", "reference"]),
            ("train.updates = ", [":3:"]),
            ('model.activation = "expr: x*tahn(x)"', [":3:20:", "column 9", "tanh"]),
            ('model.activation = "expr: 1/(x-0.3)"', [":3:20:", "x = 0.3", "slope"]),
        ]
        for line, parts in cases:
            toml = self.write("bad.toml", 'name = "bad"\ntask.name = "adding"\n' + line + "\n")
            self.refused(2, "bad.toml", *parts, args=["run", toml, "--out", "bad"])
            self.assertFalse((self.dir / "bad").exists(), line)

    def test_command_line(self):
        self.refused(2, "hidde", "model.hidden", args=["run", self.toml, "model.hidde=3"])
        self.refused(2, "rum", "run", args=["rum", self.toml])
        self.refused(2, "--shard", args=["run", self.toml, "--shard", "4/3"])
        self.refused(2, "train.batch", args=["run", self.toml, "task.name=csv", "task.path=x.csv", "train.batch=0"])
        self.refused(3, "missing.toml", args=["run", "missing.toml"])
        self.refused(3, "nowhere", "config.toml", args=["status", "nowhere"])
        self.refused(2, "celsl", "cells", args=["list", "celsl"])

    def test_shards(self):
        for shard in ("0/4", "5/4", "1/0", "-1/4", "1/4x", "x1/4", "1", "1/", "/4", "1/-4", "1 /4", "99999999999999999999/4"):
            self.refused(2, "--shard", "1/4", args=("run", self.toml, "--out", "x", f"--shard={shard}"))
        self.assertFalse((self.dir / "x").exists())

    def test_image_files(self):
        source = pathlib.Path("/usr/share/datasets/fashion-mnist")
        def directory(name, **changes):
            folder = self.dir / name
            folder.mkdir()
            for file in source.glob("*.gz"):
                (folder / file.name).symlink_to(file)
            for file, data in changes.items():
                path = folder / (file + "-ubyte.gz")
                path.unlink()
                if data is not None:
                    path.write_bytes(data)
            return folder
        labels = gzip.compress(struct.pack(">II", 0x801, 3) + bytes(3))
        images = (source / "t10k-images-idx3-ubyte.gz").read_bytes()
        toml = self.write("mnist.toml", 'name = "mnist"\ntask.name = "fashion_mnist"\ntrain.updates = 1\n')
        cases = {
            "missing": ({"t10k-labels-idx1": None}, "t10k-labels"),
            "truncated": ({"t10k-images-idx3": images[:100000]}, "t10k-images"),
            "not_gzip": ({"t10k-labels-idx1": b"hello"}, "t10k-labels"),
            "wrong_size": ({"t10k-labels-idx1": labels}, "t10k"),
        }
        for name, (changes, part) in cases.items():
            folder = directory(name, **{k: v for k, v in changes.items()})
            self.refused(3, part, name, args=["run", toml, f"task.path={folder}", "--out", "mnist"])
            self.assertFalse((self.dir / "mnist").exists())

    def test_csv_files(self):
        good = "sequence,step,x,target\n" + "".join(f"{s},{t},{s % 3}.5,{s % 2}\n" for s in range(60) for t in range(4))
        toml = self.write("csv.toml", 'name = "csv"\ntask.name = "csv"\ntask.path = "data.csv"\ntrain.updates = 3\ntrain.batch = 8\n')
        self.write("data.csv", good)
        self.assertEqual(self.vpoint("run", toml, "--out", "fine").returncode, 0)
        plain = self.read_results("fine")
        self.write("data.csv", ("\ufeff" + good).replace("\n", "\r\n"))
        self.assertEqual(self.vpoint("run", toml, "--out", "crlf").returncode, 0)
        self.assertEqual(self.read_results("crlf"), plain)
        bad = {
            "ragged": (good.replace("3,1,0.5,1", "3,1,0.5"), "data.csv:15"),
            "text": (good.replace("3,1,0.5,1", "3,1,abc,1"), "data.csv:15"),
            "nan": (good.replace("3,1,0.5,1", "3,1,nan,1"), "data.csv:15"),
            "missing_step": (good.replace("3,1,0.5,1\n", ""), "step"),
            "open_quote": (good.replace("3,1,0.5,1", '3,1,"0.5,1', 1), "data.csv:15"),
            "no_rows": ("sequence,step,x,target\n", "no rows"),
            "empty": ("", "data.csv"),
        }
        for name, (text, part) in bad.items():
            self.write("data.csv", text)
            with self.subTest(name):
                self.refused(3, "data.csv", part, args=["run", toml, "--out", "bad"])
                self.assertFalse((self.dir / "bad").exists())

    def read_results(self, out):
        return [(self.dir / out / name).read_bytes() for name in RESULTS]


class Directories(Vpoint):
    def test_another_experiments_results_stay(self):
        before = self.run_ok("out")
        other = self.write("other.toml", EXPERIMENT.replace('"small"', '"other"'))
        self.refused(2, "small", "--out", args=["run", other, "--out", "out"])
        self.refused(2, "--fresh", args=["run", self.toml, "model.hidden=5", "--out", "out"])
        self.assertEqual({name: (self.dir / "out" / name).read_bytes() for name in RESULTS}, before)
        self.assertEqual(self.vpoint("run", self.toml, "model.hidden=5", "--out", "out", "--fresh").returncode, 0)

    def test_unusable_directories(self):
        self.write("file", "x")
        self.refused(3, "file", "--out", args=["run", self.toml, "--out", "file"])
        self.refused(3, "/proc/nothing", "--out", args=["run", self.toml, "--out", "/proc/nothing"])

    def test_full_disk_loses_nothing(self):
        self.run_ok("out", "train.seed=0")
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
        done = self.vpoint("run", self.toml, "--out", "out", "--quiet", preexec_fn=small_files)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual([p.name for p in (self.dir / "out").rglob("*tmp*")], [])
        self.assertEqual(self.run_ok("out"), self.run_ok("again"))

    def test_two_at_once(self):
        first = subprocess.Popen([program.VPOINT, "run", self.toml, "train.updates=100000", "--out", "out", "--quiet"], cwd=self.dir)
        time.sleep(1)
        self.refused(3, str(first.pid), os.uname().nodename, args=["run", self.toml, "train.updates=100000", "--out", "out"])
        first.kill()
        first.wait()
        self.assertEqual(self.vpoint("run", self.toml, "--out", "out", "--fresh", "--quiet").returncode, 0)  # the dead one's lock is taken over


class Verify(Vpoint):
    def names(self, what):
        return [item["name"] for item in json.loads(self.vpoint("list", what, "--json").stdout)]

    def test_table(self):
        done = self.vpoint("verify", "--threads", "1,3")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for subject in [f"cell {c}" for c in self.names("cells")] + [
                f"activation {a}" for a in self.names("activations") if re.fullmatch("[a-z_]+", a)]:
            self.assertRegex(done.stdout, rf"(?m)^  {subject} +[0-9]+ +[0-9.e-]+  ok$")
        for subject in [f"cell {c} on {b}" for c in self.names("cells") for b in ("onednn", "native", "reference")]:
            self.assertRegex(done.stdout, rf"(?m)^  {subject} ")
        self.assertRegex(done.stdout, r"(?m)^  activation expr: .+  ok$")
        self.assertIn("instruction_set", done.stdout)
        self.assertRegex(done.stdout, r"verify: all [0-9]+ rows hold")
        self.assertNotIn("WRONG", done.stdout)
        self.assertNotIn("\x1b", done.stdout)  # not a terminal
        self.assertIn("checks", done.stderr)

    def test_json_on_the_least_instruction_set(self):
        version = self.vpoint("--version").stdout
        isa = ["--isa", "AVX2"] if "AVX" in version else []
        done = self.vpoint("verify", "--json", "--quiet", *isa)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        verdict = json.loads(done.stdout)
        self.assertTrue(verdict["holds"])
        self.assertEqual(verdict["threads"], [1, 2, 8])
        if isa:
            self.assertTrue(verdict["machine"]["instruction_set"].startswith("AVX2/avx2"), verdict["machine"])
        self.assertTrue(all(row["holds"] and row["worst"] <= 1 and row["fault"] == "" for row in verdict["checks"]))

    def test_bad_arguments(self):
        self.refused(2, "AVX9", "AVX", args=["verify", "--isa", "AVX9"])
        self.refused(2, "threads", args=["verify", "--threads", "0"])


class Commands(Vpoint):
    def test_check_status_and_merge(self):
        self.run_ok("out")
        done = self.vpoint("check", "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("holds", done.stdout)
        self.assertTrue((self.dir / "out" / "claims.csv").read_text().startswith("claim,text,metric"))
        self.assertEqual(self.vpoint("status", "out").returncode, 0)
        next((self.dir / "out" / "runs").glob("*.run")).unlink()
        self.assertEqual(self.vpoint("merge", "out").returncode, 75)
        self.assertEqual((self.dir / "out" / "runs.csv").read_text().count("\n"), 8)

    def test_lists(self):
        for what in ("models", "cells", "forms", "activations", "inits", "optimizers", "tasks", "keys", "claims"):
            self.assertGreater(len(json.loads(self.vpoint("list", what, "--json").stdout)), 1)
        names = [e["name"] for e in json.loads(self.vpoint("list", "experiments", "--json").stdout)]
        self.assertTrue(any(n.endswith("quickstart.toml") for n in names))

    def test_dry_run_writes_nothing(self):
        done = self.vpoint("run", self.toml, "--dry-run", "--out", "dry")
        self.assertEqual(done.stdout.count("\n"), 10)
        self.assertRegex(done.stdout, r"memory: up to [0-9.]+ MiB a run")
        self.assertFalse((self.dir / "dry").exists())
        done = self.vpoint("run", self.toml, "--dry-run", "model.cell=rnn", "model.activation=expr: max(x, 0.1*x)")
        self.assertIn("note: expr: max(x, 0.1*x): its slope jumps at x = 0 from 0.1 to 1 (0.1 there)", done.stdout)


class Lengths(Vpoint):
    def test_samples_that_end_are_no_vanishing_gradient(self):
        """A linear orthogonal recurrence changes no norm: the slope is zero, however many samples have ended."""
        settings = ["run.precision=f64", "model.activation=linear", "init.recurrent.scheme=orthogonal", "model.hidden=8", "train.batch=60",
                    "train.updates=1", "task.validation_samples=2", "task.test_samples=2", "probe.loss_at=last"]
        for task in (["embedded_reber"], ["embedded_reber", "model.form=many_to_many"], ["negation", "model.embedding=4"]):
            self.write("linear.toml", f'name = "linear"\ntask.name = "{task[0]}"\n')
            done = self.vpoint("run", "linear.toml", *settings, *task[1:], "--out", "linear", "--quiet", "--fresh")
            self.assertEqual(done.returncode, 0, done.stderr)
            run, = csv.DictReader((self.dir / "linear/runs.csv").read_text().splitlines())
            for name in ("gradient_slope", "gradient_slope_low", "gradient_slope_high"):
                self.assertAlmostEqual(float(run[name]), 0, delta=1e-12, msg=task)
            self.assertEqual(run["note"], "")


if __name__ == "__main__":
    program.main()
