"""Weights files: found or downloaded, checked by hash, read without unpickling, matched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch

from simcons.catalog import ModelSpec, WeightsSpec
from simcons.core.download import download
from simcons.core.errors import UserError, did_you_mean
from simcons.core.files import sha256_file

cached_sha256 = cache(sha256_file)
# Checkpoints of VISSL hold a loss or a step as a NumPy number: plain data, under NumPy 1's name.
_NUMBER = np.float64(0).__reduce__()[0]
_PLAIN_NUMBERS: list[Any] = [
    _NUMBER,
    (_NUMBER, "numpy.core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float32", "float64", "int32", "int64", "bool")),
]


def refuse_unknown(
    spec: ModelSpec,
    library: str,
    name: str,
    known: Collection[str],
    *,
    what: str = "",
    show: int = 0,
) -> None:
    """Refuse a name that a library of models does not have.

    Parameters
    ----------
    spec
        The model.
    library
        The library's name.
    name, known
        What is asked for, and what there is.
    what
        What the message calls it; the name alone by default.
    show
        How many of ``known`` the message lists, besides the nearest.
    """
    if name not in known:
        raise UserError(
            f"model '{spec.id}': {library} has no {what or repr(name)}: "
            f"{did_you_mean(name, known, show=show)}"
        )


def network(
    spec: ModelSpec,
    whole: Callable[[ModelSpec], torch.nn.Module],
    from_hub: Callable[[ModelSpec], torch.nn.Module],
    *,
    hub_name: str | None = None,
    drop_head: Callable[[Any], Any] = lambda module: module,
    convert: Callable[[dict[str, torch.Tensor], Any], dict[str, torch.Tensor]] | None = None,
) -> torch.nn.Module:
    """Return a library's network with the weights that the model has: the hub's, a file's, none.

    Parameters
    ----------
    spec
        The model.
    whole
        Makes the architecture with its head, without weights.
    from_hub
        Gets the network with the hub's weights, without head.
    hub_name
        What the message calls the hub's weights; their tag by default.
    drop_head, convert
        As for `load_into`.

    Raises
    ------
    UserError
        If the weights cannot be had.
    """
    if spec.weights.kind == "hub":
        try:
            return from_hub(spec)
        except UserError:
            raise
        except Exception as error:  # hub clients raise many kinds; the cause is in the message
            raise UserError(
                f"model '{spec.id}': weights '{hub_name or spec.weights.tag}' could not be loaded "
                f"from the hub ({type(error).__name__}: {str(error).strip()})"
            ) from error
    with seeded(spec):
        module = whole(spec)
    if spec.weights.kind == "untrained":
        return drop_head(module)
    return load_into(module, spec, drop_head=drop_head, convert=convert)


@contextmanager
def seeded(spec: ModelSpec) -> Iterator[None]:
    """Seed torch's global generator, which libraries draw initial weights from, for a block.

    It is forked, so that loading a model changes no other draw.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed or 0)
        yield


