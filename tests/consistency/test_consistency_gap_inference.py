"""Intervals of the performance gap, by domain, and error consistency."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from consistency_data import Matrix, random_matrices
from sklearn.metrics import cohen_kappa_score

from simcons.consistency import (
    error_consistency,
    gap_by_domain,
    gap_intervals,
    performance_gap,
    relation_intervals,
)
from simcons.errors import UserError


@pytest.fixture
def accuracies():
    rng = np.random.default_rng(3)
    rows = [(f"data{d}", f"m{k:02d}", rng.uniform()) for d in range(3) for k in range(10)]
    return pd.DataFrame(rows, columns=["dataset", "model", "accuracy"])


def test_estimates_and_intervals(accuracies):
    matrices = random_matrices(3)
    table = pd.DataFrame(index=matrices["data0"].models)
    options = {"n_bootstrap": 200, "measure": "cka_linear"}
    found = gap_intervals(matrices, accuracies, table, **options)
    expected = performance_gap(matrices, accuracies).sort_values(["dataset", "method"])
    np.testing.assert_allclose(found["r"], expected["r"])
    assert found["available"].all()
    assert (found["percentile_low"] < found["r"]).all()
    assert (found["r"] < found["percentile_high"]).all()
    assert found.columns[0] == "measure"
    pd.testing.assert_frame_equal(found, gap_intervals(matrices, accuracies, table, **options))


def test_few_families_have_no_interval(accuracies):
    matrices = random_matrices(2)
    families = [f"f{k // 2}" for k in range(10)]
    table = pd.DataFrame({"family": families}, index=matrices["data0"].models)
    found = gap_intervals(matrices, accuracies, table, ["pearson"])
    assert not found["available"].any()
    assert found["n_families"].tolist() == [5, 5]
    assert found["bca_low"].isna().all()
    assert found["r"].notna().all()


def test_a_relation_with_another_matrix_in_another_order():
    matrices = random_matrices(2)
    order = np.random.default_rng(0).permutation(10)
    others = {
        name: Matrix([m.models[k] for k in order], -m.values[np.ix_(order, order)])
        for name, m in matrices.items()
    }
    found = relation_intervals(matrices, others, pd.DataFrame(index=matrices["data0"].models),
                               n_bootstrap=50)  # fmt: skip
    np.testing.assert_allclose(found["r"], -1)
    with pytest.raises(UserError, match="'data1' has no matrix"):
        relation_intervals(matrices, {"data0": others["data0"]}, pd.DataFrame(index=order))


def test_two_models_are_too_few(accuracies):
    few = random_matrices(1, 2)
    with pytest.raises(UserError, match="1 model pair"):
        gap_intervals(few, accuracies, pd.DataFrame(index=["m00", "m01"]))


def test_quartiles_by_domain(accuracies):
    gaps = performance_gap(random_matrices(3), accuracies, measure="cka_linear")
    domains = {"data0": "natural", "data1": "natural", "data2": "structured"}
    found = gap_by_domain(gaps, domains).set_index(["domain", "method"])
    r = gaps[(gaps["method"] == "pearson") & (gaps["dataset"] != "data2")]["r"]
    assert found.loc[("natural", "pearson"), "median"] == pytest.approx(r.median(), abs=1e-6)
    assert found.loc[("structured", "spearman"), "n_datasets"] == 1
    assert "measure" in found.columns
    assert "measure" not in gap_by_domain(gaps.drop(columns="measure"), domains).columns
    with pytest.raises(UserError, match="no domain.*data2"):
        gap_by_domain(gaps, {"data0": "natural", "data1": "natural"})


def test_error_consistency_is_cohens_kappa():
    rng = np.random.default_rng(0)
    correct = rng.random((4, 60)) < np.array([[0.3], [0.6], [0.8], [0.9]])
    found = error_consistency(correct)
    for i in range(4):
        for j in range(4):
            assert found[i, j] == pytest.approx(cohen_kappa_score(correct[i], correct[j]))
    perfect = error_consistency(np.ones((2, 5), dtype=bool))
    assert np.isnan(perfect[0, 1])
    assert perfect[0, 0] == 1
