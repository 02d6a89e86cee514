"""Data set by data set matrices of r: on which data sets does similarity carry over?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import DATASETS, Entry, StudyFigure
from simcons.figures.category_boxes import group_rows
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import EVERYTHING, Group, group_limits, select
from simcons.figures.words import (
    Description,
    clipped,
    count,
    group_label,
    interval,
    measure_label,
    number,
    r_is,
)


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield, per measure, the matrix of all models and those of the groups at both ends."""
    for measure in inputs.measures(inputs.consistency):
        groups = {f"consistency_{measure}": EVERYTHING}
        rows = group_rows(inputs.consistency, "objective", measure, inputs.method)
        if len(rows) > 1:
            groups[f"consistency_highest_{measure}"] = rows[0].group
            groups[f"consistency_lowest_{measure}"] = rows[-1].group
        for name, group in groups.items():
            yield Entry(name, DATASETS, measure, ConsistencyMatrix(inputs, measure, group))


def matrix_of(rows: pd.DataFrame, order: list[str]) -> np.ndarray:
    """Return r between data sets, (D, D), symmetric, NaN on the diagonal and where absent."""
    place = {dataset: k for k, dataset in enumerate(order)}
    values = np.full((len(order), len(order)), np.nan)
    for first, second, r in zip(rows["dataset_1"], rows["dataset_2"], rows["r"], strict=True):
        if first != second:
            values[place[first], place[second]] = values[place[second], place[first]] = r
    return values


@dataclass(frozen=True)
class ConsistencyMatrix(StudyFigure):
    """r between every two data sets, ordered by domain, values written in the cells."""

    measure: str
    group: Group = EVERYTHING

    def rows(self) -> pd.DataFrame:
        """Return a row per data set pair."""
        return select(self.inputs.consistency, self.measure, self.method, self.group)

    def paint(self) -> Figure:
        """Draw the matrix, its domains as a strip."""
        rows = self.rows()
        order = self.ordered([*rows["dataset_1"], *rows["dataset_2"]])
        values = matrix_of(rows, order)
        n = max(len(order), 1)
        cell = min(4.9 / n, 0.45)
        figure = self.canvas(n * cell + 2.1, min(style.FULL_WIDTH, 3.4 + 1.15 * n * cell))
        axis = figure.subplots()
        if not len(order):
            layout.say_absent(axis, "No consistency for these models.")
            return figure
        finite = values[np.isfinite(values)]
        low = min(0.0, float(np.floor(finite.min() * 10) / 10)) if len(finite) else 0.0
        image = layout.matrix_image(axis, values, (low, 1.0))
        texts = [[_cell_text(v) for v in row] for row in values]
        layout.annotate_cells(axis, values, texts, image, min(7.0, 72 * cell / 2.6))
        _domains(figure, axis, order, self.inputs.datasets)
        size = min(7.0, 72 * cell * 0.8)
        labels = [clipped(self.names[dataset], 28) for dataset in order]
        axis.set_yticks(np.arange(n) + 0.5, labels, fontsize=size)
        layout.name_columns(axis, labels, size)
        figure.colorbar(image, ax=axis, label=f"{self.method_label} r", aspect=30, pad=0.02)
        return figure

    def describe(self) -> Description:
        """Say the median r, the quartiles and the data set pairs at both ends."""
        rows = self.rows()
        rows = rows[np.isfinite(rows["r"].astype(float))]
        label, who = measure_label(self.measure), group_label(self.group)
        if rows.empty:
            return Description.only(f"{label}, {who}: no r between data sets is available.")
        r = rows["r"].to_numpy(float)
        q1, median, q3 = np.quantile(r, [0.25, 0.5, 0.75])
        lowest, highest = (
            f"{self.names[rows['dataset_1'].iloc[k]]} and {self.names[rows['dataset_2'].iloc[k]]} "
            f"({number(r[k])})"
            for k in (int(r.argmin()), int(r.argmax()))
        )
        title = (
            f"{label}, {who}: similarities on two data sets correlate with median {r_is(median)}"
        )
        limits = interval(
            *group_limits(self.inputs.intervals, self.measure, self.method, self.group)
        )
        caption = (
            f"{self.method_label} correlation of {label} on two data sets over "
            f"{count(int(rows['n_pairs'].max()), 'pair')} of models ({who}), data sets ordered by "
            f"domain. Median over {count(len(r), 'data set pair')}: {number(median)}{limits} "
            f"(quartiles {number(q1)} and {number(q3)}). Lowest: {lowest}; highest: {highest}."
        )
        return Description(title, caption, f"A heatmap of data sets by data sets. {caption}")


def _cell_text(value: float) -> str:
    """Return two decimals without the leading zero, as there is little room."""
    return number(value).replace("0.", ".") if np.isfinite(value) else ""


def _domains(figure: Figure, axis: Axes, order: list[str], datasets: pd.DataFrame) -> None:
    """Mark the domains: white lines between them and a colour strip with a legend."""
    domains = [str(datasets.at[dataset, "domain"]) for dataset in order]
    colours = style.category_colours("domain", datasets["domain"])
    n = len(order)
    layout.category_strip(axis, domains, colours, width=0.03 * n, gap=0.01 * n)
    for k in range(1, n):
        if domains[k] != domains[k - 1]:
            axis.axhline(k, color="white", linewidth=1.6)
            axis.axvline(k, color="white", linewidth=1.6)
    used = {name: colours[name] for name in dict.fromkeys(domains)}
    layout.category_legend(figure, used, "domain", n_columns=4)
