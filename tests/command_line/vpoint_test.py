"""The program as a user meets it: exit codes, messages, same bytes whatever happens. usage: vpoint_test.py VPOINT [unittest arguments]"""
import gzip
import json
import math
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

VPOINT = ""
RESULTS = ["runs.csv", "curves.csv", "timesteps.csv", "layers.csv"]
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
            child = subprocess.Popen([VPOINT, "run", self.toml, "--out", "killed", "--quiet"], cwd=self.dir)
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
        child = subprocess.Popen([VPOINT, "run", self.toml, "train.updates=100000", "--out", "long", "--quiet"], cwd=self.dir)
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(60), 75)
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
        first = subprocess.Popen([VPOINT, "run", self.toml, "train.updates=100000", "--out", "out", "--quiet"], cwd=self.dir)
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

    def test_a_claim_that_does_not_hold(self):
        self.toml = self.write("small.toml", EXPERIMENT.replace("value = 0\n", "value = -5\n"))
        self.run_ok("out")
        self.assertEqual(self.vpoint("check", "out").returncode, 1)
        self.assertFalse(json.loads(self.vpoint("check", "out", "--json").stdout)[0]["holds"])

    def test_claims_on_nothing(self):
        for old, new, part in [("gradient_slope", "gradient_slop", "gradient_slope"), ("gain = 0.5 }", "gain = 7 }", "falls")]:
            self.toml = self.write("small.toml", EXPERIMENT.replace(old, new))
            self.run_ok("out", "--fresh")
            self.refused(2, part, args=["check", "out"])

    def test_lists(self):
        for what in ("models", "cells", "forms", "activations", "inits", "optimizers", "tasks", "keys"):
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


FORMATS = {"F32": "f", "F64": "d", "I64": "q", "I32": "i", "F16": "e"}


