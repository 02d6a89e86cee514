"""Features made ready for the engine: checked, normalised, centred, scaled, in block order.

Everything that must be exact happens here in float64; the engine's tiles are float32 but for few
images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch

from simcons.core.arrays import Array, FileRows, Rows
from simcons.core.errors import UserError

CHUNK_VALUES = 1 << 18  # of a chunk of rows: what the steps on it share stays in the cache
CONSTANT = 1e-12  # a spread below this share of the mean's norm is float64 rounding
NEAR_CONSTANT = 1e-4  # a row's spread below this share of its norm is computed the careful way
NORMAL = (1e-140, 1e140)  # norms whose squares neither overflow nor underflow
TWIN = 1e-12  # equal rows have squared norms that agree to this


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

    x: Array | FileRows
    scale: float
    square: Array
    norm: Array
    mean: Array
    spread: Array
    twin: Array | None


@dataclass(frozen=True)
class Moments:
    """What a first reading of a model's rows finds, in float64.

    Parameters
    ----------
    mean
        (d,) mean of the rows y (L2-normalised, if asked for).
    square
        Mean of the squared norms of the rows y.
    divisor
        (n,) what a row read is divided by to give y: its norm, or 1.
    """

    mean: torch.Tensor
    square: float
    divisor: torch.Tensor

    @property
    def size(self) -> float:
        """Norm of the mean row."""
        return float(torch.linalg.vector_norm(self.mean))

    @property
    def variance(self) -> float:
        """Mean squared distance from the mean row; near 0 only its order of magnitude is right."""
        return self.square - self.size**2


def prepare(
    name: str,
    source: Rows,
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
        (n, d) array, may lie in a file; it is read in chunks of rows, twice.
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
    n, dim = len(order), source.shape[1]
    found = moments(name, source, order, normalize)
    scale = float(np.sqrt(max(found.variance, 1e-14 * found.square))) or 1.0
    dtype = np.dtype(np.float64 if exact else np.float32)
    x: Array | FileRows
    x = np.empty((n, dim), dtype) if spill is None else FileRows(spill, (n, dim), dtype)
    square, norm, row_mean, spread = torch.empty((4, n), dtype=torch.float64)
    centre = found.mean / scale
    for rows, y in _chunks(source, order, found.divisor * scale):
        norm[rows] = torch.linalg.vector_norm(y, dim=1)
        row_mean[rows] = y.mean(dim=1)
        spread[rows] = _spread(y, norm[rows], row_mean[rows])
        part = y.sub_(centre) if exact else y.sub_(centre).float()
        square[rows] = torch.linalg.vector_norm(part, dim=1, dtype=torch.float64).square_()
        if isinstance(x, FileRows):
            with x.path.open("ab") as file:
                part.numpy().tofile(file)
        else:
            x[rows] = part.numpy()
    if float(square.mean().sqrt()) * scale <= CONSTANT * found.size or not square.any():
        raise UserError(
            f"model '{name}' is constant: its features are the same for all {n} images "
            f"{'after L2 normalisation ' if normalize else ''}(HSIC 0, similarity undefined)"
        )
    return Prepared(
        x,
        scale,
        square.numpy(),
        norm.numpy(),
        row_mean.numpy(),
        spread.numpy(),
        twins(x, square.numpy()),
    )


def _spread(y: torch.Tensor, norm: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Return (r,) norms of rows less their own means, 0 where that is rounding.

    |y - m|^2 = |y|^2 - d m^2 needs no further pass; near 0, where it cancels, rows are done anew.
    """
    spread = (norm.square() - y.shape[1] * mean.square()).clamp_(min=0).sqrt_()
    near = spread <= NEAR_CONSTANT * norm
    if near.any():
        careful = torch.linalg.vector_norm(y[near] - mean[near, None], dim=1)
        spread[near] = torch.where(careful > CONSTANT * norm[near], careful, 0.0)
    return spread


def twins(x: Rows, square: Array) -> Array | None:
    """Return (n,) numbers that are equal for equal rows, None if all rows differ.

    Parameters
    ----------
    x
        (n, d).
    square
        (n,) squared norms of its rows: only rows that agree in it are compared.
    """
    by_size = np.argsort(square, kind="stable")
    close = np.diff(square[by_size]) <= TWIN * square[by_size][1:]
    candidates = np.sort(by_size[np.append(close, False) | np.append(False, close)])
    index = np.arange(len(square))
    step = max(1, CHUNK_VALUES // x.shape[1])
    first: dict[bytes, int] = {}
    for start in range(0, len(candidates), step):
        numbers = candidates[start : start + step]
        for number, row in zip(numbers, x[numbers] + 0.0, strict=True):  # + 0.0: no negative zeros
            index[number] = first.setdefault(blake2b(row.tobytes()).digest(), number)
    return index if len(np.unique(index)) < len(index) else None


def moments(name: str, source: Rows, order: Array, normalize: bool) -> Moments:
    """Read the rows once; check that all values are finite.

    Raises
    ------
    UserError
        If a value is NaN or infinite, or values are too large to square.
    """
    n, dim = len(order), source.shape[1]
    total = torch.zeros(dim, dtype=torch.float64)
    norm = torch.empty(n, dtype=torch.float64)
    for rows, block in _chunks(source, order):
        norm[rows] = found = row_norms(block)
        if not found.isfinite().all() or (not normalize and float(found.max()) > NORMAL[1]):
            _refuse(name, block, order[rows])
        if normalize:
            block.div_(found.where(found > 0, 1.0)[:, None])
        total += block.sum(dim=0)
    if normalize:
        return Moments(total / n, float((norm > 0).sum()) / n, norm.where(norm > 0, 1.0))
    return Moments(total / n, float(norm.square().sum()) / n, torch.ones_like(norm))


def _refuse(name: str, block: torch.Tensor, images: Array) -> NoReturn:
    """Say which value is not finite, or that they are too large."""
    bad = torch.argwhere(~block.isfinite())
    if len(bad):
        row, column = bad[0].tolist()
        raise UserError(
            f"features of model '{name}' hold {block[row, column]:g} (image {images[row]}, "
            f"dimension {column}); all values must be finite"
        )
    raise UserError(f"features of model '{name}' are too large to square (image {images[0]} ff.)")


def _chunks(
    source: Rows, order: Array, divisor: torch.Tensor | None = None
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Iterate over (positions, float64 rows, divided by a number each)."""
    step = max(1, CHUNK_VALUES // source.shape[1])
    for start in range(0, len(order), step):
        rows = slice(start, min(start + step, len(order)))
        block = torch.from_numpy(np.asarray(source[order[rows]])).double()
        yield rows, block if divisor is None else block.div_(divisor[rows, None])


def row_norms(block: torch.Tensor) -> torch.Tensor:
    """Return (r,) norms of the rows of a float64 block; huge and tiny values are no problem."""
    norm = torch.linalg.vector_norm(block, dim=1)
    odd = ~((norm > NORMAL[0]) & (norm < NORMAL[1]))
    if odd.any():
        largest = block[odd].abs().amax(dim=1)
        scaled = block[odd] / largest.where(largest > 0, 1.0)[:, None]
        norm[odd] = largest * torch.linalg.vector_norm(scaled, dim=1)
    return norm


def normalized_rows(block: Array) -> Array:
    """Divide float64 rows by their L2 norms; rows of zeros stay zero."""
    norm = row_norms(torch.from_numpy(block)).numpy()[:, None]
    return block / np.where(norm > 0, norm, 1.0)
