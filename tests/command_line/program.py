"""The program under test, and an experiment of eight runs. Test files of this room take it from here."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

VPOINT = ""
RESULTS = ["runs.csv", "curves.csv", "timesteps.csv", "layers.csv", "spectra.csv", "traces.csv", "metrics.csv",
           "classes.csv", "predictions.csv"]  # none hangs on the clock
EXPERIMENT = """
name = "small"
[task]
name = "adding"
length = 12
validation_samples = 50
test_samples = 50
[model]
hidden = 12
[train]
batch = 40
shard_rows = 8
updates = 120
save_predictions = true
evaluate_every = 40
[probe]
every = 60
[grid]
model.cell = ["rnn", "lstm"]
init.recurrent.gain = [0.5, 1.5]
train.seed = [0, 1]
[[claim]]
name = "falls"
text = "The gradient falls."
metric = "runs.gradient_slope"
where = { model.cell = "rnn", init.recurrent.gain = 0.5 }
relation = "at_most"
value = 0
"""


class Vpoint(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="vpoint-test-"))
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.toml = self.write("small.toml", EXPERIMENT)

    def write(self, name, text):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def vpoint(self, *args, **kwargs):
        return subprocess.run([VPOINT, *map(str, args)], capture_output=True, text=True, cwd=self.dir, timeout=300, **kwargs)

    def run_ok(self, out, *args):
        done = self.vpoint("run", self.toml, "--out", out, "--quiet", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {name: (self.dir / out / name).read_bytes() for name in RESULTS}

    def refused(self, code, *parts, args, **kwargs):
        done = self.vpoint(*args, **kwargs)
        self.assertEqual(done.returncode, code, done.stderr)
        for part in parts:
            self.assertIn(str(part), done.stderr)
        self.assertEqual(done.stderr.count("vpoint: "), 1, done.stderr)
        return done


def main():
    """usage: X_test.py VPOINT [unittest arguments]"""
    global VPOINT
    VPOINT = os.path.abspath(sys.argv.pop(1))
    unittest.main()
