"""Features made ready for the engine: checked, normalised, centred, scaled, in block order.

Everything that must be exact happens here in float64; the engine's tiles are float32 but for few
images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simcons.errors import UserError

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK_ROWS = 1024
LAZY = ("shape", "dtype", "ndim", "__getitem__")  # arrays that are read by rows when needed
CONSTANT = 1e-12  # a spread below this share of the mean's norm is float64 rounding


@dataclass(frozen=True)
class Spilled:
    """A (n, d) array in a file, read by rows explicitly: mapped pages would count as our memory.

    Parameters
    ----------
    path
        The raw file.
    shape
        (n, d).
    dtype
        Its type.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]

    def __getitem__(self, rows: slice) -> Array:
        width = self.shape[1]
        count = (rows.stop - rows.start) * width
        offset = rows.start * width * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, count, offset=offset).reshape(-1, width)


def rows_at(x: Array | Spilled, rows: Array) -> Array:
    """Return single rows of x by number."""
    if isinstance(x, Spilled):
        return np.concatenate([x[slice(int(r), int(r) + 1)] for r in rows])
    return x[rows]


@dataclass(frozen=True)
class Prepared:
    """One model's features for the engine.

    With y the (L2-normalised, if asked for) feature rows in float64 and mu their mean,
    ``x = (y - mu) / scale``.

    Parameters
    ----------
    x
        (n, d) float32 (float64 if exact), in block order; mean squared row norm near 1.
    scale
        Float; what x was divided by.
    square
        (n,) float64 squared norms of the rows of x.
    norm
        (n,) float64 norms of the rows of y / scale.
    mean
        (n,) float64 means over dimensions of the rows of y / scale.
    spread
        (n,) float64 norms of the rows of y / scale less their own means; 0 for a constant row.
    twin
        (n,) int64, equal for equal rows of x, or None where all rows differ: float32 products
        cannot tell a distance of 0 from a small one.
    """

    x: Array | Spilled
    scale: float
    square: Array
    norm: Array
    mean: Array
    spread: Array
    twin: Array | None


def check_features(features: Mapping[str, Any]) -> dict[str, Array]:
    """Return the features as arrays, sorted by model id, if their shapes agree.

    Raises
    ------
    UserError
        If there are no models, an array is not two-dimensional with real numbers, or the number of
        rows differs between models.
    """
    if len(features) == 0:
        raise UserError("no features given: similarity needs at least one model")
    arrays = {name: _as_array(name, features[name]) for name in sorted(features)}
    first = next(iter(arrays))
    n = len(arrays[first])
    for name, array in arrays.items():
        if len(array) != n:
            raise UserError(
                f"features of model '{name}' have {len(array)} rows, those of '{first}' {n}: "
                "all models need the same images in the same order"
            )
    return arrays


def _as_array(name: str, value: Any) -> Array:
    if hasattr(value, "detach"):  # a torch tensor, without importing torch
        value = value.detach().cpu().numpy()
    array = value if all(hasattr(value, a) for a in LAZY) else np.asanyarray(value)
    if array.ndim != 2 or array.dtype.kind not in "fiub" or array.shape[1] == 0:
        raise UserError(
            f"features of model '{name}' have shape {array.shape} and type {array.dtype}; "
            "needed: (n_images, n_dimensions), real numbers"
        )
    return array


