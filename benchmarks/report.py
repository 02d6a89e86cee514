"""Size of the report at the paper's size, and how soon it can be used.

64 models x 23 data sets x 3 measures (simulated similarities, as in `consistency.py`, with all of
the analysis and every figure). Prints the size of the page and, for five fresh starts of headless
Chromium, the milliseconds from the start of the navigation until the page answers: until its
scripts have run and a hover over the plot has named a pair; and how long a change of the filter
takes. Needs Chromium.

    python benchmarks/report.py [--models 64] [--datasets 23] [--measures 3] [--draws 200]
        [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from consistency import CATEGORIES, halves, model_table, simulate
from simcons.consistency import Settings, analyse, gap_pairs, relate_performance, with_agreement
from simcons.core.errors import UserError
from simcons.figures import FigureInputs, save_all
from simcons.figures.schema import ANALYSIS_COLUMNS, median_intervals
from simcons.report import ReportInputs, load_pictures, render

MEASURES = ("cka_linear", "cka_rbf_0.4", "rsa_correlation_spearman")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--window-size=1280,900",
)  # fmt: skip
SPY = """<script>addEventListener("load", () => {
  const plot = document.getElementById("explore-plot");
  const tip = document.getElementById("explore-tip");
  const box = plot.querySelector("circle").getBoundingClientRect();
  plot.dispatchEvent(new PointerEvent("pointermove",
    {clientX: box.x + box.width / 2, clientY: box.y + box.height / 2, bubbles: true}));
  if (tip.hidden) throw new Error("hovering named no pair");
  const usable = performance.now(), first = document.getElementById("explore-first");
  first.selectedIndex = 1;
  first.dispatchEvent(new Event("change"));
  plot.getBoundingClientRect();
  document.body.dataset.seen = JSON.stringify({usable, filter: performance.now() - usable});
});</script></body>"""


def simulated(n_models: int, n_datasets: int, n_measures: int, draws: int) -> FigureInputs:
    """Return everything that the report shows, from simulated similarities."""
    rng = np.random.default_rng(0)
    models = model_table(n_models, rng).assign(family=lambda table: table.index)
    ids = list(models.index)
    similarities = {m: simulate(ids, n_datasets, rng) for m in MEASURES[:n_measures]}
    names = sorted(next(iter(similarities.values())))
    domains = ["Natural", "Specialised", "Structured"]
    datasets = pd.DataFrame(
        {"name": names, "domain": [domains[k % 3] for k in range(len(names))]}, index=names
    )
    matrices = {
        measure: {name: _Precise(m.models, m.values) for name, m in by_dataset.items()}
        for measure, by_dataset in similarities.items()
    }
    settings = Settings(
        categories=CATEGORIES, n_bootstrap=draws, n_permutations=draws, contrast="objective",
        strata=["architecture_class", "train_data_class"], given=["size_class"], anchors=ids[:8],
    )  # fmt: skip
    tables = analyse(matrices, models, settings, replicates=halves(similarities, 5, rng), threads=2)
    probes = pd.DataFrame(
        [
            (d, m, 0, float(a))
            for d in names
            for m, a in zip(ids, rng.random(len(ids)), strict=True)
        ],
        columns=["dataset", "model", "seed", "top1"],
    )
    scores = probes.rename(columns={"top1": "accuracy"})
    gap = pd.concat([gap_pairs(by, scores, measure=m) for m, by in matrices.items()])
    agreement = gap.drop_duplicates(["dataset", "model_1", "model_2"])
    agreement = agreement.assign(value=1 - agreement["gap"])
    return FigureInputs(
        similarities=matrices,
        models=models,
        datasets=datasets,
        consistency=tables.pop("consistency"),
        gap=with_agreement(gap, agreement),
        probes=probes,
        intervals=median_intervals(tables.pop("intervals"), 0.95),
        anchors=tables.pop("anchors"),
        relations=relate_performance(matrices, scores, agreement, models, n_bootstrap=draws),
        analysis={name: table for name, table in tables.items() if name in ANALYSIS_COLUMNS},
    )


class _Precise:
    """A similarity matrix with a standard error and a reliability."""

    def __init__(self, models: list[str], values: np.ndarray) -> None:
        self.models, self.values = models, values
        self.standard_error = np.full(values.shape, 0.01)
        self.reliability = 0.98


def opened(page: Path, chromium: str, folder: Path) -> dict[str, float]:
    """Open the page in a fresh browser and return its times in milliseconds."""
    spied = folder / "spied.html"
    spied.write_text(page.read_text(encoding="utf-8").replace("</body>", SPY), encoding="utf-8")
    user = tempfile.mkdtemp(dir=folder)
    command = [chromium, *FLAGS, f"--user-data-dir={user}", "--dump-dom", f"file://{spied}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    if found is None:
        raise UserError(f"the page did not answer: {done.stderr[-500:]}")
    return json.loads(html.unescape(found.group(1)))


def main() -> None:
    """Build the page, measure it, and print a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("models", 64), ("datasets", 23), ("measures", 3), ("draws", 200)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("error: no Chromium on the PATH")
    inputs = simulated(args.models, args.datasets, args.measures, args.draws)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        save_all(inputs, folder / "figures")
        drawn = time.perf_counter()
        page = folder / "index.html"
        text = render(ReportInputs(inputs, load_pictures(folder / "figures"), study="benchmark"))
        page.write_text(text, encoding="utf-8")
        rendered = time.perf_counter()
        times = [opened(page, chromium, folder) for _ in range(5)]
        if args.keep:
            shutil.copytree(folder, args.keep, dirs_exist_ok=True)
        found = {
            "figures_s": round(drawn - start, 1),
            "page_s": round(rendered - drawn, 1),
            "megabytes": round(page.stat().st_size / 1e6, 2),
            "usable_ms": [round(t["usable"]) for t in times],
            "usable_median_ms": round(statistics.median(t["usable"] for t in times)),
            "filter_median_ms": round(statistics.median(t["filter"] for t in times)),
        }
        print(json.dumps(found))


if __name__ == "__main__":
    main()
