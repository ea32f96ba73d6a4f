#!/usr/bin/python3
"""scripts/check_docs.py reports each planted fault, nothing in what is allowed, and nothing in the repository itself."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECK = ROOT / "scripts" / "check_docs.py"

PATH_LINE = 'export PATH="$PWD/build/release:$PATH"'


def block(info, *lines):
    return "\n".join([f"```{info}", *lines, "```"])


# page, line of the fault, what must be said of it
FAULTS = [
    ("[a](missing.md)", 1, "broken link missing.md: there is no missing.md"),
    ("![a](missing.png)", 1, "broken link missing.png"),
    ("text\n\n[a](other.md#no-such-heading)", 3, "broken link other.md#no-such-heading: other.md has no heading of that name"),
    ("# Here\n[a](#there)", 2, "broken link #there"),
    ("[a](other.md#in-a-block)", 1, "broken link other.md#in-a-block"),
    ("[a](../outside.md)", 1, "broken link ../outside.md"),
    ("See `scripts/gone.py`.", 1, "there is no scripts/gone.py"),
    ("x" * 121, 1, "121 columns; at most 120"),
    ("- " + "word " * 25, 1, "columns; at most 120"),
    ("text\n```sh\nls", 2, "this code block is never closed"),
    (block("toml", "# file: a.toml", "x = "), 2, "# file: a.toml: "),
    (block("toml", "# file: a.tml", "x = 1"), 2, "expected a name that ends in .toml"),
    (block("toml", "# file: ../a.toml", "x = 1"), 2, "expected the relative name of a file that is not in the repository"),
    (block("toml", "# file: kept.toml", "x = 1"), 2, "expected the relative name of a file that is not in the repository"),
    (block("toml", "# file: a.toml", "x = 1") + "\n" + block("toml", "# file: a.toml", "x = 2"), 6, "written twice"),
    (block("sh", "scripts/gone.sh"), 2, "there is no scripts/gone.sh, and nothing before makes it"),
    (block("sh not-run", "scripts/gone.sh"), 2, "there is no scripts/gone.sh"),
    (block("sh", "ls", "cat gone.csv"), 3, "there is no gone.csv"),
    (block("sh", "cat later.csv", "scripts/tool.sh > later.csv"), 2, "there is no later.csv"),
    (block("sh", "ls && cat gone.csv"), 2, "there is no gone.csv"),
    (block("sh", "ls \\", "  gone.csv"), 2, "there is no gone.csv"),
    (block("sh", "vpoint run kept.toml"), 2, "vpoint before the line that puts build/release into PATH"),
    (block("sh", PATH_LINE, "vpoint run gone.toml"), 3, "there is no gone.toml"),
    (block("sh", PATH_LINE, "vpoint run kept.toml task.path=gone.csv"), 3, "there is no gone.csv"),
    (block("sh", PATH_LINE, "vpoint run kept.toml", "vpoint report results/other"), 4, "there is no results/other"),
    (block("sh", PATH_LINE, "vpoint run kept.toml model.widths=[3,1]"), 3, "brackets, * and ? are to be quoted"),
    (block("sh", "ls *.md"), 2, "brackets, * and ? are to be quoted"),
    (block("sh", "ls  # all files"), 2, "a comment in a block of commands"),
    (block("sh", "echo 'open"), 2, "not a command"),
]

ALLOWED = [
    "[a](other.md) [b](other.md#in-words-and-code) [c](other.md#twice-1)\n"
    "[d](sub/page.md) [e](sub) [f](https://example.org/x#y) [g](#here)\n# Here",
    "`[a](missing.md)` and `scripts/tool_<name>.sh`, `scripts/tool.sh`, `scripts`",
    "x" * 120 + "\n| " + "x" * 200 + " |\n" + block("", "x" * 200, "[a](missing.md)"),
    block("text", "cat gone.csv", "ls *.md"),
    block("toml", "# file: a.toml", 'name = "mine"') + "\n"
    + block("sh", PATH_LINE, "vpoint run a.toml 'model.widths=[3,1]' train.seed=0..2", "vpoint report results/mine",
            "vpoint check results/mine || echo \"exit code $?\""),
    block("sh", PATH_LINE, "vpoint run kept.toml --out results/x --shard 1/3", "cut -d, -f2- results/x/runs.csv > some.csv",
          "head some.csv"),
    block("python", "# file: make.py", "pass") + "\n" + block("sh", "python3 make.py made.csv", "cat made.csv"),
    block("sh", PATH_LINE, "vpoint run kept.toml", "vpoint status results/kept", "build/release/vpoint --help"),
]


def run_check(*arguments, **options):
    done = subprocess.run([sys.executable, CHECK, *map(str, arguments)], capture_output=True, text=True, **options)
    return done.returncode, done.stdout, done.stderr


class Tree(unittest.TestCase):
    """A temporary repository of four files."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name).resolve() / "repository"
        self.write("other.md", "## In words, and `code`\n## Twice\n## Twice\n" + block("", "# In a block"))
        self.write("sub/page.md", "[up](../other.md)")
        self.write("scripts/tool.sh", "echo tool")
        self.write("kept.toml", 'name = "kept"')

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")


