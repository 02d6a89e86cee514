"""r per data set of similarity with the gap in accuracy, or with error consistency, by domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.inputs import (
    Description,
    count,
    dataset_names,
    interval,
    measure_label,
    number,
    ordered_datasets,
)

LABELS = {"gap": "gap in accuracy", "error_consistency": "error consistency"}
MEANING = {
    "gap": "A negative r means that similar models have similar accuracy.",
    "error_consistency": "Error consistency is Cohen's kappa of being right on the same test "
    "images: agreement beyond that of independent models of these accuracies (Geirhos et al. "
    "2020). A positive r means that similar models err on the same images.",
}


def relation_rows(
    relations: pd.DataFrame, measure: str, against: str, method: str = "pearson"
) -> pd.DataFrame:
    """Return the rows of a measure, indexed by data set."""
    rows = relations[
        (relations["measure"] == measure)
        & (relations["against"] == against)
        & (relations["method"] == method)
    ]
    return rows.set_index("dataset")


@style.styled
def draw(
    relations: pd.DataFrame,
    datasets: pd.DataFrame,
    measures: Sequence[str],
    against: str = "gap",
    method: str = "pearson",
) -> Figure:
    """Draw a row per data set, ordered by domain, a mark with its interval per measure."""
    order = ordered_datasets(datasets, relations["dataset"])
    names = dataset_names(datasets)
    title = describe(relations, datasets, measures, against, method).title
    figure = style.new_figure(
        style.FULL_WIDTH, 0.25 * max(len(order), 4) + 1.35,
        style.wrap_title(title, style.FULL_WIDTH),
    )  # fmt: skip
    axis = figure.subplots()
    axis.axvline(0, color=style.MUTED, linewidth=0.8)
    colours, markers = style.category_colours("measure", measures), style.category_markers(measures)
    for k, measure in enumerate(measures):
        part = relation_rows(relations, measure, against, method).reindex(order)
        y = np.arange(len(order)) + layout.apart(k, len(measures))
        axis.hlines(y, part["bca_low"], part["bca_high"], color=colours[measure], linewidth=1.0)
        axis.plot(part["r"], y, linestyle="", marker=markers[measure], color=colours[measure],
                  markersize=3.6)  # fmt: skip
    axis.set_yticks(range(len(order)), [style.clipped(names[d], 30) for d in order])
    domains = [str(datasets.at[dataset, "domain"]) for dataset in order]
    for row, domain in enumerate(domains):
        if row == 0 or domain != domains[row - 1]:
            axis.text(1.01, row, style.clipped(domain, 24), transform=axis.get_yaxis_transform(),
                      fontsize=6.5, va="center", color=style.MUTED)  # fmt: skip
            if row:
                axis.axhline(row - 0.5, color=style.GRID, linewidth=0.8)
    axis.set_ylim(len(order) - 0.4, -0.6)
    axis.set_xlabel(f"{method.capitalize()} r of similarity and {LABELS[against]}")
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    layout.measure_legend(figure, measures, colours, markers)
    return figure


def describe(
    relations: pd.DataFrame,
    datasets: pd.DataFrame,
    measures: Sequence[str],
    against: str = "gap",
    method: str = "pearson",
) -> Description:
    """Say r of every data set with its interval, and the median by domain."""
    rows = relation_rows(relations, measures[0], against, method)
    rows = rows[np.isfinite(rows["r"].astype(float))]
    label, what = measure_label(measures[0]), LABELS[against]
    if rows.empty:
        text = f"Similarity and {what}: no r is available."
        return Description(text, text, text)
    r = rows["r"].astype(float)
    names = dataset_names(datasets)
    by_domain = r.groupby(datasets.loc[r.index, "domain"].astype(str)).median().sort_index()
    domains = ", ".join(f"{domain} {number(value)}" for domain, value in by_domain.items())
    listed = ", ".join(
        f"{names[d]} {number(float(rows['r'][d]))}"
        f"{interval(float(rows['bca_low'][d]), float(rows['bca_high'][d]))}"
        for d in ordered_datasets(datasets, rows.index)
    )
    title = (
        f"{label} and {what}: median r = {number(float(r.median()))}, from {number(float(r.min()))}"
        f" to {number(float(r.max()))} over {count(len(r), 'data set')}"
    )
    known = rows[np.isfinite(rows["bca_low"].astype(float))]
    apart = int(((known["bca_low"] > 0) | (known["bca_high"] < 0)).sum())
    caption = f"{method.capitalize()} r over pairs of models of similarity and {what}, per data set"
    if len(known):
        caption += (
            f" (lines: intervals by a bootstrap over models; they leave out 0 on {apart} of "
            f"{count(len(known), 'data set')})"
        )
    caption += f". {label}: {listed}. Median by domain: {domains}. {MEANING[against]}"
    left_out = int(rows["n_left_out"].sum())
    if left_out:
        caption += f" {count(left_out, 'pair')} without a defined value left out."
    return Description(title, caption, f"A dot plot, a row per data set. {caption}")
