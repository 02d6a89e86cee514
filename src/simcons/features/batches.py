"""Reading shards as batches of model inputs, by worker processes that keep the order.

Batches never span shards, so a value does not depend on which shards are read. Every worker reads
the shards (cheap: the second finds them in memory) and decodes and transforms every W-th batch
(dear); PyTorch's loader takes batches from workers in turn, so they come in the order of the index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from simcons.core.errors import UserError
from simcons.datasets import EncodedSample, decode, iter_stored
from simcons.models.transforms import ImageTransform

PREFETCH = 2  # batches that each worker holds ready


@dataclass(frozen=True)
class Batch:
    """Some consecutive samples of a shard.

    Attributes
    ----------
    shard, start
        The shard, and the place in it of the first sample.
    keys, targets
        Of each sample.
    inputs
        By transform's place, the inputs (n, 3, height, width).
    """

    shard: int
    start: int
    keys: list[str]
    targets: list[int]
    inputs: dict[int, torch.Tensor]

    def pin_memory(self) -> Batch:
        """Return the batch in memory that a GPU can copy from on its own; called by the loader."""
        pinned = {place: inputs.pin_memory() for place, inputs in self.inputs.items()}
        return replace(self, inputs=pinned)


@dataclass(frozen=True)
class Plan:
    """What to read of one split.

    Attributes
    ----------
    dataset, split
        The data set's folder and the split.
    keys
        By shard, the samples' keys that the index says.
    wanted
        By shard and chunk (place of its first sample), the places of the transforms to apply;
        other chunks are not decoded.
    transforms
        From an RGB image to an input.
    batch_size, chunk_size
        Samples in a batch, and in a chunk: a multiple.
    """

    dataset: Path
    split: str
    keys: Mapping[int, Sequence[str]]
    wanted: Mapping[tuple[int, int], Sequence[int]]
    transforms: Sequence[ImageTransform]
    batch_size: int
    chunk_size: int


def read_batches(plan: Plan, *, workers: int = 0, pin: bool = False) -> Iterator[Batch]:
    """Yield the wanted batches in the order of the index.

    Parameters
    ----------
    plan
        What to read.
    workers
        Processes that decode and transform; 0: this one does.
    pin
        Whether a GPU is to copy the inputs.

    Raises
    ------
    UserError
        If a shard or image is damaged, or a shard holds other samples than the index says.
    """
    loader: DataLoader[Batch | UserError] = DataLoader(
        _Shards(plan),
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        prefetch_factor=PREFETCH if workers else None,
        # A fork shares the transforms, whatever they are; workers touch no GPU.
        multiprocessing_context="fork" if workers else None,
    )
    for item in loader:
        if isinstance(item, UserError):
            raise item
        yield item


class _Shards(IterableDataset[Any]):
    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __iter__(self) -> Iterator[Batch | UserError]:
        info = get_worker_info()
        worker, n_workers = (info.id, info.num_workers) if info else (0, 1)
        try:
            for number, (shard, start, samples) in enumerate(self._wanted()):
                if number % n_workers == worker:
                    yield self._batch(shard, start, samples)
        except UserError as error:
            # Handed over: the loader would wrap it in a stack trace.
            yield error

    def _wanted(self) -> Iterator[tuple[int, int, list[EncodedSample]]]:
        plan = self.plan
        for shard in sorted({shard for shard, _ in plan.wanted}):
            indexed, place = plan.keys[shard], 0
            samples = iter_stored(plan.dataset, plan.split, shard)
            while batch := list(islice(samples, plan.batch_size)):
                if [sample.key for sample in batch] != indexed[place : place + len(batch)]:
                    raise self._other_samples(shard)
                if (shard, place - place % plan.chunk_size) in plan.wanted:
                    yield shard, place, batch
                place += len(batch)
            if place != len(indexed):
                raise self._other_samples(shard)

    def _batch(self, shard: int, start: int, samples: list[EncodedSample]) -> Batch:
        plan = self.plan
        chunk = (shard, start - start % plan.chunk_size)
        images = [decode(sample, f"{plan.dataset}/{plan.split}") for sample in samples]
        inputs = {
            place: torch.stack([plan.transforms[place](image) for image in images])
            for place in plan.wanted[chunk]
        }
        keys, targets = [s.key for s in samples], [s.target for s in samples]
        return Batch(shard, start, keys, targets, inputs)

    def _other_samples(self, shard: int) -> UserError:
        plan = self.plan
        return UserError(
            f"data set {plan.dataset}: {plan.split}/{shard}.tar holds other samples than the index "
            f"says; run `dvc repro dataset@{plan.dataset.name}`"
        )
