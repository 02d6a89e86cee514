"""The page: self-contained, well-formed, deterministic, and it says what the tables say."""

import base64
import dataclasses
import io
import itertools
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from synthetic_study import study

from simcons.core.errors import UserError
from simcons.figures import FigureInputs, catalogue, style
from simcons.figures.base import GROUPS
from simcons.figures.schema import INTERVAL_COLUMNS
from simcons.figures.selection import pair_values
from simcons.figures.words import number
from simcons.report import Picture, ReportInputs, load_pictures, render
from simcons.report.explore import explore_json
from simcons.report.notices import result_warnings

PNG = style.png_bytes(style.new_figure(0.1, 0.2), dpi=20)  # 2 x 4 pixels
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


def test_pictures_are_embedded_without_loss(inputs):
    png = style.png_bytes(catalogue(inputs.figures)[0].figure.draw(), dpi=40)
    shown = dataclasses.replace(inputs.pictures[0], png=png)
    head, body = shown.source.split(",")
    assert head == "data:image/webp;base64"
    embedded = Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB")
    original = Image.open(io.BytesIO(png)).convert("RGB")
    assert np.array_equal(np.asarray(embedded), np.asarray(original))
    assert shown.size == original.size


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


def test_what_has_no_figure_is_said_where_it_would_stand(inputs):
    alike = inputs.figures.models.assign(size_class="small")
    figures = dataclasses.replace(inputs.figures, models=alike)
    one = dataclasses.replace(
        inputs, figures=figures, pictures=[picture("x", section=GROUPS), picture("y")]
    )
    text = render(one)
    assert text.count("No figure by model size: all 9 models are of one value (small).") == 1
    assert "No figure by" not in render(dataclasses.replace(one, figures=inputs.figures))


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
    rows = [
        ("cka_linear", "pearson", "all", "all", "all", 0.41, 0.83, 0.95, ""),
        ("cka_linear", "pearson", "objective", "Supervised", "Supervised", np.nan, np.nan, 0.95,
         "3 models, at least 6 are needed"),
    ]  # fmt: skip
    intervals = pd.DataFrame(rows, columns=[*INTERVAL_COLUMNS, "reason"])
    figures = dataclasses.replace(inputs.figures, intervals=intervals)
    html = render(dataclasses.replace(inputs, figures=figures))
    assert "95 % interval 0.41 to 0.83" in html
    assert "No intervals are given" not in html
    assert "none: 3 models, at least 6 are needed" in html
    assert "not given" in html  # for the other groups
    none = dataclasses.replace(inputs.figures, intervals=intervals.iloc[1:])
    html = render(dataclasses.replace(inputs, figures=none))
    assert "No intervals are given (3 models, at least 6 are needed)" in html


def test_explorer_data_are_the_similarities(inputs):
    figures = inputs.figures
    data = json.loads(explore_json(figures))
    by_dataset = figures.similarities["cka_linear"]
    assert data["models"] == by_dataset["ds_00"].models
    scaled = np.array(data["values"]["cka_linear"]["ds_02"]) / data["scale"]
    assert scaled == pytest.approx(pair_values(by_dataset["ds_02"]), abs=0.0005001)
    mean = figures.probes.groupby(["dataset", "model"])["top1"].mean()
    assert data["accuracy"]["ds_01"][0] == round(1000 * mean["ds_01", data["models"][0]])
    assert sorted(data["measures"][0]["order"]) == list(range(9))
    gap = figures.gap[
        (figures.gap["dataset"] == "ds_01") & (figures.gap["measure"] == "cka_linear")
    ]
    errors = [None if v is None else v / data["scale"] for v in data["errors"]["ds_01"]]
    assert errors[0] is None  # undefined stays absent
    assert errors[1:] == pytest.approx(gap["error_consistency"].tolist()[1:], abs=0.0005001)


def test_explorer_data_are_compact():
    assert len(explore_json(study(8, 20))) < 8 * 190 * (3 + 1) * 6  # a few characters a number


def test_explorer_data_cannot_close_their_script(inputs):
    models = inputs.figures.models.rename(index=lambda name: f"</script>&{name}")
    similarities = {
        "cka_linear": {
            d: dataclasses.replace(m, models=[f"</script>&{name}" for name in m.models])
            for d, m in inputs.figures.similarities["cka_linear"].items()
        }
    }
    text = explore_json(FigureInputs(similarities, models, inputs.figures.datasets))
    assert not set("<>&") & set(text)
    assert json.loads(text)["models"][0].startswith("</script>&")


def test_measures_with_different_models_cannot_be_explored():
    one, other = study(1, 4, measures=("a",)), study(1, 5, measures=("b",))
    both = {**one.similarities, **other.similarities}
    with pytest.raises(UserError, match="not those of the other measures"):
        explore_json(FigureInputs(both, other.models, other.datasets))


def test_warnings_name_what_is_unreliable_or_undefined():
    figures = study(2, 5, measures=("cka_linear",))
    matrix = figures.similarities["cka_linear"]["ds_01"]
    matrix.reliability[:] = 0.5
    figures.consistency.loc[figures.consistency.index[-1], "r"] = np.nan
    found = " ".join(result_warnings(figures))
    assert f"below 0.8 on {figures.datasets.at['ds_01', 'name']} (0.50)" in found
    assert "1 correlation could not be computed" in found
    bare = " ".join(result_warnings(study(2, 5, measures=("cka_linear",), errors=False)))
    assert "CKA linear: no standard errors" in bare


@pytest.mark.parametrize("options", [{}, {"probes": False}, {"errors": False}])
def test_small_and_incomplete_studies_render(options):
    for size in ((1, 3), (2, 3), (3, 6)):
        html = render(ReportInputs(study(*size, measures=("cka_linear",), **options)))
        parser = parse(html)
        text = "".join(parser.text)
        assert ("gap in accuracy and error consistency" in text) == options.get("probes", True)
        assert not re.search(r"\bnan\b", text.lower())
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
    assert read.size == (2, 4)
    assert read.title == "T"
    with pytest.raises(UserError, match="not a PNG"):
        _ = dataclasses.replace(read, png=b"GIF89a").size
