"""Models of timm: hub tags, local or packaged checkpoints, and untrained controls."""

from __future__ import annotations

import sys
from typing import Any

import timm
import torch

from simcons.catalog import ModelSpec, TransformSpec
from simcons.core.errors import UserError
from simcons.models.weights import identity, network, refuse_unknown

__all__ = ["build", "identity", "transform", "whole"]


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
    return network(
        spec,
        whole,
        _from_hub,
        hub_name=_full_name(spec),
        drop_head=_without_head,
        convert=_converted,
    )


def whole(spec: ModelSpec) -> torch.nn.Module:
    """Return the architecture with its head, without weights."""
    _check_name(spec)
    head = {}
    if spec.weights.kind == "hub" and (cfg := timm.get_pretrained_cfg(_full_name(spec))):
        head["num_classes"] = cfg.num_classes
    return timm.create_model(spec.name, pretrained=False, **{**head, **spec.options})


def _check_name(spec: ModelSpec) -> None:
    refuse_unknown(spec, "timm", spec.name, timm.list_models())


def _without_head(module: Any) -> torch.nn.Module:
    module.reset_classifier(0)
    return module


def _converted(state: dict[str, torch.Tensor], module: Any) -> dict[str, torch.Tensor]:
    """Turn the authors' layout into timm's, as timm does for its own weights.

    Each family's module of timm has such a function (DINOv2, MAE, XCiT, ...); it also resamples
    position embeddings to the architecture's image size.
    """
    convert = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
    return state if convert is None else convert(dict(state), module)


def _full_name(spec: ModelSpec) -> str:
    return f"{spec.name}.{spec.weights.tag}" if spec.weights.kind == "hub" else spec.name


def _from_hub(spec: ModelSpec) -> torch.nn.Module:
    _check_name(spec)
    name = _full_name(spec)
    pinned: dict[str, Any] = {}
    if spec.weights.revision and (cfg := timm.get_pretrained_cfg(name)):
        pinned["pretrained_cfg_overlay"] = {"hf_hub_id": f"{cfg.hf_hub_id}@{spec.weights.revision}"}
    return timm.create_model(name, pretrained=True, num_classes=0, **pinned, **spec.options)
