#!/usr/bin/python3 -I
"""Checks the Markdown files of the repository, or runs the commands of one page.

Usage: check_docs.py [ROOT]                               ROOT: the repository; default: the one this script lies in
       check_docs.py [ROOT] --run PAGE [--program FILE]   FILE: the built program; default: ROOT/build/release/vpoint

Checked, of every tracked *.md (of every *.md where there is no git):
  - relative links lead to files and anchors that exist; files of the rooms that are named in `code` exist, except in CHANGELOG.md
  - no line is longer than 120 columns, except in tables and code blocks; README.md has at most 130 lines and 1,100 words
  - a block of any language whose first line is `# file: NAME` has a relative name that is new; a NAME.toml is TOML
  - in a block `sh`: scripts and files that a command names exist, or an earlier command or block of the page makes them; `vpoint` comes
    after the line that exports PATH; brackets and * are quoted, and there are no comments, as an interactive zsh needs it

--run copies the tracked files to a temporary directory, with FILE as build/release/vpoint, writes the page's `# file: NAME` blocks,
and runs all blocks `sh` in order under bash -euo pipefail. Blocks `sh not-run` are left out. Each line of a block without a language
behind them must be among what they print, apart from numbers; `...` at the end of a line stands for any rest.

Each fault is a line `file:line: what`. Exit code: 0 if there is none, 1 if there is one or a command fails, 2 for a wrong argument.
Standard library only.
"""
import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

COLUMNS = 120
README_LINES, README_WORDS = 130, 1100

FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*(.*)$")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")
CODE = re.compile(r"(`+)(.+?)\1")
HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
NAMED_FILE = re.compile(r"#\s*file:\s*(\S+)\s*$")
ROOM_FILE = re.compile(r"(?:kernels|models|experiments|scripts|tests|docs)/[\w./-]+")
FILE_WORD = re.compile(r"[\w.+-]+(?:/[\w.+-]+)*/?")
SUFFIXES = (".toml", ".py", ".sh", ".csv", ".safetensors", ".html", ".json", ".md", ".txt", ".gz")
OPERATORS = set(";&|<>()")


@dataclass
class Block:
    line: int    # of its first line of text, from 1
    info: str    # what stands behind the backticks
    text: list   # lines

    @property
    def is_shell(self):
        return self.info.split()[:1] == ["sh"]

    @property
    def is_run(self):
        return self.info.split() == ["sh"]

    @property
    def file(self):
        match = NAMED_FILE.match(self.text[0]) if self.text else None
        return match[1] if match else None


@dataclass
class Page:
    path: str
    lines: list
    prose: list    # (line number, text) outside code blocks
    blocks: list
    open_fence: int = 0    # line of a fence that is never closed


def read_page(root, path):
    page = Page(path, (root / path).read_text(encoding="utf-8").splitlines(), [], [])
    block = fence = None
    for number, line in enumerate(page.lines, 1):
        match = FENCE.match(line)
        if block is None and match:
            block, fence = Block(number + 1, match[2].strip(), []), match[1]
        elif block is None:
            page.prose.append((number, line))
        elif match and match[1].startswith(fence) and not match[2]:
            page.blocks.append(block)
            block = None
        else:
            block.text.append(line)
    if block is not None:
        page.open_fence = block.line - 1
    return page


def is_source(name):
    """Whether a file is one of the repository as far as its name tells: not built, not a result, not hidden."""
    if name.parts[0] == "results" and name.parts[1] not in ("README.md", "reference"):
        return False
    return name.parts[0] != "build" and not any(part.startswith(".") or part == "__pycache__" for part in name.parts[:-1])


def repository_files(root):
    """Tracked files that are there; without git, or in a tree that git does not know, those whose names are of the repository."""
    if (root / ".git").exists() and shutil.which("git"):
        done = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True)
        if done.returncode == 0:
            return sorted(name for name in done.stdout.split("\0") if name and (root / name).is_file())
    names = (file.relative_to(root) for file in root.rglob("*") if file.is_file())
    return sorted(str(name) for name in names if is_source(name))


