"""The features that measures are computed from: checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from simcons.core.arrays import Rows
from simcons.core.errors import UserError

LAZY = ("shape", "dtype", "ndim", "__getitem__")  # arrays that are read by rows when needed


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
