"""The page in headless Chromium: it runs without errors, sorts, filters.

The page under test gets one more script, which plays the user and writes what it saw into the
body's `data-seen`; Chromium prints the resulting document.
"""

import html as html_module
import json
import os
import re
import shutil
import subprocess

import pytest
from synthetic_study import study

from simcons.figures import catalogue, style
from simcons.report import Picture, ReportInputs, render

pytestmark = pytest.mark.browser

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
def page() -> str:
    figures = study(4, 9)
    pictures = [
        Picture(e.name, e.section, *e.description, style.png_bytes(e.draw(), dpi=30), e.measure)
        for e in catalogue(figures)
        if e.name.startswith(("scatter", "boxes_objective"))
    ]
    return render(ReportInputs(figures, pictures))


@pytest.fixture
def play(chromium, page, tmp_path):
    """Return a function: run a script (an expression that yields JSON) in the page."""

    def run(script: str):
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
