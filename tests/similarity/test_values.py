"""Values: against the definitions, known answers, invariances as the registry declares them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from simcons.similarity import MEASURES, compute_similarity, lookup, plan
from simcons.similarity.measures import INVARIANCES
from simcons.similarity.ranks import rank_in_place

from . import data, reference

NAMES = [
    "cka_linear",
    "cka_linear_biased",
    "cka_rbf_0.4",
    "cka_rbf_0.8",
    "cka_rbf_0.4_biased",
    "cka_rbf_median_0.7",
    "cka_rbf_median_0.7_biased",
    *[
        f"rsa_{d}_{c}"
        for d in ("correlation", "cosine", "euclidean")
        for c in ("pearson", "spearman")
    ],
]

PAIR_NAMES = [
    "procrustes",
    "angular_shape",
    "nbs",
    "svcca_90",
    "pwcca",
    "linear_r2",
    "mutual_knn_5",
    "mutual_knn_5_corrected",
    "cknna_8",
]


def one(name, x, y, **options):
    """The value for two models, unnormalised unless said otherwise."""
    options = {"normalize": False, "n_halves": 0, "n_blocks": 2, **options}
    return compute_similarity({"a": x, "b": y}, [name], **options)[name].values[0, 1]


def test_the_list_covers_the_registry():
    covered = {lookup(name).measure.pattern for name in [*NAMES, *PAIR_NAMES]}
    assert covered == set(MEASURES)


@pytest.fixture
def float32(monkeypatch):
    """Tiles in float32, as for many images."""
    monkeypatch.setattr(plan, "EXACT_IMAGES", 0)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("name", [*NAMES, *PAIR_NAMES])
def test_every_measure_is_its_definition(name, normalize):
    features = data.models(n=53, dims=(12, 20, 7, 70), cosine=0.3)
    expected = reference.matrix(name, features, normalize)
    values = compute_similarity(features, [name], normalize=normalize, n_blocks=3)[name].values
    if lookup(name).measure.symmetric:  # each unordered pair is computed once, in sorted order
        assert np.array_equal(values, values.T)
        values, expected = np.triu(values), np.triu(expected)
    else:
        assert np.abs(values - values.T).max() > 1e-3
    # nbs: square roots of eigenvalues that are zero but for rounding; spearman: the engine takes
    # distances that differ by less than a millionth for ties
    loose = name == "nbs" or name.endswith("spearman")
    assert np.abs(values - expected).max() < (1e-5 if loose else 1e-6)


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("cosine", [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999])
def test_equal_to_plain_float64_at_every_mean_cosine(cosine):
    features = data.models(n=211, dims=(40, 64, 33), cosine=cosine, noise=0.2)
    assert data.mean_cosine(features["model_0"]) == pytest.approx(cosine, abs=0.06)
    result = compute_similarity(features, NAMES, n_blocks=3)
    for name in NAMES:
        expected = reference.matrix(name, features)
        assert np.abs(result[name].values - expected).max() < 1e-5, name


@pytest.mark.parametrize(("n", "n_blocks"), [(4, 20), (8, 20), (9, 3), (57, 5), (64, 13)])
def test_any_number_of_images_and_blocks_gives_the_same_values(n, n_blocks):
    features = data.models(n=n, cosine=0.3)
    result = compute_similarity(features, NAMES, n_blocks=n_blocks)
    for name in NAMES:
        expected = reference.matrix(name, features)
        assert np.abs(result[name].values - expected).max() < 1e-5, name


@pytest.mark.usefixtures("float32")
def test_small_tiles_from_a_scratch_file_change_nothing(monkeypatch):
    features = data.models(n=63, cosine=0.5)
    whole = compute_similarity(features, NAMES, n_blocks=3)
    usual = plan.make_plan
    monkeypatch.setattr(plan, "make_plan", lambda *a: replace(usual(*a), edge=10, spill=True))
    tiled = compute_similarity(features, NAMES, n_blocks=3)
    for name in NAMES:
        assert np.abs(whole[name].values - tiled[name].values).max() < 1e-6, name
        assert np.allclose(whole[name].standard_error, tiled[name].standard_error, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(4, 40),
    dims=st.lists(st.integers(2, 30), min_size=2, max_size=4),
    cosine=st.sampled_from([0.0, 0.7, 0.99]),
    seed=st.integers(0, 1000),
    n_blocks=st.integers(2, 12),
    normalize=st.booleans(),
)
def test_equal_to_plain_float64_whatever_the_shapes(n, dims, cosine, seed, n_blocks, normalize):
    features = data.models(n=n, dims=dims, cosine=cosine, seed=seed)
    names = ["cka_linear", "cka_rbf_0.6", "cka_linear_biased", "rsa_euclidean_pearson"]
    result = compute_similarity(
        features, names, n_blocks=n_blocks, normalize=normalize, block_seed=seed
    )
    for name in names:
        matrix = result[name]
        assert np.array_equal(matrix.values, matrix.values.T)
        assert np.array_equal(np.diag(matrix.values), np.ones(len(dims)))
        assert np.abs(matrix.values).max() <= 1
        assert np.abs(matrix.values - reference.matrix(name, features, normalize)).max() < 1e-5


def test_hand_computed_four_images():
    # X has the images at 0, 0, 1, 1 on a line, Y at 0, 1, 0, 1. With the diagonals zero,
    # K: only K_34 = K_43 = 1, so 1'K1 = 2, tr(KK) = 2, 1'KK1 = 2;
    # L: only L_24 = L_42 = 1; tr(KL) = 0, 1'KL1 = row sums (0,0,1,1).(0,1,0,1) = 1.
    # HSIC(K,K) ~ 2 + 4/6 - 2/2*2 = 2/3, HSIC(K,L) ~ 0 + 4/6 - 2/2*1 = -1/3.
    x = np.array([[0.0], [0], [1], [1]])
    y = np.array([[0.0], [1], [0], [1]])
    assert one("cka_linear", x, y) == pytest.approx(-0.5, abs=1e-6)
    # centred, X and Y are orthogonal: biased HSIC is 0
    assert one("cka_linear_biased", x, y) == pytest.approx(0.0, abs=1e-6)
    # distances of X: 0 1 1 1 1 0, of Y: 1 0 1 1 0 1 (pairs 12 13 14 23 24 34), both mean 2/3:
    # covariance sum = 2 - 6 * 4/9 = -2/3, variance sum = 4 - 6 * 4/9 = 4/3; ranks: the same
    assert one("rsa_euclidean_pearson", x, y) == pytest.approx(-0.5, abs=1e-6)
    assert one("rsa_euclidean_spearman", x, y) == pytest.approx(-0.5, abs=1e-6)


@pytest.mark.usefixtures("float32")
def test_independent_wide_data_is_near_one_biased_and_near_zero_unbiased():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 64, 4096))
    assert one("cka_linear_biased", x, y) > 0.95
    assert abs(one("cka_linear", x, y)) < 0.1


@pytest.mark.parametrize("name", [*NAMES, *PAIR_NAMES])
def test_a_model_is_like_itself(name):
    x = data.models(n=50)["model_0"]
    assert one(name, x, x.copy()) == pytest.approx(1.0, abs=1e-6)


def transformed(invariance, x, rng):
    n, d = x.shape
    return {
        "permutation": lambda: x[:, rng.permutation(d)],
        "orthogonal": lambda: x @ np.linalg.qr(rng.normal(size=(d, d)))[0],
        "isotropic_scaling": lambda: 3.0 * x,
        "translation": lambda: x + 2 * rng.normal(size=d),
        "row_scaling": lambda: x * rng.uniform(0.2, 5, size=(n, 1)),
        "row_shift": lambda: x + 2 * rng.normal(size=(n, 1)),
        "invertible_linear": lambda: x @ (np.diag(np.linspace(0.1, 5, d)) + 0.1),
    }[invariance]()


@pytest.mark.usefixtures("float32")
@pytest.mark.parametrize("name", [*NAMES, *PAIR_NAMES])
@pytest.mark.parametrize("invariance", INVARIANCES)
def test_invariances_hold_where_declared_and_only_there(name, invariance):
    rng = np.random.default_rng(5)
    x, y = (v.astype(np.float64) for v in list(data.models(n=80, cosine=0.3).values())[:2])
    before = one(name, x, y)
    moved = transformed(invariance, x, rng)
    change = abs(one(name, moved, y) - before)
    if not lookup(name).measure.symmetric:  # a promise for both models
        change = max(change, abs(one(name, y, moved) - one(name, y, x)))
    if invariance in lookup(name).measure.invariances:
        assert change < 1e-5
    else:
        assert change > 1e-4


def test_normalising_is_dividing_rows_by_their_norm():
    features = data.models(n=40, cosine=0.4)
    unit = {k: reference.normalize_rows(v.astype(np.float64)) for k, v in features.items()}
    a = compute_similarity(features, ["cka_rbf_0.4"], normalize=True)["cka_rbf_0.4"].values
    b = compute_similarity(unit, ["cka_rbf_0.4"], normalize=False)["cka_rbf_0.4"].values
    assert np.abs(a - b).max() < 1e-6


def test_torch_tensors_memory_maps_and_other_types_are_taken(tmp_path):
    features = data.models(n=30)
    np.save(tmp_path / "x.npy", features["model_0"])
    mixed = {
        "model_0": np.load(tmp_path / "x.npy", mmap_mode="r"),
        "model_1": torch.from_numpy(features["model_1"]),
        "model_2": features["model_2"].astype(np.float16).astype(np.float64),
    }
    a = compute_similarity(features, ["cka_linear"])["cka_linear"].values
    b = compute_similarity(mixed, ["cka_linear"])["cka_linear"].values
    assert a[0, 1] == b[0, 1]
    assert abs(a[0, 2] - b[0, 2]) < 1e-3


def test_models_come_out_sorted_and_the_order_given_changes_nothing():
    features = data.models(n=30)
    turned = dict(reversed(features.items()))
    a, b = (compute_similarity(f, NAMES, n_blocks=4) for f in (features, turned))
    assert a.models == sorted(features) == b.models
    for name in NAMES:
        assert np.array_equal(a[name].values, b[name].values)
        assert np.array_equal(a[name].standard_error, b[name].standard_error)
    assert a.replicates.equals(b.replicates)


def test_a_measure_does_not_depend_on_its_company():
    features = data.models(n=45, cosine=0.6)
    together = compute_similarity(features, NAMES, n_blocks=4)
    for name in NAMES:
        alone = compute_similarity(features, [name], n_blocks=4)
        assert np.abs(alone[name].values - together[name].values).max() < 1e-7, name


@pytest.mark.usefixtures("float32")
def test_huge_and_tiny_features_are_right():
    features = data.models(n=40, cosine=0.2, dtype=np.float64)
    scaled = {k: v * s for (k, v), s in zip(features.items(), [1e30, 1e-30, 1.0], strict=True)}
    for name in ("cka_linear", "cka_linear_biased", "rsa_cosine_pearson", "rsa_euclidean_spearman"):
        for normalize in (True, False):
            a = compute_similarity(features, [name], normalize=normalize, n_blocks=2)[name].values
            b = compute_similarity(scaled, [name], normalize=normalize, n_blocks=2)[name].values
            assert np.abs(a - b).max() < 1e-5


@pytest.mark.usefixtures("float32")
def test_duplicated_images_and_rows_of_zeros_are_right():
    features = data.models(n=40, cosine=0.2)
    for x in features.values():
        x[10:14] = x[3]
    features["model_0"][20:23] = 0.0  # no direction: cosine and correlation distance 1
    features["model_1"][25] = 0.5  # a constant row: correlation distance 1
    for name in NAMES:
        value = compute_similarity(features, [name], n_blocks=3)[name].values
        # one other distance within float32 rounding of a large tie joins it
        allowed = 1e-4 if name.endswith("spearman") else 1e-5
        assert np.abs(value - reference.matrix(name, features)).max() < allowed, name


@pytest.mark.usefixtures("float32")
def test_spearman_averages_ties():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 3, size=(2, 30, 2)).astype(float)  # small integers: exact, many ties
    expected = lookup("rsa_euclidean_spearman").define(x, y)
    assert one("rsa_euclidean_spearman", x, y) == pytest.approx(expected, abs=1e-5)


def test_ranks_are_those_of_scipy():
    rng = np.random.default_rng(3)
    for values in (rng.normal(size=5000), rng.integers(0, 9, 500), np.zeros(7), np.ones(1)):
        row = torch.tensor(values, dtype=torch.float32)
        n = len(row)
        expected = (rankdata(row.numpy()) - (n + 1) / 2) / n
        rank_in_place(row, 1e-7)
        assert np.abs(row.numpy() - expected).max() < 1e-3 / n + 1e-6


def test_values_equal_up_to_rounding_are_ties_unless_all_values_are_close():
    row = torch.tensor([1.0, 2.0, 1.0 + 1e-6, 3.0, 2.0 - 1e-6])
    rank_in_place(row, 2e-6)
    assert torch.allclose(row * 5 + 3, torch.tensor([1.5, 3.5, 1.5, 5.0, 3.5]))
    row = torch.linspace(1, 1.001, 1000)
    rank_in_place(row, 2e-6)
    assert torch.allclose(row * 1000 + 500.5, torch.arange(1, 1001.0), atol=1e-3)


@pytest.mark.usefixtures("float32")
def test_a_very_wide_bandwidth_becomes_linear():
    features = data.models(n=60, cosine=0.5)
    result = compute_similarity(features, ["cka_linear", "cka_rbf_1000"])
    assert np.abs(result["cka_linear"].values - result["cka_rbf_1000"].values).max() < 1e-5
