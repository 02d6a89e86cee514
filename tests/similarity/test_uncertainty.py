"""Blocks, jackknife, halves: against recomputing with images left out."""

from __future__ import annotations

import numpy as np
import pytest

from simcons.consistency import half_values, reliability
from simcons.core.errors import UserError
from simcons.similarity import compute_similarity
from simcons.similarity.blocks import make_blocks, make_subsets
from simcons.similarity.replicates import (
    jackknife_standard_error,
    reliability_of_halves,
    spearman_brown,
)

from . import data, reference

NAMES = ["cka_linear", "cka_rbf_0.4", "cka_linear_biased", "rsa_correlation_pearson"]


@pytest.mark.parametrize("n", [8, 9, 47, 100])
def test_blocks_are_a_balanced_division(n):
    blocks = make_blocks(n, 10, 3)
    assert sorted(blocks.order) == list(range(n))
    assert blocks.n_blocks == min(10, n // 2)
    assert blocks.sizes.max() - blocks.sizes.min() <= 1
    assert np.array_equal(np.bincount(blocks.of_position), blocks.sizes)
    again, other = make_blocks(n, 10, 3), make_blocks(n, 10, 4)
    assert np.array_equal(blocks.order, again.order)
    assert not np.array_equal(blocks.order, other.order)


def test_blocks_hold_every_class_alike():
    labels = np.repeat([5, 1, 9], [40, 23, 37])
    blocks = make_blocks(100, 10, 0, labels)
    for b in range(10):
        inside = blocks.order[blocks.edges[b] : blocks.edges[b + 1]]
        counts = [np.sum(labels[inside] == c) for c in (5, 1, 9)]
        assert np.abs(np.array(counts) - [4, 2.3, 3.7]).max() < 1


def test_blocks_refuse_what_makes_no_sense():
    with pytest.raises(UserError, match="at least 4"):
        make_blocks(3, 10, 0)
    with pytest.raises(UserError, match="n_blocks must be at least 2"):
        make_blocks(30, 1, 0)
    with pytest.raises(UserError, match="labels have shape"):
        make_blocks(30, 5, 0, np.zeros(29))


def test_subsets_are_all_then_one_left_out_then_complementary_halves():
    subsets = make_subsets(make_blocks(50, 7, 0), 4, 0)
    assert subsets.kinds == ["all"] + ["jackknife"] * 7 + ["half"] * 8
    assert subsets.members[0].all()
    assert np.array_equal(subsets.members[1:8], ~np.eye(7, dtype=bool))
    halves = subsets.members[8:]
    assert np.array_equal(halves[0::2], ~halves[1::2])
    assert set(halves.sum(axis=1)) == {3, 4}
    assert len(np.unique(halves, axis=0)) > 4


@pytest.mark.parametrize("labels", [None, np.arange(53) % 3])
def test_replicates_equal_recomputing_on_the_images_left(labels):
    features = data.models(n=53, cosine=0.5)
    result = compute_similarity(features, NAMES, n_blocks=6, n_halves=3, labels=labels)
    blocks = make_blocks(53, 6, 0, labels)
    subsets = make_subsets(blocks, 3, 0)
    assert list(result.replicates.columns) == [
        *("measure", "kind", "replicate", "model_1", "model_2", "value")
    ]
    for row, kind, replicate in zip(
        subsets.members, subsets.kinds, subsets.replicates, strict=True
    ):
        if kind == "all":
            continue
        rows = result.replicates.query("kind == @kind").query(f"replicate == {replicate}")
        kept = blocks.order[row[blocks.of_position]]
        part = {k: v[kept] for k, v in features.items()}
        for name in NAMES:
            expected = reference.matrix(name, part)
            table = rows[rows["measure"] == name]
            pairs = [("model_0", "model_1"), ("model_0", "model_2"), ("model_1", "model_2")]
            assert list(zip(table["model_1"], table["model_2"], strict=True)) == pairs
            upper = expected[np.triu_indices(3, 1)]
            assert np.abs(table["value"].to_numpy() - upper).max() < 1e-5


def test_standard_error_is_the_jackknife_of_the_replicates():
    result = compute_similarity(data.models(n=60), ["cka_linear"], n_blocks=8)
    table = result.replicates.query("kind == 'jackknife' and model_1 == 'model_0'")
    values = table.query("model_2 == 'model_2'")["value"].to_numpy()
    expected = np.sqrt(7 / 8 * np.square(values - values.mean()).sum())
    error = result["cka_linear"].standard_error
    assert error[0, 2] == pytest.approx(expected, rel=1e-12)
    assert np.array_equal(error, error.T)
    assert np.array_equal(np.diag(error), np.zeros(3))


def test_jackknife_of_a_mean_is_the_textbook_standard_error():
    x = np.random.default_rng(0).normal(size=30)
    left_out = (x.sum() - x) / 29
    assert jackknife_standard_error(left_out) == pytest.approx(x.std(ddof=1) / np.sqrt(30))


def test_reliability_is_spearman_brown_of_the_halves():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=2000)
    halves = truth + rng.normal(size=(2, 2000))  # r of the halves is 1/2, at full length 2/3
    assert reliability_of_halves(halves) == pytest.approx(2 / 3, abs=0.03)
    assert spearman_brown(1.0) == 1.0
    assert np.isnan(spearman_brown(-1.0))


@pytest.mark.parametrize(
    "halves",
    [
        np.zeros((0, 5)),
        np.ones((2, 2)),
        np.ones((2, 5)),
        np.array([[1.0, 2, np.nan], [1, 2, 3]]),
        np.array([[1.0, 2, 3], [3, 2, 1]]),
    ],
)
def test_reliability_that_cannot_be_estimated_is_none(halves):
    assert reliability_of_halves(halves) is None


def test_reliability_comes_from_the_replicates_of_unbiased_measures():
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(80, 5))
    noisy = enumerate((0.1, 0.5, 1.0, 2.0))
    features = {f"m{k}": latent + s * rng.normal(size=(80, 5)) for k, s in noisy}
    result = compute_similarity(features, ["cka_linear", "cka_linear_biased"])
    assert result["cka_linear"].reliability > 0.5
    halves = half_values(result.replicates, list(features), "cka_linear")
    assert reliability(halves[..., *np.triu_indices(4, 1)]) == pytest.approx(
        result["cka_linear"].reliability
    )
    assert result["cka_linear_biased"].reliability is None


def test_few_images_have_values_but_no_errors_and_say_so():
    result = compute_similarity(data.models(n=7), ["cka_linear"])
    assert result["cka_linear"].standard_error is None
    assert result["cka_linear"].reliability is None
    assert len(result.replicates) == 0
    assert "too few" in result.metadata["notes"][0]


def test_a_subset_without_a_value_is_reported():
    x = np.zeros((40, 3))
    x[0, 0], x[1, 0] = 1.0, 2.0  # only two images differ from the rest
    y = data.models(n=40)["model_0"]
    result = compute_similarity({"rare": x, "usual": y}, ["cka_linear"], normalize=False)
    assert np.isfinite(result["cka_linear"].values).all()
    assert any("rare" in note for note in result.metadata["notes"])
    assert result.replicates["value"].isna().any()
