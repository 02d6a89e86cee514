"""Range restriction: r of a group beside its spread, and what a narrow range does not deflate."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.groups import group_label, group_order, select
from simcons.figures.inputs import Description, measure_label, number


def group_table(
    spread: pd.DataFrame, companions: pd.DataFrame, measure: str, category: str = "objective"
) -> pd.DataFrame:
    """Return a row per group: all models, and the pairs within each value of a category.

    Columns category, group_1, group_2; ``minimum, q1, median, q3, maximum`` of the similarities
    (means over data sets); and of every companion the quartiles over data set pairs, such as
    ``concordance_q1, concordance_median, concordance_q3``. ``thorndike`` is the mean of both
    directions, ``rmse`` too.
    """
    rows = []
    for group in group_order(spread[spread["measure"] == measure], category):
        row: dict[str, object] = dict(zip(("category", "group_1", "group_2"), group, strict=True))
        part = select(spread, measure, None, group)
        means = part[["minimum", "q1", "median", "q3", "maximum", "sd"]].mean()
        row |= {str(name): float(value) for name, value in means.items()}
        companion = select(companions, measure, None, group)
        values = {
            "r": companion["r"],
            "thorndike": (companion["thorndike_1"] + companion["thorndike_2"]) / 2,
            "concordance": companion["concordance"],
            "rmse": (companion["rmse_2_given_1"] + companion["rmse_1_given_2"]) / 2,
            "median_absolute_difference": companion["median_absolute_difference"],
        }
        for name, column in values.items():
            low, middle, high = column.quantile([0.25, 0.5, 0.75])
            row |= {f"{name}_q1": low, f"{name}_median": middle, f"{name}_q3": high}
        rows.append(row)
    return pd.DataFrame(rows)


@style.styled
def draw(
    spread: pd.DataFrame,
    companions: pd.DataFrame,
    models: pd.DataFrame,
    measure: str,
    category: str = "objective",
) -> Figure:
    """Draw the spread of each group's similarities (left), r and its companions beside it."""
    table = group_table(spread, companions, measure, category)
    title = describe(spread, companions, measure, category).title
    height = 0.25 * max(len(table), 3) + 1.05
    figure = style.new_figure(style.FULL_WIDTH, height, style.wrap_title(title, style.FULL_WIDTH))
    axes = figure.subplots(1, 4, sharey=True, width_ratios=[1.25, 1.25, 1, 1])
    colours = style.category_colours(category, models[category].astype(str))
    for y, row in enumerate(table.to_dict("records")):
        colour = style.INK if row["category"] == "all" else colours[row["group_1"]]
        _spread(axes[0], row, y, colour)
        _quartiles(axes[1], row, "r", y - 0.12, colour)
        _quartiles(axes[1], row, "thorndike", y + 0.2, colour, hollow=True)
        _quartiles(axes[2], row, "concordance", y, colour)
        _quartiles(axes[3], row, "rmse", y, colour)
    for axis, label in zip(
        axes, ("similarities", "r (hollow: range corrected)", "concordance",
               "error of prediction"), strict=True,
    ):  # fmt: skip
        axis.set_xlabel(label, fontsize=7)
        layout.row_axis(axis)
    axes[3].set_xlim(left=0)
    groups = [
        (str(r["category"]), str(r["group_1"]), str(r["group_2"])) for r in table.to_dict("records")
    ]
    axes[0].set_yticks(range(len(groups)), [style.short(group_label(g), 26) for g in groups])
    axes[0].set_ylim(max(len(groups), 3) - 0.4, -0.6)
    return figure


def _spread(axis: Axes, row: Mapping[Hashable, Any], y: float, colour: str) -> None:
    axis.hlines(y, row["minimum"], row["maximum"], color=colour, linewidth=0.8)
    axis.hlines(y, row["q1"], row["q3"], color=colour, linewidth=3.2)
    axis.plot([row["median"]], [y], marker="|", color="white", markersize=5, markeredgewidth=1.2)


def _quartiles(
    axis: Axes,
    row: Mapping[Hashable, Any],
    name: str,
    y: float,
    colour: str,
    *,
    hollow: bool = False,
) -> None:
    low, middle, high = (row[f"{name}_{part}"] for part in ("q1", "median", "q3"))
    if not np.isfinite(middle):
        return
    axis.hlines(y, low, high, color=colour, linewidth=1.0)
    axis.plot([middle], [y], marker="o", markersize=3.6, color=colour,
              markerfacecolor="white" if hollow else colour, markeredgewidth=0.9)  # fmt: skip


def describe(
    spread: pd.DataFrame, companions: pd.DataFrame, measure: str, category: str = "objective"
) -> Description:
    """Say r, spread and the companions of every group."""
    table = group_table(spread, companions, measure, category)
    label = measure_label(measure)
    if table.empty:
        text = f"{label}: no group has three pairs of models."
        return Description(text, text, text)
    inside = table[table["category"] != "all"]
    title = f"{label}: r of a group beside the spread of its similarities"
    if len(inside) > 1:
        ordered = inside.sort_values("sd", kind="stable")
        narrow, wide = ordered.iloc[0], ordered.iloc[-1]
        title += (
            f", SD from {number(narrow['sd'])} ({narrow['group_1']}) to {number(wide['sd'])} "
            f"({wide['group_1']})"
        )
    parts = [
        f"{group_label((row['category'], row['group_1'], row['group_2']))}: SD {number(row['sd'])},"
        f" r {number(row['r_median'])} ({number(row['thorndike_median'])}), concordance "
        f"{number(row['concordance_median'])}, error {number(row['rmse_median'], 3)}"
        for row in table.to_dict("records")
    ]
    caption = (
        f"A narrow range of similarities alone lowers r. Left: {label} of the pairs of models "
        f"within a group (median, quartiles, range; means over data sets). Then, over data set "
        f"pairs (point: median, line: quartiles): r, and in brackets and hollow r corrected to the "
        f"spread of all models (Thorndike's case 2, a sensitivity check that assumes selection on "
        f"similarity); Lin's concordance, which differences in level lower too; and the root mean "
        f"square error of predicting one data set from the other, in units of similarity, which a "
        f"narrow range does not deflate. {'; '.join(parts)}."
    )
    return Description(title, caption, f"Points with lines, a row per group. {caption}")
