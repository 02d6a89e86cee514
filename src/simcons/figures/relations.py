"""r per data set of similarity with the gap in accuracy, or with error consistency, by domain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import PERFORMANCE, Entry, MeasuresFigure
from simcons.figures.schema import FigureInputs
from simcons.figures.words import (
    AGAINST_LABELS,
    Description,
    clipped,
    count,
    interval,
    measure_label,
    number,
)

NAMES = {"gap": "gap_correlations", "error_consistency": "error_correlations"}
MEANING = {
    "gap": "A negative r means that similar models have similar accuracy.",
    "error_consistency": "Error consistency is Cohen's kappa of being right on the same test "
    "images: agreement beyond that of independent models of these accuracies (Geirhos et al. "
    "2020). A positive r means that similar models err on the same images.",
}


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure for each thing that similarity is related to, if there are probes."""
    if inputs.probes.empty:
        return
    for against, name in NAMES.items():
        measures = inputs.measures(inputs.relations[inputs.relations["against"] == against])
        if measures:
            yield Entry(name, PERFORMANCE, None, Relations(inputs, measures, against))


def relation_rows(
    relations: pd.DataFrame, measure: str, against: str, method: str = "pearson"
) -> pd.DataFrame:
    """Return the rows of a measure, indexed by data set."""
    rows = relations.query("measure == @measure and against == @against and method == @method")
    return rows.set_index("dataset")


@dataclass(frozen=True)
class Relations(MeasuresFigure):
    """A row per data set, ordered by domain, a mark with its interval per measure."""

    against: str = "gap"

    def rows(self, measure: str) -> pd.DataFrame:
        """Return the rows of a measure, indexed by data set."""
        return relation_rows(self.inputs.relations, measure, self.against, self.method)

    def paint(self) -> Figure:
        """Draw the rows, the domains named at the right."""
        order = self.ordered(self.inputs.relations["dataset"])
        figure = self.canvas(0.25 * max(len(order), 4) + 1.35)
        axis = figure.subplots()
        axis.axvline(0, color=style.MUTED, linewidth=0.8)
        colours, markers = style.looks("measure", self.measures)
        for k, measure in enumerate(self.measures):
            part = self.rows(measure).reindex(order)
            y = np.arange(len(order)) + layout.apart(k, len(self.measures))
            axis.hlines(y, part["bca_low"], part["bca_high"], color=colours[measure], linewidth=1.0)
            axis.plot(part["r"], y, linestyle="", marker=markers[measure], color=colours[measure],
                      markersize=3.6)  # fmt: skip
        domains = [str(self.inputs.datasets.at[dataset, "domain"]) for dataset in order]
        for row, domain in enumerate(domains):
            if row == 0 or domain != domains[row - 1]:
                axis.text(1.01, row, clipped(domain, 24), transform=axis.get_yaxis_transform(),
                          fontsize=6.5, va="center", color=style.MUTED)  # fmt: skip
                if row:
                    axis.axhline(row - 0.5, color=style.GRID, linewidth=0.8)
        layout.name_dataset_rows(axis, order, self.names)
        axis.set_xlabel(f"{self.method_label} r of similarity and {AGAINST_LABELS[self.against]}")
        axis.grid(axis="x")
        axis.tick_params(axis="y", length=0)
        layout.measure_legend(figure, self.measures, colours, markers)
        return figure

    def describe(self) -> Description:
        """Say r of every data set with its interval, and the median by domain."""
        rows = self.rows(self.measures[0])
        rows = rows[np.isfinite(rows["r"].astype(float))]
        label, what = measure_label(self.measures[0]), AGAINST_LABELS[self.against]
        if rows.empty:
            return Description.only(f"Similarity and {what}: no r is available.")
        r = rows["r"].astype(float)
        domain_of = self.inputs.datasets.loc[r.index, "domain"].astype(str)
        domains = ", ".join(
            f"{domain} {number(value)}"
            for domain, value in r.groupby(domain_of).median().sort_index().items()
        )
        listed = ", ".join(
            f"{self.names[d]} {number(float(r[d]))}"
            f"{interval(float(rows['bca_low'][d]), float(rows['bca_high'][d]))}"
            for d in self.ordered(rows.index)
        )
        title = (
            f"{label} and {what}: median r = {number(float(r.median()))}, from "
            f"{number(float(r.min()))} to {number(float(r.max()))} over "
            f"{count(len(r), 'data set')}"
        )
        known = rows[np.isfinite(rows["bca_low"].astype(float))]
        apart = int(((known["bca_low"] > 0) | (known["bca_high"] < 0)).sum())
        caption = (
            f"{self.method_label} r over pairs of models of similarity and {what}, per data set"
        )
        if len(known):
            caption += (
                f" (lines: intervals by a bootstrap over models; they leave out 0 on {apart} of "
                f"{count(len(known), 'data set')})"
            )
        caption += f". {label}: {listed}. Median by domain: {domains}. {MEANING[self.against]}"
        left_out = int(rows["n_left_out"].sum())
        if left_out:
            caption += f" {count(left_out, 'pair')} without a defined value left out."
        return Description(title, caption, f"A dot plot, a row per data set. {caption}")
