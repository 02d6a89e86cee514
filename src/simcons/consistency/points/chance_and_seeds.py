"""The range of similarities: between chance (their floor) and seed replicates (their ceiling)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from simcons.similarity import SimilarityMatrix, seed_level

LEVEL_COLUMNS = (
    *("measure", "dataset", "chance_low", "chance", "chance_high"),
    *("low", "q1", "median", "q3", "high", "seed_low", "seed", "seed_high"),
    *("n_pairs", "n_seed_pairs"),
)
TAIL = 0.05  # of the pairs lie below low, as many above high


def level_table(
    similarities: Mapping[str, Mapping[str, SimilarityMatrix]],
    chance: Mapping[str, pd.DataFrame],
    families: Mapping[str, str] | pd.Series,
) -> pd.DataFrame:
    """Say what values similarities take on each data set, at chance and between seed replicates.

    Parameters
    ----------
    similarities
        Measure -> data set -> matrix.
    chance
        Data set -> table of `simcons.similarity.chance_level`, may be empty.
    families
        By model id; models of one family differ in their training seed alone.

    Returns
    -------
    DataFrame
        Columns `LEVEL_COLUMNS`, a row per measure and data set, sorted: over pairs of models of
        different families the median, quartiles and 5 % tails (low, high); over all pairs and
        shuffles the mean at chance and its 5 % tails; over pairs within families the median
        (seed), least and greatest. NaN where there are none.
    """
    families = dict(families)
    rows = []
    for measure, by_dataset in similarities.items():
        for dataset, matrix in by_dataset.items():
            table = matrix.pairs(ordered=not matrix.symmetric)
            within = seed_level(matrix, families)["value"].to_numpy()
            family_1 = table["model_1"].map(lambda m: families.get(m, m))
            family_2 = table["model_2"].map(lambda m: families.get(m, m))
            across = table["value"][family_1 != family_2].to_numpy()
            drawn = _of(chance.get(dataset), measure)
            tails = _quantiles(drawn, [TAIL, 1 - TAIL])
            floor = [tails[0], drawn.mean() if len(drawn) else np.nan, tails[1]]
            spread = _quantiles(across, [TAIL, 0.25, 0.5, 0.75, 1 - TAIL])
            ceiling = _quantiles(within, [0, 0.5, 1])
            rows.append((measure, dataset, *floor, *spread, *ceiling, len(across), len(within)))
    found = pd.DataFrame(rows, columns=list(LEVEL_COLUMNS))
    return found.sort_values(["measure", "dataset"], kind="stable", ignore_index=True)


def _of(chance: pd.DataFrame | None, measure: str) -> np.ndarray:
    if chance is None:
        return np.empty(0)
    return chance.loc[chance["measure"] == measure, "value"].to_numpy(dtype=float)


def _quantiles(values: np.ndarray, at: list[float]) -> list[float]:
    if not len(values):
        return [float("nan")] * len(at)
    return [float(q) for q in np.quantile(values, at)]
