"""Ceilings: how consistent similarities could be, given how precisely they are measured.

Similarities are estimates from a sample of images. Their reliability on exactly the pairs in
question comes from split halves of the images; noise alone keeps r below the square root of the two
reliabilities' product (Spearman 1904).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from simcons.consistency.analysis import Analysis
from simcons.consistency.categories import need_columns
from simcons.consistency.correlation import correlation_matrix, rank_rows, standardise
from simcons.consistency.overlap import overlap_flags
from simcons.consistency.pairs import Floats, Mask
from simcons.core.errors import UserError
from simcons.similarity.replicates import spearman_brown

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
    need_columns(replicates, _COLUMNS, "the table of replicates")
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
    values = np.full((n, len(index), len(index)), np.nan)
    found = table["value"].to_numpy(dtype=np.float64)
    values[number[inside], left[inside], right[inside]] = found[inside]
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
    return r if np.isnan(r) else spearman_brown(max(0.0, r))


def reliabilities(analysis: Analysis, replicates: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the reliability of the similarities of every group on every data set.

    Parameters
    ----------
    analysis
        What is analysed.
    replicates
        Per data set a table of replicates, as `half_values` reads.

    Returns
    -------
    DataFrame
        ``category, group_1, group_2, method, dataset, reliability, n_splits, n_pairs``; NaN for a
        data set without halves of this measure.
    """
    halves = {
        name: half_values(replicates[name], analysis.models, analysis.measure)
        for name in analysis.datasets
        if name in replicates
    }
    rows = []
    for group in analysis.usable:
        pairs = group.pairs
        nothing = np.empty((0, 2, len(pairs)))
        of_pairs = {name: h[:, :, pairs.left, pairs.right] for name, h in halves.items()}
        for method in analysis.settings.resampled:
            for dataset in analysis.datasets:
                vectors = of_pairs.get(dataset, nothing)
                row: dict[str, Any] = {"method": method, "dataset": dataset}
                row |= {"reliability": reliability(vectors, method)}
                row |= {"n_splits": len(vectors), "n_pairs": len(pairs)}
                rows.append({**group.names, **row})
    return pd.DataFrame(rows)


def corrected(analysis: Analysis, reliable: pd.DataFrame) -> pd.DataFrame:
    """Return r beside its ceiling and corrected for unreliability, where that may be done.

    No ceiling, with the reason: biased measures (their value depends on the number of images, so
    that halves do not estimate the same thing), data sets that share images (their noise is shared,
    so that r is inflated and not attenuated), and no halves. With a reliability below 0.5 there is
    a ceiling, but r is not divided by it. A corrected r above 1 is kept: reliabilities are
    estimates too, and are taken from random splits that hold the classes fixed.

    Parameters
    ----------
    analysis
        What is analysed.
    reliable
        The result of `reliabilities` of the same analysis.

    Returns
    -------
    DataFrame
        ``category, group_1, group_2, method, dataset_1, dataset_2, r, ceiling, r_corrected,
        shares_images, reason``.
    """
    shared = overlap_flags(analysis.datasets, analysis.settings.overlaps)
    biased = analysis.measure.endswith(BIASED_SUFFIX)
    one, two = analysis.dataset_pairs
    # `reliabilities` has a row per data set for the same groups and methods, in the same order.
    blocks = iter(reliable["reliability"].to_numpy(np.float64).reshape(-1, len(analysis.datasets)))
    parts = []
    for group in analysis.usable:
        vectors = analysis.vectors(group)
        for method in analysis.settings.resampled:
            known = next(blocks)
            r = correlation_matrix(vectors, method)[one, two]
            columns = {"r": r, **_ceiling(r, known[one], known[two], shared, biased)}
            parts.append(analysis.by_dataset_pair({**group.names, "method": method}, columns))
    return pd.concat(parts, ignore_index=True)


def _ceiling(
    r: Floats, first: Floats, second: Floats, shared: Mask, biased: bool
) -> dict[str, Any]:
    """Return the ceilings of r (E,) from the reliabilities (E,) of both data sets of a pair."""
    lower = np.minimum(first, second)
    unknown, low = "no split halves or no variation", "reliability below 0.5"
    reason = np.select(
        [np.full(len(r), biased), shared, np.isnan(lower), lower < MIN_RELIABILITY],
        [BIASED, SHARED, unknown, low],
        default="",
    )
    ceiling = np.where(np.isin(reason, [BIASED, SHARED]), np.nan, np.sqrt(first * second))
    allowed = reason == ""
    values = np.where(allowed, r / np.where(allowed, ceiling, 1.0), np.nan)
    columns = {"ceiling": ceiling, "r_corrected": values, "shares_images": shared}
    return {**columns, "reason": reason.astype(object)}
