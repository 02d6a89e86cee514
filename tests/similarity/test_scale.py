"""What makes large problems possible: binned ranks, feature space, memory plans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from simcons.core.errors import UserError
from simcons.similarity import compute_similarity, plan, prepare
from simcons.similarity.blocks import make_blocks
from simcons.similarity.engine import Request
from simcons.similarity.ranks import (
    MAX_BINS,
    MIN_BINS,
    Histogram,
    choose_histogram,
    rank_error_bound,
)
from simcons.similarity.tiles import Kernel

from . import data, reference

SPEARMAN = [f"rsa_{d}_spearman" for d in ("correlation", "cosine", "euclidean")]
LINEAR = ["cka_linear", "cka_linear_biased"]


@pytest.fixture
def binned(monkeypatch):
    """Ranks from histograms, whatever the memory."""
    usual = plan.make_plan

    def other(*args):
        made = usual(*args)
        requests = {
            k: replace(r, values=False, bins=True) if r.values else r
            for k, r in made.requests.items()
        }
        return replace(made, requests=requests)

    monkeypatch.setattr(plan, "make_plan", other)


@pytest.mark.usefixtures("binned")
@pytest.mark.parametrize("cosine", [0.0, 0.9, 0.9999])
def test_binned_ranks_are_within_the_stated_error(cosine):
    features = data.models(n=301, dims=(20, 30, 16), cosine=cosine, noise=0.3)
    result = compute_similarity(features, SPEARMAN, n_blocks=4, n_halves=0)
    for name in SPEARMAN:
        fact = result.metadata["facts"][name]
        assert fact["ranks"] == "binned"
        error = np.abs(result[name].values - reference.matrix(name, features)).max()
        assert error < fact["error_bound"] < 1e-4


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 100),
    bins=st.sampled_from([4, 16, 300]),
    shape=st.sampled_from(["normal", "lognormal", "discrete"]),
)
def test_the_bound_of_binned_ranks_holds_for_any_bins(seed, bins, shape):
    rng = np.random.default_rng(seed)
    x = getattr(rng, shape if shape != "discrete" else "normal")(size=2000)
    y = x + rng.normal(size=2000)
    x, y = (np.round(v) if shape == "discrete" else v for v in (x, y))
    histograms, ranks = [], []
    for v in (x, y):
        low, high = np.quantile(v, [0.05, 0.95])
        histogram = Histogram(low, bins / (high - low), np.zeros(bins, dtype=np.int64))
        tile = torch.from_numpy(v)
        for part in tile.split(300):
            histogram.add(part)
        assert histogram.counts.sum() == 2000
        ranks.append(histogram.rank_table()[histogram.index(tile).numpy()])
        histograms.append(histogram)
    error = abs(np.corrcoef(*ranks)[0, 1] - spearmanr(x, y)[0])
    assert error <= rank_error_bound(histograms) + 1e-12


def test_bins_are_finer_where_the_distribution_is_skewed():
    rng = np.random.default_rng(0)
    plain = choose_histogram(rng.normal(size=40000), 10**7)
    skewed = choose_histogram(np.exp(2.5 * rng.normal(size=40000)), 10**7)
    assert MIN_BINS <= len(plain.counts) < len(skewed.counts) <= MAX_BINS
    assert len(choose_histogram(np.ones(10), 45).counts) >= MIN_BINS


def test_bins_that_cannot_be_fine_enough_are_reported(binned, monkeypatch):
    from simcons.similarity import ranks

    monkeypatch.setattr(ranks, "MIN_BINS", 8)
    monkeypatch.setattr(ranks, "MAX_BINS", 8)
    result = compute_similarity(data.models(n=100), ["rsa_cosine_spearman"], n_blocks=2)
    assert any("may be off by up to" in note for note in result.metadata["notes"])


@pytest.mark.parametrize("cosine", [0.0, 0.9, 0.9999])
@pytest.mark.parametrize("normalize", [True, False])
def test_feature_space_equals_tiles_in_values_errors_and_halves(cosine, normalize, monkeypatch):
    features = data.models(n=301, dims=(6, 9, 7, 5), cosine=cosine)
    options = {"n_blocks": 5, "n_halves": 2, "normalize": normalize}
    cheap = compute_similarity(features, LINEAR, **options)
    assert cheap.metadata["facts"]["cka_linear"]["space"] == "features"
    monkeypatch.setattr(plan, "linear_space", lambda *_, **__: {"space": "tiles"})
    tiles = compute_similarity(features, LINEAR, **options)
    for name in LINEAR:
        expected = reference.matrix(name, features, normalize)
        assert np.abs(cheap[name].values - expected).max() < 1e-5
        assert np.allclose(cheap[name].standard_error, tiles[name].standard_error, atol=1e-5)
    difference = cheap.replicates["value"] - tiles.replicates["value"]
    assert difference.abs().max() < 1e-5


def test_feature_space_reads_in_chunks_and_in_groups_of_pairs(tmp_path, monkeypatch):
    from simcons.similarity import feature_space

    features = data.models(n=400, dims=(6, 9, 7, 5))
    whole = compute_similarity(features, LINEAR, n_blocks=5)
    monkeypatch.setattr(feature_space, "CHUNK_BYTES", 50 * 8 * 27)
    for name, array in features.items():
        np.save(tmp_path / name, array)
    mapped = {k: np.load(tmp_path / f"{k}.npy", mmap_mode="r") for k in features}
    parts = compute_similarity(mapped, LINEAR, n_blocks=5, memory_gb=2e-6)
    for name in LINEAR:
        assert np.abs(whole[name].values - parts[name].values).max() < 1e-6
        assert np.allclose(whole[name].standard_error, parts[name].standard_error, atol=1e-6)


def test_the_cheaper_space_is_chosen_and_the_reason_kept():
    wide = compute_similarity(data.models(n=300, dims=(200, 300)), ["cka_linear"], n_blocks=2)
    fact = wide.metadata["facts"]["cka_linear"]
    assert fact["space"] == "tiles"
    assert fact["operations_tiles"] == 300**2 * (500 + 4)
    assert fact["operations_features"] == 300 * 500**2
    both = compute_similarity(
        data.models(n=300, dims=(20, 30)), ["cka_linear", "cka_rbf_1"], n_blocks=2
    )
    # the tiles are there anyway, so only adding up their products counts
    assert both.metadata["facts"]["cka_linear"]["operations_tiles"] == 300**2 * 4


def test_feature_space_refuses_a_constant_model():
    features = data.models(n=300, dims=(4, 5))
    features["flat"] = np.ones((300, 3))
    with pytest.raises(UserError, match="'flat' is constant"):
        compute_similarity(features, ["cka_linear"])


def test_memory_decides_tiles_ranks_and_the_scratch_file():
    blocks = make_blocks(10_000, 20, 0)
    dims = [512, 768, 1024, 2048] * 16
    requests = {
        Kernel("linear"): Request(True, True),
        Kernel("rbf", 0.4): Request(True, True),
        Kernel("correlation"): Request(True, False, values=True),
    }
    ample = plan.make_plan(blocks, dims, requests, 64)
    assert (ample.edge, ample.spill, ample.requests) == (500, False, requests)
    usual = plan.make_plan(blocks, dims, requests, 4)
    assert usual.edge >= 256
    assert usual.requests[Kernel("correlation")].bins
    tight = plan.make_plan(blocks, dims, requests, 1.5)
    assert tight.spill
    with pytest.raises(UserError, match=r"memory_gb is 0\.5, but 64 models x 10000 images need"):
        plan.make_plan(blocks, dims, requests, 0.5)


def test_rows_of_a_scratch_file_are_the_rows(tmp_path):
    x = data.models(n=50)["model_0"]
    order = np.random.default_rng(0).permutation(50)
    kept = prepare.prepare("a", x, order, normalize=True)
    spilled = prepare.prepare("a", x, order, normalize=True, spill=tmp_path / "x")
    assert np.array_equal(spilled.x[7:20], kept.x[7:20])
    assert np.array_equal(spilled.x[np.array([3, 49])], kept.x[[3, 49]])
    assert np.array_equal(spilled.square, kept.square)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cka_linear", "cka_rbf_0.4", "rsa_correlation_spearman"])
def test_intervals_cover_the_value_at_large_n(name):
    """Nominal 95 % t intervals cover the value at n = 6000 in 90 to 98 % of 150 trials."""
    from scipy.stats import t

    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(6, d)) / 6 for d in (24, 40)]

    def draw(n):
        signal = rng.normal(size=(n, 6)) * np.array([3, 2, 1.5, 1, 0.7, 0.5])
        return {
            f"m{i}": 0.5 + signal @ w + 0.6 * rng.normal(size=(n, w.shape[1]))
            for i, w in enumerate(maps)
        }

    truth = compute_similarity(draw(6000), [name], n_blocks=2, n_halves=0)[name].values[0, 1]
    hits, trials = 0, 150
    for trial in range(trials):
        result = compute_similarity(draw(400), [name], n_blocks=20, block_seed=trial, n_halves=0)
        half = t.ppf(0.975, 19) * result[name].standard_error[0, 1]
        hits += abs(result[name].values[0, 1] - truth) < half
    assert 0.90 <= hits / trials <= 0.98


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_values():
    features = data.models(n=500, dims=(64, 100), cosine=0.9)
    names = [*LINEAR, "cka_rbf_0.4", *SPEARMAN]
    cpu = compute_similarity(features, names)
    gpu = compute_similarity(features, names, device="cuda")
    for name in names:
        assert np.abs(cpu[name].values - gpu[name].values).max() < 1e-4
