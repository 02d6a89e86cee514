"""Models of torchvision: its own weights, checkpoints of others (VISSL, DINO, ...), or none."""

from __future__ import annotations

from typing import Any

import torch
import torchvision

from simcons.catalog import ModelSpec, TransformSpec
from simcons.core.errors import UserError
from simcons.models.weights import identity, network, refuse_unknown

__all__ = ["build", "identity", "transform", "whole"]


def transform(spec: ModelSpec) -> TransformSpec:
    """Return the evaluation transform that torchvision keeps with the weights.

    Raises
    ------
    UserError
        If the weights are none of torchvision's and the catalogue gives no transform.
    """
    if spec.weights.kind != "hub":
        raise UserError(
            f"model '{spec.id}': torchvision knows the transform of its own weights alone; "
            f"give 'transform'"
        )
    preset = _weights(spec).transforms()
    return TransformSpec(
        resize=preset.resize_size[0],
        crop=preset.crop_size[0],
        interpolation=preset.interpolation.value,
        mean=preset.mean,
        std=preset.std,
    )


def build(spec: ModelSpec) -> torch.nn.Module:
    """Return the network whose output is what its last linear layer, the head, would read.

    Raises
    ------
    UserError
        If torchvision has no such model, or its weights cannot be had.
    """
    return network(spec, whole, _from_hub, drop_head=_without_head)


def whole(spec: ModelSpec) -> torch.nn.Module:
    """Return the architecture with its head, without weights."""
    _check_name(spec)
    return torchvision.models.get_model(spec.name, weights=None, **spec.options)


def _without_head(module: torch.nn.Module) -> torch.nn.Module:
    linear = [name for name, part in module.named_modules() if isinstance(part, torch.nn.Linear)]
    parent, _, name = linear[-1].rpartition(".")
    setattr(module.get_submodule(parent), name, torch.nn.Identity())
    return module


def _check_name(spec: ModelSpec) -> None:
    names = torchvision.models.list_models(module=torchvision.models)
    refuse_unknown(spec, "torchvision", spec.name, names)


def _weights(spec: ModelSpec) -> Any:
    _check_name(spec)
    found, tag = torchvision.models.get_model_weights(spec.name), str(spec.weights.tag)
    what = f"weights '{tag}' for '{spec.name}'"
    refuse_unknown(spec, "torchvision", tag, found.__members__, what=what, show=12)
    return found[tag]


def _from_hub(spec: ModelSpec) -> torch.nn.Module:
    if spec.weights.revision:
        raise UserError(f"model '{spec.id}': torchvision cannot pin a 'revision'; leave it out")
    # torchvision checks the file against the hash in its name.
    model = torchvision.models.get_model(spec.name, weights=_weights(spec), **spec.options)
    return _without_head(model)
