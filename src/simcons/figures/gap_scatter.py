"""Gap in probe accuracy against similarity, a point per pair of models, a panel per data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import PERFORMANCE, Entry, StudyFigure
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import correlation
from simcons.figures.words import Description, count, measure_label, number, r_is


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure per measure, if there are probes."""
    for measure in inputs.measures(inputs.gap) if len(inputs.probes) else ():
        yield Entry(f"gap_{measure}", PERFORMANCE, measure, GapScatter(inputs, measure))


@dataclass(frozen=True)
class GapScatter(StudyFigure):
    """|accuracy gap| in percentage points against similarity, r in each panel's title."""

    measure: str

    @cached_property
    def gap(self) -> pd.DataFrame:
        """The pairs of models on every data set."""
        return self.inputs.gap[self.inputs.gap["measure"] == self.measure]

    @cached_property
    def r(self) -> dict[str, float]:
        """The correlation of similarity and gap on every data set."""
        return {
            str(dataset): correlation(
                part["similarity"].to_numpy(float), part["gap"].to_numpy(float), self.method
            )
            for dataset, part in self.gap.groupby("dataset", sort=True)
        }

    def paint(self) -> Figure:
        """Draw a panel per data set, on one scale."""
        order = self.ordered(self.gap["dataset"])
        n_columns, n_rows, side = layout.dataset_panel_size(len(order))
        figure = self.canvas(n_rows * side * 0.95 + 1.15)
        if not order:
            layout.say_absent(figure.subplots(), "No probes: no gap in accuracy.")
            return figure
        axes = layout.panel_grid(figure, len(order), n_columns, share=True)
        colours, markers = self.looks()
        values = self.models["objective"].astype(str)
        raster = len(self.gap) > 3000
        for k, (axis, dataset) in enumerate(zip(axes, order, strict=True)):
            part = self.gap[self.gap["dataset"] == dataset]
            first, second = (values.loc[part[c]].to_numpy() for c in ("model_1", "model_2"))
            x, y = part["similarity"].to_numpy(float), 100 * part["gap"].to_numpy(float)
            size = float(np.clip(1500 / max(len(part), 1), 2, 14))
            mixed = first != second
            axis.scatter(x[mixed], y[mixed], s=size, color=style.NEUTRAL, linewidths=0,
                         rasterized=raster)  # fmt: skip
            for name in sorted(set(first[~mixed])):
                inside = ~mixed & (first == name)
                axis.scatter(x[inside], y[inside], s=size * 1.4, color=colours[name], linewidths=0,
                             marker=markers[name], alpha=0.85, rasterized=raster)  # fmt: skip
            title = style.two_lines(self.names[dataset], int(side * 15))
            size = 7 if n_columns <= 4 else 6.5
            axis.set_title(f"{title}\nr = {number(self.r[dataset])}", fontsize=size)
            axis.grid()
            if k >= (n_rows - 1) * n_columns:
                axis.set_xlabel("similarity", fontsize=7)
        figure.supylabel("accuracy gap (percentage points)", fontsize=8)
        layout.pair_legend(figure, colours)
        return figure

    def describe(self) -> Description:
        """Say r per data set and its range."""
        label = measure_label(self.measure)
        r = {key: value for key, value in self.r.items() if np.isfinite(value)}
        if not r:
            return Description.only(f"{label}: no gap in accuracy to compare with similarity.")
        median = float(np.median(list(r.values())))
        title = (
            f"{label} and the gap in accuracy: r is negative on "
            f"{sum(value < 0 for value in r.values())} of {count(len(r), 'data set')}, median "
            f"{r_is(median)}"
        )
        order = sorted(r, key=lambda dataset: (r[dataset], dataset))
        listed = ", ".join(f"{self.names[dataset]} {number(r[dataset])}" for dataset in order)
        caption = (
            f"Absolute difference in probe accuracy against {label}; a point is a pair of models. "
            f"{self.method_label} r: {listed}; median {number(median)}."
        )
        return Description(title, caption, f"Scatter plots, one per data set. {caption}")
