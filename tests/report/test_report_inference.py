"""The report's tables of inference hold the analysis' numbers, and its answer says them."""

import dataclasses

import numpy as np
import pytest
from synthetic_study import analysed, study

from simcons.figures.words import measure_label, number
from simcons.report import ReportInputs, inference, render, summary
from simcons.report.tables import Cell, Table

NAMES = [
    "contrasts", "stratified", "mantel", "ceilings", "range", "matched", "partial", "drivers",
    "anchors", "confounds",
]  # fmt: skip


@pytest.fixture(scope="module")
def inputs():
    return analysed(study(4, 18, measures=("cka_linear", "cka_rbf_0.4")))


@pytest.fixture(scope="module")
def tables(inputs):
    return {table.name: table for table in inference.tables(inputs)}


def column(table: Table, name: str) -> list[Cell]:
    k = list(table.columns).index(name)
    return [row[k] for row in table.rows]


def test_every_analysis_has_its_table_in_order(tables, inputs):
    assert [name for name in tables if name != "left-out"] == NAMES
    for table in tables.values():
        assert all(len(row) == len(table.columns) for row in table.rows), table.name
        assert all(any(cell.text for cell in column(table, name)) for name in table.columns)
    html = render(ReportInputs(inputs))
    for table in tables.values():
        assert f'id="table-{table.name}"' in html
        assert f'href="#table-{table.name}-title"' in html


def test_contrasts_are_those_of_the_analysis(tables, inputs):
    rows = inputs.table("contrasts")
    rows = rows[rows["method"] == "pearson"]
    table = tables["contrasts"]
    assert [c.value for c in column(table, "Difference")] == pytest.approx(list(rows["difference"]))
    assert [c.value for c in column(table, "p")] == pytest.approx(list(rows["p_permutation"]))
    assert (
        column(table, "Contrast")[0].text
        == f"{rows.iloc[0]['group_1']} − {rows.iloc[0]['group_2']}"
    )
    assert "4 data set(s), fewer than 8" in column(table, "Interval")[0].text
    assert column(table, "Interval")[0].value is None
    assert "too small" in table.note


def test_limits_and_p_values_as_text():
    assert inference._limits(0.1, 0.2, "") == Cell("[0.10, 0.20]", 0.1)
    assert inference._limits(np.nan, np.nan, "why") == Cell("none: why")
    assert inference._p(0.0002) == Cell("< 0.001", 0.0002)
    assert inference._p(float("nan")) == Cell("n/a")


def test_groups_come_in_the_study_s_order_and_all_models_first(tables):
    heads = [(row[0].text, row[2].text) for row in tables["mantel"].rows]
    assert heads[0] == ("CKA linear", "all models")
    assert list(dict.fromkeys(head[0] for head in heads)) == ["CKA linear", "CKA RBF 0.4"]
    by = [cell.text for cell in column(tables["mantel"], "By")]
    assert by[:2] == ["–", "training objective"]


def test_mantel_counts(tables, inputs):
    rows = inputs.table("mantel")
    rows = rows[(rows["measure"] == "cka_linear") & (rows["category"] == "all")
                & (rows["method"] == "pearson")]  # fmt: skip
    first = {name: column(tables["mantel"], name)[0] for name in tables["mantel"].columns}
    assert first["Data set pairs"].value == 6
    assert first["Above chance"].value == (rows["p_max"] < 0.05).sum()
    assert first["Lowest r"].value == rows["r"].min()


def test_ceilings_say_what_was_not_corrected(tables, inputs):
    rows = inputs.table("corrected")
    rows = rows[(rows["measure"] == "cka_linear") & (rows["category"] == "all")
                & (rows["method"] == "pearson")]  # fmt: skip
    table = tables["ceilings"]
    assert column(table, "Median ceiling")[0].value == pytest.approx(rows["ceiling"].median())
    assert column(table, "Pairs corrected")[0].value == 5  # one data set pair shares images
    assert "data sets share images: 1" in column(table, "Not corrected")[0].text


