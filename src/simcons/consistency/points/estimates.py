"""Consistency: how well similarities on one data set tell those on another.

For model sets A and B and a data set D, s(D) is the vector of similarities over the unordered
pairs {a in A, b in B, a != b}; the consistency between D1 and D2 is the correlation of s(D1) with
s(D2) (Ciernik et al. 2025, section 3).
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from simcons.consistency.analysis import MIN_PAIRS, Analysis, Group
from simcons.consistency.correlation import check_method, correlation_matrix, is_constant
from simcons.consistency.pairs import Floats, membership, pair_index, pair_vectors
from simcons.core.errors import UserError

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

_COLUMNS = ["category", "group_1", "group_2", "method", "dataset_1", "dataset_2", "r", "n_pairs"]
_LEFT_OUT_COLUMNS = [
    *("category", "group_1", "group_2", "n_models_1", "n_models_2", "n_pairs", "reason")
]
_ANCHOR_COLUMNS = ["anchor", "method", "dataset_1", "dataset_2", "r", "n_pairs"]


def consistency(
    similarities: Mapping[str, SimilarityMatrix],
    first: Iterable[str] | None = None,
    second: Iterable[str] | None = None,
    method: str = "pearson",
) -> pd.DataFrame:
    """Return the consistency of two model sets between all pairs of data sets.

    Parameters
    ----------
    similarities
        A similarity matrix per data set.
    first, second
        Model ids of the two sets (None: all models); they may overlap. Pairs are unordered and
        unique, a model is never paired with itself.
    method
        ``pearson``, ``spearman`` or ``kendall``.

    Returns
    -------
    DataFrame
        A row per data set pair: ``dataset_1, dataset_2, r, n_pairs``, sorted. r is NaN, with a
        warning that names the data set, where the similarities do not vary.

    Raises
    ------
    UserError
        With fewer than two data sets or three model pairs, an unknown method, or a model that is
        missing from a data set.
    """
    check_method(method)
    one, two = (None if s is None else list(s) for s in (first, second))
    wanted = None if one is None or two is None else [*one, *two]
    return _between(Analysis.of(similarities, models=wanted), one, two, method)


def _between(
    analysis: Analysis, first: Iterable[str] | None, second: Iterable[str] | None, method: str
) -> pd.DataFrame:
    """Return the consistency of two sets of models of an analysis."""
    need_two_datasets(analysis)
    pairs = pair_index(*(membership(analysis.models, s) for s in (first, second)))
    if len(pairs) < MIN_PAIRS:
        raise UserError(
            f"consistency: the two model sets have {len(pairs)} model pair(s); "
            f"a correlation needs at least {MIN_PAIRS}"
        )
    vectors = pair_vectors(analysis.values, pairs)
    if reason := _constant_reason(analysis.datasets, vectors):
        warnings.warn(f"r is undefined: {reason}", stacklevel=3)
    r = correlation_matrix(vectors, method)[analysis.dataset_pairs]
    return analysis.by_dataset_pair({}, {"r": r, "n_pairs": len(pairs)})


def by_category(analysis: Analysis) -> pd.DataFrame:
    """Return the consistency for all models and for every pair of values of each category.

    Returns
    -------
    DataFrame
        ``category, group_1, group_2, method, dataset_1, dataset_2, r, n_pairs``; r is NaN where it
        is undefined (and then listed by `left_out`).

    Raises
    ------
    UserError
        For an unknown category, a model that is not in the table, or a single data set.
    """
    need_two_datasets(analysis)
    parts = []
    for group in analysis.groups:
        if len(group.pairs) < analysis.settings.min_pairs:
            continue
        vectors = analysis.vectors(group)
        for method in analysis.settings.methods:
            r = correlation_matrix(vectors, method)[analysis.dataset_pairs]
            columns = {"r": r, "n_pairs": len(group.pairs)}
            parts.append(analysis.by_dataset_pair({**group.names, "method": method}, columns))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)


def left_out(analysis: Analysis) -> pd.DataFrame:
    """Return what `by_category` has no r of, and why.

    Returns
    -------
    DataFrame
        ``category, group_1, group_2, n_models_1, n_models_2, n_pairs, reason``: models without a
        value, groups with too few pairs, and groups whose similarities do not vary on a data set.
    """
    rows: list[dict[str, Any]] = []
    for category in analysis.settings.categories:
        labels = zip(analysis.models, analysis.labels(category), strict=True)
        if without := [model for model, label in labels if label is None]:
            sizes = {"n_models_1": len(without), "n_models_2": len(without), "n_pairs": 0}
            reason = f"no value of {category}: {', '.join(without)}"
            names = {"category": category, "group_1": "", "group_2": ""}
            rows.append({**names, **sizes, "reason": reason})
    for group in analysis.groups:
        if reason := _why_undefined(analysis, group):
            sizes = {"n_models_1": int(group.first.sum()), "n_models_2": int(group.second.sum())}
            sizes["n_pairs"] = len(group.pairs)
            rows.append({**group.names, **sizes, "reason": reason})
    return pd.DataFrame(rows, columns=_LEFT_OUT_COLUMNS)


def _why_undefined(analysis: Analysis, group: Group) -> str:
    if len(group.pairs) < analysis.settings.min_pairs:
        return f"{len(group.pairs)} model pair(s), fewer than {analysis.settings.min_pairs}"
    return _constant_reason(analysis.datasets, analysis.vectors(group))


def by_anchor(analysis: Analysis) -> pd.DataFrame:
    """Return the consistency of each anchor model's similarities to all other models.

    Returns
    -------
    DataFrame
        ``anchor, method, dataset_1, dataset_2, r, n_pairs``, in the order of the settings' anchors.

    Raises
    ------
    UserError
        For an anchor without similarities, or fewer than three other models.
    """
    parts = [
        _between(analysis, [anchor], None, method).assign(anchor=anchor, method=method)
        for anchor, method in itertools.product(
            analysis.settings.anchors, analysis.settings.methods
        )
    ]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_ANCHOR_COLUMNS)
    return table[_ANCHOR_COLUMNS]


def need_two_datasets(analysis: Analysis) -> None:
    """Refuse an analysis of one data set alone."""
    if len(analysis.datasets) < 2:
        raise UserError(
            f"consistency needs at least two data sets, got {', '.join(analysis.datasets)} alone"
        )


def _constant_reason(datasets: Sequence[str], vectors: Floats) -> str:
    """Say on which data sets the similarities (D, P) do not vary; an empty string if on none."""
    constant = [d for d, flag in zip(datasets, is_constant(vectors), strict=True) if flag]
    names = ", ".join(constant)
    return f"the similarities of all model pairs are equal on {names}" if constant else ""
