"""Similarity matrices as published, checked: shape, ids, diagonal, symmetry, range."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simcons.catalog import model_specs
from simcons.core.errors import UserError, did_you_mean
from simcons.imports.torch_files import Array, load_array

#: Published matrices were computed in float32 on GPUs.
DIAGONAL_TOLERANCE = 1e-3
SYMMETRY_TOLERANCE = 1e-4
RANGE_TOLERANCE = 1e-3


class Matrix(NamedTuple):
    """A checked similarity matrix of models of the catalogue.

    Attributes
    ----------
    models
        m ids, sorted.
    values
        (m, m) float64, symmetric, ones on the diagonal.
    asymmetry
        Largest difference between the two triangles as published.
    unknown
        A sentence for each id that the catalogue does not have; these models are cut out.
    """

    models: list[str]
    values: Array
    asymmetry: float
    unknown: list[str]


def read_matrix(path: Path) -> Matrix:
    """Read ``similarity_matrix.pt`` and the ``model_ids.txt`` beside it.

    Raises
    ------
    UserError
        See `checked` and `simcons.imports.torch_files.load_array`; also if there are no ids.
    """
    ids = path.with_name("model_ids.txt")
    try:
        lines = ids.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no model_ids.txt beside it, so its rows have no names") from None
    except UnicodeDecodeError:
        raise UserError(f"{ids}: not UTF-8 text") from None
    return checked(path, load_array(path), [line.strip() for line in lines if line.strip()])


def checked(where: object, values: Array, ids: Sequence[str]) -> Matrix:
    """Check a published matrix and return it, models sorted.

    Parameters
    ----------
    where
        The file, for messages.
    values
        (m, m).
    ids
        m model ids.

    Raises
    ------
    UserError
        If the shape is not (m, m), an id comes twice, a value is no finite number or not within
        [-1, 1], the diagonal is not 1, the matrix is not symmetric, or fewer than two of its models
        are in the catalogue.
    """
    m = len(ids)
    if values.shape != (m, m):
        raise UserError(f"{where}: shape {values.shape}, but {m} model ids need ({m}, {m})")
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise UserError(f"{where}: model '{twice[0]}' comes twice")
    found = np.asarray(values, dtype=np.float64)
    for problem, wrong in (
        ("is no finite number", ~np.isfinite(found)),
        ("is not within [-1, 1]", np.abs(found) > 1 + RANGE_TOLERANCE),
        ("should be 1, on the diagonal", _off_diagonal(found)),
    ):
        if wrong.any():
            i, j = map(int, np.argwhere(wrong)[0])
            count = int(wrong.sum())
            raise UserError(
                f"{where}: {found[i, j]:.6g}, of {ids[i]} and {ids[j]}, {problem}"
                + (f" ({count} such values)" if count > 1 else "")
            )
    asymmetry = float(np.abs(found - found.T).max())
    if asymmetry > SYMMETRY_TOLERANCE:
        i, j = divmod(int(np.abs(found - found.T).argmax()), m)
        raise UserError(
            f"{where}: not symmetric: {found[i, j]:.6g} and {found[j, i]:.6g} for {ids[i]} and "
            f"{ids[j]}"
        )
    known = sorted(name for name in ids if name in model_specs())
    if len(known) < 2:
        raise UserError(f"{where}: {len(known)} of its {m} models are in the catalogue")
    at = [list(ids).index(name) for name in known]
    values = ((found + found.T) / 2)[np.ix_(at, at)]
    np.fill_diagonal(values, 1.0)
    return Matrix(known, values, asymmetry, [unknown_model(n) for n in ids if n not in known])


def _off_diagonal(values: Array) -> Any:
    return np.eye(len(values), dtype=bool) & (np.abs(values - 1) > DIAGONAL_TOLERANCE)


def unknown_model(name: str) -> str:
    """Return what is to say of an id that the catalogue does not have."""
    hint = did_you_mean(name, model_specs())
    near = hint.partition("?")[0] + "?" if hint.startswith("did you mean") else "no near name"
    return f"unknown model '{name}': {near}"
