"""How precisely similarities are measured: standard errors and split-half reliability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simcons.figures import layout, style
from simcons.figures.inputs import (
    Description,
    Similarities,
    count,
    dataset_names,
    measure_label,
    number,
    ordered_datasets,
    pair_index,
)

ByMeasure = Mapping[str, Mapping[str, Similarities]]


def precision_table(similarities: ByMeasure) -> pd.DataFrame:
    """Return a row per measure and data set: quartiles of the standard error, reliability.

    Columns measure, dataset, se_q1, se_median, se_q3, reliability; NaN where there is no estimate.
    """
    rows = []
    for measure, by_dataset in similarities.items():
        for dataset, matrix in by_dataset.items():
            q1, median, q3 = _quartiles(matrix.standard_error, len(matrix.models))
            _, reliable, _ = _quartiles(matrix.reliability, len(matrix.models))
            rows.append((measure, dataset, q1, median, q3, reliable))
    columns = ["measure", "dataset", "se_q1", "se_median", "se_q3", "reliability"]
    return pd.DataFrame(rows, columns=columns)


def _quartiles(values: float | np.ndarray | None, m: int) -> tuple[float, float, float]:
    """Return quartiles over pairs of an (m, m) matrix; of a number, that number."""
    nan = float("nan")
    if values is None:
        return nan, nan, nan
    array = np.asarray(values, dtype=float)
    array = array[pair_index(m)] if array.shape == (m, m) else array.ravel()
    array = array[np.isfinite(array)]
    if not len(array):
        return nan, nan, nan
    q1, median, q3 = np.quantile(array, [0.25, 0.5, 0.75])
    return float(q1), float(median), float(q3)


@style.styled
def draw(similarities: ByMeasure, datasets: pd.DataFrame) -> Figure:
    """Draw the median standard error (bar: quartiles over pairs) and the reliability."""
    table = precision_table(similarities)
    order = ordered_datasets(datasets, table["dataset"])
    title = style.wrap_title(describe(similarities, datasets).title, style.FULL_WIDTH)
    figure = style.new_figure(style.FULL_WIDTH, 0.24 * max(len(order), 3) + 1.35, title)
    left, right = figure.subplots(1, 2, sharey=True)
    measures = list(similarities)
    colours = style.category_colours("measure", measures)
    markers = style.category_markers(measures)
    for k, measure in enumerate(measures):
        part = table[table["measure"] == measure].set_index("dataset").reindex(order)
        y = np.arange(len(order)) + layout.apart(k, len(measures))
        look = {"color": colours[measure], "marker": markers[measure], "linestyle": "",
                "markersize": 3.5}  # fmt: skip
        left.hlines(y, part["se_q1"], part["se_q3"], color=colours[measure], linewidth=1.0)
        left.plot(part["se_median"], y, **look)
        right.plot(part["reliability"], y, **look)
    names = dataset_names(datasets)
    left.set_yticks(range(len(order)), [style.clipped(names[d], 30) for d in order])
    left.set_ylim(len(order) - 0.4, -0.6)
    _finish(left, table["se_median"], "standard error of a similarity", "no standard errors")
    _finish(right, table["reliability"], "split-half reliability", "no reliability")
    layout.measure_legend(figure, measures, colours, markers)
    return figure


def _finish(axis: Axes, values: pd.Series, label: str, absent: str) -> None:
    axis.set_xlabel(label)
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    if not np.isfinite(values.to_numpy(float)).any():
        axis.text(0.5, 0.5, absent, transform=axis.transAxes, ha="center", color=style.MUTED)
        axis.set_xticks([])
        return
    axis.xaxis.set_major_locator(MaxNLocator(5))
    if label.startswith("standard"):
        axis.set_xlim(left=0)
    else:
        missing = max(1 - float(values.min()), 0.005)
        axis.set_xlim(1 - 1.4 * missing, 1 + 0.1 * missing)


def describe(similarities: ByMeasure, datasets: pd.DataFrame) -> Description:
    """Say the typical standard error, and the lowest reliability by name."""
    table = precision_table(similarities)
    names = dataset_names(datasets)
    parts = []
    for measure, part in table.groupby("measure", sort=False):
        se, low = float(part["se_median"].median()), float(part["reliability"].min())
        words = f"median standard error {number(se, 3)}" if np.isfinite(se) else "no standard error"
        if np.isfinite(low):
            lowest = part.sort_values("reliability", kind="stable").iloc[0]
            where = names[str(lowest["dataset"])]
            words += f", reliability lowest on {where} ({number(low, 3)})"
        else:
            words += ", no reliability"
        parts.append(f"{measure_label(str(measure))}: {words}")
    finite = table["se_median"].dropna()
    title = "How precisely similarity is measured: " + (
        f"median standard error {number(float(finite.median()), 3)}"
        if len(finite)
        else "no standard errors are available"
    )
    caption = (
        f"Standard error over images of a similarity (point: median over pairs of models, bar: "
        f"quartiles) and split-half reliability, for "
        f"{count(table['dataset'].nunique(), 'data set')}. {'; '.join(parts)}."
    )
    return Description(title, caption, f"Dot plots, a row per data set. {caption}")
