"""What a similarity can be read against: chance (shuffled images) and seeds of one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simcons.core.arrays import SelectedRows
from simcons.core.errors import UserError
from simcons.similarity.compute import VALUES_ALONE, compute_similarity
from simcons.similarity.feature_rows import check_features
from simcons.similarity.folders import CHANCE_COLUMNS
from simcons.similarity.matrix import SimilarityMatrix
from simcons.similarity.measures import lookup

if TYPE_CHECKING:
    import pandas as pd


def chance_level(
    features: Mapping[str, Any],
    measures: Sequence[str],
    *,
    draws: int = 5,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """Compute similarities after shuffling each model's images by itself.

    Every draw shuffles all models independently, so that each pair of models is unaligned; what is
    left is what the measure gives for models that have nothing in common on these images.

    Parameters
    ----------
    features, measures
        As for `compute_similarity`.
    draws
        Number of shuffles; 0: none, the table is empty.
    seed
        Decides them.
    **options
        Passed on to `compute_similarity`.

    Returns
    -------
    DataFrame
        Columns `CHANCE_COLUMNS`.

    Raises
    ------
    UserError
        If ``draws`` < 0, or as `compute_similarity`.
    """
    import pandas as pd

    if draws < 0:
        raise UserError(f"draws must be at least 0, got {draws}")
    arrays = check_features(features)
    options = {**VALUES_ALONE, **options}
    tables = [pd.DataFrame({column: [] for column in CHANCE_COLUMNS})] if draws == 0 else []
    for draw in range(draws):
        shuffled = {
            name: SelectedRows(a, np.random.default_rng([seed, draw, i]).permutation(len(a)))
            for i, (name, a) in enumerate(arrays.items())
        }
        result = compute_similarity(shuffled, measures, **options)
        for name, matrix in result.items():
            table = matrix.pairs(ordered=not lookup(name).measure.symmetric)
            table.insert(0, "measure", name)
            table.insert(1, "draw", draw)
            tables.append(table.drop(columns="standard_error"))
    return pd.concat(tables, ignore_index=True)


def seed_level(matrix: SimilarityMatrix, families: Mapping[str, str]) -> pd.DataFrame:
    """Return the similarities of models that differ in their training seed only: the ceiling.

    Parameters
    ----------
    matrix
        Similarities.
    families
        Model id -> family; models of the same family are replicates. Missing ones are their own.

    Returns
    -------
    DataFrame
        family, model_1, model_2, value, standard_error; empty where the study has no replicates.
    """
    table = matrix.pairs(ordered=not matrix.symmetric)
    first = table["model_1"].map(lambda m: families.get(m, m))
    second = table["model_2"].map(lambda m: families.get(m, m))
    table.insert(0, "family", first)
    return table[first == second].reset_index(drop=True)