def prepare(
    name: str,
    source: Array,
    order: Array,
    *,
    normalize: bool,
    exact: bool = False,
    spill: Path | None = None,
) -> Prepared:
    """Make one model's features ready.

    Parameters
    ----------
    name
        The model's id, for messages.
    source
        (n, d) array, may be memory-mapped; it is read in chunks of rows, twice.
    order
        (n,) the rows wanted, in this order.
    normalize
        Divide every row by its L2 norm first; a row of zeros stays zero.
    exact
        Keep x in float64.
    spill
        Write x to this file instead of keeping it in memory.

    Raises
    ------
    UserError
        If a value is NaN or infinite, values are too large for float64 squares, or all rows are
        the same (a constant model has HSIC 0 and no similarity).
    """
    n, dim = source.shape
    mean, mean_square = moments(name, source, order, normalize)
    size = float(np.sqrt(mean @ mean))
    variance = mean_square - size**2  # cancels near 0; only the order of magnitude is used
    scale = float(np.sqrt(max(variance, 1e-14 * mean_square))) or 1.0
    dtype = np.dtype(np.float64 if exact else np.float32)
    x = np.empty((n, dim), dtype) if spill is None else None
    square, hashes = np.empty(n), np.empty(n, dtype=np.uint64)
    norm, row_mean, spread = np.empty(n), np.empty(n), np.empty(n)
    for rows, block in _chunks(source, order, normalize):
        part = ((block - mean) / scale).astype(dtype)
        square[rows] = np.square(part, dtype=np.float64).sum(axis=1)
        hashes[rows] = hash_rows(part)
        if x is None:
            assert spill is not None
            with spill.open("ab") as file:
                part.tofile(file)
        else:
            x[rows] = part
        block = block / scale
        norm[rows] = np.sqrt(np.square(block).sum(axis=1))
        row_mean[rows] = block.mean(axis=1)
        spread[rows] = np.sqrt(np.square(block - row_mean[rows, None]).sum(axis=1))
    spread[spread <= CONSTANT * norm] = 0.0
    if np.sqrt(square.mean()) * scale <= CONSTANT * size or not square.any():
        raise UserError(
            f"model '{name}' is constant: its features are the same for all {n} images "
            f"{'after L2 normalisation ' if normalize else ''}(HSIC 0, similarity undefined)"
        )
    kept = x if x is not None else Spilled(Path(str(spill)), (n, dim), dtype)
    return Prepared(kept, scale, square, norm, row_mean, spread, twins(hashes))


def hash_rows(x: Array) -> Array:
    """Return (n,) 64-bit hashes of rows: the sum of their 32-bit words times fixed odd factors."""
    words = np.ascontiguousarray(x).view(np.uint32)
    factors = np.random.default_rng(0).integers(0, 2**63, words.shape[1], dtype=np.uint64)
    return (words * (2 * factors + 1)).sum(axis=1)


def twins(hashes: Array) -> Array | None:
    """Return (n,) numbers that are equal for equal hashes, None if all differ."""
    values, index = np.unique(hashes, return_inverse=True)
    return index if len(values) < len(hashes) else None


def moments(name: str, source: Array, order: Array, normalize: bool) -> tuple[Array, float]:
    """Return the mean row (d,) and the mean squared norm, in float64; check that all is finite."""
    total = np.zeros(source.shape[1])
    square = 0.0
    for rows, block in _chunks(source, order, normalize, name):
        total += block.sum(axis=0)
        with np.errstate(over="ignore"):
            square += float(np.square(block).sum())
        if not np.isfinite(square):
            raise UserError(
                f"features of model '{name}' are too large to square (rows {rows.start} and on)"
            )
    return total / len(order), square / len(order)


def _chunks(
    source: Array, order: Array, normalize: bool, check: str | None = None
) -> Iterator[tuple[slice, Array]]:
    """Iterate over (positions, float64 rows), normalised if asked for, checked if named."""
    for start in range(0, len(order), CHUNK_ROWS):
        index = order[start : start + CHUNK_ROWS]
        block = np.asarray(source[index], dtype=np.float64)
        if check is not None and not np.isfinite(block).all():
            row, column = np.argwhere(~np.isfinite(block))[0]
            raise UserError(
                f"features of model '{check}' hold {block[row, column]} (image {index[row]}, "
                f"dimension {column}); all values must be finite"
            )
        yield slice(start, start + len(index)), normalized_rows(block) if normalize else block


def normalized_rows(block: Array) -> Array:
    """Divide rows by their L2 norms without overflow; rows of zeros stay zero."""
    largest = np.abs(block).max(axis=1, keepdims=True)
    block = block / np.where(largest > 0, largest, 1.0)
    norm = np.sqrt(np.square(block).sum(axis=1, keepdims=True))
    return block / np.where(norm > 0, norm, 1.0)
