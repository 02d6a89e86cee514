"""Do two groups differ in consistency? Intervals, permuted labels, and the paper's rank sums."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ranksums

from simcons.consistency.analysis import Analysis, Group
from simcons.consistency.bootstrap import Replicates, Resampled, interval_over
from simcons.consistency.correlation import pair_weights, weighted_correlation
from simcons.consistency.inference.permutation import holm, p_value
from simcons.consistency.limits import summary, unavailable
from simcons.consistency.pairs import Floats, Mask, pair_index, pair_vectors
from simcons.consistency.resample import Relabelling, generator, relabel

_COLUMNS = [
    *("category", "group_1", "group_2", "method", "statistic"),
    *("estimate_1", "estimate_2", "difference"),
    *("percentile_low", "percentile_high", "bca_low", "bca_high", "n_undefined", "available"),
    *("reason", "p_rank_sum", "p_permutation", "smallest_p", "exact"),
]
_ANCHOR_COLUMNS = [
    *("method", "anchor_1", "anchor_2", "median_1", "median_2", "p", "p_bonferroni"),
    "assumes_independence",
]


def contrasts(analysis: Analysis, statistic: str = "mean") -> pd.DataFrame:
    """Compare the consistency within two values of a category, for every two values.

    Parameters
    ----------
    analysis
        What is analysed.
    statistic
        ``mean`` or ``median`` of r over data set pairs.

    Returns
    -------
    DataFrame
        A row per category, two values ``group_1 < group_2`` and method: ``estimate_1, estimate_2,
        difference`` (first minus second) with its interval over models and data sets, the two-sided
        ``p_permutation`` of group labels over families, the ``smallest_p`` that the group sizes
        allow, ``exact`` (all assignments listed), ``p_holm`` over all contrasts of the method;
        beside them the paper's rank-sum test over data set pairs, ``p_rank_sum`` and
        ``p_rank_sum_bonferroni``, with ``rank_sum_assumes_independence`` True: data set pairs share
        data sets, so that these p values are too small. The permutation's null hypothesis is that
        the models of both groups are exchangeable, given the data sets.
    """
    settings = analysis.settings
    rows = []
    for a, b in analysis.contrasts:
        rng = generator(settings.seed, "labels", a.category, a.group_1, b.group_1)
        labels = relabel(analysis.family, a.first, b.first, settings.n_permutations, rng)
        for method in settings.resampled:
            values, _ = difference_under(analysis, a.first | b.first, labels, method, statistic)
            row = {**a.against(b), "method": method, "statistic": statistic}
            row |= _difference(analysis, a, b, method, statistic)
            rows.append({**row, **label_test(values, labels), "exact": labels.exact})
    return _correct(pd.DataFrame(rows, columns=_COLUMNS))


def _difference(
    analysis: Analysis, a: Group, b: Group, method: str, statistic: str
) -> dict[str, Any]:
    """Return both estimates, their difference with an interval, and the rank-sum p value."""
    one, two = (analysis.replicates(group, method) for group in (a, b))
    everything = np.ones(one.observed.shape[1], dtype=bool)
    estimates = [r.estimate(statistic, everything) for r in (one, two)]
    reason = analysis.unavailable(a, b)
    if reason:
        interval = unavailable(reason)
    else:
        resampled = partial(_minus, one, two, statistic=statistic, keep=everything)
        sizes = (min(one.n_units, two.n_units), one.n_datasets)
        interval = interval_over("both", resampled, *sizes, analysis.settings.confidence)
    row = dict(zip(("estimate_1", "estimate_2"), estimates, strict=True))
    row["difference"] = estimates[0] - estimates[1]
    return {**row, **interval.columns(), "p_rank_sum": _rank_sum(one.observed[0], two.observed[0])}


def _minus(one: Replicates, two: Replicates, scheme: str, statistic: str, keep: Mask) -> Resampled:
    first, second = (r.resampled(scheme, statistic, keep) for r in (one, two))
    return first.minus(second, scheme)


def _rank_sum(one: Floats, two: Floats) -> float:
    """Return the p value of the rank-sum test of the defined r; NaN if either has none."""
    one, two = (r[np.isfinite(r)] for r in (one, two))
    return float(ranksums(one, two).pvalue) if len(one) and len(two) else np.nan


def label_test(values: Floats, labels: Relabelling) -> dict[str, float]:
    """Return the two-sided p value of the first of the differences (n,), and the smallest possible.

    Where families differ in size, some labellings leave a group too few pairs for any r: these
    count as extreme, and so raise the smallest p as well.
    """
    undefined = float(np.mean(~np.isfinite(values)))
    return {
        "p_permutation": float(p_value(values[:1], values[:, None], included=True)[0]),
        "smallest_p": min(1.0, labels.smallest_p + undefined),
    }


def difference_under(
    analysis: Analysis, either: Mask, labels: Relabelling, method: str, statistic: str = "mean"
) -> tuple[Floats, tuple[float, float]]:
    """Return the difference (n,) in consistency within the two groups for every labelling.

    Beside it, both groups' own values under the observed labels.

    Parameters
    ----------
    analysis
        Holds similarities and families.
    either
        (m,) mask of the models of both groups.
    labels
        Who carries the first label; row 0 is the observed labelling.
    method, statistic
        As elsewhere.
    """
    pairs = pair_index(either, either)
    vectors = pair_vectors(analysis.values, pairs)
    summaries = []
    for mask in (labels.in_first, ~labels.in_first):
        weights = pair_weights(mask.astype(np.intp), analysis.family, pairs)
        r = weighted_correlation(vectors, weights, method)
        summaries.append(summary(r, np.ones((1, r.shape[1])), statistic))
    one, two = summaries
    return one - two, (float(one[0]), float(two[0]))


def _correct(table: pd.DataFrame) -> pd.DataFrame:
    """Add Holm's and Bonferroni's corrections over all contrasts of a method."""
    by_method = table.groupby("method", sort=False)
    table["p_holm"] = by_method["p_permutation"].transform(lambda p: holm(p.to_numpy()))
    count = by_method["p_rank_sum"].transform("count")
    table["p_rank_sum_bonferroni"] = np.minimum(table["p_rank_sum"] * count, 1.0)
    table["rank_sum_assumes_independence"] = True
    return table


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
        values = {name: p["r"] for name, p in part.groupby("anchor", sort=False)}
        pairs = list(itertools.combinations(values, 2))
        for one, two in pairs:
            p = _rank_sum(*(values[name].to_numpy() for name in (one, two)))
            row: dict[str, Any] = {"method": method, "anchor_1": one, "anchor_2": two}
            row |= {"median_1": values[one].median(), "median_2": values[two].median()}
            row |= {"p": p, "p_bonferroni": min(1.0, p * len(pairs)) if p == p else np.nan}
            rows.append({**row, "assumes_independence": True})
    return pd.DataFrame(rows, columns=_ANCHOR_COLUMNS)
