"""Models of torchvision: its own weights, checkpoints of others (VISSL, DINO, ...), or none."""

from __future__ import annotations

from typing import Any

import torch
import torchvision

from simcons.catalog import ModelSpec, TransformSpec
from simcons.core.errors import UserError, did_you_mean
from simcons.models import weights


def identity(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides the weights."""
    return weights.identity(spec)


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
    _check_name(spec)
    if spec.weights.kind == "hub":
        return _without_head(_from_hub(spec))
    with weights.seeded(spec):
        module = whole(spec)
    if spec.weights.kind != "untrained":
        return weights.load_into(module, spec, drop_head=_without_head)
    return _without_head(module)


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
    if spec.name not in names:
        raise UserError(
            f"model '{spec.id}': torchvision has no '{spec.name}': "
            f"{did_you_mean(spec.name, names, show=0)}"
        )


def _weights(spec: ModelSpec) -> Any:
    _check_name(spec)
    found = torchvision.models.get_model_weights(spec.name)
    if spec.weights.tag not in found.__members__:
        raise UserError(
            f"model '{spec.id}': torchvision has no weights '{spec.weights.tag}' for "
            f"'{spec.name}': {did_you_mean(str(spec.weights.tag), found.__members__)}"
        )
    return found[str(spec.weights.tag)]


def _from_hub(spec: ModelSpec) -> torch.nn.Module:
    if spec.weights.revision:
        raise UserError(f"model '{spec.id}': torchvision cannot pin a 'revision'; leave it out")
    chosen = _weights(spec)
    try:
        # torchvision checks the file against the hash in its name.
        return torchvision.models.get_model(spec.name, weights=chosen, **spec.options)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"model '{spec.id}': weights '{spec.weights.tag}' could not be downloaded "
            f"({type(error).__name__}: {error})"
        ) from error
