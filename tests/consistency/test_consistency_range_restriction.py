"""Range restriction: companions by hand, corrections on selected samples, spread matching."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from consistency_data import Matrix, analysis, random_matrices
from scipy import stats

from simcons.consistency import companions, spread, spread_matched
from simcons.consistency.confounds.range_restriction import (
    companion_values,
    effective_number,
    matching_weights,
    thorndike,
    weighted_spread,
)


def test_companions_by_hand():
    x, y = np.array([0.1, 0.2, 0.4, 0.9]), np.array([0.3, 0.1, 0.5, 0.7])
    found = {
        k: v.item() for k, v in companion_values(np.stack([x, y]), np.array([1.0, 1.0])).items()
    }
    line = stats.linregress(x, y)
    residual = y - line.intercept - line.slope * x
    assert found["rmse_2_given_1"] == pytest.approx(np.sqrt(np.mean(residual**2)))
    back = stats.linregress(y, x)
    residual = x - back.intercept - back.slope * y
    assert found["rmse_1_given_2"] == pytest.approx(np.sqrt(np.mean(residual**2)))
    assert found["median_absolute_difference"] == pytest.approx(0.15)
    covariance = np.cov(x, y, ddof=0)
    lin = 2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + (x.mean() - y.mean()) ** 2)
    assert found["concordance"] == pytest.approx(lin)
    assert found["r"] == pytest.approx(line.rvalue)


def test_thorndike_restores_r_after_selection_and_rmse_needs_no_help():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200_000)
    y = 0.7 * x + np.sqrt(1 - 0.49) * rng.normal(size=x.size)
    kept = np.abs(x) < 0.6
    found = companion_values(np.stack([x[kept], y[kept]]), np.array([x.std(), y.std()]))
    assert found["r"].item() < 0.4
    assert found["thorndike_1"].item() == pytest.approx(0.7, abs=0.01)
    assert found["rmse_2_given_1"].item() == pytest.approx(np.sqrt(0.51), abs=0.01)
    assert thorndike(np.array([0.5]), np.array([1.0])).item() == pytest.approx(0.5)


def test_constant_similarities_have_no_companions():
    found = companion_values(np.array([[1.0, 1, 1], [1.0, 2, 3]]), np.ones(2))
    assert np.isnan(found["r"]).all()
    assert np.isnan(found["concordance"]).all()


def test_tables_have_a_row_per_group_and_data_set_pair(matrices, table):
    found = companions(analysis(matrices, table, ["objective"]))
    assert len(found) == 6 * 6
    everyone = found[found["category"] == "all"]
    np.testing.assert_allclose(everyone["thorndike_1"], everyone["r"])
    rows = spread(analysis(matrices, table, ["objective"]))
    assert len(rows) == 6 * 4
    first = rows.iloc[0]
    values = matrices["data0"].values[np.triu_indices(10, 1)]
    assert first[["mean", "sd", "minimum", "maximum", "median"]].tolist() == pytest.approx(
        [values.mean(), values.std(), values.min(), values.max(), np.median(values)]
    )


@pytest.fixture
def wide_and_narrow():
    """Models with far neighbours and near ones in group a, near ones only in b."""
    rng = np.random.default_rng(0)
    scale = np.concatenate([np.linspace(0.3, 3, 14), np.full(14, 0.6)])
    ids = [f"m{k:02d}" for k in range(28)]
    shared = rng.normal(size=(28, 3))
    result = {}
    for d in range(4):
        position = scale[:, None] * (shared + 0.4 * rng.normal(size=shared.shape))
        distance = np.linalg.norm(position[:, None] - position[None], axis=2)
        result[f"d{d}"] = Matrix(ids, np.exp(-distance))
    return result, pd.DataFrame({"objective": ["a"] * 14 + ["b"] * 14}, index=ids)


def test_spread_matching_reaches_the_narrow_spread(wide_and_narrow):
    matrices, table = wide_and_narrow
    found = spread_matched(analysis(matrices, table, ["objective"]))
    assert len(found) == 2
    for row in found.to_dict("records"):
        narrow = min(row["spread_1"], row["spread_2"])
        assert row["spread_matched"] == pytest.approx(narrow, rel=1e-6)
        assert 4 <= row["effective_models"] < 14
        one = row["reweighted"] == "a"
        assert row["r_2_matched" if one else "r_1_matched"] == row["r_2" if one else "r_1"]
        assert row["r_1_matched" if one else "r_2_matched"] != row["r_1" if one else "r_2"]


def test_an_unreachable_spread_is_said(wide_and_narrow):
    matrices, table = wide_and_narrow
    study = analysis(matrices, table, ["objective"])
    group = study.groups[1]
    weights, reason = matching_weights(study.vectors(group), group, 1e-6)
    assert "no weights with 4 effective models" in reason
    assert set(weights) == {0.0, 1.0}
    weights, reason = matching_weights(study.vectors(group), group, 10.0)
    assert (reason, effective_number(weights)) == ("", pytest.approx(14))
    for matrix in matrices.values():
        matrix.values[14:, 14:] = 0.5
    found = spread_matched(analysis(matrices, table, ["objective"], ["pearson"])).iloc[0]
    assert np.isnan(found["spread_matched"])
    assert found["reason"]


def test_weighted_spread_by_hand():
    vectors = np.array([[0.0, 1.0, 5.0], [2.0, 2.0, 9.0]])
    assert weighted_spread(vectors, np.array([1.0, 1.0, 0.0])) == pytest.approx(np.sqrt(0.25 / 2))


def test_one_group_gives_an_empty_table_with_columns():
    found = spread_matched(
        analysis(random_matrices(2, 5), pd.DataFrame(index=[f"m0{k}" for k in range(5)]))
    )
    assert found.empty
    assert "r_1_matched" in found.columns
