"""A zoo of small networks that differ in the training objective and in little else.

The published study compares models that differ in objective, architecture, training data and size
at once. Here everything but the objective can be held fixed: the same images, architectures, input
size and optimiser. What belongs in this package: the spec of a model (`spec`), the training data
(`data`, `augment`), the architectures, the objectives (a module each), the training loop, and the
check that a model has learned (`learned`).

Importing the package costs nothing: the names below load torch when they are first used, so that
params can be validated without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from simcons.models.zoo.spec import UNTRAINED, Augmentations, Optimizer, ZooSpec, resolve_spec

if TYPE_CHECKING:
    from simcons.models.zoo.architectures import Encoder
    from simcons.models.zoo.data import TrainingData, load_training_data
    from simcons.models.zoo.learned import learned, learned_summary
    from simcons.models.zoo.training import TrainedModel, build_encoder, train
    from simcons.models.zoo.weights import load_encoder, save

_LAZY = {
    "Encoder": "architectures",
    "TrainedModel": "training",
    "TrainingData": "data",
    "build_encoder": "training",
    "learned": "learned",
    "learned_summary": "learned",
    "load_encoder": "weights",
    "load_training_data": "data",
    "save": "weights",
    "train": "training",
}

__all__ = [
    "UNTRAINED",
    "Augmentations",
    "Encoder",
    "Optimizer",
    "TrainedModel",
    "TrainingData",
    "ZooSpec",
    "build_encoder",
    "learned",
    "learned_summary",
    "load_encoder",
    "load_training_data",
    "resolve_spec",
    "save",
    "train",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use (PEP 562)."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
