"""`compute_similarity`: the door to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simcons.core.arrays import Array
from simcons.core.errors import UserError
from simcons.similarity.blocks import MIN_IMAGES, Subsets, make_blocks, make_subsets
from simcons.similarity.feature_rows import check_features
from simcons.similarity.matrix import SimilarityMatrix, SimilarityResult
from simcons.similarity.measures import MeasureCall, parse
from simcons.similarity.replicates import jackknife_standard_error, reliability_of_halves

if TYPE_CHECKING:
    import pandas as pd

VALUES_ALONE = {"n_halves": 0, "n_blocks": 2}  # options for who needs no uncertainty


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
    from simcons.similarity.evaluation import evaluate
    from simcons.similarity.plan import Task

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
    found = evaluate(calls, Task(arrays, blocks, subsets, normalize, memory_gb, device))
    if blocks.n_blocks == 1:
        found.notes.append(f"{n} images are too few for blocks: no standard errors, no reliability")
    metadata = {
        "models": models,
        "measures": [c.name for c in calls],
        "n_images": n,
        "n_blocks": blocks.n_blocks,
        "n_halves": n_halves if blocks.n_blocks > 1 else 0,
        "block_seed": block_seed,
        "stratified": labels is not None,
        "normalize": normalize,
        "notes": found.notes,
        "facts": found.facts,
    }
    matrices = {c.name: _matrix(c, found.values[c.name], subsets, models) for c in calls}
    return SimilarityResult(matrices, _replicates(calls, found.values, subsets, models), metadata)


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
