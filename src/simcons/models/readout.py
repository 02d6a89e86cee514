"""Reading a network at a named layer: forward hooks, and which tokens make the representation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from simcons.core.errors import UserError, did_you_mean

POOLED = "pooled"


@dataclass(frozen=True)
class Point:
    """Where a network is read.

    Attributes
    ----------
    layer
        A module's name in the network, or ``pooled``: the network's output.
    token
        ``cls``, ``avg``, ``cls+avg`` or None, as in `simcons.catalog.ModelSpec`.
    """

    layer: str = POOLED
    token: str | None = None


class Readout(torch.nn.Module):
    """A network whose output is one of its layers.

    Parameters
    ----------
    network
        From a batch (n, 3, height, width) to the pooled representation.
    point
        Where it is read.

    Raises
    ------
    UserError
        If it has no such layer, or a token is asked for that it has not.
    """

    def __init__(self, network: torch.nn.Module, point: Point) -> None:
        super().__init__()
        check_point(network, point)
        self.network = network
        self.point = point

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the representation (n, d) of a batch."""
        return read_layers(self.network, batch, [self.point])[0]


def read_layers(
    network: torch.nn.Module, batch: torch.Tensor, points: Sequence[Point]
) -> list[torch.Tensor]:
    """Run a network once and return its representation (n, d) at each of several points.

    A module that runs more than once in a pass is read at its last run.
    """
    found: dict[int, torch.Tensor] = {}

    def keep(i: int, _module: torch.nn.Module, _inputs: Any, output: Any) -> None:
        # A copy: the next module may work in place (VGG's ReLU does).
        n_prefix = _prefix_tokens(network, points[i].layer)
        found[i] = select(_tensor(output, points[i]), points[i], n_prefix).clone()

    hooks = [
        network.get_submodule(point.layer).register_forward_hook(partial(keep, i))
        for i, point in enumerate(points)
        if point.layer != POOLED
    ]
    try:
        output = network(batch)
    finally:
        for handle in hooks:
            handle.remove()
    for i, point in enumerate(points):
        if point.layer == POOLED:
            found[i] = select(_tensor(output, point), point, _prefix_tokens(network, ""))
        elif i not in found:
            raise UserError(f"layer '{point.layer}' takes no part in the network's forward pass")
    return [found[i] for i in range(len(points))]


def _tensor(output: Any, point: Point) -> torch.Tensor:
    # transformers return their outputs by name.
    output = getattr(output, "pooler_output", output) if point.layer == POOLED else output
    while isinstance(output, tuple | list) and len(output):
        output = output[0]
    if not isinstance(output, torch.Tensor):
        raise UserError(f"layer '{point.layer}' returns a {type(output).__name__}, not a tensor")
    return output


def select(output: torch.Tensor, point: Point, n_prefix: int = 1) -> torch.Tensor:
    """Return what a point's token choice takes of a layer's output.

    Parameters
    ----------
    output
        Tokens (n, tokens, d), a convolutional map (n, d, height, width), or anything (n, ...) that
        is only to be flattened.
    point
        Which layer (for messages) and tokens.
    n_prefix
        How many tokens (class token, registers) come before those of the patches.

    Returns
    -------
    Tensor
        (n, d); for ``cls+avg`` (n, 2 d).
    """
    if point.token is None:
        return output.flatten(1)
    if point.token == "avg" and output.ndim == 4:
        return output.mean((2, 3))
    if output.ndim != 3:
        raise UserError(
            f"layer '{point.layer}' returns shape {tuple(output.shape)}, but token "
            f"'{point.token}' needs (images, tokens, features); leave out 'token'"
        )
    parts = {"cls": lambda: output[:, 0], "avg": lambda: output[:, n_prefix:].mean(1)}
    return torch.cat([parts[name]() for name in point.token.split("+")], dim=1)


def check_point(network: torch.nn.Module, point: Point) -> None:
    """Refuse a layer that the network has not, or a class token where there is none.

    Raises
    ------
    UserError
        Naming the nearest layer.
    """
    names = [name for name, _ in network.named_modules() if name]
    if point.layer != POOLED and point.layer not in names:
        hint = did_you_mean(point.layer, [POOLED, *names])
        raise UserError(f"the network has no layer '{point.layer}': {hint}")
    layer = "" if point.layer == POOLED else point.layer
    if point.token is not None and "cls" in point.token and not _has_cls(network, layer):
        raise UserError("the network has no class token; allowed: token 'avg', or none")


def _owners(network: torch.nn.Module, layer: str) -> list[Any]:
    """Return the modules around a layer, innermost first, the network last."""
    parts = layer.split(".")[:-1] if layer else []
    return [network.get_submodule(".".join(parts[:n])) for n in range(len(parts), -1, -1)]


def _prefix_tokens(network: torch.nn.Module, layer: str) -> int:
    """Return how many tokens precede the patches': what timm's models say, else a class token."""
    for owner in _owners(network, layer):
        if isinstance(getattr(owner, "num_prefix_tokens", None), int):
            return owner.num_prefix_tokens
    return 1


def _has_cls(network: torch.nn.Module, layer: str) -> bool:
    for owner in _owners(network, layer):
        if hasattr(owner, "cls_token"):
            return owner.cls_token is not None
    return _prefix_tokens(network, layer) > 0
