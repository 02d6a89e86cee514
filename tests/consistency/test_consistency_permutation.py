"""Permutation tests against plain loops, corrections against known values."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from consistency_data import analysis, random_matrices
from scipy import stats

from simcons.consistency import consistency, consistency_intervals, contrasts, mantel
from simcons.consistency.inference.contrasts import label_test
from simcons.consistency.inference.permutation import holm, p_value, permuted_correlations
from simcons.consistency.resample import group_units, model_permutations, relabel


def table_of(n_models, n_first):
    labels = ["a"] * n_first + ["b"] * (n_models - n_first)
    return pd.DataFrame({"objective": labels}, index=[f"m{k:02d}" for k in range(n_models)])


def test_holm_by_hand():
    np.testing.assert_allclose(
        holm(np.array([0.01, 0.04, 0.03, np.nan, 0.005])), [0.03, 0.06, 0.06, np.nan, 0.02]
    )
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).size == 0


def test_p_values_count_the_observed_labelling():
    permuted = np.array([[0.1], [-0.5], [0.3]])
    observed = np.array([0.3])
    assert p_value(observed, permuted, "greater") == pytest.approx(2 / 4)
    assert p_value(observed, permuted) == pytest.approx(3 / 4)
    assert p_value(observed, permuted, included=True) == pytest.approx(2 / 3)
    assert np.isnan(p_value(np.array([np.nan]), permuted)).all()


@pytest.mark.parametrize("method", ["pearson", "spearman"])
@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_permuted_correlations_against_a_plain_loop(method, which):
    study = analysis(random_matrices(3, 9), table_of(9, 5), ["objective"])
    group = study.groups[which]
    unit = group_units(np.arange(9), group.first, group.second)
    permutations = model_permutations(unit, 15, np.random.default_rng(0))
    r, permuted = permuted_correlations(study.values, group.pairs, permutations.index, method)
    reference = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[method]
    left, right = group.pairs.left, group.pairs.right
    for e, (d1, d2) in enumerate(itertools.combinations(range(3), 2)):
        x, y = study.values[d1], study.values[d2]
        assert r[e] == pytest.approx(reference(x[left, right], y[left, right]).statistic)
        for b, p in enumerate(permutations.index):
            moved = y[np.ix_(p, p)]
            expected = reference(x[left, right], moved[left, right]).statistic
            assert permuted[b, e] == pytest.approx(expected)


def test_mantel_finds_consistency_and_no_more():
    related = random_matrices(4, 12, noise=0.2)
    related["data3"].values[:] = random_matrices(1, 12, seed=9)["data0"].values
    found = mantel(analysis(related, table_of(12, 6), n_permutations=400))
    alone = (found["dataset_2"] == "data3").to_numpy()
    assert (found["p"][~alone] <= 0.01).all()
    assert (found["p_max"][~alone] <= 0.02).all()
    assert (found["p"][alone] > 0.01).all()
    assert (found["p_holm"] >= found["p"]).all()
    assert (found["p_max"] >= found["p"]).all()
    assert found["smallest_p"].tolist() == [1 / 401] * 12
    expected = consistency(related, method="spearman")["r"]
    np.testing.assert_allclose(found[found["method"] == "spearman"]["r"], expected)


def test_two_sided_mantel_sees_a_negative_relation():
    matrices = random_matrices(2, 10, noise=0.1)
    matrices["data1"].values *= -1
    one, two = (
        mantel(analysis(matrices, table_of(10, 5), [], ["pearson"], n_permutations=200), a)
        for a in ("greater", "two-sided")
    )
    assert one["p"].item() > 0.9
    assert two["p"].item() < 0.02
    assert two["p_max"].item() < 0.02


def test_few_permutations_limit_the_smallest_p():
    found = mantel(analysis(random_matrices(2, 3), table_of(3, 3), n_permutations=500))
    assert found["smallest_p"].tolist() == [pytest.approx(1 / 6)] * 2


def test_models_outside_a_group_do_not_make_its_smallest_p_smaller():
    found = mantel(analysis(random_matrices(2, 10), table_of(10, 3), ["objective"], ["pearson"]))
    least = found.set_index(["group_1", "group_2"])["smallest_p"]
    assert least[("a", "a")] == pytest.approx(1 / 6)  # three models have six orders
    assert least[("b", "b")] == least[("a", "b")] == pytest.approx(1 / 2001)


def test_contrasts_against_every_labelling_written_out():
    matrices = random_matrices(4, 8)
    table = contrasts(
        analysis(
            matrices, table_of(8, 4), ["objective"], ["pearson"], n_bootstrap=20, n_permutations=100
        )
    )
    row = table.iloc[0]
    ids = matrices["data0"].models

    def difference(first):
        second = [i for i in ids if i not in first]
        means = [consistency(matrices, s, s)["r"].mean() for s in (first, second)]
        return means[0] - means[1]

    every = [difference(list(c)) for c in itertools.combinations(ids, 4)]
    observed = difference(ids[:4])
    assert row["difference"] == pytest.approx(observed)
    assert row["p_permutation"] == pytest.approx(np.mean(np.abs(every) >= abs(observed) - 1e-9))
    assert row["smallest_p"] == pytest.approx(2 / 70)
    assert row["exact"]
    assert row["p_holm"] == row["p_permutation"]
    r = [consistency(matrices, s, s)["r"] for s in (ids[:4], ids[4:])]
    assert row["p_rank_sum"] == pytest.approx(stats.ranksums(*r).pvalue)
    assert row["rank_sum_assumes_independence"]
    assert not row["available"]
    assert "4 families" in row["reason"]


def test_contrasts_have_intervals_and_corrections():
    matrices = random_matrices(8, 18)
    labels = pd.DataFrame(
        {"size": ["s"] * 6 + ["m"] * 6 + ["l"] * 6}, index=matrices["data0"].models
    )
    options = {"n_bootstrap": 200, "n_permutations": 60}
    table = contrasts(analysis(matrices, labels, ["size"], **options), statistic="median")
    assert table[["group_1", "group_2"]].drop_duplicates().to_numpy().tolist() == [
        ["l", "m"], ["l", "s"], ["m", "s"],
    ]  # fmt: skip
    assert len(table) == 6
    assert table["available"].all()
    assert (table["percentile_low"] < table["difference"]).all()
    assert (table["difference"] < table["percentile_high"]).all()
    assert (table["p_rank_sum_bonferroni"] <= 3 * table["p_rank_sum"] + 1e-12).all()
    assert (table["p_holm"] >= table["p_permutation"]).all()
    pd.testing.assert_frame_equal(
        table, contrasts(analysis(matrices, labels, ["size"], **options), statistic="median")
    )


def test_no_two_groups_give_an_empty_table_with_columns():
    found = contrasts(
        analysis(random_matrices(3, 6), table_of(6, 6), ["objective"], n_permutations=5)
    )
    assert found.empty
    assert {"difference", "p_holm", "p_rank_sum_bonferroni"} <= set(found.columns)


def test_a_planted_difference_between_groups_is_found():
    """Group a keeps its geometry over data sets, group b has a new one each time."""
    matrices = random_matrices(5, 16, noise=0.0)
    for k, matrix in enumerate(matrices.values()):
        fresh = random_matrices(1, 16, seed=50 + k)["data0"].values
        matrix.values[8:, 8:] = fresh[8:, 8:]
    row = contrasts(analysis(matrices, table_of(16, 8), ["objective"], ["spearman"], n_bootstrap=10,
                             n_permutations=300)).iloc[0]  # fmt: skip
    assert row["estimate_1"] == pytest.approx(1)
    assert row["difference"] > 0.6
    assert row["p_permutation"] < 0.02


def test_draws_are_shared_with_the_intervals():
    arguments = (random_matrices(8, 14), table_of(14, 7), ["objective"])
    options = {"n_bootstrap": 50, "n_permutations": 20}
    study = analysis(*arguments, **options)
    consistency_intervals(study)
    alone = contrasts(analysis(*arguments, **options))
    pd.testing.assert_frame_equal(contrasts(study), alone)


@pytest.mark.parametrize("sizes", itertools.permutations([8, 4, 8]))
def test_contrasts_do_not_depend_on_the_order_of_their_groups(sizes):
    """A group too small for an interval must not leave another one without its draws."""
    matrices = random_matrices(8, 20)
    labels = pd.DataFrame({"objective": np.repeat(["a", "b", "c"], sizes)},
                          index=matrices["data0"].models)  # fmt: skip
    table = contrasts(analysis(matrices, labels, ["objective"], n_bootstrap=200, n_permutations=10))
    small = "abc"[sizes.index(4)]
    without = (table["group_1"] != small) & (table["group_2"] != small)
    assert table["available"].tolist() == without.tolist()
    assert table["bca_low"].notna().tolist() == without.tolist()


def test_a_labelling_without_any_r_is_no_evidence():
    """One family of three against five lone models: most labellings leave a group of one model."""
    family = np.array([0, 0, 0, 1, 2, 3, 4, 5])
    first = family == 0
    labels = relabel(family, first, ~first, 100, np.random.default_rng(0))
    assert labels.exact
    assert labels.smallest_p == pytest.approx(1 / 6)
    values = np.array([0.3, *[np.nan] * 5])
    assert label_test(values, labels) == {"p_permutation": 1.0, "smallest_p": 1.0}
    values = np.array([0.3, 0.1, -0.2, 0.0, 0.1, np.nan])
    found = label_test(values, labels)
    assert found["p_permutation"] == pytest.approx(2 / 6)  # itself, and the undefined one
    assert found["smallest_p"] == pytest.approx(2 / 6)
