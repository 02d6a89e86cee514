"""Intervals of the performance gap and of error consistency against similarity; by domain."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from consistency_data import random_matrices
from scipy import stats

from simcons.consistency import (
    Settings,
    gap_by_domain,
    gap_pairs,
    relate_performance,
    relation_headline,
    relation_intervals,
    summarise_relations,
    with_agreement,
)
from simcons.core.errors import UserError


def gap_intervals(similarities, accuracies, models, methods=("pearson", "spearman"), **options):
    pairs = gap_pairs(similarities, accuracies)
    return relation_intervals(pairs, "similarity", "gap", models, Settings(methods, **options))


@pytest.fixture
def accuracies():
    rng = np.random.default_rng(3)
    rows = [(f"data{d}", f"m{k:02d}", rng.uniform()) for d in range(3) for k in range(10)]
    return pd.DataFrame(rows, columns=["dataset", "model", "accuracy"])


def test_estimates_and_intervals(accuracies):
    matrices = random_matrices(3)
    table = pd.DataFrame(index=matrices["data0"].models)
    found = gap_intervals(matrices, accuracies, table, n_bootstrap=200)
    assert found["available"].all()
    assert (found["percentile_low"] < found["r"]).all()
    assert (found["r"] < found["percentile_high"]).all()
    again = gap_intervals(matrices, accuracies, table, n_bootstrap=200)
    pd.testing.assert_frame_equal(found, again)


def test_few_families_have_no_interval(accuracies):
    matrices = random_matrices(2)
    families = [f"f{k // 2}" for k in range(10)]
    table = pd.DataFrame({"family": families}, index=matrices["data0"].models)
    found = gap_intervals(matrices, accuracies, table, ["pearson"])
    assert not found["available"].any()
    assert found["n_families"].tolist() == [5, 5]
    assert found["bca_low"].isna().all()
    assert found["r"].notna().all()


def relation(y: list[float], x: list[float] | None = None):
    """All 45 pairs of ten models, x rising from pair to pair unless given."""
    models = [f"m{k:02d}" for k in range(10)]
    pairs = pd.DataFrame(itertools.combinations(models, 2), columns=["model_1", "model_2"])
    pairs = pairs.assign(dataset="d", x=np.arange(45.0) if x is None else x, y=y)
    return pairs, pd.DataFrame(index=models)


def test_undefined_pairs_are_left_out_and_counted():
    y = np.arange(45.0) ** 2
    pairs, models = relation(np.where(np.arange(45) % 9 == 0, np.nan, y))
    found = relation_intervals(pairs, "x", "y", models, Settings(n_bootstrap=50)).set_index(
        "method"
    )
    assert found["n_left_out"].tolist() == [5, 5]
    assert found["n_pairs"].tolist() == [40, 40]
    assert found.loc["spearman", "r"] == pytest.approx(1)
    kept = pairs.dropna()
    assert found.loc["pearson", "r"] == pytest.approx(np.corrcoef(kept["x"], kept["y"])[0, 1])


def test_too_few_defined_pairs_have_no_r():
    pairs, models = relation([1.0, 2.0] + [np.nan] * 43)
    found = relation_intervals(pairs, "x", "y", models, Settings(n_bootstrap=50))
    assert found["r"].isna().all()
    assert not found["available"].any()
    assert found["reason"].str.contains("2 model pair").all()


def test_kendall_is_a_point_estimate():
    pairs, models = relation(list(np.arange(45.0)[::-1]))
    (row,) = relation_intervals(pairs, "x", "y", models, Settings(["kendall"])).to_dict("records")
    assert row["r"] == pytest.approx(-1)
    assert not row["available"]
    assert "point estimate" in row["reason"]


def test_similarity_gap_and_error_consistency_are_related(accuracies):
    matrices = random_matrices(3)
    pairs = gap_pairs(matrices, accuracies)
    # Planted: the same errors exactly where models are similar.
    agreement = pairs.rename(columns={"similarity": "value"})
    table = pd.DataFrame(index=matrices["data0"].models)
    found = relate_performance(
        {"cka": matrices}, accuracies, agreement, table, Settings(n_bootstrap=100)
    )
    indexed = found.set_index(["measure", "against", "method"])
    np.testing.assert_allclose(indexed.loc[("cka", "error_consistency", "pearson"), "r"], 1)
    with_gap = indexed.loc[("cka", "gap", "spearman"), "r"]
    np.testing.assert_allclose(indexed.loc[("error_consistency", "gap", "spearman"), "r"], with_gap)
    plain = [stats.spearmanr(p["similarity"], p["gap"])[0] for _, p in pairs.groupby("dataset")]
    np.testing.assert_allclose(with_gap, plain, atol=1e-12)
    digest = summarise_relations(found)
    assert sorted(digest) == ["error_consistency", "gap"]
    assert digest["error_consistency"]["cka"]["pearson"]["median"] == 1
    assert sorted(digest["gap"]) == ["cka", "error_consistency"]
    small = relation_headline(digest, "pearson")
    assert small["error_consistency"] == {"cka": 1}
    assert small["gap"]["cka"] == digest["gap"]["cka"]["pearson"]["median"]


def test_a_missing_error_consistency_is_named(accuracies):
    pairs = gap_pairs(random_matrices(1), accuracies).assign(value=0.5)
    with pytest.raises(UserError, match="no error consistency of 'm00' and 'm01'"):
        with_agreement(pairs, pairs.iloc[1:])


def test_two_models_are_too_few(accuracies):
    few = random_matrices(1, 2)
    with pytest.raises(UserError, match="1 model pair"):
        gap_intervals(few, accuracies, pd.DataFrame(index=["m00", "m01"]))


def test_quartiles_by_domain(accuracies):
    matrices = random_matrices(3)
    models = pd.DataFrame({"family": "one"}, index=matrices["data0"].models)
    gaps = gap_intervals(matrices, accuracies, models).assign(measure="cka", against="gap")
    domains = {"data0": "natural", "data1": "natural", "data2": "structured"}
    found = gap_by_domain(gaps, domains).set_index(["domain", "method"])
    r = gaps[(gaps["method"] == "pearson") & (gaps["dataset"] != "data2")]["r"]
    assert found.loc[("natural", "pearson"), "median"] == pytest.approx(r.median(), abs=1e-6)
    assert found.loc[("structured", "spearman"), "n_datasets"] == 1
    with pytest.raises(UserError, match="no domain.*data2"):
        gap_by_domain(gaps, {"data0": "natural", "data1": "natural"})
