"""Figures of inference: the marks are where the tables say, and captions hold their numbers."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.text import Text
from scipy.stats import kendalltau, spearmanr
from synthetic_study import Matrix, analysed, inputs_of, study

from simcons.figures import (
    catalogue,
    ceilings,
    range_restriction,
    sensitivity,
    style,
)
from simcons.figures.catalogue import not_drawn
from simcons.figures.ceilings import Ceilings
from simcons.figures.contrasts import Contrasts
from simcons.figures.drivers import Drivers
from simcons.figures.mantel import Mantel
from simcons.figures.range_restriction import RangeRestriction
from simcons.figures.relations import Relations
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import pair_values
from simcons.figures.sensitivity import Sensitivity
from simcons.figures.words import interval, number, p_is

DATASETS = pd.DataFrame(
    {"name": ["One", "Two", "Three"], "domain": ["Z", "Y", "Y"]}, index=["d1", "d2", "d3"]
)
MODELS = pd.DataFrame({"objective": ["A", "A", "A", "B"]}, index=["m1", "m2", "m3", "m4"])
GROUP = {"measure": "cka_linear", "category": "objective", "method": "pearson"}


def shown(similarities=None, models=MODELS, datasets=DATASETS, **tables) -> FigureInputs:
    return inputs_of(similarities or {}, models, datasets, **tables)


@pytest.fixture(scope="module")
def inputs():
    return analysed(study(3, 9, measures=("cka_linear", "cka_rbf_0.4")))


def test_every_figure_of_a_finished_analysis_draws(inputs):
    names = {entry.name for entry in catalogue(inputs)}
    drawn = ("mantel", "ceilings", "contrasts", "range_", "drivers", "gap_corr", "error_corr")
    for entry in catalogue(inputs):
        if entry.name.startswith(drawn):
            assert style.png_bytes(entry.figure.draw(), dpi=30)
            assert "nan" not in entry.figure.description.caption
    assert {"mantel", "ceilings", "contrasts", "drivers", "range_cka_linear", "gap_correlations",
            "error_correlations"} <= names  # fmt: skip


NO_R = ("no r ", "no pair of groups", "no consistency", "no permutation", "no two groups", "no gap")


@pytest.mark.parametrize("methods", [("spearman",), ("kendall", "pearson")])
def test_figures_show_the_studys_main_correlation(methods):
    method = methods[0]
    made = study(3, 9, measures=("cka_linear", "cka_rbf_0.4"))
    relations = made.relations[made.relations["method"] == "pearson"].assign(method=method)
    inputs = analysed(dataclasses.replace(made, relations=relations), 40, methods)
    entries = {entry.name: entry for entry in catalogue(inputs)}
    words = {name: " ".join(entry.figure.description) for name, entry in entries.items()}
    for name, text in words.items():
        assert not any(missing in text.lower() for missing in NO_R), name
        assert ("Pearson" in text) == name.startswith("range_"), name
    named = {"anchors", "boxes_objective", "consistency_cka_linear", "gap_correlations",
             "gap_cka_linear", "mean_spread_cka_linear"}  # fmt: skip
    resampled = {"mantel", "ceilings", "contrasts"}
    named |= resampled if method == "spearman" else set()
    assert named <= {name for name, text in words.items() if method.capitalize() in text}
    assert (resampled & set(entries)) == (resampled & named)
    assert any("Kendall" in reason for reason in not_drawn(inputs)) == (method == "kendall")
    for name in ("anchors", "boxes_objective", "consistency_cka_linear", "gap_correlations"):
        figure = entries[name].figure.draw()
        axes = [text.get_text() for text in figure.findobj(Text)]
        assert any(f"{method.capitalize()} r" in text for text in axes), name


def test_r_drawn_from_similarities_is_the_main_correlation():
    inputs = study(2, 6, measures=("cka_linear",))
    first, second = (pair_values(m) for m in inputs.similarities["cka_linear"].values())
    expected = {"spearman": spearmanr(first, second), "kendall": kendalltau(first, second)}
    for method, found in expected.items():
        shown = dataclasses.replace(inputs, method=method)
        entry = next(e for e in catalogue(shown) if e.name == "scatter_cka_linear")
        assert f"r = {number(found.statistic)} over 15 pairs" in entry.figure.description.caption


def horizontal(axis) -> list[tuple[float, float]]:
    """Return the ends of the horizontal lines drawn as intervals; what is NaN is not drawn."""
    lines = [c for c in axis.collections if isinstance(c, LineCollection)]
    segments = [s for c in lines for s in c.get_segments()]
    return [(s[0, 0], s[1, 0]) for s in segments if s.ndim == 2 and len(s) == 2]


def mantel_rows() -> pd.DataFrame:
    base = GROUP | {"category": "all", "group_1": "all", "group_2": "all", "smallest_p": 0.001}
    small = GROUP | {"group_1": "A", "group_2": "A", "smallest_p": 1 / 6}
    pairs = [("d1", "d2", 0.9, 0.001), ("d1", "d3", 0.5, 0.04), ("d2", "d3", 0.1, 0.4)]
    return pd.DataFrame(
        [
            group | {"dataset_1": a, "dataset_2": b, "r": r, "p": p, "p_max": p}
            for group in (base, small)
            for a, b, r, p in pairs
        ]
    )


def test_mantel_counts_what_is_above_chance_and_what_cannot_be_tested():
    table = mantel_rows()
    words = Mantel(shown(mantel=table), ["cka_linear"]).describe()
    assert "above chance on 2 of 3 data set pairs" in words.title
    assert "within A no test: p cannot be below 0.17" in words.caption
    (axis,) = Mantel(shown(mantel=table), ["cka_linear"]).draw().axes
    above, below, untested = axis.collections[:3]
    assert above.get_offsets()[:, 0].tolist() == [0.9, 0.5]
    assert below.get_offsets()[:, 0].tolist() == [0.1]
    assert untested.get_offsets()[:, 0].tolist() == [0.9, 0.5, 0.1]
    assert (
        "No permutation test"
        in Mantel(shown(mantel=table.iloc[:0]), ["cka_linear"]).describe().title
    )


def contrast_rows(**changes) -> pd.DataFrame:
    row = GROUP | {
        "group_1": "A", "group_2": "B", "estimate_1": 0.8, "estimate_2": 0.5, "difference": 0.3,
        "bca_low": 0.1, "bca_high": 0.45, "reason": "", "p_permutation": 0.004, "smallest_p": 0.001,
        "p_holm": 0.012, "p_rank_sum_bonferroni": 0.0001,
    }  # fmt: skip
    other = row | {"group_1": "B", "group_2": "C", "difference": -0.2, "bca_low": np.nan,
                   "bca_high": np.nan, "p_holm": 1.0, "smallest_p": 0.2}  # fmt: skip
    return pd.DataFrame([row | changes, other])


def test_contrasts_show_intervals_and_say_which_remain():
    words = Contrasts(shown(contrasts=contrast_rows()), ["cka_linear"]).describe()
    assert "1 of 1 that can be tested remain after correction" in words.title
    assert "1 of 1 that can be tested, the largest A − B 0.30 [0.10, 0.45]" in words.caption
    assert "p\u00a0=\u00a00.012" in words.caption
    (axis,) = Contrasts(shown(contrasts=contrast_rows()), ["cka_linear"]).draw().axes
    assert horizontal(axis) == [pytest.approx((0.1, 0.45))]
    none = Contrasts(shown(contrasts=contrast_rows(p_holm=0.2)), ["cka_linear"]).describe()
    assert "0 of 1 that can be tested remain" in none.title
    assert (
        "no two groups"
        in Contrasts(shown(contrasts=contrast_rows().iloc[:0]), ["cka_linear"]).describe().title
    )


def test_range_restriction_means_and_medians():
    base = GROUP | {"group_1": "A", "group_2": "A"}
    spread = pd.DataFrame(
        [base | {"dataset": d, "sd": sd, "minimum": 0.1, "q1": 0.2, "median": 0.3, "q3": 0.4,
                 "maximum": 0.5, "n_pairs": 3} for d, sd in (("d1", 0.1), ("d2", 0.2))]
    )  # fmt: skip
    companions = pd.DataFrame(
        [base | {"dataset_1": "d1", "dataset_2": d, "r": r, "thorndike_1": 0.8, "thorndike_2": 0.6,
                 "concordance": 0.4, "rmse_2_given_1": 0.02, "rmse_1_given_2": 0.04,
                 "median_absolute_difference": 0.1} for d, r in (("d2", 0.2), ("d3", 0.6))]
    )  # fmt: skip
    (row,) = range_restriction.group_table(spread, companions, "cka_linear")
    assert row["sd"] == pytest.approx(0.15)
    assert row["r_median"] == pytest.approx(0.4)
    assert row["thorndike_median"] == pytest.approx(0.7)
    assert row["rmse_median"] == pytest.approx(0.03)
    words = RangeRestriction(shown(spread=spread, companions=companions), "cka_linear").describe()
    assert "within A: SD 0.15, r 0.40 (0.70), concordance 0.40, error 0.030" in words.caption
    nothing = RangeRestriction(
        shown(spread=spread.iloc[:0], companions=companions.iloc[:0]), "cka_linear"
    ).describe()
    assert "no group" in nothing.title


def test_drivers_say_direction_p_and_what_cannot_be_estimated():
    row = {"measure": "cka_linear", "t": -3.0, "r_squared": 0.25, "n_pairs": 6, "n_shared": 3}
    table = pd.DataFrame(
        [
            row | {"predictor": "same objective", "coefficient": -0.05, "p": 0.0004,
                   "p_holm": 0.0008, "reason": ""},
            row | {"predictor": "same size_class", "coefficient": np.nan, "p": np.nan,
                   "p_holm": np.nan, "reason": "does not vary"},
        ]
    )  # fmt: skip
    words = Drivers(shown(drivers=table), ["cka_linear"]).describe()
    assert words.title.endswith("same training objective, less")
    assert "same training objective −0.050 (p\u00a0<\u00a00.001)" in words.caption
    assert "same model size n/a (does not vary)" in words.caption
    assert "R² 0.25" in words.caption
    (axis,) = Drivers(shown(drivers=table), ["cka_linear"]).draw().axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["same training objective"]
    unclear = Drivers(shown(drivers=table.assign(p_holm=0.5)), ["cka_linear"]).describe()
    assert "no shared category stands out" in unclear.title


def test_the_p_values_of_drivers_do_not_overlap():
    measures = ["cka_linear", "cka_rbf_0.4", "rsa_correlation_spearman"]
    row = {"t": 0.1, "r_squared": 0.2, "n_pairs": 6, "n_shared": 3, "p": 0.9, "reason": ""}
    table = pd.DataFrame(
        [
            row | {"measure": m, "predictor": f"same {c}", "coefficient": 1e-4 * k, "p_holm": 0.9}
            for k, m in enumerate(measures)
            for c in ("objective", "architecture_class", "train_data_class", "size_class")
        ]
    )
    figure = Drivers(shown(drivers=table), measures).draw()
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 12
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def ceiling_rows() -> pd.DataFrame:
    """Two data set pairs with ceilings, and one that shares images."""
    base = GROUP | {"category": "all", "group_1": "all", "group_2": "all", "shares_images": False}
    shared = {"r": 0.99, "ceiling": np.nan, "r_corrected": np.nan, "shares_images": True,
              "dataset_1": "d2", "dataset_2": "d3", "reason": "data sets share images"}  # fmt: skip
    pairs = [("d1", "d2", 0.6, 0.8, 0.75), ("d1", "d3", 0.4, 0.9, 0.4 / 0.9)]
    return pd.DataFrame(
        [base | {"dataset_1": a, "dataset_2": b, "r": r, "ceiling": top, "r_corrected": full,
                 "reason": ""} for a, b, r, top, full in pairs] + [base | shared]
    )  # fmt: skip


def test_ceilings_stand_beside_r_of_the_pairs_that_have_one():
    (row,) = ceilings.ceiling_table(ceiling_rows(), "cka_linear")
    assert (row["n"], row["n_corrected"]) == (2, 2)
    assert row["r"] == pytest.approx(0.5)  # without the pair that shares images
    assert (row["low"], row["ceiling"], row["high"]) == pytest.approx((0.8, 0.85, 0.9))
    words = Ceilings(shown(corrected=ceiling_rows()), ["cka_linear"]).describe()
    assert "median r 0.50 over all models, where noise alone would allow 0.850" in words.title
    assert "r 0.50, ceiling 0.850 (lowest 0.800), corrected 0.60 on 2 of 2" in words.caption
    assert "data sets share images: 1" in words.caption
    (axis,) = Ceilings(shown(corrected=ceiling_rows()), ["cka_linear"]).draw().axes
    assert horizontal(axis) == [pytest.approx((0.45, 0.55)), pytest.approx((0.8, 0.9))]
    none = ceiling_rows().assign(ceiling=np.nan, r_corrected=np.nan, reason="biased measure")
    assert (
        "none could be estimated"
        in Ceilings(shown(corrected=none), ["cka_linear"]).describe().title
    )
    inputs = FigureInputs({"cka_linear": {}}, MODELS, DATASETS)
    drawn = []
    for table in (none, ceiling_rows()):
        with_ceilings = dataclasses.replace(inputs, analysis={"corrected": table})
        drawn.append([entry.name for entry in ceilings.figures(with_ceilings)])
    assert drawn == [[], ["ceilings"]]


def relation_rows() -> pd.DataFrame:
    base = {"measure": "cka_linear", "against": "gap", "method": "pearson", "n_pairs": 6}
    rows = [("d1", -0.5, -0.8, -0.1, 0), ("d2", 0.2, -0.3, 0.6, 1), ("d3", 0.4, np.nan, np.nan, 0)]
    return pd.DataFrame(
        [base | {"dataset": d, "r": r, "bca_low": low, "bca_high": high, "n_left_out": n}
         for d, r, low, high, n in rows]
    )  # fmt: skip


def test_relations_by_domain_with_intervals():
    words = Relations(shown(relations=relation_rows()), ["cka_linear"]).describe()
    assert "median r = 0.20, from −0.50 to 0.40 over 3 data sets" in words.title
    assert "One −0.50 [−0.80, −0.10]" in words.caption
    assert "Three 0.40, Two 0.20 [−0.30, 0.60]" in words.caption
    assert "leave out 0 on 1 of 2 data sets" in words.caption
    assert "Median by domain: Y 0.30, Z −0.50" in words.caption
    assert "1 pair without a defined value" in words.caption
    axis = Relations(shown(relations=relation_rows()), ["cka_linear"]).draw().axes[0]
    assert horizontal(axis) == [pytest.approx((-0.3, 0.6)), pytest.approx((-0.8, -0.1))]  # Y first
    nothing = Relations(shown(relations=relation_rows().iloc[:0]), ["cka_linear"]).describe()
    assert "no r" in nothing.title
    errors = relation_rows().assign(against="error_consistency")
    assert (
        "Cohen's kappa"
        in Relations(shown(relations=errors), ["cka_linear"], "error_consistency")
        .describe()
        .caption
    )


def sized(n_images=(100, 500, 1000)) -> pd.DataFrame:
    return DATASETS.assign(series="one", n_images=list(n_images))


def test_a_series_is_of_one_entry_with_other_numbers_of_images():
    assert sensitivity.series(DATASETS) == {}
    assert sensitivity.series(sized()) == {"one": ["d1", "d2", "d3"]}
    assert sensitivity.series(sized((1000, 500, 100))) == {"one": ["d3", "d2", "d1"]}
    assert sensitivity.series(sized((5, 5, 5))) == {}
    assert sensitivity.series(sized().assign(series=["a", "b", "b"])) == {"b": ["d2", "d3"]}


def test_sensitivity_compares_with_the_largest():
    rng = np.random.default_rng(0)
    models = pd.DataFrame(index=[f"m{k}" for k in range(8)])
    base = np.triu(rng.random((8, 8)), 1)
    noise = np.triu(rng.normal(0, 0.2, (8, 8)), 1)

    def matrix(values: np.ndarray, error: float) -> Matrix:
        full = values + values.T
        np.fill_diagonal(full, 1.0)
        return Matrix(list(models.index), full, np.full((8, 8), error))

    by_dataset = {
        "d1": matrix(base + noise + 0.1 * (base > 0), 0.05),
        "d2": matrix(base + 0.02 * (base > 0), 0.02),  # shifted only: r stays 1
        "d3": matrix(base, 0.01),
    }
    members = ["d1", "d2", "d3"]
    similarities = {"cka_linear": by_dataset}
    table = Sensitivity(
        shown(similarities=similarities, models=models, datasets=sized()), members
    ).table
    upper = np.triu_indices(8, 1)
    r = np.corrcoef(by_dataset["d1"].values[upper], base[upper])[0, 1]
    assert table["r"].tolist() == pytest.approx([r, 1.0, 1.0])
    assert table["shift"].tolist()[1:] == pytest.approx([0.02, 0.0])
    assert table["standard_error"].tolist() == pytest.approx([0.05, 0.02, 0.01])
    assert table.loc[0, "low"] < r < table.loc[0, "high"]
    assert np.isnan(table.loc[2, "low"])  # with itself there is no estimate
    words = Sensitivity(
        shown(similarities=similarities, models=models, datasets=sized()), members
    ).describe()
    assert f"100 images correlate with those on 1,000 with r = {number(r)}" in words.title
    assert "500: r 1.000" in words.caption
    assert "difference 0.020" in words.caption
    assert style.png_bytes(
        Sensitivity(
            shown(similarities=similarities, models=models, datasets=sized()), members
        ).draw(),
        dpi=30,
    )


def test_the_catalogue_has_a_figure_per_series(inputs):
    series = inputs.datasets.assign(series="x", n_images=[10, 20, 30])
    with_series = dataclasses.replace(inputs, datasets=series)
    names = [entry.name for entry in catalogue(with_series)]
    assert "sensitivity_x" in names
    assert not any(name.startswith("sensitivity") for name in map(_name, catalogue(inputs)))


def _name(entry) -> str:
    return entry.name


def test_words_for_intervals_and_p_values():
    assert interval(0.1, 0.25) == " [0.10, 0.25]"
    assert interval(float("nan"), 0.25) == ""
    assert p_is(0.0004) == "p\u00a0<\u00a00.001"
    assert p_is(0.0126) == "p\u00a0=\u00a00.013"
    assert p_is(float("nan")) == "p n/a"
