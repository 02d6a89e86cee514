"""The page in headless Chromium: it runs without errors, sorts, filters.

The page under test gets one more script, which plays the user and writes what it saw into the
body's `data-seen`; Chromium prints the resulting document.
"""

import dataclasses
import html as html_module
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from synthetic_study import study

from simcons.figures import catalogue, style
from simcons.figures.selection import correlation, ordered_datasets, pair_values
from simcons.figures.words import number
from simcons.report import Picture, ReportInputs, render

pytestmark = pytest.mark.browser

PNG = style.png_bytes(style.new_figure(1, 1), dpi=20)  # the words are tested, not the picture

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=3000", "--enable-logging=stderr",
)  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return name
    message = "no Chromium: apt-get install chromium (or put `chromium` on the PATH)"
    if os.environ.get("SIMCONS_REQUIRE_SERVICES") == "1":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def figures():
    return study(4, 9)


@pytest.fixture(scope="module")
def page(figures) -> str:
    pictures = [
        Picture(e.name, e.section, *e.figure.description, png=PNG, measure=e.measure)
        for e in catalogue(figures)
        if e.name.startswith(("scatter", "boxes_objective"))
    ]
    return render(ReportInputs(figures, pictures))


@pytest.fixture
def play(chromium, page, tmp_path):
    """Return a function: run a script (statements that return a value) in the page, or another."""

    def run(script: str, page: str = page):
        spy = (
            f"<script>document.body.dataset.seen = JSON.stringify((() => {{{script}}})());</script>"
        )
        path = tmp_path / "index.html"
        path.write_text(page.replace("</body>", spy + "</body>"), encoding="utf-8")
        command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'user'}", "--dump-dom",
                   f"file://{path}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        assert errors == []
        found = re.search(r'data-seen="([^"]*)"', done.stdout)
        assert found, "the page's script did not run"
        return json.loads(html_module.unescape(found.group(1)))

    return run


def test_sorting_sorts_numbers_and_says_so(play):
    seen = play(
        """
        const table = document.getElementById("table-pairs");
        const button = table.tHead.rows[0].cells[2].querySelector("button");
        const read = () => [...table.tBodies[0].rows].map((r) => Number(r.cells[2].dataset.value));
        button.click(); const up = read(), first = table.tHead.rows[0].cells[2].ariaSort;
        button.click(); const down = read(), then = table.tHead.rows[0].cells[2].ariaSort;
        button.focus();
        return {up, down, first, then, focused: document.activeElement === button};
        """
    )
    assert seen["up"] == sorted(seen["up"])
    assert seen["down"] == sorted(seen["up"], reverse=True)
    assert len(set(seen["up"])) > 3
    assert (seen["first"], seen["then"]) == ("ascending", "descending")
    assert seen["focused"]


def test_text_in_a_column_of_numbers_sorts_last(play):
    seen = play(
        """
        const table = document.getElementById("table-gap");
        const k = [...table.tHead.rows[0].cells].findIndex((c) => c.textContent === "Interval");
        const body = table.tBodies[0], cell = body.rows[3].cells[k];
        delete cell.dataset.value; cell.textContent = "none: one family";
        const button = table.tHead.rows[0].cells[k].querySelector("button");
        const last = () => body.rows[body.rows.length - 1].cells[k].textContent;
        button.click(); const up = last(); button.click(); return [up, last()];
        """
    )
    assert seen == ["none: one family"] * 2


def test_typing_keeps_the_rows_that_hold_every_word(play):
    seen = play(
        """
        const table = document.getElementById("table-gap");
        const field = table.parentElement.previousElementSibling.querySelector("input");
        const type = (text) => { field.value = text; field.dispatchEvent(new Event("input"));
          return [...table.tBodies[0].rows].filter((r) => !r.hidden).map((r) => r.textContent); };
        const all = type("").length, some = type("  caltech  cka LINEAR ");
        return {all, some, told: field.nextElementSibling.textContent, none: type("xyzzy").length,
                again: type("").length, label: field.ariaLabel, tab: field.tabIndex};
        """
    )
    assert seen["all"] == seen["again"] == 4 * 7  # data sets x (2 x 3 measures, and errors)
    assert len(seen["some"]) == 2  # with the gap, and with error consistency
    assert all("CKA linear" in row and "Caltech-101" in row for row in seen["some"])
    assert seen["told"] == "2 of 28"
    assert seen["none"] == 0
    assert "Similarity, gap in accuracy" in seen["label"]
    assert seen["tab"] == 0


def test_the_measure_switch_shows_one_measure_at_a_time(play):
    seen = play(
        """
        const choice = document.getElementById("measure-switch");
        const shown = () => [...document.querySelectorAll("figure")]
          .filter((f) => !f.hidden).map((f) => f.id);
        const pick = (value) => { choice.value = value;
          choice.dispatchEvent(new Event("change")); return shown(); };
        return [shown(), pick("cka_rbf_0.4"), pick("")];
        """
    )
    assert seen[0] == ["figure-scatter_cka_linear", "figure-boxes_objective"]
    assert seen[1] == ["figure-scatter_cka_rbf_0.4", "figure-boxes_objective"]
    assert len(seen[2]) == 4


def test_nothing_is_wider_than_the_window(play):
    seen = play("return [document.documentElement.scrollWidth, window.innerWidth];")
    assert seen[0] <= seen[1]