def test_range_takes_medians_over_data_set_pairs(tables, inputs):
    rows = inputs.table("companions")
    rows = rows[(rows["measure"] == "cka_linear") & (rows["category"] == "all")]
    table = tables["range"]
    found = column(table, "Concordance")[0].value
    assert found == pytest.approx(rows["concordance"].median())
    spread = inputs.table("spread")
    spread = spread[(spread["measure"] == "cka_linear") & (spread["category"] == "all")]
    assert column(table, "SD")[0].value == pytest.approx(spread["sd"].mean())


def test_what_is_left_out_is_listed_once_for_all_measures():
    inputs = analysed(study(3, 7, objectives=("Supervised", "Supervised", "Lone", "Odd")))
    table = inference.left_out_table(inputs)
    texts = [[cell.text for cell in row] for row in table.rows]
    row = next(t for t in texts if t[2] == "Lone × Odd")
    assert row == ["all", "training objective", "Lone × Odd", "2", "2 model pair(s), fewer than 3"]


def test_relations_are_ordered_by_domain_and_flag_what_is_left_out(inputs):
    table = inference.relation_table(inputs)
    assert {cell.text for cell in column(table, "With")} == {"gap in accuracy", "error consistency"}
    left_out = {
        (row[1].text, row[0].text == "Error consistency"): row[-1].value for row in table.rows
    }
    assert left_out[("error consistency", False)] == 1
    assert left_out[("gap in accuracy", False)] == 0
    assert left_out[("gap in accuracy", True)] == 1


def test_relations_by_domain_are_medians_over_its_data_sets(inputs):
    datasets = inputs.datasets.assign(domain=["Natural", "Natural", "Structured", "Natural"])
    table = inference.domain_table(dataclasses.replace(inputs, datasets=datasets))
    rows = inputs.relations[inputs.relations["method"] == "pearson"]
    rows = rows.assign(domain=rows["dataset"].map(datasets["domain"]))
    expected = rows.groupby(["measure", "against", "domain"])["r"].median()
    assert [c.value for c in column(table, "Median r")] == pytest.approx(list(expected), abs=1e-6)
    assert [c.text for c in column(table, "Domain")] == list(expected.index.get_level_values(2))


def test_the_answer_says_tests_ceiling_and_performance(inputs):
    text = " ".join(summary.answer(inputs))
    contrasts = inputs.table("contrasts")
    chosen = contrasts[
        (contrasts["measure"] == "cka_linear")
        & (contrasts["method"] == "pearson")
        & (contrasts["category"] == "objective")
    ]
    clear = int((chosen["p_holm"] < 0.05).sum())
    assert f"Of 3 differences between objectives, {clear or 'none'} remain" in text
    assert "of 6 data set pairs (Mantel test)" in text
    corrected = inputs.table("corrected")
    everything = corrected[
        (corrected["measure"] == "cka_linear")
        & (corrected["category"] == "all")
        & (corrected["method"] == "pearson")
    ]
    assert f"would allow a median r of {number(everything['ceiling'].median(), 3)}" in text
    r = inputs.relations
    r = r[(r["measure"] == "cka_linear") & (r["method"] == "pearson")]
    for against in ("gap", "error_consistency"):
        assert number(r.loc[r["against"] == against, "r"].median()) in text


def test_shared_images_are_warned_of_with_r_without_them(inputs):
    (text,) = [w for w in summary.warnings(inputs) if "share images" in w]
    table = inputs.consistency
    rows = table[(table["category"] == "all") & (table["method"] == "pearson")
                 & (table["measure"] == "cka_linear")]  # fmt: skip
    without = rows.loc[~rows["shares_images"], "r"].median()
    assert f"Without them the median r is {number(without)} instead of" in text
    assert measure_label("cka_linear") in text
    pairs = summary.pair_table(inputs)
    assert [row[-1].text for row in pairs.rows].count("yes") == 1
    bare = dataclasses.replace(inputs, consistency=table.drop(columns="shares_images"))
    assert "Share images" not in summary.pair_table(bare).columns


def test_empty_columns_are_dropped():
    table = Table("t", "T", ["a", "b"], [[Cell("x"), Cell("")], [Cell("y"), Cell("")]])
    assert table.without_empty_columns().columns == ["a"]
    assert [len(row) for row in table.without_empty_columns().rows] == [1, 1]
