"""Reading and writing similarity folders: a Parquet table per measure, replicates, matrix.json."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simcons.core.errors import UserError, did_you_mean
from simcons.core.files import read_json, read_parquet, write_json, write_parquet
from simcons.similarity.matrix import SimilarityMatrix, SimilarityResult, model_pairs
from simcons.similarity.measures import lookup

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("model_1", "model_2", "value", "standard_error")
CHANCE_FILE = "chance.parquet"
CHANCE_COLUMNS = ("measure", "draw", "model_1", "model_2", "value")
REPLICATE_COLUMNS = ("measure", "kind", "replicate", "model_1", "model_2", "value")


def write_similarity(
    folder: Path, result: SimilarityResult, chance: pd.DataFrame | None = None
) -> None:
    """Write a result into a folder: ``<measure>.parquet``, replicates.parquet, matrix.json.

    Every file is written atomically, matrix.json last; equal results give equal bytes.

    Parameters
    ----------
    folder
        Is made if it does not exist.
    result
        From `compute_similarity`.
    chance
        From `chance_level`: written to chance.parquet.
    """
    folder = Path(folder)
    if chance is not None:
        write_parquet(folder / CHANCE_FILE, chance)
    for name, matrix in result.items():
        ordered = not lookup(name).measure.symmetric
        write_parquet(folder / f"{name}.parquet", matrix.pairs(ordered=ordered))
    write_parquet(folder / "replicates.parquet", result.replicates)
    reliability = {name: matrix.reliability for name, matrix in result.items()}
    write_json(folder / "matrix.json", {**result.metadata, "reliability": reliability})


def read_similarity(
    folder: Path, measures: Collection[str] | None = None
) -> dict[str, SimilarityMatrix]:
    """Read a similarity folder.

    Parameters
    ----------
    folder
        As written by `write_similarity`.
    measures
        Names to read; None: all that the folder's matrix.json lists.

    Returns
    -------
    dict
        Measure name -> matrix, models sorted.

    Raises
    ------
    UserError
        If a file is missing or damaged, a measure is not there, or a table does not hold exactly
        the pairs of the models in matrix.json.
    """
    folder = Path(folder)
    header = read_header(folder)
    names = list(header["measures"]) if measures is None else list(measures)
    for name in names:
        if name not in header["measures"]:
            hint = did_you_mean(name, header["measures"])
            raise UserError(f"{folder}: measure '{name}' was not computed: {hint}")
    reliability = header.get("reliability", {})
    return {
        name: _read_matrix(folder / f"{name}.parquet", name, header["models"], reliability)
        for name in names
    }


def read_header(folder: Path) -> dict[str, Any]:
    """Read and check a folder's matrix.json.

    Raises
    ------
    UserError
        If it is missing or has no sorted models or no measures.
    """
    path = Path(folder) / "matrix.json"
    header = read_json(path)
    if not isinstance(header, dict) or not {"models", "measures"} <= header.keys():
        raise UserError(f"{path}: needs the keys 'models' and 'measures'")
    models = header["models"]
    if models != sorted(set(models)):
        raise UserError(f"{path}: 'models' must be sorted and without repeats")
    return header


def read_replicates(folder: Path) -> pd.DataFrame:
    """Read a folder's replicates: measure, kind, replicate, model_1, model_2, value.

    Raises
    ------
    UserError
        If the file is missing, damaged or has other columns.
    """
    path = Path(folder) / "replicates.parquet"
    table = read_parquet(path)
    _check_columns(path, table, REPLICATE_COLUMNS)
    return table


def read_chance(folder: Path) -> pd.DataFrame:
    """Read a folder's similarities of shuffled images; empty where the folder has none.

    Raises
    ------
    UserError
        If the file is damaged or has other columns.
    """
    import pandas as pd

    path = Path(folder) / CHANCE_FILE
    if not path.is_file():
        return pd.DataFrame({column: [] for column in CHANCE_COLUMNS})
    table = read_parquet(path)
    _check_columns(path, table, CHANCE_COLUMNS)
    return table


def _check_columns(path: Path, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    if tuple(table.columns) != columns:
        raise UserError(
            f"{path}: columns are {', '.join(table.columns)}; needed: {', '.join(columns)}"
        )


def _read_matrix(
    path: Path, name: str, models: list[str], reliability: dict[str, float | None]
) -> SimilarityMatrix:
    table = read_parquet(path)
    _check_columns(path, table, COLUMNS)
    symmetric = lookup(name).measure.symmetric
    expected = model_pairs(models, ordered=not symmetric)
    found = list(zip(table["model_1"], table["model_2"], strict=True))
    if found != expected:
        raise UserError(f"{path}: {_difference(found, expected)}")
    values, error = np.eye(len(models)), np.zeros((len(models), len(models)))
    at = np.array([(models.index(a), models.index(b)) for a, b in expected], dtype=int)
    at = at.reshape(-1, 2)
    for array, column in ((values, "value"), (error, "standard_error")):
        array[at[:, 0], at[:, 1]] = table[column].to_numpy()
        if symmetric:
            array[at[:, 1], at[:, 0]] = table[column].to_numpy()
    known = None if len(at) and table["standard_error"].isna().all() else error
    try:
        return SimilarityMatrix(models, values, known, reliability.get(name), name)
    except UserError as problem:
        raise UserError(f"{path}: {problem}") from None


def _difference(found: list[tuple[str, str]], expected: list[tuple[str, str]]) -> str:
    """Say what is wrong with a table's pairs, in one line."""
    missing = [p for p in expected if p not in set(found)]
    extra = [p for p in found if p not in set(expected)]
    if missing:
        return f"{len(missing)} model pairs are missing, the first is {' and '.join(missing[0])}"
    if extra:
        return f"pair {' and '.join(extra[0])} is not of the models in matrix.json"
    return "the pairs are not sorted, or some are repeated"
