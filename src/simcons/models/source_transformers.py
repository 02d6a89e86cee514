"""Models of Hugging Face transformers: a vision model, or an image-text model's vision tower.

``name`` is a repository of the hub or a local folder in its layout; ``options.model_type`` (such as
``align``) names the architecture, and ``options.config`` changes its defaults, where there are no
weights to say so.
"""

from __future__ import annotations

from typing import Any

import torch

from simcons.catalog import ModelSpec, TransformSpec
from simcons.core.errors import UserError, did_you_mean
from simcons.models import weights


def identity(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides the weights."""
    _check_kind(spec)
    return weights.identity(spec)


def transform(spec: ModelSpec) -> TransformSpec:
    """Refuse: the hub's image processors are code; the catalogue says what they do."""
    raise UserError(f"model '{spec.id}': source 'transformers' needs 'transform' in its entry")


def build(spec: ModelSpec) -> torch.nn.Module:
    """Return the vision tower; its output holds the pooled one by name, which `Readout` takes.

    Raises
    ------
    UserError
        If the weights cannot be had, or the model has no vision tower.
    """
    _check_kind(spec)
    return weights.network(spec, whole, _from_hub, hub_name=spec.name)


def whole(spec: ModelSpec) -> torch.nn.Module:
    """Return the vision tower, without weights."""
    from transformers import AutoConfig, AutoModel
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kind = str(spec.options.get("model_type"))
    if kind not in CONFIG_MAPPING:
        hint = did_you_mean(kind, CONFIG_MAPPING.keys(), show=0)
        raise UserError(f"model '{spec.id}': options.model_type: got '{kind}'; {hint}")
    config = AutoConfig.for_model(kind, **spec.options.get("config", {}))
    return _tower(AutoModel.from_config(config), spec)


def _tower(model: Any, spec: ModelSpec) -> torch.nn.Module:
    tower = getattr(model, "vision_model", model)
    if getattr(tower, "main_input_name", None) != "pixel_values":
        raise UserError(f"model '{spec.id}': {type(model).__name__} has no vision tower")
    # Under timm's name, where `readout` looks for it: the class token and the registers.
    tower.num_prefix_tokens = 1 + (getattr(tower.config, "num_register_tokens", None) or 0)
    return tower


def _check_kind(spec: ModelSpec) -> None:
    if spec.weights.kind not in ("hub", "untrained"):
        raise UserError(
            f"model '{spec.id}': source 'transformers' has weights of kind 'hub' or 'untrained'; "
            f"for a local folder give its path as 'name', kind 'hub' and any 'tag'"
        )


def _from_hub(spec: ModelSpec) -> torch.nn.Module:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(
        spec.name, revision=spec.weights.tag, dtype=torch.float32, trust_remote_code=False
    )
    return _tower(model, spec)
