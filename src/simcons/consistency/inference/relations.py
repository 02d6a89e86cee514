"""Intervals for what goes with similarity: the gap in accuracy, and error consistency.

Model pairs share models: intervals come from drawing models (by family), never pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from simcons.consistency.analysis import DEFAULTS, MIN_PAIRS, Settings
from simcons.consistency.categories import families
from simcons.consistency.correlation import (
    RESAMPLED_METHODS,
    correlation_matrix,
    pair_weights,
    weighted_correlation,
)
from simcons.consistency.limits import Interval, availability, make_interval, unavailable
from simcons.consistency.pairs import Floats, PairIndex
from simcons.consistency.points.performance_gap import ERRORS, gap_pairs, with_agreement
from simcons.consistency.resample import bootstrap_counts, generator, jackknife_counts, units
from simcons.core.errors import UserError

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

_COLUMNS = [
    *("measure", "against", "dataset", "method", "r", "percentile_low", "percentile_high"),
    *("bca_low", "bca_high", "n_undefined", "available", "reason", "n_pairs", "n_left_out"),
    "n_families",
]


def relation_intervals(
    pairs: pd.DataFrame, x: str, y: str, models: pd.DataFrame, settings: Settings = DEFAULTS
) -> pd.DataFrame:
    """Return, per data set, r of two properties of model pairs with a node bootstrap interval.

    Such properties are similarity, the gap in accuracy (`gap_pairs`) and error consistency.

    Parameters
    ----------
    pairs
        Columns ``dataset, model_1, model_2`` and both properties; each pair once. A pair of which
        one property is not a finite number (error consistency is undefined where both models are
        right on every image) is left out on that data set, and counted.
    x, y
        The names of the two columns.
    models
        Model table indexed by id; column ``family`` names models to draw together.
    settings
        Its methods (``kendall`` is given as a point estimate only), ``n_bootstrap``, ``confidence``
        and ``seed``; the same models are drawn on every data set.

    Returns
    -------
    DataFrame
        ``dataset, method, r, percentile_low, percentile_high, bca_low, bca_high, n_undefined,
        available, reason, n_pairs, n_left_out, n_families``. Available with at least six families.

    Raises
    ------
    UserError
        If a data set has fewer than three model pairs, left-out ones counted.
    """
    rows = []
    for dataset, part in pairs.groupby("dataset", sort=True):
        if len(part) < MIN_PAIRS:
            raise UserError(
                f"data set {dataset!r} has {len(part)} model pair(s); "
                f"a correlation needs at least {MIN_PAIRS}"
            )
        vectors = part[[x, y]].to_numpy(dtype=np.float64).T
        kept = np.isfinite(vectors).all(axis=0)
        ids = sorted({*part["model_1"], *part["model_2"]})
        position = pd.Index(ids)
        index = PairIndex(
            *(position.get_indexer(pd.Index(part[c]))[kept] for c in ("model_1", "model_2"))
        )
        unit = units(families(ids, models))
        reason = availability([unit.n_families])
        if len(index) < MIN_PAIRS:
            reason = f"{len(index)} model pair(s) with both values, fewer than {MIN_PAIRS}"
        counts = np.ones((1, len(ids)), dtype=np.intp)
        if not reason:
            drawn = bootstrap_counts(unit, settings.n_bootstrap, generator(settings.seed, "gap"))
            counts = np.concatenate([counts, drawn, jackknife_counts(unit)])
        weights = pair_weights(counts, unit.family, index)
        sizes = {"n_pairs": len(index), "n_left_out": int((~kept).sum())}
        for method in settings.methods:
            r, interval = _estimate(vectors[:, kept], weights, method, settings, reason)
            row: dict[str, Any] = {"dataset": dataset, "method": method, "r": r}
            rows.append({**row, **interval.columns(), **sizes, "n_families": unit.n_families})
    return pd.DataFrame(rows)


def _estimate(
    vectors: Floats, weights: Floats, method: str, settings: Settings, reason: str
) -> tuple[float, Interval]:
    """Return r of two vectors (2, P) and its interval.

    The rows of ``weights`` are those of the data, of B draws and with each of F families left out,
    (1 + B + F, P); of the data alone if there is a reason for no interval.
    """
    if vectors.shape[1] < MIN_PAIRS:
        return np.nan, unavailable(reason)
    if method not in RESAMPLED_METHODS:
        r_only = float(correlation_matrix(vectors, method)[0, 1])
        return r_only, unavailable(f"{method} is given as a point estimate only")
    r = weighted_correlation(vectors, weights, method)[:, 0]
    estimate = float(r[0])
    if reason:
        return estimate, unavailable(reason)
    replicates, left_out = np.split(r[1:], [settings.n_bootstrap])
    interval = make_interval(
        estimate, replicates, [left_out], settings.confidence, n_units=len(left_out)
    )
    return estimate, interval


def relate_performance(
    similarities: Mapping[str, Mapping[str, SimilarityMatrix]],
    accuracies: pd.DataFrame,
    agreement: pd.DataFrame,
    models: pd.DataFrame,
    settings: Settings = DEFAULTS,
) -> pd.DataFrame:
    """Relate similarity, the gap in accuracy and error consistency of model pairs, per data set.

    Parameters
    ----------
    similarities
        Per measure, a similarity matrix per data set.
    accuracies
        As for `gap_pairs`.
    agreement
        Error consistency of every pair on every data set that has any (`with_agreement`); others
        are related to the gap alone.
    models, settings
        As for `relation_intervals`.

    Returns
    -------
    DataFrame
        ``measure, against`` (``gap`` or ``error_consistency``) and the columns of
        `relation_intervals`. Error consistency stands as one more measure against the gap.
    """
    related = []
    for measure, by_dataset in similarities.items():
        pairs = with_agreement(gap_pairs(by_dataset, accuracies), agreement)
        known = pairs[pairs["dataset"].isin(agreement["dataset"])]
        related += [(measure, "similarity", "gap", pairs), (measure, "similarity", ERRORS, known)]
    if related:
        known = pd.concat([pairs for _, _, against, pairs in related if against == ERRORS])
        once = known.drop_duplicates(["dataset", "model_1", "model_2"])
        related.append((ERRORS, ERRORS, "gap", once))
    parts = []
    for measure, x, against, pairs in related:
        if len(pairs):
            table = relation_intervals(pairs, x, against, models, settings)
            table.insert(0, "measure", measure)
            table.insert(1, "against", against)
            parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)
