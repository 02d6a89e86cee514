"""The report's tables say what the tables of the analysis say: known cells of small inputs."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from synthetic_study import Matrix, analysed, study

from simcons.figures.schema import ANALYSIS_COLUMNS, FigureInputs
from simcons.report import ReportInputs, render
from simcons.report.answer import answer
from simcons.report.inference import INFERENCE
from simcons.report.notices import result_warnings
from simcons.report.summary import SUMMARY
from simcons.report.tabulate import Cell, Table, cell, tables

NAMES = [
    "contrasts", "stratified", "mantel", "ceilings", "range", "matched", "partial", "drivers",
    "anchors", "confounds",
]  # fmt: skip
ALL = {"measure": "cka_linear", "category": "all", "group_1": "all", "group_2": "all"}
WITHIN = ALL | {"category": "objective", "group_1": "Lone", "group_2": "Lone"}
BETWEEN = ALL | {"category": "objective", "group_1": "Lone", "group_2": "Odd"}
RBF = {"measure": "cka_rbf_0.4"}
PEARSON = {"method": "pearson"}
PAIRS = [("d1", "d2"), ("d1", "d3"), ("d2", "d3")]


def small(consistency: list[dict] = (), **analysis: list[dict]) -> FigureInputs:
    """A study of four models and three data sets, with the rows given."""
    models = ["a", "b", "c", "d"]
    values = np.eye(4)
    by_dataset = {name: Matrix(models, values) for name in ("d1", "d2", "d3")}
    found = FigureInputs(
        {"cka_linear": by_dataset, "cka_rbf_0.4": by_dataset},
        pd.DataFrame({"objective": ["Lone", "Lone", "Odd", "Odd"]}, index=models),
        pd.DataFrame(
            {"name": ["One", "Two", "Three"], "domain": ["Structured", "Natural", "Natural"]},
            index=["d1", "d2", "d3"],
        ),
        analysis={
            name: pd.DataFrame(rows, columns=pd.Index(ANALYSIS_COLUMNS[name]))
            for name, rows in analysis.items()
        },
    )
    return (
        dataclasses.replace(found, consistency=pd.DataFrame(consistency)) if consistency else found
    )


def over_pairs(group: dict, **columns: list) -> list[dict]:
    """A row per pair of the data sets."""
    return [
        group | {"dataset_1": one, "dataset_2": two} | {name: v[k] for name, v in columns.items()}
        for k, (one, two) in enumerate(PAIRS)
    ]


def made(inputs: FigureInputs) -> dict[str, Table]:
    return {table.name: table for table in tables(inputs, {**SUMMARY, **INFERENCE})}


def texts(inputs: FigureInputs, name: str) -> list[dict[str, str]]:
    table = made(inputs)[name]
    return [
        {heading: shown.text for heading, shown in zip(table.columns, row, strict=True)}
        for row in table.rows
    ]


def column(table: Table, name: str) -> list[Cell]:
    k = list(table.columns).index(name)
    return [row[k] for row in table.rows]


@pytest.fixture(scope="module")
def inputs():
    return analysed(study(4, 18, measures=("cka_linear", "cka_rbf_0.4")))


def test_every_analysis_has_its_table_in_order(inputs):
    found = made(inputs)
    assert [name for name in found if name in INFERENCE and name != "left-out"] == NAMES
    for table in found.values():
        assert all(len(row) == len(table.columns) for row in table.rows), table.name
        assert all(any(shown.text for shown in column(table, name)) for name in table.columns)
    html = render(ReportInputs(inputs))
    for table in found.values():
        assert f'id="table-{table.name}"' in html
        assert f'href="#table-{table.name}-title"' in html


def test_a_study_of_spearman_alone_has_the_whole_report(inputs):
    """Every table, sentence and headline of a study whose only method is not Pearson's."""

    def of(table: pd.DataFrame, method: str) -> pd.DataFrame:
        return table[table["method"] == method] if "method" in table.columns else table

    def only(method: str) -> FigureInputs:
        return dataclasses.replace(
            inputs,
            **{name: of(getattr(inputs, name), method)
               for name in ("consistency", "intervals", "anchors", "relations")},
            analysis={name: of(table, method) for name, table in inputs.analysis.items()},
            method=method,
        )  # fmt: skip

    pearson, spearman = made(only("pearson")), made(only("spearman"))
    assert [(t.name, t.columns, len(t.rows)) for t in spearman.values()] == [
        (t.name, t.columns, len(t.rows)) for t in pearson.values()
    ]
    assert column(spearman["pairs"], "CKA linear") != column(pearson["pairs"], "CKA linear")
    assert len(answer(only("spearman"))) == len(answer(only("pearson"))) == 5
    html = render(ReportInputs(only("spearman")))
    assert "Spearman correlation over all pairs of models" in html
    assert html.count("<dt>") == 2
    assert html.count("n/a") == render(ReportInputs(only("pearson"))).count("n/a")