def identity(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides the weights: the seed, the hub's tag, the file's SHA-256, or its URL."""
    weights = spec.weights
    if weights.kind == "untrained":
        return {"kind": "untrained", "seed": spec.seed}
    if weights.kind == "hub":
        pinned = {"revision": weights.revision} if weights.revision else {}
        return {"kind": "hub", "tag": weights.tag, **pinned}
    read = {"match": weights.match}
    read |= {k: v for k in ("key", "prefix") if (v := getattr(weights, k))}
    if weights.kind == "url" and weights.sha256 is None:
        return {"url": weights.url, **read}
    return {"sha256": weights.sha256 or cached_sha256(locate(spec)), **read}


def locate(spec: ModelSpec) -> Path:
    """Return the path of a model's weights file; one with a URL is downloaded if it is not here.

    Raises
    ------
    UserError
        If the package is not installed, or there is no such file, or its SHA-256 is another.
    """
    weights = spec.weights
    path = _path(spec.id, weights)
    if weights.kind == "url" and not path.is_file():
        download(str(weights.url), path, sha256=weights.sha256, what=f"model '{spec.id}'")
    if not path.is_file():
        raise UserError(f"model '{spec.id}': weights file {path} does not exist")
    if weights.sha256 is not None and cached_sha256(path) != weights.sha256:
        raise UserError(
            f"model '{spec.id}': {path} has SHA-256 {cached_sha256(path)}, "
            f"the catalogue says {weights.sha256}: the file is damaged or another one"
        )
    return path


def _path(model: str, weights: WeightsSpec) -> Path:
    if weights.kind == "url":
        place = urlsplit(str(weights.url))
        return Path(torch.hub.get_dir()) / "checkpoints" / place.netloc / place.path.lstrip("/")
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


def read_state_dict(path: Path, key: str | None = None) -> dict[str, torch.Tensor]:
    """Read tensors from a safetensors file, or a torch file that holds plain values alone.

    Parameters
    ----------
    path
        The file.
    key
        Where in it the tensors lie: keys of nested maps, with slashes between them. Without it, at
        the top, or below ``state_dict`` or ``model``.

    Raises
    ------
    UserError
        If the file cannot be read, holds Python objects (which are never unpickled), or has no such
        key.
    """
    state = _read_file(path)
    if key is None:
        for usual in ("state_dict", "model"):
            if isinstance(state.get(usual), dict):
                state = state[usual]
    else:
        for part in key.split("/"):
            if not isinstance(state.get(part), dict):
                hint = did_you_mean(part, (k for k, v in state.items() if isinstance(v, dict)))
                raise UserError(f"{path}: no map '{part}' of key '{key}': {hint}")
            state = state[part]
    tensors = {name: v for name, v in state.items() if isinstance(v, torch.Tensor)}
    if len(tensors) < len(state):
        odd = next(name for name in state if name not in tensors)
        raise UserError(
            f"{path}: '{odd}' is no tensor; where in the file do the weights lie ('key')? "
            f"It holds: {', '.join(map(str, list(state)[:12]))}"
        )
    return tensors


def _read_file(path: Path) -> dict[str, Any]:
    from pickle import UnpicklingError  # raised by torch; nothing is unpickled here

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        with torch.serialization.safe_globals(_PLAIN_NUMBERS):
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, ValueError, OSError, EOFError) as error:
        first = str(error).strip().split("\n")[0]
        raise UserError(f"{path}: cannot be read as weights ({first})") from None
    except Exception as error:
        if type(error).__module__.startswith("safetensors"):
            raise UserError(f"{path}: not a readable safetensors file ({error})") from None
        raise
    if not isinstance(state, dict):
        raise UserError(f"{path}: holds a {type(state).__name__}, not named tensors")
    return state


def load_into(
    module: Any,
    spec: ModelSpec,
    *,
    drop_head: Callable[[Any], Any] = lambda module: module,
    convert: Callable[[dict[str, torch.Tensor], Any], dict[str, torch.Tensor]] | None = None,
) -> Any:
    """Load a model's weights file into an architecture, strictly: no tensor left over or missing.

    Parameters
    ----------
    module
        The architecture, with its head.
    spec
        The model.
    drop_head
        Takes the head off the architecture. The head is no part of a representation, so the file
        may hold it, or another one, or none.
    convert
        Turns tensors of the authors' own layout, and the architecture, into the architecture's.

    Returns
    -------
    Module
        The architecture without its head.

    Raises
    ------
    UserError
        If names or shapes do not agree.
    """
    path = locate(spec)
    state = _renamed(path, read_state_dict(path, spec.weights.key), spec.weights)
    if spec.weights.match == "position":
        own = module.state_dict()
        if len(state) != len(own):
            raise UserError(
                f"model '{spec.id}': {path} holds {len(state)} tensors, "
                f"architecture '{spec.name}' has {len(own)}"
            )
        _fill(module, dict(zip(own, state.values(), strict=True)), path, spec)
        return drop_head(module)
    if convert is not None:
        try:
            state = convert(state, module)
        except (KeyError, RuntimeError, ValueError, AttributeError) as error:
            raise UserError(
                f"model '{spec.id}': {path} does not fit '{spec.name}' ({error})"
            ) from None
    whole = module.state_dict().keys()
    module = drop_head(module)
    head = whole - module.state_dict().keys()
    _fill(module, {k: v for k, v in state.items() if k not in head}, path, spec)
    return module


def _renamed(
    path: Path, state: dict[str, torch.Tensor], weights: WeightsSpec
) -> dict[str, torch.Tensor]:
    """Return the tensors without those to ignore, and without the prefix of their names."""
    kept = {k: v for k, v in state.items() if not k.startswith(weights.ignore)}
    odd = [name for name in kept if not name.startswith(weights.prefix)]
    if odd:
        raise UserError(
            f"{path}: tensor '{odd[0]}' does not begin with '{weights.prefix}' "
            f"({len(odd)} of {len(kept)} do not)"
        )
    return {name.removeprefix(weights.prefix): v for name, v in kept.items()}


def _fill(module: Any, state: dict[str, torch.Tensor], path: Path, spec: ModelSpec) -> None:
    own = module.state_dict()
    # Old files lack this counter of batch norm, which only training reads; torch fills it in.
    needed = {name for name in own if not name.endswith("num_batches_tracked")}
    shapes = [
        f"'{k}' {tuple(state[k].shape)} for {tuple(own[k].shape)}"
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    problems = {
        "missing": [f"'{k}'" for k in sorted(needed - state.keys())],
        "left over": [f"'{k}'" for k in sorted(state.keys() - own.keys())],
        "of another shape": shapes,
    }
    said = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for what, names in problems.items()
        if names
    ]
    if said:
        raise UserError(
            f"model '{spec.id}': {path} does not fit '{spec.name}': tensors {'; '.join(said)}"
        )
    module.load_state_dict(state, strict=True)
