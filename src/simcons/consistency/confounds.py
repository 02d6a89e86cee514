"""Confounds: categories overlap, so that a difference between groups has more than one reading.

Which categories go together, contrasts within strata in which both groups exist, and consistency
with another property of the models held fixed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simcons.consistency.core import (
    MIN_PAIRS,
    category_values,
    dataset_pairs,
    groups,
    with_measure,
)
from simcons.consistency.correlation import rank_rows, standardise
from simcons.consistency.intervals import Sampler
from simcons.consistency.pairs import Floats, PairIndex, pair_vectors, stack
from simcons.consistency.permutation import difference_under, holm, label_test
from simcons.consistency.resample import families, generator, relabel
from simcons.consistency.weighted import RESAMPLED_METHODS

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

_NONE = "(none)"
# What regression leaves of a vector below this share of its length is rounding.
_NOTHING_LEFT = 1e-10
_STRATIFIED_COLUMNS = [
    *("category", "group_1", "group_2", "stratum", "n_models_1", "n_models_2", "method"),
    *("statistic", "estimate_1", "estimate_2", "difference", "p_permutation", "smallest_p"),
    "reason",
]


def overlap_table(models: pd.DataFrame, categories: Sequence[str]) -> pd.DataFrame:
    """Return how many models have each combination of values of two categories.

    Returns
    -------
    DataFrame
        ``category_1, value_1, category_2, value_2, n_models, n_families, cramers_v``: every
        combination, empty ones too; a missing value is ``(none)``. Cramer's V (Cramer 1946) of the
        two categories runs from 0 (unrelated) to 1 (one tells the other).
    """
    ids = [str(model) for model in models.index]
    family = families(ids, models)
    rows = []
    for one, two in itertools.combinations(categories, 2):
        x, y = (
            np.array([_NONE if v is None else v for v in category_values(ids, models, c)])
            for c in (one, two)
        )
        strength = _cramers_v(pd.crosstab(x, y).to_numpy())
        for a, b in itertools.product(sorted(set(x)), sorted(set(y))):
            inside = (x == a) & (y == b)
            n_families = len(np.unique(family[inside]))
            rows.append((one, a, two, b, int(inside.sum()), n_families, strength))
    columns = ["category_1", "value_1", "category_2", "value_2", "n_models", "n_families"]
    return pd.DataFrame(rows, columns=[*columns, "cramers_v"])


def _cramers_v(counts: NDArray[np.int_]) -> float:
    """Return Cramer's V of a contingency table; NaN if either category has one value."""
    smaller = min(counts.shape) - 1
    if smaller == 0:
        return np.nan
    total = counts.sum()
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    return float(np.sqrt(np.sum((counts - expected) ** 2 / expected) / total / smaller))


def stratified_contrasts(
    similarities: Mapping[str, SimilarityMatrix],
    models: pd.DataFrame,
    category: str,
    strata: Sequence[str],
    methods: Sequence[str] = RESAMPLED_METHODS,
    *,
    statistic: str = "mean",
    n_permutations: int = 2000,
    seed: int = 0,
    measure: str | None = None,
) -> pd.DataFrame:
    """Compare two values of a category among models that are alike in other categories.

    Parameters
    ----------
    similarities, models
        As for `by_category`.
    category
        What is contrasted, for example ``objective``.
    strata
        What is held fixed, for example ``train_data_class`` and ``architecture_class``.
    methods, statistic, n_permutations, seed, measure
        As for `contrasts`.

    Returns
    -------
    DataFrame
        A row per two values, stratum and method: ``[measure,] category, group_1, group_2, stratum,
        n_models_1, n_models_2, method, statistic, estimate_1, estimate_2, difference,
        p_permutation, smallest_p, p_holm, reason``. Where one of the groups has fewer than three
        models in the stratum there is no contrast, and ``reason`` says so; two values that meet in
        no stratum have one row with the stratum ``(none)``.
    """
    lined_up = stack(similarities)
    sampler = Sampler(lined_up, models, 0, seed)
    cells = _cells(lined_up.models, models, strata)
    values = [g for g in groups(lined_up.models, models, [category]) if g.group_1 == g.group_2]
    rows: list[dict[str, Any]] = []
    for a, b in itertools.combinations([g for g in values if g.category == category], 2):
        names: dict[str, Any] = {"category": category, "group_1": a.group_1, "group_2": b.group_1}
        before = len(rows)
        for cell, inside in cells.items():
            first, second = a.first & inside, b.first & inside
            if not first.any() or not second.any():
                continue
            sizes = {"n_models_1": int(first.sum()), "n_models_2": int(second.sum())}
            for method in methods:
                row = {**names, "stratum": cell, **sizes, "method": method, "statistic": statistic}
                row |= _contrast_in(sampler, first, second, method, statistic, n_permutations)
                rows.append(row)
        if len(rows) == before:
            row = {"stratum": _NONE, "n_models_1": 0, "n_models_2": 0, "statistic": statistic}
            reason = f"no {' and '.join(strata)} has models of both groups"
            rows += [{**names, **row, "method": m, **_nothing(reason)} for m in methods]
    table = pd.DataFrame(rows, columns=_STRATIFIED_COLUMNS)
    by_method = table.groupby("method", sort=False)["p_permutation"]
    table["p_holm"] = by_method.transform(lambda p: holm(p.to_numpy()))
    return with_measure(table, measure)


