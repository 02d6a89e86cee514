"""The numbers in captions are those of the data: known answers."""

import numpy as np
import pandas as pd
import pytest
from synthetic_study import Matrix, dataset_table, interval_table, model_table, study

from simcons.figures import (
    accuracy,
    category_boxes,
    consistency_matrix,
    dataset_scatter,
    embeddings,
    pair_counts,
    reliability,
    similarity_heatmaps,
    style,
)
from simcons.figures.accuracy import Accuracy
from simcons.figures.anchors import Anchors
from simcons.figures.category_boxes import CategoryBoxes
from simcons.figures.chance_and_seeds import Levels
from simcons.figures.consistency_matrix import ConsistencyMatrix
from simcons.figures.dataset_scatter import Scatter
from simcons.figures.embeddings import ModelMap
from simcons.figures.gap_scatter import GapScatter
from simcons.figures.mean_spread import MeanSpread
from simcons.figures.measures_compared import ConsistencyCompared, SimilaritiesCompared
from simcons.figures.pair_counts import PairCounts
from simcons.figures.reliability import Precision
from simcons.figures.schema import median_intervals
from simcons.figures.selection import correlation, ordered_datasets, pair_values, select, stack
from simcons.figures.similarity_heatmaps import OverDatasets
from simcons.figures.words import count, measure_label, number

MODELS = pd.DataFrame(
    {"objective": ["A", "A", "A", "B"]}, index=pd.Index(["m1", "m2", "m3", "m4"], name="model")
)
DATASETS = pd.DataFrame(
    {"name": ["One", "Two", "Three"], "domain": ["Z", "Y", "Y"]}, index=["d1", "d2", "d3"]
)


def square(pairs: list[float]) -> np.ndarray:
    values = np.eye(4)
    values[np.triu_indices(4, 1)] = pairs
    return np.maximum(values, values.T)


# Pairs in order: 12, 13, 14, 23, 24, 34; within A: 12, 13, 23.
BY_DATASET = {
    "d1": Matrix(list(MODELS.index), square([0.9, 0.5, 0.1, 0.7, 0.2, 0.3])),
    "d2": Matrix(list(MODELS.index), square([0.7, 0.3, 0.3, 0.5, 0.2, 0.1])),
}


def test_mean_and_spread_over_data_sets():
    matrices = stack(BY_DATASET, ["d1", "d2"])
    assert similarity_heatmaps.over_datasets(matrices, "mean")[0, 1] == pytest.approx(0.8)
    assert similarity_heatmaps.over_datasets(matrices, "sd")[0, 1] == pytest.approx(0.1 * 2**0.5)
    matrices[0, 0, 1] = np.nan
    assert similarity_heatmaps.over_datasets(matrices, "mean")[0, 1] == pytest.approx(0.7)
    assert np.isnan(similarity_heatmaps.over_datasets(matrices, "sd")[0, 1])


def test_mean_caption_names_ends_and_medians():
    words = OverDatasets(BY_DATASET, MODELS, DATASETS, "cka_linear", "mean").describe()
    assert "Most alike: m1 and m2 (0.80)" in words.caption
    assert "least alike: m1 and m4 (0.20)" in words.caption  # 0.20 is reached first by m1, m4
    assert "0.60 within a training objective, 0.20 between two" in words.caption


def test_clustering_puts_similar_models_side_by_side():
    mean = np.full((6, 6), 0.1)
    for block in ([0, 2, 4], [1, 3, 5]):
        mean[np.ix_(block, block)] = 0.9
    order = list(similarity_heatmaps.cluster_order(mean))
    assert {frozenset(order[:3]), frozenset(order[3:])} == {frozenset([0, 2, 4]),
                                                            frozenset([1, 3, 5])}  # fmt: skip
    mean[0, 1] = mean[1, 0] = np.nan
    assert sorted(similarity_heatmaps.cluster_order(mean)) == list(range(6))


def test_scatter_correlations_equal_numpy():
    r = dataset_scatter.correlations(BY_DATASET, MODELS, ("d1", "d2"))
    x, y = pair_values(BY_DATASET["d1"]), pair_values(BY_DATASET["d2"])
    assert r["all pairs"] == (pytest.approx(np.corrcoef(x, y)[0, 1]), 6)
    assert r["A"] == (pytest.approx(1.0), 3)  # 0.9, 0.5, 0.7 against 0.7, 0.3, 0.5
    assert np.isnan(r["B"][0])
    assert r["B"][1] == 0
    words = Scatter(BY_DATASET, MODELS, DATASETS, "cka_linear").describe()
    assert f"r = {number(r['all pairs'][0])} over 6 pairs of models" in words.caption
    assert "within A 1.00, B n/a" in words.caption


