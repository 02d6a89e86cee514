"""P values from permutations, and the test of no consistency at all.

Labels of models are permuted, by family; pairs are never treated as independent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from simcons.consistency.analysis import Analysis
from simcons.consistency.correlation import rank_rows, standardise
from simcons.consistency.pairs import Floats, Ints, PairIndex, pair_vectors
from simcons.consistency.resample import (
    Permutations,
    generator,
    group_units,
    model_permutations,
)

# Replicates this close to the observed value are ties (rounding), and count as extreme.
TIE = 1e-9
_CHUNK_ELEMENTS = 2**21


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


def mantel(analysis: Analysis, alternative: str = "greater") -> pd.DataFrame:
    """Test r between each two data sets by permuting the model labels of one (Mantel 1967; QAP).

    Families are exchanged with families of the same size, within the sets of the group. For
    Spearman, similarities are ranked once: a permutation does not change ranks.

    Parameters
    ----------
    analysis
        What is analysed: all models and every category pair with at least 3 model pairs.
    alternative
        ``greater`` (consistency is positive) or ``two-sided``.

    Returns
    -------
    DataFrame
        ``category, group_1, group_2, method, dataset_1, dataset_2, r, p, p_holm, p_max,
        smallest_p``. Both corrections are over the group's data set pairs: Holm, and the
        maximum over pairs of the permuted r (single-step, Westfall and Young 1993), which uses that
        the tests depend on each other; with 253 pairs and 2,000 draws Holm cannot go below .13.
    """
    settings = analysis.settings
    parts = []
    for group in analysis.usable:
        rng = generator(settings.seed, "mantel", *group.names.values())
        unit = group_units(analysis.family, group.first, group.second)
        either = group.first | group.second
        permutations = model_permutations(unit, settings.n_permutations, rng, either)
        for method in settings.resampled:
            r, permuted = permuted_correlations(
                analysis.values, group.pairs, permutations.index, method
            )
            columns = _mantel_columns(r, permuted, permutations, alternative)
            parts.append(analysis.by_dataset_pair({**group.names, "method": method}, columns))
    return pd.concat(parts, ignore_index=True)


def _mantel_columns(
    r: Floats, permuted: Floats, permutations: Permutations, alternative: str
) -> dict[str, Any]:
    two_sided = alternative == "two-sided"
    size, permuted = (np.abs(r), np.abs(permuted)) if two_sided else (r, permuted)
    p = p_value(size, permuted, "greater")
    highest = np.max(np.where(np.isfinite(permuted), permuted, -np.inf), axis=1, keepdims=True)
    p_max = p_value(size, highest, "greater")
    smallest = max(1 / (1 + len(permuted)), 1 / permutations.n_distinct)
    return {"r": r, "p": p, "p_holm": holm(p), "p_max": p_max, "smallest_p": smallest}


def permuted_correlations(
    values: Floats, pairs: PairIndex, index: Ints, method: str = "pearson"
) -> tuple[Floats, Floats]:
    """Return r of the data set pairs (E,), and with the second one's models permuted (B, E).

    Parameters
    ----------
    values
        (D, m, m) similarities.
    pairs
        P pairs.
    index
        (B, m) permutations of the models, which map the pairs onto themselves (see `group_units`).
    method
        ``pearson`` or ``spearman``.
    """
    n_datasets, n_models = values.shape[:2]
    vectors = pair_vectors(values, pairs)
    unit = standardise(rank_rows(vectors) if method == "spearman" else vectors)
    # One row per cell of the matrix, all data sets in it: a permutation then moves whole rows.
    cells = np.zeros((n_models * n_models, n_datasets))
    cells[pairs.left * n_models + pairs.right] = unit.T
    cells[pairs.right * n_models + pairs.left] = unit.T
    one, two = np.triu_indices(n_datasets, k=1)
    permuted = np.empty((len(index), len(one)))
    step = max(1, _CHUNK_ELEMENTS // (n_datasets * len(pairs)))
    for start in range(0, len(index), step):
        part = index[start : start + step]
        moved = np.take(cells, part[:, pairs.left] * n_models + part[:, pairs.right], axis=0)
        permuted[start : start + step] = (unit @ moved)[:, one, two]  # (b, D, D)
    return (unit @ unit.T)[one, two], permuted
