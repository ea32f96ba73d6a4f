"""`vpoint inspect` as a user meets it: what it writes, and what it refuses. usage: inspect_test.py VPOINT [unittest arguments]"""
import csv
import json
import math
import random
import struct

import program
from program import Vpoint

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

    def test_names_the_engine_that_ran(self):
        """That of a training of the same model, as its results name it."""
        values = {name: tensor for name, tensor in self.tensors().items() if name == "input"}
        values["target"] = self.tensor(self.B, 1)
        narrow, wide = "model.hidden=8", "model.hidden=256"
        for settings in (["model.cell=lstm", narrow], ["model.cell=lstm", wide], ["model.cell=gru", wide], ["model.cell=rnn", narrow],
                         ["run.precision=f64", narrow], ["run.backend=onednn", narrow]):
            with self.subTest(settings):
                training = ["task.length=6", "task.validation_samples=4", "task.test_samples=4", "train.batch=4", "train.updates=1"]
                done = self.vpoint("run", self.toml, *settings, *training, "--out", "-".join(settings), "--allow-mixed")
                self.assertEqual(done.returncode, 0, done.stderr)
                with open(self.dir / "-".join(settings) / "runs.csv", newline="") as file:
                    engine = next(csv.DictReader(file))["backend"]
                done = self.inspect(values, *settings)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, rf" layers=2 {engine} f(32|64): ")
                data = (self.dir / "out.safetensors").read_bytes()
                size, = struct.unpack("<Q", data[:8])
                self.assertEqual(json.loads(data[8:8 + size])["__metadata__"]["backend"], engine)

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

    def test_what_stands_behind_a_rows_end_changes_no_byte(self):
        T, B, I, C = self.T, self.B, self.I, self.C
        lengths = [1 + i % T for i in range(B)]

        def padded(tensor, value):
            dtype, shape, values = tensor
            width = math.prod(shape[2:])
            return dtype, shape, [value if i // width // B >= lengths[i // width % B] else v for i, v in enumerate(values)]

        self.random = random.Random(5)
        many, inputs = ["model.form=many_to_many"], self.tensor(T, B, I)
        wide, classes = ("F64", *inputs[1:]), ("I64", [T, B], [i % C for i in range(T * B)])
        answers, values = ("F64", [T, B, C], [i % 2 for i in range(T * B * C)]), self.tensor(T, B, C)
        numbers, integers = (math.nan, math.inf, -math.inf, 3e38, 1e-45), (-100, -1, C, 1 << 40, -(1 << 63))
        for what, name, tensor, others, garbage, args in [
            ("inputs", "input", inputs, {}, numbers, []),
            ("inputs beyond float", "input", wide, {}, (1e308, -1e308, 5e-324, math.nan), []),
            ("inputs in double", "input", wide, {}, (1e308, -1e308, 5e-324, math.inf), ["--precision", "f64"]),
            ("inputs on native", "input", inputs, {}, numbers, ["--backend", "native"]),
            ("inputs on reference", "input", inputs, {}, numbers, ["--backend", "reference", *many, "model.reset_every=2"]),
            ("classes", "target", classes, {}, integers, many),
            ("yes or no", "target", answers, {}, (math.nan, 2.0, -1e308), [*many, "model.output=sigmoid"]),
            ("values", "target", values, {}, numbers, many),
        ]:
            with self.subTest(what):
                batch = {"lengths": ("I64", [B], lengths), "input": inputs} | others
                batch.setdefault("target", classes if many[0] in args else ("I64", [B], [i % C for i in range(B)]))
                expected = self.inspect_ok(self.tensors(**(batch | {name: padded(tensor, 0)})), *args)
                for value in garbage:
                    self.assertEqual(self.inspect_ok(self.tensors(**(batch | {name: padded(tensor, value)})), *args), expected, value)
                if name == "target" and tensor is not values:  # within a row it is refused as ever
                    bad = tensor[0], tensor[1], [7, *tensor[2][1:]]
                    self.refused_input(3, "target", "is 7", tensors=self.tensors(**(batch | {name: bad})), args=args)
        args = ["model.layers=1", "model.bidirectional=true", f"model.embedding={I}"]
        tokens = self.tokens()
        expected = self.inspect_ok(tokens | {"input": padded(tokens["input"], 0)}, *args)
        for value in (-1, 9, 1 << 40, -(1 << 63)):
            self.assertEqual(self.inspect_ok(tokens | {"input": padded(tokens["input"], value)}, *args), expected, value)

    def test_norms_of_rows_that_end(self):
        lengths = [1 + i % (self.T - 1) for i in range(self.B)]  # none has the last step
        done = self.inspect(self.tensors(lengths=("I64", [self.B], lengths)), "--summary", "--precision", "f64")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = read_safetensors((self.dir / "out.safetensors").read_bytes())
        lines = [line.split(",") for line in (self.dir / "out.csv").read_text().splitlines()[1:]]
        for layer in range(self.L):
            for t in range(self.T):
                gradient = found[f"grad.hidden.l{layer}"][1][t * self.B * self.H:(t + 1) * self.B * self.H]
                norm, rows = math.sqrt(sum(g * g for g in gradient)), sum(t < length for length in lengths)
                self.assertAlmostEqual(found[f"log10_norm.hidden.l{layer}"][1][t], math.log10(norm) if norm else -math.inf, delta=1e-12)
                cells = lines[layer * self.T + t]
                if rows:
                    self.assertAlmostEqual(float(cells[2]), math.log10(norm * math.sqrt(self.B / rows)), delta=1e-12)
                else:
                    self.assertEqual(cells[2:], [""] * (len(cells) - 2))

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

class InspectFeedForward(Vpoint):
    """A dense and a convolutional net, whose samples have no time steps."""

    def inspect(self, settings, tensors):
        self.write("net.toml", "name = \"net\"\ntask.name = \"fashion_mnist\"\ntrain.shard_rows = 3\n" + settings)
        self.write("in.safetensors", safetensors(tensors))
        return self.vpoint("inspect", "net.toml", "--tensors", "in.safetensors", "--out", "out.safetensors", "--classes", 4)

    def shapes(self, settings, tensors):
        done = self.inspect(settings, tensors)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return {name: shape for name, (shape, _) in read_safetensors((self.dir / "out.safetensors").read_bytes()).items()}

    def batch(self, *shape):
        chance = random.Random(5)
        return {"input": ("F32", list(shape), [chance.uniform(-1, 1) for _ in range(math.prod(shape))]),
                "target": ("I64", [shape[0]], [i % 4 for i in range(shape[0])])}

    def test_mlp(self):
        found = self.shapes("model.kind = \"mlp\"\nmodel.widths = [6, 5]\n", self.batch(7, 3))
        expected = {"loss": [], "logits": [7, 4], "hidden": [7, 5]}
        for layer, (rows, cols) in enumerate([(6, 3), (5, 6), (4, 5)]):
            expected |= {f"grad.layers.{layer}.weight": [rows, cols], f"grad.layers.{layer}.bias": [rows]}
        for layer, units in enumerate([6, 5]):
            expected |= {f"grad.hidden.l{layer}": [7, units], f"log10_norm.hidden.l{layer}": [1]}
        self.assertEqual(found, expected)

    def test_cnn(self):
        found = self.shapes("model.kind = \"cnn\"\nmodel.channels = [5, 2]\n", self.batch(7, 3, 8, 9))
        self.assertEqual(found["grad.conv.0.weight"], [5, 3, 3, 3])
        self.assertEqual(found["hidden"], [7, 2, 2, 2])
        self.assertEqual(found["grad.hidden.l0"], [7, 5, 4, 4])
        self.assertEqual(found["grad.readout.weight"], [4, 8])

    def test_what_has_no_place(self):
        mlp = "model.kind = \"mlp\"\nmodel.widths = [6]\n"
        for settings, more, parts in [(mlp, {"h0": ("F32", [1, 7, 6], [0] * 42)}, ["h0", "not one that inspect reads, with model.kind = mlp"]),
                                      (mlp, {"lengths": ("I64", [7], [1] * 7)}, ["lengths", "not one that inspect reads"]),
                                      ("model.kind = \"cnn\"\n", {}, ["input", "(B, C, Y, X)"])]:
            done = self.inspect(settings, self.batch(7, 3) | more)
            self.assertEqual(done.returncode, 3, done.stderr)
            for part in parts:
                self.assertIn(part, done.stderr)


if __name__ == "__main__":
    program.main()
