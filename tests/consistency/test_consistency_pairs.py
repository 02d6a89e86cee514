"""Pair vectors: which pairs, in which order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from consistency_data import Matrix, random_matrices
from hypothesis import given
from hypothesis import strategies as st

from simcons.consistency import Analysis
from simcons.consistency.pairs import membership, pair_index, pair_vectors
from simcons.core.errors import UserError


@given(
    st.integers(2, 9).flatmap(
        lambda m: st.tuples(
            st.lists(st.booleans(), min_size=m, max_size=m),
            st.lists(st.booleans(), min_size=m, max_size=m),
        )
    )
)
def test_pairs_are_those_of_the_definition(masks):
    first, second = (np.array(mask) for mask in masks)
    expected = {
        frozenset((a, b)) for a in np.flatnonzero(first) for b in np.flatnonzero(second) if a != b
    }
    pairs = pair_index(first, second)
    found = list(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    assert found == sorted(tuple(sorted(pair)) for pair in expected)
    assert len(pairs) == len(expected)


def test_matrices_in_different_orders_are_lined_up():
    one = random_matrices(1)["data0"]
    order = np.random.default_rng(1).permutation(len(one.models))
    shuffled = Matrix([one.models[k] for k in order], one.values[np.ix_(order, order)])
    lined_up = Analysis.of({"b": shuffled, "a": one})
    assert lined_up.datasets == ["a", "b"]
    np.testing.assert_array_equal(lined_up.values[0], lined_up.values[1])


def test_a_non_symmetric_measure_is_averaged_over_its_directions():
    values = np.array([[1.0, 0.2], [0.6, 1.0]])
    lined_up = Analysis.of({"a": Matrix(["x", "y"], values)})
    everyone = membership(lined_up.models, None)
    assert pair_vectors(lined_up.values, pair_index(everyone, everyone)).item() == pytest.approx(
        0.4
    )


def test_a_missing_model_is_named_with_its_data_set(matrices):
    short = matrices["data2"]
    matrices["data2"] = Matrix(short.models[:-1], short.values[:-1, :-1])
    with pytest.raises(UserError, match=r"'data2'.*m09"):
        Analysis.of(matrices)
    assert Analysis.of(matrices, models=["m00", "m01", "m02"]).models == ["m00", "m01", "m02"]


def test_an_unknown_model_gets_a_suggestion(matrices):
    with pytest.raises(UserError, match="did you mean 'm01'"):
        Analysis.of(matrices, models=["m1"])
    with pytest.raises(UserError, match="unknown model 'zzz'"):
        membership(["a"], ["zzz"])


def test_a_similarity_that_is_no_number_is_named(matrices):
    matrices["data1"].values[3, 5] = np.nan
    with pytest.raises(UserError, match=r"'data1'.*'m03' and 'm05'"):
        Analysis.of(matrices)


def test_a_diagonal_that_is_no_number_does_not_matter(matrices):
    np.fill_diagonal(matrices["data1"].values, np.nan)
    assert Analysis.of(matrices).values.shape == (4, 10, 10)


def test_no_matrices_at_all():
    with pytest.raises(UserError, match="no similarity matrices"):
        Analysis.of({})
