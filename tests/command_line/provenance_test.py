"""What results say of themselves: their data, libraries, ids, outcomes. usage: provenance_test.py VPOINT [unittest arguments]"""
import fcntl
import gzip
import json
import math
import os
import pathlib
import pty
import random
import re
import select
import struct
import subprocess
import termios
import time
import unittest

import program
from program import RESULTS, Vpoint

FASHION_MNIST = pathlib.Path("/usr/share/datasets/fashion-mnist")
GRID = "[grid]\ntrain.seed = [0, 1, 2, 3]\n"


def sequences(scale):
    rows = [f"s{s},{t},{scale * math.sin(3 * s + t):.4f},{(s + (scale > 1)) % 2}" for s in range(40) for t in range(3)]
    return "sequence,step,x,target\n" + "\n".join(rows) + "\n"


def samples(scale):
    return "label,a,b\n" + "".join(f"{i % 2},{scale * math.sin(i):.4f},{i % 7}\n" for i in range(60))


def sentences(scale):
    chance = random.Random(scale)
    words = ["good", "fine", "bad", "poor", "film", "book"]
    return "id,rating,text\n" + "".join(f"{i}_1,{1 if i % 2 else -1},{' '.join(chance.choices(words, k=4))}\n" for i in range(80))


class SameData(Vpoint):
    def experiment(self, task, more=""):
        text = f'name = "e"\n[task]\n{task}\n[model]\ncell = "rnn"\nhidden = 4\n{more}[train]\nbatch = 4\nupdates = 3\n{GRID}'
        return self.write("e.toml", text)

    def runs(self, *args):
        return self.vpoint("run", self.dir / "e.toml", "--out", "out", *args)

    def check_changed(self, path, before, after):
        """The file is changed between two shards, and behind a finished sweep."""
        def put(content):
            path.unlink(missing_ok=True)  # may be a link
            path.write_bytes(content)
        put(before)
        self.assertEqual(self.runs("--shard", "1/2", "--quiet").returncode, 0)
        manifest = json.loads((self.dir / "out/manifest.json").read_text())
        entry = [e for e in manifest["inputs"] if self.dir / e["path"] == path]
        self.assertEqual([e["bytes"] for e in entry], [len(before)], manifest["inputs"])
        put(after)
        again = ["run", self.dir / "e.toml", "--out", "out"]
        refused = self.refused(2, path.name, entry[0]["xxh3_64"], "--fresh", "--allow-mixed", args=again)
        now = re.search(r"instead of ([0-9a-f]{16})", refused.stderr)[1]
        self.assertNotEqual(now, entry[0]["xxh3_64"])
        self.assertEqual(json.loads((self.dir / "out/manifest.json").read_text()), manifest)
        status = json.loads(self.vpoint("status", "out", "--json").stdout)
        self.assertEqual(len(status["stale"]), 2)
        put(before)
        self.assertEqual(self.runs("--quiet").returncode, 0)
        whole = [(self.dir / "out" / name).read_bytes() for name in RESULTS]
        put(after)
        self.refused(2, path.name, entry[0]["xxh3_64"], now, args=again)
        self.assertEqual([(self.dir / "out" / name).read_bytes() for name in RESULTS], whole)
        next((self.dir / "out/runs").glob("*.run")).unlink()
        self.assertEqual(self.runs("--allow-mixed", "--quiet").returncode, 0)
        text = (self.dir / "out/runs.csv").read_text()
        self.assertEqual((text.count(entry[0]["xxh3_64"]), text.count(now)), (3, 1), text)
        self.refused(2, path.name, args=["merge", "out"])
        self.assertEqual(self.runs("--fresh", "--quiet").returncode, 0)
        manifest = json.loads((self.dir / "out/manifest.json").read_text())
        self.assertEqual([e["xxh3_64"] for e in manifest["inputs"] if self.dir / e["path"] == path], [now])

    def test_csv(self):
        self.experiment('name = "csv"\npath = "data.csv"')
        self.check_changed(self.dir / "data.csv", sequences(1).encode(), sequences(10).encode())

    def test_csv_rows(self):
        self.experiment('name = "csv_rows"\npath = "data.csv"')
        self.check_changed(self.dir / "data.csv", samples(1).encode(), samples(2).encode())

    def test_sentiment(self):
        self.experiment('name = "sentiment"\npath = "data.csv"\nmin_count = 1', "embedding = 2\n")
        self.check_changed(self.dir / "data.csv", sentences(1).encode(), sentences(2).encode())

    def images(self):
        folder = self.dir / "images"
        folder.mkdir()
        chance = random.Random(1)
        for part, count in (("train", 40), ("t10k", 12)):
            pixels = bytes(chance.randrange(256) for _ in range(count * 16))
            (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, count, 4, 4) + pixels)
            (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + bytes(i % 3 for i in range(count)))
        return folder

    def test_idx(self):
        folder = self.images()
        self.experiment('name = "fashion_mnist"\npath = "images"')
        path = folder / "t10k-images-idx3-ubyte"  # of the test split alone
        before = path.read_bytes()
        self.check_changed(path, before, before[:-1] + bytes([before[-1] ^ 1]))

    def test_packed_idx(self):
        folder = self.images()
        for path in list(folder.iterdir()):
            (folder / (path.name + ".gz")).write_bytes(gzip.compress(path.read_bytes(), mtime=0))
            path.unlink()
        self.experiment('name = "fashion_mnist"\npath = "images"')
        path = folder / "train-labels-idx1-ubyte.gz"
        before = path.read_bytes()
        self.check_changed(path, before, gzip.compress(gzip.decompress(before)[:-1] + b"\1", mtime=0))

    def test_checkpoint(self):
        start = self.write("start.toml", 'name = "start"\n[task]\nname = "adding"\nlength = 6\n[model]\ncell = "rnn"\nhidden = 4\n'
                                         "[train]\nbatch = 4\nupdates = 1\nsave_checkpoint = true\n")
        weights = []
        for seed in (0, 1):
            self.assertEqual(self.vpoint("run", start, f"train.seed={seed}", "--out", f"start{seed}").returncode, 0)
            weights.append(next((self.dir / f"start{seed}/checkpoints").iterdir()).read_bytes())
        self.experiment('name = "adding"\nlength = 6', '[init]\nfrom_checkpoint = "w.safetensors"\n')
        self.check_changed(self.dir / "w.safetensors", *weights)

    def test_a_touched_file_and_a_link_are_the_same_data(self):
        self.experiment('name = "csv"\npath = "data.csv"')
        self.write("data.csv", sequences(1))
        self.assertEqual(self.runs("--shard", "1/2").returncode, 0)
        os.utime(self.dir / "data.csv", (1, 1))
        self.assertEqual(self.runs("--shard", "2/2").returncode, 0)
        (self.dir / "data.csv").rename(self.dir / "moved.csv")
        (self.dir / "data.csv").symlink_to("moved.csv")
        self.assertEqual(self.runs().returncode, 0)

    def test_looked_at_without_the_data(self):
        self.experiment('name = "csv"\npath = "data.csv"')
        self.write("data.csv", sequences(1))
        self.assertEqual(self.runs().returncode, 0)
        (self.dir / "data.csv").unlink()
        for verb in ("status", "merge", "check"):
            done = self.vpoint(verb, "out")
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)


