"""Ranks of the distances of all pairs of images, for Spearman correlation.

Ranks are taken once, over all pairs. On a subset of blocks the same ranks are used (their
correlation is Pearson's on the subset): to first order this has the same sampling variation as
ranking the subset anew where the regression of one model's ranks on the other's is linear.
"""

from __future__ import annotations

import numpy as np
import torch

from simcons.similarity.blocks import Blocks
from simcons.similarity.engine import ZERO_ENTRY, Sums, gram_of_rows, pair_counts

RANK_SIZE = 1e-3  # ranks are exact to about 1e-7, so only ranks that are all tied have no variance

ROUNDING = 1e-6  # of a distance, as a share of the mean distance
NARROW = 4  # a run of ties is at most so many times the rounding wide


def rank_in_place(values: torch.Tensor, rounding: float) -> None:
    """Replace a vector by its ranks, ties averaged, mapped to (-1/2, 1/2).

    Rank r of 1..N becomes (r - (N + 1) / 2) / N.

    Parameters
    ----------
    values
        (N,) floats.
    rounding
        Values that are closer than this may be equal but for rounding. A run of such neighbours
        counts as a tie if the whole run is narrow: in discrete data all runs are, in continuous
        data hardly any.
    """
    ordered, index = torch.sort(values)
    n = len(values)
    first = _starts(torch.diff(ordered) > rounding)
    lengths = torch.diff(first, append=torch.tensor([n]))
    width = ordered[first + lengths - 1] - ordered[first]
    wide = torch.repeat_interleave(width > NARROW * rounding, lengths)
    new = torch.zeros(n, dtype=torch.bool)
    new[first] = True
    first = _starts(new[1:] | (wide[1:] & (torch.diff(ordered) > 0)))
    lengths = torch.diff(first, append=torch.tensor([n]))
    middle = first.double() + (lengths.double() + 1) / 2
    scaled = ((middle - (n + 1) / 2) / n).to(values.dtype)
    values[index] = torch.repeat_interleave(scaled, lengths)


def _starts(new: torch.Tensor) -> torch.Tensor:
    """Return the positions where groups start, from (N - 1,) whether the next value is new."""
    one = torch.ones(1, dtype=torch.bool)
    return torch.nonzero(torch.cat([one, new])).squeeze(1)


def rank_sums(sums: Sums, blocks: Blocks) -> Sums:
    """Return the sums of products of ranks, per block pair; the values are ranked in place."""
    assert sums.values is not None
    counts = pair_counts(blocks)
    ends = np.cumsum(counts)
    for row, size in zip(sums.values, sums.magnitude, strict=True):
        if row.double().std() <= ZERO_ENTRY * size:
            row.zero_()  # constant up to rounding: ranks would be of the rounding
        else:
            rank_in_place(row, ROUNDING * float(size))
    products, totals = np.zeros_like(sums.products), np.zeros_like(sums.totals)
    for k, (p, q) in enumerate(blocks.pairs()):
        # in a full square every pair of images within one block occurs twice
        weight = 2.0 if p == q else 1.0
        part = sums.values[:, ends[k] - counts[k] : ends[k]]
        products[k] = weight * gram_of_rows(part)
        totals[k] = weight * part.double().sum(1).numpy()
    return Sums(products, totals, None, sums.diagonal, np.full(len(sums.values), RANK_SIZE), None)
