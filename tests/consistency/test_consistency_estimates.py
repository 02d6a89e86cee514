"""Consistency against a plain loop, the groups, and the metrics digest."""

from __future__ import annotations

import itertools
import json
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from consistency_data import Matrix, analysis, random_matrices
from scipy import stats
from threadpoolctl import threadpool_limits

from simcons.consistency import by_category, consistency, left_out, summarise
from simcons.core.errors import UserError

REFERENCE = {
    "pearson": stats.pearsonr,
    "spearman": stats.spearmanr,
    "kendall": stats.kendalltau,
}


def slow_consistency(matrices, first, second, method):
    """The definition, word for word."""
    models = matrices["data0"].models
    unordered = sorted(
        {tuple(sorted((models.index(a), models.index(b)))) for a in first for b in second if a != b}
    )
    rows = {}
    for one, two in itertools.combinations(sorted(matrices), 2):
        x = [matrices[one].values[i, j] for i, j in unordered]
        y = [matrices[two].values[i, j] for i, j in unordered]
        rows[one, two] = REFERENCE[method](x, y).statistic
    return rows, len(unordered)


@pytest.mark.parametrize("method", sorted(REFERENCE))
@pytest.mark.parametrize(
    ("first", "second"),
    [(None, None), (range(4), range(4)), (range(4), range(4, 9)), (range(5), range(3, 9)),
     ([2], None), (range(3), [0])],
)  # fmt: skip
def test_against_a_plain_loop(matrices, method, first, second):
    models = matrices["data0"].models
    one, two = (None if s is None else [models[k] for k in s] for s in (first, second))
    if first == range(3):
        with pytest.raises(UserError, match="2 model pair"):
            consistency(matrices, one, two, method)
        return
    expected, n_pairs = slow_consistency(matrices, one or models, two or models, method)
    found = consistency(matrices, one, two, method)
    assert list(found.columns) == ["dataset_1", "dataset_2", "r", "n_pairs"]
    assert set(found["n_pairs"]) == {n_pairs}
    pairs = zip(found["dataset_1"], found["dataset_2"], strict=True)
    assert dict(zip(pairs, found["r"], strict=True)) == pytest.approx(expected, abs=1e-12)


def test_swapping_the_sets_and_repeating_an_id_change_nothing(matrices):
    one, two = ["m00", "m01", "m02"], ["m02", "m05", "m06"]
    expected = consistency(matrices, one, two)
    pd.testing.assert_frame_equal(consistency(matrices, two, one), expected)
    pd.testing.assert_frame_equal(consistency(matrices, one * 2, iter(two)), expected)


def test_sets_need_only_their_own_models_everywhere(matrices):
    short = matrices["data2"]
    matrices["data2"] = Matrix(short.models[:-1], short.values[:-1, :-1])
    some = short.models[:5]
    assert len(consistency(matrices, some, some)) == 6
    with pytest.raises(UserError, match="m09"):
        consistency(matrices, some)


def test_one_data_set_is_refused():
    with pytest.raises(UserError, match="two data sets, got data0"):
        consistency(random_matrices(1))


def test_constant_similarities_give_nan_and_a_warning(matrices):
    matrices["data3"].values[:] = 0.5
    with pytest.warns(UserWarning, match="equal on data3"):
        found = consistency(matrices)
    undefined = found["dataset_2"] == "data3"
    assert found["r"].isna().tolist() == undefined.tolist()


def test_groups_are_every_pair_of_values(matrices, table):
    study = analysis(matrices, table, ["objective", "size_class"], ["pearson", "kendall"])
    rows = by_category(study)
    found = rows.groupby(["category", "group_1", "group_2"])["n_pairs"].first().to_dict()
    assert found == {
        ("all", "all", "all"): 45,
        ("objective", "Image-Text", "Self-Supervised"): 8,
        ("objective", "Image-Text", "Supervised"): 8,
        ("objective", "Self-Supervised", "Self-Supervised"): 6,
        ("objective", "Self-Supervised", "Supervised"): 16,
        ("objective", "Supervised", "Supervised"): 6,
        ("size_class", "large", "large"): 10,
        ("size_class", "large", "small"): 25,
        ("size_class", "small", "small"): 10,
    }
    assert len(rows) == 9 * 6 * 2
    assert left_out(study).to_dict("records") == [
        {"category": "objective", "group_1": "Image-Text", "group_2": "Image-Text",
         "n_models_1": 2, "n_models_2": 2, "n_pairs": 1,
         "reason": "1 model pair(s), fewer than 3"}
    ]  # fmt: skip


