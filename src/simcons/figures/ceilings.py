"""Ceilings: how high r could be, given the noise of the similarities, beside how high it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.groups import EVERYTHING, Group, counted, group_label, group_order, select
from simcons.figures.inputs import Description, count, measure_label, number

_CEILING: dict[str, Any] = {"marker": "|", "markersize": 7, "markeredgewidth": 1.4}


def measures_with_ceilings(corrected: pd.DataFrame) -> list[str]:
    """Return the measures that have a ceiling for some data set pair, sorted."""
    return sorted(set(corrected.loc[corrected["ceiling"].notna(), "measure"].astype(str)))


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


@style.styled
def draw(
    corrected: pd.DataFrame, models: pd.DataFrame, measures: Sequence[str], method: str = "pearson"
) -> Figure:
    """Draw r (point, quartiles) and its ceiling (bar, range), a row per group, a panel a measure.

    Hollow: r corrected for the noise, median.
    """
    tables = {measure: ceiling_table(corrected, measure, method) for measure in measures}
    groups: list[Group] = list(dict.fromkeys(g for t in tables.values() for g in t["group"]))
    title = describe(corrected, models, measures, method).title
    height = 0.25 * max(len(groups), 2) + 1.25
    figure = style.new_figure(style.FULL_WIDTH, height, style.wrap_title(title, style.FULL_WIDTH))
    axes = figure.subplots(1, len(measures), squeeze=False, sharex=True, sharey=True)[0]
    colours = style.category_colours("objective", models["objective"].astype(str))
    for axis, (measure, table) in zip(axes, tables.items(), strict=True):
        for row in table.to_dict("records"):
            group = row["group"]
            colour = style.INK if group == EVERYTHING else colours[group[1]]
            _row(axis, {str(k): v for k, v in row.items()}, groups.index(group), colour)
        layout.row_axis(axis, measure_label(measure))
    axes[0].set_yticks(range(len(groups)), [style.short(group_label(g), 26) for g in groups])
    axes[0].set_ylim(len(groups) - 0.4, -0.6)
    layout.limits_of_r(axes)
    axes[len(axes) // 2].set_xlabel(f"{method.capitalize()} r over data set pairs")
    handles = [
        layout.marker_handle("r: median, quartiles", style.INK, "o"),
        layout.marker_handle("r corrected for noise: median", style.INK, "o", hollow=True),
        layout.marker_handle("ceiling: median, range", style.INK, "|"),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=3)
    return figure


def _row(axis: Axes, row: dict[str, Any], y: int, colour: str) -> None:
    if not row["n"]:
        return
    axis.hlines(y - 0.1, row["r_q1"], row["r_q3"], color=colour, linewidth=1.0)
    look: dict[str, Any] = {
        "marker": "o",
        "markersize": 3.6,
        "color": colour,
        "markeredgewidth": 0.9,
    }
    axis.plot([row["r_corrected"]], [y + 0.18], **look, markerfacecolor="white")
    axis.plot([row["r"]], [y - 0.1], **look)
    axis.hlines(y, row["low"], row["high"], color=style.INK, linewidth=1.0)
    axis.plot([row["ceiling"]], [y], color=style.INK, **_CEILING)


def describe(
    corrected: pd.DataFrame, models: pd.DataFrame, measures: Sequence[str], method: str = "pearson"
) -> Description:
    """Say r, ceiling and corrected r of every group."""
    parts = []
    title = f"Ceilings of r ({measure_label(measures[0])}): "
    for measure in measures:
        table = ceiling_table(corrected, measure, method)
        words = []
        for row in table.to_dict("records"):
            if not row["n"]:
                words.append(f"{group_label(row['group'])} no ceiling ({row['why']})")
                continue
            words.append(
                f"{group_label(row['group'])} r {number(row['r'])}, ceiling "
                f"{number(row['ceiling'], 3)} (lowest {number(row['low'], 3)}), corrected "
                f"{number(row['r_corrected'])} on {row['n_corrected']} of "
                f"{count(row['n'], 'data set pair')}" + (f" ({row['why']})" if row["why"] else "")
            )
        parts.append(f"{measure_label(measure)}: {'; '.join(words)}")
        first = table.iloc[0]
        if measure == measures[0]:
            title += (
                f"median r {number(first['r'])} over {group_label(first['group'])}, where noise "
                f"alone would allow {number(first['ceiling'], 3)}"
                if np.isfinite(first["ceiling"])
                else "none could be estimated"
            )
    caption = (
        f"{method.capitalize()} r of similarities on two data sets, and the highest r that the "
        f"noise of the similarities allows: the root of the product of their reliabilities on "
        f"exactly these pairs of models (split halves of the images, classes held fixed, stepped "
        f"up by Spearman and Brown's formula). Noise of the choice of models or data sets is not "
        f"in it, and a corrected r (r over its ceiling) is an estimate that may exceed 1. There "
        f"is none for biased measures nor between data sets that share images. "
        f"{'. '.join(parts)}."
    )
    return Description(title, caption, f"Points with lines, a row per group. {caption}")
