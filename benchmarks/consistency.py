"""Time and memory of the consistency analysis at the paper's size.

64 models x 23 data sets x 3 measures, 2,000 bootstrap and 2,000 permutation replicates, simulated
similarities with the paper's category counts. Prints the number of rows of each table and a JSON
line; CPU time is what a busy machine leaves comparable.

    python benchmarks/consistency.py [--models 64] [--datasets 23] [--measures 3] [--draws 2000]
        [--threads 2]
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simcons.consistency import Analysis, Settings, analyse, by_category

CATEGORIES = ("objective", "architecture_class", "train_data_class", "size_class")
LEVELS = {
    "objective": {"Supervised": 30, "Self-Supervised": 20, "Image-Text": 14},
    "architecture_class": {"Transformer": 40, "Convolutional": 24},
    "train_data_class": {"ImageNet1k": 37, "Large": 11, "ImageNet21k": 9, "XLarge": 7},
    "size_class": {"small": 32, "medium": 14, "large": 8, "xlarge": 10},
}


@dataclass(frozen=True)
class Matrix:
    """What the analysis reads of a similarity matrix."""

    models: list[str]
    values: np.ndarray


def model_table(n_models: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return a model table with the paper's shares of every category."""
    ids = [f"model_{k:03d}" for k in range(n_models)]
    columns = {}
    for name, counts in LEVELS.items():
        pool = np.repeat(list(counts), list(counts.values()))
        columns[name] = rng.permutation(np.resize(pool, n_models))
    return pd.DataFrame(columns, index=pd.Index(ids, name="model"))


def simulate(models: list[str], n_datasets: int, rng: np.random.Generator) -> dict[str, Matrix]:
    """Return similarities from model positions that are partly shared between data sets."""
    shared = rng.normal(size=(len(models), 4))
    result = {}
    for d in range(n_datasets):
        position = shared + 0.7 * rng.normal(size=shared.shape)
        distance = np.linalg.norm(position[:, None] - position[None], axis=2)
        result[f"data_{d:02d}"] = Matrix(models, np.exp(-distance / 4))
    return result


def halves(
    similarities: dict[str, dict[str, Matrix]], n_splits: int, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """Return tables of split-half replicates per data set: the similarities with noise."""
    result: dict[str, list[pd.DataFrame]] = {}
    for measure, matrices in similarities.items():
        for name, matrix in matrices.items():
            left, right = np.triu_indices(len(matrix.models), k=1)
            ids = np.array(matrix.models, dtype=object)
            value = matrix.values[left, right] + 0.01 * rng.normal(size=(2 * n_splits, len(left)))
            columns = {"replicate": np.repeat(np.arange(2 * n_splits), len(left))}
            table = pd.DataFrame({**columns, "value": value.ravel()})
            table["model_1"] = np.tile(ids[left], 2 * n_splits)
            table["model_2"] = np.tile(ids[right], 2 * n_splits)
            result.setdefault(name, []).append(table.assign(measure=measure, kind="half"))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in result.items()}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    defaults = {"models": 64, "datasets": 23, "measures": 3, "draws": 2000, "threads": 2}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    table = model_table(options.models, rng)
    ids = list(table.index)
    settings = Settings(
        categories=CATEGORIES,
        n_bootstrap=options.draws,
        n_permutations=options.draws,
        contrast="objective",
        strata=("train_data_class", "architecture_class"),
        given=("size_class",),
        anchors=ids[:8],
        overlaps=[["data_00", "data_01", "data_02", "data_03"]],
    )
    measures = [f"measure_{k}" for k in range(options.measures)]
    similarities = {m: simulate(ids, options.datasets, rng) for m in measures}
    replicates = halves(similarities, 10, rng)
    start, cpu = time.perf_counter(), time.process_time()
    for matrices in similarities.values():
        by_category(Analysis.of(matrices, table, Settings(categories=CATEGORIES)))
    figures = {"point_s": time.perf_counter() - start, "point_cpu_s": time.process_time() - cpu}
    start, cpu = time.perf_counter(), time.process_time()
    tables = analyse(similarities, table, settings, replicates=replicates, threads=options.threads)
    figures |= {"all_s": time.perf_counter() - start, "all_cpu_s": time.process_time() - cpu}
    print({name: len(t) for name, t in tables.items()})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures["peak_gib"] = peak
    print(json.dumps({**vars(options), **{k: round(v, 2) for k, v in figures.items()}}))


if __name__ == "__main__":
    main()
