"""Correlation of many vectors at once: arrays in, arrays out.

A correlation with a constant vector is undefined and comes out as NaN; callers say so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from simcons.core.errors import UserError, did_you_mean

Floats = NDArray[np.float64]

METHODS = ("pearson", "spearman", "kendall")

# A vector whose spread is below this fraction of its size is constant but for rounding.
CONSTANT = 1e-12
_CHUNK_BYTES = 2**24


def check_method(method: str) -> str:
    """Return ``method`` or raise a UserError that names the allowed ones."""
    if method not in METHODS:
        raise UserError(f"unknown correlation {method!r}; {did_you_mean(method, METHODS)}")
    return method


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


def is_constant(vectors: Floats) -> NDArray[np.bool_]:
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