def test_scatter_shows_highest_median_and_lowest():
    by_dataset = study(4, 8, measures=("cka_linear",)).similarities["cka_linear"]
    datasets = dataset_table(4)
    picked = Scatter(by_dataset, model_table(8), datasets, "cka_linear").pairs
    r = {
        (a, b): correlation(pair_values(by_dataset[a]), pair_values(by_dataset[b]))
        for k, a in enumerate(by_dataset)
        for b in list(by_dataset)[k + 1 :]
    }
    chosen = [r.get(pair, r.get(pair[::-1])) for pair in picked]
    assert chosen[0] == max(r.values())
    assert chosen[-1] == min(r.values())
    assert len(picked) == 3


def consistency(values: dict[tuple[str, str, str], list[float]]) -> pd.DataFrame:
    pairs = [("d1", "d2"), ("d1", "d3"), ("d2", "d3")]
    rows = [
        ("cka_linear", "pearson", *group, *pair, r, 6)
        for group, rs in values.items()
        for pair, r in zip(pairs, rs, strict=True)
    ]
    columns = ["measure", "method", "category", "group_1", "group_2", "dataset_1", "dataset_2",
               "r", "n_pairs"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


TABLE = consistency(
    {
        ("all", "all", "all"): [0.2, 0.4, 0.9],
        ("objective", "A", "A"): [0.5, 0.6, 0.7],
        ("objective", "A", "B"): [-0.3, -0.2, 0.1],
    }
)


def test_consistency_matrix_is_symmetric_and_ordered_by_domain():
    order = ordered_datasets(DATASETS, ["d1", "d2", "d3"])
    assert order == ["d3", "d2", "d1"]  # domain Y (Three, Two), then Z (One)
    values = consistency_matrix.matrix_of(select(TABLE, "cka_linear", "pearson"), order)
    assert values[0, 1] == values[1, 0] == 0.9
    assert values[2, 1] == 0.2
    assert np.isnan(values.diagonal()).all()


def test_consistency_caption():
    words = ConsistencyMatrix(TABLE, DATASETS, "cka_linear").describe()
    assert "Median over 3 data set pairs: 0.40 (quartiles 0.30 and 0.65)" in words.caption
    assert "Lowest: One and Two (0.20); highest: Two and Three (0.90)" in words.caption
    mixed = ConsistencyMatrix(
        TABLE, DATASETS, "cka_linear", group=("objective", "B", "A")
    ).describe()
    assert "−0.20" in mixed.title  # either order of the groups, and a real minus


def test_boxes_are_sorted_by_median():
    rows = category_boxes.group_rows(TABLE, "objective", "cka_linear")
    assert [row.group[1:] for row in rows] == [("A", "A"), ("A", "B")]
    words = CategoryBoxes(TABLE, MODELS, "objective", ["cka_linear"]).describe()
    assert "within A 0.60, A × B −0.20, ungrouped 0.40" in words.caption
    nothing = CategoryBoxes(TABLE, MODELS, "size_class", ["cka_linear"])
    assert "no pair of groups" in nothing.describe().title


def test_boxes_without_groups_say_so():
    figure = CategoryBoxes(TABLE, MODELS, "size_class", ["cka_linear"]).draw()
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert any("No pair of groups" in text for text in texts)


def test_boxes_of_every_panel_are_within_the_shared_range():
    low = TABLE.assign(measure="cka_rbf_0.4", r=TABLE["r"] - 0.6)
    measures = ["cka_linear", "cka_rbf_0.4"]
    figure = CategoryBoxes(pd.concat([TABLE, low]), MODELS, "objective", measures).draw()
    assert {axis.get_xlim() for axis in figure.axes} == {figure.axes[0].get_xlim()}
    assert figure.axes[0].get_xlim()[0] < -0.9 + 1e-9  # the lowest r is -0.3 - 0.6


def test_gap_caption_has_r_per_data_set():
    gap = pd.DataFrame(
        {
            "measure": "cka_linear",
            "dataset": ["d1"] * 4 + ["d2"] * 4,
            "model_1": "m1",
            "model_2": "m2",
            "similarity": [0.1, 0.2, 0.3, 0.4] * 2,
            "gap": [0.4, 0.3, 0.2, 0.1, 0.1, 0.2, 0.3, 0.4],
        }
    )
    assert GapScatter(gap, MODELS, DATASETS, "cka_linear").r == {
        "d1": pytest.approx(-1.0),
        "d2": pytest.approx(1.0),
    }
    words = GapScatter(gap, MODELS, DATASETS, "cka_linear").describe()
    assert "One −1.00, Two 1.00; median 0.00" in words.caption
    assert "negative on 1 of 2 data sets" in words.title
    none = GapScatter(gap.iloc[:0], MODELS, DATASETS, "cka_linear").describe()
    assert "no gap" in none.title
    assert GapScatter(gap.iloc[:0], MODELS, DATASETS, "cka_linear").draw().axes


def test_accuracy_is_averaged_over_seeds_and_sorted():
    probes = pd.DataFrame(
        [("d1", "m1", 0, 0.5), ("d1", "m1", 1, 0.7), ("d1", "m2", 0, 0.9), ("d1", "m2", 1, 0.9),
         ("d2", "m4", 0, 0.3)],
        columns=["dataset", "model", "seed", "top1"],
    )  # fmt: skip
    table = accuracy.accuracy_table(probes, MODELS, DATASETS)
    assert list(table.index) == ["m2", "m1", "m4"]
    assert list(table.columns) == ["d2", "d1"]
    assert table.at["m1", "d1"] == pytest.approx(0.6)
    none = probes.iloc[:0]
    words = Accuracy(probes, MODELS, DATASETS, none).describe()
    assert "m2 90.0 %, m4 30.0 %" in words.caption
    assert "median standard deviation: 7.07 percentage points" in words.caption  # of 14.14 and 0
    one_seed = Accuracy(probes[probes["seed"] == 0], MODELS, DATASETS, none).describe()
    assert "no spread over seeds" in one_seed.caption
    assert Accuracy(none, MODELS, DATASETS, none).draw().axes
    assert "no probes" in Accuracy(none, MODELS, DATASETS, none).describe().title


def test_accuracies_on_variants_stand_on_the_right_and_in_no_mean():
    columns = ["dataset", "model", "seed", "top1"]
    probes = pd.DataFrame([("d1", "m1", 0, 0.8), ("d1", "m2", 0, 0.6)], columns=columns)
    variants = pd.DataFrame([("d2", "m1", 0, 0.1), ("d2", "m2", 0, 0.3)], columns=columns)
    without = Accuracy(probes, MODELS, DATASETS, variants.iloc[:0]).describe()
    words = Accuracy(probes, MODELS, DATASETS, variants).describe()
    assert words.title == without.title
    name = DATASETS.at["d2", "name"]
    added = f" On the right, and in no mean: test sets scored with the probes of another ({name})."
    assert words.caption == without.caption + added
    axis = Accuracy(probes, MODELS, DATASETS, variants).draw().axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == [
        DATASETS.at["d1", "name"],
        name,
    ]
    cells = [t.get_text() for t in axis.texts if t.get_text().isdecimal()]
    assert cells == ["80", "10", "60", "30"]


def test_precision_takes_medians_over_pairs_and_says_what_is_absent():
    errors = np.full((4, 4), 0.02)
    errors[0, 1] = errors[1, 0] = 0.5  # an outlier does not move the median
    by_dataset = {
        "d1": Matrix(list(MODELS.index), np.eye(4), errors, 0.7),
        "d2": Matrix(list(MODELS.index), np.eye(4)),
    }
    table = reliability.precision_table({"cka_linear": by_dataset}).set_index("dataset")
    assert table.at["d1", "se_median"] == pytest.approx(0.02)
    assert table.at["d1", "reliability"] == 0.7
    assert np.isnan(table.at["d2", "se_median"])
    words = Precision({"cka_linear": by_dataset}, DATASETS).describe()
    assert "lowest on One (0.700)" in words.caption
    absent = Precision({"cka_linear": {"d2": by_dataset["d2"]}}, DATASETS).draw()
    texts = {text.get_text() for axis in absent.axes for text in axis.texts}
    assert texts == {"no standard errors", "no reliability"}


def test_small_helpers():
    assert number(-0.001) == "0.00"
    assert number(float("nan")) == "n/a"
    assert count(1, "model") == "1 model"
    assert count(2016, "pair") == "2,016 pairs"
    assert measure_label("cka_rbf_0.4") == "CKA RBF 0.4"
    assert measure_label("cka_linear_biased") == "CKA linear (biased)"
    assert measure_label("rsa_correlation_spearman") == "RSA correlation/Spearman"
    assert np.isnan(correlation(np.array([1.0, 1.0, 1.0]), np.array([1.0, 2.0, 3.0])))


def test_mean_and_spread_after_transforms():
    found = MeanSpread(BY_DATASET, MODELS, DATASETS, "cka_linear").moments
    x, y = 0.9, 0.7  # the first pair
    assert found["similarity"][:, 0] == pytest.approx([0.8, 0.2 / 2**0.5])
    assert found["tan"][0, 0] == pytest.approx((np.tan(x) + np.tan(y)) / 2)
    assert found["arccos"][1, 0] == pytest.approx(abs(np.arccos(x) - np.arccos(y)) / 2**0.5)
    words = MeanSpread(BY_DATASET, MODELS, DATASETS, "cka_linear").describe()
    assert number(correlation(*found["similarity"])) in words.title


def test_mds_recovers_points_in_the_plane():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(7, 2))
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    found = embeddings.classical_mds(distance)
    again = np.linalg.norm(found[:, None] - found[None], axis=-1)
    assert again == pytest.approx(distance)
    assert embeddings.explained(distance) == pytest.approx(1.0)
    moved = points @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + 3.0
    centred = points - points.mean(axis=0)
    assert embeddings.aligned(moved, points) == pytest.approx(centred)


