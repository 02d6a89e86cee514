"""Bootstrap replicates of a group's consistency, and the intervals that follow from them.

Pairs are never treated as independent draws: models are drawn by family, with the group sizes held
fixed (strata), and data sets as wholes. A pair's weight is the product of how often its two models
are drawn (node bootstrap, Snijders and Borgatti 1999); drawing models and data sets at once is the
pigeonhole bootstrap of Owen (2007), which errs on the wide side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from simcons.consistency.limits import Interval, envelope, make_interval, summary
from simcons.consistency.pairs import Floats, Ints, Mask
from simcons.consistency.resample import dataset_pair_weights
from simcons.core.errors import known

SCHEMES = ("models", "datasets", "both")


class Resampled(NamedTuple):
    """A statistic, its bootstrap replicates (B,), and its delete-one values per resampled factor.

    Where both factors are resampled, models come first and data sets last.
    """

    estimate: float
    replicates: Floats
    left_out: list[Floats]

    def minus(self, other: Resampled, scheme: str) -> Resampled:
        """Return the difference of two statistics that share their draws."""
        left_out = []
        if scheme != "datasets":  # leaving out a family moves one group alone
            left_out += [self.left_out[0], -other.left_out[0]]
        if scheme != "models":  # leaving out a data set moves both
            left_out.append(self.left_out[-1] - other.left_out[-1])
        replicates = self.replicates - other.replicates
        return Resampled(self.estimate - other.estimate, replicates, left_out)


@dataclass(frozen=True, eq=False)
class Replicates:
    """r over all E data set pairs: observed, over draws of models, and with a family left out.

    Attributes
    ----------
    observed
        (1, E).
    models
        (B, E); B is 0 where there can be no interval.
    left_out
        (F', E).
    drawn
        (B, E) how often each data set pair is drawn.
    n_datasets
        D.
    n_units
        Number of families in the smaller of the group's two sets.
    reason
        Why there can be no interval; empty if there can.
    """

    observed: Floats
    models: Floats
    left_out: Floats
    drawn: Floats
    n_datasets: int
    n_units: int
    reason: str

    def estimate(self, statistic: str, keep: Mask) -> float:
        """Return the mean or median of r over the data set pairs in ``keep`` (E,)."""
        return float(summary(self.observed, keep.astype(np.float64)[None, :], statistic)[0])

    def resampled(self, scheme: str, statistic: str, keep: Mask) -> Resampled:
        """Return the mean or median of r over data set pairs, resampled.

        Parameters
        ----------
        scheme
            What is resampled: ``models``, ``datasets`` or ``both``.
        statistic
            ``mean`` or ``median`` over data set pairs.
        keep
            (E,) data set pairs to use (without those that share images, for one).
        """
        ones = keep.astype(np.float64)[None, :]
        r = self.observed if scheme == "datasets" else self.models
        weights = ones if scheme == "models" else ones * self.drawn
        order = self._order if scheme != "datasets" and statistic == "median" else None
        left_out = []
        if scheme != "datasets":
            left_out.append(summary(self.left_out, ones, statistic))
        if scheme != "models":
            others = dataset_pair_weights(1 - np.eye(self.n_datasets, dtype=np.intp))
            left_out.append(summary(self.observed, ones * others, statistic))
        replicates = summary(r, weights, statistic, order)
        return Resampled(self.estimate(statistic, keep), replicates, left_out)

    @cached_property
    def _order(self) -> Ints:
        return np.argsort(self.models, axis=1)


def interval_over(
    scheme: str,
    resampled: Callable[[str], Resampled],
    n_families: int,
    n_datasets: int,
    confidence: float,
) -> Interval:
    """Return the interval of what ``resampled`` gives for a scheme.

    Over models and data sets at once it is widened to hold those over either alone.
    """
    n_units = {"models": n_families, "datasets": n_datasets}
    known("bootstrap", scheme, SCHEMES)
    which = ("both", "models", "datasets") if scheme == "both" else (scheme,)
    return envelope([make_interval(*resampled(s), confidence, n_units.get(s)) for s in which])
