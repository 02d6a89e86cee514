"""Models trained by this pipeline: weights below data/zoo, the spec from params.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from simcons.catalog import ModelSpec, TransformSpec
from simcons.core.errors import UserError
from simcons.models.weights import cached_sha256
from simcons.models.zoo.data import MEAN, STD
from simcons.models.zoo.spec import ZooSpec
from simcons.models.zoo.trained import load_encoder


def identity(spec: ModelSpec) -> dict[str, Any]:
    """Return the SHA-256 of the trained weights."""
    return {"sha256": cached_sha256(_weights(spec))}


def transform(spec: ModelSpec) -> TransformSpec:
    """Return the resizing and scaling that the model was trained with, without augmentation."""
    return TransformSpec(
        resize=ZooSpec.parse(spec.id, spec.options).image_size,
        mode="squash",
        interpolation="bilinear",
        mean=(MEAN, MEAN, MEAN),
        std=(STD, STD, STD),
    )


def build(spec: ModelSpec) -> torch.nn.Module:
    """Return the trained encoder.

    Raises
    ------
    UserError
        If it has not been trained yet, or the file holds another spec's model.
    """
    return load_encoder(_weights(spec), ZooSpec.parse(spec.id, spec.options))


def _weights(spec: ModelSpec) -> Path:
    path = Path(spec.weights.path or "")
    if not path.is_file():
        raise UserError(
            f"model '{spec.id}': {path} is not there yet; run `dvc repro zoo@{spec.id}`"
        )
    return path
