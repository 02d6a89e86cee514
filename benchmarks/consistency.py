"""Time and memory of the consistency analysis at the paper's size.

64 models x 23 data sets x 3 measures, 2,000 bootstrap and 2,000 permutation replicates, simulated
similarities with the paper's category counts. Prints one line per measure and a JSON line at last.

    python benchmarks/consistency.py [--models 64] [--datasets 23] [--measures 3] [--draws 2000]
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simcons.consistency import Settings, analyse, by_category

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
    similarities: dict[str, Matrix], measure: str, n_splits: int, rng: np.random.Generator
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield tables of split-half replicates: the similarities with noise."""
    for name, matrix in similarities.items():
        left, right = np.triu_indices(len(matrix.models), k=1)
        ids = np.array(matrix.models, dtype=object)
        value = matrix.values[left, right] + 0.01 * rng.normal(size=(2 * n_splits, len(left)))
        columns = {"replicate": np.repeat(np.arange(2 * n_splits), len(left))}
        table = pd.DataFrame({**columns, "value": value.ravel()})
        table["model_1"] = np.tile(ids[left], 2 * n_splits)
        table["model_2"] = np.tile(ids[right], 2 * n_splits)
        yield name, table.assign(measure=measure, kind="half")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"models": 64, "datasets": 23, "measures": 3, "draws": 2000}.items():
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
    point = total = 0.0
    for k in range(options.measures):
        measure = f"measure_{k}"
        similarities = simulate(ids, options.datasets, rng)
        replicates = dict(halves(similarities, measure, 10, rng))
        start = time.perf_counter()
        by_category(similarities, table, CATEGORIES)
        point += time.perf_counter() - start
        start = time.perf_counter()
        tables = analyse(similarities, table, settings, measure=measure, replicates=replicates)
        total += time.perf_counter() - start
        rows = sum(len(t) for t in tables.values())
        print(f"{measure}: {time.perf_counter() - start:.1f} s, {len(tables)} tables, {rows} rows")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures = {"point_estimates_s": point, "all_s": total, "peak_gib": peak}
    print(json.dumps({**vars(options), **{k: round(v, 2) for k, v in figures.items()}}))


if __name__ == "__main__":
    main()
