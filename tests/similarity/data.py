"""Features for tests: models that share a signal, with a given mean cosine between images."""

from __future__ import annotations

import numpy as np


def models(n=60, dims=(12, 20, 7), cosine=0.0, seed=0, dtype=np.float32, noise=0.7):
    """Return model id -> (n, d) features: a common direction plus a shared signal plus noise."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n, 6)) * np.array([3, 2, 1.5, 1, 0.7, 0.5])
    out = {}
    for k, d in enumerate(dims):
        z = signal @ rng.normal(size=(6, d)) / 6 + noise * rng.normal(size=(n, d))
        z -= z.mean(axis=0)
        z /= np.sqrt(np.square(z).sum(axis=1).mean())
        common = rng.normal(size=d)
        common /= np.linalg.norm(common)
        x = np.sqrt(cosine) * common + np.sqrt(1 - cosine) * z
        out[f"model_{k}"] = x.astype(dtype)
    return out


def mean_cosine(x):
    x = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    total = x.sum(axis=0)
    n = len(x)
    return (total @ total - n) / (n * (n - 1))
