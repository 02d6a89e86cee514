"""Kernel and distance tiles from one dot-product tile.

The engine computes, per model and tile, the dot products t_ab = x_a . x_b of centred, scaled
features once. Every kernel here is a few in-place passes over a copy of that tile. With
h_a = |x_a|^2 and squared distances d2_ab = h_a + h_b - 2 t_ab:

- linear: t
- RBF: expm1(-scale^2 d2 / (2 sigma^2)), less its mean: a constant added to a kernel drops out of
  HSIC and the small numbers keep their digits
- Euclidean distance: sqrt(d2), up to the scale
- cosine distance: with N_a the norm of the row before centring and s_a = 1 / N_a,
  1 - cos = s_a s_b (d2 - (N_a - N_b)^2) / 2: a difference of small numbers where 1 - cos is small
- correlation distance: the same with N_a the norm of the row less its own mean, and a further
  -(q_a - q_b)^2 where q_a = sqrt(d) times the row's mean.

The last two are -s_a s_b t plus a matrix of rank 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from simcons.core.arrays import Array, FileRows
from simcons.similarity.measures import MeasureCall
from simcons.similarity.prepare import Prepared

SAMPLE_ROWS = 300  # rows on which the mean of a kernel is estimated
MEDIAN_ROWS = 2000  # rows on which the median distance is taken
MAX_GAMMA = 1e30  # of the RBF exponent: beyond it float32 would overflow; exp is 0 long before


@dataclass(frozen=True, order=True)
class Kernel:
    """A kernel or distance that tiles are made of.

    Parameters
    ----------
    kind
        ``"linear"``, ``"rbf"``, ``"euclidean"``, ``"cosine"`` or ``"correlation"``.
    sigma
        The RBF's bandwidth, else 0.
    relative
        Whether sigma is a share of the model's median distance.
    """

    kind: str
    sigma: float = 0.0
    relative: bool = False

    @property
    def is_distance(self) -> bool:
        """Whether this is a distance of RSA rather than a kernel of HSIC."""
        return self.kind in ("euclidean", "cosine", "correlation")


def kernel_of(call: MeasureCall) -> Kernel:
    """Return the kernel or distance that a measure is computed from."""
    if call.measure.family == "rsa":
        return Kernel(call.options["distance"])
    if "fraction" in call.options:
        return Kernel("rbf", call.options["fraction"], True)
    if "sigma" in call.options:
        return Kernel("rbf", call.options["sigma"])
    return Kernel("linear")


@dataclass(frozen=True)
class TileMaker:
    """One kernel of one model: turns dot-product tiles into kernel tiles.

    Parameters
    ----------
    left, right
        (n, r) factors of the matrix of low rank that is added.
    row
        (n,) scale of rows and columns of t, or None.
    beta
        The factor of t.
    finish
        In-place function on the sum, such as expm1, or None.
    shift
        The mean over pairs, subtracted.
    diagonal
        (n,) float64 the kernel's true diagonal, less the shift.
    magnitude
        The size of entries that rounding errors are relative to.
    fixed
        (n,) bool rows whose distances are set to 1 (rows without a direction), or None.
    twin
        (n,) int64 equal for equal rows, whose distance is set to 0, or None.
    """

    left: torch.Tensor | None
    right: torch.Tensor | None
    row: torch.Tensor | None
    beta: float
    finish: Callable[[torch.Tensor], torch.Tensor] | None
    shift: float
    diagonal: Array
    magnitude: float
    fixed: torch.Tensor | None
    twin: torch.Tensor | None

    def __call__(self, t: torch.Tensor, a: slice, b: slice, out: torch.Tensor) -> None:
        """Write the kernel tile of rows a and columns b, made from dot products t, into out."""
        if self.left is None or self.right is None:
            if out is not t:
                out.copy_(t)
        elif self.row is None:
            torch.addmm(t, self.left[a], self.right[b].T, beta=self.beta, out=out)
        else:
            torch.mul(t, self.row[a, None], out=out)
            out.mul_(self.row[None, b])
            out.addmm_(self.left[a], self.right[b].T, beta=self.beta)
        if self.finish is not None:
            self.finish(out)
        if self.twin is not None:  # expm1 of 0 is 0 too
            out.masked_fill_(self.twin[a, None] == self.twin[None, b], 0.0)
        if self.fixed is not None:
            out.masked_fill_(self.fixed[a, None] | self.fixed[None, b], 1.0)
        if self.shift:
            out.sub_(self.shift)


def _expm1(tile: torch.Tensor) -> torch.Tensor:
    return tile.clamp_(max=0).expm1_()


def _sqrt(tile: torch.Tensor) -> torch.Tensor:
    return tile.clamp_(min=0).sqrt_()


def _columns(*columns: Array | float, n: int) -> Array:
    return np.stack([np.broadcast_to(c, (n,)) for c in columns], axis=1)


def _factors(kernel: Kernel, model: Prepared) -> tuple[Array, Array, Array | None, float]:
    """Return left, right (n, r), row scale (n,) or None, and beta, in float64."""
    h, n = model.square, len(model.square)
    if kernel.kind == "rbf":
        unit = median_distance(model) if kernel.relative else 1 / model.scale
        width = unit * kernel.sigma
        gamma = min(0.5 / (width * width), MAX_GAMMA) if width > 0 else MAX_GAMMA
        return _columns(-gamma * h, -gamma, n=n), _columns(1.0, h, n=n), None, 2 * gamma
    if kernel.kind == "euclidean":
        return _columns(h, 1.0, n=n), _columns(1.0, h, n=n), None, -2.0
    size = model.norm if kernel.kind == "cosine" else model.spread
    offset = model.mean if kernel.kind == "correlation" else np.zeros(n)
    q = math.sqrt(model.x.shape[1]) * (offset - offset.mean())
    s = np.divide(1.0, size, out=np.zeros(n), where=size > 0)
    N = size - size.mean()
    g = h - q * q - N * N
    left = _columns(0.5 * g * s, 0.5 * s, s * q, s * N, n=n)
    return left, _columns(s, g * s, s * q, s * N, n=n), s, -1.0


def median_distance(model: Prepared) -> float:
    """Return the median distance between a few hundred images, in units of x, in float64."""
    x = _rows_of(_sample(model, MEDIAN_ROWS))
    return float(torch.quantile(torch.pdist(x), 0.5))


def _rows_of(sample: Prepared) -> torch.Tensor:
    assert not isinstance(sample.x, FileRows)
    return torch.from_numpy(sample.x).double()


def _sample(model: Prepared, count: int) -> Prepared:
    """Return some rows of a model, evenly spread over the (random) order of images."""
    n = len(model.square)
    rows = np.unique(np.linspace(0, n - 1, min(n, count)).astype(int))
    return Prepared(
        model.x[rows],
        model.scale,
        model.square[rows],
        model.norm[rows],
        model.mean[rows],
        model.spread[rows],
        None if model.twin is None else model.twin[rows],
    )


def _tile_maker(
    kernel: Kernel, model: Prepared, shift: float, device: torch.device, dtype: torch.dtype
) -> TileMaker:
    n = len(model.square)
    if kernel.kind == "linear":
        return TileMaker(None, None, None, 1.0, None, 0.0, model.square, 1.0, None, None)
    left, right, row, beta = _factors(kernel, model)
    finish = {"rbf": _expm1, "euclidean": _sqrt}.get(kernel.kind)
    fixed = None if row is None or row.all() else torch.from_numpy(row == 0).to(device)

    def tensor(array: Array | None) -> torch.Tensor | None:
        return None if array is None else torch.from_numpy(array).to(device, dtype)

    return TileMaker(
        left=tensor(left),
        right=tensor(right),
        row=tensor(row),
        beta=beta,
        finish=finish,
        shift=shift,
        diagonal=np.full(n, -shift),
        magnitude=abs(shift),
        fixed=fixed,
        twin=None if model.twin is None else torch.from_numpy(model.twin).to(device),
    )


def make_tile_maker(kernel: Kernel, model: Prepared, device: torch.device) -> TileMaker:
    """Return what makes a kernel's tiles for one model, its mean estimated on a few hundred rows.

    Constant rows have no correlation with anything (rows of zeros no cosine): their distance to
    every other row is set to 1.
    """
    dtype = torch.float64 if model.x.dtype == np.dtype(np.float64) else torch.float32
    shift = 0.0 if kernel.kind == "linear" else _mean(kernel, model)
    return _tile_maker(kernel, model, shift, device, dtype)


def sample_tile(kernel: Kernel, model: Prepared) -> torch.Tensor:
    """Return the (s, s) tile of a few hundred rows, in float64, not shifted."""
    sample = _sample(model, SAMPLE_ROWS)
    every = slice(0, len(sample.square))
    x = _rows_of(sample)
    dot = x @ x.T
    tile = torch.empty_like(dot)
    scale = median_distance(model) / median_distance(sample) if kernel.relative else 1.0
    scaled = Kernel(kernel.kind, kernel.sigma * scale, kernel.relative)
    _tile_maker(scaled, sample, 0.0, torch.device("cpu"), torch.float64)(dot, every, every, tile)
    return tile


def _mean(kernel: Kernel, model: Prepared) -> float:
    """Return the mean over pairs of a few hundred rows, in float64."""
    tile = sample_tile(kernel, model)
    pairs = len(tile) * (len(tile) - 1)
    return float((tile.sum() - tile.diagonal().sum()) / pairs)
