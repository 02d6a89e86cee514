"""Measures that are computed pair by pair from a summary of each model, in float64.

Here are the measures themselves (arrays in, numbers out); `pairs` runs them over models, blocks and
halves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simcons.core.arrays import Array
from simcons.core.errors import UserError
from simcons.similarity.measures import Measure, PairFunctions, add_measure

Options = Mapping[str, Any]

RANK_TOLERANCE = 1e-10  # singular values below this share of the largest are rounding
CHUNK_ENTRIES = 1 << 24  # of a chunk of dot products


def centred(x: Array) -> Array:
    """Return x (n, d) less its column means."""
    return x - x.mean(axis=0)


def compact(x: Array, _: Options | None = None) -> Array:
    """Return centred, Frobenius-normalised x (n, d) turned into at most n dimensions.

    A rotation of the features: the nuclear norms of products do not change.
    """
    x = centred(x)
    x = x / np.linalg.norm(x)
    if x.shape[1] <= x.shape[0]:
        return x
    u, s, _vt = np.linalg.svd(x, full_matrices=False)
    return u * s


def nuclear_cosine(x: Array, y: Array, _: Options | None = None) -> float:
    """Return the nuclear norm of x'y of centred, normalised features, in [0, 1].

    The largest tr(Q' x'y) over orthogonal Q: the cosine of the angular Procrustes distance.
    """
    return min(float(np.linalg.svd(x.T @ y, compute_uv=False).sum()), 1.0)


def angular(x: Array, y: Array, _: Options) -> float:
    """Return 1 - 2 / pi times the angular shape distance arccos(nuclear cosine)."""
    return 1 - 2 / np.pi * float(np.arccos(nuclear_cosine(x, y)))


@dataclass(frozen=True)
class Basis:
    """An orthonormal basis of a model's features over the images.

    Parameters
    ----------
    u
        (n, r) left singular vectors of the centred features.
    x
        (n, d) centred features, or an empty array where they are not needed.
    """

    u: Array
    x: Array


def _svd(x: Array) -> tuple[Array, Array]:
    u, s, _vt = np.linalg.svd(x, full_matrices=False)
    rank = int((s > RANK_TOLERANCE * s[0]).sum())
    return u[:, :rank], s[:rank]


def full_basis(x: Array, _: Options) -> Basis:
    """Return the basis of all of a model's features."""
    x = centred(x)
    return Basis(_svd(x)[0], x)


def variance_basis(x: Array, options: Options) -> Basis:
    """Return the basis of the fewest principal components that hold a share of the variance."""
    u, s = _svd(centred(x))
    share = np.cumsum(np.square(s)) / np.square(s).sum()
    count = int(np.searchsorted(share, options["percent"] / 100 - 1e-12)) + 1
    return Basis(u[:, : min(count, len(s))], np.empty((0, 0)))


def mean_canonical_correlation(a: Basis, b: Basis, _: Options) -> float:
    """Return the mean canonical correlation, over the smaller number of components."""
    return min(float(np.linalg.svd(a.u.T @ b.u, compute_uv=False).mean()), 1.0)


def projection_weighted_cca(a: Basis, b: Basis, _: Options) -> float:
    """Return canonical correlations weighted by how much of model_1's features they account for.

    Weight of canonical variate h_i: sum_j |<h_i, x_j>| over the dimensions j of model_1 (Morcos et
    al. 2018, eq. 2 and 3).
    """
    left, rho, _vt = np.linalg.svd(a.u.T @ b.u, full_matrices=False)
    weight = np.abs((a.u @ left).T @ a.x).sum(axis=1)
    return min(float(weight @ rho / weight.sum()), 1.0)


def linear_r2(a: Basis, b: Basis, _: Options) -> float:
    """Return the share of model_1's variance that least squares on model_2 explains, on the images.

    ||U_2' X_1||_F^2 / ||X_1||_F^2; near 1 by chance where model_2 has nearly as many dimensions as
    there are images.
    """
    return min(float(np.square(b.u.T @ a.x).sum() / np.square(a.x).sum()), 1.0)


@dataclass(frozen=True)
class Neighbours:
    """Each image's k nearest others by dot product.

    Parameters
    ----------
    index
        (n, k) their numbers, ascending.
    product
        (n, k) the dot products with them.
    """

    index: Array
    product: Array


