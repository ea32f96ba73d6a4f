#!/usr/bin/python3
"""scripts/check_layers.py reports each planted offence, and nothing in what is allowed or in the real tree."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECK = ROOT / "scripts" / "check_layers.py"
sys.path.insert(0, str(CHECK.parent))
import check_layers  # noqa: E402

# path, line that offends, what must be said of it
OFFENCES = [
    ("kernels/a.cpp", '#include "models/spec/spec.h"', "kernels/ may not include models/"),
    ("kernels/a.h", '#include "experiments/io/csv.h"', "kernels/ may not include experiments/"),
    ("models/a.h", '#include "experiments/io/error.h"', "models/ may not include experiments/"),
    ("experiments/cli/a.cpp", '#include "tests/compare.h"', "experiments/cli/ may not include tests/"),
    ("kernels/simd/a.h", '#include "kernels/native/native_kernels.h"', "kernels/simd/ may not include kernels/native/"),
    ("kernels/native/a.cpp", '#include "kernels/verify/cases.h"', "kernels/native/ may not include kernels/verify/"),
    ("models/cells/a.cpp", '#include "models/training/trainer.h"', "models/cells/ may not include models/training/"),
    ("models/training/a.cpp", '#include "models/verify/same_bits.h"', "models/training/ may not include models/verify/"),
    ("experiments/io/a.cpp", '#include "experiments/config/config.h"', "experiments/io/ may not include experiments/config/"),
    ("experiments/results/a.cpp", '#include "experiments/claims/check.h"', "experiments/results/ may not include experiments/claims/"),
    ("models/a.cpp", '#include "spec.h"', "not written from the repository root"),
    ("kernels/product.cpp", "#include <oneapi/dnnl/dnnl.hpp>", "oneDNN header"),
    ("models/training/trainer.cpp", "#include <dnnl.hpp>", "oneDNN header"),
    ("tests/kernels/a_test.cpp", '#include "oneapi/dnnl/dnnl.hpp"', "oneDNN header"),
    ("models/a.cpp", '#include "hwy/highway.h"', "Highway header"),
    ("models/training/trainer.cpp", "#include <oneapi/tbb/parallel_for.h>", "TBB header"),
    ("models/training/trainer.h", "#include <tbb/task_arena.h>", "TBB header"),
    ("kernels/a.cpp", "#include <oneapi/tbb.h>", "TBB header"),
    ("experiments/sweep/runner.cpp", "#include <CLI/CLI.hpp>", "CLI11 header"),
    ("experiments/config/config.cpp", "#include <toml++/toml.h>", "toml++ header"),
    ("kernels/product.cpp", "#include <benchmark/benchmark.h>", "Google Benchmark header"),
    ("kernels/a.cpp", "#include <gtest/gtest.h>", "GoogleTest header"),
    ("experiments/io/a.h", "#include <gmock/gmock.h>", "GoogleTest header"),
    ("experiments/results/a.cpp", "#include <csv.h>", "libcsv header"),
    ("kernels/a.cpp", 'void f() { std::cout << "x"; }', "kernels/ prints"),
    ("models/a.cpp", "  std::cerr << 1;", "models/ prints"),
    ("models/a.cpp", '  printf("%d", 1);', "models/ prints"),
    ("kernels/a.h", '  fmt::print("x");', "kernels/ prints"),
    ("models/a.cpp", "#include <iostream>", "models/ includes a header for printing"),
    ("models/a.cpp", '  std::ifstream in("x");', "models/ opens files"),
    ("kernels/a.cpp", "#include <fstream>", "kernels/ opens files"),
    ("models/a.cpp", '  FILE* f = fopen("x", "r");', "models/ opens files"),
    ("models/a.cpp", "  int d = open(path, 0);", "models/ opens files"),
    ("kernels/a.cpp", "  void* p = mmap(nullptr, n, PROT_READ, MAP_PRIVATE, d, 0);", "kernels/ opens files"),
    ("models/a.cpp", "  int d = ::open(path, 0);", "models/ opens files"),
]

ALLOWED = [
    ("kernels/onednn/product.cpp", '#include "kernels/memory/aligned_buffer.h"\n#include <oneapi/dnnl/dnnl.hpp>'),
    ("kernels/pointwise/a.cpp", '#include "hwy/foreach_target.h"'),
    ("kernels/bench/kernel_benchmark.cpp", '#include <benchmark/benchmark.h>\nint main() { printf("x"); }'),
    ("models/base/parallel.cpp", "#include <oneapi/tbb/parallel_for.h>"),
    ("models/cells/a.cpp", '#include "kernels/backend/backend.h"\n// printf("in a comment"); std::cout\nauto text = "fopen(x) std::cout";'),
    ("kernels/memory/zeroed_memory.cpp", "  void* p = mmap(nullptr, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);"),
    ("models/cells/cell.h", '/* std::cerr\n #include "experiments/io/csv.h"\n */\nbool is_open(int); void reopen(); int z = gate.open(3);'),
    ("models/base/quote.h", "char q = '\"'; int fingerprint(int); char r = '\"';"),
    ("experiments/sweep/scheduler.cpp", "#include <oneapi/tbb/task_group.h>"),
    ("experiments/cli/command_line.cpp", "#include <CLI/CLI.hpp>\n#include <iostream>"),
    ("experiments/config/toml.cpp", "#include <toml++/toml.h>"),
    ("experiments/io/csv.cpp", '#include <csv.h>\n#include "experiments/io/csv.h"\n#include <fstream>'),
    ("tests/models/cell_test.cpp", '#include <gtest/gtest.h>\n#include "tests/compare.h"\n#include "models/cells/cell.h"'),
    ("tests/experiments/io/csv_test.cpp", '#include "experiments/io/csv.h"\n#include <fstream>'),
]


def run_check(*arguments):
    done = subprocess.run([sys.executable, CHECK, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


class CheckLayers(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")

    def test_each_offence_is_reported_with_file_and_line(self):
        for path, line, expected in OFFENCES:
            with self.subTest(path=path, line=line):
                self.write(path, "#pragma once\n\n" + line)
                code, out, err = run_check(self.root)
                self.assertEqual(code, 1, err)
                self.assertEqual(len(out.splitlines()), 1, out)
                self.assertTrue(out.startswith(f"{path}:3: "), out)
                self.assertIn(expected, out)
                (self.root / path).unlink()

    def test_what_is_allowed_is_not_reported(self):
        for path, text in ALLOWED:
            self.write(path, text)
        self.assertEqual(run_check(self.root), (0, "layers: clean\n", ""))

    def test_an_include_between_two_comments_counts(self):
        self.write("kernels/simd/a.h", '/* one */\n#include "models/spec/spec.h"\n/* two */')
        offence = 'kernels/simd/a.h:2: kernels/simd/ may not include models/spec/: "models/spec/spec.h"'
        self.assertEqual(run_check(self.root)[1].splitlines(), [offence])

    def test_every_offence_is_reported_not_only_the_first(self):
        self.write("models/a.cpp", '#include "experiments/io/csv.h"\nint x;\nvoid f() { puts("x"); }')
        self.write("kernels/a.cpp", '#include "models/spec/spec.h"')
        _, out, _ = run_check(self.root)
        self.assertEqual([line.split(": ")[0] for line in out.splitlines()], ["kernels/a.cpp:1", "models/a.cpp:1", "models/a.cpp:3"])

    def test_a_folder_has_its_line_and_is_small(self):
        self.write("models/attic/a.cpp", "int x;")
        for i in range(31):
            self.write(f"models/cells/a{i}.cpp", "int x;")
            self.write(f"tests/models/cells/a{i}.cpp", "int x;")
        self.assertEqual(run_check(self.root)[1].splitlines(), [
            "models/attic: no line of EDGES says what it may include",
            "models/cells: 31 files, at most 30 are allowed; give it sub-rooms",
        ])

    def test_a_circle_of_edges_is_found(self):
        self.assertEqual(check_layers.cycle({"a": ["b"], "b": ["c", "d"], "c": [], "d": ["b"]}), ["b", "d", "b"])
        self.assertIsNone(check_layers.cycle({"a": ["b", "c"], "b": ["c"], "c": []}))
        self.assertIsNone(check_layers.cycle(check_layers.EDGES))

    def test_an_edge_that_no_file_needs_is_found(self):
        self.write("kernels/native/a.cpp", '#include "kernels/simd/lanes-inl.h"')
        unused = check_layers.unused_edges(self.root)
        self.assertNotIn("EDGES allow kernels/native -> kernels/simd, which no file needs", unused)
        self.assertIn("EDGES allow kernels/native -> kernels/memory, which no file needs", unused)

    def test_the_picture_in_the_docs_is_that_of_the_table(self):
        text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
        self.assertIn(check_layers.picture(), text, "docs/architecture.md: paste what `scripts/check_layers.py --picture` prints")

    def test_an_empty_tree_is_not_clean(self):
        self.assertEqual(run_check(self.root)[0], 1)

    def test_the_real_tree_is_clean(self):
        self.assertEqual(run_check(), (0, "layers: clean\n", ""))


if __name__ == "__main__":
    unittest.main()
