"""What an objective is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from simcons.models.zoo.architectures import Encoder


@dataclass(frozen=True)
class Task:
    """What the heads of an objective may know about the training data.

    Parameters
    ----------
    class_names
        The name of each class of the mixture, in the order of the labels.
    image_size
        Pixels a side.
    """

    class_names: tuple[str, ...]
    image_size: int

    @property
    def n_classes(self) -> int:
        """How many classes the mixture has."""
        return len(self.class_names)


@dataclass(frozen=True)
class Batch:
    """A batch of training images.

    Parameters
    ----------
    view
        Returns a freshly augmented view (n, 3, s, s) of the batch, normalised; each call another.
    labels
        Labels (n,), int64. Self-supervised objectives do not look.
    generator
        Source of every random choice that the objective makes.
    """

    view: Callable[[], Tensor]
    labels: Tensor
    generator: torch.Generator


@dataclass(frozen=True)
class Step:
    """A loss (scalar tensor) and, where the objective has one, its own accuracy (0 to 1)."""

    loss: Tensor
    accuracy: float | None = None


class Heads(nn.Module):
    """What an objective adds to an encoder: projection heads, decoders, a text encoder; the loss.

    A subclass makes its modules in `make`, from ``task`` and ``options``.

    Parameters
    ----------
    encoder
        Read for ``feature_dim`` and ``grid`` only; it is not kept.
    task
        Classes and image size.
    options
        The objective's settings, complete.
    """

    def __init__(self, encoder: Encoder, task: Task, options: Mapping[str, float]) -> None:
        super().__init__()
        self.task = task
        self.options = dict(options)
        self.make(encoder)

    def make(self, encoder: Encoder) -> None:
        """Make the modules, initialised from torch's current random state."""

    def step(self, encoder: Encoder, batch: Batch) -> Step:
        """Return the loss of a batch."""
        raise NotImplementedError


def mlp(*widths: int) -> nn.Sequential:
    """Return linear layers with batch normalisation and ReLU between them, as SimCLR's heads."""
    layers: list[nn.Module] = []
    for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
        if i:
            layers += [nn.BatchNorm1d(fan_in), nn.ReLU(inplace=True)]
        layers.append(nn.Linear(fan_in, fan_out))
    return nn.Sequential(*layers)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of rows of ``logits`` (n, c) whose maximum is at ``labels`` (n,)."""
    return float((logits.argmax(1) == labels).float().mean())