def with_directories(files):
    known = {""}
    for name in files:
        known.add(name)
        known.update(str(parent) for parent in Path(name).parents if str(parent) != ".")
    return known


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for _, line in page.prose:
        match = HEADING.match(line)
        if not match:
            continue
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).replace("`", "").lower()
        slug = base = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        count = 0
        while slug in found:
            count += 1
            slug = f"{base}-{count}"
        found.add(slug)
    return found


class Checker:
    def __init__(self, root):
        self.root = root
        self.files = repository_files(root)
        self.known = with_directories(self.files)
        self.pages = {name: read_page(root, name) for name in self.files if name.endswith(".md")}
        self.faults = []

    def fault(self, page, line, what):
        self.faults.append((page.path, line, what))

    def check(self):
        for page in self.pages.values():
            if page.open_fence:
                self.fault(page, page.open_fence, "this code block is never closed")
            self.check_prose(page)
            self.check_named_files(page)
            CommandChecker(self, page).check()
        readme = self.pages.get("README.md")
        if readme:
            self.check_size(readme)
        return sorted(self.faults)

    def check_size(self, page):
        words = sum(len(line.split()) for line in page.lines)
        if len(page.lines) > README_LINES:
            self.fault(page, len(page.lines), f"{len(page.lines)} lines; at most {README_LINES}")
        if words > README_WORDS:
            self.fault(page, len(page.lines), f"{words} words; at most {README_WORDS:,}")

    def check_prose(self, page):
        for number, line in page.prose:
            if len(line) > COLUMNS and not line.lstrip().startswith("|"):
                self.fault(page, number, f"{len(line)} columns; at most {COLUMNS}")
            for target in LINK.findall(CODE.sub("", line)):
                self.check_link(page, number, target)
            if page.path != "CHANGELOG.md":
                for _, code in CODE.findall(line):
                    if ROOM_FILE.fullmatch(code) and not self.is_known(code):
                        self.fault(page, number, f"there is no {code}")

    def check_link(self, page, number, target):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            return
        path, _, anchor = target.partition("#")
        name = os.path.normpath(os.path.join(os.path.dirname(page.path), unquote(path))) if path else page.path
        name = "" if name == "." else name
        if not self.is_known(name):
            self.fault(page, number, f"broken link {target}: there is no {name}")
        elif anchor and name in self.pages and unquote(anchor) not in anchors(self.pages[name]):
            self.fault(page, number, f"broken link {target}: {name} has no heading of that name")

    def check_named_files(self, page):
        texts = {}
        for block in page.blocks:
            name = block.file
            if name is None:
                continue
            if name.startswith("/") or ".." in Path(name).parts or name in self.known:
                self.fault(page, block.line, f"# file: {name}: expected the relative name of a file that is not in the repository")
            if texts.setdefault(name, block.text) != block.text:
                self.fault(page, block.line, f"# file: {name}: written twice, with different texts")
            if block.info.split()[:1] == ["toml"]:
                if not name.endswith(".toml"):
                    self.fault(page, block.line, f"# file: {name}: expected a name that ends in .toml")
                try:
                    tomllib.loads("\n".join(block.text))
                except tomllib.TOMLDecodeError as error:
                    self.fault(page, block.line, f"# file: {name}: {error}")

    def is_known(self, name):
        return name.rstrip("/") in self.known


def shell_lines(block):
    """(number, text) of the block's commands; lines that end in a backslash are joined."""
    joined, start = "", None
    for number, line in enumerate(block.text, block.line):
        start = start or number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        yield start, joined + line
        joined, start = "", None
    if joined:
        yield start, joined


