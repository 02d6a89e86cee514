"""What a similarity can be read against: chance (shuffled images) and seed replicates; layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simcons.core.arrays import SelectedRows
from simcons.core.errors import UserError
from simcons.similarity.compute import VALUES_ALONE, compute_similarity
from simcons.similarity.inputs import check_features
from simcons.similarity.matrix import SimilarityMatrix
from simcons.similarity.measures import lookup
from simcons.similarity.tables import CHANCE_COLUMNS

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


def layer_map(
    layers: Mapping[str, Any],
    others: Mapping[str, Any] | None = None,
    *,
    measure: str = "cka_linear",
    **options: Any,
) -> pd.DataFrame:
    """Compute the layer x layer map of one model, or of two, on the same images.

    Parameters
    ----------
    layers
        Layer name -> (n, d) features, in the order wanted.
    others
        The second model's layers; None: the first's.
    measure
        A measure's name.
    **options
        Passed on to `compute_similarity`.

    Returns
    -------
    DataFrame
        A row per layer of the first model, a column per layer of the second.
    """
    import pandas as pd

    rows = {f"a{i:04d}": value for i, value in enumerate(layers.values())}
    columns = rows
    if others is not None:
        columns = {f"b{i:04d}": value for i, value in enumerate(others.values())}
    options = {**VALUES_ALONE, **options}
    matrix = compute_similarity({**rows, **columns}, [measure], **options)[measure]
    at = np.ix_([matrix.index(r) for r in rows], [matrix.index(c) for c in columns])
    names = list(layers if others is None else others)
    return pd.DataFrame(matrix.values[at], index=list(layers), columns=names)
