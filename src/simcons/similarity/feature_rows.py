"""Features as rows: of a folder that anybody made, of a subset's images; checked before use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from simcons.core.arrays import FileRows, Rows, SelectedRows, tensor_rows
from simcons.core.errors import UserError
from simcons.core.files import readable

LAZY = ("shape", "dtype", "ndim", "__getitem__")  # arrays that are read by rows when needed


def read_features(folder: Path, split: str = "train") -> dict[str, Rows]:
    """Return the features of a folder, read from their files when asked for: model id -> (n, d).

    Parameters
    ----------
    folder
        Holds ``MODEL.npy`` arrays, or ``MODEL.safetensors`` or ``MODEL/<split>.safetensors`` files
        with a tensor ``features``. Sample keys, where the files have them, must agree.
    split
        Which split of folders per model.

    Raises
    ------
    UserError
        If the folder has no features, a file is damaged, or two files hold other images.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        inner = path / f"{split}.safetensors"
        if path.suffix in (".npy", ".safetensors"):
            found[path.stem] = path
        elif inner.is_file():
            found[path.name] = inner
    if not found:
        raise UserError(
            f"{folder}: no features; needed: MODEL.npy, MODEL.safetensors or "
            f"MODEL/{split}.safetensors"
        )
    out: dict[str, Rows] = {}
    first: tuple[Path, bytes] | None = None
    for name, path in found.items():
        out[name], keys = _read(path)
        if keys is not None:
            first = first or (path, keys)
            if keys != first[1]:
                raise UserError(f"{path} and {first[0]} hold other images, or in another order")
    return out


def rows_of(features: dict[str, Rows], subset: Path) -> dict[str, Rows]:
    """Return the features of a subset's images alone.

    Raises
    ------
    UserError
        If the subset file is damaged, or a model has too few rows.
    """
    from simcons.datasets import read_subset

    indices = read_subset(subset).indices
    for name, array in features.items():
        if indices[-1] >= len(array):
            raise UserError(f"{subset}: row {indices[-1]}, but '{name}' has {len(array)} rows")
    return {name: SelectedRows(array, indices) for name, array in features.items()}


def _read(path: Path) -> tuple[Rows, bytes | None]:
    """Return features that are read when asked for, and the bytes of the keys, if there are any."""
    errors = (SafetensorError, ValueError, KeyError, EOFError)
    with readable(path, "not a readable feature file", *errors):
        if path.suffix == ".npy":
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
            if not mapped.flags.c_contiguous or mapped.ndim != 2:
                return mapped, None
            return FileRows(path, mapped.shape, mapped.dtype, mapped.offset), None
        with safe_open(path, framework="numpy") as file:
            keys = file.get_tensor("keys").tobytes() if "keys" in file.keys() else None  # noqa: SIM118
        return tensor_rows(path), keys


def check_features(features: Mapping[str, Any]) -> dict[str, Rows]:
    """Return the features as arrays, sorted by model id, if their shapes agree.

    Raises
    ------
    UserError
        If there are no models, an array is not two-dimensional with real numbers, or the number of
        rows differs between models.
    """
    if len(features) == 0:
        raise UserError("no features given: similarity needs at least one model")
    arrays = {name: _as_array(name, features[name]) for name in sorted(features)}
    first = next(iter(arrays))
    n = len(arrays[first])
    for name, array in arrays.items():
        if len(array) != n:
            raise UserError(
                f"features of model '{name}' have {len(array)} rows, those of '{first}' {n}: "
                "all models need the same images in the same order"
            )
    return arrays


def _as_array(name: str, value: Any) -> Rows:
    if hasattr(value, "detach"):  # a torch tensor, without importing torch
        value = value.detach().cpu().numpy()
    array = value if all(hasattr(value, a) for a in LAZY) else np.asanyarray(value)
    if array.ndim != 2 or array.dtype.kind not in "fiub" or array.shape[1] == 0:
        raise UserError(
            f"features of model '{name}' have shape {array.shape} and type {array.dtype}; "
            "needed: (n_images, n_dimensions), real numbers"
        )
    return array