def test_tsne_repeats_and_keeps_two_groups_apart():
    similarity = np.full((8, 8), 0.1)
    similarity[:4, :4] = similarity[4:, 4:] = 0.9
    np.fill_diagonal(similarity, 1.0)
    distance = embeddings.distances(similarity)
    points = embeddings.tsne(distance)
    assert np.array_equal(points, embeddings.tsne(distance))
    between = np.linalg.norm(points[:4, None] - points[None, 4:], axis=-1)
    within = np.linalg.norm(points[:4, None] - points[None, :4], axis=-1)
    assert between.mean() > 1.5 * within.mean()


def test_spectral_clusters_find_the_blocks_of_a_category():
    models = pd.DataFrame({"objective": list("AAABBB")}, index=[f"m{k}" for k in range(6)])
    values = np.full((6, 6), 0.05)
    values[:3, :3] = values[3:, 3:] = 0.9
    np.fill_diagonal(values, 1.0)
    by_dataset = {"d1": Matrix(list(models.index), values)}
    assert ModelMap(by_dataset, models, DATASETS, "cka_linear").cluster_agreement() == {"d1": 1.0}
    same = models.assign(objective="A")
    assert np.isnan(ModelMap(by_dataset, same, DATASETS, "cka_linear").cluster_agreement()["d1"])
    words = ModelMap(by_dataset, models, DATASETS, "cka_linear").describe()
    assert "median adjusted Rand index of 1.00" in words.caption


