"""Ceilings: how consistent similarities could be, given how precisely they are measured.

Similarities are estimates from a sample of images. Their reliability on exactly the pairs in
question comes from split halves of the images; noise alone keeps r below the square root of the two
reliabilities' product (Spearman 1904).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from simcons.consistency.core import MIN_PAIRS, dataset_pairs, groups, with_measure
from simcons.consistency.correlation import correlation_matrix, rank_rows, standardise
from simcons.consistency.overlap import overlap_flags
from simcons.consistency.pairs import Floats, Stack, pair_vectors, stack
from simcons.core.errors import UserError

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

# Dividing by less than this blows the noise of r and of the reliability itself up out of use.
MIN_RELIABILITY = 0.5
BIASED_SUFFIX = "_biased"
# Why there is neither a ceiling nor a correction.
BIASED = "biased measure"
SHARED = "data sets share images"
_COLUMNS = ("measure", "kind", "replicate", "model_1", "model_2", "value")


def half_values(replicates: pd.DataFrame, models: Sequence[str], measure: str) -> Floats:
    """Return the similarities on split halves of the images, from a table of replicates.

    Parameters
    ----------
    replicates
        Columns ``measure, kind, replicate, model_1, model_2, value``; of kind ``half``, replicates
        2k and 2k + 1 are the complementary halves of split k.
    models
        Ids, m.
    measure
        Which measure.

    Returns
    -------
    (K, 2, m, m) float64, K splits; K is 0 if the table has no halves of this measure.

    Raises
    ------
    UserError
        If columns, a half or a model pair are missing.
    """
    missing = [column for column in _COLUMNS if column not in replicates.columns]
    if missing:
        raise UserError(f"the table of replicates lacks the column(s) {', '.join(missing)}")
    wanted = (replicates["measure"] == measure) & (replicates["kind"] == "half")
    table = replicates[wanted]
    index = pd.Index(models)
    left, right = (index.get_indexer(pd.Index(table[c])) for c in ("model_1", "model_2"))
    number = table["replicate"].to_numpy(dtype=np.intp)
    n = int(number.max()) + 1 if len(number) else 0
    if n % 2:
        raise UserError(
            f"{measure}: {n} half replicates, but halves come in pairs; rerun the stage"
        )
    inside = (left >= 0) & (right >= 0)
    left, right, number = left[inside], right[inside], number[inside]
    values = np.full((n, len(index), len(index)), np.nan)
    found = table["value"].to_numpy(dtype=np.float64)[inside]
    values[number, left, right] = found
    other = values.transpose(0, 2, 1)
    values = np.where(np.isnan(values), other, values)
    values = 0.5 * (values + np.where(np.isnan(other), values, other))
    off = ~np.eye(len(index), dtype=bool)
    if np.isnan(values[:, off]).any():
        raise UserError(
            f"{measure}: the half replicates lack some model pair, or are no number; rerun the "
            "similarity stage"
        )
    return values.reshape(n // 2, 2, len(index), len(index))


def reliability(halves: Floats, method: str = "pearson") -> float:
    """Return the reliability of the full-sample vector from those of split halves.

    The mean correlation of complementary halves, stepped up to the double length by the
    Spearman-Brown formula 2 r / (1 + r) (Spearman 1910; Brown 1910).

    Parameters
    ----------
    halves
        (K, 2, P).
    method
        ``pearson`` or ``spearman``.

    Returns
    -------
    float
        NaN without a split or where a half does not vary; not below 0.
    """
    if len(halves) == 0:
        return np.nan
    unit = standardise(rank_rows(halves) if method == "spearman" else halves)
    r = float(np.mean(np.sum(unit[:, 0] * unit[:, 1], axis=-1)))
    return r if np.isnan(r) else max(0.0, 2 * r / (1 + r)) if r > -1 else 0.0


def reliabilities(
    similarities: Mapping[str, SimilarityMatrix],
    replicates: Mapping[str, pd.DataFrame],
    models: pd.DataFrame,
    categories: Sequence[str],
    methods: Sequence[str] = ("pearson", "spearman"),
    *,
    measure: str,
) -> pd.DataFrame:
    """Return the reliability of the similarities of every group on every data set.

    Returns
    -------
    DataFrame
        ``measure, category, group_1, group_2, method, dataset, reliability, n_splits, n_pairs``;
        NaN for a data set without halves of this measure.
    """
    lined_up = stack(similarities)
    halves = _all_halves(lined_up, replicates, measure)
    rows = []
    for group in groups(lined_up.models, models, categories):
        pairs = group.pairs
        if len(pairs) < MIN_PAIRS:
            continue
        for method in methods:
            for dataset in lined_up.datasets:
                vectors = halves[dataset][:, :, pairs.left, pairs.right]
                row: dict[str, Any] = {"method": method, "dataset": dataset}
                row |= {"reliability": reliability(vectors, method)}
                row |= {"n_splits": len(vectors), "n_pairs": len(pairs)}
                rows.append({**group.describe(), **row})
    return with_measure(pd.DataFrame(rows), measure)


def corrected(
    similarities: Mapping[str, SimilarityMatrix],
    reliable: pd.DataFrame,
    models: pd.DataFrame,
    categories: Sequence[str],
    methods: Sequence[str] = ("pearson", "spearman"),
    *,
    measure: str,
    overlaps: Sequence[Sequence[str]] = (),
) -> pd.DataFrame:
    """Return r beside its ceiling and corrected for unreliability, where that may be done.

    No ceiling, with the reason: biased measures (their value depends on the number of images, so
    that halves do not estimate the same thing), data sets that share images (their noise is shared,
    so that r is inflated and not attenuated), and no halves. With a reliability below 0.5 there is
    a ceiling, but r is not divided by it. A
    corrected r above 1 is kept: reliabilities are estimates too, and are taken from random splits
    that hold the classes fixed.

    Parameters
    ----------
    similarities, models, categories, methods
        As for `by_category`.
    reliable
        The result of `reliabilities` with the same arguments.
    measure
        Its name.
    overlaps
        Sets of data sets that share images.

    Returns
    -------
    DataFrame
        ``measure, category, group_1, group_2, method, dataset_1, dataset_2, r, ceiling,
        r_corrected, shares_images, reason``.
    """
    lined_up = stack(similarities)
    table = reliable.set_index(["category", "group_1", "group_2", "method"])[
        "reliability"
    ].sort_index(kind="stable")
    shared = overlap_flags(lined_up.datasets, overlaps)
    parts = []
    for group in groups(lined_up.models, models, categories):
        pairs = group.pairs
        if len(pairs) < MIN_PAIRS:
            continue
        vectors = pair_vectors(lined_up.values, pairs)
        for method in methods:
            place = (group.category, group.group_1, group.group_2, method)
            known = table.loc[[place]].to_numpy(dtype=np.float64)
            r = correlation_matrix(vectors, method)
            columns = _corrected_columns(r, known, shared, measure, lined_up)
            parts.append(pd.DataFrame({**group.describe(), "method": method, **columns}))
    return with_measure(pd.concat(parts, ignore_index=True), measure)


def _corrected_columns(
    r: Floats, reliable: Floats, shared: Any, measure: str, lined_up: Stack
) -> dict[str, Any]:
    one, two = dataset_pairs(lined_up.datasets)
    names = np.array(lined_up.datasets, dtype=object)
    lower = np.minimum(reliable[one], reliable[two])
    reason = np.select(
        [
            np.full(len(one), measure.endswith(BIASED_SUFFIX)),
            shared,
            np.isnan(lower),
            lower < MIN_RELIABILITY,
        ],
        [
            BIASED,
            SHARED,
            "no split halves or no variation",
            "reliability below 0.5",
        ],
        default="",
    )
    ceiling = np.sqrt(reliable[one] * reliable[two])
    ceiling = np.where(np.isin(reason, [BIASED, SHARED]), np.nan, ceiling)
    allowed = reason == ""
    values = r[one, two]
    return {
        "dataset_1": names[one],
        "dataset_2": names[two],
        "r": values,
        "ceiling": ceiling,
        "r_corrected": np.where(allowed, values / np.where(allowed, ceiling, 1.0), np.nan),
        "shares_images": shared,
        "reason": reason.astype(object),
    }


def _all_halves(
    lined_up: Stack, replicates: Mapping[str, pd.DataFrame], measure: str
) -> dict[str, Floats]:
    """Return the halves of every data set; none for a data set without a table of replicates."""
    size = len(lined_up.models)
    nothing = np.empty((0, 2, size, size))
    return {
        name: half_values(replicates[name], lined_up.models, measure)
        if name in replicates
        else nothing
        for name in lined_up.datasets
    }
