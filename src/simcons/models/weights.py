"""Weights files: found, checked by hash, read without unpickling, matched to an architecture."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from simcons.catalog import ModelSpec, WeightsSpec
from simcons.errors import UserError
from simcons.files import sha256_file

cached_sha256 = cache(sha256_file)


def identity(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides the weights: the seed, the hub's tag, or the file's SHA-256."""
    weights = spec.weights
    if weights.kind == "untrained":
        return {"kind": "untrained", "seed": spec.seed}
    if weights.kind == "hub":
        return {"kind": "hub", "tag": weights.tag}
    return {"sha256": cached_sha256(locate(spec)), "match": weights.match}


def locate(spec: ModelSpec) -> Path:
    """Return the path of a model's weights file.

    Raises
    ------
    UserError
        If the package is not installed, or there is no such file, or its SHA-256 is another.
    """
    path = _path(spec.id, spec.weights)
    if not path.is_file():
        raise UserError(f"model '{spec.id}': weights file {path} does not exist")
    expected = spec.weights.sha256
    if expected is not None and cached_sha256(path) != expected:
        raise UserError(
            f"model '{spec.id}': {path} has SHA-256 {cached_sha256(path)}, "
            f"the catalogue says {expected}: the file is damaged or another one"
        )
    return path


def _path(model: str, weights: WeightsSpec) -> Path:
    assert weights.path is not None  # WeightsSpec refuses a file without a path
    if weights.kind != "package":
        return Path(weights.path).expanduser()
    package = find_spec(weights.package or "")
    if package is None or package.origin is None:
        raise UserError(
            f"model '{model}': its weights come with the Python package '{weights.package}', "
            f"which is not installed"
        )
    return Path(package.origin).parent / weights.path


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read tensors from a safetensors file, or a torch file that holds tensors alone.

    Raises
    ------
    UserError
        If the file cannot be read, or holds Python objects (which are never unpickled).
    """
    from pickle import UnpicklingError  # raised by torch; nothing is unpickled here

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, ValueError, OSError) as error:
        raise UserError(f"{path}: cannot be read as weights ({error})") from None
    except Exception as error:
        if type(error).__module__.startswith("safetensors"):
            raise UserError(f"{path}: not a readable safetensors file ({error})") from None
        raise
    return state.get("state_dict", state)


def load_into(module: torch.nn.Module, spec: ModelSpec) -> None:
    """Load a model's weights file into an architecture, strictly: no tensor left over or missing.

    Raises
    ------
    UserError
        If names or shapes do not agree.
    """
    path = locate(spec)
    state = read_state_dict(path)
    own = module.state_dict()
    if spec.weights.match == "position":
        if len(state) != len(own):
            raise UserError(
                f"model '{spec.id}': {path} holds {len(state)} tensors, "
                f"architecture '{spec.name}' has {len(own)}"
            )
        state = dict(zip(own, state.values(), strict=True))
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise UserError(f"model '{spec.id}': {path} does not fit '{spec.name}': {error}") from None
