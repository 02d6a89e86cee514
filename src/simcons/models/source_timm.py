"""Models of timm: hub tags, local or packaged checkpoints, and untrained controls."""

from __future__ import annotations

from typing import Any

import timm
import torch

from simcons.catalog import ModelSpec, TransformSpec
from simcons.errors import UserError, did_you_mean
from simcons.models import weights


def identity(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides the weights."""
    return weights.identity(spec)


def transform(spec: ModelSpec) -> TransformSpec:
    """Return timm's evaluation transform: resize by the crop share, then crop the centre."""
    cfg = timm.get_pretrained_cfg(_full_name(spec))
    if cfg is None:
        raise UserError(f"model '{spec.id}': timm knows no evaluation transform; give 'transform'")
    side = spec.options.get("img_size", cfg.input_size[-1])
    squash = cfg.crop_mode == "squash"
    values = {
        "resize": side if squash else int(side / cfg.crop_pct),
        "crop": None if squash else side,
        "mode": "squash" if squash else "shortest",
        "interpolation": cfg.interpolation,
        "mean": cfg.mean,
        "std": cfg.std,
    }
    return TransformSpec.model_validate(values)


def build(spec: ModelSpec) -> torch.nn.Module:
    """Return the module whose output is the pooled representation before any head.

    Raises
    ------
    UserError
        If timm has no such model, or its weights cannot be had.
    """
    if not timm.is_model(spec.name):
        raise UserError(
            f"model '{spec.id}': timm has no '{spec.name}': "
            f"{did_you_mean(spec.name, timm.list_models(), show=0)}"
        )
    if spec.weights.kind == "hub":
        return _from_hub(spec)
    # timm draws from the global generator: fork it, so that loading changes no other draw.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed or 0)
        module = timm.create_model(spec.name, pretrained=False, **spec.options)
    if spec.weights.kind != "untrained":
        weights.load_into(module, spec)
    return _without_head(module)


def _without_head(module: Any) -> torch.nn.Module:
    module.reset_classifier(0)
    return module


def _full_name(spec: ModelSpec) -> str:
    return f"{spec.name}.{spec.weights.tag}" if spec.weights.kind == "hub" else spec.name


def _from_hub(spec: ModelSpec) -> torch.nn.Module:
    name = _full_name(spec)
    try:
        return timm.create_model(name, pretrained=True, num_classes=0, **spec.options)
    except Exception as error:  # hub clients raise many kinds; the cause is in the message
        raise UserError(
            f"model '{spec.id}': weights '{name}' could not be loaded from the hub "
            f"({type(error).__name__}: {error})"
        ) from error
