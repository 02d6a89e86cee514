"""Accuracies of linear probes as published, as rows of our results table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcons.core.errors import UserError
from simcons.core.files import read_json

if TYPE_CHECKING:
    import pandas as pd

#: Column of the authors' table -> column of ours.
COLUMNS = {
    "test_lp_acc1": "top1",
    "test_lp_acc5": "top5",
    "test_lp_mean_per_class_recall": "mean_per_class_recall",
    "learning_rate": "learning_rate",
    "reg_lambda": "weight_decay",
}
SHARES = ("top1", "top5", "mean_per_class_recall")
PUBLISHED = "published"

# Of our columns, those that are not floats; what was not published is missing in each.
_TYPES: dict[str, Any] = {
    "model": object,
    "solver": object,
    "learning_rate_on_edge": "boolean",
    "weight_decay_on_edge": "boolean",
    **dict.fromkeys(
        ("seed", "n_train", "n_validation", "n_test", "n_classes", "n_unseen_classes", "n_trials"),
        "Int64",
    ),
}


def read_result(path: Path) -> dict[str, float]:
    """Return what a ``results.json`` (a pandas table of one row) says, in our columns.

    Raises
    ------
    UserError
        If it is no such table, has no top-1 accuracy, or an accuracy is not within [0, 1].
    """
    row = _single_row(path, read_json(path))
    found = {
        ours: float(row[theirs])
        for theirs, ours in COLUMNS.items()
        if isinstance(row.get(theirs), int | float) and not isinstance(row[theirs], bool)
    }
    if "top1" not in found:
        raise UserError(f"{path}: no number 'test_lp_acc1'")
    for column in SHARES:
        if column in found:
            check_share(path, column, found[column])
    return found


def check_share(where: object, name: str, value: float) -> None:
    """Refuse an accuracy that is not within [0, 1] (a percentage, or no number)."""
    if not 0 <= value <= 1:
        raise UserError(f"{where}: {name} is {value:g}; allowed: a share between 0 and 1")


def _single_row(path: Path, value: Any) -> Mapping[str, Any]:
    """Return the row of a table that pandas wrote by columns, by records or as one object."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0]
    if isinstance(value, dict) and value:
        cells = list(value.values())
        if all(isinstance(cell, dict) and len(cell) == 1 for cell in cells):
            return {column: next(iter(cell.values())) for column, cell in value.items()}
        if all(isinstance(cell, list) and len(cell) == 1 for cell in cells):
            return {column: cell[0] for column, cell in value.items()}
        if not any(isinstance(cell, dict | list) for cell in cells):
            return value
    raise UserError(f"{path}: not a table of one row")


def probe_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return published accuracies as our results table.

    Parameters
    ----------
    rows
        Each with ``model``, ``top1``, and what else is known (``seed`` and `COLUMNS`).

    Returns
    -------
    DataFrame
        The columns of a results table; whatever was not published is missing, not 0.
    """
    import pandas as pd

    from simcons.probes.results import row_columns

    table = pd.DataFrame(list(rows)).assign(solver=PUBLISHED).reindex(columns=row_columns())
    types = {column: _TYPES.get(column, float) for column in row_columns()}
    return table.astype(types).sort_values(["model", "seed"], ignore_index=True)
