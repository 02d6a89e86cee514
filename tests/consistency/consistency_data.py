"""Small similarity matrices and model tables for the tests of the analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simcons.consistency import Analysis, Settings
from simcons.consistency.correlation import RESAMPLED_METHODS


@dataclass
class Matrix:
    """The two fields of simcons.similarity.SimilarityMatrix that the analysis reads."""

    models: list[str]
    values: np.ndarray


def random_matrices(n_datasets: int = 4, n_models: int = 10, seed: int = 0, noise: float = 0.3):
    """Similarities with a shared part and a part of each data set."""
    rng = np.random.default_rng(seed)
    models = [f"m{k:02d}" for k in range(n_models)]
    shared = rng.normal(size=(n_models, n_models))
    result = {}
    for d in range(n_datasets):
        raw = shared + noise * rng.normal(size=shared.shape)
        values = np.tanh(raw + raw.T)
        np.fill_diagonal(values, 1.0)
        result[f"data{d}"] = Matrix(models, values)
    return result


def analysis(matrices, table=None, categories=(), methods=RESAMPLED_METHODS, **settings):
    """Return the analysis of some matrices; the measure's name may be among the settings."""
    measure = settings.pop("measure", "similarity")
    wanted = Settings(categories=categories, methods=methods, **settings)
    return Analysis.of(matrices, table, wanted, measure)