def unquoted(text):
    """The text with everything in quotes and behind backslashes blanked."""
    return re.sub(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.", lambda match: "_" * len(match[0]), text)


def simple_commands(text):
    """The words of each simple command of a line, and the files that are written by > and >>."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="".join(OPERATORS))
    lexer.whitespace_split, lexer.commenters = True, ""
    words, written, redirected = [], [], False
    for token in lexer:
        if set(token) <= OPERATORS:
            redirected = token in (">", ">>")
            if not redirected and words:
                yield words, written
                words, written = [], []
        elif redirected:
            written.append(token)
            redirected = False
        else:
            words.append(token)
    if words or written:
        yield words, written


class CommandChecker:
    """The blocks `sh` of one page, in order. A name counts as made once a block or an earlier command makes it."""

    def __init__(self, checker, page):
        self.checker, self.page = checker, page
        self.made = set()
        self.experiments = {}    # name on the page -> name of its results
        self.has_path = False

    def check(self):
        for block in self.page.blocks:
            if block.file:
                self.made.add(block.file)
                self.experiments[block.file] = self.result_name("\n".join(block.text))
            if block.is_shell:
                for number, text in shell_lines(block):
                    self.check_line(number, text)

    def fault(self, number, what):
        self.checker.fault(self.page, number, what)

    def check_line(self, number, text):
        bare = unquoted(text)
        if re.search(r"(^|\s)#", bare):
            self.fault(number, "a comment in a block of commands: an interactive zsh takes it for words")
            return
        if re.search(r"[\[\]*?]", bare):
            self.fault(number, "brackets, * and ? are to be quoted: zsh stops where they match no file")
        try:
            commands = list(simple_commands(text))
        except ValueError as error:
            self.fault(number, f"not a command: {error}")
            return
        for words, written in commands:
            self.check_command(number, words)
            self.made.update(written)

    def check_command(self, number, words):
        while words and re.match(r"[A-Za-z_]\w*=", words[0]):
            words = words[1:]
        if not words:
            return
        program, arguments = words[0], words[1:]
        if program == "export":
            self.has_path |= any(word.startswith("PATH=") for word in arguments)
            return
        if program == "vpoint" and not self.has_path:
            self.fault(number, "vpoint before the line that puts build/release into PATH")
        makes = self.made_by(program, arguments)
        for word in [program, *arguments]:
            for name in self.names_in(word):
                if name not in makes and not self.exists(name):
                    self.fault(number, f"there is no {name}, and nothing before makes it")
        self.made.update(makes)

    @staticmethod
    def names_in(word):
        value = re.sub(r"^-{0,2}[\w.]+=", "", word)
        if value.startswith("-") or re.fullmatch(r"\d+/\d+", value) or not FILE_WORD.fullmatch(value):
            return []
        return [value.rstrip("/")] if "/" in value or value.endswith(SUFFIXES) else []

    def exists(self, name):
        return name == "build" or name.startswith("build/") or self.checker.is_known(name) or any(
            name == made or name.startswith(made + "/") for made in self.made)

    def made_by(self, program, arguments):
        """Names that the command writes."""
        makes = set()
        for option, value in zip(arguments, arguments[1:] + [""]):
            if option == "--out" and value:
                makes.add(value.rstrip("/"))
            elif option.startswith(("--out=", "--benchmark_out=")):
                makes.add(option.partition("=")[2].rstrip("/"))
        if program in ("mkdir", "touch", "tee"):
            makes.update(word for word in arguments if not word.startswith("-"))
        elif program in ("cp", "mv") or (program == "find" and "-exec" in arguments):
            makes.add(arguments[-1])
        elif program in ("python3", "sh", "bash") and arguments and arguments[0] in self.made:
            makes.update(name for word in arguments[1:] for name in self.names_in(word))
        elif program == "scripts/run.sh":
            makes.add("results/quickstart")
        elif program == "vpoint" and len(arguments) > 1 and arguments[0] == "run":
            makes.add("results/" + self.results_of(arguments[1]))
        elif program == "vpoint" and "--summary" in arguments:
            makes.update([name.rpartition(".")[0] + ".csv" for name in makes])
        return makes

    @staticmethod
    def result_name(text):
        match = re.search(r'^name\s*=\s*"([^"]*)"', text, re.M)
        return match[1] if match else ""

    def results_of(self, experiment):
        if experiment in self.experiments:
            return self.experiments[experiment]
        if experiment in self.checker.files:
            return self.result_name((self.checker.root / experiment).read_text(encoding="utf-8"))
        return ""


def page_script(page):
    """The page's commands, each on the line that it has on the page, so that bash names that line. Line 1 is never in a block."""
    lines = [""] * (len(page.lines) + 1)
    lines[0] = """trap 'printf "%s" "$LINENO" >"$CHECK_DOCS_LINE"' ERR"""
    for block in page.blocks:
        if block.is_run:
            lines[block.line - 1:block.line - 1 + len(block.text)] = block.text
    return "\n".join(lines) + "\n"


def without_numbers(line):
    """A line of output as it may be on another machine: numbers and the width of columns do not count."""
    return re.sub(r"\s+", " ", re.sub(r"-?\d[\d.,:]*(e[-+]?\d+)?", "0", line)).strip()


def is_printed(line, printed):
    """Whether a promised line is there; "..." at its end stands for any rest."""
    wanted = without_numbers(line)
    if wanted.endswith("..."):
        start = wanted.removesuffix("...").strip()
        return any(other.startswith(start) for other in printed)
    return wanted == "" or wanted in printed


def missing_lines(page, output):
    """Lines of the page that promise output, as (line, text), that the commands did not print."""
    printed = {without_numbers(line) for line in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", output).replace("\r", "\n").splitlines()}
    missing, behind_commands = [], False
    for block in page.blocks:
        if block.is_run:
            behind_commands = True
        elif block.info or not behind_commands:
            behind_commands = False
        else:
            missing += [(block.line + i, line.strip()) for i, line in enumerate(block.text) if not is_printed(line, printed)]
    return missing


def run_page(checker, name, program):
    page = checker.pages[name]
    left_out = sum(block.is_shell and not block.is_run for block in page.blocks)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) / "repository"
        for file in checker.files:
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checker.root / file, place / file)
        for block in page.blocks:
            if block.file:
                (place / block.file).parent.mkdir(parents=True, exist_ok=True)
                (place / block.file).write_text("\n".join(block.text) + "\n", encoding="utf-8")
        if program.is_file():
            (place / "build" / "release").mkdir(parents=True)
            (place / "build" / "release" / "vpoint").symlink_to(program.resolve())
        script, failed = Path(temporary) / "page.sh", Path(temporary) / "line"
        script.write_text(page_script(page), encoding="utf-8")
        environment = {**os.environ, "CHECK_DOCS_LINE": str(failed)}
        done = subprocess.run(["bash", "-Eeuo", "pipefail", str(script)], cwd=place, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        print(done.stdout, end="")
        code = done.returncode
        missing = missing_lines(page, done.stdout)
        if code == 0 and missing:
            for line, what in missing:
                print(f"{name}:{line}: the commands do not print: {what}")
            return 1
        if code == 0:
            print(f"{name}: every command ran; {left_out} blocks left out")
            return 0
        number = int(failed.read_text()) if failed.exists() else 0
    what = page.lines[number - 1].strip() if number else "bash stopped; see its message"
    print(f"{name}:{number}: exit code {code}: {what}")
    return 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("Usage: ")[1].split("\n\n")[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--run", metavar="PAGE")
    parser.add_argument("--program", type=Path)
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    if not root.is_dir():
        parser.error(f"{arguments.root}: not a directory")
    checker = Checker(root)
    if arguments.run is None:
        if arguments.program is not None:
            parser.error("--program goes with --run")
        faults = checker.check()
        if not checker.pages:
            faults = [("README.md", 0, "no Markdown file was found")]
        for path, line, what in faults:
            print(f"{path}:{line}: {what}")
        if not faults:
            print("docs: clean")
        return 1 if faults else 0
    if arguments.run not in checker.pages:
        parser.error(f"{arguments.run}: no Markdown file of the repository; known: {', '.join(checker.pages)}")
    program = arguments.program or root / "build" / "release" / "vpoint"
    if not program.is_file() and any(re.search(r"\bvpoint\b", line) for block in checker.pages[arguments.run].blocks if block.is_run
                                     for line in block.text):
        parser.error(f"{program}: there is no such program; scripts/run.sh builds it, --program names another")
    return run_page(checker, arguments.run, program)


if __name__ == "__main__":
    sys.exit(main())
