"""Floor and ceiling of similarities: known answers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simcons.consistency import LEVEL_COLUMNS, level_table
from simcons.similarity import SimilarityMatrix


def matrix(*pairs: float) -> SimilarityMatrix:
    values = np.eye(4)
    values[np.triu_indices(4, 1)] = pairs
    return SimilarityMatrix(["a0", "a1", "b", "c"], np.maximum(values, values.T))


def test_pairs_of_a_family_are_the_ceiling_and_only_others_count_as_pairs():
    chance = pd.DataFrame(
        {"measure": "rsa", "draw": 0, "model_1": "a", "model_2": "b", "value": [-0.1, 0.1, 0.3]}
    )
    found = level_table(
        {"rsa": {"d2": matrix(0.9, 0.1, 0.2, 0.3, 0.4, 0.5), "d1": matrix(*[0.5] * 6)}},
        {"d2": chance},
        {"a0": "a", "a1": "a"},
    )
    assert tuple(found.columns) == LEVEL_COLUMNS
    assert list(found["dataset"]) == ["d1", "d2"]
    row = found.iloc[1]
    assert (row["n_pairs"], row["n_seed_pairs"]) == (5, 1)
    assert np.allclose(
        row[["median", "q1", "q3", "seed", "chance"]].astype(float), [0.3, 0.2, 0.4, 0.9, 0.1]
    )
    assert found.iloc[0][["chance_low", "chance", "chance_high"]].isna().all()


def test_no_replicates_no_ceiling():
    found = level_table({"rsa": {"d": matrix(*[0.5] * 6)}}, {}, {})
    assert found["n_seed_pairs"].item() == 0
    assert found[["seed_low", "seed", "seed_high"]].isna().all(axis=None)
