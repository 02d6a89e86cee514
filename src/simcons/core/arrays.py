"""Arrays of feature rows that are read when they are asked for.

Features of a large study do not fit into memory. Mapped pages count as a process's memory until
they are unmapped, so a file is mapped for each reading only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}  # of safetensors


class Rows(Protocol):
    """What readers of features need of an (n, d) array; NumPy arrays are one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    @property
    def ndim(self) -> int:
        """2."""

    def __len__(self) -> int:
        """n."""

    def __getitem__(self, rows: Any) -> Array:
        """Rows by a slice or by an array of numbers."""


def _all_rows(rows: Rows, dtype: Any = None, copy: bool | None = None) -> Array:
    """Return all rows, for NumPy (``__array__``)."""
    return np.asarray(rows[:], dtype)


@dataclass(frozen=True)
class FileRows:
    """A (n, d) array in a file.

    Parameters
    ----------
    path
        Holds the raw values, row after row.
    shape
        (n, d).
    dtype
        Type of the values.
    offset
        Where they start, in bytes.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    offset: int = 0
    ndim = 2
    __array__ = _all_rows

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Array:
        mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
        return np.array(mapped[rows])


@dataclass(frozen=True)
class SelectedRows:
    """Some rows of an array, in the order given.

    Parameters
    ----------
    source
        (n, d).
    order
        Row i of this is row ``order[i]`` of the source.
    """

    source: Rows
    order: Array
    ndim = 2
    __array__ = _all_rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of selected rows, d."""
        return (len(self.order), *self.source.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the source's values."""
        return self.source.dtype

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, rows: Any) -> Array:
        return np.asarray(self.source[self.order[rows]])


def tensor_rows(path: Path, name: str = "features") -> FileRows:
    """Return the rows of a matrix in a safetensors file, to be read when asked for.

    The format is the length of a JSON header, the header and the raw values.

    Raises
    ------
    ValueError, KeyError
        If the file is not of this format or has no such matrix of floating-point numbers.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("the header is longer than the file")
        entry = json.loads(file.read(length))[name]
    start, stop = entry["data_offsets"]
    if entry["dtype"] not in TYPES or len(entry["shape"]) != 2:
        raise ValueError(f"'{name}' is {entry['dtype']} {entry['shape']}, not a matrix of floats")
    if 8 + length + stop > path.stat().st_size:
        raise ValueError(f"the file ends before '{name}' does")
    rows, columns = entry["shape"]
    return FileRows(path, (rows, columns), np.dtype(TYPES[entry["dtype"]]), 8 + length + start)
