"""Measures against each other: their similarities, and their r over data set pairs.

The second is the question of local against global structure, where one measure is RBF CKA (local)
and the other linear CKA (global).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import DATASETS, SIMILARITY, Entry, StudyFigure
from simcons.figures.schema import ByDataset, FigureInputs
from simcons.figures.selection import (
    correlation,
    ordered_datasets,
    pair_values,
    select,
    within_groups,
)
from simcons.figures.words import Description, count, measure_label, number

Pair = tuple[str, str]
MOST_PANELS = 6


def similarity_figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield the figure of similarities, if there are two measures."""
    if len(inputs.similarities) >= 2:
        figure = SimilaritiesCompared(
            inputs.similarities, inputs.models, inputs.datasets, inputs.method
        )
        yield Entry("measures", SIMILARITY, None, figure)


def consistency_figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield the figure of r, if two measures have one."""
    measures = inputs.measures(inputs.consistency)
    if len(measures) >= 2:
        figure = ConsistencyCompared(inputs.consistency, measures, inputs.method)
        yield Entry("local_global", DATASETS, None, figure)


def measure_pairs(measures: Sequence[str]) -> list[Pair]:
    """Return pairs of measures in the order of the study, at most `MOST_PANELS`."""
    return list(itertools.combinations(measures, 2))[:MOST_PANELS]


@dataclass(frozen=True)
class SimilaritiesCompared(StudyFigure):
    """Mean similarities under one measure against another, a panel per pair of measures."""

    similarities: Mapping[str, ByDataset]
    models: pd.DataFrame
    datasets: pd.DataFrame
    method: str = "pearson"

    def mean_values(self, measure: str) -> np.ndarray:
        """Return the mean over data sets of the similarity of every pair of models, (n_pairs,)."""
        order = ordered_datasets(self.datasets, self.similarities[measure])
        return np.mean([pair_values(self.similarities[measure][d]) for d in order], axis=0)

    def agreement(self, pair: Pair) -> dict[str, float]:
        """Return, per data set, r of two measures' similarities over pairs of models."""
        first, second = (self.similarities[measure] for measure in pair)
        order = ordered_datasets(self.datasets, set(first) & set(second))
        return {
            d: correlation(pair_values(first[d]), pair_values(second[d]), self.method)
            for d in order
        }

    def paint(self) -> Figure:
        """Draw the panels."""
        pairs = measure_pairs(list(self.similarities))
        figure, axes = _panels(self, len(pairs))
        looks = style.looks("objective", self.models["objective"])
        ids = next(iter(self.similarities[pairs[0][0]].values())).models
        groups = within_groups(ids, self.models, "objective")
        for axis, pair in zip(axes, pairs, strict=True):
            x, y = (self.mean_values(measure) for measure in pair)
            layout.grouped_points(axis, x, y, groups, looks)
            _label(axis, pair, correlation(x, y, self.method))
        layout.pair_legend(figure, looks[0])
        return figure

    def describe(self) -> Description:
        """Say how far the measures agree, per pair of measures."""
        parts, over_all = [], []
        for pair in measure_pairs(list(self.similarities)):
            finite = [value for value in self.agreement(pair).values() if np.isfinite(value)]
            median = float(np.median(finite)) if finite else float("nan")
            x, y = (self.mean_values(measure) for measure in pair)
            over_all.append(correlation(x, y, self.method))
            parts.append(
                f"{measure_label(pair[0])} and {measure_label(pair[1])}: r = "
                f"{number(over_all[-1])} of the means, median {number(median)} on single data sets"
            )
        title = (
            f"Do the measures agree? Their mean similarities correlate with r = "
            f"{number(min(over_all))} or more"
        )
        caption = (
            f"Mean similarity over data sets under one measure against another; a point is a pair "
            f"of models. {'; '.join(parts)}."
        )
        return Description(title, caption, f"Scatter plots. {caption}")


@dataclass(frozen=True)
class ConsistencyCompared(StudyFigure):
    """r under one measure against r under another, a point per data set pair."""

    consistency: pd.DataFrame
    measures: Sequence[str]
    method: str = "pearson"

    def r_of_both(self, pair: Pair) -> np.ndarray:
        """Return r over data set pairs under two measures, (2, n_dataset_pairs)."""
        keys = ["dataset_1", "dataset_2"]
        tables = [select(self.consistency, m, self.method)[[*keys, "r"]] for m in pair]
        both = tables[0].merge(tables[1], on=keys, suffixes=("_1", "_2")).sort_values(keys)
        return both[["r_1", "r_2"]].to_numpy(float).T

    def paint(self) -> Figure:
        """Draw the panels, with the diagonal."""
        pairs = measure_pairs(self.measures)
        figure, axes = _panels(self, len(pairs))
        for axis, pair in zip(axes, pairs, strict=True):
            x, y = self.r_of_both(pair)
            axis.scatter(x, y, s=10, color=style.MUTED, linewidths=0, alpha=0.7)
            low = min(np.nanmin(x, initial=1.0), np.nanmin(y, initial=1.0))
            limits = (low - 0.03, 1.03)
            axis.plot(limits, limits, color=style.GRID, linewidth=0.8, zorder=0)
            axis.set(xlim=limits, ylim=limits, aspect="equal")
            _label(axis, pair, correlation(x, y, self.method))
        return figure

    def describe(self) -> Description:
        """Say under which measure r is higher, per pair of measures."""
        parts, titles = [], []
        for pair in measure_pairs(self.measures):
            x, y = self.r_of_both(pair)
            first, second = map(measure_label, pair)
            higher, n = int(np.sum(x > y)), count(len(x), "data set pair")
            difference = float(np.median(x - y)) if len(x) else float("nan")
            parts.append(
                f"{first} has the higher r than {second} on {higher} of {n} (median difference "
                f"{number(difference)})"
            )
            titles.append(
                f"r between data sets is higher under {first} than under {second} for {higher} of "
                f"{n}"
            )
        caption = (
            f"r between two data sets (all models) under one measure against another; a point is a "
            f"pair of data sets. {'; '.join(parts)}."
        )
        return Description(titles[0], caption, f"Scatter plots. {caption}")


def _panels(shown: StudyFigure, n_panels: int) -> tuple[Figure, list[Axes]]:
    n_columns = min(max(n_panels, 1), 3)
    height, width = 2.15 * -(-n_panels // n_columns) + 0.7, 2.35 * n_columns + 0.3
    figure = shown.canvas(height, min(style.FULL_WIDTH, width))
    return figure, layout.panel_grid(figure, n_panels, n_columns)


def _label(axis: Axes, pair: Pair, r: float) -> None:
    axis.set_xlabel(measure_label(pair[0]), fontsize=7)
    axis.set_ylabel(measure_label(pair[1]), fontsize=7)
    axis.set_title(f"r = {number(r)}", fontsize=7.5)