HELPERS = """
    const $ = (id) => document.getElementById(`explore-${id}`);
    const pick = (id, value) => { $(id).value = value; $(id).dispatchEvent(new Event("change")); };
    const move = (target, over) => {
      const box = over.getBoundingClientRect();
      target.dispatchEvent(new PointerEvent("pointermove",
        {clientX: box.x + box.width / 2, clientY: box.y + box.height / 2, bubbles: true}));
    };
    const press = (target, key) =>
      target.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
    const tip = () => $("tip").hidden ? null : [...$("tip").children].map((e) => e.textContent);
"""


def same_group(figures, name: str):
    groups = figures.models["objective"].to_numpy()
    rows, columns = np.triu_indices(len(groups), 1)
    return (groups[rows] == name) & (groups[columns] == name)


def test_hovering_names_the_pair_and_its_values(play, figures):
    seen = play(
        HELPERS
        + """
        const circles = [...$("plot").querySelectorAll("circle")];
        const before = tip();
        move($("plot"), circles[circles.length - 2]);
        const over = tip();
        $("plot").dispatchEvent(new PointerEvent("pointerleave"));
        return {before, over, after: tip(), n: circles.length - 1, r: $("r").textContent};
        """
    )
    assert seen["before"] is None
    assert seen["after"] is None
    by_dataset = figures.similarities["cka_linear"]
    first = by_dataset["ds_00"]
    names, groups, *values = seen["over"]
    i, j = (first.models.index(name) for name in names.split(" × "))
    assert groups == " × ".join(figures.models.loc[names.split(" × "), "objective"])
    shown = sorted(value.rsplit(": ", 1)[1] for value in values)
    assert shown == sorted(f"{matrix.values[i, j]:.3f}" for matrix in shown_first(figures))
    assert seen["n"] == 36
    r = correlation(*(pair_values(matrix) for matrix in shown_first(figures)))
    assert seen["r"] == f"r = {number(r)} over 36 pairs of models"


@pytest.mark.parametrize("method", ["spearman", "kendall"])
def test_the_explorer_shows_the_main_correlation_of_the_study(play, figures, method):
    page = render(ReportInputs(dataclasses.replace(figures, method=method), []))
    seen = play("return document.getElementById('explore-r').textContent;", page)
    x, y = (pair_values(matrix).round(3) for matrix in shown_first(figures))
    r = number(correlation(x, y, method))
    assert seen == f"r = {r} over 36 pairs of models"
    assert r != number(correlation(x, y))


def shown_first(figures, measure="cka_linear"):
    """Return the matrices of the first two data sets in the page's order."""
    by_dataset = figures.similarities[measure]
    return [by_dataset[d] for d in ordered_datasets(figures.datasets, by_dataset)[:2]]


def test_filters_change_the_points_and_r(play, figures):
    seen = play(
        HELPERS
        + """
        const count = () => $("plot").querySelectorAll("circle").length - 1;
        const found = [count()];
        pick("first", "Supervised"); found.push(count());
        pick("second", "Supervised"); found.push(count(), $("r").textContent);
        pick("category", "architecture_class"); found.push(count(), $("first").value);
        pick("measure", "cka_rbf_0.4"); found.push($("r").textContent);
        $("y").selectedIndex = $("y").length - 2; $("y").dispatchEvent(new Event("change"));
        found.push($("plot").textContent.includes("gap in accuracy"));
        return found;
        """
    )
    everything, some, within, r_within, again, reset, r_rbf, gap_shown = seen
    assert (everything, some, within, again, reset) == (36, 21, 3, 36, "")
    first, second = shown_first(figures)
    inside = same_group(figures, "Supervised")
    r = correlation(pair_values(first)[inside], pair_values(second)[inside])
    assert r_within == f"r = {number(r)} over 3 pairs of models"
    r = correlation(*(pair_values(matrix) for matrix in shown_first(figures, "cka_rbf_0.4")))
    assert r_rbf == f"r = {number(r)} over 36 pairs of models"
    assert gap_shown


def test_error_consistency_can_be_seen_against_similarity(play, figures):
    seen = play(
        HELPERS
        + """
        const n = $("y").options.length; $("y").selectedIndex = n - 1;
        $("y").dispatchEvent(new Event("change"));
        press($("plot"), "ArrowRight");
        return {r: $("r").textContent, tip: tip(), axis: $("plot").textContent};
        """
    )
    first = ordered_datasets(figures.datasets, figures.datasets.index)[0]
    gap = figures.gap[
        (figures.gap["dataset"] == first) & (figures.gap["measure"] == "cka_linear")
    ].dropna()
    r = correlation(gap["similarity"].to_numpy(), gap["error_consistency"].to_numpy())
    assert seen["r"] == f"r = {number(r)} over 35 pairs of models"  # one has no defined value
    assert "error consistency" in seen["axis"]
    names = seen["tip"][0].split(" × ")
    row = gap[(gap["model_1"] == names[0]) & (gap["model_2"] == names[1])].iloc[0]
    assert seen["tip"][-1] == f"error consistency: {number(row['error_consistency'], 3)}"


def test_arrow_keys_go_through_points_and_cells(play):
    seen = play(
        HELPERS
        + """
        press($("plot"), "ArrowRight"); const first = tip();
        press($("plot"), "ArrowRight"); const second = tip();
        press($("plot"), "ArrowLeft"); const back = tip();
        press($("plot"), "Escape"); const gone = tip();
        press($("matrix"), "ArrowRight"); const cell = tip();
        const cells = [...$("matrix").querySelectorAll("rect")];
        move($("matrix"), cells[1 + 3]);
        return {first, second, back, gone, cell, hovered: tip(), tab: $("plot").tabIndex};
        """
    )
    assert seen["first"] == seen["back"] != seen["second"]
    assert seen["gone"] is None
    assert " × " in seen["cell"][0]
    assert " × " in seen["hovered"][0]
    assert seen["tab"] == 0
