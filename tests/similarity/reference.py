"""What the engine is compared with: the definitions, over all pairs of models."""

from __future__ import annotations

import numpy as np

from simcons.similarity import lookup


def normalize_rows(x):
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm > 0, norm, 1)


def matrix(name, features, normalize=True):
    arrays = [np.asarray(features[m], dtype=np.float64) for m in sorted(features)]
    if normalize:
        arrays = [normalize_rows(x) for x in arrays]
    return np.array([[lookup(name).define(x, y) for y in arrays] for x in arrays])
