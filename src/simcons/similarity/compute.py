"""`compute_similarity`: the door to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simcons.errors import UserError
from simcons.similarity.blocks import MIN_IMAGES, Blocks, Subsets, make_blocks, make_subsets
from simcons.similarity.matrix import SimilarityMatrix, SimilarityResult
from simcons.similarity.measures import MeasureCall, parse
from simcons.similarity.prepare import Array, Prepared, check_features, prepare
from simcons.similarity.replicates import jackknife_standard_error, reliability_of_halves

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from simcons.similarity.engine import Request, Sums
    from simcons.similarity.tiles import Kernel

GB = 1e9
MIN_EDGE = 64
EXACT_IMAGES = 256  # up to so many, tiles are float64: a few odd images can dominate the sums


def compute_similarity(
    features: Mapping[str, Any],
    measures: Sequence[str],
    *,
    labels: Array | None = None,
    normalize: bool = True,
    block_seed: int = 0,
    n_blocks: int = 20,
    n_halves: int = 10,
    memory_gb: float = 4.0,
    device: str = "cpu",
) -> SimilarityResult:
    """Compute the similarity of all pairs of models by several measures in one pass.

    Parameters
    ----------
    features
        Model id -> (n, d_m) array (NumPy, memory-mapped, torch), rows of all models aligned.
    measures
        Names, see `simcons.similarity.MEASURES`.
    labels
        (n,) class of each image: blocks are then stratified, so that standard errors hold the
        classes fixed. None: blocks ignore classes.
    normalize
        Divide every feature row by its L2 norm first (a row of zeros stays zero).
    block_seed
        Decides which images form a block and which blocks a half.
    n_blocks
        Number of blocks, for standard errors; at most n // 2 are used.
    n_halves
        Number of random splits into halves, for reliability.
    memory_gb
        The memory that may be used, in 10^9 bytes.
    device
        A torch device.

    Returns
    -------
    SimilarityResult
        Measure name -> `SimilarityMatrix`, models sorted by id; with replicates and metadata.

    Raises
    ------
    UserError
        If measures, shapes or values are not valid, a model is constant, there are fewer than 4
        images, or the memory does not suffice.
    """
    calls = parse(measures)
    arrays = check_features(features)
    models = list(arrays)
    n = len(arrays[models[0]])
    if n < MIN_IMAGES:
        raise UserError(
            f"features of model '{models[0]}' have {n} rows: similarity needs at least "
            f"{MIN_IMAGES} images (unbiased HSIC divides by n - 3)"
        )
    if n_halves < 0:
        raise UserError(f"n_halves must be at least 0, got {n_halves}")
    blocks = make_blocks(n, n_blocks, block_seed, labels)
    subsets = make_subsets(blocks, n_halves, block_seed)
    sums = _sums(arrays, calls, blocks, normalize, memory_gb, device)
    notes: list[str] = []
    values = {c.name: _values(c, sums, blocks, subsets, models, notes) for c in calls}
    if blocks.n_blocks == 1:
        notes.append(f"{n} images are too few for blocks: no standard errors, no reliability")
    metadata = {
        "models": models,
        "measures": [c.name for c in calls],
        "n_images": n,
        "n_blocks": blocks.n_blocks,
        "n_halves": n_halves if blocks.n_blocks > 1 else 0,
        "block_seed": block_seed,
        "stratified": labels is not None,
        "normalize": normalize,
        "notes": notes,
    }
    matrices = {c.name: _matrix(c, values[c.name], subsets, models) for c in calls}
    return SimilarityResult(matrices, _replicates(values, subsets, models), metadata)


def _sums(
    arrays: Mapping[str, Array],
    calls: Sequence[MeasureCall],
    blocks: Blocks,
    normalize: bool,
    memory_gb: float,
    device: str,
) -> dict[tuple[Kernel, bool], Sums]:
    """Run the pass; return the sums per (kernel, whether of ranks)."""
    from simcons.similarity.engine import accumulate
    from simcons.similarity.ranks import rank_sums
    from simcons.similarity.tiles import make_tile_maker

    requests = _requests(calls)
    dims = [array.shape[1] for array in arrays.values()]
    edge = tile_edge(blocks, dims, list(requests.values()), memory_gb)
    target = _device(device)
    exact = blocks.n_images <= EXACT_IMAGES and target.type != "mps"
    prepared: list[Prepared] = []
    for name, array in arrays.items():
        prepared.append(prepare(name, array, blocks.order, normalize=normalize, exact=exact))
    makers = {k: [make_tile_maker(k, model, target) for model in prepared] for k in requests}
    sums = accumulate(prepared, makers, requests, blocks, edge, target)
    found = {(k, False): s for k, s in sums.items()}
    for kernel, request in requests.items():
        if request.values:
            found[kernel, True] = rank_sums(sums[kernel], blocks)
    return found


def _requests(calls: Sequence[MeasureCall]) -> dict[Kernel, Request]:
    """Return what is wanted of each kernel."""
    from simcons.similarity.engine import Request
    from simcons.similarity.tiles import kernel_of

    wanted: dict[Kernel, list[MeasureCall]] = {}
    for call in calls:
        wanted.setdefault(kernel_of(call), []).append(call)
    return {
        kernel: Request(
            products=any(not _ranked(c) for c in group),
            rows=not kernel.is_distance,
            values=any(_ranked(c) for c in group),
        )
        for kernel, group in wanted.items()
    }


def _ranked(call: MeasureCall) -> bool:
    return call.options.get("correlation") == "spearman"


def _device(name: str) -> torch.device:
    """Return the torch device, float32 products without TF32.

    Raises
    ------
    UserError
        If torch has no such device here.
    """
    import torch

    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device '{name}' is not available here ({reason}); try 'cpu'") from None
    torch.backends.cuda.matmul.allow_tf32 = False
    return device


def tile_edge(
    blocks: Blocks, dims: Sequence[int], requests: Sequence[Request], memory_gb: float
) -> int:
    """Return the largest side of tiles (a block's size at most) that the memory allows.

    Parameters
    ----------
    blocks
        The blocks of images.
    dims
        Feature dimensions of the m models.
    requests
        What is wanted of each kernel.
    memory_gb
        In 10^9 bytes.

    Raises
    ------
    UserError
        If not even small tiles fit.
    """
    n, m, B = blocks.n_images, len(dims), blocks.n_blocks
    fixed = 4.0 * n * sum(dims) + 24.0 * 8 * m * n
    for request in requests:
        fixed += 8 * m * m * B * (B + 1) / 2 + 48 * m * n
        fixed += 4.0 * m * n * B * request.rows
        if request.values:
            pairs = n * (n - 1) / 2
            fixed += (4 * m + 32) * pairs
    left = memory_gb * GB - fixed
    largest = int(blocks.sizes.max())
    per_entry = 4.0 * (m * len(requests) + 2)
    edge = min(largest, int(np.sqrt(max(left, 0.0) / per_entry)))
    if edge < min(MIN_EDGE, largest):
        need = (fixed + per_entry * min(MIN_EDGE, largest) ** 2) / GB
        raise UserError(
            f"memory_gb is {memory_gb:g}, but {m} models x {n} images need at least {need:.2g}"
        )
    return edge


def _values(
    call: MeasureCall,
    sums: Mapping[tuple[Kernel, bool], Sums],
    blocks: Blocks,
    subsets: Subsets,
    models: list[str],
    notes: list[str],
) -> Array:
    """Return the (S, m, m) values of a measure on all subsets; add to the notes."""
    from simcons.similarity.tiles import kernel_of
    from simcons.similarity.values import noise_floor, normalized, subset_covariance, subset_hsic

    own = sums[kernel_of(call), _ranked(call)]
    if call.measure.family == "cka":
        products = subset_hsic(own, blocks, subsets, biased=call.biased)
        what = "HSIC with itself"
    else:
        products = subset_covariance(own, blocks, subsets)
        what = "variance of distances"
    floor = noise_floor(own, blocks, subsets)
    values, problems = normalized(products, floor, models, call.name, what)
    notes.extend(problems)
    return values


def _matrix(
    call: MeasureCall, values: Array, subsets: Subsets, models: list[str]
) -> SimilarityMatrix:
    """Return the matrix of a measure from its values on all subsets."""
    full = (values[0] + values[0].T) / 2
    np.fill_diagonal(full, 1.0)
    upper = np.triu_indices(len(models), 1)
    jackknife = values[subsets.rows("jackknife")]
    error = reliability = None
    if len(jackknife):
        error = jackknife_standard_error(jackknife)
        error = (error + error.T) / 2
        np.fill_diagonal(error, 0.0)
        if call.measure.unbiased:
            reliability = reliability_of_halves(values[subsets.rows("half")][:, *upper])
    return SimilarityMatrix(models, full, error, reliability, call.name)


def _replicates(values: Mapping[str, Array], subsets: Subsets, models: list[str]) -> pd.DataFrame:
    """Return the table of values on the subsets."""
    import pandas as pd

    first, second = np.triu_indices(len(models), 1)
    names = np.array(models, dtype=object)
    kept = [s for s, kind in enumerate(subsets.kinds) if kind != "all"]
    count, pairs = len(kept), len(first)
    table = {
        "measure": np.repeat(np.array(list(values), dtype=object), count * pairs),
        "kind": np.tile(
            np.repeat(np.array([subsets.kinds[s] for s in kept], dtype=object), pairs), len(values)
        ),
        "replicate": np.tile(
            np.repeat(np.array([subsets.replicates[s] for s in kept], dtype=np.int64), pairs),
            len(values),
        ),
        "model_1": np.tile(names[first], count * len(values)),
        "model_2": np.tile(names[second], count * len(values)),
        "value": np.concatenate([v[kept][:, first, second].ravel() for v in values.values()]),
    }
    return pd.DataFrame(table)
