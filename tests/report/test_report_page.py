"""The page: self-contained, well-formed, deterministic, and it says what the tables say."""

import dataclasses
import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from synthetic_study import study

from simcons.errors import UserError
from simcons.figures.inputs import number
from simcons.report import Picture, ReportInputs, load_pictures, render, summary

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x02\x08\x02\x00\x00\x00"
    b"\x99\x00\x00\x00"
)
VOID = {"meta", "link", "img", "br", "hr", "input", "col"}


def picture(name="a", measure=None, **words) -> Picture:
    base = {"section": "How?", "title": "T", "caption": "C", "alt": "A"}
    return Picture(name=name, png=PNG, measure=measure, **(base | words))


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    return ReportInputs(
        study(4, 9),
        [picture("a", "cka_linear"), picture("b", "cka_rbf_0.4"), picture("c")],
        study="demo",
        params="similarity:\n  measures: [cka_linear]\n",
        digests={"data/similarity/ds_01": "ab" * 32},
        versions={"numpy": "2.0"},
        warnings=["the probe of x is at the edge of its grid"],
    )


class Parser(HTMLParser):
    """Collects tags, and fails where an element is not closed in order."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> out of order"

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)


def parse(html: str) -> Parser:
    parser = Parser()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def test_page_is_well_formed_with_one_title_and_ordered_headings(inputs):
    parser = parse(render(inputs))
    levels = [int(tag[1]) for tag, _ in parser.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    ids = [attrs["id"] for _, attrs in parser.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"][1:] for tag, attrs in parser.tags
             if tag == "a" and attrs["href"].startswith("#")]  # fmt: skip
    assert set(links) <= set(ids)
    assert all(attrs.get("alt") for tag, attrs in parser.tags if tag == "img")


def test_page_fetches_nothing(inputs):
    html = render(inputs)
    parser = parse(html)
    for tag, attrs in parser.tags:
        if tag != "a":
            for name in ("src", "href", "data", "poster", "action"):
                assert not attrs.get(name) or attrs[name].startswith("data:"), (tag, attrs)
    assert re.findall(r"https?://[^\"<\s]+", html) == ["https://arxiv.org/abs/2411.05561"]
    assert "@import" not in html
    assert "url(" not in html


def test_same_inputs_same_bytes(inputs):
    assert render(inputs) == render(inputs)
    shuffled = dataclasses.replace(
        inputs,
        digests=dict(reversed(inputs.digests.items())),
        figures=dataclasses.replace(
            inputs.figures, consistency=inputs.figures.consistency.sample(frac=1, random_state=0)
        ),
    )
    assert render(shuffled) == render(inputs)


def test_headline_is_the_median_over_data_set_pairs(inputs):
    table = inputs.figures.consistency
    everything = table[(table["category"] == "all") & (table["measure"] == "cka_linear")]
    expected = number(float(np.median(everything["r"])))
    text = " ".join(parse(render(inputs)).text)
    assert f"r = {expected}" in text
    assert f"median r of {expected} (CKA linear, 6 data set pairs" in text
    within = table[(table["group_1"] == "Supervised") & (table["group_2"] == "Supervised")
                   & (table["measure"] == "cka_linear")]  # fmt: skip
    assert f"Supervised {number(float(np.median(within['r'])))}" in text


def test_tables_hold_the_values(inputs):
    html = render(inputs)
    row = inputs.figures.consistency.iloc[0]
    assert f'data-value="{row["r"]}">{number(row["r"])}<' in html
    for model in inputs.figures.models.index:
        assert f"<td>{model}</td>" in html
    accuracy = 100 * inputs.figures.probes.groupby("model")["top1"].mean()
    assert f">{number(accuracy.iloc[0], 1)}</td>" in html
    assert "measures: [cka_linear]" in html
    assert "ab" * 32 in html
    assert "the probe of x is at the edge" in html


def test_hostile_names_are_escaped(inputs):
    evil = "<script>alert(1)</script>"
    figures = inputs.figures
    datasets = figures.datasets.assign(name=[evil, '"><img src=x onerror=y>', "a & b", "{{ 7*7 }}"])
    hostile = dataclasses.replace(
        inputs,
        figures=dataclasses.replace(figures, datasets=datasets),
        pictures=[picture("x", title=evil, caption=evil, alt=f'" onload="{evil}', section=evil)],
        study=evil,
        params=evil,
        digests={evil: evil},
        versions={evil: evil},
        warnings=[evil],
    )
    html = render(hostile)
    assert evil not in html
    assert "{{ 7*7 }}" in html  # shown, not computed
    parser = parse(html)
    assert sum(tag == "script" for tag, _ in parser.tags) == sum(
        tag == "script" for tag, _ in parse(render(inputs)).tags
    )
    assert not any("onerror" in attrs or "onload" in attrs for _, attrs in parser.tags)


def test_intervals_are_shown_only_if_given(inputs):
    assert "No intervals are given" in render(inputs)
    intervals = pd.DataFrame(
        [("cka_linear", "pearson", "all", "all", "all", 0.41, 0.83, 0.95)],
        columns=list(summary.INTERVAL_COLUMNS),
    )
    html = render(dataclasses.replace(inputs, intervals=intervals))
    assert "95 % interval 0.41 to 0.83" in html
    assert "No intervals are given" not in html
    assert "not given" in html  # for the other groups


def test_warnings_name_what_is_unreliable_or_undefined():
    figures = study(2, 5, measures=("cka_linear",))
    matrix = figures.similarities["cka_linear"]["ds_01"]
    matrix.reliability[:] = 0.5
    figures.consistency.loc[figures.consistency.index[-1], "r"] = np.nan
    found = " ".join(summary.warnings(figures))
    assert f"below 0.8 on {figures.datasets.at['ds_01', 'name']} (0.50)" in found
    assert "1 correlation could not be computed" in found
    bare = " ".join(summary.warnings(study(2, 5, measures=("cka_linear",), errors=False)))
    assert "CKA linear: no standard errors" in bare


@pytest.mark.parametrize("options", [{}, {"probes": False}, {"errors": False}])
def test_small_and_incomplete_studies_render(options):
    for size in ((1, 3), (2, 3), (3, 6)):
        html = render(ReportInputs(study(*size, measures=("cka_linear",), **options)))
        parser = parse(html)
        assert ("r of similarity and gap" in "".join(parser.text)) == options.get("probes", True)
        assert not re.search(r"\bnan\b", "".join(parser.text).lower())
    assert "could be computed" in "".join(
        parse(render(ReportInputs(study(1, 3, measures=("cka_linear",))))).text
    )


def test_pictures_are_read_with_their_words(tmp_path):
    (tmp_path / "captions.json").write_text(
        '[{"name": "a", "section": "S", "title": "T", "caption": "C", "alt": "A",'
        ' "measure": null, "measure_label": null}]'
    )
    with pytest.raises(UserError, match=r"a\.png: no such figure"):
        load_pictures(tmp_path)
    (tmp_path / "a.png").write_bytes(PNG)
    (read,) = load_pictures(tmp_path)
    assert read.size == (1, 2)
    assert read.title == "T"
    with pytest.raises(UserError, match="not a PNG"):
        _ = dataclasses.replace(read, png=b"GIF89a").size
