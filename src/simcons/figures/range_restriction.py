"""Range restriction: r of a group beside its spread, and what a narrow range does not deflate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import GROUPS, Entry, StudyFigure
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import EVERYTHING, group_order, select
from simcons.figures.words import Description, group_label, measure_label, number, short


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure per measure."""
    spread, companions = inputs.table("spread"), inputs.table("companions")
    for measure in inputs.measures(spread):
        figure = RangeRestriction(spread, companions, inputs.models, measure, inputs.method)
        yield Entry(f"range_{measure}", GROUPS, measure, figure)


def group_table(
    spread: pd.DataFrame, companions: pd.DataFrame, measure: str, category: str = "objective"
) -> list[dict[str, Any]]:
    """Return a row per group: all models, and the pairs within each value of a category.

    Keys ``group`` (a `Group`); ``minimum, q1, median, q3, maximum, sd`` of the similarities
    (means over data sets); and of every companion the quartiles over data set pairs, such as
    ``concordance_q1, concordance_median, concordance_q3``. ``thorndike`` is the mean of both
    directions, ``rmse`` too.
    """
    rows = []
    for group in group_order(spread[spread["measure"] == measure], category):
        part = select(spread, measure, None, group)
        means = part[["minimum", "q1", "median", "q3", "maximum", "sd"]].mean()
        row: dict[str, Any] = {"group": group}
        row |= {str(name): float(value) for name, value in means.items()}
        companion = select(companions, measure, None, group)
        values = {
            "r": companion["r"],
            "thorndike": (companion["thorndike_1"] + companion["thorndike_2"]) / 2,
            "concordance": companion["concordance"],
            "rmse": (companion["rmse_2_given_1"] + companion["rmse_1_given_2"]) / 2,
        }
        for name, column in values.items():
            low, middle, high = column.quantile([0.25, 0.5, 0.75])
            row |= {f"{name}_q1": low, f"{name}_median": middle, f"{name}_q3": high}
        rows.append(row)
    return rows


@dataclass(frozen=True)
class RangeRestriction(StudyFigure):
    """The spread of each group's similarities (left), r and its companions beside it.

    This r is always Pearson's: its companions are made for it.
    """

    spread: pd.DataFrame
    companions: pd.DataFrame
    models: pd.DataFrame
    measure: str
    method: str = "pearson"

    @cached_property
    def table(self) -> list[dict[str, Any]]:
        """The rows of `group_table`."""
        return group_table(self.spread, self.companions, self.measure)

    @property
    def r_label(self) -> str:
        """What r is called, so that nobody takes it for the study's other correlation."""
        return "r" if self.method == "pearson" else "Pearson r"

    def paint(self) -> Figure:
        """Draw four panels that share their rows."""
        figure = self.canvas(0.25 * max(len(self.table), 3) + 1.05)
        axes = figure.subplots(1, 4, sharey=True, width_ratios=[1.25, 1.25, 1, 1])
        colours = style.category_colours("objective", self.models["objective"])
        for y, row in enumerate(self.table):
            colour = style.INK if row["group"] == EVERYTHING else colours[row["group"][1]]
            _spread(axes[0], row, y, colour)
            _quartiles(axes[1], row, "r", y - 0.12, colour)
            _quartiles(axes[1], row, "thorndike", y + 0.2, colour, hollow=True)
            _quartiles(axes[2], row, "concordance", y, colour)
            _quartiles(axes[3], row, "rmse", y, colour)
        labels = ("similarities", f"{self.r_label} (hollow: range corrected)", "concordance",
                  "error of prediction")  # fmt: skip
        for axis, label in zip(axes, labels, strict=True):
            axis.set_xlabel(label, fontsize=7)
            layout.row_axis(axis)
        axes[3].set_xlim(left=0)
        names = [short(group_label(row["group"]), 26) for row in self.table]
        layout.name_rows(axes[0], names, least=3)
        return figure

    def describe(self) -> Description:
        """Say r, spread and the companions of every group."""
        label = measure_label(self.measure)
        if not self.table:
            return Description.only(f"{label}: no group has three pairs of models.")
        inside = [row for row in self.table if row["group"] != EVERYTHING]
        title = f"{label}: {self.r_label} of a group beside the spread of its similarities"
        if len(inside) > 1:
            narrow, *_, wide = sorted(inside, key=lambda row: (np.isnan(row["sd"]), row["sd"]))
            title += (
                f", SD from {number(narrow['sd'])} ({narrow['group'][1]}) to {number(wide['sd'])} "
                f"({wide['group'][1]})"
            )
        parts = [
            f"{group_label(row['group'])}: SD {number(row['sd'])}, r {number(row['r_median'])} "
            f"({number(row['thorndike_median'])}), concordance "
            f"{number(row['concordance_median'])}, error {number(row['rmse_median'], 3)}"
            for row in self.table
        ]
        caption = (
            f"A narrow range of similarities alone lowers {self.r_label}. Left: {label} of the "
            f"pairs of models within a group (median, quartiles, range; means over data sets). "
            f"Then, over data set pairs (point: median, line: quartiles): r, and in brackets and "
            f"hollow r corrected to the spread of all models (Thorndike's case 2, a sensitivity "
            f"check that assumes selection on similarity); Lin's concordance, which differences in "
            f"level lower too; and the root mean square error of predicting one data set from the "
            f"other, in units of similarity, which a narrow range does not deflate. "
            f"{'; '.join(parts)}."
        )
        return Description(title, caption, f"Points with lines, a row per group. {caption}")


def _spread(axis: Axes, row: Mapping[str, Any], y: float, colour: str) -> None:
    axis.hlines(y, row["minimum"], row["maximum"], color=colour, linewidth=0.8)
    axis.hlines(y, row["q1"], row["q3"], color=colour, linewidth=3.2)
    axis.plot([row["median"]], [y], marker="|", color="white", markersize=5, markeredgewidth=1.2)


def _quartiles(
    axis: Axes, row: Mapping[str, Any], name: str, y: float, colour: str, *, hollow: bool = False
) -> None:
    low, middle, high = (row[f"{name}_{part}"] for part in ("q1", "median", "q3"))
    if not np.isfinite(middle):
        return
    axis.hlines(y, low, high, color=colour, linewidth=1.0)
    axis.plot([middle], [y], marker="o", markersize=3.6, color=colour,
              markerfacecolor="white" if hollow else colour, markeredgewidth=0.9)  # fmt: skip
