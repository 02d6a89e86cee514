"""Correlation of many vectors at once, plain and weighted: arrays in, arrays out.

A correlation with a constant vector is undefined and comes out as NaN; callers say so. Bootstrap
draws, delete-one jackknives, permuted group labels and spread matching are all weights on the same
pairs, so that one engine serves them: no resampled vector is ever copied together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from simcons.consistency.pairs import Floats, Ints, Mask, PairIndex
from simcons.core.errors import known

METHODS = ("pearson", "spearman", "kendall")
# Kendall's tau is a point estimate only: a weighted one for every replicate takes too long.
RESAMPLED_METHODS = ("pearson", "spearman")
MIN_DISTINCT_PAIRS = 3

# A vector whose spread is below this fraction of its size is constant but for rounding.
CONSTANT = 1e-12
# Below this fraction of the unweighted variance, the weighted one is rounding: r is undefined.
_NO_VARIANCE = 1e-12
_CHUNK_BYTES = 2**24
_CHUNK_ELEMENTS = 2**20


def check_method(method: str) -> str:
    """Return ``method`` or raise a UserError that names the allowed ones."""
    return known("correlation", method, METHODS)


def correlation_matrix(vectors: Floats, method: str = "pearson") -> Floats:
    """Return the correlations between all rows.

    Parameters
    ----------
    vectors
        (D, P): D vectors over the same P pairs.
    method
        ``pearson``, ``spearman`` (ties averaged) or ``kendall`` (tau-b, Kendall 1945).

    Returns
    -------
    (D, D) float64; NaN where a vector is constant.
    """
    check_method(method)
    if method == "kendall":
        return _kendall(vectors)
    data = vectors if method == "pearson" else rank_rows(vectors)
    unit = standardise(data)
    return np.clip(unit @ unit.T, -1.0, 1.0)


def standardise(vectors: Floats) -> Floats:
    """Centre the last axis and scale it to unit norm; NaN where it is constant.

    The product of two such vectors is their Pearson correlation.
    """
    centred = vectors - vectors.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(centred, axis=-1, keepdims=True)
    size = np.linalg.norm(vectors, axis=-1, keepdims=True)
    undefined = norm <= CONSTANT * size
    return np.where(undefined, np.nan, centred / np.where(undefined, 1.0, norm))


def rank_rows(vectors: Floats) -> Floats:
    """Return ranks along the last axis, ties averaged."""
    return np.asarray(rankdata(vectors, axis=-1), dtype=np.float64)


def is_constant(vectors: Floats) -> Mask:
    """Return which vectors (last axis) are constant, up to rounding."""
    return np.isnan(standardise(vectors)[..., 0])


def _kendall(vectors: Floats) -> Floats:
    """Return tau-b between all rows: products of the signs of all differences, in chunks.

    Signs are exact in float32 and a chunk's sums stay below 2**24, so the counts are exact.
    """
    n_vectors, n_pairs = vectors.shape
    rows = max(1, min(_CHUNK_BYTES // (4 * n_vectors * n_pairs), 2**24 // n_pairs))
    concordance = np.zeros((n_vectors, n_vectors))
    for start in range(0, n_pairs, rows):
        part = vectors[:, start : start + rows, None] - vectors[:, None, :]
        signs = np.sign(part).astype(np.float32).reshape(n_vectors, -1)
        concordance += signs @ signs.T
    untied = np.diag(concordance)
    scale = np.sqrt(np.outer(untied, untied))
    tau = np.divide(concordance, scale, out=np.full_like(scale, np.nan), where=scale > 0)
    tau[is_constant(vectors)] = np.nan
    tau[:, is_constant(vectors)] = np.nan
    return tau


def pair_weights(counts: NDArray[np.number], family: Ints, pairs: PairIndex) -> Floats:
    """Return how often each pair occurs when its models are drawn ``counts`` times.

    Two copies of one model never form a pair. Models of one family are drawn together and pair
    with each other within a copy only (their copies stand to each other as copies of one model
    do), hence c times, not c squared.

    Parameters
    ----------
    counts
        (B, m), equal within a family.
    family
        (m,) family numbers.
    pairs
        P pairs.

    Returns
    -------
    (B, P) float64.
    """
    left = counts[:, pairs.left].astype(np.float64)
    same = family[pairs.left] == family[pairs.right]
    return left * np.where(same, 1.0, counts[:, pairs.right])


def weighted_correlation(vectors: Floats, weights: Floats, method: str = "pearson") -> Floats:
    """Return the weighted correlations of all pairs of rows, for every weighting.

    Spearman's ranks are those of the weighted sample: each pair counts as often as its weight
    says, ties averaged.

    Parameters
    ----------
    vectors
        (D, P).
    weights
        (B, P), not negative.
    method
        ``pearson`` or ``spearman``.

    Returns
    -------
    (B, E) with E = D (D - 1) / 2, in the order of ``np.triu_indices(D, 1)``; NaN where fewer than
    three pairs have weight or a vector does not vary.
    """
    known("method", method, RESAMPLED_METHODS, key="resampling (kendall is a point estimate only)")
    compute = _weighted_pearson if method == "pearson" else _weighted_spearman
    r = compute(vectors, weights)
    r[np.count_nonzero(weights, axis=1) < MIN_DISTINCT_PAIRS] = np.nan
    return r


def _weighted_pearson(vectors: Floats, weights: Floats) -> Floats:
    """Moments of all weightings by one matrix product; rows first get mean 0 and variance 1."""
    n_rows, n_pairs = vectors.shape
    scaled = standardise(vectors) * np.sqrt(n_pairs)
    scaled[np.isnan(scaled)] = 0.0
    one, two = np.triu_indices(n_rows)
    total = _total(weights)
    mean = (weights @ scaled.T) / total
    second = (weights @ (scaled[one] * scaled[two]).T) / total
    covariance = second - mean[:, one] * mean[:, two]
    return _from_covariance(covariance, n_rows)


def _weighted_spearman(vectors: Floats, weights: Floats) -> Floats:
    """Rank under every weighting, chunk by chunk, then correlate the ranks."""
    n_rows, n_pairs = vectors.shape
    orders = [_Order(row) for row in vectors]
    one, two = np.triu_indices(n_rows)
    step = max(1, _CHUNK_ELEMENTS // (n_rows * n_pairs))
    covariance = np.empty((len(weights), len(one)))
    for start in range(0, len(weights), step):
        part = weights[start : start + step]
        ranks = np.stack([order.centred_ranks(part) for order in orders], axis=1)
        product = (ranks * part[:, None, :]) @ ranks.transpose(0, 2, 1)
        covariance[start : start + step] = product[:, one, two]
    total = _total(weights)
    return _from_covariance(covariance / total**3, n_rows)


def _total(weights: Floats) -> Floats:
    """Return the sums of weights (B, 1); 1 where there are none, and r is set to NaN later."""
    total = weights.sum(axis=1, keepdims=True)
    return np.where(total > 0, total, 1.0)


def _from_covariance(covariance: Floats, n_rows: int) -> Floats:
    """Return correlations (B, E) from covariances in the order of ``np.triu_indices(n)``."""
    one, two = np.triu_indices(n_rows)
    variance = covariance[:, one == two]
    variance = np.where(variance > _NO_VARIANCE, variance, np.nan)
    off = one != two
    scale = np.sqrt(variance[:, one[off]] * variance[:, two[off]])
    return np.clip(covariance[:, off] / scale, -1.0, 1.0)


class _Order:
    """The order of one vector, from which its ranks under any weighting follow by a cumulative sum.

    The weighted mid-rank of a value is the weight below it plus half of its own and its ties'; the
    weighted mean of these is half of the total weight.
    """

    def __init__(self, row: Floats) -> None:
        self.order = np.argsort(row, kind="stable")
        self.inverse = np.argsort(self.order, kind="stable")
        ordered = row[self.order]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        self.starts = np.flatnonzero(new)
        self.group = np.cumsum(new) - 1

    def centred_ranks(self, weights: Floats) -> Floats:
        """Return weighted mid-ranks minus their weighted mean, (B, P)."""
        tied = len(self.starts) < len(self.order)
        ordered = np.take(weights, self.order, axis=1)
        if tied:
            ordered = np.add.reduceat(ordered, self.starts, axis=1)
        below = np.cumsum(ordered, axis=1)
        half = 0.5 * below[:, -1:]
        ordered *= 0.5
        below -= ordered
        below -= half
        return np.take(below, self.group[self.inverse] if tied else self.inverse, axis=1)
