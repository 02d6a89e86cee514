"""Bootstrap intervals for consistency: over models, over data sets, and over both."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd

from simcons.consistency.analysis import Analysis
from simcons.consistency.bootstrap import SCHEMES, Replicates, interval_over
from simcons.consistency.limits import Interval, unavailable
from simcons.consistency.overlap import kept_pairs
from simcons.consistency.pairs import Mask


def consistency_intervals(
    analysis: Analysis,
    statistics: Sequence[str] = ("median", "mean"),
    schemes: Sequence[str] = SCHEMES,
) -> pd.DataFrame:
    """Return intervals for the consistency of all models and of every category pair.

    Where the settings name data sets that share images, results are given without their pairs too.

    Parameters
    ----------
    analysis
        What is analysed.
    statistics
        What is taken over data set pairs.
    schemes
        What is resampled: ``models``, ``datasets``, ``both``.

    Returns
    -------
    DataFrame
        ``category, group_1, group_2, method, statistic, scheme, overlapping`` (whether data set
        pairs that share images are in), ``estimate, percentile_low, percentile_high, bca_low,
        bca_high, n_undefined, available, reason, n_families_1, n_families_2, n_pairs,
        n_datasets``. Groups with fewer than three model pairs have no row.
    """
    settings = analysis.settings
    keeps = kept_pairs(analysis.datasets, settings.overlaps)
    rows = []
    for group, method in itertools.product(analysis.usable, settings.resampled):
        sizes = dict(zip(("n_families_1", "n_families_2"), analysis.n_families(group), strict=True))
        sizes |= {"n_pairs": len(group.pairs), "n_datasets": len(analysis.datasets)}
        replicates = analysis.replicates(group, method)
        for statistic, scheme, overlapping in itertools.product(statistics, schemes, keeps):
            keep = keeps[overlapping]
            interval = _interval(replicates, scheme, statistic, keep, settings.confidence)
            what: dict[str, Any] = {"method": method, "statistic": statistic, "scheme": scheme}
            what["overlapping"] = overlapping
            what["estimate"] = replicates.estimate(statistic, keep)
            rows.append({**group.names, **what, **interval.columns(), **sizes})
    return pd.DataFrame(rows)


def _interval(
    replicates: Replicates, scheme: str, statistic: str, keep: Mask, confidence: float
) -> Interval:
    if replicates.reason:
        return unavailable(replicates.reason)
    resampled = partial(replicates.resampled, statistic=statistic, keep=keep)
    return interval_over(scheme, resampled, replicates.n_units, replicates.n_datasets, confidence)
