"""Performance gap: the pair table against a loop, and what is refused."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from consistency_data import Matrix, random_matrices
from scipy import stats

from simcons.consistency import Settings, gap_pairs, relation_intervals
from simcons.consistency.digests import summarise_gap
from simcons.core.errors import UserError


@pytest.fixture
def accuracies(matrices):
    rng = np.random.default_rng(3)
    rows = [(d, m, rng.uniform()) for d in matrices for m in matrices[d].models]
    return pd.DataFrame(rows, columns=["dataset", "model", "accuracy"]).sample(
        frac=1, random_state=0
    )


def r_of_gap(similarities, accuracies, methods=("pearson", "spearman")):
    models = sorted({m for matrix in similarities.values() for m in matrix.models})
    pairs = gap_pairs(similarities, accuracies)
    table = pd.DataFrame({"family": "one"}, index=models)
    return relation_intervals(pairs, "similarity", "gap", table, Settings(methods))


def test_against_a_plain_loop(matrices, accuracies):
    score = {(d, m): a for d, m, a in accuracies.itertuples(index=False)}
    pairs = gap_pairs(matrices, accuracies, measure="cka_linear")
    gaps = r_of_gap(matrices, accuracies, ["pearson", "spearman", "kendall"])
    assert pairs.columns.tolist() == [
        "measure", "dataset", "model_1", "model_2", "similarity", "gap",
    ]  # fmt: skip
    for name, matrix in matrices.items():
        x, y = [], []
        for i, j in itertools.combinations(range(10), 2):
            x.append(matrix.values[i, j])
            y.append(abs(score[name, matrix.models[i]] - score[name, matrix.models[j]]))
        part = pairs[pairs["dataset"] == name]
        np.testing.assert_allclose(part["similarity"], x)
        np.testing.assert_allclose(part["gap"], y)
        found = gaps[gaps["dataset"] == name].set_index("method")["r"]
        assert found["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic)
        assert found["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic)
        assert found["kendall"] == pytest.approx(stats.kendalltau(x, y).statistic)


def test_a_gap_that_mirrors_the_similarity_gives_minus_one():
    accuracy = np.array([0.1, 0.2, 0.5, 0.9])
    values = 1 - np.abs(accuracy[:, None] - accuracy)
    models = list("abcd")
    table = pd.DataFrame({"dataset": "x", "model": models, "accuracy": accuracy})
    found = r_of_gap({"x": Matrix(models, values)}, table)
    np.testing.assert_allclose(found["r"], -1)
    assert found["n_pairs"].tolist() == [6, 6]


def test_equal_accuracies_are_undefined_not_zero(matrices, accuracies):
    found = r_of_gap(matrices, accuracies.assign(accuracy=0.5)).assign(measure="cka_linear")
    assert found["r"].isna().all()
    digest = summarise_gap(found)
    json.dumps(digest, allow_nan=False)
    assert digest["cka_linear"]["pearson"]["datasets"]["data0"] is None
    assert digest["cka_linear"]["pearson"]["n_undefined"] == 4


def test_the_digest(matrices, accuracies):
    found = r_of_gap(matrices, accuracies).assign(measure="similarity")
    digest = summarise_gap(found)["similarity"]["spearman"]
    r = found[found["method"] == "spearman"]["r"]
    assert digest["median"] == pytest.approx(r.median(), abs=1e-6)
    assert digest["n_datasets"] == 4
    assert list(digest["datasets"]) == ["data0", "data1", "data2", "data3"]


def test_what_is_missing_is_named(matrices, accuracies):
    gone = ~((accuracies["dataset"] == "data1") & (accuracies["model"] == "m04"))
    with pytest.raises(UserError, match=r"'data1' has no accuracy for 1 model.*m04"):
        gap_pairs(matrices, accuracies[gone])
    with pytest.raises(UserError, match="two accuracies"):
        gap_pairs(matrices, pd.concat([accuracies, accuracies.head(1)]))
    with pytest.raises(UserError, match=r"lacks the column.*accuracy"):
        gap_pairs(matrices, accuracies.rename(columns={"accuracy": "top1"}))
    with pytest.raises(UserError, match="no similarity matrices"):
        gap_pairs({}, accuracies)


def test_too_few_pairs_are_refused():
    table = pd.DataFrame({"dataset": "data0", "model": ["m00", "m01"], "accuracy": [0.1, 0.2]})
    with pytest.raises(UserError, match="1 model pair"):
        r_of_gap(random_matrices(1, 2), table)
