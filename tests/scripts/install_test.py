#!/usr/bin/python3
"""An installed tree runs where it lies, names no path of the clone, and is found by find_package. Usage: install_test.py BUILD_DIR"""
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "build" / "release"


def run(*command, cwd=None):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=cwd)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.prefix = Path(cls.temporary.name) / "usr"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)

    def test_the_program_finds_its_catalog(self):
        with tempfile.TemporaryDirectory() as elsewhere:
            listed = run(self.prefix / "bin" / "vpoint", "list", "experiments", cwd=elsewhere)
            catalog = self.prefix / "share" / "vanishing-point" / "catalog"
            self.assertEqual(len(listed.splitlines()), len(list((ROOT / "experiments" / "catalog").glob("*.toml"))))
            self.assertIn(str(catalog / "quickstart.toml"), listed)
            plan = run(self.prefix / "bin" / "vpoint", "run", catalog / "quickstart.toml", "--dry-run", cwd=elsewhere)
            self.assertIn("9 runs", plan)

    def test_no_file_names_the_clone(self):
        clone = str(ROOT).encode()
        for file in self.prefix.rglob("*"):
            if file.is_file():
                self.assertNotIn(clone, file.read_bytes(), f"{file.relative_to(self.prefix)} names {ROOT}")

    def test_what_is_for_checks_alone_is_not_installed(self):
        headers = [file.relative_to(self.prefix).as_posix() for file in self.prefix.rglob("*.h")]
        self.assertTrue(any("models/training/trainer.h" in header for header in headers))
        self.assertEqual([header for header in headers if re.search("/(verify|bench)/|-inl", header)], [])

    def test_a_program_of_its_own_trains(self):
        with tempfile.TemporaryDirectory() as build:
            run("cmake", "-S", ROOT / "experiments" / "examples", "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                f"-DCMAKE_PREFIX_PATH={self.prefix}")
            run("cmake", "--build", build)
            out = run(Path(build) / "train_lstm")
        rows = re.findall(r"update +(\d+)  step +(\d+)  log10 \|dL/dh_t\| +(-?[\d.]+)", out)
        self.assertEqual([(update, step) for update, step, _ in rows], [(u, t) for u in ("0", "400") for t in ("0", "13", "26", "39")])
        accuracy = re.search(r"right on ([\d.]+) of the test sequences", out)
        self.assertGreater(float(accuracy[1]), 0.9, out)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
