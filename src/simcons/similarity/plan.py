"""What is computed how, and in what memory: decided before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simcons.core.arrays import Rows
from simcons.core.errors import UserError
from simcons.similarity.blocks import Blocks, Subsets
from simcons.similarity.engine import Request
from simcons.similarity.measures import MeasureCall
from simcons.similarity.tiles import Kernel, kernel_of

GB = 1e9
MIN_EDGE = 64  # no pass with smaller tiles
GOOD_EDGE = 256  # below it matrix products slow down: rather bin ranks, or spill
BASE_BYTES = 3.5e8  # of the interpreter and torch
TYPICAL_BINS = 1 << 17
EXACT_IMAGES = 256  # up to so many, tiles are float64: a few odd images can dominate the sums


@dataclass(frozen=True)
class Task:
    """What values are asked of.

    Parameters
    ----------
    arrays
        Model id -> (n, d) features, sorted by id; they may lie in files.
    blocks, subsets
        The blocks of images, and the unions of blocks on which values are wanted.
    normalize
        Divide every row by its L2 norm first.
    memory_gb
        The memory that may be used, in 10^9 bytes.
    device
        Name of a torch device.
    """

    arrays: Mapping[str, Rows]
    blocks: Blocks
    subsets: Subsets
    normalize: bool
    memory_gb: float
    device: str

    @property
    def models(self) -> list[str]:
        """The models, sorted."""
        return list(self.arrays)

    @property
    def dims(self) -> list[int]:
        """Their feature dimensions."""
        return [array.shape[1] for array in self.arrays.values()]

    @property
    def exact(self) -> bool:
        """Whether tiles are float64."""
        return self.blocks.n_images <= EXACT_IMAGES and not self.device.startswith("mps")


def linear_space(task: Task, *, other_kernels: bool) -> dict[str, Any]:
    """Decide by cost where linear CKA is computed, and return the reason.

    In floating-point operations: tiles need n^2 d for each model's upper triangle and n^2 m^2 to
    add up products; where tiles are made for other kernels anyway, only the latter. Feature space
    needs n d_i d_j for every pair.
    """
    n, m, total = task.blocks.n_images, len(task.dims), float(sum(task.dims))
    tiles = float(n) ** 2 * (m * m + (0.0 if other_kernels else total))
    features = n * total * total
    return {
        "space": "features" if n > EXACT_IMAGES and features < tiles else "tiles",
        "operations_tiles": tiles,
        "operations_features": features,
    }


def ranks_distances(call: MeasureCall) -> bool:
    """Return whether a measure needs the ranks of distances."""
    return call.options.get("correlation") == "spearman"


def requests(calls: Sequence[MeasureCall]) -> dict[Kernel, Request]:
    """Return what measures want of each kernel, with exact ranks."""
    wanted: dict[Kernel, list[bool]] = {}
    for call in calls:
        wanted.setdefault(kernel_of(call), []).append(ranks_distances(call))
    return {
        kernel: Request(products=not all(ranks), rows=not kernel.is_distance, values=any(ranks))
        for kernel, ranks in wanted.items()
    }


@dataclass(frozen=True)
class Plan:
    """How a pass over tiles uses its memory.

    Parameters
    ----------
    edge
        Largest side of a tile, at most a block's size.
    spill
        Whether prepared features lie in a scratch file.
    requests
        What is wanted of each kernel, ranks exact or binned.
    """

    edge: int
    spill: bool
    requests: dict[Kernel, Request]


def make_plan(
    blocks: Blocks,
    dims: Sequence[int],
    requests: Mapping[Kernel, Request],
    memory_gb: float,
    exact: bool = False,
) -> Plan:
    """Fit a pass over tiles into the memory.

    In order of preference: all in memory with exact ranks; binned ranks; features in a scratch
    file as well.

    Parameters
    ----------
    blocks
        The blocks of images.
    dims
        Feature dimensions of the m models.
    requests
        What is wanted of each kernel, with exact ranks.
    memory_gb
        In 10^9 bytes.
    exact
        Whether tiles are float64.

    Raises
    ------
    UserError
        If not even small tiles fit.
    """
    binned = {
        k: replace(r, values=False, bins=True) if r.values else r for k, r in requests.items()
    }
    largest = int(blocks.sizes.max())
    smallest, good = min(MIN_EDGE, largest), min(GOOD_EDGE, largest)
    for wanted, spill in ((dict(requests), False), (binned, False), (binned, True)):
        fixed, per_entry = _memory(blocks, dims, list(wanted.values()), spill, 8 if exact else 4)
        left = memory_gb * GB - BASE_BYTES - fixed
        edge = min(largest, int(np.sqrt(max(left, 0.0) / per_entry)))
        if edge >= (smallest if spill else good):
            return Plan(edge, spill, wanted)
    need = (BASE_BYTES + fixed + per_entry * smallest**2) / GB
    raise UserError(
        f"memory_gb is {memory_gb:g}, but {len(dims)} models x {blocks.n_images} images need at "
        f"least {need:.2g}"
    )


def _memory(
    blocks: Blocks, dims: Sequence[int], requests: Sequence[Request], spill: bool, size: int
) -> tuple[float, float]:
    """Return the bytes of a pass apart from tiles, and the bytes per entry of a tile."""
    n, m, B = blocks.n_images, len(dims), blocks.n_blocks
    total = sum(dims)
    fixed = 40.0 * m * n + (2.0 * size * blocks.sizes.max() if spill else size * n) * total
    per_entry = size * (m * len(requests) + 2.0)
    for request in requests:
        fixed += 8 * m * m * B * (B + 1) / 2 + 5 * size * m * n
        fixed += float(size) * m * n * B * request.rows
        fixed += (size * m + 48.0) * n * (n - 1) / 2 * request.values
        fixed += 12.0 * m * TYPICAL_BINS * request.bins
        per_entry += 16.0 * request.bins
    return fixed, per_entry
