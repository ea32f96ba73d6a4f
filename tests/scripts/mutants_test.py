#!/usr/bin/python3
"""scripts/mutants.py: every fault of tests/mutants applies to the tree and names tests that are there; what it makes of a tree that it is given."""
import contextlib
import importlib.util
import io
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("mutants", ROOT / "scripts" / "mutants.py")
mutants = importlib.util.module_from_spec(spec)
sys.modules["mutants"] = mutants
spec.loader.exec_module(mutants)

TEXT = """What: Two is three.
File: a.py
Test: a_test.py Numbers.test_two

- two = 2
+ two = 3
"""
SOURCE = "one = 1\n    two = 2\nthree = 3\n"


def gtest_names(room):
    """Suite.Name of every test of a room; of parameterised ones with what their instances are called by."""
    names = set()
    for file in sorted((ROOT / "tests" / room).rglob("*.cpp")):
        for kind, suite, name in re.findall(r"^TEST(_F|_P)?\((\w+),\s*(\w+)\)", file.read_text(encoding="utf-8"), re.M):
            names.add(f"Any/{suite}.{name}/0" if kind == "_P" else f"{suite}.{name}")
    return names


def matches(pattern, names):
    expression = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))
    return any(expression.fullmatch(name) for name in names)


def python_names(path):
    """Class and Class.test of a Python test file."""
    names, suite = set(), ""
    for match in re.finditer(r"^class (\w+)|^    def (test_\w+)", path.read_text(encoding="utf-8"), re.M):
        suite = match[1] or suite
        names.add(match[1] if match[1] else f"{suite}.{match[2]}")
    return names


