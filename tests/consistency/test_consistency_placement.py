"""Placing a new model: a model of the study, taken out and placed, lands where it was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from consistency_data import Matrix, analysis, random_matrices

from simcons.consistency import consistency, place
from simcons.core.errors import UserError


def without(matrices, model):
    """Take a model out of a study; return the study and the model's similarities."""
    rest, rows = {}, []
    for name, matrix in matrices.items():
        k = matrix.models.index(model)
        keep = [i for i in range(len(matrix.models)) if i != k]
        ids = [matrix.models[i] for i in keep]
        rest[name] = Matrix(ids, matrix.values[np.ix_(keep, keep)])
        rows += [(name, i, v) for i, v in zip(ids, matrix.values[k, keep], strict=True)]
    return rest, pd.DataFrame(rows, columns=["dataset", "model", "value"])


@pytest.fixture
def study(matrices, table):
    rest, new = without(random_matrices(8, 10), "m03")
    return rest, new, table.drop("m03")


def test_nearest_models_and_their_ranks(study):
    rest, new, table = study
    found = place(analysis(rest, table, ["objective"]), new, n_nearest=2).nearest
    mean = new.groupby("model")["value"].mean().sort_values(ascending=False)
    assert found["model"].tolist() == mean.index.tolist()
    np.testing.assert_allclose(found["similarity"], mean)
    ranks = new.assign(rank=new.groupby("dataset")["value"].rank(ascending=False))
    by_model = ranks.groupby("model")["rank"]
    row = found.iloc[0]
    assert row["mean_rank"] == by_model.mean()[row["model"]]
    assert row["worst_rank"] == by_model.max()[row["model"]]
    assert row["share_nearest"] == (by_model.get_group(row["model"]) <= 2).mean()
    assert (found["percentile_low"] <= found["similarity"]).all()
    assert found["available"].all()


def test_its_consistency_is_that_of_a_single_anchor(study):
    rest, new, table = study
    found = place(analysis(rest, table, []), new).consistency.set_index("method")
    whole = consistency(random_matrices(8, 10), ["m03"])
    assert found.loc["pearson", "median"] == pytest.approx(whole["r"].median())
    assert found.loc["pearson", "q1"] == pytest.approx(whole["r"].quantile(0.25))
    assert found.loc["pearson", "n_dataset_pairs"] == 28
    own = [consistency(rest, [m], None)["r"].median() for m in rest["data0"].models]
    assert found.loc["pearson", "typical_median"] == pytest.approx(np.median(own))


def test_where_it_sits_among_the_groups(study):
    rest, new, table = study
    found = place(analysis(rest, table, ["objective"]), new).groups.set_index("value")
    members = table.index[table["objective"] == "Self-Supervised"]
    inside = new[new["model"].isin(members)]
    row = found.loc["Self-Supervised"]
    assert row["similarity"] == pytest.approx(inside["value"].mean())
    assert row["n_models"] == 4
    mean = np.mean([m.values for m in rest.values()], axis=0)
    index = [rest["data0"].models.index(m) for m in members]
    block = mean[np.ix_(index, index)]
    own = (block.sum(axis=1) - np.diag(block)) / 3
    assert row["member_similarity"] == pytest.approx(own.mean())
    assert row["percentile"] == pytest.approx((own < inside["value"].mean()).mean())
    assert np.isnan(found.loc["Image-Text", "percentile"])
    assert np.isfinite(found.loc["Image-Text", "member_similarity"])


def test_a_group_of_one_and_a_category_without_values(study):
    rest, new, table = study
    lone = table.assign(kind=["only", *[None] * 8], empty=None)
    found = place(analysis(rest, lone, ["kind", "empty"]), new).groups
    assert found["value"].tolist() == ["only"]
    assert np.isnan(found["member_similarity"].item())
    assert place(analysis(rest, lone, ["empty"]), new).groups.empty


def test_few_data_sets_have_no_interval_but_everything_else(table):
    rest, new = without(random_matrices(3, 10), "m03")
    found = place(analysis(rest, table, ["objective"]), new)
    assert not found.nearest["available"].any()
    assert "3 data set(s)" in found.nearest["reason"].iloc[0]
    assert found.nearest["similarity"].notna().all()
    assert not found.groups["available"].any()


def test_one_data_set_or_two_models_have_no_consistency(table):
    rest, new = without(random_matrices(1, 10), "m03")
    assert np.isnan(place(analysis(rest, table, []), new).consistency["median"]).all()
    rest, new = without(random_matrices(8, 4), "m03")
    assert np.isnan(place(analysis(rest, table, []), new).consistency["typical_median"]).all()


def test_what_is_missing_is_named(study):
    rest, new, table = study
    whole = analysis(rest, table)
    with pytest.raises(UserError, match="no similarity to 'm05' on data set 'data2'"):
        place(whole, new[~((new["model"] == "m05") & (new["dataset"] == "data2"))])
    with pytest.raises(UserError, match="did you mean 'data1'"):
        place(whole, new.replace({"dataset": {"data1": "dat1"}}))
    with pytest.raises(UserError, match="two similarities to 'm00'"):
        place(whole, pd.concat([new, new.head(1)]))
    with pytest.raises(UserError, match="lacks the column.*value"):
        place(whole, new.drop(columns="value"))
