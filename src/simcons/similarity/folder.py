"""Reads any folder of features, for people who want similarities without the pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from simcons.errors import UserError
from simcons.similarity.prepare import Array

SPLITS = ("train", "test")


def read_features(folder: Path, split: str = "train") -> dict[str, Array]:
    """Return the features of a folder, memory-mapped: model id -> (n, d).

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
    out: dict[str, Array] = {}
    first: tuple[Path, bytes] | None = None
    for name, path in found.items():
        out[name], keys = _read(path)
        if keys is not None:
            first = first or (path, keys)
            if keys != first[1]:
                raise UserError(f"{path} and {first[0]} hold other images, or in another order")
    return out


def rows_of(features: dict[str, Array], subset: Path) -> dict[str, Array]:
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
    return {name: array[indices] for name, array in features.items()}


def _read(path: Path) -> tuple[Array, bytes | None]:
    """Return memory-mapped features and the bytes of the keys, if there are any."""
    try:
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False), None
        return _read_safetensors(path)
    except (ValueError, KeyError, EOFError) as error:
        raise UserError(f"{path}: not a readable feature file ({error})") from None


def _read_safetensors(path: Path) -> tuple[Array, bytes | None]:
    """Map the tensor ``features``: the format is a length, a JSON header and raw data."""
    types = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("the header is longer than the file")
        header = json.loads(file.read(length))
        start = 8 + length
        entry = header["features"]
        if entry["dtype"] not in types:
            raise ValueError(f"features are of type {entry['dtype']}; needed: F16, F32 or F64")
        keys = None
        if "keys" in header:
            begin, end = header["keys"]["data_offsets"]
            file.seek(start + begin)
            keys = file.read(end - begin)
    offset = start + entry["data_offsets"][0]
    shape = tuple(entry["shape"])
    return np.memmap(path, types[entry["dtype"]], "r", offset, shape), keys
