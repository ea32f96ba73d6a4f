#!/usr/bin/python3
"""The report in headless Chromium: it draws every chart without an error, with labelled axes, and fits a phone.

Needs the Debian packages chromium, chromium-driver and python3-selenium (scripts/setup.sh --tests); without them it is skipped (exit
code 77).
"""
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from synthetic_results import a_claim, learning_rate_runs, quickstart_runs, write_results

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    webdriver = None

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-dev-shm-usage"]
CHARTS = """return [...document.querySelectorAll('.chart')].map(plot => ({
  lines: plot.querySelectorAll('.scatterlayer .trace').length,
  x: plot.querySelector('.xtitle')?.textContent ?? '', y: plot.querySelector('.ytitle')?.textContent ?? '',
  width: plot.querySelector('.main-svg').getBoundingClientRect().width, box: plot.getBoundingClientRect().width,
}));"""


def open_browser():
    options = Options()
    options.binary_location = shutil.which("chromium")
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)


class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        claims = [a_claim("first", "holds", text="<b>First</b> claim."), a_claim("second", "does not hold", text="Second claim.")]
        write_results(cls.folder / "gains", quickstart_runs(), title="Gains & <i>cells</i>", claims=claims, diverged=[5])
        write_results(cls.folder / "rates", learning_rate_runs(), diverged=[15], layers=2)
        for name in ("gains", "rates"):
            subprocess.run([sys.executable, "-I", ROOT / "scripts/report", cls.folder / name], check=True)
        cls.browser = open_browser()
        cls.addClassCleanup(cls.browser.quit)

    def load(self, name, width=1200, scheme="light", fragment=""):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.browser.get("about:blank")
        self.browser.get(f"file://{self.folder / name / 'report.html'}{fragment}")
        WebDriverWait(self.browser, 60).until(lambda b: b.execute_script("return document.documentElement.dataset.ready"))

    def run_script(self, script):
        return self.browser.execute_script(script)

    def test_no_errors_in_the_console(self):
        for name in ("gains", "rates"):
            self.load(name)
            self.assertEqual([entry for entry in self.browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")], [])

    def test_every_chart_has_lines_and_axis_titles_and_fills_its_box(self):
        for name, least in (("gains", 18), ("rates", 6)):
            self.load(name)
            charts = self.run_script(CHARTS)
            self.assertGreaterEqual(len(charts), least)
            for chart in charts:
                self.assertGreaterEqual(chart["lines"], 1, chart)
                self.assertTrue(chart["x"] and chart["y"], chart)
                self.assertLessEqual(abs(chart["width"] - chart["box"]), 1, chart)

    def test_verdicts_and_texts_are_there_as_text(self):
        self.load("gains")
        text = self.run_script("return document.body.innerText")
        for expected in ("Gains & <i>cells</i>", "1 of 2 claims hold", "1 diverged",
                         "holds <b>First</b> claim.", "does not hold Second claim."):
            self.assertIn(expected, text)

    def test_nothing_sticks_out_of_a_phone(self):
        for name in ("gains", "rates"):
            self.load(name, width=400)
            self.assertLessEqual(self.run_script("return document.documentElement.scrollWidth"), 400)
            self.assertTrue(all(chart["width"] <= 400 for chart in self.run_script(CHARTS)))

    def test_text_and_page_differ_in_light_and_in_dark(self):
        brightness = """const rgb = text => text.match(/\\d+/g).slice(0, 3).reduce((sum, v) => sum + +v / 3, 0);
            return [rgb(getComputedStyle(document.body).backgroundColor), rgb(getComputedStyle(document.querySelector('.xtitle')).fill)];"""
        for scheme, sign in (("light", 1), ("dark", -1)):
            self.load("gains", scheme=scheme)
            page, axis_title = self.run_script(brightness)
            self.assertGreater(sign * (page - axis_title), 150, (scheme, page, axis_title))

    def test_hover_text_is_legible_in_light_and_in_dark(self):
        look = """const plot = document.querySelector('.chart');
            Plotly.Fx.hover(plot, [{curveNumber: 0, pointNumber: 3}]);
            const rgba = text => text.match(/[\\d.]+/g).map(Number), box = plot.querySelector('.hoverlayer .hovertext');
            const fill = getComputedStyle(box.querySelector('path')).fill;
            const page = rgba(getComputedStyle(document.body).backgroundColor), shape = rgba(fill), part = shape[3] ?? 1;
            return [[0, 1, 2].map(i => part * shape[i] + (1 - part) * page[i]), box.textContent,
                    [...box.querySelectorAll('text')].filter(t => t.textContent).map(t => rgba(getComputedStyle(t).fill))];"""

        def luminance(rgb):
            channels = [v / 255 / 12.92 if v / 255 <= 0.03928 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb[:3]]
            return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]

        for scheme in ("light", "dark"):
            self.load("gains", scheme=scheme)
            box, text, colours = self.run_script(look)
            self.assertIn("rnn · tanh · recurrent gain 0.5", text)
            self.assertEqual(len(colours), 1, "all of the text stands in the one box")
            low, high = sorted([luminance(box), luminance(colours[0])])
            self.assertGreater((high + 0.05) / (low + 0.05), 7, (scheme, box, colours))  # WCAG's enhanced contrast

    def test_measured_columns_are_in_sight(self):
        self.load("rates", width=1280)
        right = self.run_script("""const heads = [...document.querySelectorAll('h2 ~ .scroll th')];
            return heads.find(th => th.textContent === 'test accuracy').getBoundingClientRect().right;""")
        self.assertLess(right, 1280)

    def test_a_legend_key_hides_its_lines_in_every_chart(self):
        self.load("gains")
        shown = "return document.querySelectorAll('.scatterlayer .trace').length"
        pressed = "return document.querySelectorAll('button.key[data-key=\"1\"]:not([aria-pressed=false])').length"
        before = self.run_script(shown)
        self.run_script("document.querySelector('button.key[data-key=\"1\"]').click()")
        self.assertLess(self.run_script(shown), before - 10)
        self.assertEqual(self.run_script(pressed), 0)
        self.run_script("document.querySelector('button.key[data-key=\"1\"]').click()")
        self.assertEqual(self.run_script(shown), before)

    def test_the_headline_alone_for_a_screenshot(self):
        self.load("gains", fragment="#headline")
        visible = self.run_script("return [...document.querySelectorAll('main > section')].filter(s => s.offsetParent).map(s => s.id)")
        self.assertEqual(visible, ["headline"])
        self.assertLess(float(self.run_script("return document.documentElement.dataset.height")), 1500)

    def test_screenshot_script(self):
        picture = self.folder / "picture.png"
        subprocess.run([ROOT / "scripts/screenshot.sh", self.folder / "gains", picture], check=True, stdout=subprocess.DEVNULL)
        data = picture.read_bytes()
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        self.assertEqual(width, 2400)
        self.assertTrue(1000 < height < 3000, height)


if __name__ == "__main__":
    if webdriver is None or not shutil.which("chromium") or not shutil.which("chromedriver"):
        print("skipped: needs chromium, chromium-driver and python3-selenium (scripts/setup.sh --tests)")
        sys.exit(77)
    unittest.main()