class TheList(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.all = mutants.read_mutants(ROOT)

    def test_is_long_enough_and_has_no_name_twice(self):
        self.assertGreaterEqual(len(self.all), 80)
        self.assertEqual(len({m.name for m in self.all}), len(self.all))
        self.assertEqual({m.name.split("/")[0] for m in self.all}, {"kernels", "models", "experiments", "scripts"})

    def test_every_fault_applies(self):
        for m in self.all:
            with self.subTest(m.name):
                source = (ROOT / m.file).read_text(encoding="utf-8")
                self.assertNotEqual(mutants.planted(m, source), source)
                self.assertRegex(m.what, r"^[A-Za-z0-9-].*\.$")
                self.assertTrue(m.file.startswith(m.name.split("/")[0] + "/"), m.file)

    def test_every_named_test_exists(self):
        rooms = {f"{room}_tests": gtest_names(room) for room in ("kernels", "models", "experiments", "steady")}
        for m in self.all:
            with self.subTest(m.name):
                python = mutants.is_python(m.program)
                names = python_names(ROOT / m.program) if python else rooms[m.program]
                for pattern in [p for f in m.filters for p in f.split(":")]:
                    self.assertTrue(pattern in names if python else matches(pattern, names), f"{m.program} has no {pattern}")

    def test_at_most_one_in_twenty_is_explained(self):
        self.assertLessEqual(20 * sum(bool(m.explained) for m in self.all), len(self.all))


class Reading(unittest.TestCase):
    def refused(self, text, *parts):
        with self.assertRaises(mutants.MutantError) as caught:
            mutants.parse("x/y", text)
        for part in ("x/y", *parts):
            self.assertIn(part, str(caught.exception))

    def test_fields_and_edits(self):
        m = mutants.parse("x/y", TEXT + "- four\n- five\n+\n- six\n+ 6\n+   7\n")
        self.assertEqual((m.what, m.file, m.program, m.filters), ("Two is three.", "a.py", "a_test.py", ["Numbers.test_two"]))
        self.assertEqual(m.edits, [(["two = 2"], ["two = 3"]), (["four", "five"], [""]), (["six"], ["6", "  7"])])

    def test_what_is_wrong_is_named(self):
        self.refused(TEXT.replace("What", "Why"), "line 1")
        self.refused(TEXT.replace("Test: a_test.py Numbers.test_two\n", ""), "Test")
        self.refused(TEXT.replace(" Numbers.test_two", ""), "Test")
        self.refused(TEXT + "File: b.py\n", "line 7")
        self.refused(TEXT.split("\n\n")[0] + "\n", "replaced")
        self.refused(TEXT.replace("- two = 2\n", ""), "line 5")


class Planting(unittest.TestCase):
    def plant(self, edits, after="", source=SOURCE):
        return mutants.planted(mutants.Mutant("n", "w", "f", "t a", after, "", edits), source)

    def test_part_of_a_line(self):
        self.assertEqual(self.plant([(["= 2"], ["= 9"])]), SOURCE.replace("= 2", "= 9"))

    def test_neighbouring_lines_whatever_their_indentation(self):
        self.assertEqual(self.plant([(["one = 1", "  two"], ["x"])]), "x = 2\nthree = 3\n")
        self.assertEqual(self.plant([(["two = 2"], [])]), "one = 1\n    \nthree = 3\n")

    def test_several_edits_stand_together(self):
        self.assertEqual(self.plant([(["three"], ["3"]), (["one"], ["1"])]), "1 = 1\n    two = 2\n3 = 3\n")

    def test_text_that_stands_nowhere_or_twice_is_refused(self):
        for old in ("four", " = "):
            with self.assertRaises(mutants.MutantError):
                self.plant([([old], ["x"])])
        with self.assertRaises(mutants.MutantError):
            self.plant([(["one"], ["one"])])

    def test_after_chooses_the_place(self):
        self.assertEqual(self.plant([([" = "], [" == "])], after="two"), SOURCE.replace("two = ", "two == "))
        with self.assertRaises(mutants.MutantError):
            self.plant([(["one"], ["x"])], after="two")
        with self.assertRaises(mutants.MutantError):
            self.plant([(["one"], ["x"])], after="nowhere")


class Copying(unittest.TestCase):
    def test_only_what_differs_is_written(self):
        with tempfile.TemporaryDirectory() as directory:
            root, to = Path(directory) / "root", Path(directory) / "to"
            for entry in ("CMakeLists.txt", "kernels/a.cpp", "kernels/deep/b.h", "README.md", "results/README.md"):
                (root / entry).parent.mkdir(parents=True, exist_ok=True)
                (root / entry).write_text(entry)
            mutants.copy_sources(root, to)
            same, other, gone = to / "kernels/a.cpp", to / "kernels/deep/b.h", to / "kernels/c.cpp"
            times = same.stat().st_mtime_ns
            other.write_text("a fault that was left behind")
            gone.write_text("no longer there")
            mutants.copy_sources(root, to)
            self.assertEqual(same.stat().st_mtime_ns, times)
            self.assertEqual(other.read_text(), "kernels/deep/b.h")
            self.assertFalse(gone.exists())


class FakeTree:
    """Builds unless the source holds "broken"; a test is green unless it holds "red"."""

    def __init__(self, folder):
        self.source, self.builds = Path(folder), 0

    def build(self, program):
        self.builds += 1
        return "broken" not in (self.source / "a.cpp").read_text(), "said"

    def is_green(self, mutant):
        if mutant.test.endswith("missing"):
            raise mutants.MutantError("there is no test")
        if "stop" in (self.source / "a.cpp").read_text():
            raise KeyboardInterrupt
        return "red" not in (self.source / "a.cpp").read_text(), "said"


class Trying(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = Path(self.folder) / "a.cpp"
        self.file.write_text("good\n")
        self.campaign = mutants.Campaign(FakeTree(self.folder))

    def outcome(self, new, explained="", test="tests Suite.Name"):
        with contextlib.redirect_stdout(io.StringIO()):
            self.campaign.add(mutants.Mutant("n", "w", "a.cpp", test, "", explained, [(["good"], [new])]))
        self.assertEqual(self.file.read_text(), self.before)
        return self.campaign.rows[-1][1]

    before = "good\n"

    def test_outcomes(self):
        self.assertEqual(self.outcome("red"), "killed")
        self.assertEqual(self.outcome("fine"), "survived")
        self.assertEqual(self.outcome("fine", explained="nobody can see it"), "explained")
        self.assertEqual(self.outcome("broken"), "does not build")  # no kill
        self.assertEqual(self.outcome("red", test="tests missing"), "error")
        self.assertEqual(self.outcome("good"), "error")

    def test_a_test_that_is_red_without_the_fault_kills_nothing(self):
        self.before = "good and red\n"
        self.file.write_text(self.before)
        self.assertEqual(self.outcome("worse"), "red without it")

    def test_a_test_is_run_once_without_a_fault(self):
        for _ in range(3):
            self.outcome("red")
        self.assertEqual(self.campaign.tree.builds, 4)

    def test_an_interrupt_restores_the_source(self):
        with self.assertRaises(KeyboardInterrupt):
            self.outcome("stop")
        self.assertEqual(self.file.read_text(), "good\n")


class GoogleTest(unittest.TestCase):
    HEAD = "[==========] {} ran. (0 ms total)\n[  PASSED  ] {}.\n"

    def is_green(self, code, ran, passed):
        done = mock.Mock(returncode=code, stdout=self.HEAD.format(ran, passed))
        with mock.patch.object(mutants.Tree, "run", return_value=done):
            return mutants.Tree(Path("build"), 1).is_green(mutants.parse("a", TEXT.replace("a_test.py Numbers.test_two", "a_tests A.B")))[0]

    def test_the_only_test_that_runs_may_fail(self):
        self.assertTrue(self.is_green(0, "1 test from 1 test suite", "1 test"))
        self.assertFalse(self.is_green(1, "1 test from 1 test suite", "0 tests"))

    def test_a_filter_that_finds_nothing_is_an_error(self):
        with self.assertRaisesRegex(mutants.MutantError, "there is no test a_tests A.B"):
            self.is_green(0, "0 tests from 0 test suites", "0 tests")


class CommandLine(unittest.TestCase):
    def test_parts_share_the_list(self):
        numbers = list(range(101))
        for count in (1, 2, 7, 150):
            parts = [mutants.chosen(numbers, (index, count), []) for index in range(1, count + 1)]
            self.assertEqual(sum(parts, []), numbers)

    def test_bad_arguments(self):
        for arguments in (["--part", "0/3"], ["--part", "4/3"], ["--part", "1"], ["--time-limit", "soon"], ["--what"]):
            with self.assertRaises(SystemExit) as caught, contextlib.redirect_stderr(io.StringIO()):
                mutants.arguments_of(arguments)
            self.assertEqual(caught.exception.code, 2)
        with self.assertRaises(SystemExit) as caught:
            mutants.main(["--list", "--only", "no/such"])
        self.assertIn("no/such", str(caught.exception))

    def run_main(self, outcomes, *arguments):
        """main() with the outcomes of the faults in their order."""
        with mock.patch.object(mutants, "copy_sources"), mock.patch.object(mutants.Tree, "configure"), \
                mock.patch.object(mutants.Campaign, "add", lambda c, m: c.rows.append((m, outcomes[len(c.rows) % len(outcomes)]))), \
                contextlib.redirect_stdout(io.StringIO()) as out:
            return mutants.main(list(arguments)), out.getvalue().splitlines()[-1]

    def test_exit_code_and_summary(self):
        self.assertEqual(self.run_main(["killed", "explained"], "--part", "1/50")[0], 0)
        for outcome in ("survived", "does not build", "red without it", "error"):
            code, line = self.run_main(["killed", outcome], "--part", "1/50")
            self.assertEqual(code, 1)
            self.assertIn(outcome, line)
        code, line = self.run_main(["killed"], "--time-limit", "1e-9")
        self.assertEqual(code, 0)
        self.assertIn("not tried", line)

    def test_list_names_every_fault(self):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertEqual(mutants.main(["--list"]), 0)
        for m in mutants.read_mutants(ROOT):
            self.assertIn(m.name + "\n", out.getvalue())


if __name__ == "__main__":
    unittest.main()
