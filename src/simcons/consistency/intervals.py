"""Bootstrap intervals for consistency: over models, over data sets, and over both.

Pairs are never treated as independent draws: models are drawn by family, with the group sizes held
fixed (strata), and data sets as wholes. A pair's weight is the product of how often its two models
are drawn (node bootstrap, Snijders and Borgatti 1999); drawing models and data sets at once is the
pigeonhole bootstrap of Owen (2007), which errs on the wide side.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simcons.consistency.core import ALL, MIN_PAIRS, Group, category_values, groups, with_measure
from simcons.consistency.limits import (
    Interval,
    availability,
    envelope,
    make_interval,
    summary,
    unavailable,
)
from simcons.consistency.overlap import kept_pairs
from simcons.consistency.pairs import Floats, Ints, Stack, pair_vectors, stack
from simcons.consistency.resample import (
    Units,
    bootstrap_counts,
    dataset_counts,
    dataset_pair_weights,
    families,
    generator,
    jackknife_counts,
    units,
)
from simcons.consistency.weighted import RESAMPLED_METHODS, pair_weights, weighted_correlation
from simcons.core.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

SCHEMES = ("models", "datasets", "both")


@dataclass(frozen=True)
class Replicates:
    """r over all data set pairs: observed, bootstrapped over models, and with one family left out.

    Attributes
    ----------
    observed
        (1, E).
    models
        (B, E).
    jackknife
        (F', E).
    n_datasets
        D.
    n_units
        Number of families in the smaller of the group's two sets.
    """

    observed: Floats
    models: Floats
    jackknife: Floats
    n_datasets: int
    n_units: int

    def interval(
        self,
        scheme: str,
        statistic: str,
        drawn: Floats,
        keep: NDArray[np.bool_],
        confidence: float = 0.95,
        reason: str = "",
    ) -> tuple[float, Interval]:
        """Return the estimate and its interval under a scheme.

        Parameters
        ----------
        scheme
            What is resampled: ``models``, ``datasets`` or ``both``.
        statistic
            ``mean`` or ``median`` over data set pairs.
        drawn
            (B, E) how often each data set pair is drawn.
        keep
            (E,) data set pairs to use (without those that share images, for one).
        confidence
            For example 0.95.
        reason
            If not empty, why there can be no interval.
        """
        if reason:
            ones = keep.astype(np.float64)[None, :]
            return float(summary(self.observed, ones, statistic)[0]), unavailable(reason)
        n_units = {"models": self.n_units, "datasets": self.n_datasets}
        intervals = []
        for which in ("both", "models", "datasets") if scheme == "both" else (scheme,):
            estimate, replicates, jackknives = self.draws(which, statistic, drawn, keep)
            intervals.append(
                make_interval(estimate, replicates, jackknives, confidence, n_units.get(which))
            )
        return estimate, envelope(intervals)

    def draws(
        self, scheme: str, statistic: str, drawn: Floats, keep: NDArray[np.bool_]
    ) -> tuple[float, Floats, list[Floats]]:
        """Return the estimate, its replicates (B,) and the delete-one values per factor."""
        if scheme not in SCHEMES:
            raise UserError(f"unknown bootstrap {scheme!r}; {did_you_mean(scheme, SCHEMES)}")
        ones = keep.astype(np.float64)[None, :]
        estimate = float(summary(self.observed, ones, statistic)[0])
        r = self.observed if scheme == "datasets" else self.models
        weights = ones if scheme == "models" else ones * drawn
        order = self._order if scheme != "datasets" and statistic == "median" else None
        jackknives = []
        if scheme != "datasets":
            jackknives.append(summary(self.jackknife, ones, statistic))
        if scheme != "models":
            left_out = 1 - np.eye(self.n_datasets, dtype=np.intp)
            jackknives.append(
                summary(self.observed, ones * dataset_pair_weights(left_out), statistic)
            )
        return estimate, summary(r, weights, statistic, order), jackknives

    @cached_property
    def _order(self) -> Ints:
        return np.argsort(self.models, axis=1)


@dataclass(frozen=True)
class Sampler:
    """Seeded draws of models (by family, within a category's values) and of data sets.

    All groups of one category share the same draws, so that differences between them are valid.

    Attributes
    ----------
    lined_up
        The similarities.
    table
        Model table indexed by id.
    n
        Number of replicates.
    seed
        Of all draws.
    """

    lined_up: Stack
    table: pd.DataFrame
    n: int
    seed: int
    _within: dict[tuple[str, ...], Replicates] = field(default_factory=dict, compare=False)

    @cached_property
    def family(self) -> Ints:
        """(m,) family numbers."""
        return families(self.lined_up.models, self.table)

    @cached_property
    def datasets(self) -> Floats:
        """(n, E) how often each data set pair is drawn."""
        rng = generator(self.seed, "datasets")
        return dataset_pair_weights(dataset_counts(len(self.lined_up.datasets), self.n, rng))

    def units(self, category: str) -> Units:
        """Return the families, stratified by their value of a category."""
        if category == ALL:
            return units(self.family)
        return units(self.family, category_values(self.lined_up.models, self.table, category))

    def n_families(self, group: Group) -> list[int]:
        """Return how many families each of a group's two sets has."""
        return [len(np.unique(self.family[mask])) for mask in (group.first, group.second)]

    def unavailable(self, *group: Group) -> str:
        """Return why groups get no interval, or an empty string."""
        sizes = [n for g in group for n in self.n_families(g)]
        return availability(sizes, len(self.lined_up.datasets))

    def replicates(self, group: Group, method: str, *, point_only: bool = False) -> Replicates:
        """Return a group's r observed, bootstrapped and with one family left out.

        Those within one value of a category are kept, since contrasts take them again.
        """
        place = (group.category, group.group_1, method)
        if place in self._within and group.group_1 == group.group_2:
            return self._within[place]
        result = self._draw(group, method, point_only)
        if group.group_1 == group.group_2 and group.category != ALL:
            self._within[place] = result
        return result

    def _draw(self, group: Group, method: str, point_only: bool) -> Replicates:
        unit = self.units(group.category)
        pairs = group.pairs
        parts = [np.ones((1, len(self.lined_up.models)), dtype=np.intp)]
        if not point_only:
            parts.append(bootstrap_counts(unit, self.n, generator(self.seed, group.category)))
            parts.append(jackknife_counts(unit, group.first | group.second))
        weights = pair_weights(np.concatenate(parts), unit.family, pairs)
        vectors = pair_vectors(self.lined_up.values, pairs)
        r = weighted_correlation(vectors, weights, method)
        split = 1 if point_only else 1 + self.n
        smaller = min(self.n_families(group))
        return Replicates(r[:1], r[1:split], r[split:], len(self.lined_up.datasets), smaller)


def consistency_intervals(
    similarities: Mapping[str, SimilarityMatrix],
    models: pd.DataFrame,
    categories: Sequence[str],
    methods: Sequence[str] = RESAMPLED_METHODS,
    *,
    statistics: Sequence[str] = ("median", "mean"),
    schemes: Sequence[str] = SCHEMES,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    overlaps: Sequence[Sequence[str]] = (),
    measure: str | None = None,
    sampler: Sampler | None = None,
) -> pd.DataFrame:
    """Return intervals for the consistency of all models and of every category pair.

    Parameters
    ----------
    similarities
        A similarity matrix per data set.
    models
        Model table indexed by id; column ``family`` (optional) names models that differ in the
        seed alone.
    categories
        Columns of ``models``.
    methods
        ``pearson`` and ``spearman``; ``kendall`` is left to point estimates.
    statistics
        What is taken over data set pairs.
    schemes
        What is resampled: ``models``, ``datasets``, ``both``.
    n_bootstrap, confidence, seed
        Replicates, level, and the seed of all draws.
    overlaps
        Sets of data sets that share images: results are given without their pairs too.
    measure
        If given, a column ``measure`` with this value comes first.
    sampler
        Draws to share with `contrasts`; made from the arguments by default.

    Returns
    -------
    DataFrame
        ``[measure,] category, group_1, group_2, method, statistic, scheme, overlapping`` (whether
        data set pairs that share images are in), ``estimate, percentile_low, percentile_high,
        bca_low, bca_high, n_undefined, available, reason, n_families_1, n_families_2, n_pairs,
        n_datasets``. Groups with fewer than three model pairs have no row.
    """
    sampler = sampler or Sampler(stack(similarities), models, n_bootstrap, seed)
    lined_up = sampler.lined_up
    keeps = kept_pairs(lined_up.datasets, overlaps)
    rows = []
    for group in groups(lined_up.models, models, categories):
        if len(group.pairs) < MIN_PAIRS:
            continue
        reason = sampler.unavailable(group)
        sizes = dict(zip(("n_families_1", "n_families_2"), sampler.n_families(group), strict=True))
        sizes |= {"n_pairs": len(group.pairs), "n_datasets": len(lined_up.datasets)}
        for method in methods:
            replicates = sampler.replicates(group, method, point_only=bool(reason))
            for statistic, scheme, overlapping in itertools.product(statistics, schemes, keeps):
                estimate, interval = replicates.interval(
                    scheme, statistic, sampler.datasets, keeps[overlapping], confidence, reason
                )
                what: dict[str, Any] = {"method": method, "statistic": statistic, "scheme": scheme}
                what |= {"overlapping": overlapping, "estimate": estimate}
                rows.append({**group.describe(), **what, **interval.columns(), **sizes})
    return with_measure(pd.DataFrame(rows), measure)
