"""Partial consistency: what is left of it with another property of the models held fixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from simcons.consistency.analysis import MIN_PAIRS, Analysis
from simcons.consistency.correlation import rank_rows, standardise
from simcons.consistency.pairs import Floats, PairIndex

# What regression leaves of a vector below this share of its length is rounding.
_NOTHING_LEFT = 1e-10


def partial_consistency(analysis: Analysis) -> pd.DataFrame:
    """Return the consistency with properties of the models held fixed (partial correlation).

    Both similarity vectors (Spearman: their ranks) are regressed on covariates of the model pair,
    and the residuals correlated. The settings name the properties (``given``). A numeric one
    (``params``) gives the difference and the sum of the two models' logarithms if positive, else of
    their values; any other gives an indicator per unordered pair of values, missing ones being a
    value of their own.

    Returns
    -------
    DataFrame
        ``category, group_1, group_2, method, given, dataset_1, dataset_2, r_partial, n_pairs,
        n_covariates``; NaN where the covariates leave nothing, or fewer than three degrees of
        freedom.
    """
    parts = []
    for group in analysis.usable:
        vectors = analysis.vectors(group)
        covariates = pair_covariates(analysis, group.pairs)
        for method in analysis.settings.resampled:
            given = ", ".join(analysis.settings.given)
            names = {**group.names, "method": method, "given": given}
            r = partial_correlation(vectors, covariates, method)[analysis.dataset_pairs]
            columns: dict[str, Any] = {"r_partial": r, "n_pairs": len(group.pairs)}
            columns["n_covariates"] = covariates.shape[1]
            parts.append(analysis.by_dataset_pair(names, columns))
    return pd.concat(parts, ignore_index=True)


def pair_covariates(analysis: Analysis, pairs: PairIndex) -> Floats:
    """Return covariates (P, k) of model pairs, without a constant column."""
    columns: list[Floats] = []
    for name in analysis.settings.given:
        labels = analysis.labels(name)
        column = analysis.table.loc[analysis.models, name]
        if pd.api.types.is_numeric_dtype(column) and column.notna().all():
            value = column.to_numpy(dtype=np.float64)
            value = np.log(value) if (value > 0).all() else value
            columns.append(np.abs(value[pairs.left] - value[pairs.right]))
            columns.append(value[pairs.left] + value[pairs.right])
            continue
        both = [
            " & ".join(sorted((str(labels[i]), str(labels[j]))))
            for i, j in zip(pairs.left, pairs.right, strict=True)
        ]
        columns += [np.array([b == v for b in both], dtype=np.float64) for v in sorted(set(both))]
    return np.stack(columns, axis=1) if columns else np.empty((len(pairs), 0))


def partial_correlation(vectors: Floats, covariates: Floats, method: str = "pearson") -> Floats:
    """Return the correlations (D, D) of what covariates (P, k) leave of vectors (D, P)."""
    data, controls = vectors, covariates
    if method == "spearman":
        data = rank_rows(vectors)
        controls = rank_rows(covariates.T).T if covariates.shape[1] else covariates
    data = data - data.mean(axis=1, keepdims=True)
    residual = data - data @ (basis := orthogonal_basis(controls)) @ basis.T
    if len(controls) - basis.shape[1] < MIN_PAIRS:
        return np.full((len(vectors), len(vectors)), np.nan)
    lost = np.linalg.norm(residual, axis=1) <= _NOTHING_LEFT * np.linalg.norm(data, axis=1)
    residual[lost] = 0.0
    unit = standardise(residual)
    return np.clip(unit @ unit.T, -1.0, 1.0)


def orthogonal_basis(columns: Floats) -> Floats:
    """Return an orthonormal basis (P, rank) of the columns and a constant."""
    design = np.column_stack([np.ones(len(columns)), columns])
    size = np.linalg.norm(design, axis=0)
    left, singular, _ = np.linalg.svd(design / np.where(size > 0, size, 1.0), full_matrices=False)
    return left[:, singular > _NOTHING_LEFT * singular[0]]
