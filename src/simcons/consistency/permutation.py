"""Permutation tests: is there any consistency, and do two groups differ in it?

Both permute labels of models, by family, and never treat pairs as independent.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ranksums

from simcons.consistency.core import (
    MIN_PAIRS,
    Group,
    dataset_pairs,
    groups,
    with_measure,
)
from simcons.consistency.correlation import rank_rows, standardise
from simcons.consistency.intervals import Sampler
from simcons.consistency.limits import (
    Interval,
    envelope,
    make_interval,
    summary,
    unavailable,
)
from simcons.consistency.pairs import Floats, PairIndex, Stack, pair_index, pair_vectors, stack
from simcons.consistency.resample import (
    Permutations,
    Relabelling,
    generator,
    group_units,
    model_permutations,
    relabel,
)
from simcons.consistency.weighted import RESAMPLED_METHODS, pair_weights, weighted_correlation

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

# Replicates this close to the observed value are ties (rounding), and count as extreme.
TIE = 1e-9
_CHUNK_ELEMENTS = 2**21

# An estimate, its replicates (B,) and the delete-one values per factor.
Draws = tuple[float, Floats, list[Floats]]
_CONTRAST_COLUMNS = [
    *("category", "group_1", "group_2", "method", "statistic"),
    *("estimate_1", "estimate_2", "difference"),
    *("percentile_low", "percentile_high", "bca_low", "bca_high", "n_undefined", "available"),
    *("reason", "p_rank_sum", "p_permutation", "smallest_p", "exact"),
]


def p_value(
    observed: Floats, permuted: Floats, alternative: str = "two-sided", *, included: bool = False
) -> Floats:
    """Return permutation p values.

    Parameters
    ----------
    observed
        (E,).
    permuted
        (B, E); NaN counts as extreme: a replicate that cannot be computed is no evidence against
        the null hypothesis.
    alternative
        ``greater`` or ``two-sided`` (absolute values).
    included
        Whether the observed labelling is among the replicates; otherwise it is added to them, so
        that the test is exact (Phipson and Smyth 2010).
    """
    if alternative == "two-sided":
        observed, permuted = np.abs(observed), np.abs(permuted)
    extreme = (~(permuted < observed - TIE)).sum(axis=0)
    p = extreme / len(permuted) if included else (1 + extreme) / (1 + len(permuted))
    return np.where(np.isfinite(observed), p, np.nan)


def holm(p: Floats) -> Floats:
    """Return p values adjusted by Holm's step-down method (Holm 1979); NaN stays NaN, uncounted."""
    p = np.asarray(p, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    defined = np.flatnonzero(np.isfinite(p))
    order = defined[np.argsort(p[defined], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def mantel(
    similarities: Mapping[str, SimilarityMatrix],
    models: pd.DataFrame,
    categories: Sequence[str] = (),
    methods: Sequence[str] = RESAMPLED_METHODS,
    *,
    n_permutations: int = 2000,
    alternative: str = "greater",
    seed: int = 0,
    measure: str | None = None,
) -> pd.DataFrame:
    """Test r between each two data sets by permuting the model labels of one (Mantel 1967; QAP).

    Families are exchanged with families of the same size, within the sets of the group.

    Parameters
    ----------
    similarities, models, categories
        As for `by_category`; all models and every category pair with at least 3 model pairs.
    methods
        ``pearson``, ``spearman`` (ranked once: a permutation does not change ranks).
    n_permutations, seed
        Permutations per group, and their seed.
    alternative
        ``greater`` (consistency is positive) or ``two-sided``.
    measure
        If given, a column ``measure`` with this value comes first.

    Returns
    -------
    DataFrame
        ``[measure,] category, group_1, group_2, method, dataset_1, dataset_2, r, p, p_holm,
        p_max, smallest_p``. Both corrections are over the group's data set pairs: Holm, and the
        maximum over pairs of the permuted r (single-step, Westfall and Young 1993), which uses that
        the tests depend on each other; with 253 pairs and 2,000 draws Holm cannot go below .13.
    """
    lined_up = stack(similarities)
    sampler = Sampler(lined_up, models, 0, seed)
    one, two = dataset_pairs(lined_up.datasets)
    names = np.array(lined_up.datasets, dtype=object)
    parts = []
    for group in groups(lined_up.models, models, categories):
        if len(group.pairs) < MIN_PAIRS:
            continue
        rng = generator(seed, "mantel", group.category, group.group_1, group.group_2)
        unit = group_units(sampler.family, group)
        either = group.first | group.second
        permutations = model_permutations(unit, n_permutations, rng, either)
        for method in methods:
            r, permuted = permuted_correlations(lined_up, group.pairs, permutations, method)
            columns = _mantel_columns(r, permuted, permutations, alternative)
            data = {**group.describe(), "method": method}
            data |= {"dataset_1": names[one], "dataset_2": names[two], **columns}
            parts.append(pd.DataFrame(data))
    return with_measure(pd.concat(parts, ignore_index=True), measure)


def _mantel_columns(
    r: Floats, permuted: Floats, permutations: Permutations, alternative: str
) -> dict[str, Any]:
    p = p_value(r, permuted, alternative)
    signed = np.abs(permuted) if alternative == "two-sided" else permuted
    highest = np.max(np.where(np.isfinite(signed), signed, -np.inf), axis=1, keepdims=True)
    return {
        "r": r,
        "p": p,
        "p_holm": holm(p),
        "p_max": p_value(np.abs(r) if alternative == "two-sided" else r, highest, "greater"),
        "smallest_p": max(1 / (1 + len(permuted)), 1 / permutations.n_distinct),
    }


def permuted_correlations(
    lined_up: Stack, pairs: PairIndex, permutations: Permutations, method: str = "pearson"
) -> tuple[Floats, Floats]:
    """Return r of the data set pairs (E,), and with the second one's models permuted (B, E).

    The permutations must map the pairs onto themselves (see `group_units`).
    """
    n_datasets, n_models = len(lined_up.datasets), len(lined_up.models)
    vectors = pair_vectors(lined_up.values, pairs)
    unit = standardise(rank_rows(vectors) if method == "spearman" else vectors)
    # One row per cell of the matrix, all data sets in it: a permutation then moves whole rows.
    cells = np.zeros((n_models * n_models, n_datasets))
    cells[pairs.left * n_models + pairs.right] = unit.T
    cells[pairs.right * n_models + pairs.left] = unit.T
    one, two = np.triu_indices(n_datasets, k=1)
    index = permutations.index
    permuted = np.empty((len(index), len(one)))
    step = max(1, _CHUNK_ELEMENTS // (n_datasets * len(pairs)))
    for start in range(0, len(index), step):
        part = index[start : start + step]
        moved = np.take(cells, part[:, pairs.left] * n_models + part[:, pairs.right], axis=0)
        permuted[start : start + step] = (unit @ moved)[:, one, two]  # (b, D, D)
    return (unit @ unit.T)[one, two], permuted


def contrasts(
    similarities: Mapping[str, SimilarityMatrix],
    models: pd.DataFrame,
    categories: Sequence[str],
    methods: Sequence[str] = RESAMPLED_METHODS,
    *,
    statistic: str = "mean",
    n_bootstrap: int = 2000,
    n_permutations: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    measure: str | None = None,
    sampler: Sampler | None = None,
) -> pd.DataFrame:
    """Compare the consistency within two values of a category, for every two values.

    Parameters
    ----------
    similarities, models, categories, methods
        As for `by_category`.
    statistic
        ``mean`` or ``median`` of r over data set pairs.
    n_bootstrap, n_permutations, confidence, seed
        Replicates, level, and the seed of all draws.
    measure
        If given, a column ``measure`` with this value comes first.
    sampler
        Draws to share with `consistency_intervals`; made from the arguments by default.

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
    sampler = sampler or Sampler(stack(similarities), models, n_bootstrap, seed)
    lined_up = sampler.lined_up
    found = groups(lined_up.models, models, categories)
    within = [g for g in found if g.group_1 == g.group_2 and len(g.pairs) >= MIN_PAIRS]
    rows = []
    for a, b in itertools.combinations(within, 2):
        if a.category != b.category:
            continue
        rng = generator(seed, "labels", a.category, a.group_1, b.group_1)
        labels = relabel(sampler.family, a.first, b.first, n_permutations, rng)
        for method in methods:
            row = _interval_of_difference(sampler, a, b, method, statistic, confidence)
            row |= _permutation_of_difference(sampler, a, b, labels, method, statistic)
            names = {"category": a.category, "group_1": a.group_1, "group_2": b.group_1}
            rows.append({**names, "method": method, "statistic": statistic, **row})
    return with_measure(_correct(pd.DataFrame(rows, columns=_CONTRAST_COLUMNS)), measure)


def _interval_of_difference(
    sampler: Sampler, a: Group, b: Group, method: str, statistic: str, confidence: float
) -> dict[str, Any]:
    """Return both estimates, their difference with an interval, and the rank-sum p value."""
    reason = sampler.unavailable(a, b)
    one, two = (sampler.replicates(g, method, point_only=bool(reason)) for g in (a, b))
    keep = np.ones(one.observed.shape[1], dtype=bool)
    if reason:
        estimates = [
            r.interval("models", statistic, sampler.datasets, keep, reason=reason)[0]
            for r in (one, two)
        ]
        interval = unavailable(reason)
    else:
        draws = {
            scheme: [r.draws(scheme, statistic, sampler.datasets, keep) for r in (one, two)]
            for scheme in ("both", "models", "datasets")
        }
        estimates = [draw[0] for draw in draws["both"]]
        n_units = {"models": min(one.n_units, two.n_units), "datasets": one.n_datasets}
        interval = envelope(
            [
                _difference_interval(a_draw, b_draw, scheme, confidence, n_units.get(scheme))
                for scheme, (a_draw, b_draw) in draws.items()
            ]
        )
    r_1, r_2 = (r.observed[0][np.isfinite(r.observed[0])] for r in (one, two))
    enough = len(r_1) > 0 and len(r_2) > 0
    return {
        "estimate_1": estimates[0],
        "estimate_2": estimates[1],
        "difference": estimates[0] - estimates[1],
        **interval.columns(),
        "p_rank_sum": float(ranksums(r_1, r_2).pvalue) if enough else np.nan,
    }


def _difference_interval(
    first: Draws, second: Draws, scheme: str, confidence: float, n_units: int | None
) -> Interval:
    """Return the interval of first minus second from their draws."""
    jackknives = []
    if scheme != "datasets":  # leaving out a family moves one group alone
        jackknives += [first[2][0], -second[2][0]]
    if scheme != "models":  # leaving out a data set moves both
        jackknives.append(first[2][-1] - second[2][-1])
    difference = first[0] - second[0]
    return make_interval(difference, first[1] - second[1], jackknives, confidence, n_units)


def _permutation_of_difference(
    sampler: Sampler, a: Group, b: Group, labels: Relabelling, method: str, statistic: str
) -> dict[str, Any]:
    """Return the two-sided p value of the difference under permuted group labels."""
    values, _ = difference_under(sampler, a.first | b.first, labels, method, statistic)
    return {**label_test(values, labels), "exact": labels.exact}


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
    sampler: Sampler,
    either: NDArray[np.bool_],
    labels: Relabelling,
    method: str,
    statistic: str = "mean",
) -> tuple[Floats, tuple[float, float]]:
    """Return the difference (n,) in consistency within the two groups for every labelling.

    Beside it, both groups' own values under the observed labels.

    Parameters
    ----------
    sampler
        Holds similarities and families.
    either
        (m,) mask of the models of both groups.
    labels
        Who carries the first label; row 0 is the observed labelling.
    method, statistic
        As elsewhere.
    """
    pairs = pair_index(either, either)
    vectors = pair_vectors(sampler.lined_up.values, pairs)
    summaries = []
    for mask in (labels.in_first, ~labels.in_first):
        weights = pair_weights(mask.astype(np.intp), sampler.family, pairs)
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
