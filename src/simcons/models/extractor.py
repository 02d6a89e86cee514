"""Loading a model: the source's module behind one small interface."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from PIL import Image

from simcons.catalog import ModelSpec
from simcons.core.errors import UserError
from simcons.models.readout import Point, Readout, read_layers
from simcons.models.transforms import ImageTransform, Transform

# What a model is tried on when it is loaded.
_GREY = Image.new("RGB", (64, 64), (128, 128, 128))


def source(spec: ModelSpec) -> ModuleType:
    """Return the module that loads a model."""
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
    """

    spec: ModelSpec
    module: Readout
    transform: ImageTransform

    @torch.inference_mode()
    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return float32 features (n, dim) of a batch of inputs (n, 3, height, width).

        Raises
        ------
        UserError
            If the model returns another shape or a value that is not finite.
        """
        features = self.module(batch.contiguous(memory_format=torch.channels_last))
        return self.checked(features, len(batch))

    def checked(self, features: torch.Tensor, n: int) -> torch.Tensor:
        """Return features as float32 if they are of n images, of the right length and finite."""
        features = features.float()
        dim = self.spec.feature_dim
        if features.shape != (n, dim):
            raise UserError(
                f"model '{self.spec.id}' returned features of shape {tuple(features.shape)}, "
                f"the catalogue says ({n}, {dim})"
            )
        if not torch.isfinite(features).all():
            raise UserError(f"model '{self.spec.id}' returned features that are NaN or infinite")
        return features


@torch.inference_mode()
def forward_layers(extractors: Sequence[Extractor], batch: torch.Tensor) -> list[torch.Tensor]:
    """Run the network that several extractors share once; return the features of each.

    Raises
    ------
    UserError
        As `Extractor.forward`.
    """
    batch = batch.contiguous(memory_format=torch.channels_last)
    network, points = extractors[0].module.network, [e.module.point for e in extractors]
    outputs = read_layers(network, batch, points)
    return [e.checked(out, len(batch)) for e, out in zip(extractors, outputs, strict=True)]


def at_layer(extractor: Extractor, spec: ModelSpec) -> Extractor:
    """Return an extractor that reads a loaded network where another entry says.

    Raises
    ------
    UserError
        If the network has no such layer or token.
    """
    module = _readout(extractor.module.network, spec)
    return Extractor(spec, module.eval(), extractor.transform)


def _readout(network: torch.nn.Module, spec: ModelSpec) -> Readout:
    try:
        return Readout(network, Point(spec.layer, spec.token))
    except UserError as error:
        raise UserError(f"model '{spec.id}': {error}") from None


def load(spec: ModelSpec) -> Extractor:
    """Load a model, and run it on one image: its dimension must be the catalogue's.

    Raises
    ------
    UserError
        If weights are missing, have another hash, or do not fit the architecture, the network has
        no such layer, or the representation's length is not the catalogue's.
    """
    module, own_transform = build(spec)
    extractor = Extractor(
        spec=spec,
        module=module.eval().requires_grad_(False).to(memory_format=torch.channels_last),
        transform=own_transform or transform(spec),
    )
    extractor.forward(extractor.transform(_GREY)[None])
    return extractor


def build(spec: ModelSpec) -> tuple[Readout, ImageTransform | None]:
    """Return the network read at the model's layer, and its transform if only the source has it.

    Raises
    ------
    UserError
        As `load`, but for the dimension.
    """
    built = source(spec).build(spec)
    network, own_transform = built if isinstance(built, tuple) else (built, None)
    return _readout(network, spec), None if spec.transform else own_transform


def transform(spec: ModelSpec) -> Transform:
    """Return the model's transform: the catalogue's, else the source's own for evaluation.

    Raises
    ------
    UserError
        If only the loaded model could say (source ``python``).
    """
    found = spec.transform or source(spec).transform(spec)
    if found is None:
        raise UserError(f"model '{spec.id}': its function makes the transform; load the model")
    return Transform(found)


def fingerprint_parts(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides a model's features, without loading its weights.

    Returns
    -------
    dict
        The architecture, the identity of the weights (seed, tag or SHA-256) and the transform
        (None where the identity covers it: a user's function).
    """
    origin = source(spec)
    found = spec.transform or origin.transform(spec)
    return {
        "source": spec.source,
        "name": spec.name,
        "options": spec.options,
        "layer": spec.layer,
        "token": spec.token,
        "weights": origin.identity(spec),
        "transform": None if found is None else found.model_dump(mode="json"),
    }