def test_measures_agree_with_themselves():
    both = {"cka_linear": BY_DATASET, "cka_rbf_0.4": BY_DATASET}
    r = SimilaritiesCompared(both, MODELS, DATASETS).agreement(("cka_linear", "cka_rbf_0.4"))
    assert r == {"d2": pytest.approx(1.0), "d1": pytest.approx(1.0)}
    words = SimilaritiesCompared(both, MODELS, DATASETS).describe()
    assert "r = 1.00 of the means, median 1.00" in words.caption


def test_local_and_global_r_are_matched_by_data_set_pair():
    other = TABLE.assign(measure="cka_rbf_0.4", r=TABLE["r"] - 0.1).sample(frac=1, random_state=1)
    both = pd.concat([TABLE, other])
    x, y = ConsistencyCompared(both, []).r_of_both(("cka_linear", "cka_rbf_0.4"))
    assert x == pytest.approx(y + 0.1)
    words = ConsistencyCompared(both, ["cka_linear", "cka_rbf_0.4"]).describe()
    assert "on 3 of 3 data set pairs (median difference 0.10)" in words.caption


def test_measures_are_drawn_with_a_panel_per_pair_of_measures():
    by_measure = {f"cka_rbf_0.{k}": BY_DATASET for k in (2, 4, 6)}
    figure = SimilaritiesCompared(by_measure, MODELS, DATASETS).draw()
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["r = 1.00"] * 3
    tables = [TABLE.assign(measure=measure) for measure in by_measure]
    figure = ConsistencyCompared(pd.concat(tables), list(by_measure)).draw()
    (points,) = figure.axes[0].collections
    assert sorted(points.get_offsets()[:, 0]) == [0.2, 0.4, 0.9]
    style.png_bytes(figure, dpi=30)