class Libraries(Vpoint):
    def test_another_variant_of_libm_is_not_mixed_in_silence(self):
        version = self.vpoint("--version").stdout
        self.assertRegex(version, r"oneDNN .*Highway .*oneTBB 20.*glibc 2\..*libm [0-9a-f]{16}")
        other = dict(os.environ, GLIBC_TUNABLES="glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable")
        if self.vpoint("--version", env=other).stdout == version:  # a processor that has one variant only
            return
        self.assertEqual(self.vpoint("run", self.toml, "--shard", "1/2", "--out", "out", env=other).returncode, 0)
        self.refused(2, "libm ", "--fresh", "--allow-mixed", args=["run", self.toml, "--out", "out"])


class RunIds(Vpoint):
    def test_no_reader_takes_an_id_for_a_number(self):
        toml = self.write("rid.toml", 'name = "rid"\n[task]\nname = "adding"\nlength = 10\nvalidation_samples = 16\ntest_samples = 16\n'
                                      '[model]\ncell = "rnn"\nhidden = 2\n[train]\nbatch = 4\nupdates = 2\n')
        self.assertEqual(self.vpoint("run", toml, "train.seed=3130,4105,6373", "--out", "out").returncode, 0)  # once 5e99739836822541, ...
        ids = [line.split(",")[0] for line in (self.dir / "out/runs.csv").read_text().splitlines()[1:]]
        self.assertEqual(len(set(ids)), 3)
        for name in ids:
            self.assertRegex(name, r"^r[0-9a-f]{16}$")
            self.assertTrue((self.dir / "out/runs" / f"{name}.run").exists())