def test_group_values_equal_those_of_the_two_sets(matrices, table):
    found = by_category(analysis(matrices, table, ["objective"], ["spearman"]))
    one = table.index[table["objective"] == "Image-Text"]
    two = table.index[table["objective"] == "Supervised"]
    rows = found.query("group_1 == 'Image-Text' and group_2 == 'Supervised'")
    expected = consistency(matrices, one, two, "spearman")
    np.testing.assert_array_equal(rows["r"], expected["r"])


def test_models_without_a_value_are_listed(matrices, table):
    found = left_out(analysis(matrices, table, ["architecture_class"]))
    assert found["reason"].tolist() == ["no value of architecture_class: m00"]
    assert found["n_models_1"].tolist() == [1]


def test_a_constant_group_is_listed_and_nan(matrices, table):
    matrices["data1"].values[:4, :4] = 0.25
    study = analysis(matrices, table, ["objective"], ["pearson"])
    group = by_category(study).query("group_1 == 'Supervised' and group_2 == 'Supervised'")
    assert int(group["r"].isna().sum()) == 3
    assert "equal on data1" in "".join(left_out(study)["reason"])


def test_bad_arguments_are_refused(matrices, table):
    with pytest.raises(UserError, match="did you mean 'objective'"):
        by_category(analysis(matrices, table, ["objectiv"]))
    with pytest.raises(UserError, match="min_pairs: got 2"):
        by_category(analysis(matrices, table, ["objective"], min_pairs=2))
    with pytest.raises(UserError, match=r"no row for 1 model.*m09"):
        by_category(analysis(matrices, table.drop("m09"), ["objective"]))
    with pytest.raises(UserError, match="unknown correlation"):
        by_category(analysis(matrices, table, ["objective"], ["pearso"]))


def test_nothing_but_left_out_groups():
    study = analysis(random_matrices(2, 2), pd.DataFrame(index=["m00", "m01"]))
    found = by_category(study)
    assert found.empty
    assert list(found.columns)[-2:] == ["r", "n_pairs"]
    assert len(left_out(study)) == 1
    assert summarise(found) == {}


def test_the_digest_is_small_stable_json(matrices, table):
    matrices["data1"].values[:4, :4] = 0.25
    rows = by_category(analysis(matrices, table, ["objective"]))
    parts = [rows.assign(measure=m) for m in ("cka_rbf_0.4", "cka_linear")]
    digest = summarise(pd.concat(parts))
    json.dumps(digest, allow_nan=False)
    assert list(digest) == ["cka_linear", "cka_rbf_0_4"]
    everything = digest["cka_linear"]["pearson"]["all"]
    r = consistency(matrices)["r"]
    assert everything["median"] == pytest.approx(r.median(), abs=1e-6)
    assert everything["q3"] == pytest.approx(r.quantile(0.75), abs=1e-6)
    assert (everything["n_dataset_pairs"], everything["n_model_pairs"]) == (6, 45)
    group = digest["cka_linear"]["pearson"]["objective"]["Supervised__Supervised"]
    assert (group["n_dataset_pairs"], group["n_undefined"]) == (3, 3)
    assert set("".join(digest["cka_linear"]["pearson"]["objective"])) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
    )


def test_a_digest_without_any_value_says_none():
    rows = pd.DataFrame(
        {"category": "all", "group_1": "all", "group_2": "all", "method": "pearson",
         "r": [np.nan], "n_pairs": [5]}
    )  # fmt: skip
    assert summarise(rows)["similarity"]["pearson"]["all"]["median"] is None


def test_names_that_differ_in_punctuation_alone_are_refused():
    rows = pd.DataFrame(
        {"category": "size", "group_1": ["a-b", "a b"], "group_2": "c", "method": "pearson",
         "r": 0.5, "n_pairs": 5}
    )  # fmt: skip
    with pytest.raises(UserError, match="a_b__c"):
        summarise(rows)


def test_the_papers_size_takes_less_than_two_seconds():
    matrices = random_matrices(23, 64)
    rng = np.random.default_rng(0)
    levels = {"objective": 3, "architecture_class": 2, "train_data_class": 4, "size_class": 4}
    models = pd.DataFrame(
        {name: rng.integers(n, size=64).astype(str) for name, n in levels.items()},
        index=matrices["data0"].models,
    )
    start = time.process_time()  # what a busy machine leaves comparable
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("error")
        for _ in range(3):
            by_category(analysis(matrices, models, list(levels)))
    assert time.process_time() - start < 2