@pytest.mark.parametrize(
    ("name", "source"),
    [("groups", "consistency"), ("ceilings", "corrected"), ("range", "companions"),
     ("contrasts", "contrasts"), ("drivers", "drivers"), ("matched", "spread_matched")],
)  # fmt: skip
def test_a_new_column_of_an_analysis_needs_its_words_alone(inputs, name, source):
    """Each row has it, or its median over data set pairs."""
    if source == "consistency":
        more = dataclasses.replace(inputs, consistency=inputs.consistency.assign(new=0.25))
    else:
        wider = inputs.table(source).assign(new=0.25)
        more = dataclasses.replace(inputs, analysis={**inputs.analysis, source: wider})
    rows = {**SUMMARY, **INFERENCE}[name](more)
    assert rows
    assert {cell(row, "new") for row in rows} == {Cell("0.25", 0.25)}


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("p_holm", 0.0002, Cell("< 0.001", 0.0002)),
        ("p", 0.25, Cell("0.250", 0.25)),
        ("p", np.nan, Cell("n/a")),
        ("difference", -0.123, Cell("−0.12", -0.123)),
        ("coefficient", 0.12345, Cell("0.1235", 0.12345)),
        ("n_pairs", 2016, Cell("2,016", 2016.0)),
        ("stratum", "small", Cell("small")),
        ("reason", np.nan, Cell("")),
    ],
)
def test_values_are_shown_by_what_they_are(field, value, shown):
    assert cell({field: value}, field) == shown


@pytest.mark.parametrize(
    ("low", "high", "reason", "shown"),
    [
        (0.1, 0.2, "", Cell("[0.10, 0.20]", 0.1)),
        (np.nan, np.nan, "3 models", Cell("none: 3 models")),
        (np.nan, np.nan, np.nan, Cell("not given")),
    ],
)
def test_an_interval_or_why_there_is_none(low, high, reason, shown):
    assert cell({"bca_low": low, "bca_high": high, "reason": reason}, "interval") == shown


def test_contrasts_show_difference_interval_and_tests():
    row = BETWEEN | PEARSON | {"estimate_1": 0.8, "estimate_2": 0.5, "difference": 0.3}
    row |= {"bca_low": 0.1, "bca_high": 0.45, "reason": "", "p_permutation": 0.02, "p_holm": 0.04}
    row |= {"smallest_p": 0.0001, "p_rank_sum_bonferroni": 1e-9}
    untested = row | RBF | {"bca_low": np.nan, "bca_high": np.nan, "reason": "2 families"}
    other = row | {"method": "kendall"}
    first, second = texts(small(contrasts=[row, other, untested]), "contrasts")
    assert first == {
        "Measure": "CKA linear", "By": "training objective", "Contrast": "Lone − Odd",
        "First": "0.80", "Second": "0.50", "Difference": "0.30", "Interval": "[0.10, 0.45]",
        "p": "0.020", "p (Holm)": "0.040", "Smallest possible p": "< 0.001",
        "p of the rank-sum test": "< 0.001",
    }  # fmt: skip
    assert (second["Measure"], second["Interval"]) == ("CKA RBF 0.4", "none: 2 families")


