"""Performance gap: does a difference in accuracy go with a low similarity?

Per data set, |accuracy_i - accuracy_j| against the similarity of models i and j, over all pairs
(Ciernik et al. 2025, section 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from simcons.consistency.categories import need_columns
from simcons.consistency.pairs import Floats, align, all_pairs, pair_vectors
from simcons.core.errors import UserError

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

ERRORS = "error_consistency"


def gap_pairs(
    similarities: Mapping[str, SimilarityMatrix],
    accuracies: pd.DataFrame,
    *,
    measure: str | None = None,
) -> pd.DataFrame:
    """Return similarity and performance gap of every model pair on every data set.

    Parameters
    ----------
    similarities
        A similarity matrix per data set; data sets may have different models.
    accuracies
        Columns ``dataset, model, accuracy``, one row per data set and model (averaged over seeds);
        it may hold further data sets and models.
    measure
        If given, a column ``measure`` with this value comes first.

    Returns
    -------
    DataFrame
        ``[measure,] dataset, model_1, model_2, similarity, gap``; ``model_1 < model_2``, sorted.

    Raises
    ------
    UserError
        If an accuracy is missing, given twice, or not a finite number.
    """
    scores = _accuracy_table(accuracies)
    parts = [_one_dataset(name, similarities[name], scores) for name in sorted(similarities)]
    if not parts:
        raise UserError("performance gap: no similarity matrices were given; give one per data set")
    table = pd.concat(parts, ignore_index=True)
    if measure is not None:
        table.insert(0, "measure", measure)
    return table


def with_agreement(pairs: pd.DataFrame, agreement: pd.DataFrame) -> pd.DataFrame:
    """Return `gap_pairs` with a column ``error_consistency``.

    Parameters
    ----------
    pairs
        Columns ``dataset, model_1, model_2`` at least.
    agreement
        Columns ``dataset, model_1, model_2, value``; NaN where it is undefined. It may hold further
        data sets and models; a data set without any row has none (NaN).

    Raises
    ------
    UserError
        If a pair of a data set that is in ``agreement`` has no row there.
    """
    keys = ["dataset", "model_1", "model_2"]
    values = agreement[[*keys, "value"]].rename(columns={"value": ERRORS})
    both = pairs.merge(values, on=keys, how="left", validate="m:1", indicator=True)
    known = both["dataset"].isin(agreement["dataset"])
    lacking = both[known & (both["_merge"] != "both")]
    if len(lacking):
        first = lacking.iloc[0]
        raise UserError(
            f"data set {first['dataset']!r} has no error consistency of {first['model_1']!r} and "
            f"{first['model_2']!r}; rerun its probe stage"
        )
    return both.drop(columns="_merge")


def _accuracy_table(accuracies: pd.DataFrame) -> pd.Series:
    """Return accuracies indexed by (dataset, model), checked."""
    need_columns(accuracies, ("dataset", "model", "accuracy"), "the accuracy table")
    table = accuracies.set_index(["dataset", "model"])["accuracy"].astype(np.float64)
    twice = table.index[table.index.duplicated()]
    if len(twice):
        dataset, model = twice[0]
        raise UserError(
            f"data set {dataset!r} has two accuracies for model {model!r}; average over seeds first"
        )
    return table


def _one_dataset(name: str, matrix: SimilarityMatrix, scores: pd.Series) -> pd.DataFrame:
    _, ids, values = align({name: matrix})
    models = np.array(ids, dtype=object)
    accuracy = _accuracy_vector(name, ids, scores)
    pairs = all_pairs(len(ids))
    columns = {"dataset": name, "model_1": models[pairs.left], "model_2": models[pairs.right]}
    columns["similarity"] = pair_vectors(values, pairs)[0]
    columns["gap"] = np.abs(accuracy[pairs.left] - accuracy[pairs.right])
    return pd.DataFrame(columns)


def _accuracy_vector(dataset: str, models: list[str], scores: pd.Series) -> Floats:
    """Return the accuracies (m,) of ``models`` on a data set, or say which one is missing."""
    values = scores.reindex([(dataset, model) for model in models]).to_numpy(dtype=np.float64)
    bad = [m for m, ok in zip(models, np.isfinite(values), strict=True) if not ok]
    if bad:
        raise UserError(
            f"data set {dataset!r} has no accuracy for {len(bad)} model(s): {', '.join(bad[:8])}; "
            "rerun its probe stage"
        )
    return values
