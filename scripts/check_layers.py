#!/usr/bin/python3 -I
"""Proves the borders between the rooms kernels/, models/, experiments/ and tests/.

Usage: check_layers.py [ROOT]     ROOT: the repository; default: the one this script lies in

Checked: includes go experiments -> models -> kernels (tests may include all); a third-party header stands only in its one kind of file;
no room but experiments prints or opens files. Each offence is a line `file:line: what`; exit 1 if there is one. Standard library only.
"""
import re
import sys
from fnmatch import fnmatch
from pathlib import Path

# A room and the rooms that its files may include.
MAY_INCLUDE = {
    "kernels": ["kernels"],
    "models": ["models", "kernels"],
    "experiments": ["experiments", "models", "kernels"],
    "tests": ["tests", "experiments", "models", "kernels"],
}

# (library, pattern of its headers, patterns of the files that may include them). The first row that matches a header decides.
THIRD_PARTY = [
    ("oneDNN", r"(oneapi/dnnl/.*|dnnl.*)", ["kernels/onednn/*"]),
    ("Highway", r"hwy/.*", ["kernels/*"]),
    ("TBB", r"(oneapi/)?tbb(/.*|\.h)", ["models/base/parallel.*", "experiments/sweep/scheduler.*"]),
    ("CLI11", r"CLI/.*", ["experiments/cli/command_line*.cpp"]),
    ("toml++", r"toml(\+\+/.*|\.hpp)", ["experiments/config/*toml*.cpp"]),
    ("Google Benchmark", r"benchmark/.*", ["kernels/bench/*.cpp", "experiments/profile/*"]),
    ("GoogleTest", r"(gtest|gmock)/.*", ["tests/*"]),
    ("libcsv", r"csv\.h", ["experiments/io/csv.cpp"]),
]

# Rooms that neither print nor open files, but for the kernel benchmark's program.
SILENT_ROOMS = ["kernels", "models"]
SILENT_EXCEPT = ["kernels/bench/*.cpp"]
SPEAKING = [
    ("prints",
     r"\bstd::(cout|cerr|clog|print|println)\b|\bfmt::print\b|\b(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror)\s*\("),
    ("includes a header for printing", r"^\s*#\s*include\s*<(iostream|print|fmt/ostream\.h|spdlog/.*)>"),
    ("opens files", r"\b(std::)?[io]?fstream\b|\bf(re|d)?open\s*\(|(?<![\w.>])(::)?open(at)?\s*\(|\bstd::filesystem\b|\bmmap\s*\((?!.*MAP_ANONYMOUS)"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def without_comments_and_texts(source):
    """The source with comments and the insides of string literals blanked; line numbers stay. Includes keep their file names."""
    comment, include = r"//[^\n]*|/\*.*?\*/", r"(?P<include>^[ \t]*#[ \t]*include[^\n]*)"
    text, character = r'"(?:\\.|[^"\\\n])*"', r"'(?:\\.|[^'\\\n])+'"
    pattern = re.compile("|".join([comment, include, text, character]), re.S | re.M)

    def blank(match):
        if match["include"]:
            return match[0]
        text = match[0]
        return '""' if text[0] == '"' else "' '" if text[0] == "'" else re.sub(r"[^\n]", " ", text)

    return pattern.sub(blank, source)


def include_offence(path, room, quote, header):
    """What is wrong with one include of a file, or None."""
    for library, headers, allowed in THIRD_PARTY:
        if re.fullmatch(headers, header) and (quote == "<" or "/" in header):
            if not any(fnmatch(path, pattern) for pattern in allowed):
                return f"{library} header <{header}> belongs in {' or '.join(allowed)} only"
            return None
    if quote == "<":
        return None
    target = header.split("/")[0]
    if target not in MAY_INCLUDE:
        return f'"{header}" is not written from the repository root'
    if target not in MAY_INCLUDE[room]:
        return f'{room}/ may not include {target}/: "{header}"'
    return None


def offences(path, source):
    """All offences of one file as (line, what); path is relative to the root, with forward slashes."""
    room = path.split("/")[0]
    silent = room in SILENT_ROOMS and not any(fnmatch(path, pattern) for pattern in SILENT_EXCEPT)
    for number, line in enumerate(without_comments_and_texts(source).splitlines(), 1):
        include = INCLUDE.match(line)
        if include:
            what = include_offence(path, room, include[1], include[2])
            if what:
                yield number, what
        for what, pattern in SPEAKING if silent else []:
            if re.search(pattern, line):
                yield number, f"{room}/ {what}: {line.strip()}"


def check(root):
    """All offences of the tree as lines of text."""
    found, files = [], 0
    for room in MAY_INCLUDE:
        for file in sorted((root / room).rglob("*")):
            if file.suffix not in (".h", ".cpp") or not file.is_file():
                continue
            files += 1
            path = file.relative_to(root).as_posix()
            found += [f"{path}:{line}: {what}" for line, what in offences(path, file.read_text(encoding="utf-8"))]
    if files == 0:
        found.append(f"{root}: there is no source file in {', '.join(MAY_INCLUDE)}")
    return found


def main(arguments):
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    found = check(root)
    print("\n".join(found) if found else "layers: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