def test_mantel_counts_the_pairs_above_chance():
    columns = {"r": [0.5, np.nan, 0.2], "p_max": [0.01, np.nan, 0.2], "p": [0, 0, 0]}
    rows = over_pairs(ALL | PEARSON | {"smallest_p": 0.002}, **columns)
    undefined = over_pairs(WITHIN | PEARSON, r=[np.nan] * 3)  # a group without any r has no row
    assert texts(small(mantel=[*undefined, *rows]), "mantel") == [
        {"Measure": "CKA linear", "By": "–", "Models": "all models", "Data set pairs": "2",
         "Above chance": "1", "Lowest r": "0.20", "Its p": "0.200", "Smallest possible p": "0.002"}
    ]  # fmt: skip


def test_ceilings_say_what_was_not_corrected():
    shared = "data sets share images"
    rows = over_pairs(
        ALL | PEARSON,
        r=[0.2, 0.6, 0.7], ceiling=[0.8, 0.9, 1.0], r_corrected=[np.nan, 0.65, 0.75],
        reason=[shared, "", ""],
    )  # fmt: skip
    assert texts(small(corrected=rows), "ceilings") == [
        {"Measure": "CKA linear", "By": "–", "Models": "all models", "Median r": "0.60",
         "Median ceiling": "0.900", "r of those corrected": "0.65", "r corrected": "0.70",
         "Pairs corrected": "2", "Not corrected": f"{shared}: 1"}
    ]  # fmt: skip


def test_range_takes_medians_over_data_set_pairs_and_the_mean_spread():
    companions = over_pairs(
        ALL,
        r=[0.1, 0.5, 0.6], rmse_2_given_1=[0.1, 0.2, 0.3], rmse_1_given_2=[0.1, 0.4, 0.5],
        median_absolute_difference=[0.01, 0.02, 0.09], concordance=[0.3, 0.4, 0.8],
        thorndike_1=[0.2, 0.6, 0.7], thorndike_2=[0.3, 0.7, 0.8],
    )  # fmt: skip
    spread = [ALL | {"dataset": name, "sd": sd} for name, sd in (("d1", 0.1), ("d2", 0.3))]
    assert texts(small(companions=companions, spread=spread), "range") == [
        {"Measure": "CKA linear", "By": "–", "Models": "all models", "SD": "0.20",
         "Median r": "0.50", "Corrected to the first's range": "0.60", "To the second's": "0.70",
         "Concordance": "0.40", "Error of prediction": "0.300", "Median difference": "0.020"}
    ]  # fmt: skip


def test_matched_groups_and_partial_r():
    row = BETWEEN | PEARSON | {"spread_1": 0.1, "spread_2": 0.2, "reweighted": "Odd", "r_1": 0.4}
    row |= {"effective_models": 7.25, "r_2": 0.8, "r_1_matched": 0.4, "r_2_matched": 0.5}
    partial = over_pairs(
        WITHIN | PEARSON | {"given": "size_class, none"}, r_partial=[0.1, 0.3, 0.9]
    )
    inputs = small(spread_matched=[row | {"reason": ""}], partial=partial)
    (matched,) = texts(inputs, "matched")
    assert "Why none" not in matched  # no text in any row
    assert [matched[name] for name in ("Groups", "Reweighted", "Effective models")] == [
        "Lone and Odd", "Odd", "7.2",
    ]  # fmt: skip
    assert texts(inputs, "partial") == [
        {"Measure": "CKA linear", "By": "training objective", "Models": "within Lone",
         "Held fixed": "model size, none", "Median partial r": "0.30"}
    ]  # fmt: skip


def test_groups_come_in_the_study_s_order_and_all_models_first():
    groups = [RBF | WITHIN | RBF, ALL | RBF, WITHIN, BETWEEN, ALL]
    groups.append(ALL | {"category": "size_class", "group_1": "big", "group_2": "big"})
    rows = [row for group in groups for row in over_pairs(group | PEARSON, given=["none"] * 3)]
    found = texts(small(partial=rows), "partial")
    assert [(row["Measure"], row["Models"]) for row in found] == [
        ("CKA linear", "all models"), ("CKA linear", "within Lone"), ("CKA linear", "Lone × Odd"),
        ("CKA linear", "within big"), ("CKA RBF 0.4", "all models"), ("CKA RBF 0.4", "within Lone"),
    ]  # fmt: skip


