"""Similarity matrices: one panel per data set, and mean and spread over the data sets.

Rows are in the order of average-linkage clustering of 1 - mean similarity, the same in every
panel, with the training objective of each model as a colour strip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from simcons.figures import layout, style
from simcons.figures.base import SIMILARITY, Entry, SimilarityFigure
from simcons.figures.mean_spread import MeanSpread
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import pair_index, within_groups
from simcons.figures.words import Description, category_label, count, number, short

Statistic = Literal["mean", "sd"]


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield mean, spread and panels of each measure; a spread needs two data sets."""
    for measure, by_dataset in inputs.similarities.items():
        several = len(by_dataset) >= 2
        found: dict[str, SimilarityFigure] = {
            "similarity_mean": OverDatasets(inputs, measure, "mean")
        }
        found |= {"similarity_sd": OverDatasets(inputs, measure, "sd")} if several else {}
        found |= {"similarity_panels": Panels(inputs, measure)}
        found |= {"mean_spread": MeanSpread(inputs, measure)} if several else {}
        for name, figure in found.items():
            yield Entry(f"{name}_{measure}", SIMILARITY, measure, figure)


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


class _Clustered(SimilarityFigure):
    """A figure whose matrices have their rows in the order of clusters."""

    def rows(self) -> tuple[np.ndarray, list[str], dict[str, str]]:
        """Return the order of the rows, each row's objective, and the objectives' colours."""
        order = cluster_order(over_datasets(self.matrices, "mean"))
        ids = [self.ids[row] for row in order]
        return order, *layout.row_categories(ids, self.models, "objective")


@dataclass(frozen=True)
class Panels(_Clustered):
    """The similarity matrix of every data set as a small panel, all in one order."""

    def paint(self) -> Figure:
        """Draw the panels on one scale of colours."""
        rows, labels, colours = self.rows()
        width = style.FULL_WIDTH - 0.75
        n_columns, n_rows, side = layout.dataset_panel_size(len(self.order), width)
        figure = self.canvas(n_rows * (side + 0.2) + 0.9)
        axes = layout.panel_grid(figure, len(self.order), n_columns)
        limits = _limits(self.matrices)
        m = len(rows)
        for axis, dataset, matrix in zip(axes, self.order, self.matrices, strict=True):
            values = matrix[np.ix_(rows, rows)]
            image = layout.matrix_image(axis, values, limits, aspect="equal")
            layout.category_strip(axis, labels, colours, width=0.06 * m, gap=0.02 * m)
            title = style.two_lines(self.names[dataset], int(side * 15))
            axis.set_title(title, fontsize=7.5)
        figure.colorbar(image, ax=axes, label=self.label, shrink=0.7, aspect=30, pad=0.01)
        layout.category_legend(figure, colours, category_label("objective"))
        return figure

    def describe(self) -> Description:
        """Say what the panels show, with the median similarity of each data set."""
        pairs = self.matrices[(slice(None), *pair_index(len(self.ids)))]
        medians = {self.names[d]: _median(row) for d, row in zip(self.order, pairs, strict=True)}
        finite = {name: value for name, value in medians.items() if np.isfinite(value)} or medians
        high, low = max(finite, key=lambda n: finite[n]), min(finite, key=lambda n: finite[n])
        models = count(len(self.ids), "model")
        title = (
            f"{self.label} on each data set: median over pairs of {models} from "
            f"{number(medians[low])} ({low}) to {number(medians[high])} ({high})"
        )
        caption = (
            f"{self.label} between {models} on {count(len(self.order), 'data set')}, rows and "
            f"columns in one order (average linkage on 1 − mean similarity). The median similarity "
            f"of two models is highest on {high} ({number(medians[high])}) and lowest on {low} "
            f"({number(medians[low])})."
        )
        alt = f"{len(self.order)} square heatmaps, one per data set. {caption}"
        return Description(title, caption, alt)


@dataclass(frozen=True)
class OverDatasets(_Clustered):
    """Mean or spread over data sets as one large matrix with the models' names."""

    statistic: Statistic

    def paint(self) -> Figure:
        """Draw the matrix; up to 12 models also have their values written."""
        rows, labels, colours = self.rows()
        values = over_datasets(self.matrices, self.statistic)[np.ix_(rows, rows)]
        if self.statistic == "sd":
            np.fill_diagonal(values, np.nan)
        m = len(rows)
        row_height = min(6.4 / m, 0.4) if m > 40 else min(4.6 / m, 0.4)
        width = min(style.FULL_WIDTH, 3.2 + 1.3 * m * row_height)
        figure = self.canvas(max(m * row_height + 1.1, 2.4), width)
        axis = figure.subplots()
        mean = self.statistic == "mean"
        limits = _limits(values) if mean else (0.0, _top(values))
        cmap = style.SEQUENTIAL if mean else style.SPREAD
        image = layout.matrix_image(axis, values, limits, cmap)
        strip = max(0.025 * m, 0.25)
        layout.category_strip(axis, labels, colours, width=strip, gap=0.01 * m)
        names = [short(str(self.ids[row]), 34) for row in rows]
        axis.set_yticks(np.arange(m) + 0.5, names, fontsize=min(7.0, 0.9 * 72 * row_height))
        axis.tick_params(length=0, pad=2)
        if m <= 12:
            texts = [[number(v) if np.isfinite(v) else "" for v in row] for row in values]
            layout.annotate_cells(axis, values, texts, image, min(6.5, 62 * row_height / 3))
        what = "mean" if mean else "standard deviation"
        figure.colorbar(image, ax=axis, label=f"{self.label}, {what}", aspect=30, pad=0.02)
        layout.category_legend(figure, colours, category_label("objective"))
        return figure

    def describe(self) -> Description:
        """Say what mean or spread over the data sets are, and which pairs are at the ends."""
        values = over_datasets(self.matrices, self.statistic)[pair_index(len(self.ids))]
        same = np.any(list(within_groups(self.ids, self.models, "objective").values()), axis=0)
        within, between = number(_median(values[same])), number(_median(values[~same]))
        low, high = self._ends(values)
        where = count(len(self.order), "data set")
        what = "mean" if self.statistic == "mean" else "standard deviation"
        title = (
            f"{self.label}, {what} over {where}: median over pairs of models {within} within an "
            f"objective, {between} between two"
        )
        medians = (
            f"Median over pairs of models: {within} within a training objective, {between} between "
            f"two."
        )
        if self.statistic == "mean":
            caption = (
                f"Mean {self.label} over {where}. {medians} Most alike: {high}; least alike: {low}."
            )
        elif len(self.order) < 2:
            caption = f"A spread over data sets needs two data sets; there is {where}."
        else:
            caption = (
                f"Standard deviation of {self.label} over {where}, models in the order of the mean "
                f"matrix. {medians} Steadiest: {low}; most variable: {high}."
            )
        return Description(title, caption, f"A square heatmap of models by models. {caption}")

    def _ends(self, values: np.ndarray) -> tuple[str, str]:
        """Return the pairs of models with the lowest and the highest value, in words."""
        if not np.isfinite(values).any():
            return "n/a", "n/a"
        first, second = pair_index(len(self.ids))
        low, high = (
            f"{self.ids[first[k]]} and {self.ids[second[k]]} ({number(values[k])})"
            for k in (int(np.nanargmin(values)), int(np.nanargmax(values)))
        )
        return low, high


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Return a colour range that starts at a tenth and ends at 1 (or above, where needed)."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low = min(np.floor(finite.min() * 10) / 10, 0.9)
    return float(low), float(max(1.0, finite.max()))


def _top(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) and finite.max() > 0 else 1.0


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")
