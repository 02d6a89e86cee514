from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simcons.core.errors import UserError
from simcons.probes.splits import few_shot_rows, index_labels, validation_split


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=2, max_size=12),
    fraction=st.sampled_from([0.1, 0.2, 0.35, 0.5]),
    seed=st.integers(0, 5),
)
def test_split_is_stratified_and_complete(counts: list[int], fraction: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    possible = min(round(fraction * sum(counts)), sum(c - 1 for c in counts))
    if possible == 0:
        with pytest.raises(UserError, match="validation"):
            validation_split(labels, fraction, seed, "m")
        return
    train, validation = validation_split(labels, fraction, seed, "m")
    assert sorted([*train, *validation]) == list(range(len(labels)))
    kept = np.bincount(labels[train], minlength=len(counts))
    held = np.bincount(labels[validation], minlength=len(counts))
    assert (kept >= 1).all()
    assert len(validation) == possible or (held >= np.array(counts) - 1).sum() > 0
    assert (np.abs(held - fraction * np.array(counts)) < 1 + 1e-9).all()


def test_split_takes_exactly_a_fifth_of_equal_classes() -> None:
    labels = np.tile(np.arange(5), 20)
    _, validation = validation_split(labels, 0.2, 0, "m")
    assert np.bincount(labels[validation]).tolist() == [4] * 5


def test_split_and_few_shot_follow_the_seed() -> None:
    labels = np.tile(np.arange(3), 30)
    for draw in (
        lambda s: validation_split(labels, 0.2, s, "m")[1].tolist(),
        lambda s: few_shot_rows(labels, 5, s, "m").tolist(),
    ):
        assert draw(0) == draw(0)
        assert draw(0) != draw(1)


def test_few_shot_takes_k_of_each() -> None:
    labels = np.array([0, 1, 1, 0, 2, 2, 2, 1, 0, 2])
    rows = few_shot_rows(labels, 2, 0, "m")
    assert np.bincount(labels[rows]).tolist() == [2, 2, 2]
    assert len(set(rows.tolist())) == 6


def test_few_shot_of_a_small_class_is_refused_by_name() -> None:
    labels = np.array([4, 4, 4, 9])
    with pytest.raises(UserError, match=r"m: class 9 has 1 training images; few_shot: 2"):
        few_shot_rows(labels, 2, 0, "m")


def test_index_labels_with_gaps_and_strangers() -> None:
    classes = np.array([-3, 2, 10])
    labels = np.array([10, 2, -3, 3, 11, -9])
    assert index_labels(labels, classes).tolist() == [2, 1, 0, -1, -1, -1]
