"""Trying one model: the shapes of its layers, its parameters and speed, against the catalogue."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from PIL import Image

from simcons.catalog import ModelSpec, WeightsSpec
from simcons.core.errors import UserError
from simcons.models.extractor import build, source, transform
from simcons.models.readout import POOLED

# Modules so deep in a network are listed: ``blocks`` is 0, ``blocks.3`` is 1.
DEPTH = 1
MIN_SECONDS = 1.0


@dataclass(frozen=True)
class ModelCheck:
    """What trying a model has shown.

    Attributes
    ----------
    layers
        Name, kind and output shape of each listed layer, in the order in which they ran.
    input_shape, output_shape
        Of a batch, and of its representation.
    parameters
        Of the network as it is loaded: without head, without text tower.
    whole_parameters
        Of the whole architecture; None where the source does not know it.
    images_per_second
        None if it was not timed.
    problems
        Where the catalogue says something else; empty if all is well.
    """

    layers: list[tuple[str, str, tuple[int, ...]]]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    whole_parameters: int | None
    images_per_second: float | None
    problems: list[str]


def offline(spec: ModelSpec) -> ModelSpec:
    """Return a model with random weights, its transform and architecture as they are.

    Raises
    ------
    UserError
        If only the weights could say what the architecture is.
    """
    if spec.source in ("python", "zoo"):
        raise UserError(
            f"model '{spec.id}': source '{spec.source}' has no architecture without its weights; "
            f"leave out --offline"
        )
    return spec.model_copy(
        update={
            "transform": transform(spec).spec,
            "weights": WeightsSpec(kind="untrained"),
            "seed": spec.seed or 0,
        }
    )


def check_model(
    spec: ModelSpec,
    *,
    random_weights: bool = False,
    shapes_only: bool = False,
    batch_size: int = 8,
    device: str = "cpu",
) -> ModelCheck:
    """Load a model, run it, and compare it with the catalogue.

    Parameters
    ----------
    spec
        The model.
    random_weights
        Without its weights: nothing is downloaded.
    shapes_only
        Neither weights nor numbers nor timing, on torch's meta device: takes no memory.
    batch_size
        Images per batch.
    device
        Where it runs.

    Raises
    ------
    UserError
        If the model cannot be loaded.
    """
    where = "meta" if shapes_only else device
    chosen = offline(spec) if random_weights or shapes_only else spec
    with torch.device("meta" if shapes_only else "cpu"):
        module, own_transform = build(chosen)
    module = module.eval().requires_grad_(False).to(where)
    module = module.to(memory_format=torch.channels_last)
    image_transform = own_transform or transform(chosen)
    one = image_transform(Image.new("RGB", (256, 256), (128, 128, 128)))
    batch = torch.stack([one] * batch_size).to(where, memory_format=torch.channels_last)
    with torch.inference_mode():
        layers, output = _shapes(module, batch)
        rate = None if shapes_only else _rate(module, batch)
    parameters = _count(module)
    whole = _whole_parameters(spec)
    problems = _problems(spec, output, parameters, whole)
    shapes = tuple(batch.shape), tuple(output.shape)
    return ModelCheck(layers, *shapes, parameters, whole, rate, problems)


def _shapes(
    module: torch.nn.Module, batch: torch.Tensor
) -> tuple[list[tuple[str, str, tuple[int, ...]]], torch.Tensor]:
    """Run the network once; return what its layers gave, and its representation."""
    layers: list[tuple[str, str, tuple[int, ...]]] = []

    def listen(name: str, part: torch.nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            layers.append((name, type(part).__name__, tuple(output.shape)))

    network = module.network
    assert isinstance(network, torch.nn.Module)
    point = getattr(module.point, "layer", POOLED)
    hooks = [
        part.register_forward_hook(partial(listen, name))
        for name, part in network.named_modules()
        if name and (name.count(".") <= DEPTH or name == point)
    ]
    try:
        output = module(batch)
    finally:
        for handle in hooks:
            handle.remove()
    return layers, output


def _rate(module: torch.nn.Module, batch: torch.Tensor) -> float:
    """Return images per second of the bare forward pass."""
    n_batches, start = 0, time.perf_counter()
    while n_batches == 0 or time.perf_counter() - start < MIN_SECONDS:
        module(batch)
        n_batches += 1
        if batch.is_cuda:
            torch.cuda.synchronize()
    return n_batches * len(batch) / (time.perf_counter() - start)


def _count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _whole_parameters(spec: ModelSpec) -> int | None:
    make = getattr(source(spec), "whole", None)
    if make is None:
        return None
    with torch.device("meta"):
        return _count(make(spec))


def _problems(
    spec: ModelSpec, output: torch.Tensor, parameters: int, whole: int | None
) -> list[str]:
    found = []
    if output.ndim != 2 or output.shape[1] != spec.feature_dim:
        found.append(
            f"the representation has shape {tuple(output.shape)}, the catalogue says "
            f"({len(output)}, {spec.feature_dim})"
        )
    if spec.params is not None and spec.params not in (parameters, whole):
        counts = f"{parameters:,}" + (f" (whole architecture: {whole:,})" if whole else "")
        found.append(f"it has {counts} parameters, the catalogue says {spec.params:,}")
    return found
