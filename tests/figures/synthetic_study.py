"""A made-up but realistic study of any size, for the tests of figures and report.

Models have latent positions that depend on their objective; a data set moves them, supervised
models more than self-supervised ones; similarity falls with distance.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simcons.catalog import CATEGORIES
from simcons.consistency import Settings, analyse, relate_performance, with_agreement
from simcons.figures.schema import ANALYSIS_COLUMNS, FigureInputs, median_intervals
from simcons.figures.selection import correlation

MEASURES = ("cka_linear", "cka_rbf_0.4", "rsa_correlation_spearman")
OBJECTIVES = ("Supervised", "Self-Supervised", "Image-Text")
DOMAINS = ("Natural (multi-domain)", "Natural (single-domain)", "Specialized", "Structured")
NAMES = (
    "ImageNet-1k (10k subset)", "CIFAR-10", "CIFAR-100 (coarse labels)", "Caltech-101",
    "Country-211", "STL-10", "PASCAL VOC 2007", "Entity-30", "Living-17", "Nonliving-26",
    "Flowers", "Pets", "Stanford Cars", "FGVC Aircraft", "GTSRB", "SVHN", "PCAM", "EuroSAT",
    "RESISC45", "Diabetic retinopathy", "DTD", "FER2013", "dSprites (label orientation)",
)  # fmt: skip


@dataclass(frozen=True)
class Matrix:
    """Stands in for simcons.similarity.SimilarityMatrix, whose attributes figures read."""

    models: list[str]
    values: np.ndarray
    standard_error: np.ndarray | None = None
    reliability: np.ndarray | float | None = None
    measure: str | None = None


def model_table(n_models: int, objectives: tuple[str, ...] = OBJECTIVES) -> pd.DataFrame:
    rows = []
    for k in range(n_models):
        objective = objectives[k % len(objectives)]
        architecture = ("Transformer", "Convolutional")[k % 5 % 2]
        name = f"{objective.lower()}-{'vit_large_patch16_224' if k % 5 % 2 == 0 else 'resnet'}-{k}"
        if k % 7 == 3:
            name = f"openclip_eva02_large_patch14_clip_336.merged2b_s6b_b61k_variant_{k}"
        rows.append(
            {
                "model": name,
                "objective": objective,
                "architecture_class": architecture,
                "train_data_class": ("ImageNet1k", "ImageNet21k", "Large", "XLarge")[k % 4],
                "size_class": ("small", "small", "medium", "large", "xlarge")[k % 5],
                "family": name,
                "params": 10**6 * (1 + k % 5),
            }
        )
    return pd.DataFrame(rows).sort_values("model").set_index("model")


def dataset_table(n_datasets: int) -> pd.DataFrame:
    names = [NAMES[k % len(NAMES)] for k in range(n_datasets)]
    ids = [f"ds_{k:02d}" for k in range(n_datasets)]
    domains = [DOMAINS[k * len(DOMAINS) // max(n_datasets, 1)] for k in range(n_datasets)]
    return pd.DataFrame({"name": names, "domain": domains}, index=pd.Index(ids, name="id"))


def _similarities(models: pd.DataFrame, ids: list[str], seed: int, errors: bool) -> dict:
    rng = np.random.default_rng(seed)
    objectives = models["objective"].astype(str).to_numpy()
    values = sorted(set(objectives))
    centre = {name: rng.normal(0, 0.55, 6) for name in values}
    move = {name: 0.12 + 0.13 * k for k, name in enumerate(reversed(values))}
    latent = np.stack([centre[name] + rng.normal(0, 0.35, 6) for name in objectives])
    found = {}
    for k, dataset in enumerate(ids):
        shift = rng.normal(0, 1, latent.shape) * np.array([[move[name]] for name in objectives])
        z = (latent + shift) * (0.8 + 0.3 * rng.random())
        distance = ((z[:, None] - z[None]) ** 2).sum(-1)
        matrix = np.exp(-distance / 2.5)
        m = len(matrix)
        noise = np.abs(rng.normal(0.012, 0.005, (m, m))) * (1 + 0.1 * k)
        standard_error = (noise + noise.T) / 2 if errors else None
        reliability = 1 - 0.02 * (noise + noise.T) * (1 + k) if errors else None
        found[dataset] = Matrix(list(models.index), matrix, standard_error, reliability)
    return found


def consistency_table(similarities: dict, models: pd.DataFrame, categories) -> pd.DataFrame:
    rows = []
    for measure, by_dataset in similarities.items():
        ids = list(by_dataset)
        first, second = np.triu_indices(len(models), 1)
        groups = [("all", "all", "all", np.ones(len(first), bool))]
        for category in categories:
            value = models[category].astype(str).to_numpy()
            for a, b in itertools.combinations_with_replacement(sorted(set(value)), 2):
                inside = ((value[first] == a) & (value[second] == b)) | (
                    (value[first] == b) & (value[second] == a)
                )
                if inside.sum() >= 3:
                    groups.append((category, a, b, inside))
        for d1, d2 in itertools.combinations(ids, 2):
            x = by_dataset[d1].values[first, second]
            y = by_dataset[d2].values[first, second]
            for category, a, b, inside in groups:
                r = correlation(x[inside], y[inside])
                rows.append((measure, "pearson", category, a, b, d1, d2, r, int(inside.sum())))
    columns = ["measure", "method", "category", "group_1", "group_2", "dataset_1", "dataset_2",
               "r", "n_pairs"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def anchor_table(similarities: dict, ids: list[str]) -> pd.DataFrame:
    rows = []
    for measure, by_dataset in similarities.items():
        for anchor in ids:
            for d1, d2 in itertools.combinations(by_dataset, 2):
                k = by_dataset[d1].models.index(anchor)
                x, y = (np.delete(by_dataset[d].values[k], k) for d in (d1, d2))
                rows.append((measure, "pearson", anchor, d1, d2, correlation(x, y), len(x)))
    columns = ["measure", "method", "anchor", "dataset_1", "dataset_2", "r", "n_pairs"]
    return pd.DataFrame(rows, columns=columns)


def interval_table(consistency: pd.DataFrame, half_width: float = 0.1) -> pd.DataFrame:
    keys = ["measure", "method", "category", "group_1", "group_2"]
    median = consistency.groupby(keys, sort=True)["r"].median().reset_index()
    return median.assign(low=median["r"] - half_width, high=median["r"] + half_width, level=0.95)


def study(
    n_datasets: int = 8,
    n_models: int = 30,
    *,
    measures: tuple[str, ...] = MEASURES,
    objectives: tuple[str, ...] = OBJECTIVES,
    errors: bool = True,
    probes: bool = True,
    seed: int = 0,
) -> FigureInputs:
    """Return the inputs of a study of the given size."""
    models = model_table(n_models, objectives)
    datasets = dataset_table(n_datasets)
    ids = list(datasets.index)
    similarities = {
        measure: _similarities(models, ids, seed + k, errors) for k, measure in enumerate(measures)
    }
    anchors = anchor_table(similarities, list(models.index)[:4])
    categories = ("objective", "architecture_class", "train_data_class", "size_class")
    consistency = consistency_table(similarities, models, categories)
    if not probes:
        return FigureInputs(similarities, models, datasets, consistency, anchors=anchors)
    rng = np.random.default_rng(seed + 99)
    skill = dict(zip(models.index, rng.beta(6, 3, len(models)), strict=True))
    rows = [
        (dataset, model, s, float(np.clip(skill[model] + rng.normal(0, 0.05), 0, 1)))
        for dataset in ids
        for model in models.index
        for s in range(3)
    ]
    table = pd.DataFrame(rows, columns=["dataset", "model", "seed", "top1"])
    gap = _gaps(similarities, table)
    agreement = _agreement(gap)
    return FigureInputs(
        similarities,
        models,
        datasets,
        consistency,
        with_agreement(gap, agreement),
        table,
        anchors=anchors,
        relations=_relations(similarities, table, agreement, models),
    )


def _agreement(gap: pd.DataFrame) -> pd.DataFrame:
    """Return an error consistency that falls with the gap, undefined for the first pair of each."""
    pairs = gap.drop_duplicates(["dataset", "model_1", "model_2"])
    value = np.clip(0.8 - 2 * pairs["gap"], -1, 1).where(pairs["dataset"].duplicated())
    return pairs.assign(value=value)


def _relations(similarities, probes, agreement, models, n_draws: int = 20) -> pd.DataFrame:
    mean = probes.groupby(["dataset", "model"])["top1"].mean().rename("accuracy").reset_index()
    return relate_performance(similarities, mean, agreement, models, n_bootstrap=n_draws)


def analysed(
    inputs: FigureInputs, n_draws: int = 100, methods: tuple[str, ...] = ("pearson", "spearman")
) -> FigureInputs:
    """Return the inputs with every table of the real analysis (few draws), where it can be made."""
    categories = [c for c in CATEGORIES if c in inputs.models.columns]
    settings = Settings(
        methods=methods,
        categories=categories,
        n_bootstrap=n_draws,
        n_permutations=n_draws,
        contrast="objective",
        strata=["architecture_class"] if "architecture_class" in categories else [],
        given=["size_class"] if "size_class" in categories else [],
        anchors=list(inputs.models.index)[:3],
        overlaps=[sorted(inputs.datasets.index)[:2]] if len(inputs.datasets) > 2 else [],
    )
    tables = analyse(
        inputs.similarities,
        inputs.models,
        settings,
        replicates=_halves(inputs.similarities),
        threads=2,
    )
    return dataclasses.replace(
        inputs,
        consistency=tables.pop("consistency"),
        intervals=median_intervals(tables.pop("intervals"), 0.95),
        anchors=tables.pop("anchors"),
        analysis={name: table for name, table in tables.items() if name in ANALYSIS_COLUMNS},
        method=methods[0],
    )


def _halves(similarities: dict) -> dict[str, pd.DataFrame]:
    """Return the similarities on two pairs of halves: with noise."""
    rng = np.random.default_rng(5)
    parts: dict[str, list[pd.DataFrame]] = {}
    for measure, by_dataset in similarities.items():
        for dataset, matrix in by_dataset.items():
            first, second = np.triu_indices(len(matrix.models), 1)
            ids = np.array(matrix.models, dtype=object)
            for k in range(4):
                value = matrix.values[first, second] + rng.normal(0, 0.02, len(first))
                table = pd.DataFrame({"replicate": k, "model_1": ids[first], "value": value})
                table = table.assign(model_2=ids[second], measure=measure, kind="half")
                parts.setdefault(dataset, []).append(table)
    return {dataset: pd.concat(tables) for dataset, tables in parts.items()}


def _gaps(similarities: dict, probes: pd.DataFrame) -> pd.DataFrame:
    mean = probes.groupby(["dataset", "model"])["top1"].mean()
    parts = []
    for measure, by_dataset in similarities.items():
        for dataset, matrix in by_dataset.items():
            first, second = np.triu_indices(len(matrix.models), 1)
            accuracy = mean[dataset].loc[matrix.models].to_numpy()
            ids = np.array(matrix.models)
            parts.append(
                pd.DataFrame(
                    {
                        "measure": measure,
                        "dataset": dataset,
                        "model_1": ids[first],
                        "model_2": ids[second],
                        "similarity": matrix.values[first, second],
                        "gap": np.abs(accuracy[first] - accuracy[second]),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)