def test_anchors_are_sorted_by_median():
    rows = [("cka_linear", "pearson", name, "d1", d2, r, 3)
            for name, rs in (("m1", (0.2, 0.4)), ("m4", (0.8, 0.6)))
            for d2, r in zip(("d2", "d3"), rs, strict=True)]  # fmt: skip
    columns = ["measure", "method", "anchor", "dataset_1", "dataset_2", "r", "n_pairs"]
    table = pd.DataFrame(rows, columns=columns)
    words = Anchors(table, MODELS, ["cka_linear"]).describe()
    assert "m4 0.70 (0.65 to 0.75), m1 0.30 (0.25 to 0.35)" in words.caption
    assert words.title.endswith("median r from 0.30 (m1) to 0.70 (m4)")
    one = Anchors(table[table["anchor"] == "m4"], MODELS, ["cka_linear"]).describe()
    assert "similarities of m4 to all other models" in one.title
    assert one.title.endswith("quartiles 0.65 and 0.75")
    assert "no r" in Anchors(table.iloc[:0], MODELS, ["cka_linear"]).describe().title


def test_pair_counts_are_binomial_and_unordered():
    table = pair_counts.counts(MODELS, "objective")
    assert table.at["A", "A"] == 3
    assert table.at["B", "B"] == 0
    assert table.at["A", "B"] == 3
    words = PairCounts(MODELS, ["objective"]).describe()
    assert "1 has fewer than 3" in words.title
    assert "training objective 0 to 3" in words.caption
    sizes = MODELS.assign(size_class=["xlarge", "small", "large", None])
    assert list(pair_counts.counts(sizes, "size_class").index) == ["small", "large", "xlarge"]


def test_intervals_are_drawn_and_named():
    intervals = interval_table(TABLE)
    figure = CategoryBoxes(TABLE, MODELS, "objective", ["cka_linear"], intervals=intervals).draw()
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() == 2.0]
    assert [tuple(bar.get_xdata()) for bar in bars] == [pytest.approx((0.5, 0.7)),
                                                        pytest.approx((-0.3, -0.1))]  # fmt: skip
    words = CategoryBoxes(
        TABLE, MODELS, "objective", ["cka_linear"], intervals=intervals
    ).describe()
    assert "95 % interval of its median" in words.caption


def test_median_intervals_picks_one_row_per_group():
    base = {"measure": "cka_linear", "method": "pearson", "category": "all", "group_1": "all",
            "group_2": "all", "bca_low": 0.1, "bca_high": 0.9, "reason": ""}  # fmt: skip
    rows = [
        base | {"statistic": statistic, "scheme": scheme, "overlapping": overlapping}
        for statistic in ("median", "mean")
        for scheme in ("models", "both")
        for overlapping in (True, False)
    ]
    rows[2]["bca_low"] = 0.3  # median, both, with the overlapping pairs
    chosen = median_intervals(pd.DataFrame(rows), 0.9)
    assert len(chosen) == 1
    assert chosen.loc[0, ["low", "high", "level"]].tolist() == [0.3, 0.9, 0.9]


def level_rows(chance: float, seed: float) -> pd.DataFrame:
    row = {"chance_low": -0.01, "chance": chance, "chance_high": 0.01, "low": 0.1, "q1": 0.3,
           "median": 0.52, "q3": 0.6, "high": 0.8, "seed_low": 0.7, "seed": seed,
           "seed_high": 0.95}  # fmt: skip
    return pd.DataFrame([{"measure": "cka_linear", "dataset": d, **row} for d in ("d1", "d2")])


def test_levels_name_chance_pairs_and_seed_replicates():
    words = Levels(level_rows(0.0, 0.9), DATASETS, ["cka_linear"]).describe()
    assert "chance 0.00, pairs 0.52, other seed 0.90" in words.caption
    absent = Levels(level_rows(np.nan, np.nan), DATASETS, ["cka_linear"]).describe()
    assert "chance not computed, pairs 0.52, other seed no replicates" in absent.caption
    figure = Levels(level_rows(np.nan, 0.9), DATASETS, ["cka_linear"]).draw()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(labels) == 2
    assert not any("chance" in label for label in labels)
