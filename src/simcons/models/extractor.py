"""Loading a model: the source's module behind one small interface."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from simcons.catalog import ModelSpec
from simcons.errors import UserError
from simcons.models.transforms import Transform


def _source(spec: ModelSpec) -> ModuleType:
    return importlib.import_module(f"simcons.models.source_{spec.source}")


@dataclass(frozen=True)
class Extractor:
    """A loaded model.

    Attributes
    ----------
    spec
        The catalogue entry.
    module
        From a batch (n, 3, height, width) to features (n, dim), in evaluation mode.
    transform
        From a PIL RGB image to one input.
    dim
        Length of the representation.
    """

    spec: ModelSpec
    module: torch.nn.Module
    transform: Transform
    dim: int

    @torch.inference_mode()
    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return float32 features (n, dim) of a batch of inputs (n, 3, height, width).

        Raises
        ------
        UserError
            If the model returns another shape or a value that is not finite.
        """
        features = self.module(batch.contiguous(memory_format=torch.channels_last)).float()
        if features.shape != (len(batch), self.dim):
            raise UserError(
                f"model '{self.spec.id}' returned features of shape {tuple(features.shape)}, "
                f"the catalogue says ({len(batch)}, {self.dim})"
            )
        if not torch.isfinite(features).all():
            raise UserError(f"model '{self.spec.id}' returned features that are NaN or infinite")
        return features


def load(spec: ModelSpec) -> Extractor:
    """Load a model.

    Raises
    ------
    UserError
        If weights are missing, have another hash, or do not fit the architecture.
    """
    module = _source(spec).build(spec).eval().requires_grad_(False)
    return Extractor(
        spec=spec,
        module=module.to(memory_format=torch.channels_last),
        transform=transform(spec),
        dim=spec.feature_dim,
    )


def transform(spec: ModelSpec) -> Transform:
    """Return the model's transform: the catalogue's, else the source's own for evaluation."""
    return Transform(spec.transform or _source(spec).transform(spec))


def fingerprint_parts(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides a model's features, without loading its weights.

    Returns
    -------
    dict
        The architecture, the identity of the weights (seed, tag or SHA-256) and the transform.
    """
    return {
        "source": spec.source,
        "name": spec.name,
        "options": spec.options,
        "layer": spec.layer,
        "token": spec.token,
        "weights": _source(spec).identity(spec),
        "transform": transform(spec).spec.model_dump(mode="json"),
    }
