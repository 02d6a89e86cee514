"""Small synthetic data sets for the probe tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def make_data() -> Callable[..., Data]:
    """Return a maker of train and test features and labels: Gaussian classes."""

    def make(
        n: int = 120, d: int = 12, n_classes: int = 4, n_test: int = 80, noise: float = 1.0
    ) -> Data:
        rng = np.random.default_rng(7)
        centres = rng.normal(size=(n_classes, d))

        def split(size: int) -> tuple[np.ndarray, np.ndarray]:
            y = np.arange(size) % n_classes
            x = centres[y] + noise * rng.normal(size=(size, d))
            return x.astype(np.float32), y.astype(np.int64)

        return (*split(n), *split(n_test))

    return make
