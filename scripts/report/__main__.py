"""Draws one self-contained page, DIR/report.html unless --out names another file, from the result files of an experiment.

Usage: python3 -I scripts/report DIR [--out FILE] [--of N]     N: runs of the whole sweep

Reads only DIR/{runs,curves,timesteps,layers,metrics,claims,timings}.csv, datapackage.json, manifest.json and config.toml; all but
runs.csv may be missing. Exit code 3, with a message, if something cannot be read or written. Data flow: results.py reads, arms.py sorts
the runs, sections.py makes the parts of the page with charts.py, this file puts them together. `bundle.sh` prints all of it as one
script, which runs from standard input as well. Run it with -I: what lies in the current directory is then never executed.
"""
import argparse
import errno
import html
import json
import os
import sys
import tempfile
from pathlib import Path

from arms import make_plan
from charts import Page
from packages import get_plotlyjs
from results import ReportError, fault, read_results
from sections import all_sections, header

# Charts have transparent backgrounds, and their text and grid take the page's colours from here: light, dark and print need no redrawing.
STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6575; --line: #dfe3ea; --page: #fff; --card: #f6f7f9;
  --good: #1d7f4f; --bad: #b3372b; --open: #8a5a00; --gap: #5f5a9c; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --soft: #a3adbd; --line: #333b48; --page: #14181f; --card: #1c222b; --good: #4cc38a; --bad: #f0796c;
    --open: #e0ae4c; --gap: #aaa5ee; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 1.5rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; } h2 { font-size: 1.35rem; margin: 2.6rem 0 .6rem; }
