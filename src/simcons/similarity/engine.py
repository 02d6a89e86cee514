"""The one pass over block pairs: every model's tile once, every pair of models by one GEMM.

For kernels K_i of m models the sums G_ij = sum_ab K_i[a, b] K_j[a, b] per block pair, and each
model's row sums per block, are all that HSIC and the correlation of distance matrices need; see
`from_sums` for the arithmetic. No n x n matrix exists at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch

from simcons.core.arrays import Array, FileRows
from simcons.core.progress import progress
from simcons.similarity.blocks import Blocks
from simcons.similarity.prepare import Prepared
from simcons.similarity.tiles import Kernel

ZERO_ENTRY = 1e-6  # the share of a tile's entry that float32 cannot tell from zero


@dataclass(frozen=True)
class Request:
    """What is wanted of one kernel.

    Parameters
    ----------
    products
        Sums of products of tiles (all but Spearman).
    rows
        Row sums per block (HSIC).
    values
        The distances themselves, for exact ranks (Spearman).
    bins
        A histogram of the distances, for ranks that need no n^2 memory (Spearman).
    """

    products: bool
    rows: bool
    values: bool = False
    bins: bool = False


@dataclass
class Sums:
    """Accumulated sums of one kernel, diagonal entries (a, a) left out.

    Parameters
    ----------
    products
        (P, m, m) float64 sums of K_i * K_j over the tile of each block pair p <= q; the tile of
        p < q holds each pair of images once, that of p = q twice.
    totals
        (P, m) float64 sums of K_i over the same tiles.
    rows
        (m, n, B) row sums over each block, or None.
    diagonal
        (m, n) float64 the kernels' diagonals.
    magnitude
        (m,) the size of entries that rounding errors are relative to.
    values
        (m, n (n - 1) / 2) the values of all pairs a < b, block pair after block pair, or
        None.
    """

    products: Array
    totals: Array
    rows: Array | None
    diagonal: Array
    magnitude: Array
    values: torch.Tensor | None


def pair_counts(blocks: Blocks) -> Array:
    """Return (P,) the number of pairs of different images in each block pair."""
    size = blocks.sizes
    return np.array(
        [size[p] * (size[p] - 1) // 2 if p == q else size[p] * size[q] for p, q in blocks.pairs()]
    )


@dataclass(frozen=True)
class Tile:
    """A part of a block pair: rows a, columns b, in block order."""

    pair: int
    p: int
    q: int
    a: slice
    b: slice

    @property
    def on_diagonal(self) -> bool:
        """Whether rows and columns are the same images."""
        return self.a == self.b

    @property
    def weight(self) -> int:
        """How often the tile counts: tiles beside the diagonal in a block with itself twice."""
        return 2 if self.p == self.q and not self.on_diagonal else 1

    @property
    def area(self) -> int:
        """Entries in the tile."""
        return (self.a.stop - self.a.start) * (self.b.stop - self.b.start)


def make_tiles(blocks: Blocks, edge: int) -> list[Tile]:
    """Cut the upper triangle of block pairs into tiles with sides of at most ``edge``."""
    tiles = []
    for pair, (p, q) in enumerate(blocks.pairs()):
        for a in _parts(blocks.edges[p], blocks.edges[p + 1], edge):
            for b in _parts(blocks.edges[q], blocks.edges[q + 1], edge):
                if p < q or a.start <= b.start:
                    tiles.append(Tile(pair, p, q, a, b))
    return tiles


def _parts(start: int, stop: int, edge: int) -> list[slice]:
    """Cut a range into near-equal parts of at most ``edge``."""
    count = -(-(stop - start) // edge)
    cuts = np.linspace(start, stop, count + 1).astype(int)
    return [slice(int(s), int(e)) for s, e in pairwise(cuts)]


class MakesTiles(Protocol):
    """What the engine needs of a kernel of one model; see `tiles.TileMaker`."""

    @property
    def diagonal(self) -> Array:
        """(n,) float64 the kernel's diagonal."""

    @property
    def magnitude(self) -> float:
        """The size of entries that rounding errors are relative to."""

    def __call__(self, t: torch.Tensor, a: slice, b: slice, out: torch.Tensor) -> None:
        """Write the tile of rows a, columns b, made from dot products t, into out."""


@dataclass
class _Stack:
    """Working memory of one kernel: the flattened tiles of all models."""

    request: Request
    makers: Sequence[MakesTiles]
    tiles: torch.Tensor
    sums: Sums
    filled: int = 0


def accumulate(
    models: list[Prepared],
    makers: Mapping[Kernel, Sequence[MakesTiles]],
    requests: Mapping[Kernel, Request],
    blocks: Blocks,
    edge: int,
    device: torch.device,
    counts: Mapping[Kernel, Sequence[Callable[[torch.Tensor], None]]] | None = None,
) -> dict[Kernel, Sums]:
    """Run the pass.

    Parameters
    ----------
    models
        m prepared models, in block order.
    makers
        Kernel -> a tile maker per model.
    requests
        Kernel -> what is wanted of it.
    blocks
        The blocks of images.
    edge
        Largest side of a tile.
    device
        Where tiles are computed.
    counts
        Kernel -> a function per model that counts the values of a flattened tile, for kernels of
        which a histogram is wanted.
    """
    counts = counts or {}
    tiles = make_tiles(blocks, edge)
    largest = max(tile.area for tile in tiles)
    xs = [_Rows(model, device) for model in models]
    dtype = torch.float64 if models[0].x.dtype == np.dtype(np.float64) else torch.float32
    scratch = torch.empty(largest, device=device, dtype=dtype)
    kernels = sorted(requests, key=lambda k: (k == Kernel("linear"), k))
    stacks = {k: _stack(requests[k], makers[k], blocks, scratch) for k in kernels}
    work = float(sum(tile.area for tile in tiles))
    with progress(f"similarity of {len(models)} models", work, "image pairs") as advance:
        for tile in tiles:
            _fill(tile, xs, stacks, scratch)
            for kernel, stack in stacks.items():
                _reduce(tile, stack)
                _count(tile, stack, counts.get(kernel, ()))
            advance(tile.area)
    return {kernel: stack.sums for kernel, stack in stacks.items()}


