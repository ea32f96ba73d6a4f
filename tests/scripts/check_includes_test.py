#!/usr/bin/python3
"""scripts/check_includes.py reports each name whose header is not included, and nothing in what is in order or in the real tree."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECK = ROOT / "scripts" / "check_includes.py"

# a line that uses a name, and the headers that must be asked for
OFFENCES = [
    ("std::int64_t n;", "<cstdint>"),
    ("std::uint8_t b;", "<cstdint>"),
    ("std::string s;", "<string>"),
    ("std::string_view s;", "<string_view>"),
    ("std::optional<int> o;", "<optional>"),
    ("std::function<void()> f;", "<functional>"),
    ("void f(int* p) { std::sort(p, p + 2); }", "<algorithm>"),
    ("void f(A& a) { std::ranges::sort(a); }", "<algorithm>"),
    ("void f(A& a, A& b) { std::memcpy(&a, &b, 4); }", "<cstring>"),
    ("auto p = std::make_unique<int>(3);", "<memory>"),
    ("std::vector<int> v;", "<vector>"),
    ("int i = std::numeric_limits<int>::max();", "<limits>"),
    ("double d = std::sqrt(2.0);", "<cmath>"),
    ("auto s = std::accumulate(a, b, 0);", "<numeric>"),
    ('throw std::runtime_error("x");', "<stdexcept>"),
]


def run_check(*arguments):
    done = subprocess.run([sys.executable, CHECK, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


class CheckIncludes(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")

    def test_each_missing_header_is_reported_with_file_and_line(self):
        for line, header in OFFENCES:
            for path in ("kernels/a.h", "tests/models/a.cpp"):
                with self.subTest(line=line, path=path):
                    self.write(path, "#pragma once\n#include <map>\n" + line)
                    code, out, err = run_check(self.root)
                    self.assertEqual(code, 1, err)
                    self.assertEqual(len(out.splitlines()), 1, out)
                    self.assertTrue(out.startswith(f"{path}:3: "), out)
                    self.assertIn(header, out)
                    (self.root / path).unlink()

    def test_the_header_itself_is_in_order(self):
        for line, header in OFFENCES:
            with self.subTest(line=line):
                self.write("kernels/a.h", f"#include {header}\n{line}")
                self.assertEqual(run_check(self.root), (0, "includes: clean\n", ""))

    def test_a_header_of_ours_counts_with_what_it_includes(self):
        self.write("kernels/a.h", "#include <string>")
        self.write("kernels/b.h", '#include "kernels/a.h"')
        self.write("models/c.cpp", '#include "kernels/b.h"\nstd::string s;')
        self.assertEqual(run_check(self.root), (0, "includes: clean\n", ""))
        self.write("kernels/d.h", "std::string t;")  # c.cpp includes both, but d.h does not stand alone
        self.write("models/c.cpp", '#include "kernels/b.h"\n#include "kernels/d.h"\nstd::string s;')
        self.assertEqual(run_check(self.root)[1], "kernels/d.h:1: std::string needs <string>\n")

    def test_comments_and_texts_use_nothing(self):
        self.write("kernels/a.h", '// std::string\nconst char* t = "std::vector";')
        self.assertEqual(run_check(self.root), (0, "includes: clean\n", ""))

    def test_an_empty_tree_is_not_clean(self):
        self.assertEqual(run_check(self.root)[0], 1)

    def test_the_real_tree_is_clean(self):
        self.assertEqual(run_check(), (0, "includes: clean\n", ""))


if __name__ == "__main__":
    unittest.main()
