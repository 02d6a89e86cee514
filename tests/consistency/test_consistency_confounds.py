"""Confounds: the overlap table, contrasts within strata, and partial correlation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from consistency_data import analysis, random_matrices
from scipy import stats

from simcons.consistency import (
    consistency,
    overlap_table,
    partial_consistency,
    stratified_contrasts,
)
from simcons.consistency.confounds.partial import pair_covariates, partial_correlation
from simcons.consistency.pairs import pair_index

IDS = [f"m{k:02d}" for k in range(12)]


@pytest.fixture
def models():
    return pd.DataFrame(
        {
            "objective": ["a"] * 4 + ["b"] * 5 + ["c"] * 3,
            "data": ["x", "x", "x", "y", "x", "x", "x", "x", "y", "z", "z", None],
            "family": ["f0", "f0", *IDS[2:]],
            "params": np.linspace(1, 50, 12),
        },
        index=IDS,
    )


def test_the_overlap_table_counts_models_and_families(models):
    table = overlap_table(models, ["objective", "data"])
    counts = table.set_index(["value_1", "value_2"])["n_models"].to_dict()
    assert counts["a", "x"] == 3
    assert counts["a", "z"] == 0
    assert counts["c", "(none)"] == 1
    assert len(table) == 3 * 4
    assert table.set_index(["value_1", "value_2"])["n_families"]["a", "x"] == 2
    counts = pd.crosstab(models["objective"], models["data"].fillna("-")).to_numpy()
    assert table["cramers_v"].iloc[0] == pytest.approx(stats.contingency.association(counts))


def test_a_category_with_one_value_has_no_association(models):
    assert np.isnan(overlap_table(models.assign(one="u"), ["objective", "one"])["cramers_v"]).all()


def test_contrasts_only_where_both_groups_are(models):
    matrices = random_matrices(4, 12)
    table = stratified_contrasts(
        analysis(matrices, models, contrast="objective", strata=["data"], n_permutations=100)
    )
    rows = table[table["method"] == "pearson"].set_index(["group_1", "group_2", "stratum"])
    assert list(rows.index) == [
        ("a", "b", "x"), ("a", "b", "y"), ("a", "c", "(none)"), ("b", "c", "(none)"),
    ]  # fmt: skip
    found = rows.loc[("a", "b", "x")]
    first, second = ["m00", "m01", "m02"], ["m04", "m05", "m06", "m07"]
    means = [consistency(matrices, s, s)["r"].mean() for s in (first, second)]
    assert [found["estimate_1"], found["estimate_2"]] == pytest.approx(means)
    assert found["difference"] == pytest.approx(means[0] - means[1])
    # Two of six families carry the label: 15 ways, of which 10 leave out the family of two and so
    # give a group of two models, one pair and no r.
    assert found["smallest_p"] == pytest.approx(11 / 15)
    assert found["p_permutation"] >= 11 / 15
    assert "1 model(s) of a group" in rows.loc[("a", "b", "y"), "reason"]
    assert "no data has models of both" in rows.loc[("a", "c", "(none)"), "reason"]


def test_one_value_gives_an_empty_table_with_columns(models):
    found = stratified_contrasts(
        analysis(random_matrices(2, 12), models.assign(objective="a"), contrast="objective",
                 strata=["data"])
    )  # fmt: skip
    assert found.empty
    assert "p_holm" in found.columns


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_partial_correlation_against_the_recursion_formula(method):
    rng = np.random.default_rng(0)
    z = rng.normal(size=200)
    x, y = z + rng.normal(size=200), z + rng.normal(size=200)
    reference = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[method]
    xy, xz, yz = (reference(*pair).statistic for pair in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    found = partial_correlation(np.stack([x, y]), z[:, None], method)
    assert found[0, 1] == pytest.approx(expected)


def test_covariates_that_leave_nothing_give_nan():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 10))
    found = partial_correlation(np.stack([x, y]), x[:, None])
    assert np.isnan(found[0, 1])
    assert np.isnan(partial_correlation(np.stack([x, y]), rng.normal(size=(10, 9)))).all()


def test_what_only_size_makes_consistent_disappears(models):
    """Similarities that are a function of the pair's sizes, plus noise of each data set."""
    rng = np.random.default_rng(0)
    matrices = random_matrices(3, 12)
    large = (np.arange(12) % 2).astype(float)
    for matrix in matrices.values():
        noise = rng.normal(size=(12, 12))
        matrix.values[:] = large[:, None] + large + 0.2 * (noise + noise.T)
    sizes = models.assign(size_class=np.where(large > 0, "large", "small"))
    assert (consistency(matrices)["r"] > 0.8).all()
    found = partial_consistency(analysis(matrices, sizes, ["objective"], given=["size_class"]))
    everyone = found[found["category"] == "all"]
    assert (everyone["r_partial"].abs() < 0.4).all()
    assert set(everyone["n_covariates"]) == {3}
    assert set(found["given"]) == {"size_class"}
    assert found.groupby(["category", "group_1", "group_2", "method"]).size().eq(3).all()


def test_numeric_properties_enter_as_logarithms(models):
    everyone = np.ones(12, dtype=bool)
    pairs = pair_index(everyone, everyone)

    def covariates(table, *given):
        return pair_covariates(analysis(random_matrices(1, 12), table, given=given), pairs)

    found = covariates(models, "params")
    log = np.log(models["params"].to_numpy())
    np.testing.assert_allclose(found[:, 0], np.abs(log[pairs.left] - log[pairs.right]))
    np.testing.assert_allclose(found[:, 1], log[pairs.left] + log[pairs.right])
    signed = covariates(models.assign(params=np.arange(12.0) - 3), "params")
    assert signed[:, 1].min() == -5
    assert covariates(models).shape == (66, 0)
    assert covariates(models, "data").sum(axis=1).tolist() == [1.0] * 66
