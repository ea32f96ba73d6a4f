#!/usr/bin/python3
"""scripts/roofline.py and scripts/profile_csv.py on a small profile: every point in its place, errors left out or named, bad files refused."""
import csv
import json
import math
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SVG = "{http://www.w3.org/2000/svg}"


def row(name, time, flops=None, **more):
    counters = {} if flops is None else {"FLOPS": flops, "intensity": 16.0, "share_of_peak": flops / 2e11, "bytes": 100.0}
    entry = {"name": name, "run_name": name, "run_type": "iteration", "real_time": time, "time_unit": "us", "label": "made up"}
    return entry | counters | more


PROFILE = {
    "context": {"cpu": "A CPU <with> brackets", "host_name": "secret",
                "fma_peak_flops_per_s_threads_1": "2e11", "triad_bytes_per_s_threads_1": "1e10",
                "fma_peak_flops_per_s_threads_2": "4e11", "triad_bytes_per_s_threads_2": "1.2e10"},
    "benchmarks": [
        row("step/lstm/T1B1H1I1/native/threads:1/real_time", 10.0, 1.0e11),
        row("step/lstm/T1B1H1I1/native/threads:1/real_time", 14.0, 1.9e11),
        row("step/lstm/T1B1H1I1/native/threads:1/real_time", 11.0, 1.1e11),
        row("step/lstm/T1B1H1I1/onednn/threads:2/real_time", 12.0, 5e10, intensity=64.0),
        row("step/lstm/T1B1H1I1/native/threads:2/real_time", 0.0, 9e10, error_occurred=True, error_message="gradient is wrong"),
        row("onednn/product/1x1x1/real_time", 1.0, 9e10, time_unit="ms"),
        row("onednn/rnn_backward/1x1/real_time", 1.0),
        row("step/lstm/T1B1H1I1/native/threads:1/real_time_mean", 1.0, 9e15, run_type="aggregate"),
        row("machine/fma_peak/threads:1", 0.0, FLOPS=1.9e11),
    ],
}


class Scripts(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.profile = self.directory / "profile.json"
        self.profile.write_text(json.dumps(PROFILE), encoding="utf-8")

    def run_script(self, script, *arguments):
        return subprocess.run([sys.executable, str(SCRIPTS / script), *map(str, arguments)], capture_output=True, text=True, check=False)

    def drawn(self, *arguments):
        """The SVG's circles by title and its texts."""
        self.run_script("roofline.py", self.profile, self.directory / "out", *arguments)
        svg = ElementTree.parse(self.directory / "out.svg").getroot()
        circles = {circle.findtext(f"{SVG}title"): circle for circle in svg.iter(f"{SVG}circle") if circle.find(f"{SVG}title") is not None}
        return circles, [text.text for text in svg.iter(f"{SVG}text")], svg

    def test_points_are_medians_in_their_place(self):
        circles, texts, _ = self.drawn()
        one, two = "lstm/T1B1H1I1 native, 1 thread(s): 110.0 GFLOP/s", "lstm/T1B1H1I1 onednn, 2 thread(s): 50.0 GFLOP/s"
        self.assertEqual(set(circles), {one, two})  # no error row, no aggregate, no kernel
        self.assertLess(float(circles[one].get("cy")), float(circles[two].get("cy")))  # faster is higher
        self.assertLess(float(circles[one].get("cx")), float(circles[two].get("cx")))
        self.assertNotEqual(circles[one].get("fill"), "white")
        self.assertEqual(circles[two].get("fill"), "white")
        self.assertIn("1 thread: 200 GFLOP/s, triad 10.0 GB/s", texts)
        self.assertIn("2 threads: 400 GFLOP/s, triad 12.0 GB/s", texts)
        self.assertIn("lstm/T1B1H1I1", texts)

    def test_roof_bends_where_memory_meets_the_multipliers(self):
        circles, _, svg = self.drawn()
        roof = next(svg.iter(f"{SVG}polyline")).get("points").split()
        corners = [tuple(map(float, corner.split(","))) for corner in roof]
        self.assertEqual(len(corners), 3)
        self.assertEqual(corners[1][1], corners[2][1])  # flat behind the ridge
        self.assertGreater(corners[0][1], corners[1][1])
        at_16, at_64 = (float(circle.get("cx")) for circle in circles.values())
        ridge = math.log(20 / 16) / math.log(64 / 16)  # 2e11 / 1e10 = 20 FLOP/byte, on an axis of logarithms
        self.assertAlmostEqual((corners[1][0] - at_16) / (at_64 - at_16), ridge, delta=0.02)

    def test_filter_selects_other_rows(self):
        circles, _, _ = self.drawn("--filter", "product")
        self.assertEqual(list(circles), ["product/1x1x1 onednn, 1 thread(s): 90.0 GFLOP/s"])

    @unittest.skipIf(shutil.which("chromium") is None, "no chromium")
    def test_png_is_drawn(self):
        done = self.run_script("roofline.py", self.profile, self.directory / "out")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.directory / "out.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")

    def test_bad_profiles_are_refused(self):
        for content in ["", "[]", "{}", '{"context": {}, "benchmarks": [{}]}']:
            self.profile.write_text(content, encoding="utf-8")
            self.assertIn(self.run_script("roofline.py", self.profile, self.directory / "out").returncode, (2, 3), content)
            self.assertFalse((self.directory / "out.svg").exists())
        self.assertEqual(self.run_script("roofline.py", self.directory / "nowhere.json", self.directory / "out").returncode, 3)

    def test_table(self):
        done = self.run_script("profile_csv.py", self.profile, self.directory / "out.csv", self.directory / "manifest.json")
        self.assertEqual(done.returncode, 0, done.stderr)
        with (self.directory / "out.csv").open(encoding="utf-8", newline="") as file:
            rows = {line["row"]: line for line in csv.DictReader(file)}
        self.assertEqual(len(rows), 5)  # aggregates and the machine's own rows are not in it
        native = rows["step/lstm/T1B1H1I1/native/threads:1"]
        self.assertEqual((native["median_us"], native["quartile1_us"], native["quartile3_us"]), ("11", "10.5", "12.5"))
        self.assertEqual((native["repetitions"], native["gflops"], native["share_of_peak"], native["threads"]), ("3", "110", "0.55", "1"))
        self.assertEqual(native["variation"], "0.17843")  # sqrt(13/3) / (35/3)
        self.assertEqual(rows["onednn/product/1x1x1"]["median_us"], "1000")
        self.assertEqual(rows["onednn/product/1x1x1"]["variation"], "")
        wrong = rows["step/lstm/T1B1H1I1/native/threads:2"]
        self.assertEqual((wrong["error"], wrong["median_us"]), ("gradient is wrong", ""))
        manifest = json.loads((self.directory / "manifest.json").read_text(encoding="utf-8"))
        self.assertEqual(manifest["at_end"], {"machine/fma_peak/threads:1": 1.9e11})
        self.assertNotIn("host_name", manifest)


if __name__ == "__main__":
    unittest.main()
