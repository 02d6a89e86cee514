"""Categories that overlap: a difference between groups then has more than one reading.

Which categories go together, and contrasts within strata in which both groups exist.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats.contingency import association

from simcons.consistency.analysis import MIN_PAIRS, Analysis
from simcons.consistency.categories import category_values, families
from simcons.consistency.inference.contrasts import difference_under, label_test
from simcons.consistency.inference.permutation import holm
from simcons.consistency.pairs import Mask
from simcons.consistency.resample import generator, relabel

_NONE = "(none)"
_OVERLAP_COLUMNS = [
    *("category_1", "value_1", "category_2", "value_2", "n_models", "n_families", "cramers_v")
]
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
        two categories runs from 0 (unrelated) to 1 (one tells the other); NaN if either has one
        value.
    """
    ids = [str(model) for model in models.index]
    family = families(ids, models)
    rows = []
    for one, two in itertools.combinations(categories, 2):
        x, y = (
            np.array([_NONE if v is None else v for v in category_values(ids, models, c)])
            for c in (one, two)
        )
        counts = pd.crosstab(x, y).to_numpy()
        strength = association(counts) if min(counts.shape) > 1 else np.nan
        for a, b in itertools.product(sorted(set(x)), sorted(set(y))):
            inside = (x == a) & (y == b)
            n_families = len(np.unique(family[inside]))
            rows.append((one, a, two, b, int(inside.sum()), n_families, strength))
    return pd.DataFrame(rows, columns=_OVERLAP_COLUMNS)


def stratified_contrasts(analysis: Analysis, statistic: str = "mean") -> pd.DataFrame:
    """Compare two values of a category among models that are alike in other categories.

    The settings name what is contrasted (``contrast``, for example ``objective``) and what is held
    fixed (``strata``, for example ``train_data_class`` and ``architecture_class``).

    Parameters
    ----------
    analysis
        What is analysed.
    statistic
        ``mean`` or ``median`` of r over data set pairs.

    Returns
    -------
    DataFrame
        A row per two values, stratum and method: ``category, group_1, group_2, stratum,
        n_models_1, n_models_2, method, statistic, estimate_1, estimate_2, difference,
        p_permutation, smallest_p, reason, p_holm``. Where one of the groups has fewer than three
        models in the stratum there is no contrast, and ``reason`` says so; two values that meet in
        no stratum have one row with the stratum ``(none)``.
    """
    settings = analysis.settings
    category = str(settings.contrast)
    cells = _cells(analysis)
    rows: list[dict[str, Any]] = []
    for (a, of_a), (b, of_b) in itertools.combinations(analysis.masks(category).items(), 2):
        names = {"category": category, "group_1": a, "group_2": b, "statistic": statistic}
        both = {cell: (of_a & inside, of_b & inside) for cell, inside in cells.items()}
        both = {cell: (x, y) for cell, (x, y) in both.items() if x.any() and y.any()}
        for cell, (first, second) in both.items():
            sizes = {"n_models_1": int(first.sum()), "n_models_2": int(second.sum())}
            for method in settings.resampled:
                row = {**names, "stratum": cell, **sizes, "method": method}
                rows.append(row | _contrast_in(analysis, first, second, method, statistic))
        if not both:
            row = {**names, "stratum": _NONE, "n_models_1": 0, "n_models_2": 0}
            row["reason"] = f"no {' and '.join(settings.strata)} has models of both groups"
            rows += [{**row, "method": method} for method in settings.resampled]
    table = pd.DataFrame(rows, columns=_STRATIFIED_COLUMNS)
    by_method = table.groupby("method", sort=False)["p_permutation"]
    table["p_holm"] = by_method.transform(lambda p: holm(p.to_numpy()))
    return table


def _contrast_in(
    analysis: Analysis, first: Mask, second: Mask, method: str, statistic: str
) -> dict[str, Any]:
    """Return the difference within one stratum and its p value, or why there is none."""
    fewest = min(int(first.sum()), int(second.sum()))
    if fewest < MIN_PAIRS:  # 3 models make 3 pairs
        return {"reason": f"{fewest} model(s) of a group in this stratum, fewer than {MIN_PAIRS}"}
    settings = analysis.settings
    rng = generator(settings.seed, "stratum", first.tobytes(), second.tobytes())
    labels = relabel(analysis.family, first, second, settings.n_permutations, rng)
    values, estimates = difference_under(analysis, first | second, labels, method, statistic)
    row = {"estimate_1": estimates[0], "estimate_2": estimates[1], "difference": values[0]}
    return {**row, **label_test(values, labels), "reason": ""}


def _cells(analysis: Analysis) -> dict[str, Mask]:
    """Return a mask (m,) per combination of the strata's values; without a value, in none."""
    columns = [analysis.labels(name) for name in analysis.settings.strata]
    names = [
        None if None in labels else " / ".join(map(str, labels))
        for labels in zip(*columns, strict=True)
    ]
    found = sorted({name for name in names if name is not None})
    return {name: np.array([n == name for n in names], dtype=bool) for name in found}
