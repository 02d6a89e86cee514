"""The user's own models: a Python function that returns (module, transform).

``name`` is ``package.module:function``; the package may lie in the folder ``own`` of the repository
or be installed. The function gets the entry's ``options``. Its module maps a batch to the pooled
representation; its transform is a callable from a PIL RGB image to one input, a TransformSpec, or a
dict of its fields, and gives way to the entry's ``transform``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from simcons.catalog import ModelSpec, TransformSpec
from simcons.core.errors import UserError
from simcons.core.files import sha256_file, sha256_json
from simcons.core.own import module_file, own_function, said
from simcons.core.paths import Paths
from simcons.core.validation import validated
from simcons.models import weights
from simcons.models.transforms import ImageTransform, Transform

if TYPE_CHECKING:
    from PIL.Image import Image


def identity(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides the weights: the code, the entry's seed, and the file it names.

    The code is that of every module in ``own`` if the function lies there; of an installed package,
    its version and the function's module.
    """
    named = {"sha256": weights.cached_sha256(weights.locate(spec))} if spec.weights.path else {}
    return {"code": _code_digest(spec), "seed": spec.seed, **named}


def transform(spec: ModelSpec) -> TransformSpec | None:
    """Return None: the function makes it."""
    return None


def build(spec: ModelSpec) -> tuple[torch.nn.Module, ImageTransform]:
    """Call the function.

    Raises
    ------
    UserError
        If there is no such function, it fails, or it returns something else.
    """
    function = own_function(f"model '{spec.id}'", spec.name)
    if spec.weights.path:
        weights.locate(spec)  # refuse a file that is missing or has another hash
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(spec.seed or 0)
            made = function(**spec.options)
    except Exception as error:
        raise UserError(f"model '{spec.id}': {spec.name} failed: {said(error)}") from error
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], torch.nn.Module)):
        raise UserError(
            f"model '{spec.id}': {spec.name} returned {_kinds(made)}; it must return a torch "
            f"module and a transform: (module, transform)"
        )
    return made[0], _image_transform(spec, made[1])


def _image_transform(spec: ModelSpec, made: Any) -> ImageTransform:
    if isinstance(made, dict):
        made = validated(TransformSpec, made, where=f"model '{spec.id}': its transform")
    if isinstance(made, TransformSpec):
        return Transform(made)
    if not callable(made):
        raise UserError(
            f"model '{spec.id}': its transform is {_kinds(made)}; allowed: a callable from a PIL "
            f"image to a tensor, a TransformSpec, or a dict of its fields"
        )

    def one_input(image: Image) -> torch.Tensor:
        found = made(image)
        if not isinstance(found, torch.Tensor) or found.ndim != 3:
            raise UserError(
                f"model '{spec.id}': its transform returned {_kinds(found)}, not a tensor "
                f"(channels, height, width)"
            )
        return found.float()

    return one_input


def _code_digest(spec: ModelSpec) -> str:
    from importlib.metadata import packages_distributions, version

    module, folder = spec.name.partition(":")[0], Paths().own.resolve()
    origin = module_file(module)
    if origin is None:
        own_function(f"model '{spec.id}'", spec.name)  # says what is missing
        raise AssertionError(spec.name)
    if folder in origin.resolve().parents:
        files = {str(p.relative_to(folder)): sha256_file(p) for p in sorted(folder.rglob("*.py"))}
        return sha256_json({"function": spec.name, "files": files})
    package = module.split(".")[0]
    versions = {name: version(name) for name in packages_distributions().get(package, [])}
    return sha256_json({"function": spec.name, "module": sha256_file(origin), "versions": versions})


def _kinds(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(type(part).__name__ for part in value)})"
    shape = f" {tuple(value.shape)}" if isinstance(value, torch.Tensor) else ""
    return f"{type(value).__name__}{shape}"