h3 { font-size: 1.05rem; margin: 0 0 .3rem; } h4 { font-size: .92rem; margin: 0 0 .1rem; text-align: center; }
p { margin: .4rem 0; max-width: 75ch; overflow-wrap: anywhere; } .lead { font-size: 1.08rem; color: var(--soft); }
small, figcaption, .facts { color: var(--soft); } figcaption, .facts, .legend, table { font-size: .88rem; }
.chips, .legend { display: flex; flex-wrap: wrap; gap: .3rem .6rem; align-items: center; }
.chips span { background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: .05rem .7rem; font-size: .88rem; }
figure, .claims li { break-inside: avoid; } figure { margin: 1.2rem 0 1.8rem; min-width: 0; }
figcaption { max-width: 95ch; margin-top: .2rem; }
.panels, .pair { display: grid; gap: .5rem 1.2rem; } .panels > *, .pair > * { min-width: 0; break-inside: avoid; }
@media (min-width: 620px) { .of2, .of3, .pair { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media (min-width: 960px), print { .of3 { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
.legend { margin-bottom: .35rem; color: var(--soft); }
.key { display: inline-flex; align-items: center; gap: .35rem; font: inherit; color: var(--ink); background: none; border: 0;
  padding: .1rem .2rem; }
.key i { width: 1.15rem; height: .32rem; border-radius: .16rem; print-color-adjust: exact; }
button.key { cursor: pointer; } .key[aria-pressed=false] { opacity: .4; text-decoration: line-through; }
.chart text { fill: var(--ink) !important; } .chart .hoverlayer text { fill: #fff !important; }
.chart .gridlayer path { stroke: var(--line) !important; } .chart:not(:hover) .modebar { visibility: hidden; }
.scroll { overflow: auto; max-height: 36rem; margin: .6rem 0; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .7rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--soft); background: var(--page); position: sticky; top: 0; } th[title]:not([title=""]) { cursor: help; }
td small { display: block; }
.claims { list-style: none; padding: 0; display: grid; gap: .6rem; } .facts { overflow-wrap: anywhere; }
.claims li { background: var(--card); border-left: .3rem solid var(--good); border-radius: .3rem; padding: .6rem .9rem; }
.verdict { font-weight: 700; color: var(--good); }
.claims .fails { border-color: var(--bad); } .fails .verdict, .chips .fails { color: var(--bad); }
.claims .inconclusive { border-color: var(--open); } .inconclusive .verdict, .chips .inconclusive { color: var(--open); }
.claims .incomplete { border-color: var(--gap); } .incomplete .verdict, .chips .incomplete { color: var(--gap); }
.partial { border-left: .3rem solid var(--bad); background: var(--card); padding: .4rem .9rem; border-radius: .3rem; }
.bar { display: flex; width: 16rem; } .bar i { height: .9rem; print-color-adjust: exact; }
details { margin: .6rem 0; } summary { cursor: pointer; }
pre { background: var(--card); padding: .8rem; border-radius: .3rem; overflow-x: auto; font-size: .82rem; }
.only-headline main > :not(#headline) { display: none; } .only-headline body { padding-bottom: 1rem; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; } .scroll { overflow: visible; max-height: none; } .bar { width: 6rem; }
  td, th { white-space: normal; padding: .1rem .3rem; } table { font-size: 7pt; } h2, h3 { break-after: avoid; }
}
"""

# #headline in the address leaves only the title and the first picture, for a screenshot. A key of a legend shows or hides its lines in
# every chart.
SCRIPT = """
if (location.hash === '#headline') document.documentElement.classList.add('only-headline');
const charts = JSON.parse(document.getElementById('charts').textContent);
const settings = {responsive: true, displaylogo: false, modeBarButtonsToRemove: ['select2d', 'lasso2d'],
                  toImageButtonOptions: {format: 'svg'}};
const drawn = charts.filter(c => document.getElementById(c.id).offsetParent !== null);
const ready = Promise.all(drawn.map(c => Plotly.newPlot(c.id, c.data, c.layout, settings)));
const root = document.documentElement;
ready.then(() => { root.dataset.ready = drawn.length; root.dataset.height = document.body.getBoundingClientRect().height; });
for (const key of document.querySelectorAll('button.key')) key.addEventListener('click', () => {
  const show = key.getAttribute('aria-pressed') !== 'true';
  for (const other of document.querySelectorAll('button.key'))
    if (other.dataset.key === key.dataset.key) other.setAttribute('aria-pressed', show);
  for (const chart of drawn) {
    const traces = chart.data.flatMap((trace, i) => trace.meta === key.dataset.key ? [i] : []);
    if (traces.length) Plotly.restyle(chart.id, {visible: show}, traces);
  }
});
const resize = () => drawn.forEach(c => Plotly.Plots.resize(c.id));
addEventListener('beforeprint', resize);
addEventListener('afterprint', resize);
"""


def page_text(results):
    plan, page = make_plan(results.tables["runs"], results.config), Page()
    title, head = header(results, plan)
    body = all_sections(page, plan, results)
    charts = json.dumps(page.charts, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="icon" href="data:,"><title>{html.escape(title)}</title><style>{STYLE}</style></head>\n'
            f'<body>{head}\n<main>{body}</main>\n'
            f'<noscript><p>The charts need JavaScript; the tables do not.</p></noscript>\n<script>{get_plotlyjs()}</script>\n'
            f'<script type="application/json" id="charts">{charts}</script>\n<script>{SCRIPT}</script></body></html>\n')


def write_page(path, text):
    """The old page or the new one stands there afterwards, never half of one."""
    temporary = None
    if os.path.lexists(path) and not path.is_file():
        raise ReportError(f"{path}: not a regular file, so it is not replaced by the page")
    try:
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=".report-", delete=False) as out:
            temporary = Path(out.name)
            out.write(text.encode(errors="backslashreplace"))  # a name of a directory may be no text
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        remedy = "; --out FILE writes the page elsewhere" if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) else ""
        raise ReportError(f"{fault(path, error)}{remedy}") from error


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/report", allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="FILE")
    parser.add_argument("--of", type=int, metavar="N")
    options = parser.parse_args(arguments)
    try:
        write_page(options.out or options.folder / "report.html", page_text(read_results(options.folder, options.of)))
    except ReportError as error:
        print(f"vpoint: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
