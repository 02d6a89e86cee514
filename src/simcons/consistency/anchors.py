"""Single anchor models: is one model's similarity to all others consistent over data sets?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import ranksums

from simcons.consistency.core import consistency, with_measure

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix


def by_anchor(
    similarities: Mapping[str, SimilarityMatrix],
    anchors: Sequence[str],
    methods: Sequence[str] = ("pearson", "spearman"),
    *,
    measure: str | None = None,
) -> pd.DataFrame:
    """Return the consistency of each anchor's similarities to all other models.

    Returns
    -------
    DataFrame
        ``[measure,] anchor, method, dataset_1, dataset_2, r, n_pairs``, in the order of
        ``anchors``.

    Raises
    ------
    UserError
        For an anchor without similarities, or fewer than three other models.
    """
    parts = [
        consistency(similarities, [anchor], None, method).assign(anchor=anchor, method=method)
        for anchor in anchors
        for method in methods
    ]
    names = ["anchor", "method", "dataset_1", "dataset_2", "r", "n_pairs"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)
    return with_measure(table[names].copy(), measure)


def anchor_rank_sums(table: pd.DataFrame) -> pd.DataFrame:
    """Return the paper's rank-sum test between every two anchors, Bonferroni-corrected.

    Data set pairs share data sets, so that they are not the independent draws that the test
    assumes, and its p values are too small: ``assumes_independence`` says so in every row.

    Parameters
    ----------
    table
        Result of `by_anchor`, of one measure.

    Returns
    -------
    DataFrame
        ``method, anchor_1, anchor_2, median_1, median_2, p, p_bonferroni, assumes_independence``;
        the correction is over the anchor pairs of a method.
    """
    rows: list[dict[str, Any]] = []
    for method, part in table.groupby("method", sort=False):
        values = {name: p["r"].dropna() for name, p in part.groupby("anchor", sort=False)}
        pairs = list(itertools.combinations(values, 2))
        for one, two in pairs:
            enough = len(values[one]) and len(values[two])
            p = float(ranksums(values[one], values[two]).pvalue) if enough else np.nan
            row: dict[str, Any] = {"method": method, "anchor_1": one, "anchor_2": two}
            row |= {"median_1": values[one].median(), "median_2": values[two].median()}
            row |= {"p": p, "p_bonferroni": min(1.0, p * len(pairs)) if p == p else np.nan}
            rows.append({**row, "assumes_independence": True})
    names = ["method", "anchor_1", "anchor_2", "median_1", "median_2", "p", "p_bonferroni"]
    return pd.DataFrame(rows, columns=[*names, "assumes_independence"])
