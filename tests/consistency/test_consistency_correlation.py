"""Correlation of all rows against scipy, one pair at a time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from simcons.consistency import correlation_matrix
from simcons.consistency.correlation import is_constant
from simcons.core.errors import UserError

REFERENCE = {
    "pearson": stats.pearsonr,
    "spearman": stats.spearmanr,
    "kendall": stats.kendalltau,
}


@pytest.mark.parametrize("method", sorted(REFERENCE))
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n_pairs", [3, 40, 1500])
def test_against_scipy(method, ties, n_pairs):
    rng = np.random.default_rng(n_pairs)
    vectors = rng.normal(size=(4, n_pairs)) + rng.normal(size=n_pairs)
    if ties and n_pairs > 3:
        vectors = np.round(vectors, 1)
    found = correlation_matrix(vectors, method)
    for i in range(4):
        for j in range(4):
            expected = REFERENCE[method](vectors[i], vectors[j]).statistic
            assert found[i, j] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", sorted(REFERENCE))
def test_a_constant_vector_has_no_correlation(method):
    vectors = np.array([[0.1, 0.2, 0.4, 0.3], [0.7] * 4, [1.0, 2.0, 4.0, 3.0]])
    found = correlation_matrix(vectors, method)
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 1]).all()
    assert found[0, 2] == pytest.approx(1.0)


def test_constant_but_for_rounding():
    almost = 0.7 + 1e-16 * np.arange(5)
    assert is_constant(np.stack([almost, np.zeros(5), np.arange(5.0)])).tolist() == [
        True,
        True,
        False,
    ]


def test_an_unknown_method_gets_a_suggestion():
    with pytest.raises(UserError, match="did you mean 'spearman'"):
        correlation_matrix(np.zeros((2, 3)), "spearmen")
