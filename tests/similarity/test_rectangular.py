"""One model against many equals the same entries of the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest

from simcons.core.errors import UserError
from simcons.similarity import compute_similarity, similarity_to_others

MEASURES = ["cka_linear", "cka_rbf_0.4", "rsa_correlation_spearman", "linear_r2"]


def test_equals_the_whole_matrix_whatever_the_grouping():
    rng = np.random.default_rng(0)
    features = {f"m{k:02d}": rng.normal(size=(40, 5 + k)) for k in range(10)}  # two groups
    features["new"] = rng.normal(size=(40, 6)) + features["m03"][:, :6]
    others = [name for name in features if name != "new"]
    table = similarity_to_others(features["new"], others, features.__getitem__, MEASURES)
    whole = compute_similarity(features, MEASURES)
    assert len(table) == len(MEASURES) * len(others)
    for measure, model, value in table.itertuples(index=False):
        matrix = whole[measure]
        i, j = matrix.index("new"), matrix.index(model)
        expected = (matrix.values[i, j] + matrix.values[j, i]) / 2
        assert value == pytest.approx(expected, abs=1e-6), (measure, model)


def test_a_model_called_new_is_no_trouble_and_none_is_refused():
    x = np.random.default_rng(1).normal(size=(12, 4))
    table = similarity_to_others(x, ["new"], lambda _: x, ["cka_linear"])
    assert table["value"].tolist() == pytest.approx([1.0])
    with pytest.raises(UserError, match="no models to compare with"):
        similarity_to_others(x, [], lambda _: x, ["cka_linear"])
