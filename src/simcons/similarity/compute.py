"""`compute_similarity`: the door to the engine."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simcons.core.arrays import Array, Rows
from simcons.core.errors import UserError
from simcons.similarity.blocks import MIN_IMAGES, Blocks, Subsets, make_blocks, make_subsets
from simcons.similarity.inputs import check_features
from simcons.similarity.matrix import SimilarityMatrix, SimilarityResult
from simcons.similarity.measures import MeasureCall, parse
from simcons.similarity.pairs import pair_values
from simcons.similarity.replicates import jackknife_standard_error, reliability_of_halves

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from simcons.similarity.engine import Request, Sums
    from simcons.similarity.prepare import Prepared
    from simcons.similarity.ranks import Histogram
    from simcons.similarity.tiles import Kernel, TileMaker

GB = 1e9
MIN_EDGE = 64  # no pass with smaller tiles
GOOD_EDGE = 256  # below it matrix products slow down: rather bin ranks, or spill
BASE_BYTES = 3.5e8  # of the interpreter and torch
TYPICAL_BINS = 1 << 17
RANK_ERROR = 1e-4  # what binned ranks may be off by without a note
VALUES_ALONE = {"n_halves": 0, "n_blocks": 2}  # options for who needs no uncertainty
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
    notes: list[str] = []
    job = _Job(arrays, blocks, subsets, normalize, memory_gb, device, notes)
    values = _all_values(calls, job)
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
        "facts": job.facts,
    }
    matrices = {c.name: _matrix(c, values[c.name], subsets, models) for c in calls}
    return SimilarityResult(matrices, _replicates(calls, values, subsets, models), metadata)


@dataclass
class _Job:
    """What all steps of one computation share."""

    arrays: Mapping[str, Rows]
    blocks: Blocks
    subsets: Subsets
    normalize: bool
    memory_gb: float
    device: str
    notes: list[str]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        """The models, sorted."""
        return list(self.arrays)

    @property
    def dims(self) -> list[int]:
        """Their feature dimensions."""
        return [array.shape[1] for array in self.arrays.values()]


def _all_values(calls: Sequence[MeasureCall], job: _Job) -> dict[str, Array]:
    """Return the (S, m, m) values of each measure; (1, m, m) where only the whole set was done."""
    found: dict[str, Array] = {}
    linear = [c for c in calls if c.measure.family == "cka" and not c.options]
    others = [c for c in calls if c.measure.family in ("cka", "rsa") and c not in linear]
    if linear and _in_feature_space(job, bool(others)):
        found.update(_feature_space_values(linear, job))
    else:
        others = [*others, *linear]
    if others:
        found.update(_tile_values(others, job))
    for call in calls:
        if call.measure.family == "pair":
            found[call.name], problems = pair_values(
                call,
                job.arrays,
                job.blocks,
                job.subsets,
                normalize=job.normalize,
                memory_gb=job.memory_gb,
            )
            job.notes.extend(problems)
    return {c.name: found[c.name] for c in calls}


def _in_feature_space(job: _Job, other_kernels: bool) -> bool:
    """Decide by cost where linear CKA is computed, and keep the reason."""
    from simcons.similarity.feature_space import costs

    n = job.blocks.n_images
    tiles, features = costs(n, job.dims, other_kernels=other_kernels)
    chosen = n > EXACT_IMAGES and features < tiles
    job.facts["cka_linear"] = {
        "space": "features" if chosen else "tiles",
        "operations_tiles": tiles,
        "operations_features": features,
    }
    return chosen


def _feature_space_values(calls: Sequence[MeasureCall], job: _Job) -> dict[str, Array]:
    from simcons.similarity.feature_space import linear_parts
    from simcons.similarity.values import hsic, noise_floor, normalized

    parts = linear_parts(
        job.arrays,
        job.blocks,
        job.subsets,
        normalize=job.normalize,
        memory_gb=job.memory_gb,
        device=_device(job.device),
    )
    floor = noise_floor(np.diag(parts.trace[0]), parts.magnitude, job.blocks.n_images)
    found = {}
    for call in calls:
        products = hsic(parts, biased=call.biased)
        found[call.name], problems = normalized(
            products, floor, job.models, call.name, "HSIC with itself"
        )
        job.notes.extend(problems)
    return found


def _tile_values(calls: Sequence[MeasureCall], job: _Job) -> dict[str, Array]:
    """Run the pass over tiles (twice for binned ranks); return values per measure."""
    from simcons.similarity.engine import accumulate
    from simcons.similarity.prepare import prepare
    from simcons.similarity.tiles import make_tile_maker

    plan = make_plan(job.blocks, job.dims, _requests(calls), job.memory_gb, _exact(job))
    device = _device(job.device)
    with tempfile.TemporaryDirectory(prefix="simcons-") as scratch:
        prepared: list[Prepared] = []
        for k, (name, array) in enumerate(job.arrays.items()):
            spill = Path(scratch) / f"{k}.bin" if plan.spill else None
            prepared.append(
                prepare(
                    name,
                    array,
                    job.blocks.order,
                    normalize=job.normalize,
                    exact=_exact(job),
                    spill=spill,
                )
            )
        makers = {k: [make_tile_maker(k, x, device) for x in prepared] for k in plan.requests}
        bins = {k: _histograms(k, prepared, makers[k]) for k, r in plan.requests.items() if r.bins}
        sums = accumulate(prepared, makers, plan.requests, job.blocks, plan.edge, device, bins)
        ranked = _ranked_sums(job, plan, prepared, makers, bins, sums, device)
    return {c.name: _values(c, sums, ranked, job) for c in calls}


def _exact(job: _Job) -> bool:
    """Whether tiles are float64."""
    return job.blocks.n_images <= EXACT_IMAGES and not job.device.startswith("mps")


def _histograms(
    kernel: Kernel, prepared: list[Prepared], makers: Sequence[TileMaker]
) -> list[Histogram]:
    """Return an empty histogram per model, its bins chosen from a sample of images."""
    from simcons.similarity.ranks import choose_histogram
    from simcons.similarity.tiles import sample_tile

    out, n = [], len(prepared[0].square)
    for model, maker in zip(prepared, makers, strict=True):
        tile = sample_tile(kernel, model).numpy()
        out.append(
            choose_histogram(tile[np.triu_indices(len(tile), 1)] - maker.shift, n * (n - 1) // 2)
        )
    return out


def _ranked_sums(
    job: _Job,
    plan: Plan,
    prepared: list[Prepared],
    makers: Mapping[Kernel, Sequence[TileMaker]],
    bins: Mapping[Kernel, Sequence[Histogram]],
    sums: Mapping[Kernel, Sums],
    device: torch.device,
) -> dict[Kernel, Sums]:
    """Return the sums of products of ranks: exact where all distances were kept, else binned."""
    from simcons.similarity.engine import Request, accumulate
    from simcons.similarity.ranks import RankMaker, rank_error_bound, rank_sums

    exact = [kernel for kernel, request in plan.requests.items() if request.values]
    ranked = {kernel: rank_sums(sums[kernel], job.blocks) for kernel in exact}
    for kernel in exact:
        job.facts[f"rsa_{kernel.kind}_spearman"] = {"ranks": "exact", "error_bound": 0.0}
    if bins:
        again = {
            k: [RankMaker(t, h, device) for t, h in zip(makers[k], bins[k], strict=True)]
            for k in bins
        }
        wanted = {k: Request(products=True, rows=False) for k in bins}
        ranked.update(accumulate(prepared, again, wanted, job.blocks, plan.edge, device))
        for kernel, histograms in bins.items():
            bound = rank_error_bound(histograms)
            job.facts[f"rsa_{kernel.kind}_spearman"] = {"ranks": "binned", "error_bound": bound}
            if bound > RANK_ERROR:
                job.notes.append(
                    f"rsa_{kernel.kind}_spearman: binned ranks may be off by up to {bound:.1e}; "
                    "give more memory_gb for exact ranks"
                )
    return ranked


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
    smallest = min(MIN_EDGE, largest)
    for wanted, spill in ((dict(requests), False), (binned, False), (binned, True)):
        fixed, per_entry = _memory(blocks, dims, list(wanted.values()), spill, 8 if exact else 4)
        left = memory_gb * GB - BASE_BYTES - fixed
        edge = min(largest, int(np.sqrt(max(left, 0.0) / per_entry)))
        good = min(GOOD_EDGE, largest)
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


def _values(
    call: MeasureCall, sums: Mapping[Kernel, Sums], ranked: Mapping[Kernel, Sums], job: _Job
) -> Array:
    """Return the (S, m, m) values of a measure on all subsets; add to the notes."""
    from simcons.similarity.tiles import kernel_of
    from simcons.similarity.values import (
        hsic,
        hsic_parts,
        noise_floor,
        normalized,
        raw_squares,
        subset_covariance,
    )

    own = (ranked if _ranked(call) else sums)[kernel_of(call)]
    if call.measure.family == "cka":
        products = hsic(hsic_parts(own, job.blocks, job.subsets), biased=call.biased)
        what = "HSIC with itself"
    else:
        products = subset_covariance(own, job.blocks, job.subsets)
        what = "variance of distances"
    raw = raw_squares(own, job.blocks, job.subsets)
    floor = noise_floor(raw, own.magnitude, job.blocks.n_images)
    values, problems = normalized(products, floor, job.models, call.name, what)
    job.notes.extend(problems)
    return values


def _matrix(
    call: MeasureCall, values: Array, subsets: Subsets, models: list[str]
) -> SimilarityMatrix:
    """Return the matrix of a measure from its values on all subsets."""
    full = values[0].copy()
    if call.measure.symmetric:
        full = (full + full.T) / 2
    np.fill_diagonal(full, 1.0)
    upper = np.triu_indices(len(models), 1)
    error = reliability = None
    if len(values) > 1:
        error = jackknife_standard_error(values[subsets.rows("jackknife")])
        error = (error + error.T) / 2 if call.measure.symmetric else error
        np.fill_diagonal(error, 0.0)
        if call.measure.unbiased:
            reliability = reliability_of_halves(values[subsets.rows("half")][:, *upper])
    return SimilarityMatrix(models, full, error, reliability, call.name)


def _replicates(
    calls: Sequence[MeasureCall], values: Mapping[str, Array], subsets: Subsets, models: list[str]
) -> pd.DataFrame:
    """Return the table of values on the subsets; every ordered pair where not symmetric."""
    import pandas as pd

    names = np.array(models, dtype=object)
    kept = [s for s, kind in enumerate(subsets.kinds) if kind != "all"]
    kinds = np.array([subsets.kinds[s] for s in kept], dtype=object)
    numbers = np.array([subsets.replicates[s] for s in kept], dtype=np.int64)
    m = len(models)
    tables = []
    for call in calls:
        wanted = (
            ~np.eye(m, dtype=bool) if not call.measure.symmetric else np.triu(np.ones((m, m)), 1)
        )
        first, second = np.nonzero(wanted)
        some = kept if len(values[call.name]) > 1 else []
        repeat = len(some)
        tables.append(
            {
                "measure": np.full(repeat * len(first), call.name, dtype=object),
                "kind": np.repeat(kinds[:repeat], len(first)),
                "replicate": np.repeat(numbers[:repeat], len(first)),
                "model_1": np.tile(names[first], repeat),
                "model_2": np.tile(names[second], repeat),
                "value": values[call.name][some][:, first, second].ravel(),
            }
        )
    return pd.DataFrame({k: np.concatenate([t[k] for t in tables]) for k in tables[0]})