class Outcomes(Vpoint):
    def test_each_is_counted(self):
        toml = self.write("d.toml", 'name = "d"\n[task]\nname = "adding"\nlength = 6\nvalidation_samples = 20\ntest_samples = 20\n[model]\n'
                                    'cell = "rnn"\nactivation = "linear"\nhidden = 8\n[train]\nbatch = 4\nupdates = 40\nevaluate_every = 10\n'
                                    '[[grid]]\ntrain.learning_rate = [1e-9, 1e30]\ntrain.optimizer = ["sgd"]\ntrain.seed = [0, 1]\n'
                                    '[[grid]]\ntrain.stop_at = [0.0]\ntrain.seed = [5]\n')
        done = self.vpoint("run", toml, "--out", "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("5 of 5 runs finished (5 now), 2 completed, 1 solved, 2 diverged, 0 failed; CSV files in out", done.stdout)
        self.assertIn("0 missing, 2 completed, 1 solved, 2 diverged, 0 failed", self.vpoint("status", "out").stdout)
        status = json.loads(self.vpoint("status", "out", "--json").stdout)
        self.assertEqual(status["outcomes"], {"completed": 2, "solved": 1, "diverged": 2, "failed": 0})
        self.assertIn("5 of 5 runs finished (0 now)", self.vpoint("run", toml, "--out", "out").stdout)


class Manifest(Vpoint):
    def test_a_resume_keeps_what_ran_before(self):
        self.run_ok("out")
        before = json.loads((self.dir / "out/manifest.json").read_text())
        self.assertTrue(before["implementations"])
        self.run_ok("out")
        self.assertEqual(json.loads((self.dir / "out/manifest.json").read_text())["implementations"], before["implementations"])


class Options(Vpoint):
    def test_misspelt_ones_get_a_suggestion(self):
        cases = [(["run", self.toml, "--dry-runn"], "--dry-run"), (["run", self.toml, "--thread=3"], "--threads"),
                 (["run", "--alow-mixed"], "--allow-mixed"), (["run", self.toml, "-threads", "3"], "--threads"),
                 (["status", "out", "--jsn"], "--json"), (["merge", "out", "--allow-mix"], "--allow-mixed"),
                 (["report", "--halp"], "--help"), (["check", "out", "--jason"], "--json"), (["list", "cells", "--josn"], "--json"),
                 (["verify", "--thread", "1"], "--threads"), (["profile", "--stpe", "x"], "--step"),
                 (["inspect", self.toml, "--tensor", "x"], "--tensors"), (["--verson"], "--version")]
        for args, right in cases:
            with self.subTest(args):
                self.refused(2, "did you mean", right, args=args)

    def test_exit_codes_stand_in_the_help(self):
        self.assertIn("75 interrupted", self.vpoint("--help").stdout)


class Terminal(Vpoint):
    """Through a pseudo-terminal of so many columns: what a user sees."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            for end in pty.openpty():
                os.close(end)
        except OSError as fault:  # a bare root or a container without /dev/pts
            raise unittest.SkipTest(f"no pseudo-terminal here: {fault}")

    def screen(self, columns, args, env=None):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | (env or {})
        child = subprocess.Popen([program.VPOINT, *map(str, args)], cwd=self.dir, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        seen = b""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            ready, _, _ = select.select([master], [], [], 1)
            try:
                piece = os.read(master, 65536) if ready else b""
            except OSError:  # the other side is closed
                break
            seen += piece
            if not piece and child.poll() is not None:
                break
        os.close(master)
        self.assertEqual(child.wait(60), 0)
        return seen.decode()

    def widths(self, seen):
        return [len(line) for line in re.split(r"\r|\n|\x1b\[K", seen)]

    def test_the_bar_fits(self):
        args = ["run", self.toml, "train.updates=2000", "--out"]
        for columns, env in ((200, None), (80, None), (60, None), (40, None), (20, None), (8, None), (120, {"COLUMNS": "30"}),
                             (0, {"COLUMNS": "25"})):
            with self.subTest(columns=columns, env=env):
                seen = self.screen(columns, args + [f"{columns}{env}"[:20]], env)
                bar = seen[:seen.rindex("small: 8 of 8")]
                self.assertIn(" %", bar)
                self.assertLess(max(self.widths(bar)), int((env or {}).get("COLUMNS", columns)), bar)
                self.assertEqual("[#" in bar, columns in (200, 80, 60, 40) and env is None)

    def test_the_summary_has_a_line_of_its_own(self):
        seen = self.screen(80, ["run", self.toml, "--out", "out"])
        summary = "small: 8 of 8 runs finished (8 now), 8 completed, 0 solved, 0 diverged, 0 failed; CSV files in out\r\n"
        self.assertTrue(seen.endswith("\r\x1b[K" + summary), seen)


if __name__ == "__main__":
    program.main()
