"""A small mixture on which every objective has something to learn: stripes of four directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simcons.models.zoo.data import TrainingData, mix
from simcons.models.zoo.spec import ZooSpec

SETS = {"coarse": 12.0, "fine": 6.0}  # name -> period of the stripes in pixels


def stripes(n: int, period: float, seed: int, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Return images uint8 (n, size, size, 3) and labels (n,): the stripes' direction."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    angle = np.pi * labels[:, None, None] / 4
    y, x = np.mgrid[:size, :size]
    phase = rng.uniform(0, 2 * np.pi, (n, 1, 1))
    wave = np.sin(2 * np.pi / period * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    colour = rng.uniform(20, 60, (n, 1, 1, 3))
    pixels = 128 + colour * wave[..., None] + rng.normal(0, 5, (n, size, size, 3))
    return pixels.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="session")
def data() -> TrainingData:
    names = ["across", "rising", "up", "falling"]
    parts = {
        s: (*stripes(80, p, i), names) for i, (s, p) in enumerate(zip(SETS, (12, 6), strict=True))
    }
    return mix(parts)


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., ZooSpec]:
    """Return a function that makes a small valid spec, changed as asked."""

    def make(**changes: Any) -> ZooSpec:
        values = {
            "objective": "supervised",
            "architecture": "conv_small",
            "seed": 0,
            "width": 16,
            "training_sets": list(SETS),
            "epochs": 1,
            "batch_size": 16,
            "augmentations": {"crop_min_area": 0.6, "flip_sets": ["fine"], "brightness": 0.2},
        }
        return ZooSpec.parse("m", {**values, **changes})

    return make
