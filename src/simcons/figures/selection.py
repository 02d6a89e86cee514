"""Which rows, data sets and pairs of models are shown, and the small arithmetic on them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, rankdata

from simcons.catalog import CATEGORIES
from simcons.figures import style
from simcons.figures.schema import ByDataset, Similarities
from simcons.figures.words import Group

EVERYTHING: Group = ("all", "all", "all")
LEVEL = 0.05  # of a test


def select(
    table: pd.DataFrame, measure: str, method: str | None, group: Group = EVERYTHING
) -> pd.DataFrame:
    """Return the rows of one measure, method and group pair (in either order of the groups).

    Some tables are of no method: None.
    """
    category, first, second = group
    rows = table[(table["measure"] == measure) & (table["category"] == category)]
    rows = rows if method is None else rows[rows["method"] == method]
    if category == "all":
        return rows
    forward = (rows["group_1"] == first) & (rows["group_2"] == second)
    backward = (rows["group_1"] == second) & (rows["group_2"] == first)
    return rows[forward | backward]


def finite_r(rows: pd.DataFrame) -> np.ndarray:
    """Return the r of a table that are defined."""
    r = rows["r"].to_numpy(float)
    return r[np.isfinite(r)]


def group_limits(
    intervals: pd.DataFrame | None, measure: str, method: str, group: Group = EVERYTHING
) -> tuple[float, float]:
    """Return the interval of a group's median r; NaN where there is none."""
    rows = None if intervals is None else select(intervals, measure, method, group)
    if rows is None or rows.empty:
        return float("nan"), float("nan")
    return float(rows["low"].iloc[0]), float(rows["high"].iloc[0])


def group_order(table: pd.DataFrame, category: str = "objective") -> list[Group]:
    """Return all models, then the pairs within each value of a category, that a table has."""
    rows = table[(table["category"] == category) & (table["group_1"] == table["group_2"])]
    inside = [(category, name, name) for name in style.ordered(set(rows["group_1"]))]
    return [EVERYTHING, *inside] if (table["category"] == "all").any() else inside


def varying(models: pd.DataFrame) -> list[str]:
    """Return the categories with two values or more: the others tell no groups apart."""
    return [c for c in CATEGORIES if c in models.columns and models[c].nunique() > 1]


def ordered_datasets(datasets: pd.DataFrame, present: Iterable[str]) -> list[str]:
    """Return the ids of the present data sets, sorted by domain, then name, then id."""
    kept = datasets[datasets.index.isin(set(present))]
    rows = zip(kept["domain"].astype(str), kept["name"].astype(str), kept.index, strict=True)
    return [str(dataset) for _, _, dataset in sorted(rows)]


def dataset_names(datasets: pd.DataFrame) -> dict[str, str]:
    """Return the display name of each data set id."""
    return {str(key): str(name) for key, name in datasets["name"].items()}


def pair_index(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of every unordered pair of ``m`` models, each (m (m - 1) / 2,)."""
    return np.triu_indices(m, k=1)


def symmetric(values: np.ndarray) -> np.ndarray:
    """Return the mean of both directions, (m, m): pairs of models are unordered."""
    array = np.asarray(values, dtype=float)
    return (array + array.T) / 2


def pair_values(matrix: Similarities) -> np.ndarray:
    """Return the similarity of every unordered pair of models, (m (m - 1) / 2,)."""
    return symmetric(matrix.values)[pair_index(len(matrix.models))]


def stack(by_dataset: ByDataset, order: list[str]) -> np.ndarray:
    """Return symmetric similarity matrices in the given order of data sets, (D, m, m)."""
    return np.stack([symmetric(by_dataset[dataset].values) for dataset in order])


def within_groups(ids: list[str], models: pd.DataFrame, category: str) -> dict[str, np.ndarray]:
    """Return, for each category value, which unordered pairs lie within it, (n_pairs,) bool."""
    values = models.loc[ids, category].astype(str).to_numpy()
    first, second = pair_index(len(ids))
    same = values[first] == values[second]
    return {name: same & (values[first] == name) for name in sorted(set(values))}


def correlation(x: np.ndarray, y: np.ndarray, method: str = "pearson") -> float:
    """Return a correlation over the entries that are finite in both; NaN if undefined.

    Undefined: fewer than 3 pairs, or no spread in one of them. Ties are averaged (spearman) or
    counted as in tau-b (kendall).
    """
    ok = np.isfinite(x) & np.isfinite(y)
    x, y = np.asarray(x, float)[ok], np.asarray(y, float)[ok]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    if method == "kendall":
        return float(kendalltau(x, y).statistic)
    if method == "spearman":
        x, y = rankdata(x), rankdata(y)
    return float(np.corrcoef(x, y)[0, 1])
