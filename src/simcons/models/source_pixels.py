"""The image itself as a representation: the control without any model."""

from __future__ import annotations

from typing import Any

import torch

from simcons.catalog import ModelSpec, TransformSpec


def identity(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides the features beside the transform: nothing."""
    return {}


def transform(spec: ModelSpec) -> TransformSpec:
    """Return 16 x 16 pixels in [0, 1]."""
    return TransformSpec(resize=16, mode="squash", mean=(0, 0, 0), std=(1, 1, 1))


def build(spec: ModelSpec) -> torch.nn.Module:
    """Return the module that flattens an image."""
    return torch.nn.Flatten()