class CheckDocs(Tree):
    def test_each_fault_is_reported_with_file_and_line(self):
        for text, line, expected in FAULTS:
            with self.subTest(text=text):
                self.write("page.md", text)
                code, out, err = run_check(self.root)
                self.assertEqual(code, 1, err)
                self.assertEqual(len(out.splitlines()), 1, out)
                self.assertTrue(out.startswith(f"page.md:{line}: "), out)
                self.assertIn(expected, out)

    def test_what_is_allowed_is_not_reported(self):
        for text in ALLOWED:
            with self.subTest(text=text):
                self.write("page.md", text)
                self.assertEqual(run_check(self.root), (0, "docs: clean\n", ""))

    def test_every_fault_is_reported_not_only_the_first(self):
        self.write("page.md", "[a](missing.md)\n\n[b](gone.md)")
        self.write("sub/page.md", "x" * 121)
        _, out, _ = run_check(self.root)
        self.assertEqual([line.split(": ")[0] for line in out.splitlines()], ["page.md:1", "page.md:3", "sub/page.md:1"])

    def test_the_readme_has_limits_of_lines_and_of_words(self):
        self.write("README.md", "word " * 11 + ("\n" + "word " * 11) * 99)
        self.assertEqual(run_check(self.root)[0], 0)
        self.write("README.md", "word " * 12 + ("\n" + "word " * 11) * 99)
        self.assertEqual(run_check(self.root)[1], "README.md:100: 1101 words; at most 1,100\n")
        self.write("README.md", "\n" * 129)
        self.assertEqual(run_check(self.root)[0], 0)
        self.write("README.md", "\n" * 130)
        self.assertEqual(run_check(self.root)[1], "README.md:131: 131 lines; at most 130\n")
        self.write("sub/README.md", "\n" * 500)
        self.assertEqual(len(run_check(self.root)[1].splitlines()), 1)

    def test_an_empty_tree_is_not_clean(self):
        empty = self.root / "empty"
        empty.mkdir()
        self.assertEqual(run_check(empty)[0], 1)

    def test_wrong_arguments_exit_with_2(self):
        for arguments in (["--bogus"], [self.root / "none"], [self.root, "--run", "none.md"], [self.root, "--program", "x"]):
            with self.subTest(arguments=arguments):
                self.assertEqual(run_check(*arguments)[0], 2)
        self.write("page.md", block("sh", PATH_LINE, "vpoint --help"))
        code, _, err = run_check(self.root, "--run", "page.md")
        self.assertEqual(code, 2)
        self.assertIn("there is no such program", err)

    def test_the_repository_itself_is_clean(self):
        self.assertEqual(run_check(), (0, "docs: clean\n", ""))

    def test_the_repository_is_read_without_git_too(self):
        self.assertEqual(run_check(env={**os.environ, "PATH": "/nowhere"}), (0, "docs: clean\n", ""))


class RunPage(Tree):
    """--run, on pages that need no program, and with a program of three lines."""

    def test_commands_run_in_order_in_a_copy(self):
        self.write("page.md", "\n".join(["# Page", block("text", "exit 5"),
                                         block("sh", "X=3", "cat a.toml > copy.txt", "bash scripts/tool.sh"),
                                         block("sh not-run", "exit 6"), block("toml", "# file: a.toml", "x = 1"),
                                         block("sh", 'test "$X" = 3', "grep 'x = 1' copy.txt")]))
        code, out, err = run_check(self.root, "--run", "page.md")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out.splitlines()[-1], "page.md: every command ran; 1 blocks left out")
        self.assertFalse((self.root / "copy.txt").exists())

    def test_the_first_command_that_fails_is_named_by_its_line(self):
        self.write("page.md", "\n".join(["# Page", block("sh", "true", "false || true", "(exit 7)", "touch after"), block("sh", "exit 8")]))
        code, out, _ = run_check(self.root, "--run", "page.md")
        self.assertEqual(code, 1)
        self.assertEqual(out, "page.md:5: exit code 7: (exit 7)\n")

    def test_a_pipe_and_an_unset_variable_fail_too(self):
        self.write("page.md", "# Page\n" + block("sh", "false | true"))
        self.assertEqual(run_check(self.root, "--run", "page.md")[:2], (1, "page.md:3: exit code 1: false | true\n"))
        self.write("page.md", "# Page\n" + block("sh", 'echo "$NOT_SET_ANYWHERE"'))
        self.assertEqual(run_check(self.root, "--run", "page.md")[0], 1)

    def test_what_the_page_promises_must_be_printed(self):
        commands = block("sh", "printf 'seen  12 of 3.5e-3\\nits tail is long\\n'")
        self.write("page.md", "# Page\n" + commands + "\n" + block("", "seen 7 of -2", "its tail ...", ""))
        self.assertEqual(run_check(self.root, "--run", "page.md")[0], 0)
        self.write("page.md", "# Page\n" + commands + "\nAs follows:\n" + block("", "seen 7 of -2", "unseen"))
        code, out, _ = run_check(self.root, "--run", "page.md")
        self.assertEqual((code, out.splitlines()[-1]), (1, "page.md:8: the commands do not print: unseen"))
        self.write("page.md", "# Page\n" + block("", "before any command") + "\n" + commands + "\n" + block("text", "an example"))
        self.assertEqual(run_check(self.root, "--run", "page.md")[0], 0)

    def test_the_program_is_found_by_its_name(self):
        program = self.root / "program"
        program.write_text('#!/bin/sh\necho "program $*"\n', encoding="utf-8")
        program.chmod(0o755)
        self.write("page.md", "# Page\n" + block("sh", PATH_LINE, "vpoint run kept.toml"))
        code, out, _ = run_check(self.root, "--run", "page.md", "--program", program)
        self.assertEqual((code, out.splitlines()[0]), (0, "program run kept.toml"))


if __name__ == "__main__":
    unittest.main()