def safetensors(tensors):
    """name -> (dtype, shape, values), as the bytes of a file."""
    header, data = {}, b""
    for name, (dtype, shape, values) in sorted(tensors.items(), key=lambda entry: -struct.calcsize(FORMATS[entry[1][0]])):  # aligned
        packed = struct.pack(f"<{len(values)}{FORMATS[dtype]}", *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def read_safetensors(data):
    size, = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        letter = FORMATS[entry["dtype"]]
        tensors[name] = entry["shape"], struct.unpack(f"<{(end - begin) // struct.calcsize(letter)}{letter}", data[begin:end])
    return tensors


class Inspect(Vpoint):
    T, B, I, H, C, L = 5, 7, 3, 4, 6, 2

    def setUp(self):
        super().setUp()
        self.toml = self.write("inspect.toml", f"""
name = "inspect"
task.name = "adding"
model.cell = "lstm"
model.hidden = {self.H}
model.layers = {self.L}
train.shard_rows = 3
""")

    def tensor(self, *shape, dtype="F32", low=-1, high=1):
        count = 1
        for size in shape:
            count *= size
        return dtype, list(shape), [self.random.uniform(low, high) for _ in range(count)]

    def tensors(self, **changes):
        """A sound input file; a change of None leaves a tensor out. `__` stands for a dot."""
        self.random = random.Random(3)
        found = {"input": self.tensor(self.T, self.B, self.I), "target": ("I64", [self.B], [i % self.C for i in range(self.B)])}
        for layer in range(self.L):
            for kind, cols in ("ih", self.H if layer else self.I), ("hh", self.H):
                found[f"rnn.weight_{kind}_l{layer}"] = self.tensor(4 * self.H, cols)
                found[f"rnn.bias_{kind}_l{layer}"] = self.tensor(4 * self.H)
        found["readout.weight"], found["readout.bias"] = self.tensor(self.C, self.H), self.tensor(self.C)
        for name, value in changes.items():
            found[name.replace("__", ".")] = value
        return {name: value for name, value in found.items() if value is not None}

    def inspect(self, tensors, *args, out="out.safetensors"):
        self.write("in.safetensors", safetensors(tensors) if isinstance(tensors, dict) else tensors)
        return self.vpoint("inspect", self.toml, "--tensors", "in.safetensors", "--out", out, *args)

    def inspect_ok(self, tensors, *args):
        done = self.inspect(tensors, *args)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return (self.dir / "out.safetensors").read_bytes()

    def test_output(self):
        found = read_safetensors(self.inspect_ok(self.tensors(h0=("F64", [self.L, self.B, self.H], [0.5] * (self.L * self.B * self.H)))))
        by_step = [self.T, self.B, self.H]
        expected = {"loss": [], "logits": [self.B, self.C], "hidden": by_step, "grad.h0": [self.L, self.B, self.H]}
        expected |= {"grad." + name: shape for name, (_, shape, _) in self.tensors(input=None, target=None).items()}
        for layer in range(self.L):
            expected |= {f"grad.hidden.l{layer}": by_step, f"log10_norm.hidden.l{layer}": [self.T], f"log10_norm.cell.l{layer}": [self.T]}
        self.assertEqual({name: shape for name, (shape, _) in found.items()}, expected)
        squares = [sum(g * g for g in found["grad.hidden.l1"][1][t * self.B * self.H:(t + 1) * self.B * self.H]) for t in range(self.T)]
        for norm, square in zip(found["log10_norm.hidden.l1"][1], squares):
            self.assertAlmostEqual(norm, math.log10(square) / 2, delta=1e-5)
        losses = []  # by the definition, from the logits
        for row in range(self.B):
            logits = found["logits"][1][row * self.C:(row + 1) * self.C]
            losses.append(math.log(sum(map(math.exp, logits))) - logits[row % self.C])
        self.assertAlmostEqual(found["loss"][1][0], sum(losses) / self.B, delta=1e-6)

    def test_same_bytes_for_any_threads(self):
        for backend in ("onednn", "native", "reference"):
            expected = self.inspect_ok(self.tensors(), "--threads", 1, "--backend", backend)
            for threads in (2, 8):
                self.assertEqual(self.inspect_ok(self.tensors(), "--threads", threads, "--backend", backend), expected)

    def test_precision_and_wide_inputs(self):
        wide = {name: (dtype if dtype == "I64" else "F64", shape, values) for name, (dtype, shape, values) in self.tensors().items()}
        double, single = (read_safetensors(self.inspect_ok(wide, "--precision", p)) for p in ("f64", "f32"))
        gap = abs(double["loss"][1][0] - single["loss"][1][0])
        self.assertTrue(0 < gap < 1e-6, gap)
        self.assertTrue(any(struct.unpack("f", struct.pack("f", g))[0] != g for g in double["grad.rnn.bias_hh_l0"][1]))

    def test_targets_and_parameters_that_are_drawn(self):
        none = {name.replace(".", "__"): None for name in self.tensors() if "." in name}
        self.inspect_ok(self.tensors(**none), "--classes", self.C)
        classes = ("I32", [self.T, self.B], [i % self.C for i in range(self.T * self.B)])
        self.inspect_ok(self.tensors(target=classes), "model.form=many_to_many")
        self.random = random.Random(4)
        values = self.tensor(self.B, self.C, dtype="F64", low=0)
        losses = {output: read_safetensors(self.inspect_ok(self.tensors(target=values), "model.output=" + output))["loss"][1][0]
                  for output in ("task", "linear", "sigmoid")}
        self.assertEqual(losses["task"], losses["linear"])
        self.assertNotEqual(losses["task"], losses["sigmoid"])

    def tokens(self, **changes):
        """Token ids, lengths, and a bidirectional net of one layer."""
        changes = {"input": ("I64", [self.T, self.B], [i % 9 for i in range(self.T * self.B)]),
                   "lengths": ("I64", [self.B], [1 + i % self.T for i in range(self.B)])} | changes
        tensors = {name: value for name, value in self.tensors(**changes).items() if "_l1" not in name}
        for name in [name for name in tensors if name.startswith("rnn")]:
            tensors[name + "_reverse"] = self.tensor(*tensors[name][1])
        tensors["readout.weight"], tensors["embedding.weight"] = self.tensor(self.C, 2 * self.H), self.tensor(9, self.I)
        return tensors

    def test_tokens_lengths_and_two_directions(self):
        args = ["model.layers=1", "model.bidirectional=true", f"model.embedding={self.I}"]
        found = read_safetensors(self.inspect_ok(self.tokens(), *args))
        for name in "hidden", "grad.hidden.l0":
            self.assertEqual(found[name][0], [self.T, self.B, 2 * self.H])
            for t in range(self.T):
                for b in range(self.B):
                    row = found[name][1][(t * self.B + b) * 2 * self.H:][:2 * self.H]
                    self.assertEqual(any(row), t <= b % self.T, (name, t, b))
        self.assertTrue(any(found["grad.embedding.weight"][1]))
        self.assertTrue(any(found["grad.rnn.weight_hh_l0_reverse"][1]))
        for changes, *parts in [
            (dict(input=("I64", [self.T, self.B], [9] * (self.T * self.B))), "input", "is 9", "0 to 8"),
            (dict(input=("F32", [self.T, self.B], [0.0] * (self.T * self.B))), "input", "I64", "F32"),
            (dict(lengths=("I64", [self.B], [0] * self.B)), "lengths", "is 0", f"1 to {self.T}"),
            (dict(lengths=("I64", [self.T], [1] * self.T)), "lengths", f"({self.B})", f"({self.T})"),
        ]:
            with self.subTest(parts):
                self.refused_input(3, "in.safetensors", *parts, tensors=self.tokens(**changes), args=args)
        self.refused_input(2, "stateful", "many_to_many", tensors=self.tokens(), args=[*args, "model.form=stateful"])

    def test_summary(self):
        done = self.inspect(self.tensors(), "--summary")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = (self.dir / "out.csv").read_text().splitlines()
        self.assertTrue(lines[0].startswith("layer,t,log10_dh,log10_dh_typical,log10_dc,"), lines[0])
        self.assertEqual(len(lines), 1 + self.L * self.T)
        norms = read_safetensors((self.dir / "out.safetensors").read_bytes())["log10_norm.cell.l1"][1]
        self.assertEqual([float(line.split(",")[4]) for line in lines[-self.T:]], list(norms))
        self.assertEqual(done.stdout.count(f"{norms[2]:.4f}"), 1, done.stdout)

    def test_parameters_of_a_checkpoint(self):
        expected = read_safetensors(self.inspect_ok(self.tensors()))
        self.write("checkpoint.safetensors", safetensors(self.tensors(input=None, target=None)))
        batch = {name: tensor for name, tensor in self.tensors().items() if "." not in name}
        found = read_safetensors(self.inspect_ok(batch, "--classes", self.C, "init.from_checkpoint=checkpoint.safetensors"))
        self.assertEqual(found, expected)
        self.refused_input(2, "from_checkpoint", tensors=self.tensors(), args=["init.from_checkpoint=checkpoint.safetensors"])
        self.refused_input(3, "checkpoint.safetensors", "readout.weight", tensors=batch,
                           args=["init.from_checkpoint=checkpoint.safetensors", "--classes", self.C + 1])

    def test_not_a_number_is_a_result(self):
        for value, found in (math.nan, "loss (1 of 1), logits (6 of 42)"), (math.inf, "grad.rnn.weight_ih_l0 (16 of 48)"):  # inf saturates the gates
            values = self.tensors()["input"][2]
            values[4] = value
            done = self.inspect(self.tensors(input=("F32", [self.T, self.B, self.I], values)))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("not finite: " + found, done.stderr)

    def refused_input(self, code, *parts, tensors, args=()):
        before = sorted(path.name for path in self.dir.iterdir())
        done = self.inspect(tensors, *args)
        self.assertEqual(done.returncode, code, done.stderr)
        for part in parts:
            self.assertIn(str(part), done.stderr)
        self.assertEqual(done.stderr.count("vpoint: "), 1, done.stderr)
        self.assertEqual(sorted(path.name for path in self.dir.iterdir()), before)

    def test_faults_of_the_tensors(self):
        self.write("in.safetensors", "")
        T, B, I, H, C, L = self.T, self.B, self.I, self.H, self.C, self.L
        cases = [
            (dict(input=None), "input: missing"),
            (dict(target=None), "target: missing"),
            (dict(inptu=self.tensors()["input"]), "inptu", "did you mean input"),
            (dict(input=("F32", [T * B, I], [0.0] * (T * B * I))), "input", "(T, B, I)", f"({T * B}, {I})"),
            (dict(input=("F32", [T, 0, I], [])), "input", "none of them 0"),
            (dict(input=("F16", [T, B, I], [0.0] * (T * B * I))), "input", "F16", "F32"),
            (dict(target=("I64", [B], [0, 1, 2, C, 0, 0, 0])), "target", "(3) is 6", "0 to 5"),
            (dict(target=("I64", [B], [0, -1, 2, 0, 0, 0, 0])), "target", "(1) is -1"),
            (dict(target=("I64", [B], [1 << 40] * B)), "target", 1 << 40),
            (dict(target=("I64", [B + 1], [0] * (B + 1))), "target", f"({B})", f"({B + 1})", "many_to_one"),
            (dict(target=("I64", [T, B], [0] * (T * B))), "target", f"({T}, {B})", "many_to_many"),
            (dict(target=("F16", [B, C], [0.0] * (B * C))), "target", "F16"),
            (dict(target=("F32", [B, C + 1], [0.0] * (B * (C + 1)))), "target", f"({B}, {C})"),
            (dict(h0=("F32", [1, B, H], [0.0] * (B * H))), "h0", f"({L}, {B}, {H})", f"(1, {B}, {H})"),
            (dict(c0=("I64", [L, B, H], [0] * (L * B * H))), "c0", "I64", "F32"),
            (dict(rnn__bias_hh_l1=None), "rnn.bias_hh_l1"),
            (dict(rnn__weight_ih_l0=("F32", [4 * H, I + 1], [0.0] * (4 * H * (I + 1)))), "rnn.weight_ih_l0", f"({4 * H}, {I})", f"({4 * H}, {I + 1})"),
            (dict(rnn__weight_ih_l2=("F32", [4 * H, H], [0.0] * (4 * H * H))), "rnn.weight_ih_l2"),
            (dict(readout__weight=("F32", [C * H], [0.0] * (C * H))), "readout.weight"),
        ]
        for changes, *parts in cases:
            with self.subTest(parts):
                self.refused_input(3, "in.safetensors", *parts, tensors=self.tensors(**changes))
        self.refused_input(3, "c0", "no cell state", tensors={k: v for k, v in self.tensors(c0=self.tensor(L, B, H)).items() if "." not in k},
                           args=["model.cell=rnn", "--classes", C])
        values = self.tensors(target=("F32", [B, C], [2.0] * (B * C)))
        self.refused_input(3, "target", "(0, 0) is 2", tensors=values, args=["model.output=sigmoid"])
        self.refused_input(3, "target", "softmax", tensors=values, args=["model.output=softmax"])
        self.refused_input(3, "target", "softmax", tensors=self.tensors(), args=["model.output=linear"])
        self.refused_input(3, "target", "--classes", tensors={k: v for k, v in self.tensors().items() if "." not in k})
        drawn = {k: v for k, v in self.tensors(hO=self.tensor(L, B, H)).items() if "." not in k}  # an O for a 0, and no parameters beside it
        self.refused_input(3, "hO", "did you mean h0", tensors=drawn, args=["--classes", C])
        self.refused_input(3, "in.safetensors", tensors=b"not tensors")
        whole = safetensors(self.tensors())
        for size in range(0, len(whole), 64):
            self.refused_input(3, "in.safetensors", tensors=whole[:size])

    def test_faults_of_the_call(self):
        self.write("in.safetensors", "")
        self.refused_input(2, "grid", "2 runs", "train.seed", tensors=self.tensors(), args=["train.seed=0,1"])
        self.refused_input(2, "--classes", tensors=self.tensors(), args=["--classes", "0"])
        self.refused_input(3, "--classes", "readout.weight", tensors=self.tensors(), args=["--classes", "5"])
        self.refused_input(2, "f64", "native", tensors=self.tensors(), args=["--backend", "native", "--precision", "f64"])
        self.refused_input(2, "backend", "onednn", tensors=self.tensors(), args=["--backend", "onednm"])
        for out, code, part in [("in.safetensors", 2, "overwritten"), ("inspect.toml", 2, "overwritten"), ("nowhere/out", 3, "nowhere"), (".", 3, ".")]:
            before = (self.dir / "inspect.toml").read_bytes(), safetensors(self.tensors())
            done = self.inspect(self.tensors(), out=out)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(part, done.stderr)
            self.assertEqual(((self.dir / "inspect.toml").read_bytes(), (self.dir / "in.safetensors").read_bytes()), before)
        self.assertEqual(self.inspect(self.tensors(), "--summary", out="out.csv").returncode, 2)
        self.assertEqual(sorted(path.name for path in self.dir.iterdir()), ["in.safetensors", "inspect.toml", "small.toml"])


if __name__ == "__main__":
    VPOINT = os.path.abspath(sys.argv.pop(1))
    unittest.main()
