"""r of similarity and accuracy gap per data set, by domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.gap_scatter import correlations
from simcons.figures.inputs import (
    Description,
    dataset_names,
    measure_label,
    number,
    ordered_datasets,
)


@style.styled
def draw(gap: pd.DataFrame, datasets: pd.DataFrame, measures: Sequence[str]) -> Figure:
    """Draw a row per data set, ordered by domain, a mark per measure."""
    order = ordered_datasets(datasets, gap["dataset"])
    names = dataset_names(datasets)
    title = style.wrap_title(describe(gap, datasets, measures).title, style.FULL_WIDTH)
    figure = style.new_figure(style.FULL_WIDTH, 0.2 * max(len(order), 4) + 1.35, title)
    axis = figure.subplots()
    axis.axvline(0, color=style.MUTED, linewidth=0.8)
    colours, markers = style.category_colours("measure", measures), style.category_markers(measures)
    for measure in measures:
        r = correlations(gap, measure)
        axis.plot([r.get(d, np.nan) for d in order], range(len(order)), linestyle="",
                  marker=markers[measure], color=colours[measure])  # fmt: skip
    axis.set_yticks(range(len(order)), [style.clipped(names[d], 30) for d in order])
    domains = [str(datasets.at[dataset, "domain"]) for dataset in order]
    for y, domain in enumerate(domains):
        if y == 0 or domain != domains[y - 1]:
            axis.text(1.01, y, style.clipped(domain, 24), transform=axis.get_yaxis_transform(),
                      fontsize=6.5, va="center", color=style.MUTED)  # fmt: skip
            if y:
                axis.axhline(y - 0.5, color=style.GRID, linewidth=0.8)
    axis.set_ylim(len(order) - 0.4, -0.6)
    axis.set_xlabel("Pearson r of similarity and accuracy gap")
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    handles = [layout.marker_handle(measure_label(m), colours[m], markers[m]) for m in measures]
    figure.legend(handles=handles, loc="outside lower left", ncols=min(len(handles), 4))
    return figure


def describe(gap: pd.DataFrame, datasets: pd.DataFrame, measures: Sequence[str]) -> Description:
    """Say the median r by domain under the first measure."""
    r = pd.Series(correlations(gap, measures[0]), dtype=float).dropna()
    if r.empty:
        text = "Similarity and accuracy gap: no r is available."
        return Description(text, text, text)
    by_domain = r.groupby(datasets.loc[r.index, "domain"].astype(str)).median().sort_index()
    listed = ", ".join(f"{domain} {number(value)}" for domain, value in by_domain.items())
    title = (
        f"{measure_label(measures[0])}: similarity and gap in accuracy correlate with r = "
        f"{number(float(r.min()))} to {number(float(r.max()))}"
    )
    caption = (
        f"Pearson r over pairs of models of similarity and absolute difference in accuracy, per "
        f"data set. Median by domain ({measure_label(measures[0])}): {listed}. A negative r means "
        f"that similar models have similar accuracy."
    )
    return Description(title, caption, f"A dot plot, a row per data set. {caption}")