def neighbours(x: Array, options: Options) -> Neighbours:
    """Return the k nearest neighbours by dot product of the features x (n, d), self excluded.

    Raises
    ------
    UserError
        If k is not less than the number of images less 1.
    """
    k, n = options["k"], len(x)
    if k >= n - 1:
        raise UserError(f"{k} neighbours asked for, {n} images allow at most {n - 2}")
    # for one image's ranking the mean is a constant, and without it small differences keep digits
    less_mean = centred(x)
    rows = max(1, CHUNK_ENTRIES // n)
    index = np.empty((n, k), dtype=np.int64)
    product = np.empty((n, k))
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        dot = x[start:stop] @ less_mean.T
        dot[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        near = np.sort(np.argpartition(-dot, k - 1, axis=1)[:, :k], axis=1)
        index[start:stop] = near
        offset = x[start:stop] @ x.mean(axis=0)
        product[start:stop] = np.take_along_axis(dot, near, axis=1) + offset[:, None]
    return Neighbours(index, product)


def shared(a: Neighbours, b: Neighbours) -> tuple[Array, Array, Array]:
    """Return the mutual neighbours: (images, positions in a.index, positions in b.index)."""
    n, k = a.index.shape
    base = np.arange(n)[:, None] * n
    _, in_a, in_b = np.intersect1d(
        (base + a.index).ravel(), (base + b.index).ravel(), assume_unique=True, return_indices=True
    )
    return in_a // k, in_a, in_b


def mutual_knn(a: Neighbours, b: Neighbours, _: Options) -> float:
    """Return the mean share of neighbours that two models have in common (Huh et al. 2024)."""
    return len(shared(a, b)[0]) / a.index.size


def mutual_knn_corrected(a: Neighbours, b: Neighbours, options: Options) -> float:
    """Return mutual k-NN agreement with chance at 0 and full agreement at 1.

    Random neighbours agree in k / (n - 1) on average.
    """
    chance = a.index.shape[1] / (len(a.index) - 1)
    return (mutual_knn(a, b, options) - chance) / (1 - chance)


def cknna(a: Neighbours, b: Neighbours, _: Options) -> float:
    """Return CKA on mutual nearest neighbours (Huh et al. 2024, appendix A).

    Unbiased HSIC of the dot-product kernels, each set to 0 but where b is among a's k neighbours
    in both models, over the geometric mean of the same with itself.

    Raises
    ------
    UserError
        If that of a model with itself is not positive.
    """
    n, k = a.index.shape
    images, in_a, in_b = shared(a, b)
    columns = a.index.ravel()[in_a]
    K, L = a.product.ravel()[in_a], b.product.ravel()[in_b]
    own = [
        _sparse_hsic(np.repeat(np.arange(n), k), m.index.ravel(), m.product.ravel(), None, n)
        for m in (a, b)
    ]
    if min(own) <= 0:
        raise UserError(
            f"cknna: the HSIC of a model with itself on its {k} nearest neighbours is "
            f"{min(own):.3g}, not positive: take more neighbours"
        )
    return float(np.clip(_sparse_hsic(images, columns, K, L, n) / np.sqrt(own[0] * own[1]), -1, 1))


def _sparse_hsic(rows: Array, columns: Array, K: Array, L: Array | None, n: int) -> float:
    """Return Song et al.'s HSIC (up to a factor) of sparse, not symmetric K and L (None: K)."""
    from scipy.sparse import csr_array

    first = csr_array((K, (rows, columns)), shape=(n, n))
    second = first if L is None else csr_array((L, (rows, columns)), shape=(n, n))
    trace = float(first.multiply(second.T).sum())
    chain = float(np.asarray(first.sum(axis=0)) @ np.asarray(second.sum(axis=1)))
    total = float(first.sum() * second.sum())
    return trace + total / ((n - 1) * (n - 2)) - 2 * chain / (n - 2)


_WILLIAMS = (
    "Williams, Kunz, Kornblith, Linderman: Generalized Shape Metrics on Neural Representations, "
    "NeurIPS 2021"
)
_HUH = "Huh, Cheung, Wang, Isola: The Platonic Representation Hypothesis, ICML 2024"
_NBS = (
    "Tang et al.: Similarity of Neural Networks with Gradients, 2020 (normalised Bures similarity "
    "of Gram matrices); equal to Procrustes: Harvey, Larsen, Williams: Duality of Bures and Shape "
    "Distances, UniReps 2023"
)
_SVCCA = "Raghu, Gilmer, Yosinski, Sohl-Dickstein: SVCCA, NeurIPS 2017"
_PWCCA = (
    "Morcos, Raghu, Bengio: Insights on representational similarity in neural networks with "
    "canonical correlation, NeurIPS 2018"
)
_R2 = "Kornblith et al.: Similarity of Neural Network Representations Revisited, ICML 2019, sec. 5"
_SHAPE = frozenset({"permutation", "orthogonal", "isotropic_scaling", "translation"})
_KNN = frozenset({"permutation", "orthogonal", "isotropic_scaling"})
_K = {"k": "a whole number > 0, the number of neighbours"}
_PERCENT = {"percent": "a number > 0 and at most 100, the share of variance kept"}


def _add(
    pattern: str,
    functions: tuple[Any, Any],
    invariances: frozenset[str],
    reference: str,
    options: Mapping[str, str] | None = None,
    *,
    symmetric: bool = True,
) -> None:
    pair = PairFunctions(*functions)
    add_measure(
        Measure(pattern, "pair", symmetric, invariances, False, reference, options or {}, pair)
    )


_add("procrustes", (compact, nuclear_cosine), _SHAPE, _WILLIAMS)
_add("angular_shape", (compact, angular), _SHAPE, _WILLIAMS)
_add("nbs", (compact, nuclear_cosine), _SHAPE, _NBS)
_add("svcca_<percent>", (variance_basis, mean_canonical_correlation), _SHAPE, _SVCCA, _PERCENT)
_add(
    "pwcca",
    (full_basis, projection_weighted_cca),
    _SHAPE - {"orthogonal"},
    _PWCCA,
    symmetric=False,
)
_add("linear_r2", (full_basis, linear_r2), _SHAPE, _R2, symmetric=False)
_add("mutual_knn_<k>", (neighbours, mutual_knn), _KNN, _HUH, _K)
_add("mutual_knn_<k>_corrected", (neighbours, mutual_knn_corrected), _KNN, _HUH, _K)
_add("cknna_<k>", (neighbours, cknna), _KNN, _HUH, _K)
