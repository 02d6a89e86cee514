"""Pair measures: against other ways to compute them and known answers; a measure of one's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.linear_model import LinearRegression

from simcons.core.errors import UserError
from simcons.similarity import MEASURES, Measure, compute_similarity, pair_values, register_measure

from . import data, reference


def centred(x):
    x = np.asarray(x, dtype=np.float64)
    return x - x.mean(axis=0)


def value(name, x, y, **options):
    options = {"normalize": False, "n_halves": 0, "n_blocks": 2, **options}
    return compute_similarity({"a": x, "b": y}, [name], **options)[name].values


@pytest.fixture(scope="module")
def xy():
    features = data.models(n=50, dims=(9, 14, 70))
    return [features[f"model_{i}"].astype(np.float64) for i in range(3)]


def test_procrustes_is_the_best_rotation(xy):
    x, y, wide = xy
    X, Y = (centred(v) / np.linalg.norm(centred(v)) for v in (x, y))
    X = np.pad(X, ((0, 0), (0, 5)))
    u, _, vt = np.linalg.svd(X.T @ Y)
    assert value("procrustes", x, y)[0, 1] == pytest.approx(np.trace((X @ u @ vt).T @ Y))
    nuclear = np.linalg.norm(centred(x).T @ centred(wide), "nuc")
    expected = nuclear / np.linalg.norm(centred(x)) / np.linalg.norm(centred(wide))
    assert value("procrustes", x, wide)[0, 1] == pytest.approx(expected)
    angle = np.arccos(value("procrustes", x, y)[0, 1])
    assert value("angular_shape", x, y)[0, 1] == pytest.approx(1 - 2 * angle / np.pi)


def test_the_angle_of_shapes_is_a_metric(xy):
    result = compute_similarity(dict(zip("abc", xy, strict=True)), ["angular_shape"], n_blocks=2)
    angle = 1 - result["angular_shape"].values
    for i, j, k in [(0, 1, 2), (1, 2, 0), (2, 0, 1)]:
        assert angle[i, j] <= angle[i, k] + angle[k, j] + 1e-12


def test_nbs_is_the_fidelity_of_gram_matrices(xy):
    K, L = (centred(v) @ centred(v).T for v in xy[:2])
    root = sqrtm(K)
    fidelity = np.trace(sqrtm(root @ L @ root)).real
    expected = fidelity / np.sqrt(np.trace(K) * np.trace(L))
    assert value("nbs", *xy[:2])[0, 1] == pytest.approx(expected, abs=1e-4)


def canonical_correlations(x, y):
    """Square roots of the eigenvalues of Sxx^-1 Sxy Syy^-1 Syx."""
    X, Y = centred(x), centred(y)
    a = np.linalg.solve(X.T @ X, X.T @ Y)
    b = np.linalg.solve(Y.T @ Y, Y.T @ X)
    rho = np.sort(np.sqrt(np.clip(np.linalg.eigvals(a @ b).real, 0, None)))[::-1]
    return rho[: min(X.shape[1], Y.shape[1])]


def test_svcca_is_the_mean_canonical_correlation_of_principal_components(xy):
    x, y = xy[:2]
    expected = canonical_correlations(x, y).mean()
    assert value("svcca_100", x, y)[0, 1] == pytest.approx(expected)
    reduced = []
    for v in (x, y):
        u, s, _ = np.linalg.svd(centred(v), full_matrices=False)
        count = next(k for k in range(1, 99) if (s[:k] ** 2).sum() >= 0.8 * (s**2).sum())
        reduced.append(u[:, :count] * s[:count])
    expected = canonical_correlations(*reduced).mean()
    assert value("svcca_80", x, y)[0, 1] == pytest.approx(expected)


def test_pwcca_lies_between_the_canonical_correlations_and_depends_on_the_order(xy):
    x, y = xy[:2]
    rho = canonical_correlations(x, y)
    values = value("pwcca", x, y)
    assert rho.min() < values[0, 1] < rho.max()
    assert values[0, 1] != pytest.approx(values[1, 0])
    # one dimension: a single canonical correlation, whatever its weight
    assert value("pwcca", x[:, :1], y)[0, 1] == pytest.approx(
        canonical_correlations(x[:, :1], y)[0]
    )


def test_linear_r2_is_that_of_least_squares(xy):
    x, y = xy[:2]
    fit = LinearRegression().fit(y, x)
    residual = np.square(x - fit.predict(y)).sum()
    expected = 1 - residual / np.square(centred(x)).sum()
    values = value("linear_r2", x, y)
    assert values[0, 1] == pytest.approx(expected)
    assert values[1, 0] != pytest.approx(expected, abs=1e-3)


def plain_neighbours(x, k):
    dot = x @ x.T
    np.fill_diagonal(dot, -np.inf)
    mask = np.zeros_like(dot)
    for i, row in enumerate(dot):
        mask[i, np.argsort(-row)[:k]] = 1
    return mask


@pytest.mark.parametrize("k", [2, 7, 20])
def test_mutual_neighbours_equal_counting(xy, k):
    x, y = (reference.normalize_rows(v) for v in xy[:2])
    overlap = np.mean((plain_neighbours(x, k) * plain_neighbours(y, k)).sum(axis=1)) / k
    assert value(f"mutual_knn_{k}", x, y)[0, 1] == pytest.approx(overlap)
    chance = k / 49
    corrected = (overlap - chance) / (1 - chance)
    assert value(f"mutual_knn_{k}_corrected", x, y)[0, 1] == pytest.approx(corrected)


def test_corrected_neighbours_are_near_zero_by_chance():
    x, y = np.random.default_rng(0).normal(size=(2, 300, 20))
    assert abs(value("mutual_knn_30_corrected", x, y)[0, 1]) < 0.02
    assert value("mutual_knn_30", x, y)[0, 1] == pytest.approx(30 / 299, abs=0.02)


def test_cknna_is_hsic_on_masked_kernels(xy):
    x, y = (reference.normalize_rows(v) for v in xy[:2])

    def hsic(K, L):
        n, one = len(K), np.ones(len(K))
        total = K.sum() * L.sum() / ((n - 1) * (n - 2))
        return (K * L.T).sum() + total - 2 / (n - 2) * (one @ K @ L @ one)

    a, b = plain_neighbours(x, 6), plain_neighbours(y, 6)
    K, L = x @ x.T, y @ y.T
    expected = hsic(a * b * K, a * b * L) / np.sqrt(hsic(a * K, a * K) * hsic(b * L, b * L))
    assert value("cknna_6", x, y)[0, 1] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("svcca_0", "percent must be"),
        ("svcca_101", "at most 100"),
        ("mutual_knn_2.5", "k must be a whole number"),
        ("mutual_knn_0", "k must be"),
        ("cka_rbf_median_-1", "fraction must be"),
        ("mutual_knn_49", "49 neighbours asked for"),
    ],
)
def test_options_out_of_range_are_refused(xy, name, message):
    with pytest.raises(UserError, match=message):
        value(name, *xy[:2])


def test_standard_errors_are_left_out_where_they_cost_too_much(xy, monkeypatch):
    features = dict(zip("abc", xy, strict=True))
    full = compute_similarity(features, ["procrustes"], n_blocks=4, n_halves=1)
    assert full["procrustes"].standard_error is not None
    assert full["procrustes"].reliability is None  # depends on the number of images
    assert len(full.replicates) == (4 + 2) * 3
    monkeypatch.setattr(pair_values, "AFFORDABLE", 0.0)
    short = compute_similarity(features, ["procrustes"], n_blocks=4, n_halves=1)
    assert short["procrustes"].standard_error is None
    assert np.array_equal(short["procrustes"].values, full["procrustes"].values)
    assert any("no standard errors" in note for note in short.metadata["notes"])


def test_summaries_that_do_not_fit_are_made_again(xy):
    features = dict(zip("abc", xy, strict=True))
    kept = compute_similarity(features, ["linear_r2"], n_blocks=2)
    made = compute_similarity(features, ["linear_r2"], n_blocks=2, memory_gb=1e-9)
    assert np.array_equal(kept["linear_r2"].values, made["linear_r2"].values)


def test_a_measure_of_ones_own(xy, tmp_path):
    def sameness(x, y):
        return float(np.corrcoef(x, y)[0, 1])

    register_measure(
        "norm_profile",
        sameness,
        summarize=lambda x: np.linalg.norm(x, axis=1),
        reference="this test",
        invariances=["permutation", "orthogonal", "isotropic_scaling"],
    )
    try:
        expected = np.corrcoef(*(np.linalg.norm(v, axis=1) for v in xy[:2]))[0, 1]
        assert value("norm_profile", *xy[:2])[0, 1] == pytest.approx(expected)
        with pytest.raises(UserError, match="exists already"):
            register_measure("norm_profile", sameness, reference="again")
        with pytest.raises(UserError, match="lower-case"):
            register_measure("Norm Profile", sameness, reference="bad name")
    finally:
        del MEASURES["norm_profile"]


def test_a_measure_needs_no_more_than_its_definition(xy, monkeypatch):
    def scaled(x, y, k):
        return float(k * np.linalg.norm(x.mean(axis=0)) * np.linalg.norm(y.mean(axis=0)))

    measure = Measure("size_<k>", "pair", frozenset({"permutation"}), "this test", scaled)
    monkeypatch.setitem(MEASURES, "size_<k>", measure)
    assert value("size_3", *xy[:2])[0, 1] == pytest.approx(scaled(*xy[:2], k=3))


def test_a_measure_that_gives_no_number_is_refused(xy):
    register_measure("broken", lambda x, y: float("nan"), reference="this test")
    try:
        with pytest.raises(UserError, match="'broken' of a and b is nan"):
            value("broken", *xy[:2])
    finally:
        del MEASURES["broken"]
