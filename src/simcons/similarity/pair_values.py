"""Runs measures that compare two models' summaries over all pairs, and over subsets of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from simcons.core.arrays import Array
from simcons.core.errors import UserError
from simcons.core.progress import progress
from simcons.similarity.measures import MeasureCall
from simcons.similarity.plan import GB, Task
from simcons.similarity.prepare import normalized_rows

#: Standard errors of pair measures are computed while a rough count of operations is below this.
AFFORDABLE = 5e12


def pair_values(call: MeasureCall, task: Task) -> tuple[Array, list[str]]:
    """Return a measure's values on all images and, if affordable, on the subsets.

    Summaries of all models are kept if they fit into the memory, else made again for every pair.

    Returns
    -------
    values
        (S, m, m), all subsets; or (1, m, m), the whole set only, where the rest costs too much.
    notes
        A line if so.
    """
    members, m = task.subsets.members, len(task.arrays)
    cost = len(members) * _operations(task.dims, task.blocks.n_images)
    notes = []
    if cost > AFFORDABLE and len(members) > 1:
        members = members[:1]
        notes.append(
            f"{call.name}: no standard errors, about {cost:.1e} operations for them are more than "
            f"{AFFORDABLE:.0e}"
        )
    values = np.empty((len(members), m, m))
    pairs = m * (m + 1) / 2
    with progress(f"{call.name} of {m} models", len(members) * pairs, "pairs") as advance:
        for s, member in enumerate(members):
            images = np.sort(task.blocks.order[member[task.blocks.of_position]])
            values[s] = _matrix(call, task, images)
            advance(pairs)
    return values, notes


def _operations(dims: list[int], n: int) -> float:
    """Return a rough count of operations for all pairs once: products and decompositions."""
    dims = [min(d, n) for d in dims]
    singles = sum(20.0 * n * d * d for d in dims)
    pairs = sum(2.0 * n * a * b + 20.0 * min(a, b) ** 3 for a in dims for b in dims) / 2
    return singles + pairs


def _matrix(call: MeasureCall, task: Task, images: Array) -> Array:
    """Return the (m, m) values on some images."""
    entries = sum(len(images) * min(d, len(images)) for d in task.dims)
    keep = 16.0 * entries < task.memory_gb * GB
    kept: dict[str, Any] = {}

    def summary(name: str) -> Any:
        if name in kept:
            return kept[name]
        made = _summary(call, task, name, images)
        if keep:
            kept[name] = made
        return made

    names = task.models
    out = np.eye(len(names))
    for i, first in enumerate(names):
        a = summary(first)
        for j in range(i + 1, len(names)):
            b = summary(names[j])
            out[i, j] = out[j, i] = _compare(call, a, b, first, names[j])
            if not call.measure.symmetric:
                out[j, i] = _compare(call, b, a, names[j], first)
    return out


def _summary(call: MeasureCall, task: Task, model: str, images: Array) -> Any:
    """Return what a measure needs of one model on some images."""
    x = np.asarray(task.arrays[model][images], dtype=np.float64)
    x = normalized_rows(x) if task.normalize else x
    if call.measure.summarize is None:
        return x
    try:
        return call.measure.summarize(x, **call.options)
    except UserError as error:
        raise UserError(f"measure '{call.name}', model '{model}': {error}") from None


def _compare(call: MeasureCall, a: Any, b: Any, first: str, second: str) -> float:
    """Return one value.

    Raises
    ------
    UserError
        If it is not a finite number.
    """
    compare = call.measure.compare or call.define
    try:
        value = float(compare(a, b))
    except UserError as error:
        raise UserError(f"measure '{call.name}', models {first} and {second}: {error}") from None
    if not np.isfinite(value):
        raise UserError(f"measure '{call.name}' of {first} and {second} is {value}")
    return value
