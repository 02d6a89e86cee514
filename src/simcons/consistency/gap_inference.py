"""Intervals for what goes with similarity: the gap in accuracy, error consistency; by domain.

Model pairs share models: intervals come from drawing models (by family), never pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from simcons.consistency.core import MIN_PAIRS, key, quartiles
from simcons.consistency.correlation import correlation_matrix
from simcons.consistency.gap import gap_pairs, summarise_gap
from simcons.consistency.limits import Interval, availability, make_interval, unavailable
from simcons.consistency.pairs import Floats, PairIndex
from simcons.consistency.resample import (
    bootstrap_counts,
    families,
    generator,
    jackknife_counts,
    units,
)
from simcons.consistency.weighted import RESAMPLED_METHODS, pair_weights, weighted_correlation
from simcons.core.errors import UserError

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

ERRORS = "error_consistency"
AGAINST = ("gap", ERRORS)
_RELATION_COLUMNS = [
    *("dataset", "method", "r", "percentile_low", "percentile_high", "bca_low", "bca_high"),
    *("n_undefined", "available", "reason", "n_pairs", "n_left_out", "n_families"),
]


def relation_intervals(
    pairs: pd.DataFrame,
    x: str,
    y: str,
    models: pd.DataFrame,
    methods: Sequence[str] = RESAMPLED_METHODS,
    *,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
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
    methods
        ``pearson``, ``spearman``.
    n_bootstrap, confidence, seed
        Replicates, level, and seed; the same models are drawn on every data set.

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
            drawn = bootstrap_counts(unit, n_bootstrap, generator(seed, "gap"))
            counts = np.concatenate([counts, drawn, jackknife_counts(unit)])
        weights = pair_weights(counts, unit.family, index)
        sizes = {"n_pairs": len(index), "n_left_out": int((~kept).sum())}
        for method in methods:
            r, interval = _estimate(
                vectors[:, kept], weights, method, n_bootstrap, confidence, unit.n_families, reason
            )
            row: dict[str, Any] = {"dataset": dataset, "method": method, "r": r}
            rows.append({**row, **interval.columns(), **sizes, "n_families": unit.n_families})
    return pd.DataFrame(rows)


def _estimate(
    vectors: Floats,
    weights: Floats,
    method: str,
    n_bootstrap: int,
    confidence: float,
    n_families: int,
    reason: str,
) -> tuple[float, Interval]:
    """Return r of two vectors (2, P) and its interval from the rows of weights (1 + B + F, P)."""
    if vectors.shape[1] < MIN_PAIRS:
        return np.nan, unavailable(reason)
    if method not in RESAMPLED_METHODS:
        r_only = float(correlation_matrix(vectors, method)[0, 1])
        return r_only, unavailable(f"{method} is given as a point estimate only")
    r = weighted_correlation(vectors, weights, method)[:, 0]
    if reason:
        return float(r[0]), unavailable(reason)
    replicates, left_out = r[1 : n_bootstrap + 1], r[n_bootstrap + 1 :]
    return float(r[0]), make_interval(float(r[0]), replicates, [left_out], confidence, n_families)


def relate_performance(
    similarities: Mapping[str, Mapping[str, SimilarityMatrix]],
    accuracies: pd.DataFrame,
    agreement: pd.DataFrame,
    models: pd.DataFrame,
    methods: Sequence[str] = RESAMPLED_METHODS,
    *,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
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
    models, methods, n_bootstrap, confidence, seed
        As for `relation_intervals`; ``kendall`` is given as a point estimate only.

    Returns
    -------
    DataFrame
        ``measure, against`` (``gap`` or ``error_consistency``) and the columns of
        `relation_intervals`. Error consistency stands as one more measure against the gap.
    """
    options: dict[str, Any] = {"n_bootstrap": n_bootstrap, "confidence": confidence, "seed": seed}
    parts = [("", "", pd.DataFrame(columns=_RELATION_COLUMNS))]
    measured: list[pd.DataFrame] = []
    for measure, by_dataset in similarities.items():
        pairs = with_agreement(gap_pairs(by_dataset, accuracies), agreement)
        known = pairs[pairs["dataset"].isin(agreement["dataset"])]
        for against, rows in zip(AGAINST, (pairs, known), strict=True):
            if len(rows):
                table = relation_intervals(rows, "similarity", against, models, methods, **options)
                parts.append((measure, against, table))
        measured.append(known)
    if measured and len(everything := pd.concat(measured)):
        once = everything.drop_duplicates(["dataset", "model_1", "model_2"])
        table = relation_intervals(once, ERRORS, "gap", models, methods, **options)
        parts.append((ERRORS, "gap", table))
    for measure, against, table in parts:
        table.insert(0, "measure", measure)
        table.insert(1, "against", against)
    return pd.concat([table for _, _, table in parts[1:] or parts], ignore_index=True)


