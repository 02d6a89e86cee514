"""The training loop of the zoo: one model, deterministic on a CPU for a seed.

Random choices come from named streams derived from the spec's seed, objective and architecture.
Models that share a seed do not share initial weights: they are to be independent draws.
"""

from __future__ import annotations

import hashlib
import importlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from simcons.core.errors import UserError
from simcons.core.progress import progress
from simcons.models.zoo.architectures import Encoder, make_encoder
from simcons.models.zoo.augment import augment
from simcons.models.zoo.data import TrainingData, normalize
from simcons.models.zoo.heads import Batch, Heads, Step, Task
from simcons.models.zoo.spec import Optimizer, ZooSpec

CURVE_COLUMNS = ("epoch", "loss", "accuracy", "learning_rate")


@dataclass(frozen=True)
class TrainedModel:
    """What training leaves.

    Parameters
    ----------
    state_dict
        The encoder's tensors, contiguous; no heads.
    curve
        A row per epoch: ``epoch`` (from 1), mean ``loss``, the objective's own ``accuracy`` (NaN
        where it has none), ``learning_rate`` at the end of the epoch. Empty for a control.
    """

    state_dict: dict[str, Tensor]
    curve: pd.DataFrame


def stream_seed(spec: ZooSpec, purpose: str) -> int:
    """Return the seed of a random stream: a hash of seed, objective, architecture and purpose."""
    text = f"{spec.seed}|{spec.objective}|{spec.architecture}|{spec.width}|{purpose}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def build_encoder(spec: ZooSpec) -> Encoder:
    """Return the encoder with its initial weights, which the spec alone decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(spec, "encoder"))
        return make_encoder(spec.architecture, spec.image_size, spec.width)


def heads_class(objective: str) -> type[Heads]:
    """Return the class that holds an objective's heads and loss."""
    found: type[Heads] = importlib.import_module(f"simcons.models.zoo.objectives.{objective}").Heads
    return found


def build_heads(spec: ZooSpec, encoder: Encoder, task: Task) -> Heads:
    """Return the objective's heads with their initial weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(spec, "heads"))
        return heads_class(spec.objective)(encoder, task, spec.all_options)


def learning_rate(step: int, n_steps: int, how: Optimizer) -> float:
    """Return the learning rate of a step (from 0): linear warm-up, then a cosine to 0."""
    warmup = round(how.warmup_fraction * n_steps)
    if step < warmup:
        return how.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, n_steps - warmup)
    return how.learning_rate * (1 + math.cos(math.pi * done)) / 2


def train(
    spec: ZooSpec, data: TrainingData | None, *, threads: int = 2, name: str = "zoo"
) -> TrainedModel:
    """Train a model from scratch, on the CPU.

    Parameters
    ----------
    spec
        The model; of a control, the initial weights are returned.
    data
        The mixture of training images, all of it used; a control needs none.
    threads
        Number of threads, which decides the last bits of sums.
    name
        Shown with the progress.

    Returns
    -------
    TrainedModel
        The same bytes for the same spec, data, threads, machine and library versions.

    Raises
    ------
    UserError
        If the images are of another size than the spec's, fewer than a batch, or the loss is not
        finite.
    """
    encoder = build_encoder(spec)
    if not spec.trained:
        return TrainedModel(_state(encoder), pd.DataFrame(columns=list(CURVE_COLUMNS)))
    if data is None:
        raise UserError(f"zoo model {name}: objective '{spec.objective}' needs training images")
    _check(spec, data, name)
    with _fixed_threads(threads):
        heads = build_heads(spec, encoder, Task(data.class_names, spec.image_size))
        encoder.to(memory_format=torch.channels_last)
        rows = _run(spec, data, encoder, heads, name)
    return TrainedModel(_state(encoder), pd.DataFrame(rows, columns=list(CURVE_COLUMNS)))


def _run(
    spec: ZooSpec, data: TrainingData, encoder: Encoder, heads: Heads, name: str
) -> list[tuple[int, float, float, float]]:
    """Train in place; return the rows of the curve."""
    generator = torch.Generator().manual_seed(stream_seed(spec, "training"))
    optimizer = _optimizer(spec.optimizer, encoder, heads)
    per_epoch = len(data) // spec.batch_size
    flippable = data.in_sets(spec.augmentations.flip_sets)
    rows = []
    encoder.train()
    with progress(name, spec.epochs * per_epoch * spec.batch_size, "images") as advance:
        for epoch in range(spec.epochs):
            losses, accuracies = [], []
            order = torch.randperm(len(data), generator=generator)
            for i, picked in enumerate(order[: per_epoch * spec.batch_size].split(spec.batch_size)):
                lr = learning_rate(epoch * per_epoch + i, spec.epochs * per_epoch, spec.optimizer)
                batch = _batch(spec, data, flippable, picked, generator)
                step = _update(optimizer, lr, encoder, heads, batch)
                losses.append(step.loss.item())
                accuracies.append(math.nan if step.accuracy is None else step.accuracy)
                advance(spec.batch_size)
            loss = sum(losses) / per_epoch
            if not math.isfinite(loss):
                raise UserError(
                    f"zoo model {name}: the loss is {loss} in epoch {epoch + 1}; "
                    f"lower optimizer.learning_rate (now {spec.optimizer.learning_rate:g})"
                )
            rows.append((epoch + 1, loss, sum(accuracies) / per_epoch, lr))
    return rows


def _batch(
    spec: ZooSpec,
    data: TrainingData,
    flippable: Tensor,
    picked: Tensor,
    generator: torch.Generator,
) -> Batch:
    images, may_flip = data.images[picked].float() / 255, flippable[picked]

    def view() -> Tensor:
        changed = augment(images, may_flip, spec.augmentations, generator)
        return normalize(changed).contiguous(memory_format=torch.channels_last)

    return Batch(view, data.labels[picked], generator)


def _update(
    optimizer: torch.optim.Optimizer, lr: float, encoder: Encoder, heads: Heads, batch: Batch
) -> Step:
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    step = heads.step(encoder, batch)
    step.loss.backward()
    optimizer.step()
    return step


def _optimizer(how: Optimizer, encoder: Encoder, heads: Heads) -> torch.optim.Optimizer:
    """Return the optimiser; vectors and scalars (biases, norms, scales) do not decay."""
    parameters = [*encoder.parameters(), *heads.parameters()]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": how.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if how.name == "sgd":
        return torch.optim.SGD(groups, lr=how.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=how.learning_rate, fused=True)


def _check(spec: ZooSpec, data: TrainingData, name: str) -> None:
    if data.images.shape[2:] != (spec.image_size, spec.image_size):
        got = "x".join(map(str, data.images.shape[2:]))
        raise UserError(f"zoo model {name}: images are {got}, image_size is {spec.image_size}")
    if len(data) < spec.batch_size:
        raise UserError(
            f"zoo model {name}: {len(data)} training images are fewer than batch_size "
            f"{spec.batch_size}; lower batch_size or add training sets"
        )


@contextmanager
def _fixed_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _state(encoder: nn.Module) -> dict[str, Tensor]:
    return {key: value.detach().clone().contiguous() for key, value in encoder.state_dict().items()}
