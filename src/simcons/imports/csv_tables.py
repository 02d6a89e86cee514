"""The authors' aggregated CSV tables: similarities of all pairs, accuracies of all models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simcons.core.errors import UserError
from simcons.core.files import read_csv
from simcons.imports.matrices import Matrix, checked
from simcons.imports.published_files import Left, dataset_name, measure_name, reason
from simcons.imports.published_probes import check_share

if TYPE_CHECKING:
    import pandas as pd

SIMILARITY_COLUMNS = ("Similarity metric", "DS", "Model 1", "Model 2", "Similarity value")
ACCURACY_COLUMNS = ("DS", "Model", "TestAcc")


def read_similarity_table(
    path: Path,
) -> tuple[dict[tuple[str, str], Matrix], list[Left]]:
    """Return the similarity matrices that the table of all pairs holds.

    Returns
    -------
    matrices : dict
        By (data set, measure), in our names.
    left : list
        Each group of rows that makes no matrix.
    """
    table = _read(path, SIMILARITY_COLUMNS)
    found: dict[tuple[str, str], Matrix] = {}
    left = []
    for (metric, dataset), rows in table.groupby(["Similarity metric", "DS"], sort=True):
        where = f"{path.name}: {metric} on {dataset}"
        try:
            place = (dataset_name(str(dataset)), measure_name(str(metric)))
            if place in found:
                raise UserError(f"{where}: comes twice, under two names")
            found[place] = _matrix(where, rows)
        except UserError as error:
            left.append(Left(where, reason(error, f"{where}: ")))
    return found, left


def _matrix(where: str, rows: pd.DataFrame) -> Matrix:
    """Return the matrix of pairs given once or in both orders."""
    if (again := rows.duplicated(["Model 1", "Model 2"])).any():
        twice = rows[again].iloc[0]
        raise UserError(f"{where}: {twice['Model 1']} and {twice['Model 2']} come twice")
    ids = sorted({*rows["Model 1"], *rows["Model 2"]})
    table = rows.pivot(index="Model 1", columns="Model 2", values="Similarity value")
    table = table.reindex(index=ids, columns=ids).astype(float)
    values = table.fillna(table.T).to_numpy(copy=True)
    alone = np.flatnonzero(np.isnan(values.diagonal()))
    values[alone, alone] = 1.0
    if np.isnan(values).any():
        i, j = np.argwhere(np.isnan(values))[0]
        raise UserError(
            f"{where}: no value for {ids[i]} and {ids[j]} "
            f"({int(np.isnan(values).sum()) // 2} pairs are missing)"
        )
    return checked(where, values, ids)


def read_accuracy_table(
    path: Path,
) -> tuple[dict[tuple[str, str], float], list[Left]]:
    """Return top-1 accuracies by (data set, model), and the rows left.

    Models are checked by the caller.
    """
    table = _read(path, ACCURACY_COLUMNS)
    found: dict[tuple[str, str], float] = {}
    left = []
    for dataset, rows in table.groupby("DS", sort=True):
        where = f"{path.name}: {dataset}"
        try:
            name = dataset_name(str(dataset))
            if rows["Model"].duplicated().any():
                twice = rows["Model"][rows["Model"].duplicated()].iloc[0]
                raise UserError(f"model '{twice}' comes twice")
            values = dict(zip(rows["Model"], rows["TestAcc"].astype(float), strict=True))
            for model, value in values.items():
                check_share(model, "TestAcc", value)
            found |= {(name, model): value for model, value in values.items()}
        except (UserError, ValueError) as error:
            left.append(Left(where, str(error)))
    return found, left


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    table = read_csv(path)
    for column in columns:
        if column not in table.columns:
            raise UserError(f"{path}: no column '{column}'; it has {', '.join(table.columns)}")
    names = [c for c in columns if "value" not in c and c != "TestAcc"]
    return table[(table[names] != "").all(axis=1)].dropna(subset=names)
