"""Runs pair-by-pair measures over all pairs of models, and over subsets where affordable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simcons.core.arrays import Array, Rows
from simcons.core.errors import UserError
from simcons.core.progress import progress
from simcons.similarity.blocks import Blocks, Subsets
from simcons.similarity.measures import MeasureCall

#: Standard errors of pair measures are computed while a rough count of operations is below this.
AFFORDABLE = 5e12


def pair_values(
    call: MeasureCall,
    arrays: Mapping[str, Rows],
    blocks: Blocks,
    subsets: Subsets,
    *,
    normalize: bool,
    memory_gb: float,
) -> tuple[Array, list[str]]:
    """Return a measure's values on all images and, if affordable, on the subsets.

    Parameters
    ----------
    call
        The measure.
    arrays
        Model id -> (n, d) features.
    blocks, subsets
        The blocks of images and the unions of blocks wanted.
    normalize
        Divide rows by their norms first.
    memory_gb
        Summaries of all models are kept if they fit, else made again for every pair.

    Returns
    -------
    values
        (S, m, m), all subsets; or (1, m, m), the whole set only, where the rest costs too much.
    notes
        A line if so.
    """
    count = len(subsets.members)
    cost = count * _operations(arrays, blocks.n_images)
    if cost > AFFORDABLE and count > 1:
        note = (
            f"{call.name}: no standard errors, about {cost:.1e} operations for them are more than "
            f"{AFFORDABLE:.0e}"
        )
        count, notes = 1, [note]
    else:
        notes = []
    m = len(arrays)
    values = np.empty((count, m, m))
    with progress(f"{call.name} of {m} models", count * m * (m + 1) / 2, "pairs") as advance:
        for s in range(count):
            images = np.sort(blocks.order[subsets.members[s][blocks.of_position]])
            values[s] = _matrix(call, arrays, images, normalize, memory_gb)
            advance(m * (m + 1) / 2)
    return values, notes


def _operations(arrays: Mapping[str, Rows], n: int) -> float:
    """Return a rough count of operations for all pairs once: products and decompositions."""
    dims = [min(a.shape[1], n) for a in arrays.values()]
    singles = sum(20.0 * n * d * d for d in dims)
    pairs = sum(2.0 * n * a * b + 20.0 * min(a, b) ** 3 for a in dims for b in dims) / 2
    return singles + pairs


def _matrix(
    call: MeasureCall,
    arrays: Mapping[str, Rows],
    images: Array,
    normalize: bool,
    memory_gb: float,
) -> Array:
    """Return the (m, m) values on some images."""
    from simcons.similarity.prepare import normalized_rows

    assert call.measure.pair is not None
    functions, names = call.measure.pair, list(arrays)
    entries = sum(len(images) * min(a.shape[1], len(images)) for a in arrays.values())
    kept: dict[str, Any] = {}

    def summary(name: str) -> Any:
        if name in kept:
            return kept[name]
        x = np.asarray(arrays[name][images], dtype=np.float64)
        x = normalized_rows(x) if normalize else x
        try:
            made = functions.summarize(x, call.options)
        except UserError as error:
            raise UserError(f"measure '{call.name}', model '{name}': {error}") from None
        if 16.0 * entries < memory_gb * 1e9:
            kept[name] = made
        return made

    out = np.eye(len(names))
    for i, first in enumerate(names):
        a = summary(first)
        for j in range(i + 1, len(names)):
            b = summary(names[j])
            out[i, j] = _compare(call, a, b, first, names[j])
            out[j, i] = (
                out[i, j] if call.measure.symmetric else _compare(call, b, a, names[j], first)
            )
    return out


def _compare(call: MeasureCall, a: Any, b: Any, first: str, second: str) -> float:
    """Return one value.

    Raises
    ------
    UserError
        If it is not a finite number.
    """
    assert call.measure.pair is not None
    try:
        value = float(call.measure.pair.compare(a, b, call.options))
    except UserError as error:
        raise UserError(f"measure '{call.name}', models {first} and {second}: {error}") from None
    if not np.isfinite(value):
        raise UserError(f"measure '{call.name}' of {first} and {second} is {value}")
    return value
