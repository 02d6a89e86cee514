"""How precisely similarities are measured: standard errors and split-half reliability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simcons.figures import layout, style
from simcons.figures.base import PRECISION, Entry, StudyFigure
from simcons.figures.schema import ByDataset, FigureInputs
from simcons.figures.selection import pair_index
from simcons.figures.words import Description, count, measure_label, number


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield the figure."""
    if inputs.similarities:
        yield Entry("reliability", PRECISION, None, Precision(inputs))


def precision_table(similarities: Mapping[str, ByDataset]) -> pd.DataFrame:
    """Return a row per measure and data set: quartiles of the standard error, reliability.

    Columns measure, dataset, se_q1, se_median, se_q3, reliability; NaN where there is no estimate.
    """
    rows = []
    for measure, by_dataset in similarities.items():
        for dataset, matrix in by_dataset.items():
            errors = _quartiles(matrix.standard_error, len(matrix.models))
            _, reliable, _ = _quartiles(matrix.reliability, len(matrix.models))
            rows.append((measure, dataset, *errors, reliable))
    columns = ["measure", "dataset", "se_q1", "se_median", "se_q3", "reliability"]
    return pd.DataFrame(rows, columns=columns)


def _quartiles(values: float | np.ndarray | None, m: int) -> tuple[float, float, float]:
    """Return quartiles over pairs of an (m, m) matrix; of a number, that number."""
    array = np.asarray(np.nan if values is None else values, dtype=float)
    array = array[pair_index(m)] if array.shape == (m, m) else array.ravel()
    array = array[np.isfinite(array)]
    if not len(array):
        return float("nan"), float("nan"), float("nan")
    q1, median, q3 = np.quantile(array, [0.25, 0.5, 0.75])
    return float(q1), float(median), float(q3)


@dataclass(frozen=True)
class Precision(StudyFigure):
    """The median standard error (bar: quartiles over pairs) and the reliability."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """What `precision_table` returns."""
        return precision_table(self.inputs.similarities)

    def paint(self) -> Figure:
        """Draw two panels with a row per data set."""
        order = self.ordered(self.table["dataset"])
        figure = self.canvas(0.24 * max(len(order), 3) + 1.35)
        left, right = figure.subplots(1, 2, sharey=True)
        measures = list(self.inputs.similarities)
        colours, markers = style.looks("measure", measures)
        for k, measure in enumerate(measures):
            rows = self.table[self.table["measure"] == measure]
            part = rows.set_index("dataset").reindex(order)
            y = np.arange(len(order)) + layout.apart(k, len(measures))
            look: dict[str, Any] = {"color": colours[measure], "marker": markers[measure],
                                    "linestyle": "", "markersize": 3.5}  # fmt: skip
            left.hlines(y, part["se_q1"], part["se_q3"], color=colours[measure], linewidth=1.0)
            left.plot(part["se_median"], y, **look)
            right.plot(part["reliability"], y, **look)
        layout.name_dataset_rows(left, order, self.names)
        errors, reliability = self.table["se_median"], self.table["reliability"]
        if _has_values(left, errors, "standard error of a similarity", "no standard errors"):
            left.set_xlim(left=0)
        if _has_values(right, reliability, "split-half reliability", "no reliability"):
            missing = max(1 - float(reliability.min()), 0.005)
            right.set_xlim(1 - 1.4 * missing, 1 + 0.1 * missing)
        layout.measure_legend(figure, measures, colours, markers)
        return figure

    def describe(self) -> Description:
        """Say the typical standard error, and the lowest reliability by name."""
        parts = []
        for measure, part in self.table.groupby("measure", sort=False):
            se, low = float(part["se_median"].median()), float(part["reliability"].min())
            words = f"median standard error {number(se, 3)}"
            words = words if np.isfinite(se) else "no standard error"
            if np.isfinite(low):
                lowest = part.sort_values("reliability", kind="stable").iloc[0]
                where = self.names[str(lowest["dataset"])]
                words += f", reliability lowest on {where} ({number(low, 3)})"
            else:
                words += ", no reliability"
            parts.append(f"{measure_label(str(measure))}: {words}")
        finite = self.table["se_median"].dropna()
        title = "How precisely similarity is measured: " + (
            f"median standard error {number(float(finite.median()), 3)}"
            if len(finite)
            else "no standard errors are available"
        )
        caption = (
            f"Standard error over images of a similarity (point: median over pairs of models, bar: "
            f"quartiles) and split-half reliability, for "
            f"{count(self.table['dataset'].nunique(), 'data set')}. {'; '.join(parts)}."
        )
        return Description(title, caption, f"Dot plots, a row per data set. {caption}")


def _has_values(axis: Axes, values: pd.Series, label: str, absent: str) -> bool:
    """Dress a panel, and return whether it shows anything; if not, it says so."""
    axis.set_xlabel(label)
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0)
    if np.isfinite(values.to_numpy(float)).any():
        axis.xaxis.set_major_locator(MaxNLocator(5))
        return True
    axis.text(0.5, 0.5, absent, transform=axis.transAxes, ha="center", color=style.MUTED)
    axis.set_xticks([])
    return False
