"""Ranks of the distances of all pairs of images, for Spearman correlation.

Exact ranks need all n (n - 1) / 2 distances of every model at once. Where they do not fit, a first
pass counts each model's distances in a fine histogram, a second one maps them to the mean rank of
their bin. That is a projection of the exact ranks: with e = sum_b (c_b^3 - c_b) / (N^3 - N) over
the bins' counts c_b, a share e of their variance is lost, the angle between exact and binned ranks
is asin(sqrt(e)), and the correlation of two models is off by at most the sum of the chords
sqrt(2 - 2 sqrt(1 - e)). The bins are chosen so fine that this is below 1e-4, and the bound that was
reached is reported.

Ranks are taken once, over all pairs. On a subset of blocks the same ranks are used (their
correlation is Pearson's on the subset): to first order this has the same sampling variation as
ranking the subset anew where the regression of one model's ranks on the other's is linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from simcons.core.arrays import Array
from simcons.similarity.blocks import Blocks
from simcons.similarity.engine import ZERO_ENTRY, MakesTiles, Sums, gram_of_rows, pair_counts

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


COARSE_BINS = 64  # of the sample, to choose the number of bins
MIN_BINS, MAX_BINS = 1 << 14, 1 << 22
LOST_VARIANCE = 1.2e-9  # aimed at: two models are then off by at most 2 sqrt(1.2e-9) = 7e-5
TAIL = 2e-4  # share of the sample beyond either end of the bins: its cube is what it costs


@dataclass
class Histogram:
    """A histogram of one model's distances with equal bins; what lies outside is in the end bins.

    Parameters
    ----------
    low
        Where the first bin starts.
    per_unit
        Bins per unit of distance.
    counts
        (bins,) int64.
    """

    low: float
    per_unit: float
    counts: Array

    def index(self, tile: torch.Tensor) -> torch.Tensor:
        """Return the bin of each value, int64."""
        top = len(self.counts) - 1
        return ((tile - self.low) * self.per_unit).clamp_(0, top).to(torch.int64)

    def add(self, tile: torch.Tensor) -> None:
        """Count the values of a flattened tile."""
        index = self.index(tile).cpu().numpy()
        self.counts += np.bincount(index, minlength=len(self.counts))

    def lost_variance(self) -> float:
        """Return the share of the ranks' variance that lies within bins."""
        c = self.counts.astype(np.float64)
        total = c.sum()
        return float((c**3 - c).sum() / max(total**3 - total, 1.0))

    def rank_table(self) -> Array:
        """Return (bins,) the mean rank of each bin, mapped to (-1/2, 1/2) as in `rank_in_place`."""
        c = self.counts.astype(np.float64)
        middle = np.cumsum(c) - c + (c + 1) / 2
        return (middle - (c.sum() + 1) / 2) / c.sum()


def choose_histogram(sample: Array, pairs: int) -> Histogram:
    """Return an empty histogram that is fine enough for values distributed like the sample.

    Parameters
    ----------
    sample
        (s,) distances as the tiles hold them.
    pairs
        Number of distances there will be; of few, chance puts several into a bin.
    """
    low, high = np.quantile(sample, [TAIL, 1 - TAIL])
    width = float(max(high - low, 1e-30))
    share = np.histogram(sample, COARSE_BINS, (low, low + width))[0] / len(sample)
    bins = MIN_BINS
    while bins < MAX_BINS and _expected_loss(share, bins, pairs) > LOST_VARIANCE:
        bins *= 2
    return Histogram(float(low), bins / width, np.zeros(bins, dtype=np.int64))


def _expected_loss(share: Array, bins: int, pairs: int) -> float:
    """Return the expected lost variance: sum of E[c^3 - c] = (Np)^3 + 3 (Np)^2 over bins, / N^3.

    Parameters
    ----------
    share
        (C,) shares of the distances in coarse bins, each divided into ``bins`` / C fine ones.
    bins, pairs
        Number of fine bins and of distances N.
    """
    fine = len(share) / bins
    return float((share**3).sum() * fine**2 + 3 * (share**2).sum() * fine / pairs)


class RankMaker:
    """Turns dot-product tiles into tiles of ranks, through a model's histogram."""

    def __init__(self, maker: MakesTiles, histogram: Histogram, device: torch.device) -> None:
        self.maker = maker
        self.histogram = histogram
        self.diagonal = maker.diagonal
        self.magnitude = RANK_SIZE
        self.table = torch.from_numpy(histogram.rank_table()).to(device, torch.float32)

    def __call__(self, t: torch.Tensor, a: slice, b: slice, out: torch.Tensor) -> None:
        """Write the tile of ranks of rows a and columns b, made from dot products t, into out."""
        self.maker(t, a, b, out)
        index = self.histogram.index(out)
        out.copy_(self.table[index.view(-1)].view(out.shape))


def rank_error_bound(histograms: Sequence[Histogram]) -> float:
    """Return the largest error that any pair of these models' correlation may have."""
    chords = sorted(float(np.sqrt(2 - 2 * np.sqrt(1 - h.lost_variance()))) for h in histograms)
    return sum(chords[-2:])
