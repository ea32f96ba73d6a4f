#!/usr/bin/python3 -I
"""Proves the borders between the rooms kernels/, models/, experiments/ and tests/, and between their sub-rooms.

Usage: check_layers.py [ROOT]     ROOT: the repository; default: the one this script lies in
       check_layers.py --picture  the sub-rooms as graphs, for docs/architecture.md

Checked: an include of another sub-room stands in EDGES, which have no circle; a third-party header stands only in its one kind of file; no
room but experiments prints or opens files; a folder has at most MOST_FILES sources. Of the repository itself also: every edge is needed.
Each offence is a line `file:line: what`; exit 1 if there is one. Standard library only.
"""
import re
import sys
from fnmatch import fnmatch
from pathlib import Path

# The rooms that includes may lead to from files of a room, their own left out: "kernels" is what lies at the top of kernels/, its lists,
# "kernels/native" a sub-room. tests/ may include all.
EDGES = {
    "experiments": "experiments/cli",
    "experiments/claims": "experiments/config experiments/io experiments/results models/base",
    "experiments/cli": "experiments/claims experiments/config experiments/inspect experiments/io experiments/machine "
        "experiments/profile experiments/results experiments/sweep experiments/tasks experiments/verify kernels kernels/activation "
        "models models/base models/cells models/optimizers models/parameters models/probes models/recurrent",
    "experiments/config": "experiments/io experiments/tasks kernels/activation models models/base models/cells models/feed_forward "
        "models/optimizers models/parameters models/probes models/recurrent models/spec",
    "experiments/examples": "experiments/tasks models/cells models/probes models/spec models/training",
    "experiments/inspect": "experiments/config experiments/io experiments/results kernels/onednn models models/base models/cells "
        "models/parameters models/safetensors models/spec models/training",
    "experiments/io": "models/base",
    "experiments/machine": "experiments/io kernels kernels/onednn kernels/pointwise models/base",
    "experiments/profile": "experiments/io experiments/machine kernels kernels/activation kernels/backend kernels/bench kernels/memory "
        "kernels/onednn kernels/verify models models/base models/cells models/feed_forward models/optimizers models/recurrent "
        "models/spec models/training models/verify",
    "experiments/results": "experiments/config experiments/io experiments/machine experiments/tasks kernels models models/parameters "
        "models/safetensors models/spec",
    "experiments/sweep": "experiments/config experiments/io experiments/machine experiments/results experiments/tasks kernels/onednn "
        "models models/base models/recurrent models/training",
    "experiments/tasks": "experiments/io models/spec",
    "experiments/tasks/files": "experiments/io experiments/tasks models/spec",
    "experiments/tasks/synthetic": "experiments/tasks",
    "experiments/tasks/text": "experiments/io experiments/tasks experiments/tasks/files models/base",
    "experiments/verify": "experiments/io experiments/machine kernels kernels/backend kernels/verify models/base models/verify",
    "kernels": "kernels/backend kernels/pointwise",
    "kernels/activation": "kernels/simd",
    "kernels/backend": "kernels/activation kernels/memory",
    "kernels/bench": "kernels kernels/activation kernels/backend kernels/memory kernels/pointwise kernels/verify",
    "kernels/memory": "",
    "kernels/native": "kernels/activation kernels/backend kernels/memory kernels/pointwise kernels/simd",
    "kernels/onednn": "kernels/activation kernels/backend kernels/memory kernels/pointwise",
    "kernels/pointwise": "kernels/activation kernels/backend kernels/simd",
    "kernels/reference": "kernels/backend kernels/memory",
    "kernels/simd": "",
    "kernels/verify": "kernels kernels/activation kernels/backend kernels/memory kernels/pointwise",
    "models": "kernels models/cells models/feed_forward models/model models/optimizers models/parameters models/recurrent models/spec",
    "models/base": "kernels/onednn",
    "models/cells": "kernels/activation kernels/backend models/spec",
    "models/feed_forward": "kernels kernels/activation kernels/backend kernels/memory kernels/pointwise models/base models/model "
        "models/parameters models/spec",
    "models/model": "kernels/backend kernels/memory kernels/pointwise models/base models/parameters models/spec",
    "models/optimizers": "kernels/memory kernels/pointwise models/spec",
    "models/parameters": "models/base models/cells models/safetensors models/spec",
    "models/probes": "models/base models/model models/spec",
    "models/recurrent": "kernels kernels/activation kernels/backend kernels/memory models/base models/cells models/model models/parameters "
        "models/spec",
    "models/safetensors": "",
    "models/spec": "kernels/activation models/base",
    "models/training": "kernels/memory kernels/pointwise models models/base models/model models/optimizers models/parameters "
        "models/probes models/safetensors models/spec",
    "models/verify": "kernels kernels/activation kernels/verify models models/base models/cells models/feed_forward models/model "
        "models/optimizers models/parameters models/probes models/spec models/training",
}
EDGES = {room: others.split() for room, others in EDGES.items()}
TOP = ["kernels", "models", "experiments", "tests"]

# Files in one folder; the catalog and tests are lists of many alike.
MOST_FILES = 30