def with_agreement(pairs: pd.DataFrame, agreement: pd.DataFrame) -> pd.DataFrame:
    """Return `gap_pairs` with a column ``error_consistency``.

    Parameters
    ----------
    pairs
        Columns ``dataset, model_1, model_2`` at least.
    agreement
        Columns ``dataset, model_1, model_2, value``; NaN where it is undefined. It may hold further
        data sets and models; a data set without any row has none (NaN).

    Raises
    ------
    UserError
        If a pair of a data set that is in ``agreement`` has no row there.
    """
    keys = ["dataset", "model_1", "model_2"]
    values = agreement[[*keys, "value"]].rename(columns={"value": ERRORS})
    both = pairs.merge(values, on=keys, how="left", validate="m:1", indicator=True)
    known = both["dataset"].isin(agreement["dataset"])
    lacking = both[known & (both["_merge"] != "both")]
    if len(lacking):
        first = lacking.iloc[0]
        raise UserError(
            f"data set {first['dataset']!r} has no error consistency of {first['model_1']!r} and "
            f"{first['model_2']!r}; rerun its probe stage"
        )
    return both.drop(columns="_merge")


def summarise_relations(table: pd.DataFrame) -> dict[str, Any]:
    """Return the digest of `relate_performance` for ``metrics/performance_gap_datasets.json``.

    Returns
    -------
    dict
        ``{against: {measure: ...}}`` as of `summarise_gap`.
    """
    return {
        str(against): summarise_gap(part) for against, part in table.groupby("against", sort=True)
    }


def relation_headline(summary: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return the few numbers of ``metrics/performance_gap.json``, by which runs are compared.

    Parameters
    ----------
    summary
        The digest of `summarise_relations`.
    method
        The correlation to take; the study's first.

    Returns
    -------
    dict
        ``{against: {measure: r}}``: the median over data sets, of one method.
    """
    return {
        against: {measure: digest[key(method)]["median"] for measure, digest in by_measure.items()}
        for against, by_measure in summary.items()
    }


def gap_by_domain(table: pd.DataFrame, domains: Mapping[str, str]) -> pd.DataFrame:
    """Return the quartiles of r over the data sets of each domain, from `relate_performance`.

    Returns
    -------
    DataFrame
        ``measure, against, method, domain, median, q1, q3, n_datasets, n_undefined``.

    Raises
    ------
    UserError
        If a data set has no domain.
    """
    missing = sorted(set(table["dataset"]) - set(domains))
    if missing:
        raise UserError(f"no domain is known for the data set(s) {', '.join(missing)}")
    names = ["measure", "against", "method", "domain"]
    data = table.assign(domain=table["dataset"].map(dict(domains)))
    return pd.DataFrame(
        [
            {**dict(zip(names, place, strict=True)), **quartiles(part["r"], "n_datasets")}
            for place, part in data.groupby(names, sort=True)
        ]
    )
