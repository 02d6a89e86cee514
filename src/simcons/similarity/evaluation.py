"""The values of measures on all images and on unions of blocks, computed as `plan` says."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from simcons.core.arrays import Array
from simcons.core.errors import UserError
from simcons.similarity import plan
from simcons.similarity.engine import Request, accumulate
from simcons.similarity.feature_space import linear_parts
from simcons.similarity.from_sums import cka_values, hsic_parts, rsa_values
from simcons.similarity.measures import MeasureCall
from simcons.similarity.pair_values import pair_values
from simcons.similarity.plan import Task
from simcons.similarity.prepare import Prepared, prepare
from simcons.similarity.ranks import (
    Histogram,
    RankMaker,
    choose_histogram,
    rank_error_bound,
    rank_sums,
)
from simcons.similarity.tiles import Kernel, TileMaker, kernel_of, make_tile_maker, sample_tile

RANK_ERROR = 1e-4  # what binned ranks may be off by without a note


@dataclass
class Evaluation:
    """What was computed, and what is to be told about it.

    Parameters
    ----------
    values
        Measure name -> (S, m, m) values; (1, m, m) where only all images were affordable.
    notes
        Sentences for the user.
    facts
        How each measure was computed, JSON-able.
    """

    values: dict[str, Array] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, measure: str, found: tuple[Array, list[str]]) -> None:
        """Add a measure's values and notes."""
        self.values[measure] = found[0]
        self.notes += found[1]


def evaluate(calls: Sequence[MeasureCall], task: Task) -> Evaluation:
    """Return the values of measures on every subset of the images.

    Raises
    ------
    UserError
        As `compute_similarity`.
    """
    out = Evaluation()
    linear = [c for c in calls if c.measure.family == "cka" and not c.options]
    tiled = [c for c in calls if c.measure.family in ("cka", "rsa") and c not in linear]
    if linear:
        fact = plan.linear_space(task, other_kernels=bool(tiled))
        out.facts["cka_linear"] = fact
        if fact["space"] == "features":
            parts = linear_parts(task, torch_device(task.device))
            for call in linear:
                out.add(call.name, cka_values(call, parts, task.models))
        else:
            tiled += linear
    if tiled:
        _evaluate_tiles(tiled, task, out)
    for call in calls:
        if call.measure.family == "pair":
            out.add(call.name, pair_values(call, task))
    return out


def torch_device(name: str) -> torch.device:
    """Return a torch device, with float32 products that do not use TF32.

    Raises
    ------
    UserError
        If torch has no such device here.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device '{name}' is not available here ({reason}); try 'cpu'") from None
    torch.backends.cuda.matmul.allow_tf32 = False
    return device


def _evaluate_tiles(calls: Sequence[MeasureCall], task: Task, out: Evaluation) -> None:
    """Run the pass over tiles, and a second one where ranks are binned."""
    made = plan.make_plan(task.blocks, task.dims, plan.requests(calls), task.memory_gb, task.exact)
    device = torch_device(task.device)
    with tempfile.TemporaryDirectory(prefix="simcons-") as scratch:
        models = _prepared(task, Path(scratch) if made.spill else None)
        run = partial(accumulate, models, blocks=task.blocks, edge=made.edge, device=device)
        makers = {k: [make_tile_maker(k, x, device) for x in models] for k in made.requests}
        bins = {
            k: [_histogram(k, *pair) for pair in zip(models, makers[k], strict=True)]
            for k, request in made.requests.items()
            if request.bins
        }
        sums = run(makers, made.requests, counts={k: [h.add for h in bins[k]] for k in bins})
        ranked = {k: rank_sums(sums[k], task.blocks) for k, r in made.requests.items() if r.values}
        if bins:
            again = {
                k: [RankMaker(t, h, device) for t, h in zip(makers[k], bins[k], strict=True)]
                for k in bins
            }
            ranked |= run(again, {k: Request(products=True, rows=False) for k in bins})
    for kernel in ranked:
        _tell_ranks(kernel, bins.get(kernel), out)
    for call in calls:
        kernel = kernel_of(call)
        if call.measure.family == "cka":
            parts = hsic_parts(sums[kernel], task.blocks, task.subsets)
            out.add(call.name, cka_values(call, parts, task.models))
        else:
            own = (ranked if plan.ranks_distances(call) else sums)[kernel]
            out.add(call.name, rsa_values(call, own, task.blocks, task.subsets, task.models))


def _prepared(task: Task, scratch: Path | None) -> list[Prepared]:
    """Return every model's features ready for the engine, in memory or in scratch files."""
    return [
        prepare(
            name,
            array,
            task.blocks.order,
            normalize=task.normalize,
            exact=task.exact,
            spill=None if scratch is None else scratch / f"{number}.bin",
        )
        for number, (name, array) in enumerate(task.arrays.items())
    ]


def _histogram(kernel: Kernel, model: Prepared, maker: TileMaker) -> Histogram:
    """Return an empty histogram of a model's distances, its bins chosen from a sample of images."""
    n, tile = len(model.square), sample_tile(kernel, model).numpy()
    return choose_histogram(tile[np.triu_indices(len(tile), 1)] - maker.shift, n * (n - 1) // 2)


def _tell_ranks(kernel: Kernel, bins: Sequence[Histogram] | None, out: Evaluation) -> None:
    """Add how exact the ranks of a distance are to the facts, and a note if that is not enough."""
    name = f"rsa_{kernel.kind}_spearman"
    bound = 0.0 if bins is None else rank_error_bound(bins)
    out.facts[name] = {"ranks": "exact" if bins is None else "binned", "error_bound": bound}
    if bound > RANK_ERROR:
        out.notes.append(
            f"{name}: binned ranks may be off by up to {bound:.1e}; "
            "give more memory_gb for exact ranks"
        )
