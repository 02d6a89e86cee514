"""Fixtures of the tests of the analysis."""

from __future__ import annotations

import pandas as pd
import pytest
from consistency_data import random_matrices


@pytest.fixture
def matrices():
    return random_matrices()


@pytest.fixture
def table():
    models = [f"m{k:02d}" for k in range(10)]
    return pd.DataFrame(
        {
            "objective": ["Supervised"] * 4 + ["Self-Supervised"] * 4 + ["Image-Text"] * 2,
            "size_class": ["small", "large"] * 5,
            "architecture_class": [None] + ["Transformer", "Convolutional", "Transformer"] * 3,
        },
        index=pd.Index(models, name="model"),
    )
