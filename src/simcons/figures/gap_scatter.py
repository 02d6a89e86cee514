"""Gap in probe accuracy against similarity, a point per pair of models, a panel per data set."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.inputs import (
    CATEGORY_LABELS,
    Description,
    count,
    dataset_names,
    measure_label,
    number,
    ordered_datasets,
    pearson,
    r_is,
)


def correlations(gap: pd.DataFrame, measure: str) -> dict[str, float]:
    """Return Pearson's r between similarity and gap for every data set."""
    rows = gap[gap["measure"] == measure]
    return {
        str(dataset): pearson(part["similarity"].to_numpy(float), part["gap"].to_numpy(float))
        for dataset, part in rows.groupby("dataset", sort=True)
    }


@style.styled
def draw(
    gap: pd.DataFrame,
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    category: str = "objective",
) -> Figure:
    """Draw |accuracy gap| in percentage points against similarity, r in each panel's title."""
    rows = gap[gap["measure"] == measure]
    order = ordered_datasets(datasets, rows["dataset"])
    title = style.wrap_title(describe(gap, models, datasets, measure).title, style.FULL_WIDTH)
    n_columns = layout.columns_for(len(order))
    n_rows = -(-max(len(order), 1) // n_columns)
    side = min(style.FULL_WIDTH / n_columns, 2.4)
    figure = style.new_figure(style.FULL_WIDTH, n_rows * side * 0.95 + 1.15, title)
    if not order:
        layout.say_absent(figure.subplots(), "No probes: no gap in accuracy.")
        return figure
    axes = layout.panel_grid(figure, len(order), n_columns, share=True)
    names, r = dataset_names(datasets), correlations(gap, measure)
    colours = style.category_colours(category, models[category].astype(str))
    markers = style.category_markers(models[category].astype(str))
    raster = len(rows) > 3000
    for k, (axis, dataset) in enumerate(zip(axes, order, strict=True)):
        part = rows[rows["dataset"] == dataset]
        _points(axis, part, models[category].astype(str), colours, markers, raster)
        axis.set_title(
            f"{style.two_lines(names[dataset], int(side * 15))}\nr = {number(r[dataset])}",
            fontsize=7 if n_columns <= 4 else 6.5,
        )
        axis.grid()
        if k >= (n_rows - 1) * n_columns:
            axis.set_xlabel("similarity", fontsize=7)
    figure.supylabel("accuracy gap (percentage points)", fontsize=8)
    what = CATEGORY_LABELS.get(category, category)
    layout.category_legend(
        figure, {**colours, "two different ones": style.NEUTRAL}, f"{what} of both models"
    )
    return figure


def _points(
    axis: Axes,
    part: pd.DataFrame,
    values: pd.Series,
    colours: dict[str, str],
    markers: dict[str, str],
    raster: bool,
) -> None:
    first = values.loc[part["model_1"]].to_numpy()
    second = values.loc[part["model_2"]].to_numpy()
    x, y = part["similarity"].to_numpy(float), 100 * part["gap"].to_numpy(float)
    size = float(np.clip(1500 / max(len(part), 1), 2, 14))
    mixed = first != second
    axis.scatter(x[mixed], y[mixed], s=size, color=style.NEUTRAL, linewidths=0, rasterized=raster)
    for name in sorted(set(first[~mixed])):
        inside = ~mixed & (first == name)
        axis.scatter(x[inside], y[inside], s=size * 1.4, color=colours[name], linewidths=0,
                     marker=markers[name], alpha=0.85, rasterized=raster)  # fmt: skip


def describe(
    gap: pd.DataFrame, models: pd.DataFrame, datasets: pd.DataFrame, measure: str
) -> Description:
    """Say r per data set and its range."""
    label = measure_label(measure)
    r = {key: value for key, value in correlations(gap, measure).items() if np.isfinite(value)}
    if not r:
        text = f"{label}: no gap in accuracy to compare with similarity."
        return Description(text, text, text)
    names = dataset_names(datasets)
    order = sorted(r, key=lambda dataset: (r[dataset], dataset))
    median = float(np.median(list(r.values())))
    negative = sum(value < 0 for value in r.values())
    title = (
        f"{label} and the gap in accuracy: r is negative on {negative} of "
        f"{count(len(r), 'data set')}, median {r_is(median)}"
    )
    listed = ", ".join(f"{names[dataset]} {number(r[dataset])}" for dataset in order)
    caption = (
        f"Absolute difference in probe accuracy against {label}; a point is a pair of models. "
        f"Pearson r: {listed}; median {number(median)}."
    )
    return Description(title, caption, f"Scatter plots, one per data set. {caption}")
