"""From replicates to limits: percentile and BCa intervals, and when there are none.

Arrays in, numbers out; what is resampled is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from simcons.consistency.pairs import Floats, Ints
from simcons.core.errors import known

STATISTICS = ("mean", "median")
MIN_FAMILIES = 6
MIN_DATASETS = 8

# More undefined replicates than this, and the quantiles of the rest say nothing. Two groups of six
# models each lose 4 % (a draw of two distinct models leaves one pair).
_MAX_UNDEFINED = 0.1


@dataclass(frozen=True)
class Interval:
    """A percentile and a BCa interval.

    Attributes
    ----------
    percentile, bca
        (low, high); NaN if unavailable.
    n_undefined
        Replicates in which the statistic was undefined.
    reason
        Why there is no interval; empty if there is one.
    """

    percentile: tuple[float, float]
    bca: tuple[float, float]
    n_undefined: int = 0
    reason: str = ""

    def columns(self) -> dict[str, Any]:
        """Return the interval as columns of a table."""
        return {
            "percentile_low": self.percentile[0],
            "percentile_high": self.percentile[1],
            "bca_low": self.bca[0],
            "bca_high": self.bca[1],
            "n_undefined": self.n_undefined,
            "available": not self.reason,
            "reason": self.reason,
        }


def unavailable(reason: str, n_undefined: int = 0) -> Interval:
    """Return no interval, and why."""
    nothing = (np.nan, np.nan)
    return Interval(nothing, nothing, n_undefined, reason)


def availability(n_families: Sequence[int], n_datasets: int | None = None) -> str:
    """Return why intervals cannot be given, or an empty string.

    Parameters
    ----------
    n_families
        For each of a group's model sets, how many families it has.
    n_datasets
        Number of data sets; None if they are not the sample (one data set on its own).
    """
    reasons = []
    if min(n_families) < MIN_FAMILIES:
        word = "family" if min(n_families) == 1 else "families"
        reasons.append(f"{min(n_families)} {word} of models in a group, fewer than {MIN_FAMILIES}")
    if n_datasets is not None and n_datasets < MIN_DATASETS:
        reasons.append(f"{n_datasets} data set(s), fewer than {MIN_DATASETS}")
    return "; ".join(reasons)


def make_interval(
    estimate: float,
    replicates: Floats,
    jackknives: Sequence[Floats],
    confidence: float = 0.95,
    n_units: int | None = None,
) -> Interval:
    """Return percentile and BCa limits (Efron 1987; Efron and Tibshirani 1993, eq. 14.9 to 14.15).

    With few units a bootstrap is too narrow, by a factor sqrt((n - 1) / n) and by taking normal
    instead of t quantiles; ``n_units`` expands its levels by both (Hesterberg 2015, section 5.4).

    Parameters
    ----------
    estimate
        The statistic on the data.
    replicates
        (B,) bootstrap replicates; NaN where undefined.
    jackknives
        For each factor that is resampled (models, data sets) the delete-one values, (n_k,). The
        acceleration pools their influence values, since the factors' contributions to the variance
        add up.
    confidence
        For example 0.95.
    n_units
        How many units are drawn (families of the smaller set, or data sets); None: no expansion,
        for the bootstrap over both, which is on the wide side by itself.
    """
    defined = replicates[np.isfinite(replicates)]
    n_undefined = len(replicates) - len(defined)
    if not np.isfinite(estimate):
        return unavailable("the estimate is undefined", n_undefined)
    if n_undefined > _MAX_UNDEFINED * len(replicates):
        return unavailable(
            f"undefined in {n_undefined} of {len(replicates)} bootstrap replicates", n_undefined
        )
    tails = tail_levels(confidence, n_units)
    percentile = np.quantile(defined, tails)
    below = np.mean(defined < estimate) + 0.5 * np.mean(defined == estimate)
    edge = 0.5 / len(defined)
    z0 = ndtri(np.clip(below, edge, 1 - edge))
    shifted = z0 + ndtri(tails)
    a = acceleration(jackknives)
    bca = np.quantile(defined, ndtr(z0 + shifted / (1 - a * shifted)))
    return Interval(
        (float(percentile[0]), float(percentile[1])), (float(bca[0]), float(bca[1])), n_undefined
    )


def envelope(intervals: Sequence[Interval]) -> Interval:
    """Return the first interval, widened where one of the others reaches beyond it.

    Drawing models and data sets at once is on the wide side where both matter, but has a
    bootstrap's narrowness where one of them hardly does: it is never taken to be more precise than
    drawing that one alone.
    """
    first = intervals[0]
    if first.reason:
        return first
    given = [interval for interval in intervals if not interval.reason]
    percentile = (min(i.percentile[0] for i in given), max(i.percentile[1] for i in given))
    bca = (min(i.bca[0] for i in given), max(i.bca[1] for i in given))
    return Interval(percentile, bca, first.n_undefined)


def tail_levels(confidence: float, n_units: int | None) -> Floats:
    """Return the two quantile levels of an interval, expanded for a small number of units."""
    levels = np.array([0.5 - confidence / 2, 0.5 + confidence / 2])
    if n_units is None:
        return levels
    return ndtr(np.sqrt(n_units / (n_units - 1)) * stdtrit(n_units - 1, levels))


def acceleration(jackknives: Sequence[Floats]) -> float:
    """Return BCa's acceleration from delete-one values; 0 if they do not vary."""
    influence = []
    for values in jackknives:
        values = values[np.isfinite(values)]
        n = len(values)
        if n > 1:
            influence.append((values.mean() - values) * (n - 1) / n)
    pooled = np.concatenate(influence) if influence else np.zeros(1)
    square = float(np.sum(pooled**2))
    return float(np.sum(pooled**3)) / (6 * square**1.5) if square > 0 else 0.0


def summary(r: Floats, weights: Floats, statistic: str, order: Ints | None = None) -> Floats:
    """Return the weighted mean or median over data set pairs, ignoring undefined ones.

    Parameters
    ----------
    r
        (B, E) or (1, E).
    weights
        (B, E) or (1, E), not negative.
    statistic
        ``mean`` or ``median`` (the middle of the weighted sample).
    order
        ``np.argsort(r, axis=1)`` if it is known already: sorting is most of a median's time.

    Returns
    -------
    (B,); NaN where no pair is left.
    """
    known("statistic", statistic, STATISTICS)
    defined = np.isfinite(r)
    if statistic == "mean":
        total = np.sum(defined * weights, axis=1)
        sums = np.sum(np.where(defined, r, 0.0) * weights, axis=1)
        return np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
    order = np.argsort(r, axis=1) if order is None else order
    return _weighted_median(r, defined * weights, order)


def _weighted_median(r: Floats, weights: Floats, order: Ints) -> Floats:
    """Return the median of each row, every value as often as its (whole) weight says."""
    ordered = np.take_along_axis(r, order, axis=1)
    if len(order) == 1:
        below = np.cumsum(weights[:, order[0]], axis=1)
    else:
        below = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    half = below[:, -1:] / 2
    low = np.argmax(below >= half, axis=1)
    high = np.argmax(below > half, axis=1)
    rows = np.arange(len(below)) if len(ordered) > 1 else np.zeros(len(below), dtype=np.intp)
    middle = 0.5 * (ordered[rows, low] + ordered[rows, high])
    return np.where(half[:, 0] > 0, middle, np.nan)
