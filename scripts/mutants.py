#!/usr/bin/python3
"""Plants the faults of tests/mutants/ one after the other and sees whether the test that is named with each of them notices.

Usage: mutants.py [--part I/N] [--only NAME]... [--time-limit SECONDS] [--build DIR] [--jobs N] [--list]

A fault is a file tests/mutants/ROOM/NAME.txt:

    What: one sentence.
    File: models/training/batch_engine.cpp
    After: text                     optional: the fault stands behind the first place of this text
    Test: models_tests Suite.Name   a test program and a GoogleTest filter, or a Python test and its unittest names
    Explained: why no test can see it     optional: it may survive
    - text that stands once in the file
    + what stands there instead, or nothing

The text is part of a line, or, with several lines of `-`, of neighbouring lines, whose indentation does not count. Several pairs of `-`
and `+` are planted together. The sources are copied to DIR first (default: build/mutants) and only the copy is changed, so that your tree
never is. Each named test must be green without a fault, and exist. A build that fails kills nothing.

Exit code: 0 if every fault that was tried was noticed or is explained, 1 if one survived, does not apply or does not build, 2 for a wrong
argument, 130 after Ctrl-C. Standard library only.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ["CMakeLists.txt", "docs", "kernels", "models", "experiments", "tests", "scripts", "results/README.md", "README.md"]
FIELDS = ("What", "File", "After", "Test", "Explained")
TEST_SECONDS = 180


class MutantError(Exception):
    """A fault that cannot be planted, or a test that is not there."""


@dataclass
class Mutant:
    name: str
    what: str
    file: str
    test: str
    after: str = ""
    explained: str = ""
    edits: list = field(default_factory=list)  # (old lines, new lines)

    @property
    def program(self):
        return self.test.split()[0]

    @property
    def filters(self):
        return self.test.split()[1:]


def parse(name, text):
    """The fault that the text of a file describes."""
    fields, edits = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("- ", "+ ")) or line in ("-", "+"):
            removed = line[0] == "-"
            if removed and (not edits or edits[-1][1]):
                edits.append(([], []))
            if not edits:
                raise MutantError(f"{name}, line {number}: \"+\" without a \"-\" before it")
            edits[-1][0 if removed else 1].append(line[2:])
        elif line.strip():
            key, colon, value = line.partition(":")
            if not colon or key not in FIELDS or key in fields or not value.strip():
                raise MutantError(f"{name}, line {number}: expected one of {', '.join(FIELDS)} once and with a value, or \"-\" or \"+\"")
            fields[key] = value.strip()
    missing = [key for key in ("What", "File", "Test") if key not in fields]
    if missing or not edits:
        raise MutantError(f"{name}: {', '.join(missing) or 'the text that is replaced'} is missing")
    if len(fields["Test"].split()) < 2:
        raise MutantError(f"{name}: Test: expected a test program and the names of its tests")
    return Mutant(name, fields["What"], fields["File"], fields["Test"], fields.get("After", ""), fields.get("Explained", ""), edits)


def read_mutants(root):
    """All faults of a tree, those of one source file beside each other, so that little is built between them."""
    folder = root / "tests" / "mutants"
    files = sorted(folder.rglob("*.txt"))
    mutants = [parse(file.relative_to(folder).with_suffix("").as_posix(), file.read_text(encoding="utf-8")) for file in files]
    return sorted(mutants, key=lambda m: (m.program, m.file, m.name))


def pattern_of(lines):
    """Matches the lines as parts of neighbouring lines: the first may begin, and the last end, within a line."""
    return re.compile(r"[ \t]*\n[ \t]*".join(re.escape(line.strip()) for line in lines))


def planted(mutant, source):
    """The source with the fault in it."""
    start = 0
    if mutant.after:
        start = source.find(mutant.after)
        if start < 0:
            raise MutantError(f"{mutant.name}: {mutant.file} does not contain \"{mutant.after}\"")
        start += len(mutant.after)
    head, tail = source[:start], source[start:]
    for old, new in mutant.edits:
        found = list(pattern_of(old).finditer(tail))
        if not found or (len(found) > 1 and not mutant.after):
            raise MutantError(f"{mutant.name}: stands {len(found)} times in {mutant.file}: {old[0].strip()}")
        at = found[0]
        tail = tail[:at.start()] + "\n".join([new[0].strip(), *new[1:]] if new else []) + tail[at.end():]
    if head + tail == source:
        raise MutantError(f"{mutant.name}: changes nothing")
    return head + tail


def copy_sources(root, to):
    """Brings `to` up to date with the tree; files that are the same keep their times, so that nothing is built again for them."""
    wanted = set()
    for entry in COPIED:
        for file in sorted((root / entry).rglob("*")) if (root / entry).is_dir() else [root / entry]:
            if not file.is_file() or "__pycache__" in file.parts:
                continue
            target = to / file.relative_to(root)
            wanted.add(target)
            if not target.is_file() or target.read_bytes() != file.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
    for entry in COPIED:
        for file in (to / entry).rglob("*"):
            if file.is_file() and file not in wanted and "__pycache__" not in file.parts:
                file.unlink()


def is_python(program):
    return program.endswith(".py")


class Tree:
    """The copy of the sources and what is built of it."""

    def __init__(self, build, jobs):
        # As the tree and its own build stand to each other, so that ccache knows what is the same.
        self.source, self.binary, self.jobs = build, build / "build" / "release", jobs

    def configure(self):
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        self.run(["cmake", "-S", self.source, "-B", self.binary, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", *launcher], check=True)

    def run(self, command, check=False, **kwargs):
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **kwargs)
        if check and done.returncode != 0:
            raise MutantError(f"{' '.join(map(str, command))}:\n{done.stdout[-4000:]}")
        return done

    def targets(self, program):
        if not is_python(program):
            return [program]
        return ["vpoint"] if program.startswith("tests/command_line/") else []

    def build(self, program):
        """Whether it builds, and the end of what the build says."""
        targets = self.targets(program)
        if not targets:
            return True, ""
        done = self.run(["ninja", "-C", self.binary, "-j", self.jobs, *targets])
        return done.returncode == 0, done.stdout[-2000:]

    def command(self, mutant):
        if is_python(mutant.program):
            python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
            return [python, "-B", self.source / mutant.program, *[self.binary / t for t in self.targets(mutant.program)], *mutant.filters]
        return [self.binary / "tests" / mutant.program, "--gtest_brief=1", "--gtest_filter=" + ":".join(mutant.filters)]

    def is_green(self, mutant):
        """Whether the named test passes, and what it says. A filter that finds no test is an error."""
        try:
            done = self.run(self.command(mutant), timeout=TEST_SECONDS, cwd=self.source)
        except subprocess.TimeoutExpired:
            return False, "not done after ten minutes"
        if re.search(r"\b0 tests from 0 test suites|Ran 0 tests|AttributeError: .* has no attribute", done.stdout):
            raise MutantError(f"{mutant.name}: there is no test {mutant.test}")
        return done.returncode == 0, done.stdout[-2000:]


class Campaign:
    """Tries faults in a tree and keeps what came of each."""

    def __init__(self, tree):
        self.tree, self.green, self.rows = tree, {}, []

    def is_green_without(self, mutant):
        """Each named test is run once without a fault."""
        if mutant.test not in self.green:
            built, said = self.tree.build(mutant.program)
            if not built:
                raise MutantError(f"{mutant.name}: {mutant.program} does not build without a fault:\n{said}")
            self.green[mutant.test] = self.tree.is_green(mutant)
        return self.green[mutant.test]

    def outcome(self, mutant):
        passes, said = self.is_green_without(mutant)
        if not passes:
            return "red without it", said
        path = self.tree.source / mutant.file
        original = path.read_bytes()
        try:
            path.write_text(planted(mutant, original.decode()), encoding="utf-8")
            built, said = self.tree.build(mutant.program)
            if not built:
                return "does not build", said
            passes, said = self.tree.is_green(mutant)
        finally:
            path.write_bytes(original)
        if not passes:
            return "killed", ""
        return ("explained", mutant.explained) if mutant.explained else ("survived", "")

    def add(self, mutant):
        start = time.monotonic()
        try:
            outcome, said = self.outcome(mutant)
        except (MutantError, OSError) as error:
            outcome, said = "error", str(error)
        self.rows.append((mutant, outcome))
        print(f"{outcome:14} {time.monotonic() - start:5.0f} s  {mutant.name:44} {mutant.test}", flush=True)
        if said and outcome != "explained":
            print("    " + said.strip().replace("\n", "\n    "), flush=True)


def chosen(mutants, part, only):
    """Those of the arguments; parts are neighbours in the list, so that they build little."""
    if only:
        names = {m.name for m in mutants}
        unknown = [name for name in only if name not in names]
        if unknown:
            raise SystemExit(f"mutants: there is no fault called {unknown[0]}; --list names all")
        return [m for m in mutants if m.name in only]
    index, count = part
    return mutants[(index - 1) * len(mutants) // count:index * len(mutants) // count]


def part_of(text):
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 1 to N, got {text}")
    return int(match[1]), int(match[2])


def arguments_of(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=part_of, default=(1, 1), metavar="I/N", help="the I-th of N parts of the list")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this fault; may be given several times")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="begin no further fault after that")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "mutants", metavar="DIR")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="compilations at a time")
    parser.add_argument("--list", action="store_true", help="print the faults and do nothing")
    return parser.parse_args(argv)


def summary(rows, left):
    counts = {}
    for _, outcome in rows:
        counts[outcome] = counts.get(outcome, 0) + 1
    text = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "nothing tried"
    return f"mutants: {text}" + (f"; {left} not tried: the time limit" if left else "")


def main(argv):
    options = arguments_of(argv)
    try:
        mutants = chosen(read_mutants(ROOT), options.part, options.only)
        if options.list:
            for m in mutants:
                print(f"{m.name}\n    {m.what}\n    {m.file}; {m.test}")
            print(f"{len(mutants)} faults")
            return 0
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        start = time.monotonic()
        tree = Tree(options.build.resolve(), options.jobs)
        copy_sources(ROOT, tree.source)
        tree.configure()
    except MutantError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 1
    campaign = Campaign(tree)
    try:
        for mutant in mutants:
            if options.time_limit and time.monotonic() - start > options.time_limit:
                break
            campaign.add(mutant)
    except KeyboardInterrupt:
        print(summary(campaign.rows, 0))
        return 130
    print(summary(campaign.rows, len(mutants) - len(campaign.rows)))
    return 0 if all(outcome in ("killed", "explained") for _, outcome in campaign.rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
