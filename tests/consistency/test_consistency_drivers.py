"""MRQAP against ordinary least squares and a plain loop over permutations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from consistency_data import analysis, random_matrices
from scipy import stats

from simcons.consistency import drivers, rank_spread
from simcons.consistency.confounds.drivers import mrqap
from simcons.consistency.pairs import pair_index
from simcons.core.errors import UserError


def slow_t(y, design):
    """The t statistics of ordinary least squares; the first column is the constant."""
    beta, *_ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ beta
    variance = residual @ residual / (len(y) - design.shape[1])
    return beta, beta / np.sqrt(variance * np.diag(np.linalg.inv(design.T @ design)))


def test_against_least_squares_and_a_loop_of_double_semi_partialing():
    rng = np.random.default_rng(0)
    m, n_permutations = 12, 40
    everyone = np.ones(m, dtype=bool)
    pairs = pair_index(everyone, everyone)
    labels = rng.integers(0, 3, size=(3, m))
    predictors = (labels[:, :, None] == labels[:, None, :]).astype(float)
    x = predictors[:, pairs.left, pairs.right]
    y = rng.normal(size=len(pairs)) - 0.5 * x[0]
    permutations = np.array([rng.permutation(m) for _ in range(n_permutations)])
    found = mrqap(y, predictors, pairs, permutations)
    constant = np.ones(len(pairs))
    beta, t = slow_t(y, np.column_stack([constant, *x]))
    np.testing.assert_allclose(found["coefficient"], beta[1:])
    np.testing.assert_allclose(found["t"], t[1:])
    for k in range(3):
        others = np.column_stack([constant, *np.delete(x, k, axis=0)])
        residual = x[k] - others @ np.linalg.lstsq(others, x[k], rcond=None)[0]
        square = np.zeros((m, m))
        square[pairs.left, pairs.right] = square[pairs.right, pairs.left] = residual
        more = 1
        for p in permutations:
            moved = square[np.ix_(p, p)][pairs.left, pairs.right]
            more += abs(slow_t(y, np.column_stack([others, moved]))[1][-1]) >= abs(t[1 + k])
        assert found["p"][k] == pytest.approx(more / (n_permutations + 1))
    fitted = np.column_stack([constant, *x]) @ beta
    assert found["r_squared"][0] == pytest.approx(np.var(fitted) / np.var(y))


def test_rank_spread_by_hand(matrices):
    found = rank_spread(analysis(matrices))
    upper = np.triu_indices(10, 1)
    ranks = np.stack([stats.rankdata(m.values[upper]) for m in matrices.values()])
    scaled = (ranks - 0.5) / 45
    np.testing.assert_allclose(found["rank_spread"], scaled.std(axis=0, ddof=1))
    np.testing.assert_allclose(found["mean_rank"], scaled.mean(axis=0))
    assert found[["model_1", "model_2"]].iloc[0].tolist() == ["m00", "m01"]
    with pytest.raises(UserError, match="at least two"):
        rank_spread(analysis(random_matrices(1)))


def test_a_planted_driver_is_found_and_an_idle_one_is_not():
    """Pairs that share an objective keep their similarity; the rest get a new one each time."""
    rng = np.random.default_rng(1)
    matrices = random_matrices(6, 16, noise=0.0)
    objective = np.repeat(["a", "b"], 8)
    same = objective[:, None] == objective
    for k, matrix in enumerate(matrices.values()):
        fresh = random_matrices(1, 16, seed=80 + k)["data0"].values
        matrix.values[~same] = fresh[~same]
    table = pd.DataFrame(
        {"objective": objective, "size_class": rng.permutation(np.tile(["s", "l"], 8)), "one": "u"},
        index=matrices["data0"].models,
    )
    study = analysis(matrices, table, ["objective", "size_class", "one"], n_permutations=300)
    found = drivers(study)
    rows = found.set_index("predictor")
    assert rows.loc["same objective", "coefficient"] < -0.05
    assert rows.loc["same objective", "p_holm"] < 0.02
    assert rows.loc["same size_class", "p"] > 0.05
    assert np.isnan(rows.loc["same one", "t"])
    assert "does not vary" in rows.loc["same one", "reason"]
    assert rows.loc["same objective", "n_shared"] == 56
    pd.testing.assert_frame_equal(found, drivers(study))


def test_models_without_a_value_share_it_with_none(matrices, table):
    found = drivers(analysis(matrices, table, ["architecture_class"], n_permutations=10))
    assert found["n_shared"].item() == 15 + 3
