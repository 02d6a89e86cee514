"""Similarity matrices: one panel per data set, and mean and spread over the data sets.

Rows are in the order of average-linkage clustering of 1 - mean similarity, the same in every
panel, with the training objective of each model as a colour strip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from simcons.figures import layout, style
from simcons.figures.inputs import (
    CATEGORY_LABELS,
    Description,
    Similarities,
    count,
    dataset_names,
    measure_label,
    number,
    ordered_datasets,
    pair_index,
    symmetric,
)

Statistic = Literal["mean", "sd"]


def stack(by_dataset: Mapping[str, Similarities], order: list[str]) -> np.ndarray:
    """Return symmetric similarity matrices in the given order of data sets, (D, m, m)."""
    return np.stack([symmetric(by_dataset[dataset].values) for dataset in order])


def over_datasets(matrices: np.ndarray, statistic: Statistic) -> np.ndarray:
    """Return the mean or the sample standard deviation over data sets, (m, m).

    NaN where no data set (for the spread: fewer than two) has a value.
    """
    finite = np.isfinite(matrices)
    n = finite.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(finite, matrices, 0.0).sum(axis=0) / n
        if statistic == "mean":
            return np.where(n > 0, mean, np.nan)
        squares = (np.where(finite, matrices - mean, 0.0) ** 2).sum(axis=0)
        return np.where(n > 1, np.sqrt(squares / (n - 1)), np.nan)


def cluster_order(mean: np.ndarray) -> np.ndarray:
    """Return the leaf order of average-linkage clustering of 1 - similarity, (m,).

    A missing similarity counts as the mean of the others.
    """
    m = len(mean)
    if m < 3:
        return np.arange(m)
    distance = 1.0 - mean
    off = ~np.eye(m, dtype=bool)
    known = distance[off & np.isfinite(distance)]
    distance = np.where(np.isfinite(distance), distance, known.mean() if len(known) else 0.0)
    np.fill_diagonal(distance, 0.0)
    distance = np.maximum((distance + distance.T) / 2, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average", optimal_ordering=True)
    return np.asarray(leaves_list(tree))


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Return a colour range that starts at a tenth and ends at 1 (or above, where needed)."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low = min(np.floor(finite.min() * 10) / 10, 0.9)
    return float(low), float(max(1.0, finite.max()))


@style.styled
def draw_panels(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    category: str = "objective",
) -> Figure:
    """Draw the similarity matrix of every data set as a small panel, all in one order."""
    order = ordered_datasets(datasets, by_dataset)
    names = dataset_names(datasets)
    matrices = stack(by_dataset, order)
    rows = cluster_order(over_datasets(matrices, "mean"))
    labels, colours = _row_categories(by_dataset[order[0]].models, rows, models, category)
    n_columns = layout.columns_for(len(order))
    side = min((style.FULL_WIDTH - 0.75) / n_columns, 2.4)
    n_rows = -(-len(order) // n_columns)
    title = style.wrap_title(
        describe_panels(by_dataset, models, datasets, measure).title, style.FULL_WIDTH
    )
    figure = style.new_figure(style.FULL_WIDTH, n_rows * (side + 0.2) + 0.9, title)
    axes = layout.panel_grid(figure, len(order), n_columns)
    low, high = _limits(matrices)
    m = len(rows)
    for axis, dataset, matrix in zip(axes, order, matrices, strict=True):
        image = layout.matrix_image(
            axis, matrix[np.ix_(rows, rows)], cmap=style.SEQUENTIAL, vmin=low, vmax=high
        )
        layout.category_strip(axis, labels, colours, width=0.06 * m, gap=0.02 * m)
        axis.set_xlim(-0.08 * m, m)
        axis.set_title(style.two_lines(names[dataset], int(side * 15)), fontsize=7.5)
    figure.colorbar(image, ax=axes, label=measure_label(measure), shrink=0.7, aspect=30, pad=0.01)
    layout.category_legend(figure, colours, CATEGORY_LABELS.get(category, category))
    return figure


def _row_categories(
    ids: list[str], rows: np.ndarray, models: pd.DataFrame, category: str
) -> tuple[list[str], dict[str, str]]:
    """Return each row's category value, and the colours of the values that occur."""
    everything = style.category_colours(category, models[category].astype(str))
    labels = [str(models.at[ids[row], category]) for row in rows]
    return labels, {name: everything[name] for name in style.ordered(labels)}


