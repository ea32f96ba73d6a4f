#!/usr/bin/python3
"""Writes docs/reference/ from what the program says of itself.

Usage: reference.py VPOINT [--check]     VPOINT: the program, as build/release/vpoint

--check writes nothing: exit 1 if a page is not what would be written. Standard library only.
"""
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"

# page: (title, sentences, [(list of the program, heading)])
PAGES = {
    "keys.md": ("Configuration keys", "A key stands in an experiment file, or behind it on the command line as `key=value`. A key in "
                "brackets belongs to one task, cell, optimiser, kind of model or probe.", [("keys", "")]),
    "choices.md": ("What can be chosen", "Names that keys take as values.",
                   [("models", "model.kind"), ("cells", "model.cell"), ("forms", "model.form"), ("activations", "Activations"),
                    ("inits", "init.scheme"), ("optimizers", "train.optimizer"), ("probes", "Probes"), ("tasks", "task.name")]),
    "claims.md": ("Keys of claims", "What may stand in a `[[claim]]` table. [guide/claims.md](../guide/claims.md) shows how to use it.",
                  [("claims", "")]),
    "columns.md": ("Columns", "Every column of every result file, but the configuration keys in `runs.csv`. "
                   "[results/README.md](../../results/README.md) gives the definitions.", [("columns", "")]),
    "program.md": ("The program", "What it gives back, and what it takes from its environment.",
                   [("exit_codes", "Exit codes"), ("environment", "Environment variables")]),
}


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def wrapped(text, width=118):
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def page(program, title, sentences, lists):
    text = f"# {title}\n\n{wrapped(sentences)}\n`scripts/reference.py` writes this page from what the program says of itself.\n"
    for name, heading in lists:
        done = subprocess.run([program, "list", name, "--json"], capture_output=True, text=True, check=True, cwd=ROOT)
        if heading:
            text += f"\n## {heading}\n"
        text += "\n| name | meaning |\n|---|---|\n"
        for item in json.loads(done.stdout):
            text += f"| `{item['name']}` | {cell(item['description'])} |\n"
    return text


def main(arguments):
    check = "--check" in arguments
    programs = [argument for argument in arguments if argument != "--check"]
    if len(programs) != 1:
        print("usage: reference.py VPOINT [--check]", file=sys.stderr)
        return 2
    stale = []
    for name, (title, sentences, lists) in PAGES.items():
        text = page(str(Path(programs[0]).resolve()), title, sentences, lists)
        file = FOLDER / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                FOLDER.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"docs/reference/{', '.join(stale)}: not what the program says; run scripts/reference.py {programs[0]}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