# (library, pattern of its headers, patterns of the files that may include them). The first row that matches a header decides.
THIRD_PARTY = [
    ("oneDNN", r"(oneapi/dnnl/.*|dnnl.*)", ["kernels/onednn/*"]),
    ("Highway", r"hwy/.*", ["kernels/*"]),
    ("TBB", r"(oneapi/)?tbb(/.*|\.h)", ["models/base/parallel.*", "experiments/sweep/scheduler.*"]),
    ("CLI11", r"CLI/.*", ["experiments/cli/command_line*.cpp"]),
    ("toml++", r"toml(\+\+/.*|\.hpp)", ["experiments/config/*toml*.cpp"]),
    ("Google Benchmark", r"benchmark/.*", ["kernels/bench/*.cpp", "experiments/profile/*"]),
    ("GoogleTest", r"(gtest|gmock)/.*", ["tests/*"]),
    ("Boost.Math", r"boost/.*", ["models/base/statistics.cpp", "experiments/claims/statistics.cpp"]),
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
    target = header.rpartition("/")[0]
    if target.split("/")[0] not in TOP:
        return f'"{header}" is not written from the repository root'
    if room == target or room.split("/")[0] == "tests" or target in EDGES.get(room, []):
        return None
    return f'{room}/ may not include {target}/: "{header}"'


def offences(path, source):
    """All offences of one file as (line, what); path is relative to the root, with forward slashes."""
    room, top = path.rpartition("/")[0], path.split("/")[0]
    silent = top in SILENT_ROOMS and not any(fnmatch(path, pattern) for pattern in SILENT_EXCEPT)
    for number, line in enumerate(without_comments_and_texts(source).splitlines(), 1):
        include = INCLUDE.match(line)
        if include:
            what = include_offence(path, room, include[1], include[2])
            if what:
                yield number, what
        for what, pattern in SPEAKING if silent else []:
            if re.search(pattern, line):
                yield number, f"{top}/ {what}: {line.strip()}"


def cycle(edges):
    """A way through the table that comes back to where it began, or None."""
    state, way = {}, []

    def visit(room):
        state[room] = "open"
        way.append(room)
        for other in edges.get(room, []):
            if state.get(other) == "open":
                return way[way.index(other):] + [other]
            found = visit(other) if other not in state else None
            if found:
                return found
        way.pop()
        state[room] = "done"
        return None

    return next((found for room in edges if room not in state for found in [visit(room)] if found), None)


def check(root):
    """All offences of the tree as lines of text."""
    found, files, folders = [], 0, {}
    for top in TOP:
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".h", ".cpp") or not file.is_file():
                continue
            files += 1
            path = file.relative_to(root).as_posix()
            folder = path.rpartition("/")[0]
            folders[folder] = folders.get(folder, 0) + 1
            found += [f"{path}:{line}: {what}" for line, what in offences(path, file.read_text(encoding="utf-8"))]
    for folder, count in folders.items():
        if count > MOST_FILES and not folder.startswith("tests"):
            found.append(f"{folder}: {count} files, at most {MOST_FILES} are allowed; give it sub-rooms")
        if folder not in EDGES and not folder.startswith("tests"):
            found.append(f"{folder}: no line of EDGES says what it may include")
    way = cycle(EDGES)
    if way:
        found.append("EDGES go in a circle: " + " -> ".join(way))
    if files == 0:
        found.append(f"{root}: there is no source file in {', '.join(TOP)}")
    return found


def unused_edges(root):
    """Lines of EDGES that no include needs."""
    used = set()
    for room in EDGES:
        for file in [*(root / room).glob("*.h"), *(root / room).glob("*.cpp")]:
            for line in without_comments_and_texts(file.read_text(encoding="utf-8")).splitlines():
                include = INCLUDE.match(line)
                if include and include[1] == '"':
                    used.add((room, include[2].rpartition("/")[0]))
    return [f"EDGES allow {room} -> {other}, which no file needs" for room in EDGES for other in EDGES[room] if (room, other) not in used]


def picture():
    """The rooms as Mermaid graphs: one of each room's sub-rooms, without the edges that follow from others."""

    def reach(room, seen):
        for other in EDGES[room]:
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen

    parts = []
    for top in TOP[:3]:
        lines = [f"**{top}/**", "", "```mermaid", "graph TD"]
        for room in EDGES:
            if room.split("/")[0] != top:
                continue
            near = [other for other in EDGES[room] if other.split("/")[0] == top]
            needed = [o for o in near if not any(o in reach(other, set()) for other in near if other != o)]
            name = room.replace("/", "_")
            lines.append(f'  {name}["{room.partition("/")[2] or top + " (its lists)"}"]')
            lines += [f'  {name} --> {other.replace("/", "_")}' for other in needed]
        parts.append("\n".join([*lines, "```"]))
    return "\n\n".join(parts) + "\n"


def main(arguments):
    if arguments == ["--picture"]:
        print(picture(), end="")
        return 0
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    found = check(root) + (unused_edges(root) if not arguments else [])
    print("\n".join(found) if found else "layers: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
