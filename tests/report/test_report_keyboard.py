"""The page with real keys, in dark mode and printed, in headless Chromium."""

import base64
import re

import pytest
from devtools import Browser
from synthetic_study import study
from test_report_browser import PNG, chromium  # noqa: F401  (a fixture)

from simcons.figures import catalogue, style
from simcons.report import Picture, ReportInputs, render

pytestmark = pytest.mark.browser

HIGH = style.png_bytes(style.new_figure(1, 2), dpi=20)


@pytest.fixture(scope="module")
def browser(chromium, tmp_path_factory):  # noqa: F811
    figures = study(4, 9)
    folder = tmp_path_factory.mktemp("page")
    pictures = [
        Picture(e.name, e.section, *e.figure.description, measure=e.measure,
                png=HIGH if e.name == "accuracy" else PNG)
        for e in catalogue(figures)
        if e.name.startswith(("scatter", "accuracy"))
    ]  # fmt: skip
    page = folder / "index.html"
    page.write_text(render(ReportInputs(figures, pictures, params="a: 1\n")), encoding="utf-8")
    found = Browser(chromium, page, folder / "user")
    yield found
    found.close()


WHERE = """(() => { const e = document.activeElement, style = getComputedStyle(e);
  const box = e.getBoundingClientRect();
  return {id: e.id, tag: e.tagName, text: e.textContent.trim().slice(0, 40),
          outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
          seen: box.right > 0 && box.bottom > 0 && box.left < innerWidth}; })()"""


def test_tab_goes_through_the_page_in_order_and_can_be_seen(browser):
    browser.run("document.activeElement.blur(); scrollTo(0, 0)")
    stops = []
    for _ in range(400):
        browser.press("Tab")
        stop = browser.run(WHERE)
        if stop["tag"] == "BODY" or (stops and stop == stops[0]):
            break
        stops.append(stop)
    assert stops[0]["text"] == "Skip to the content"
    hidden = [stop for stop in stops if stop["outline"] < 2 or not stop["seen"]]
    assert hidden == []
    ids = [stop["id"] for stop in stops if stop["id"]]
    wanted = ["measure-switch", "explore-measure", "explore-plot", "explore-matrix"]
    assert [i for i in ids if i in wanted] == wanted
    n_headings = browser.run("document.querySelectorAll('table.sortable th').length")
    assert sum(stop["tag"] == "BUTTON" for stop in stops) == n_headings


def test_enter_sorts_by_the_heading_in_focus(browser):
    browser.run("document.querySelector('#table-pairs th:nth-child(3) button').focus()")
    read = """[...document.querySelector('#table-pairs').tBodies[0].rows]
        .map((r) => Number(r.cells[2].dataset.value))"""
    browser.press("Enter")
    up = browser.run(read)
    assert up == sorted(up)
    assert len(set(up)) > 3
    browser.press("Enter")
    assert browser.run(read) == up[::-1]
    assert browser.run("document.activeElement.closest('th').ariaSort") == "descending"


def test_escape_closes_a_tip_wherever_the_focus_is(browser):
    hidden = "document.getElementById('explore-tip').hidden"
    browser.run("document.getElementById('explore-plot').focus()")
    browser.press("ArrowRight")
    assert browser.run(hidden) is False
    browser.press("Escape")
    assert browser.run(hidden) is True
    browser.press("ArrowRight")
    assert browser.run(hidden) is False
    browser.press("Tab")  # the tip belongs to the plot that was left
    assert browser.run(hidden) is True
    browser.run("document.getElementById('measure-switch').focus()")
    browser.run("""(() => { const p = document.getElementById('explore-plot');
        const c = p.querySelectorAll('circle')[3].getBoundingClientRect();
        p.dispatchEvent(new PointerEvent('pointermove', {clientX: c.x, clientY: c.y})); })()""")
    assert browser.run(hidden) is False
    browser.press("Escape")
    assert browser.run(hidden) is True


def luminance(colour: str) -> float:
    channels = [int(c) / 255 for c in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_light_and_dark(browser, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", media="", features=features)
    for selector in ("p", ".lead", ".small", "a", "td", "th", "figcaption", ".toc a", "select",
                     ".card .number"):  # fmt: skip
        text, paper = browser.run(f"""(() => {{
            let e = document.querySelector({selector!r}); const text = getComputedStyle(e).color;
            while (e.parentElement && getComputedStyle(e).backgroundColor === "rgba(0, 0, 0, 0)")
              e = e.parentElement;
            return [text, getComputedStyle(e).backgroundColor]; }})()""")
        light, dark = sorted((luminance(text), luminance(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (selector, text, paper)
        assert (luminance(paper) < 0.5) == (scheme == "dark"), selector
    browser.call("Emulation.setEmulatedMedia", media="", features=[])


def test_print_shows_what_paper_can(browser):
    browser.call("Emulation.setEmulatedMedia", media="print")
    shown = "(s) => { const e = document.querySelector(s); return !!e && e.offsetHeight > 0; }"
    gone = (".toc", "#explore", ".find", ".contents", ".hint")
    assert [s for s in gone if browser.run(f"({shown})({s!r})")] == []
    assert browser.run("document.getElementById('measure-printed').textContent") == "CKA linear"
    assert browser.run(f"({shown})('.printed')")
    limit = "(n) => getComputedStyle(document.querySelector(`#figure-${n} img`)).maxHeight"
    high, flat = (
        float(browser.run(f"({limit})({name!r})").removesuffix("px"))
        for name in ("accuracy", "scatter_cka_linear")
    )
    assert high > 2 * flat
    browser.call("Emulation.setEmulatedMedia", media="")
    pdf = base64.b64decode(browser.call("Page.printToPDF")["data"])
    assert pdf.startswith(b"%PDF")
    assert browser.run("document.querySelector('details').open") is False  # folded again


def test_folded_parts_are_printed(browser):
    browser.run("""window.seen = null; window.addEventListener("beforeprint",
        () => { window.seen = document.querySelector("details").open; });""")
    browser.call("Page.printToPDF")
    assert browser.run("window.seen") is True
