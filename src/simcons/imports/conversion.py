"""Features and subsets as published, in our formats; their rows have no sample keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from simcons.catalog import model_specs
from simcons.core.errors import UserError
from simcons.core.files import atomic, read_json, sha256_file
from simcons.datasets import Subset
from simcons.imports.matrices import unknown_model
from simcons.imports.published_files import PublishedFile
from simcons.imports.torch_files import load_array


def convert_features(file: PublishedFile, folder: Path) -> Path:
    """Write one model's features on one split as ``folder/DATASET/MODEL/SPLIT.safetensors``.

    It holds ``features`` float32 (n, d) and ``targets`` int64 (n,), but no sample keys, as none
    were published: `simcons similarity` reads it, the pipeline refuses it.

    Raises
    ------
    UserError
        If the model or data set is unknown, a file is unreadable, or shapes do not fit each other
        or the catalogue.
    """
    from safetensors.numpy import save

    model, split = file.says["model"], file.says["split"]
    if model not in model_specs():
        raise UserError(f"{file.name}: {unknown_model(model)}")
    dataset = file.dataset
    features = load_array(file.path)
    width = model_specs()[model].feature_dim
    if features.ndim != 2 or features.shape[1] != width:
        raise UserError(f"{file.name}: shape {features.shape}; '{model}' needs (n, {width})")
    if not np.isfinite(features).all():
        raise UserError(f"{file.name}: it holds values that are no finite numbers")
    arrays: dict[str, Any] = {"features": np.ascontiguousarray(features, dtype=np.float32)}
    labels = file.path.with_name(f"targets_{split}.pt")
    if labels.is_file():
        targets = load_array(labels)
        if targets.shape != (len(features),) or targets.dtype.kind not in "iu":
            raise UserError(
                f"{labels}: {targets.dtype} of shape {targets.shape}; needed: integers "
                f"({len(features)},)"
            )
        arrays["targets"] = targets.astype(np.int64)
    about = {"imported_from": file.name, "sha256": sha256_file(file.path), "keys_digest": None}
    target = folder / dataset / model / f"{split}.safetensors"
    with atomic(target) as part:
        part.write_bytes(save(arrays, metadata={"simcons": json.dumps(about, sort_keys=True)}))
    return target


def convert_subset(file: PublishedFile, target: Path) -> int:
    """Write a published list of row numbers as a subset file; return its length.

    Raises
    ------
    UserError
        If it is no list of distinct row numbers.
    """
    values = read_json(file.path)
    good = isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)
    if not good or not values or len(set(values)) != len(values):
        raise UserError(f"{file.name}: not a list of distinct row numbers")
    rows = np.array(sorted(values), dtype=np.int64)
    Subset(file.dataset, "train", None, None, rows, None).write(target)
    return len(values)
