"""Bootstrap intervals against a plain loop and scipy, and when there are none."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from consistency_data import analysis, random_matrices
from scipy import stats

from simcons.consistency import consistency_intervals
from simcons.consistency.limits import (
    Interval,
    acceleration,
    availability,
    envelope,
    make_interval,
    summary,
    tail_levels,
    unavailable,
)
from simcons.consistency.resample import bootstrap_counts, generator
from simcons.core.errors import UserError


def table_of(n_models, n_first, **columns):
    ids = [f"m{k:02d}" for k in range(n_models)]
    labels = ["a"] * n_first + ["b"] * (n_models - n_first)
    return pd.DataFrame({"objective": labels, **columns}, index=ids)


def test_limits_equal_scipys_on_the_same_replicates():
    sample = np.random.default_rng(0).exponential(size=20)
    expected = stats.bootstrap(
        (sample,), np.mean, method="BCa", n_resamples=3000, random_state=np.random.default_rng(1)
    )
    leave_one_out = (sample.sum() - sample) / 19
    found = make_interval(sample.mean(), expected.bootstrap_distribution, [leave_one_out])
    low, high = expected.confidence_interval
    assert found.bca == pytest.approx((low, high), abs=2e-3)
    assert found.percentile == pytest.approx(
        tuple(np.quantile(expected.bootstrap_distribution, [0.025, 0.975]))
    )
    assert found.bca[1] > found.percentile[1]  # a mean of a skewed sample moves up


def test_acceleration_pools_the_factors_and_survives_constants():
    assert acceleration([np.ones(5)]) == 0
    assert acceleration([]) == 0
    rng = np.random.default_rng(0)
    values = rng.exponential(size=30)
    assert acceleration([values, np.full(10, 3.0)]) == pytest.approx(acceleration([values]))
    assert acceleration([values]) == pytest.approx(-acceleration([-values]))


def test_undefined_replicates_are_counted_and_too_many_refused():
    replicates = np.arange(100.0)
    replicates[:10] = np.nan
    found = make_interval(50.0, replicates, [np.arange(9.0)])
    assert (found.n_undefined, found.reason) == (10, "")
    replicates[:11] = np.nan
    found = make_interval(50.0, replicates, [np.arange(9.0)])
    assert found.reason == "undefined in 11 of 100 bootstrap replicates"
    assert np.isnan(found.bca).all()
    assert "undefined" in make_interval(np.nan, replicates, []).reason


def test_availability_names_what_is_short():
    assert availability([6, 9], 8) == ""
    assert "5 families" in availability([9, 5], 8)
    assert "7 data set(s), fewer than 8" in availability([6], 7)
    assert availability([5], 7).count("fewer than") == 2
    assert availability([6]) == ""


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_weighted_summaries_are_those_of_repeated_values(statistic):
    rng = np.random.default_rng(0)
    r = np.round(rng.normal(size=(6, 9)), 1)
    r[2, 3] = np.nan
    weights = rng.integers(0, 3, size=(6, 9)).astype(float)
    weights[5] = 0
    reference = {"mean": np.mean, "median": np.median}[statistic]

    def expect(values, repeats):
        kept = np.repeat(values, repeats.astype(int))
        kept = kept[np.isfinite(kept)]
        return reference(kept) if len(kept) else np.nan

    both = [expect(r[b], weights[b]) for b in range(6)]
    np.testing.assert_allclose(summary(r, weights, statistic), both)
    one_r = [expect(r[2], weights[b]) for b in range(6)]
    np.testing.assert_allclose(summary(r[2:3], weights, statistic), one_r)
    one_weight = [expect(r[b], weights[0]) for b in range(6)]
    np.testing.assert_allclose(summary(r, weights[:1], statistic), one_weight)
    order = np.argsort(r, axis=1)
    np.testing.assert_array_equal(
        summary(r, weights, statistic, order), summary(r, weights, statistic)
    )


def test_node_bootstrap_against_a_plain_loop():
    """Every copy of every model written down; copies of a family pair within a copy only."""
    matrices = random_matrices(8, 9)
    family = [0, 0, 1, 2, 3, 4, 5, 6, 7]
    table = table_of(9, 9, family=[f"f{k}" for k in family])
    study = analysis(matrices, table, ["objective"], n_bootstrap=20, seed=3)
    found = study.replicates(study.groups[1], "spearman").models
    counts = bootstrap_counts(study.units("objective"), 20, generator(3, "objective"))
    for b in range(20):
        copies = [(i, c) for i in range(9) for c in range(counts[b, i])]
        kept = [
            (i, j)
            for (i, a), (j, c) in itertools.combinations(copies, 2)
            if i != j and (family[i] != family[j] or a == c)
        ]
        left, right = np.array(kept).T
        vectors = study.values[:, left, right]
        rho = stats.spearmanr(vectors.T).statistic[np.triu_indices(8, 1)]
        np.testing.assert_allclose(found[b], rho, atol=1e-10)


def test_the_table_has_every_combination_and_repeats():
    matrices = random_matrices(8, 14)
    arguments = (matrices, table_of(14, 7), ["objective"])
    options = {"n_bootstrap": 100, "overlaps": [["data0", "data3"]]}
    table = consistency_intervals(analysis(*arguments, **options))
    names = ["category", "group_1", "group_2", "method", "statistic", "scheme", "overlapping"]
    assert len(table) == 4 * 2 * 2 * 3 * 2
    assert not table.duplicated(names).any()
    assert table["available"].all()
    inside = (table["percentile_low"] <= table["estimate"]) & (
        table["estimate"] <= table["percentile_high"]
    )
    assert inside.mean() > 0.9
    pd.testing.assert_frame_equal(consistency_intervals(analysis(*arguments, **options)), table)
    other = consistency_intervals(analysis(*arguments, **options, seed=1))
    assert not other["bca_low"].equals(table["bca_low"])


def test_drawing_models_and_data_sets_is_wider_than_either():
    table = consistency_intervals(
        analysis(random_matrices(10, 14), table_of(14, 7), [], ["pearson"], n_bootstrap=400),
        statistics=["mean"],
    ).set_index("scheme")  # fmt: skip
    width = table["percentile_high"] - table["percentile_low"]
    assert width["both"] >= max(width["models"], width["datasets"])


@pytest.mark.parametrize(("n_models", "n_first", "n_datasets"), [(14, 5, 8), (14, 7, 7)])
def test_too_few_models_or_data_sets(n_models, n_first, n_datasets):
    table = consistency_intervals(analysis(
        random_matrices(n_datasets, n_models), table_of(n_models, n_first), ["objective"],
        ["pearson"], n_bootstrap=50,
    ))  # fmt: skip
    group = table[(table["group_1"] == "a")]
    assert not group["available"].any()
    assert group["estimate"].notna().all()
    assert group["bca_low"].isna().all()
    assert group["reason"].str.contains("fewer than").all()
    other = table[table["group_1"] == "b"]
    assert set(other["available"]) == {n_datasets == 8}


def test_models_that_differ_in_the_seed_count_once():
    seeds = [f"f{k // 3}" for k in range(12)]
    table = consistency_intervals(
        analysis(
            random_matrices(8, 12), table_of(12, 12, family=seeds), [], ["pearson"], n_bootstrap=20
        )
    )
    assert not table["available"].any()
    assert "4 families" in table["reason"].iloc[0]


def test_a_family_of_many_seeds_widens_the_interval():
    """Twenty copies of ten models know no more than the ten."""
    ten = random_matrices(8, 10)
    double = {
        name: type(m)(
            [f"{i}{s}" for i in m.models for s in "ab"], np.kron(m.values, np.ones((2, 2)))
        )
        for name, m in ten.items()
    }
    ids = double["data0"].models
    alone = pd.DataFrame(index=ids)
    grouped = pd.DataFrame({"family": [i[:-1] for i in ids]}, index=ids)
    options = {"statistics": ["mean"], "schemes": ["models"]}
    widths = []
    single = pd.DataFrame(index=ten["data0"].models)
    for similarities, table in [(double, alone), (double, grouped), (ten, single)]:
        study = analysis(similarities, table, [], ["pearson"], n_bootstrap=300)
        row = consistency_intervals(study, **options).iloc[0]
        widths.append(row["percentile_high"] - row["percentile_low"])
    assert widths[0] < 0.85 * widths[1]
    assert widths[1] == pytest.approx(widths[2], rel=0.25)


def test_unknown_names_are_refused():
    study = analysis(random_matrices(8, 8), table_of(8, 8), n_bootstrap=5)
    with pytest.raises(UserError, match="did you mean 'median'"):
        consistency_intervals(study, statistics=["medain"])
    with pytest.raises(UserError, match="did you mean 'models'"):
        consistency_intervals(study, schemes=["model"])


def test_an_envelope_is_never_narrower_than_its_parts():
    first = Interval((0.2, 0.8), (0.3, 0.7), 4)
    wide, missing = Interval((0.1, 0.5), (0.4, 0.9)), unavailable("no")
    found = envelope([first, wide, missing])
    assert (found.percentile, found.bca, found.n_undefined) == ((0.1, 0.8), (0.3, 0.9), 4)
    assert envelope([missing, wide]) is missing


def test_levels_expand_with_few_units_only():
    assert tail_levels(0.95, None).tolist() == pytest.approx([0.025, 0.975])
    assert tail_levels(0.95, 100_000).tolist() == pytest.approx([0.025, 0.975], abs=1e-4)
    expected = stats.norm.cdf(np.sqrt(10 / 9) * stats.t.ppf([0.025, 0.975], 9))
    np.testing.assert_allclose(tail_levels(0.95, 10), expected)
