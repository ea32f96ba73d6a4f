#!/usr/bin/python3
"""scripts/data/sentiment.py on an archive made up here: what it writes, and what it refuses. Nothing is fetched."""
import contextlib
import csv
import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path
from unittest import mock

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "data" / "sentiment.py"
specification = importlib.util.spec_from_file_location("sentiment", SCRIPT)
sentiment = importlib.util.module_from_spec(specification)
specification.loader.exec_module(sentiment)

TEXT = b'1_1\t-0.9\tit broke , "again"\r\n1_2\t0\tit is a box\r\n2_1\t2.5\tGood!'


def tar(name, data):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


class Sentiment(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.out = Path(self.directory.name) / "data" / "reviews.csv"

    def run_on(self, text, outer=sentiment.INNER, archive_hash=None, text_hash=None):
        """What the script prints, or the message it ends with."""
        archive = tar(outer, tar(sentiment.TEXT, text))
        path = Path(self.directory.name) / "archive.tar.gz"
        path.write_bytes(archive)
        printed = io.StringIO()
        with mock.patch.object(sentiment, "ARCHIVE_SHA256", archive_hash or hashlib.sha256(archive).hexdigest()), \
                mock.patch.object(sentiment, "TEXT_SHA256", text_hash or hashlib.sha256(text).hexdigest()), \
                mock.patch.object(sys, "argv", ["sentiment.py", "--archive", str(path), "--out", str(self.out)]), \
                contextlib.redirect_stdout(printed):
            try:
                sentiment.main()
            except SystemExit as end:
                return str(end)
        return printed.getvalue()

    def test_writes_every_sentence_and_says_what_chance_is(self):
        printed = self.run_on(TEXT)
        with open(self.out, newline="") as file:
            self.assertEqual(list(csv.reader(file)), [["id", "rating", "text"], ["1_1", "-0.9", 'it broke , "again"'],
                                                      ["1_2", "0", "it is a box"], ["2_1", "2.5", "Good!"]])
        self.assertIn("3 sentences, 1 positive, 1 negative, 1 neither; always answering positive is right for 50.0%", printed)
        self.assertEqual([entry.name for entry in self.out.parent.iterdir()], [self.out.name])

    def test_refuses_what_is_not_what_it_should_be(self):
        for part, arguments in (("expected SHA-256", {"archive_hash": "0" * 64}), ("expected SHA-256", {"text_hash": "0" * 64}),
                                ("is not in the archive", {"outer": "other.tar.gz"})):
            self.assertIn(part, self.run_on(TEXT, **arguments))
            self.assertFalse(self.out.exists())
        for text in (b"1_1\t1\tfine\n1_2\tgood", b"1_1\tnan\tfine"):
            self.assertIn(f"{sentiment.TEXT}:{text.count(b'fine') + text.count(b'good')}: expected an id", self.run_on(text))
            self.assertFalse(self.out.exists())

    def test_a_missing_archive_is_named(self):
        with mock.patch.object(sys, "argv", ["sentiment.py", "--archive", "none.tar.gz"]), self.assertRaises(SystemExit) as end:
            sentiment.main()
        self.assertIn("none.tar.gz: No such file", str(end.exception))

    def test_modules_of_the_current_directory_are_not_executed(self):
        here = Path(self.directory.name)
        for name in ("pip", "csv", "random"):
            (here / f"{name}.py").write_text("open('executed', 'w').close()\n")
        done = subprocess.run([SCRIPT, "--out", self.out], cwd=here, env=os.environ | {"PIP_NO_INDEX": "1"}, capture_output=True, text=True)
        self.assertIn("pip could not fetch", done.stderr)
        self.assertFalse((here / "executed").exists())


if __name__ == "__main__":
    unittest.main()
