"""From accumulated sums to similarities, on all images and on any union of blocks.

Pure arithmetic on small arrays; nothing here reads features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simcons.core.arrays import Array
from simcons.core.errors import UserError
from simcons.similarity.blocks import Blocks, Subsets
from simcons.similarity.engine import ZERO_ENTRY, Sums, pair_counts
from simcons.similarity.measures import MeasureCall

ZERO_SUM = 1e-7  # the share of a raw sum of squares that float32 sums cannot tell from zero


@dataclass(frozen=True)
class HsicParts:
    """The sums that HSIC is made of, per subset of blocks and pair of models.

    Parameters
    ----------
    trace
        (S, m, m) tr(K_i K_j), diagonals zero.
    row_product
        (S, m, m) 1'K_i K_j 1, diagonals zero.
    total
        (S, m) 1'K_i 1, diagonals zero.
    own
        (S, m, m) sum_a K_i[a, a] K_j[a, a].
    row_product_biased, total_biased
        The same with diagonals kept.
    n
        (S,) images.
    magnitude
        (m,) the size of entries that rounding errors are relative to.
    """

    trace: Array
    row_product: Array
    total: Array
    own: Array
    row_product_biased: Array
    total_biased: Array
    n: Array
    magnitude: Array


def hsic_parts(sums: Sums, blocks: Blocks, subsets: Subsets) -> HsicParts:
    """Return what HSIC is made of from the sums of a pass over tiles."""
    assert sums.rows is not None
    count, m = len(subsets.members), len(sums.diagonal)
    product, biased, own = np.zeros((3, count, m, m))
    total, total_biased = np.zeros((2, count, m))
    for p in range(blocks.n_blocks):
        images = slice(blocks.edges[p], blocks.edges[p + 1])
        inside = np.flatnonzero(subsets.members[:, p])
        member = subsets.members[inside].T.astype(np.float64)
        rows = np.moveaxis(sums.rows[:, images].astype(np.float64) @ member, 2, 0)
        diagonal = sums.diagonal[:, images]
        own[inside] += diagonal @ diagonal.T
        product[inside] += rows @ rows.transpose(0, 2, 1)
        total[inside] += rows.sum(axis=2)
        rows = rows + diagonal
        biased[inside] += rows @ rows.transpose(0, 2, 1)
        total_biased[inside] += rows.sum(axis=2)
    trace = np.tensordot(pair_weights(blocks, subsets), sums.products, axes=1)
    n = (subsets.members @ blocks.sizes).astype(np.float64)
    return HsicParts(trace, product, total, own, biased, total_biased, n, sums.magnitude)


def hsic(parts: HsicParts, *, biased: bool) -> Array:
    """Return HSIC of all pairs of models on every subset, up to a factor.

    Unbiased (Song et al. 2007, eq. 5; Szekely and Rizzo 2014), with K, L zero on the diagonal:
    tr(KL) + (1'K1)(1'L1) / ((n-1)(n-2)) - 2 / (n-2) 1'KL1. Biased (Gretton et al. 2005), with the
    diagonals: tr(KL) - 2/n 1'KL1 + (1'K1)(1'L1) / n^2.

    Returns
    -------
    ndarray
        (S, m, m) float64. Unbiased HSIC of a model with itself is the squared norm of a U-centred
        matrix, so it is never negative but for rounding. Of fewer than three images (a subset of
        small blocks) there is no unbiased estimate: NaN.
    """
    n = parts.n[:, None, None]
    if biased:
        outer = parts.total_biased[:, :, None] * parts.total_biased[:, None, :]
        return parts.trace + parts.own - 2 / n * parts.row_product_biased + outer / n**2
    n = np.where(n > 2, n, np.nan)
    outer = parts.total[:, :, None] * parts.total[:, None, :]
    return parts.trace + outer / ((n - 1) * (n - 2)) - 2 / (n - 2) * parts.row_product


def pair_weights(blocks: Blocks, subsets: Subsets) -> Array:
    """Return (S, P): how often the tile of a block pair counts in the full square of a subset.

    2 for two different blocks, 1 for a block with itself, 0 outside the subset.
    """
    p, q = np.array(blocks.pairs()).T
    return np.where(p == q, 1.0, 2.0) * subsets.members[:, p] * subsets.members[:, q]


def distance_products(sums: Sums, blocks: Blocks, subsets: Subsets) -> tuple[Array, Array]:
    """Return sums of products of distances over the pairs of images: raw, and centred.

    Returns
    -------
    tuple of ndarray
        (S, m, m) float64 each.
    """
    weights = pair_weights(blocks, subsets) / 2
    total = weights @ sums.totals
    number = ((weights > 0) @ pair_counts(blocks).astype(np.float64))[:, None, None]
    raw = np.tensordot(weights, sums.products, axes=1)
    return raw, raw - total[:, :, None] * total[:, None, :] / number


def cka_values(call: MeasureCall, parts: HsicParts, models: list[str]) -> tuple[Array, list[str]]:
    """Return a CKA's values (S, m, m) and notes; see `normalized`."""
    raw = np.diag(parts.trace[0])
    floor = noise_floor(raw, parts.magnitude, int(parts.n[0]))
    return normalized(hsic(parts, biased=call.biased), floor, models, call.name, "HSIC with itself")


def rsa_values(
    call: MeasureCall, sums: Sums, blocks: Blocks, subsets: Subsets, models: list[str]
) -> tuple[Array, list[str]]:
    """Return an RSA's values (S, m, m) and notes; see `normalized`."""
    raw, centred = distance_products(sums, blocks, subsets)
    floor = noise_floor(2 * np.diag(raw[0]), sums.magnitude, blocks.n_images)
    return normalized(centred, floor, models, call.name, "variance of distances")


def noise_floor(raw: Array, magnitude: Array, n: int) -> Array:
    """Return (m,) sizes below which a model's HSIC or variance on the whole set is rounding.

    Parameters
    ----------
    raw
        (m,) sums of squares of entries before centring.
    magnitude
        (m,) the size of entries that rounding errors are relative to.
    n
        Number of images.
    """
    return ZERO_SUM * raw + n * (n - 1) * np.square(ZERO_ENTRY * magnitude)


def normalized(
    products: Array, floor: Array, models: list[str], measure: str, what: str
) -> tuple[Array, list[str]]:
    """Divide (S, m, m) products by the square roots of their diagonals.

    Parameters
    ----------
    products
        HSIC or covariance per subset; row 0 is the whole set.
    floor
        (m,) a diagonal of the whole set below this is zero up to rounding.
    models, measure
        For messages.
    what
        What the diagonal is, such as ``"HSIC with itself"``.

    Returns
    -------
    values
        (S, m, m); NaN for models whose diagonal is not positive on that subset.
    notes
        A line per model that has such subsets.

    Raises
    ------
    UserError
        If a diagonal of the whole set is zero up to rounding: the similarity is undefined.
    """
    own = np.einsum("sii->si", products)
    undefined = np.flatnonzero(own[0] <= floor)
    if len(undefined):
        i = undefined[0]
        raise UserError(
            f"measure '{measure}': the {what} of model '{models[i]}' is {own[0, i]:.3g}, zero up "
            "to rounding: its kernel or distances are constant over the pairs of images, so the "
            "similarity is undefined. Leave the model out, or choose another measure or bandwidth"
        )
    bad = own <= 0
    norm = np.sqrt(np.where(bad, np.nan, own))
    values = np.clip(products / (norm[:, :, None] * norm[:, None, :]), -1.0, 1.0)
    notes = [
        f"{measure}: the {what} of {models[i]} is not positive on {int(bad[:, i].sum())} of the "
        "subsets of images, which have no value"
        for i in np.flatnonzero(bad.any(axis=0))
    ]
    return values, notes