@style.styled
def draw_over_datasets(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    statistic: Statistic,
    category: str = "objective",
) -> Figure:
    """Draw mean or spread over data sets as one large matrix with the models' names."""
    order = ordered_datasets(datasets, by_dataset)
    matrices = stack(by_dataset, order)
    rows = cluster_order(over_datasets(matrices, "mean"))
    values = over_datasets(matrices, statistic)[np.ix_(rows, rows)]
    ids = by_dataset[order[0]].models
    labels, colours = _row_categories(ids, rows, models, category)
    if statistic == "sd":
        np.fill_diagonal(values, np.nan)
    m = len(rows)
    row_height = min(6.4 / m, 0.4) if m > 40 else min(4.6 / m, 0.4)
    width = min(style.FULL_WIDTH, 3.2 + 1.3 * m * row_height)
    title = style.wrap_title(
        describe_over_datasets(by_dataset, models, datasets, measure, statistic).title, width
    )
    figure = style.new_figure(width, max(m * row_height + 1.1, 2.4), title)
    axis = figure.subplots()
    low, high = _limits(values) if statistic == "mean" else (0.0, _top(values))
    cmap = style.SEQUENTIAL if statistic == "mean" else style.SPREAD
    image = layout.matrix_image(axis, values, cmap=cmap, vmin=low, vmax=high, aspect="auto")
    layout.category_strip(axis, labels, colours, width=max(0.025 * m, 0.25), gap=0.01 * m)
    axis.set_xlim(-max(0.025 * m, 0.25) - 0.01 * m, m)
    size = min(7.0, 0.9 * 72 * row_height)
    axis.set_yticks(
        np.arange(m) + 0.5, [style.short(str(ids[row]), 34) for row in rows], fontsize=size
    )
    axis.tick_params(length=0, pad=2)
    if m <= 12:
        texts = [[number(value) if np.isfinite(value) else "" for value in row] for row in values]
        layout.annotate_cells(axis, values, texts, image, min(6.5, 62 * row_height / 3))
    what = "mean" if statistic == "mean" else "standard deviation"
    figure.colorbar(image, ax=axis, label=f"{measure_label(measure)}, {what}", aspect=30, pad=0.02)
    layout.category_legend(figure, colours, CATEGORY_LABELS.get(category, category))
    return figure


def _top(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) and finite.max() > 0 else 1.0


def describe_panels(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
) -> Description:
    """Say what the panels show, with the median similarity of each data set."""
    order = ordered_datasets(datasets, by_dataset)
    names = dataset_names(datasets)
    ids = by_dataset[order[0]].models
    pairs = stack(by_dataset, order)[(slice(None), *pair_index(len(ids)))]
    medians = {names[d]: _median(row) for d, row in zip(order, pairs, strict=True)}
    finite = {name: value for name, value in medians.items() if np.isfinite(value)} or medians
    high, low = max(finite, key=lambda n: finite[n]), min(finite, key=lambda n: finite[n])
    label = measure_label(measure)
    title = (
        f"{label} on each data set: median over pairs of {count(len(ids), 'model')} from "
        f"{number(medians[low])} ({low}) to {number(medians[high])} ({high})"
    )
    caption = (
        f"{label} between {count(len(ids), 'model')} on {count(len(order), 'data set')}, rows and "
        f"columns in one order (average linkage on 1 − mean similarity). The median similarity of "
        f"two models is highest on {high} ({number(medians[high])}) and lowest on {low} "
        f"({number(medians[low])})."
    )
    return Description(title, caption, f"{len(order)} square heatmaps, one per data set. {caption}")


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def describe_over_datasets(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    statistic: Statistic,
) -> Description:
    """Say what mean or spread over the data sets are, and which pairs are at the ends."""
    order = ordered_datasets(datasets, by_dataset)
    ids = by_dataset[order[0]].models
    matrices = stack(by_dataset, order)
    values = over_datasets(matrices, statistic)[pair_index(len(ids))]
    same = same_category(ids, models, "objective")
    label = measure_label(measure)
    where = count(len(order), "data set")
    first, last = _end_pair(values, ids, np.nanargmin), _end_pair(values, ids, np.nanargmax)
    within, between = _median(values[same]), _median(values[~same])
    if statistic == "mean":
        title = (
            f"{label}, mean over {where}: median over pairs of models {number(within)} within an "
            f"objective, {number(between)} between two"
        )
        caption = (
            f"Mean {label} over {where}. Median over pairs of models: {number(within)} within a "
            f"training objective, {number(between)} between two. Most alike: {last}; least "
            f"alike: {first}."
        )
    else:
        title = (
            f"{label}, standard deviation over {where}: median over pairs of models "
            f"{number(within)} within an objective, {number(between)} between two"
        )
        caption = (
            f"Standard deviation of {label} over {where}, models in the order of the mean matrix. "
            f"Median over pairs of models: {number(within)} within a training objective, "
            f"{number(between)} between two. Steadiest: {first}; most variable: {last}."
        )
        if len(order) < 2:
            caption = f"A spread over data sets needs two data sets; there is {where}."
    return Description(title, caption, f"A square heatmap of models by models. {caption}")


def same_category(ids: list[str], models: pd.DataFrame, category: str) -> np.ndarray:
    """Return, for every unordered pair, whether both models have the same category value."""
    values = models.loc[ids, category].astype(str).to_numpy()
    first, second = pair_index(len(ids))
    return np.asarray(values[first] == values[second])


def _end_pair(values: np.ndarray, ids: list[str], pick: Callable[[np.ndarray], Any]) -> str:
    if not np.isfinite(values).any():
        return "n/a"
    k = int(pick(values))
    first, second = pair_index(len(ids))
    return f"{ids[first[k]]} and {ids[second[k]]} ({number(values[k])})"