class _Rows:
    """Rows of one model on the device; of a spilled model, the last rows on the left are kept."""

    def __init__(self, model: Prepared, device: torch.device) -> None:
        self.device = device
        self.spilled = model.x if isinstance(model.x, FileRows) else None
        self.whole = None if isinstance(model.x, FileRows) else torch.from_numpy(model.x).to(device)
        self.kept: tuple[slice, torch.Tensor] | None = None

    def right(self, rows: slice) -> torch.Tensor:
        """Return (rows, d)."""
        if self.whole is not None:
            return self.whole[rows]
        assert self.spilled is not None
        return torch.from_numpy(self.spilled[rows]).to(self.device)

    def left(self, rows: slice) -> torch.Tensor:
        """Return (rows, d), read once for all tiles in a row of tiles."""
        if self.whole is not None:
            return self.whole[rows]
        if self.kept is None or self.kept[0] != rows:
            self.kept = (rows, self.right(rows))
        return self.kept[1]


def _stack(
    request: Request, makers: Sequence[MakesTiles], blocks: Blocks, like: torch.Tensor
) -> _Stack:
    dtype = np.float64 if like.dtype == torch.float64 else np.float32
    m, n, B = len(makers), blocks.n_images, blocks.n_blocks
    pairs = B * (B + 1) // 2
    sums = Sums(
        products=np.zeros((pairs, m, m)),
        totals=np.zeros((pairs, m)),
        rows=np.zeros((m, n, B), dtype=dtype) if request.rows else None,
        diagonal=np.stack([maker.diagonal for maker in makers]),
        magnitude=np.array([maker.magnitude for maker in makers]),
        values=torch.empty((m, n * (n - 1) // 2), dtype=like.dtype) if request.values else None,
    )
    return _Stack(request, makers, like.new_empty((m, len(like))), sums)


def _fill(tile: Tile, xs: list[_Rows], stacks: dict[Kernel, _Stack], scratch: torch.Tensor) -> None:
    """Compute every model's dot products once and every kernel's tile from them.

    The linear kernel's tile is the dot products: they are made where it lies, and it comes last.
    """
    shape = (tile.a.stop - tile.a.start, tile.b.stop - tile.b.start)
    linear = stacks.get(Kernel("linear"))
    for i, x in enumerate(xs):
        home = scratch if linear is None else linear.tiles[i]
        dot = home[: tile.area].view(shape)
        torch.mm(x.left(tile.a), x.right(tile.b).T, out=dot)
        for stack in stacks.values():
            out = dot if stack is linear else stack.tiles[i, : tile.area].view(shape)
            stack.makers[i](dot, tile.a, tile.b, out)
            if tile.on_diagonal:
                out.fill_diagonal_(0)


def _reduce(tile: Tile, stack: _Stack) -> None:
    """Add one tile of all models to the sums."""
    flat = stack.tiles[:, : tile.area]
    sums = stack.sums
    if stack.request.products:
        sums.products[tile.pair] += tile.weight * gram_of_rows(flat)
        cube = flat.unflatten(1, (tile.a.stop - tile.a.start, -1))
        by_row, by_column = cube.sum(2), cube.sum(1)
        sums.totals[tile.pair] += tile.weight * by_row.double().sum(1).cpu().numpy()
        if sums.rows is not None:
            sums.rows[:, tile.a, tile.q] += by_row.cpu().numpy()
            if not tile.on_diagonal:
                sums.rows[:, tile.b, tile.p] += by_column.cpu().numpy()
    if sums.values is not None:
        stack.filled += _collect(tile, flat, sums.values, stack.filled)


def gram_of_rows(flat: torch.Tensor, chunk: int = 1 << 16) -> Array:
    """Return the (m, m) float64 Gram matrix of an (m, N) array, summed in float64 over chunks."""
    total = np.zeros((len(flat), len(flat)))
    for part in flat.split(chunk, dim=1):
        total += (part @ part.T).double().cpu().numpy()
    return total


def _once(tile: Tile, flat: torch.Tensor) -> torch.Tensor:
    """Return the values of a tile's pairs of different images, each once: (m, pairs)."""
    if not tile.on_diagonal:
        return flat
    side = tile.a.stop - tile.a.start
    upper = torch.triu_indices(side, side, offset=1, device=flat.device)
    return flat[:, upper[0] * side + upper[1]]


def _count(tile: Tile, stack: _Stack, counts: Sequence[Callable[[torch.Tensor], None]]) -> None:
    """Add one tile of all models to their histograms."""
    if counts:
        for count, row in zip(counts, _once(tile, stack.tiles[:, : tile.area]), strict=True):
            count(row)


def _collect(tile: Tile, flat: torch.Tensor, values: torch.Tensor, start: int) -> int:
    """Append the values of a tile's pairs of different images, each once; return their number."""
    flat = _once(tile, flat)
    values[:, start : start + flat.shape[1]] = flat.cpu()
    return flat.shape[1]
