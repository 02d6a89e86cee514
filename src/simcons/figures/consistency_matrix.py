"""Data set by data set matrices of r: on which data sets does similarity carry over?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.groups import EVERYTHING, Group, group_interval, group_label, select
from simcons.figures.inputs import (
    Description,
    count,
    dataset_names,
    measure_label,
    number,
    ordered_datasets,
    r_is,
)


def matrix_of(rows: pd.DataFrame, order: list[str]) -> np.ndarray:
    """Return r between data sets, (D, D), symmetric, NaN on the diagonal and where absent."""
    place = {dataset: k for k, dataset in enumerate(order)}
    values = np.full((len(order), len(order)), np.nan)
    for first, second, r in zip(rows["dataset_1"], rows["dataset_2"], rows["r"], strict=True):
        if first != second:
            values[place[first], place[second]] = values[place[second], place[first]] = r
    return values


@style.styled
def draw(
    consistency: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    method: str = "pearson",
    group: Group = EVERYTHING,
    intervals: pd.DataFrame | None = None,
) -> Figure:
    """Draw r between every two data sets, ordered by domain, values written in the cells."""
    rows = select(consistency, measure, method, group)
    order = ordered_datasets(datasets, [*rows["dataset_1"], *rows["dataset_2"]])
    values = matrix_of(rows, order)
    names = dataset_names(datasets)
    title = describe(consistency, datasets, measure, method, group, intervals).title
    n = max(len(order), 1)
    cell = min(4.9 / n, 0.45)
    width = min(style.FULL_WIDTH, 3.4 + 1.15 * n * cell)
    figure = style.new_figure(width, n * cell + 2.1, style.wrap_title(title, width))
    axis = figure.subplots()
    if not len(order):
        layout.say_absent(axis, "No consistency for these models.")
        return figure
    finite = values[np.isfinite(values)]
    low = min(0.0, float(np.floor(finite.min() * 10) / 10)) if len(finite) else 0.0
    image = layout.matrix_image(
        axis, values, cmap=style.SEQUENTIAL, vmin=low, vmax=1.0, aspect="auto"
    )
    texts = [[_cell_text(v) for v in row] for row in values]
    layout.annotate_cells(axis, values, texts, image, min(7.0, 72 * cell / 2.6))
    _domains(figure, axis, order, datasets)
    size = min(7.0, 72 * cell * 0.8)
    labels = [style.clipped(names[dataset], 28) for dataset in order]
    axis.set_yticks(np.arange(n) + 0.5, labels, fontsize=size)
    axis.set_xticks(np.arange(n) + 0.5, labels, fontsize=size, rotation=45, ha="right",
                    rotation_mode="anchor")  # fmt: skip
    axis.tick_params(length=0, pad=2)
    figure.colorbar(image, ax=axis, label=f"{method.capitalize()} r", aspect=30, pad=0.02)
    return figure


def _cell_text(value: float) -> str:
    """Return two decimals without the leading zero, as there is little room."""
    return number(value).replace("0.", ".") if np.isfinite(value) else ""


def _domains(figure: Figure, axis: Axes, order: list[str], datasets: pd.DataFrame) -> None:
    """Mark the domains: white lines between them and a colour strip with a legend."""
    domains = [str(datasets.at[dataset, "domain"]) for dataset in order]
    colours = style.category_colours("domain", datasets["domain"].astype(str))
    n = len(order)
    layout.category_strip(axis, domains, colours, width=0.03 * n, gap=0.01 * n)
    axis.set_xlim(-0.04 * n, n)
    for k in range(1, n):
        if domains[k] != domains[k - 1]:
            axis.axhline(k, color="white", linewidth=1.6)
            axis.axvline(k, color="white", linewidth=1.6)
    used = {name: colours[name] for name in dict.fromkeys(domains)}
    layout.category_legend(figure, used, "domain", n_columns=4)


def describe(
    consistency: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    method: str = "pearson",
    group: Group = EVERYTHING,
    intervals: pd.DataFrame | None = None,
) -> Description:
    """Say the median r, the quartiles and the data set pairs at both ends."""
    rows = select(consistency, measure, method, group)
    rows = rows[np.isfinite(rows["r"].astype(float))]
    label, who = measure_label(measure), group_label(group)
    if rows.empty:
        text = f"{label}, {who}: no r between data sets is available."
        return Description(text, text, text)
    names = dataset_names(datasets)
    r = rows["r"].to_numpy(float)
    q1, median, q3 = np.quantile(r, [0.25, 0.5, 0.75])
    ends = []
    for k in (int(r.argmin()), int(r.argmax())):
        row = rows.iloc[k]
        ends.append(f"{names[row.dataset_1]} and {names[row.dataset_2]} ({number(r[k])})")
    title = f"{label}, {who}: similarities on two data sets correlate with median {r_is(median)}"
    n_pairs = int(rows["n_pairs"].max())
    limits = group_interval(intervals, measure, method, group)
    caption = (
        f"{method.capitalize()} correlation of {label} on two data sets over "
        f"{count(n_pairs, 'pair')} of models ({who}), data sets ordered by domain. Median over "
        f"{count(len(r), 'data set pair')}: {number(median)}{limits} (quartiles {number(q1)} and "
        f"{number(q3)}). Lowest: {ends[0]}; highest: {ends[1]}."
    )
    return Description(title, caption, f"A heatmap of data sets by data sets. {caption}")