def test_drivers_and_anchors():
    driver = {"measure": "cka_linear", "predictor": "same objective", "coefficient": -0.01234}
    driver |= {"t": -2.5, "p": 0.01, "p_holm": 0.04, "r_squared": 0.1, "n_shared": 300}
    anchor = {"measure": "cka_linear", "method": "pearson", "anchor_1": "a", "anchor_2": "b"}
    anchor |= {"median_1": 0.5, "median_2": 0.4, "p": 0.1, "p_bonferroni": 0.3}
    inputs = small(drivers=[driver], anchor_rank_sums=[anchor])
    assert texts(inputs, "drivers") == [
        {"Measure": "CKA linear", "Predictor": "same training objective",
         "Pairs that share it": "300", "Coefficient": "−0.0123", "t": "−2.50", "p": "0.010",
         "p (Holm)": "0.040", "R² of all": "0.10"}
    ]  # fmt: skip
    assert texts(inputs, "anchors") == [
        {"Measure": "CKA linear", "Anchor": "a", "Other anchor": "b", "Median r": "0.50",
         "Other's": "0.40", "p of the rank-sum test": "0.300"}
    ]  # fmt: skip


def test_what_is_left_out_is_listed_once_for_all_measures():
    row = BETWEEN | {"n_models_1": 1, "n_models_2": 2, "n_pairs": 2, "reason": "fewer than 3"}
    nameless = row | {"group_1": "", "group_2": "", "reason": "one value"}
    found = texts(small(left_out=[row, nameless, row | RBF]), "left-out")
    assert [list(line.values()) for line in found] == [
        ["all", "training objective", "Lone × Odd", "2", "fewer than 3"],
        ["CKA linear", "training objective", "–", "2", "one value"],
    ]


def related(**columns: list) -> FigureInputs:
    """The small study with r of similarity with the gap and error consistency on two data sets."""
    names = {"dataset": ["d1", "d2", "d3"] * 2, "against": ["gap"] * 3 + ["error_consistency"] * 3}
    numbers = {"r": [-0.1, -0.3, -0.5, 0.2, 0.4, np.nan], "n_left_out": [0, 0, 0, 1, 0, 0]}
    limits = {"bca_low": [-0.2] * 6, "bca_high": [0.1] * 6}
    table = pd.DataFrame(names | numbers | limits | columns)
    table = table.assign(measure="cka_linear", method="pearson", n_pairs=6)
    other = table.assign(method="spearman", r=0.99)
    return dataclasses.replace(small(), relations=pd.concat([other, table]))


def test_relations_are_ordered_by_domain_and_flag_what_is_left_out():
    found = texts(related(), "gap")
    assert [(row["With"], row["Data set"], row["r"]) for row in found] == [
        ("error consistency", "Three", "n/a"), ("error consistency", "Two", "0.40"),
        ("error consistency", "One", "0.20"), ("gap in accuracy", "Three", "−0.50"),
        ("gap in accuracy", "Two", "−0.30"), ("gap in accuracy", "One", "−0.10"),
    ]  # fmt: skip
    assert [row["Left out"] for row in found] == ["0", "0", "1", "0", "0", "0"]
    assert {(row["Of"], row["Interval"]) for row in found} == {("CKA linear", "[−0.20, 0.10]")}
    table = related().relations.assign(measure="error_consistency", against="gap")
    inputs = dataclasses.replace(
        related(), relations=table.drop_duplicates("dataset"), method="spearman"
    )
    assert texts(inputs, "gap")[0]["Of"] == "Error consistency"


def test_relations_by_domain_are_medians_over_its_data_sets():
    found = texts(related(), "gap-by-domain")
    assert [
        (row["With"], row["Domain"], row["Median r"], row["Data sets"], row["Without an r"])
        for row in found
    ] == [
        ("error consistency", "Natural", "0.40", "1", "1"),
        ("error consistency", "Structured", "0.20", "1", "0"),
        ("gap in accuracy", "Natural", "−0.40", "2", "0"),
        ("gap in accuracy", "Structured", "−0.10", "1", "0"),
    ]  # fmt: skip


