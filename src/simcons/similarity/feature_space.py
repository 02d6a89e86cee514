"""Linear CKA in feature space: cheap where there are many more images than dimensions.

With C_p = X_i[p]' X_j[p] the (d_i, d_j) cross products of two models over the images of block p,
the sum of K_i K_j over the tile of blocks p and q is <C_p, C_q>, and all other sums that HSIC needs
follow from C_p and sums over blocks. Memory does not grow with the number of images; rows are read
in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from simcons.core.arrays import Array, Rows
from simcons.core.errors import UserError
from simcons.core.progress import progress
from simcons.similarity.blocks import Subsets
from simcons.similarity.from_sums import HsicParts
from simcons.similarity.plan import GB, Task
from simcons.similarity.prepare import moments

CHUNK_BYTES = 1 << 28  # of rows of all models, in float64


@dataclass
class _Model:
    """What is kept of one model: how to make its rows, and sums over blocks."""

    source: Rows
    mean: Array
    scale: float
    divisor: Array  # (n, 1) of the rows read
    sums: Array  # (B, d) sums of rows
    squares: Array  # (B,) sums of squared norms
    crossed: Array  # (B, m, d) sums of rows times the squared norms of each model's rows


def linear_parts(task: Task, device: torch.device) -> HsicParts:
    """Return the sums that HSIC needs, per subset, for linear kernels.

    The memory decides how many pairs of models are done in one reading of the features.
    """
    blocks, subsets = task.blocks, task.subsets
    block_of = np.empty(blocks.n_images, dtype=np.int64)
    block_of[blocks.order] = blocks.of_position
    models = [_model(name, task) for name in task.models]
    m, count = len(models), len(subsets.members)
    trace, row_product, cross = np.zeros((3, count, m, m))
    own = np.zeros((blocks.n_blocks, m, m))
    pairs = [(i, j) for i in range(m) for j in range(i, m)]
    groups = _groups(pairs, task.dims, blocks.n_blocks, task.memory_gb)
    work = float(blocks.n_images * (len(groups) + 1))
    with progress("linear CKA in feature space", work, "images") as advance:
        for rows, p, parts in _parts(models, list(range(m)), block_of, device):
            _add_sums(models, parts, p, own)
            advance(rows)
        for group in groups:
            used = sorted({i for pair in group for i in pair})
            products = {
                (i, j): torch.zeros((blocks.n_blocks, task.dims[i], task.dims[j]), device=device)
                for i, j in group
            }
            for rows, p, parts in _parts(models, used, block_of, device):
                for (i, j), product in products.items():
                    product[p].addmm_(parts[i].T, parts[j])
                advance(rows)
            for (i, j), product in products.items():
                found = _pair_parts(models[i], models[j], product, subsets)
                trace[:, i, j], row_product[:, i, j] = found
                trace[:, j, i], row_product[:, j, i] = found
    member = subsets.members.astype(np.float64)
    for i, model in enumerate(models):
        # sum over images a of (x_a . s_i) |y_a|^2, with s_i the sum of x over the subset
        cross[:, i] = np.einsum(
            "sq,sp,qd,pjd->sj", member, member, model.sums, model.crossed, optimize=True
        )
    cross = cross + cross.transpose(0, 2, 1)
    own = np.tensordot(member, own, axes=1)
    total = np.stack([np.square(member @ x.sums).sum(axis=1) for x in models], axis=1)
    diagonal = np.stack([member @ x.squares for x in models], axis=1)
    return HsicParts(
        trace=trace - own,
        row_product=row_product - cross + own,
        total=total - diagonal,
        own=own,
        row_product_biased=row_product,
        total_biased=total,
        n=(subsets.members @ blocks.sizes).astype(np.float64),
        magnitude=np.ones(m),
    )


def _add_sums(models: list[_Model], parts: dict[int, torch.Tensor], p: int, own: Array) -> None:
    """Add some rows of block p of all models to the sums over blocks."""
    exact = {i: x.double() for i, x in parts.items()}
    squares = torch.stack([exact[i].square().sum(1) for i in range(len(models))])
    own[p] += (squares @ squares.T).cpu().numpy()
    for i, model in enumerate(models):
        model.sums[p] += exact[i].sum(0).cpu().numpy()
        model.squares[p] += float(squares[i].sum())
        model.crossed[p] += (squares @ exact[i]).cpu().numpy()


def _model(name: str, task: Task) -> _Model:
    """Read a model once for its mean and scale.

    Raises
    ------
    UserError
        If values are not finite or the model is constant.
    """
    source, n_blocks = task.arrays[name], task.blocks.n_blocks
    found = moments(name, source, np.arange(len(source)), task.normalize)
    if found.variance <= 1e-13 * found.square:
        raise UserError(
            f"model '{name}' is constant: its features are the same for all {len(source)} images "
            "(HSIC 0, similarity undefined)"
        )
    dim = source.shape[1]
    return _Model(
        source,
        found.mean.numpy(),
        float(np.sqrt(found.variance)),
        found.divisor.numpy()[:, None],
        np.zeros((n_blocks, dim)),
        np.zeros(n_blocks),
        np.zeros((n_blocks, len(task.arrays), dim)),
    )


def _groups(
    pairs: list[tuple[int, int]], dims: list[int], n_blocks: int, memory_gb: float
) -> list[list[tuple[int, int]]]:
    """Divide pairs into groups whose products C_p of all blocks fit into the memory together."""
    budget = 0.6 * memory_gb * GB
    groups: list[list[tuple[int, int]]] = []
    used = budget
    for i, j in pairs:
        size = 4.0 * n_blocks * dims[i] * dims[j]
        if used + size > budget or not groups:
            groups.append([])
            used = 0.0
        groups[-1].append((i, j))
        used += size
    return groups


def _parts(
    models: list[_Model], used: list[int], block_of: Array, device: torch.device
) -> Iterator[tuple[int, int, dict[int, torch.Tensor]]]:
    """Iterate over (count, block, float32 rows of each used model), reading files in order."""
    width = sum(models[i].source.shape[1] for i in used)
    step = max(1, CHUNK_BYTES // (8 * width))
    for start in range(0, len(block_of), step):
        stop = min(start + step, len(block_of))
        chunk = {}
        for i in used:
            x = np.array(models[i].source[start:stop], dtype=np.float64)
            x /= models[i].divisor[start:stop]
            x = ((x - models[i].mean) / models[i].scale).astype(np.float32)
            chunk[i] = torch.from_numpy(x).to(device)
        blocks = block_of[start:stop]
        for p in np.unique(blocks):
            rows = torch.from_numpy(np.flatnonzero(blocks == p)).to(device)
            yield len(rows), int(p), {i: x.index_select(0, rows) for i, x in chunk.items()}


def _pair_parts(
    a: _Model, b: _Model, product: torch.Tensor, subsets: Subsets
) -> tuple[Array, Array]:
    """Return tr(K_i K_j) and 1'K_i K_j 1 of a pair per subset (S,), diagonals kept."""
    member = subsets.members.astype(np.float64)
    flat = product.flatten(1)
    gram = (flat @ flat.T).double().cpu().numpy()
    trace = np.einsum("sp,pq,sq->s", member, gram, member, optimize=True)
    left = torch.from_numpy(a.sums).to(product.device, torch.float32)
    right = torch.from_numpy(b.sums).to(product.device, torch.float32)
    bilinear = (left @ product @ right.T).double().cpu().numpy()  # (B, B, B)
    row_product = np.einsum("sp,sq,sr,pqr->s", member, member, member, bilinear, optimize=True)
    return trace, row_product
