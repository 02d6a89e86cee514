"""Models of open_clip: the image tower, whose representation is the joint-space embedding.

Layers are named as in the whole model: ``visual`` is the tower itself.
"""

from __future__ import annotations

from typing import Any

import open_clip
import torch

from simcons.catalog import ModelSpec, TransformSpec
from simcons.core.errors import UserError
from simcons.models.weights import identity, network, refuse_unknown

__all__ = ["build", "identity", "transform", "whole"]


def transform(spec: ModelSpec) -> TransformSpec:
    """Return open_clip's evaluation transform for the architecture and its weights' tag."""
    config = _config(spec)
    tag = spec.weights.tag if spec.weights.kind == "hub" else None
    cfg = (open_clip.get_pretrained_cfg(spec.name, tag) or {}) if tag else {}
    side = config["vision_cfg"]["image_size"]
    squash = cfg.get("resize_mode", "shortest") == "squash"
    return TransformSpec(
        resize=side,
        crop=None if squash else side,
        mode="squash" if squash else "shortest",
        interpolation=cfg.get("interpolation", "bicubic"),
        mean=cfg.get("mean", open_clip.OPENAI_DATASET_MEAN),
        std=cfg.get("std", open_clip.OPENAI_DATASET_STD),
    )


def build(spec: ModelSpec) -> torch.nn.Module:
    """Return the image tower alone.

    Raises
    ------
    UserError
        If open_clip has no such model, or its weights cannot be had.
    """
    return ImageTower(network(spec, whole, _from_hub))


def whole(spec: ModelSpec) -> torch.nn.Module:
    """Return the architecture with its text tower, without weights."""
    _config(spec)
    device = torch.get_default_device()
    return open_clip.create_model(spec.name, pretrained=None, device=device, **spec.options)


class ImageTower(torch.nn.Module):
    """The image tower alone; the text tower's memory is given back."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.visual = model.visual

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the embedding (n, d) in the joint space, not normalised."""
        return self.visual(batch)


def _config(spec: ModelSpec) -> dict[str, Any]:
    refuse_unknown(spec, "open_clip", spec.name, open_clip.list_models())
    return open_clip.get_model_config(spec.name)


def _from_hub(spec: ModelSpec) -> torch.nn.Module:
    _config(spec)
    if spec.weights.revision:
        raise UserError(f"model '{spec.id}': open_clip cannot pin a 'revision'; leave it out")
    tags, tag = open_clip.list_pretrained_tags_by_model(spec.name), str(spec.weights.tag)
    what = f"weights '{tag}' for '{spec.name}'"
    refuse_unknown(spec, "open_clip", tag, tags, what=what, show=12)
    return open_clip.create_model(spec.name, pretrained=tag, **spec.options)
