"""Class-balanced subsets by the study's rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcons.core.errors import UserError
from simcons.core.files import read_json, sha256_lines, write_json
from simcons.datasets import read_index, read_subset, write_subset
from simcons.datasets.subsets import balanced_subset

targets_strategy = st.lists(st.integers(0, 6), min_size=1, max_size=120)


@given(targets_strategy, st.integers(1, 130), st.integers(0, 5))
def test_rule_holds_for_any_labels(targets, max_samples, seed):
    chosen = balanced_subset(targets, max_samples, seed)
    labels = np.array(targets)
    assert chosen.dtype == np.int64
    assert np.all(np.diff(chosen) > 0)  # sorted, and none twice
    assert chosen[0] >= 0
    assert chosen[-1] < len(targets)
    if len(targets) <= max_samples:
        assert len(chosen) == len(targets)
        return
    classes, counts = np.unique(labels, return_counts=True)
    quota = math.ceil(max_samples / len(classes))
    for label, count in zip(classes, counts, strict=True):
        assert np.sum(labels[chosen] == label) == min(quota, count)


@given(targets_strategy, st.integers(1, 60), st.integers(0, 5))
def test_same_seed_same_subset(targets, max_samples, seed):
    first, second = (balanced_subset(targets, max_samples, seed) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_published_sizes():
    """102 classes give 10,098 (99 each) (Ciernik et al. 2025); 1,000 give 10,000."""
    assert len(balanced_subset(np.repeat(np.arange(102), 200), 10_000, 0)) == 10_098
    assert len(balanced_subset(np.repeat(np.arange(1000), 20), 10_000, 0)) == 10_000


def test_seeds_draw_different_images_of_all_rows():
    targets = np.repeat([0, 1], 50)
    drawn = [balanced_subset(targets, 20, seed) for seed in range(60)]
    assert len({tuple(rows) for rows in drawn}) == 60
    counts = np.bincount(np.concatenate(drawn), minlength=100)
    assert counts.min() >= 1  # every row is drawn sometimes: 60 * 20 / 100 = 12 on average
    assert counts.max() <= 30


def test_bad_arguments():
    with pytest.raises(UserError, match=r"subset\.max_samples: got 0"):
        balanced_subset([0, 1], 0, 0)
    with pytest.raises(UserError, match="non-empty"):
        balanced_subset([], 10, 0)


def test_subset_file_round_trip(folder, tmp_path):
    path = tmp_path / "subsets" / "tiny.json"
    written = write_subset(path, folder, dataset="tiny", max_samples=4, seed=3)
    subset = read_subset(path)
    np.testing.assert_array_equal(subset.indices, written.indices)
    assert (subset.dataset, subset.split, subset.seed, subset.max_samples) == (
        "tiny",
        "train",
        3,
        4,
    )
    index = read_index(folder).query("split == 'train'")
    assert subset.keys_digest == sha256_lines(index["key"].tolist())
    assert sorted(index["target"].iloc[subset.indices]) == [0, 0, 1, 1]
    assert set(read_json(path)) == {
        "dataset", "split", "seed", "max_samples", "n", "indices", "keys_digest",
    }  # fmt: skip
    first = path.read_bytes()
    write_subset(path, folder, dataset="tiny", max_samples=4, seed=3)
    assert path.read_bytes() == first


def test_missing_split_is_named(folder, tmp_path):
    with pytest.raises(UserError, match="index has no split 'val'"):
        write_subset(
            tmp_path / "x.json", folder, dataset="tiny", max_samples=4, seed=0, split="val"
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": [0, 2, 1, 3]}, "must be 4 sorted, distinct"),
        ({"indices": [0, 1, 1, 3]}, "must be 4 sorted, distinct"),
        ({"indices": [-1, 1, 2, 3]}, "must be 4 sorted, distinct"),
        ({"indices": [0, 1, 2]}, "must be 4 sorted, distinct"),
        ({"indices": [], "n": 0}, "must be 0 sorted, distinct"),
        ({"indices": [0, 1, 2.0, 3]}, "list of integers"),
        ({"indices": None}, "list of integers"),
    ],
)
def test_bad_subset_file(folder, tmp_path, change, message):
    path = tmp_path / "tiny.json"
    write_subset(path, folder, dataset="tiny", max_samples=4, seed=0)
    write_json(path, {**read_json(path), **change})
    with pytest.raises(UserError, match=message):
        read_subset(path)


@pytest.mark.parametrize("value", [[], {"indices": [1]}])
def test_foreign_subset_file(tmp_path, value):
    write_json(tmp_path / "x.json", value)
    with pytest.raises(UserError, match="no subset file"):
        read_subset(tmp_path / "x.json")