def _contrast_in(
    sampler: Sampler,
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    method: str,
    statistic: str,
    n_permutations: int,
) -> dict[str, Any]:
    """Return the difference within one stratum and its permutation p value."""
    fewest = min(int(first.sum()), int(second.sum()))
    if fewest < MIN_PAIRS:  # 3 models make 3 pairs
        return _nothing(f"{fewest} model(s) of a group in this stratum, fewer than {MIN_PAIRS}")
    rng = generator(sampler.seed, "stratum", first.tobytes(), second.tobytes())
    labels = relabel(sampler.family, first, second, n_permutations, rng)
    values, estimates = difference_under(sampler, first | second, labels, method, statistic)
    return {
        "estimate_1": estimates[0],
        "estimate_2": estimates[1],
        "difference": values[0],
        **label_test(values, labels),
        "reason": "",
    }


def _nothing(reason: str) -> dict[str, Any]:
    names = ("estimate_1", "estimate_2", "difference", "p_permutation", "smallest_p")
    return {**dict.fromkeys(names, np.nan), "reason": reason}


def _cells(
    models: list[str], table: pd.DataFrame, strata: Sequence[str]
) -> dict[str, NDArray[np.bool_]]:
    """Return a mask (m,) per combination of values; models that lack a value are in none."""
    columns = [category_values(models, table, name) for name in strata]
    names = [
        None if None in labels else " / ".join(map(str, labels))
        for labels in zip(*columns, strict=True)
    ]
    found = sorted({name for name in names if name is not None})
    return {name: np.array([n == name for n in names], dtype=bool) for name in found}


def partial_consistency(
    similarities: Mapping[str, SimilarityMatrix],
    models: pd.DataFrame,
    categories: Sequence[str],
    given: Sequence[str],
    methods: Sequence[str] = RESAMPLED_METHODS,
    *,
    measure: str | None = None,
) -> pd.DataFrame:
    """Return the consistency with properties of the models held fixed (partial correlation).

    Both similarity vectors (Spearman: their ranks) are regressed on covariates of the model pair,
    and the residuals correlated. A numeric property (``params``) gives the difference and the sum
    of the two models' logarithms if positive, else of their values; any other gives an indicator
    per unordered pair of values, missing ones being a value of their own.

    Parameters
    ----------
    similarities, models, categories, methods, measure
        As for `by_category`.
    given
        Columns of ``models``, for example ``size_class``.

    Returns
    -------
    DataFrame
        ``[measure,] category, group_1, group_2, method, given, dataset_1, dataset_2, r_partial,
        n_pairs, n_covariates``; NaN where the covariates leave nothing, or fewer than three degrees
        of freedom.
    """
    lined_up = stack(similarities)
    one, two = dataset_pairs(lined_up.datasets)
    names = np.array(lined_up.datasets, dtype=object)
    parts = []
    for group in groups(lined_up.models, models, categories):
        pairs = group.pairs
        if len(pairs) < MIN_PAIRS:
            continue
        vectors = pair_vectors(lined_up.values, pairs)
        covariates = pair_covariates(lined_up.models, models, given, pairs)
        for method in methods:
            data: dict[str, Any] = {**group.describe(), "method": method, "given": ", ".join(given)}
            data |= {"dataset_1": names[one], "dataset_2": names[two]}
            data["r_partial"] = partial_correlation(vectors, covariates, method)[one, two]
            size = {"n_pairs": len(pairs), "n_covariates": covariates.shape[1]}
            parts.append(pd.DataFrame({**data, **size}))
    return with_measure(pd.concat(parts, ignore_index=True), measure)


def pair_covariates(
    models: list[str], table: pd.DataFrame, given: Sequence[str], pairs: PairIndex
) -> Floats:
    """Return covariates (P, k) of model pairs, without a constant column."""
    columns: list[Floats] = []
    for name in given:
        labels = category_values(models, table, name)
        column = table.loc[models, name]
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
