#!/usr/bin/env -S python3 -I
"""Fetches human-rated English review sentences and writes them as the CSV file that the task `sentiment` reads.

Usage: sentiment.py [--out FILE] [--archive FILE]
  --out FILE       where to write; default results/data/amazon_reviews.csv, where the task looks (from the repository's root)
  --archive FILE   a vaderSentiment-3.3.2.tar.gz that is there already; then nothing is fetched

The text is that of amazonReviewSnippets_GroundTruth.txt: sentences from 300 product reviews, each with the mean rating by people, -4 to 4
(Hutto & Gilbert 2014, VADER; MIT licence). It lies in an archive within the source archive of the Python package vaderSentiment 3.3.2,
which pip fetches. Both are checked by SHA-256 before use. Nothing is installed; the file is written whole or not at all. Needs pip, else
the standard library only.
"""
import argparse
import csv
import hashlib
import io
import math
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "vaderSentiment==3.3.2"
ARCHIVE = "vaderSentiment-3.3.2.tar.gz"
ARCHIVE_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
TEXT = "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt"
TEXT_SHA256 = "11a9807a0974a2506a2d3b4851eaf69b3d6d20688ce4923adda2312a4f6dd6c2"
DEFAULT_OUT = Path(__file__).resolve().parents[2] / "results" / "data" / "amazon_reviews.csv"


def fail(message):
    sys.exit(f"sentiment.py: {message}")


def check(data, expected, name):
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        fail(f"{name}: expected SHA-256 {expected}, got {found}; it is another file, or damaged")
    return data


def fetch():
    """The bytes of the source archive. pip checks its hash before it runs anything of it."""
    with tempfile.TemporaryDirectory() as directory:
        requirements = Path(directory) / "requirements.txt"
        requirements.write_text(f"{PACKAGE} --hash=sha256:{ARCHIVE_SHA256}\n")
        command = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                   "--no-binary", ":all:", "--require-hashes", "--requirement", str(requirements), "--dest", directory]
        if subprocess.run(command).returncode != 0:
            fail(f"pip could not fetch {PACKAGE}; is pip installed for {sys.executable} (Debian: python3-pip), and is there a network?")
        return (Path(directory) / ARCHIVE).read_bytes()


def member(archive, name):
    """One file of a .tar.gz in memory."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        try:
            return tar.extractfile(name).read()
        except (KeyError, AttributeError):
            fail(f"{name} is not in the archive")


def is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def sentences(text):
    """Rows (id, rating, text); the id is <review>_<sentence>."""
    for number, line in enumerate(text.decode("utf-8").splitlines(), 1):
        fields = line.split("\t")
        if len(fields) != 3 or not is_number(fields[1]):
            fail(f"{TEXT}:{number}: expected an id, a rating and a text between tabs")
        yield [field.strip() for field in fields]


def write(rows, out):
    out.parent.mkdir(parents=True, exist_ok=True)
    half = out.with_name(out.name + ".part")
    with open(half, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "rating", "text"])
        writer.writerows(rows)
    os.replace(half, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    parser.add_argument("--archive", type=Path)
    arguments = parser.parse_args()
    try:
        archive = arguments.archive.read_bytes() if arguments.archive else fetch()
        inner = member(check(archive, ARCHIVE_SHA256, ARCHIVE), INNER)
        rows = list(sentences(check(member(inner, TEXT), TEXT_SHA256, TEXT)))
        write(rows, arguments.out)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    positive, negative = (sum(sign * float(rating) > 0 for _, rating, _ in rows) for sign in (1, -1))
    print(f"{arguments.out}: {len(rows)} sentences, {positive} positive, {negative} negative, {len(rows) - positive - negative} neither; "
          f"always answering positive is right for {positive / (positive + negative):.1%}")


if __name__ == "__main__":
    main()
