"""Ceilings: how high r could be, given the noise of the similarities, beside how high it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import CONSISTENCY, Entry, StudyFigure, chunks
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import EVERYTHING, group_order, select
from simcons.figures.words import (
    Description,
    Group,
    count,
    counted,
    group_label,
    measure_label,
    number,
    short,
)

_CEILING: dict[str, Any] = {"marker": "|", "markersize": 7, "markeredgewidth": 1.4}


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure for every three measures that have a ceiling for some data set pair."""
    table = inputs.table("corrected")
    for suffix, some in chunks(inputs.measures(table[table["ceiling"].notna()])):
        figure = Ceilings(table, inputs.models, some, inputs.method)
        yield Entry(f"ceilings{suffix}", CONSISTENCY, None, figure)


def ceiling_table(
    corrected: pd.DataFrame, measure: str, method: str = "pearson", category: str = "objective"
) -> pd.DataFrame:
    """Return a row per group: all models, and the pairs within each value of a category.

    Columns ``group`` (a `Group`); the quartiles over data set pairs ``r_q1, r, r_q3``; lowest,
    median and highest ceiling ``low, ceiling, high``; ``r_corrected`` (median) of ``n_corrected``
    data set pairs; ``n`` data set pairs with a ceiling, on which all of this is computed; ``why``,
    the reasons for which others have none or are not corrected, counted.
    """
    rows = []
    for group in group_order(corrected[corrected["measure"] == measure], category):
        part = select(corrected, measure, method, group)
        known = part[part["ceiling"].notna() & part["r"].notna()]
        r_q1, r, r_q3 = known["r"].quantile([0.25, 0.5, 0.75])
        rows.append(
            {
                "group": group,
                **{"r_q1": r_q1, "r": r, "r_q3": r_q3},
                "low": known["ceiling"].min(),
                "ceiling": known["ceiling"].median(),
                "high": known["ceiling"].max(),
                "r_corrected": known["r_corrected"].median(),
                "n_corrected": int(known["r_corrected"].notna().sum()),
                "n": len(known),
                "why": counted(part["reason"]),
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Ceilings(StudyFigure):
    """r (point, quartiles) and its ceiling (bar, range), a row per group, a panel per measure.

    Hollow: r corrected for the noise, median.
    """

    corrected: pd.DataFrame
    models: pd.DataFrame
    measures: Sequence[str]
    method: str = "pearson"

    @cached_property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of `ceiling_table` of each measure."""
        return {
            measure: [
                {str(key): value for key, value in row.items()}
                for row in ceiling_table(self.corrected, measure, self.method).to_dict("records")
            ]
            for measure in self.measures
        }

    def paint(self) -> Figure:
        """Draw the panels on one scale."""
        groups: list[Group] = list(
            dict.fromkeys(row["group"] for rows in self.tables.values() for row in rows)
        )
        figure = self.canvas(0.25 * max(len(groups), 2) + 1.25)
        axes = layout.measure_panels(figure, self.measures)
        colours = style.category_colours("objective", self.models["objective"])
        for axis, (measure, rows) in zip(axes, self.tables.items(), strict=True):
            for row in rows:
                group = row["group"]
                colour = style.INK if group == EVERYTHING else colours[group[1]]
                _row(axis, row, groups.index(group), colour)
            layout.row_axis(axis, measure_label(measure))
        layout.name_rows(axes[0], [short(group_label(group), 26) for group in groups])
        layout.limits_of_r(axes)
        axes[len(axes) // 2].set_xlabel(f"{self.method.capitalize()} r over data set pairs")
        handles = [
            layout.marker_handle("r: median, quartiles", style.INK, "o"),
            layout.marker_handle("r corrected for noise: median", style.INK, "o", hollow=True),
            layout.marker_handle("ceiling: median, range", style.INK, "|"),
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=3)
        return figure

    def describe(self) -> Description:
        """Say r, ceiling and corrected r of every group."""
        parts = []
        for measure, rows in self.tables.items():
            words = []
            for row in rows:
                name, why = group_label(row["group"]), row["why"]
                if not row["n"]:
                    words.append(f"{name} no ceiling ({why})")
                    continue
                words.append(
                    f"{name} r {number(row['r'])}, ceiling {number(row['ceiling'], 3)} (lowest "
                    f"{number(row['low'], 3)}), corrected {number(row['r_corrected'])} on "
                    f"{row['n_corrected']} of {count(row['n'], 'data set pair')}"
                    + (f" ({why})" if why else "")
                )
            parts.append(f"{measure_label(measure)}: {'; '.join(words)}")
        first = self.tables[self.measures[0]][0]
        title = f"Ceilings of r ({measure_label(self.measures[0])}): " + (
            f"median r {number(first['r'])} over {group_label(first['group'])}, where noise alone "
            f"would allow {number(first['ceiling'], 3)}"
            if np.isfinite(first["ceiling"])
            else "none could be estimated"
        )
        caption = (
            f"{self.method.capitalize()} r of similarities on two data sets, and the highest r "
            f"that the noise of the similarities allows: the root of the product of their "
            f"reliabilities on exactly these pairs of models (split halves of the images, classes "
            f"held fixed, stepped up by Spearman and Brown's formula). Noise of the choice of "
            f"models or data sets is not in it, and a corrected r (r over its ceiling) is an "
            f"estimate that may exceed 1. There is none for biased measures nor between data sets "
            f"that share images. {'. '.join(parts)}."
        )
        return Description(title, caption, f"Points with lines, a row per group. {caption}")


def _row(axis: Axes, row: dict[str, Any], y: int, colour: str) -> None:
    if not row["n"]:
        return
    axis.hlines(y - 0.1, row["r_q1"], row["r_q3"], color=colour, linewidth=1.0)
    look: dict[str, Any] = {"marker": "o", "markersize": 3.6, "color": colour,
                            "markeredgewidth": 0.9}  # fmt: skip
    axis.plot([row["r_corrected"]], [y + 0.18], **look, markerfacecolor="white")
    axis.plot([row["r"]], [y - 0.1], **look)
    axis.hlines(y, row["low"], row["high"], color=style.INK, linewidth=1.0)
    axis.plot([row["ceiling"]], [y], color=style.INK, **_CEILING)
