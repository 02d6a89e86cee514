"""Measures that compare two models' summaries: the arithmetic, in float64.

Each is a pair of functions: one of a model's features, whose result is kept for all its pairs, and
one of two such results. `definitions` says what they compute; `pair_values` runs them over models.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simcons.core.arrays import Array
from simcons.core.errors import UserError

RANK_TOLERANCE = 1e-10  # singular values below this share of the largest are rounding
CHUNK_ENTRIES = 1 << 24  # of a chunk of dot products


def centred(x: Array) -> Array:
    """Return x (n, d) less its column means."""
    return x - x.mean(axis=0)


def compact(x: Array) -> Array:
    """Return centred, Frobenius-normalised x (n, d) turned into at most n dimensions.

    A rotation of the features: the nuclear norms of products do not change.
    """
    x = centred(x)
    x = x / np.linalg.norm(x)
    if x.shape[1] <= x.shape[0]:
        return x
    u, s, _vt = np.linalg.svd(x, full_matrices=False)
    return u * s


def nuclear_cosine(x: Array, y: Array) -> float:
    """Return the nuclear norm of x'y of compact features, in [0, 1]."""
    return min(float(np.linalg.svd(x.T @ y, compute_uv=False).sum()), 1.0)


def angular(x: Array, y: Array) -> float:
    """Return 1 - 2 / pi times the angle whose cosine is the nuclear norm of x'y."""
    return 1 - 2 / np.pi * float(np.arccos(nuclear_cosine(x, y)))


class Basis(NamedTuple):
    """An orthonormal basis u (n, r) of a model's centred features x (n, d) over the images."""

    u: Array
    x: Array


def _svd(x: Array) -> tuple[Array, Array]:
    u, s, _vt = np.linalg.svd(x, full_matrices=False)
    rank = int((s > RANK_TOLERANCE * s[0]).sum())
    return u[:, :rank], s[:rank]


def full_basis(x: Array) -> Basis:
    """Return the basis of all of a model's features (n, d)."""
    x = centred(x)
    return Basis(_svd(x)[0], x)


def variance_basis(x: Array, percent: float) -> Basis:
    """Return the basis of the fewest principal components with a percentage of the variance.

    Their features are not needed: x of the result is empty.
    """
    u, s = _svd(centred(x))
    share = np.cumsum(np.square(s)) / np.square(s).sum()
    count = int(np.searchsorted(share, percent / 100 - 1e-12)) + 1
    return Basis(u[:, : min(count, len(s))], np.empty((0, 0)))


def mean_canonical_correlation(a: Basis, b: Basis) -> float:
    """Return the mean canonical correlation, over the smaller number of components."""
    return min(float(np.linalg.svd(a.u.T @ b.u, compute_uv=False).mean()), 1.0)


def projection_weighted_cca(a: Basis, b: Basis) -> float:
    """Return canonical correlations weighted by how much of model_1's features they account for."""
    left, rho, _vt = np.linalg.svd(a.u.T @ b.u, full_matrices=False)
    weight = np.abs((a.u @ left).T @ a.x).sum(axis=1)
    return min(float(weight @ rho / weight.sum()), 1.0)


def linear_r2(a: Basis, b: Basis) -> float:
    """Return ||U_2' X_1||_F^2 / ||X_1||_F^2, the R^2 of least squares on model_2."""
    return min(float(np.square(b.u.T @ a.x).sum() / np.square(a.x).sum()), 1.0)


class Neighbours(NamedTuple):
    """Each image's k nearest others: numbers (n, k), ascending, and dot products with them."""

    numbers: Array
    product: Array


def neighbours(x: Array, k: int) -> Neighbours:
    """Return the k nearest neighbours by dot product of the features x (n, d), self excluded.

    Raises
    ------
    UserError
        If k is not less than the number of images less 1.
    """
    n = len(x)
    if k >= n - 1:
        raise UserError(f"{k} neighbours asked for, {n} images allow at most {n - 2}")
    # For the ranking of one image's others the mean is a constant, and small differences of dot
    # products keep their digits without it.
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
    """Return the mutual neighbours: (images, positions in a.numbers, positions in b.numbers)."""
    n, k = a.numbers.shape
    base = np.arange(n)[:, None] * n
    _, in_a, in_b = np.intersect1d(
        (base + a.numbers).ravel(),
        (base + b.numbers).ravel(),
        assume_unique=True,
        return_indices=True,
    )
    return in_a // k, in_a, in_b


def mutual_knn(a: Neighbours, b: Neighbours) -> float:
    """Return the mean share of neighbours that two models have in common."""
    return len(shared(a, b)[0]) / a.numbers.size


def mutual_knn_corrected(a: Neighbours, b: Neighbours) -> float:
    """Return mutual k-NN agreement with chance at 0 and full agreement at 1."""
    chance = a.numbers.shape[1] / (len(a.numbers) - 1)
    return (mutual_knn(a, b) - chance) / (1 - chance)


def cknna(a: Neighbours, b: Neighbours) -> float:
    """Return CKA on mutual nearest neighbours.

    Raises
    ------
    UserError
        If the HSIC of a model with itself is not positive.
    """
    n, k = a.numbers.shape
    images, in_a, in_b = shared(a, b)
    columns = a.numbers.ravel()[in_a]
    K, L = a.product.ravel()[in_a], b.product.ravel()[in_b]
    every = np.repeat(np.arange(n), k)
    own = [_sparse_hsic(every, m.numbers.ravel(), m.product.ravel(), None, n) for m in (a, b)]
    if min(own) <= 0:
        raise UserError(
            f"cknna: the HSIC of a model with itself on its {k} nearest neighbours is "
            f"{min(own):.3g}, not positive: take more neighbours"
        )
    return float(np.clip(_sparse_hsic(images, columns, K, L, n) / np.sqrt(own[0] * own[1]), -1, 1))


def _sparse_hsic(rows: Array, columns: Array, K: Array, L: Array | None, n: int) -> float:
    """Return unbiased HSIC, up to a factor, of sparse K and L (None: K) that are not symmetric."""
    from scipy.sparse import csr_array

    first = csr_array((K, (rows, columns)), shape=(n, n))
    second = first if L is None else csr_array((L, (rows, columns)), shape=(n, n))
    trace = float(first.multiply(second.T).sum())
    chain = float(np.asarray(first.sum(axis=0)) @ np.asarray(second.sum(axis=1)))
    total = float(first.sum() * second.sum())
    return trace + total / ((n - 1) * (n - 2)) - 2 * chain / (n - 2)
