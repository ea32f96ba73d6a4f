"""How many threads the program takes when nobody says. usage: processors_test.py VPOINT [unittest arguments]"""
import json
import os
import re

import program
from program import Vpoint

SLURM = "SLURM_CPUS_PER_TASK"


class Processors(Vpoint):
    def setUp(self):
        super().setUp()
        self.environment = {name: value for name, value in os.environ.items() if name != SLURM}
        self.one = min(os.sched_getaffinity(0))

    def with_one(self, *args, **environment):
        """The program on one processor, as under `taskset -c 0`."""
        return self.vpoint(*args, preexec_fn=lambda: os.sched_setaffinity(0, [self.one]), env={**self.environment, **environment})

    def threads_of(self, out, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads((self.dir / out / "manifest.json").read_text())["threads"]

    def test_run_follows_affinity(self):
        run = ["run", self.toml, "train.updates=2", "train.evaluate_every=1", "probe.every=1", "--quiet", "--out"]
        self.assertEqual(self.threads_of("one", self.with_one(*run, "one")), 1)
        self.assertEqual(self.threads_of("asked", self.with_one(*run, "asked", "--threads", 3)), 3)

    def test_runs_side_by_side_follow_affinity(self):
        plan = self.with_one("run", self.toml, "--dry-run").stdout
        self.assertIn(" 1 side by side", plan)

    def test_slurm(self):
        run = ["run", self.toml, "train.updates=2", "train.evaluate_every=1", "probe.every=1", "--quiet", "--out"]
        done = self.vpoint(*run, "slurm", env={**self.environment, SLURM: "1"})
        self.assertEqual(self.threads_of("slurm", done), 1)
        self.assertEqual(done.stderr, "")
        done = self.vpoint(*run, "asked", "--threads", 2, env={**self.environment, SLURM: "1"})
        self.assertEqual(self.threads_of("asked", done), 2)
        done = self.with_one(*run, "more", SLURM_CPUS_PER_TASK="64")
        self.assertEqual(self.threads_of("more", done), 1)

    def test_a_malformed_slurm_variable_is_said_once_and_ignored(self):
        done = self.with_one("run", self.toml, "--dry-run", SLURM_CPUS_PER_TASK="2(x3)")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(" 1 side by side", done.stdout)
        self.assertEqual(done.stderr.count("warning: "), 1, done.stderr)
        self.assertIn(f'{SLURM}="2(x3)"', done.stderr)
        done = self.with_one("run", self.toml, "--dry-run", "--threads", 2, SLURM_CPUS_PER_TASK="2(x3)")
        self.assertEqual(done.stderr, "")

    def test_profile_follows_affinity(self):
        done = self.with_one("profile", "--step", "rnn:T=2,B=2,H=2,I=2", "--benchmark_list_tests")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(set(re.findall(r"threads:(\d+)", done.stdout)), {"1"}, done.stdout)

    def test_verify_says_what_decided(self):
        facts = json.loads(self.with_one("verify", "--threads", 1, "--json", "--quiet").stdout)["machine"]
        self.assertEqual((facts["processors"], facts["processors_by"]), ("1", "affinity"))


if __name__ == "__main__":
    program.main()
