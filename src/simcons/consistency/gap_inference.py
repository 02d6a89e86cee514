"""Intervals for the performance gap against similarity, by domain, and error consistency.

Model pairs share models: intervals come from drawing models (by family), never pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simcons.consistency.core import MIN_PAIRS, quartiles, with_measure
from simcons.consistency.gap import gap_pairs
from simcons.consistency.limits import availability, make_interval, unavailable
from simcons.consistency.pairs import Floats, pair_index, pair_vectors, stack
from simcons.consistency.resample import (
    bootstrap_counts,
    families,
    generator,
    jackknife_counts,
    units,
)
from simcons.consistency.weighted import RESAMPLED_METHODS, pair_weights, weighted_correlation
from simcons.errors import UserError

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix


def gap_intervals(
    similarities: Mapping[str, SimilarityMatrix],
    accuracies: pd.DataFrame,
    models: pd.DataFrame,
    methods: Sequence[str] = RESAMPLED_METHODS,
    *,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    measure: str | None = None,
) -> pd.DataFrame:
    """Return, per data set, r of performance gap and similarity with a node bootstrap interval.

    Parameters
    ----------
    similarities, accuracies
        As for `gap_pairs`.
    models
        Model table indexed by id; column ``family`` names models to draw together.
    methods
        ``pearson``, ``spearman``.
    n_bootstrap, confidence, seed
        Replicates, level, and seed; the same models are drawn on every data set.
    measure
        If given, a column ``measure`` with this value comes first.

    Returns
    -------
    DataFrame
        ``[measure,] dataset, method, r, percentile_low, percentile_high, bca_low, bca_high,
        n_undefined, available, reason, n_pairs, n_families``. Available with at least six families.
    """
    pairs = gap_pairs(similarities, accuracies)
    found = {
        str(name): part["gap"].to_numpy(dtype=np.float64) for name, part in pairs.groupby("dataset")
    }
    return _node_intervals(
        similarities, found, models, methods, n_bootstrap, confidence, seed, measure
    )


def relation_intervals(
    similarities: Mapping[str, SimilarityMatrix],
    others: Mapping[str, SimilarityMatrix],
    models: pd.DataFrame,
    methods: Sequence[str] = RESAMPLED_METHODS,
    *,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    measure: str | None = None,
) -> pd.DataFrame:
    """Return, per data set, r of similarity with another pairwise quantity (error consistency).

    Parameters
    ----------
    similarities, others
        A matrix per data set each, over the same models (in any order).
    models, methods, n_bootstrap, confidence, seed, measure
        As for `gap_intervals`, and so is the result.

    Raises
    ------
    UserError
        If a data set or a model is missing from ``others``.
    """
    found = {}
    for name in sorted(similarities):
        if name not in others:
            raise UserError(f"data set {name!r} has no matrix to compare its similarities with")
        lined_up = stack({name: others[name]}, similarities[name].models)
        everyone = np.ones(len(lined_up.models), dtype=bool)
        found[name] = pair_vectors(lined_up.values, pair_index(everyone, everyone))[0]
    return _node_intervals(
        similarities, found, models, methods, n_bootstrap, confidence, seed, measure
    )


def _node_intervals(
    similarities: Mapping[str, SimilarityMatrix],
    others: Mapping[str, Floats],
    models: pd.DataFrame,
    methods: Sequence[str],
    n_bootstrap: int,
    confidence: float,
    seed: int,
    measure: str | None,
) -> pd.DataFrame:
    rows = []
    for name in sorted(similarities):
        lined_up = stack({name: similarities[name]})
        everyone = np.ones(len(lined_up.models), dtype=bool)
        pairs = pair_index(everyone, everyone)
        if len(pairs) < MIN_PAIRS:
            raise UserError(
                f"data set {name!r} has {len(pairs)} model pair(s); "
                f"a correlation needs at least {MIN_PAIRS}"
            )
        vectors = np.stack([pair_vectors(lined_up.values, pairs)[0], others[name]])
        unit = units(families(lined_up.models, models))
        reason = availability([unit.n_families])
        counts = np.ones((1, len(lined_up.models)), dtype=np.intp)
        if not reason:
            drawn = bootstrap_counts(unit, n_bootstrap, generator(seed, "gap"))
            counts = np.concatenate([counts, drawn, jackknife_counts(unit)])
        weights = pair_weights(counts, unit.family, pairs)
        for method in methods:
            r = weighted_correlation(vectors, weights, method)[:, 0]
            interval = (
                unavailable(reason)
                if reason
                else make_interval(
                    float(r[0]),
                    r[1 : n_bootstrap + 1],
                    [r[n_bootstrap + 1 :]],
                    confidence,
                    unit.n_families,
                )
            )
            row: dict[str, Any] = {"dataset": name, "method": method, "r": float(r[0])}
            size = {"n_pairs": len(pairs), "n_families": unit.n_families}
            rows.append({**row, **interval.columns(), **size})
    return with_measure(pd.DataFrame(rows), measure)


def gap_by_domain(table: pd.DataFrame, domains: Mapping[str, str]) -> pd.DataFrame:
    """Return the quartiles over the data sets of a domain of r (`performance_gap`).

    Returns
    -------
    DataFrame
        ``[measure,] domain, method, median, q1, q3, n_datasets, n_undefined``.

    Raises
    ------
    UserError
        If a data set has no domain.
    """
    missing = sorted(set(table["dataset"]) - set(domains))
    if missing:
        raise UserError(f"no domain is known for the data set(s) {', '.join(missing)}")
    data = table.assign(domain=table["dataset"].map(dict(domains)))
    names = [*(["measure"] if "measure" in table.columns else []), "domain", "method"]
    rows = [
        {**dict(zip(names, place, strict=True)), **quartiles(part["r"], "n_datasets")}
        for place, part in data.groupby(names, sort=True)
    ]
    return pd.DataFrame(rows)


def error_consistency(correct: NDArray[np.bool_]) -> Floats:
    """Return Cohen's kappa of every two models' errors (Geirhos, Meding and Wichmann 2020).

    (observed - expected) / (1 - expected) agreement in being right or wrong, where independent
    models of these accuracies would be expected to agree on p_i p_j + (1 - p_i)(1 - p_j).

    Parameters
    ----------
    correct
        (m, n) whether model i is right on image k.

    Returns
    -------
    (m, m) float64, diagonal 1; NaN where both models are always right or always wrong.
    """
    right = correct.astype(np.float64)
    wrong = 1.0 - right
    n_images = correct.shape[1]
    observed = (right @ right.T + wrong @ wrong.T) / n_images
    p = right.mean(axis=1)
    expected = np.outer(p, p) + np.outer(1 - p, 1 - p)
    room = 1.0 - expected
    kappa = np.full_like(observed, np.nan)
    np.divide(observed - expected, room, out=kappa, where=room > 1e-12)
    np.fill_diagonal(kappa, 1.0)
    return kappa
