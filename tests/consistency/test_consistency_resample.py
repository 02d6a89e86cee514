"""Draws and permutations keep families together and strata apart; counts of what is possible."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from simcons.consistency.categories import families
from simcons.consistency.pairs import pair_index
from simcons.consistency.resample import (
    bootstrap_counts,
    dataset_counts,
    dataset_pair_weights,
    generator,
    group_units,
    jackknife_counts,
    model_permutations,
    relabel,
    units,
)

FAMILY = np.array([0, 0, 1, 1, 2, 3, 4, 4, 5])
LABELS = ["a", "a", "a", "a", "a", "b", "b", "b", "b"]


def test_families_are_read_from_the_table():
    table = pd.DataFrame({"family": ["x", "y", "x", None]}, index=list("abcd"))
    assert families(list("abcd"), table).tolist() == [1, 2, 1, 0]  # "d" stands for itself
    assert families(list("abcd"), table[[]]).tolist() == [0, 1, 2, 3]


def test_bootstrap_draws_families_within_strata():
    unit = units(FAMILY, LABELS)
    counts = bootstrap_counts(unit, 500, np.random.default_rng(0))
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 6] == counts[:, 7]).all()
    first = counts[:, [0, 2, 4]].sum(axis=1)
    second = counts[:, [5, 6, 8]].sum(axis=1)
    assert set(first) == set(second) == {3}
    assert counts.mean(axis=0) == pytest.approx(1, abs=0.1)


def test_jackknife_leaves_out_each_family_once():
    unit = units(FAMILY)
    counts = jackknife_counts(unit)
    assert counts.shape == (6, 9)
    assert (1 - counts).sum(axis=0).tolist() == [1] * 9
    assert len(jackknife_counts(unit, np.arange(9) < 4)) == 2


def test_a_family_with_two_labels_is_a_stratum_of_its_own():
    assert len(set(units(np.array([0, 0, 1, 2]), ["a", "b", "a", "b"]).stratum)) == 3


def test_permutations_keep_families_and_strata():
    unit = units(FAMILY, LABELS)
    found = model_permutations(unit, 300, np.random.default_rng(0))
    labels = np.array(LABELS)
    assert (labels[found.index] == labels).all()
    assert (np.sort(found.index, axis=1) == np.arange(9)).all()
    same = FAMILY[:, None] == FAMILY
    assert all((same[np.ix_(row, row)] == same).all() for row in found.index)
    # two families of two in stratum a (2! * 2!^2), a single one; in b two singles, one of two
    assert found.n_distinct == pytest.approx(8 * 1 * 2 * 2)
    assert len(np.unique(found.index, axis=0)) == 32


def test_group_strata_map_the_pairs_onto_themselves():
    first, second = np.arange(9) < 6, np.arange(9) >= 4
    index = model_permutations(
        group_units(np.arange(9), first, second),
        100,
        np.random.default_rng(1),
    ).index
    pairs = pair_index(first, second)
    square = np.zeros((9, 9), dtype=bool)
    square[pairs.left, pairs.right] = square[pairs.right, pairs.left] = True
    assert all((square[np.ix_(row, row)] == square).all() for row in index)


def test_all_labellings_are_listed_where_they_are_few():
    family = np.arange(7)
    first, second = np.arange(7) < 3, (np.arange(7) >= 3) & (np.arange(7) < 6)
    found = relabel(family, first, second, 100, np.random.default_rng(0))
    assert found.exact
    assert found.balanced
    assert found.n_distinct == 20
    assert found.smallest_p == pytest.approx(2 / 20)
    assert found.in_first[0].tolist() == first.tolist()
    assert len(np.unique(found.in_first, axis=0)) == 20
    assert (found.in_first.sum(axis=1) == 3).all()
    assert not found.in_first[:, 6].any()


def test_unequal_groups_allow_a_smaller_p():
    found = relabel(np.arange(11), np.arange(11) < 7, np.arange(11) >= 7, 2000, generator(0))
    assert found.smallest_p == pytest.approx(1 / 330)


def test_many_labellings_are_drawn():
    found = relabel(np.arange(30), np.arange(30) < 15, np.arange(30) >= 15, 50, generator(0))
    assert not found.exact
    assert found.in_first.shape == (51, 30)
    assert found.smallest_p == pytest.approx(1 / 51)
    assert (found.in_first.sum(axis=1) == 15).all()


def test_labels_move_by_family():
    family = np.array([0, 0, 1, 2, 3, 4, 5])
    first = np.array([1, 1, 0, 0, 1, 0, 0], dtype=bool)
    found = relabel(family, first, ~first, 100, generator(0))
    assert found.n_distinct == 15
    assert (found.in_first[:, 0] == found.in_first[:, 1]).all()
    assert (found.in_first[:, 1:].sum(axis=1) == 2).all()


def test_astronomical_counts_do_not_overflow():
    unit = units(np.arange(400))
    assert model_permutations(unit, 2, generator(0)).n_distinct == np.inf


def test_a_data_set_never_pairs_with_itself():
    counts = dataset_counts(4, 200, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 4).all()
    weights = dataset_pair_weights(np.array([[2, 1, 0, 1], [4, 0, 0, 0]]))
    assert weights.tolist() == [[2, 0, 2, 0, 1, 0], [0] * 6]


def test_generators_differ_by_name_and_not_by_order():
    assert generator(0, "a").random() == generator(0, "a").random()
    assert generator(0, "a").random() != generator(0, "b").random()
    assert generator(0, "a").random() != generator(1, "a").random()
