"""All of the analysis in one call: every table, repeatable, whatever the number of threads."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from consistency_data import analysis, random_matrices

from simcons.consistency import (
    Settings,
    analyse,
    anchor_rank_sums,
    by_anchor,
    consistency,
    headline,
    summarise,
    summarise_intervals,
)
from simcons.consistency.overlap import flag_overlaps, overlap_flags
from simcons.core.errors import UserError
from simcons.core.files import merged


@pytest.fixture(scope="module")
def study():
    similarities = {m: random_matrices(8, 14, seed=k) for k, m in enumerate(["cka_rbf_0.4", "rsa"])}
    ids = similarities["rsa"]["data0"].models
    models = pd.DataFrame(
        {"objective": ["a"] * 7 + ["b"] * 7, "size_class": ["s", "l"] * 7, "data": "x"}, index=ids
    )
    left, right = np.triu_indices(14, 1)
    names = np.array(ids, dtype=object)
    replicates = {
        f"data{d}": pd.concat(
            pd.DataFrame({"measure": m, "kind": "half", "replicate": k, "model_1": names[left],
                          "model_2": names[right],
                          "value": s[f"data{d}"].values[left, right] + 0.01 * k * (left % 3)})
            for m, s in similarities.items() for k in range(4)
        )
        for d in range(8)
    }  # fmt: skip
    settings = Settings(
        methods=("pearson", "spearman", "kendall"), categories=("objective", "size_class"),
        n_bootstrap=40, n_permutations=40, contrast="objective", strata=("data",),
        given=("size_class",), anchors=("m03", "m00"), overlaps=(("data1", "data2"),),
    )  # fmt: skip
    return similarities, models, settings, replicates


@pytest.fixture(scope="module")
def tables(study):
    similarities, models, settings, replicates = study
    return analyse(similarities, models, settings, replicates=replicates)


def test_every_table_is_there_and_threads_change_nothing(study, tables):
    similarities, models, settings, replicates = study
    one = tables
    two = analyse(similarities, models, settings, replicates=replicates, threads=3)
    assert sorted(one) == [
        "anchor_rank_sums", "anchors", "companions", "consistency", "contrasts", "corrected",
        "drivers", "intervals", "left_out", "mantel", "partial", "rank_spread", "reliability",
        "spread", "spread_matched", "stratified",
    ]  # fmt: skip
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name])
        assert table.columns[0] == "measure"
        assert table["measure"].drop_duplicates().tolist() in (["cka_rbf_0.4", "rsa"], [])
    assert set(one["consistency"]["method"]) == {"pearson", "spearman", "kendall"}
    assert set(one["intervals"]["method"]) == {"pearson", "spearman"}
    assert one["consistency"]["shares_images"].mean() == pytest.approx(1 / 28)


def test_what_is_not_asked_for_is_not_there(study):
    similarities, models, _, _ = study
    found = analyse(similarities, models, Settings(n_bootstrap=10, n_permutations=10))
    assert not {"drivers", "partial", "stratified", "anchors", "reliability"} & set(found)


def test_kendall_alone_is_refused(study):
    similarities, models, _, _ = study
    with pytest.raises(UserError, match="methods: got kendall; intervals and tests need"):
        analyse(similarities, models, Settings(methods=["kendall"]))


def test_the_digest_of_intervals(study, tables):
    similarities = study[0]
    digest = summarise_intervals(tables["intervals"])
    json.dumps(digest, allow_nan=False)
    assert set(digest) == {"cka_rbf_0_4", "rsa"}
    place = digest["rsa"]["pearson"]
    median = consistency(similarities["rsa"])["r"].median()
    assert place["all"]["low"] < median < place["all"]["high"]
    assert set(place["objective"]) == {"a__a", "a__b", "b__b"}
    few = summarise_intervals(
        tables["intervals"].assign(available=False, bca_low=np.nan, bca_high=np.nan)
    )
    assert few["rsa"]["pearson"]["all"]["low"] is None
    small = headline(merged(summarise(tables["consistency"]), digest), "pearson")
    assert sorted(small) == ["cka_rbf_0_4", "rsa"]
    assert list(small["rsa"]) == ["r", "low", "high", "within"]
    assert small["rsa"]["r"] == pytest.approx(median, abs=1e-6)
    assert small["rsa"]["low"] == place["all"]["low"]
    assert sorted(small["rsa"]["within"]) == ["a", "b"]  # not between two objectives
    rows = tables["consistency"]
    rows = rows[(rows["measure"] == "rsa") & (rows["method"] == "pearson")]
    inside = rows[(rows["group_1"] == "a") & (rows["group_2"] == "a")]["r"].median()
    assert small["rsa"]["within"]["a"] == pytest.approx(inside, abs=1e-6)


def test_overlaps_are_flagged():
    names = ["a", "b", "c", "d"]
    assert overlap_flags(names, [["a", "c", "zzz"], ["c", "d"]]).tolist() == [
        False, True, False, False, False, True,
    ]  # fmt: skip
    table = pd.DataFrame({"dataset_1": ["a", "a"], "dataset_2": ["c", "d"]})
    assert flag_overlaps(table, [["a", "c"]])["shares_images"].tolist() == [True, False]
    for wrong in (["a"], [["a"]]):
        with pytest.raises(UserError, match="list of names"):
            overlap_flags(names, wrong)


def test_anchors(matrices):
    table = by_anchor(analysis(matrices, methods=["spearman"], anchors=["m05", "m02"]))
    assert table["anchor"].drop_duplicates().tolist() == ["m05", "m02"]
    expected = consistency(matrices, ["m05"], None, "spearman")["r"]
    np.testing.assert_array_equal(table[table["anchor"] == "m05"]["r"], expected)
    assert set(table["n_pairs"]) == {9}
    sums = anchor_rank_sums(by_anchor(analysis(matrices, anchors=["m05", "m02", "m01"])))
    assert len(sums) == 6
    assert (sums["p_bonferroni"] <= 3 * sums["p"] + 1e-12).all()
    assert sums["assumes_independence"].all()
    assert by_anchor(analysis(matrices)).empty
    assert list(anchor_rank_sums(table[table["anchor"] == "m05"]).columns)[-1] == (
        "assumes_independence"
    )
    undefined = anchor_rank_sums(table.assign(r=np.nan))
    assert undefined["p"].isna().all()
