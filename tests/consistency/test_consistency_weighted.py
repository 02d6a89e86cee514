"""Weighted correlations against scipy on repeated values, and pair weights against copies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simcons.consistency.correlation import pair_weights, weighted_correlation
from simcons.consistency.pairs import pair_index
from simcons.core.errors import UserError

REFERENCE = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}


@pytest.mark.parametrize("method", sorted(REFERENCE))
@pytest.mark.parametrize("decimals", [1, 8])
def test_weights_are_repetitions(method, decimals):
    rng = np.random.default_rng(0)
    vectors = np.round(rng.normal(size=(4, 30)) + rng.normal(size=30), decimals)
    weights = rng.integers(0, 4, size=(7, 30))
    found = weighted_correlation(vectors, weights.astype(float), method)
    assert found.shape == (7, 6)
    for b in range(7):
        repeated = np.repeat(vectors, weights[b], axis=1)
        expected = [
            REFERENCE[method](repeated[i], repeated[j]).statistic
            for i, j in itertools.combinations(range(4), 2)
        ]
        np.testing.assert_allclose(found[b], expected, atol=1e-12)


@pytest.mark.parametrize("method", sorted(REFERENCE))
def test_many_weightings_in_chunks_equal_one_at_a_time(method, monkeypatch):
    monkeypatch.setattr("simcons.consistency.correlation._CHUNK_ELEMENTS", 500)
    rng = np.random.default_rng(1)
    vectors, weights = rng.normal(size=(3, 40)), rng.integers(0, 3, size=(50, 40)).astype(float)
    each = [weighted_correlation(vectors, w[None], method)[0] for w in weights]
    np.testing.assert_allclose(weighted_correlation(vectors, weights, method), each, atol=1e-12)


@pytest.mark.parametrize("method", sorted(REFERENCE))
def test_undefined_is_nan(method):
    vectors = np.array([[1.0, 2, 3, 4, 5], [2.0, 1, 4, 3, 5], [7.0] * 5, [1.0, 1, 1, 2, 3]])
    weights = np.array([[1.0, 1, 1, 1, 1], [9, 9, 0, 0, 0], [1, 1, 1, 0, 0], [0] * 5])
    r = weighted_correlation(vectors, weights, method)
    pairs = list(itertools.combinations(range(4), 2))
    nan = [[bool(np.isnan(v)) for v in row] for row in r]
    assert nan[0] == [2 in pair for pair in pairs]
    assert nan[1] == [True] * 6
    assert nan[2] == [2 in pair or 3 in pair for pair in pairs]
    assert nan[3] == [True] * 6


def test_kendall_is_refused():
    with pytest.raises(UserError, match="point estimate only"):
        weighted_correlation(np.zeros((2, 3)), np.ones((1, 3)), "kendall")


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_pair_weights_are_the_pairs_among_copies(seed):
    """Draw families, write every copy down, and count which pairs may be formed."""
    rng = np.random.default_rng(seed)
    family = np.sort(rng.integers(0, 4, size=6))
    family = np.unique(family, return_inverse=True)[1]
    draws = rng.integers(0, 3, size=family.max() + 1)
    pairs = pair_index(rng.random(6) < 0.7, rng.random(6) < 0.7)
    copies = [(i, c) for i in range(6) for c in range(draws[family[i]])]
    expected = dict.fromkeys(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), 0)
    for (i, a), (j, b) in itertools.combinations(copies, 2):
        allowed = i != j and (family[i] != family[j] or a == b)
        if allowed and (min(i, j), max(i, j)) in expected:
            expected[min(i, j), max(i, j)] += 1
    found = pair_weights(draws[family][None], family, pairs)[0]
    assert found.tolist() == list(expected.values())