def test_the_answer_says_tests_ceiling_and_performance():
    everything = over_pairs(ALL | PEARSON, r=[0.4, 0.5, 0.8], n_pairs=[6] * 3)
    lone = over_pairs(WITHIN | PEARSON, r=[0.1, 0.2, 0.3], n_pairs=[6] * 3)
    odd = over_pairs(WITHIN | PEARSON | {"group_1": "Odd", "group_2": "Odd"},
                     r=[0.7, 0.9, np.nan], n_pairs=[6] * 3)  # fmt: skip
    contrast = BETWEEN | PEARSON | {"difference": -0.6, "bca_low": -0.8, "bca_high": -0.2}
    inputs = small(
        [*everything, *lone, *odd],
        contrasts=[contrast | {"p_holm": 0.01, "smallest_p": 0.001},
                   contrast | {"group_2": "Rare", "p_holm": 0.9, "smallest_p": 0.2}],
        mantel=over_pairs(ALL | PEARSON, r=[0.4, 0.5, 0.8], p_max=[0.2, 0.04, 0.01]),
        corrected=over_pairs(ALL | PEARSON, r=[0.4, 0.5, 0.8], ceiling=[0.9, 0.95, 0.99]),
    )  # fmt: skip
    relations = related().relations
    said = answer(dataclasses.replace(inputs, relations=relations))
    assert "median r of 0.50 (CKA linear, 3 data set pairs; lowest 0.40, highest 0.80)" in said[0]
    assert "accounts for 25 % of the variance" in said[0]
    assert said[1].startswith("Within a training objective the median r is: Odd 0.80, Lone 0.20.")
    assert said[2] == (
        "Of 2 differences between objectives, 1 remains when the groups' labels are permuted and "
        "all contrasts corrected for: Lone − Odd −0.60 [−0.80, −0.20]; 1 is between groups too "
        "small to test."
    )
    assert said[3].startswith("r is above chance for 2 of 3 data set pairs (Mantel test).")
    assert "would allow a median r of 0.950;" in said[3]
    assert said[4] == (
        "Similarity correlates with the gap in accuracy of two models with a median r of −0.30 "
        "(−0.50 to −0.10 over data sets), and with the error consistency of two models with a "
        "median r of 0.30 (0.20 to 0.40 over data sets)."
    )


def test_shared_images_are_warned_of_with_r_without_them():
    rows = over_pairs(
        ALL | PEARSON, r=[0.9, 0.2, 0.4], n_pairs=[6] * 3, shares_images=[True, False, False]
    )
    inputs = small(rows)
    (text,) = [w for w in result_warnings(inputs) if "share images" in w]
    assert text.startswith("1 data set pair of 3 share images (One, Two), so that")
    assert text.endswith("Without them the median r is 0.30 instead of 0.40 (CKA linear).")
    assert texts(inputs, "pairs") == [
        {"Data set": "Two", "CKA linear": "0.90", "Share images": "yes"},
        {"Data set": "Three", "CKA linear": "0.20", "Share images": "no"},
        {"Data set": "Three", "CKA linear": "0.40", "Share images": "no"},
    ]
    bare = dataclasses.replace(inputs, consistency=inputs.consistency.drop(columns="shares_images"))
    assert "Share images" not in made(bare)["pairs"].columns


def test_overlap_of_categories_counts_models():
    models = small().models.assign(size_class=["big", "small", "big", "big"], family=list("abcd"))
    found = texts(dataclasses.replace(small(), models=models), "confounds")
    assert [(row["Value"], row["Other value"], row["Models"]) for row in found] == [
        ("Lone", "big", "1"), ("Lone", "small", "1"), ("Odd", "big", "2"), ("Odd", "small", "0"),
    ]  # fmt: skip
    assert {row["Categories"] for row in found} == {"training objective and model size"}
