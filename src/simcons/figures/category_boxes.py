"""r over data set pairs for every pair of categories, against the ungrouped quartiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from simcons.figures import layout, style
from simcons.figures.groups import EVERYTHING, Group, group_interval, group_label, select
from simcons.figures.inputs import (
    CATEGORY_LABELS,
    Description,
    count,
    measure_label,
    number,
    value_label,
)


class GroupRow(NamedTuple):
    """One row of the box plot: a pair of groups and its number of model pairs."""

    group: Group
    n_pairs: int
    median: float


def group_rows(
    consistency: pd.DataFrame, category: str, measure: str, method: str = "pearson"
) -> list[GroupRow]:
    """Return the group pairs of a category that have an r, sorted by median r, highest first."""
    rows = consistency[
        (consistency["measure"] == measure)
        & (consistency["method"] == method)
        & (consistency["category"] == category)
    ]
    found = []
    for (first, second), part in rows.groupby(["group_1", "group_2"], sort=True):
        r = part["r"].to_numpy(float)
        r = r[np.isfinite(r)]
        if len(r):
            group = (category, str(first), str(second))
            found.append(GroupRow(group, int(part["n_pairs"].max()), float(np.median(r))))
    return sorted(found, key=lambda row: (-row.median, row.group))


@style.styled
def draw(
    consistency: pd.DataFrame,
    models: pd.DataFrame,
    category: str,
    measures: Sequence[str],
    method: str = "pearson",
    intervals: pd.DataFrame | None = None,
) -> Figure:
    """Draw boxes for the group pairs (rows), a panel per measure (at most three read well).

    Rows are sorted by the median r of the first measure; a dotted line is the ungrouped median,
    the band its quartiles. Where there is an interval of a median, it is a line below the box.
    """
    rows = group_rows(consistency, category, measures[0], method)
    title = describe(consistency, models, category, measures, method, intervals).title
    height = max(0.29 * len(rows) + 1.2, 1.9)
    figure = style.new_figure(style.FULL_WIDTH, height, style.wrap_title(title, style.FULL_WIDTH))
    axes = figure.subplots(1, len(measures), squeeze=False, sharex=True, sharey=True)[0]
    if not rows:
        layout.say_absent(axes[0], f"No pair of groups by {CATEGORY_LABELS.get(category, category)}"
                          " has three pairs of models.")  # fmt: skip
        for axis in axes[1:]:
            axis.remove()
        return figure
    colours = style.category_colours(category, models[category].astype(str))
    for axis, measure in zip(axes, measures, strict=True):
        _panel(axis, consistency, rows, measure, method, colours)
        if intervals is not None:
            _interval_bars(axis, intervals, rows, measure, method)
        layout.row_axis(axis, measure_label(measure))
    layout.limits_of_r(axes)
    _row_labels(axes[0], rows, colours)
    figure.supxlabel(f"{method.capitalize()} r over data set pairs", fontsize=8)
    return figure


def _panel(
    axis: Axes,
    consistency: pd.DataFrame,
    rows: list[GroupRow],
    measure: str,
    method: str,
    colours: dict[str, str],
) -> None:
    everything = _finite(select(consistency, measure, method, EVERYTHING))
    if len(everything):
        q1, median, q3 = np.quantile(everything, [0.25, 0.5, 0.75])
        axis.axvspan(q1, q3, color="#efefef", linewidth=0, zorder=0)
        axis.axvline(median, color=style.MUTED, linestyle=":", linewidth=1.0, zorder=1)
    random = np.random.default_rng(0)
    for y, row in enumerate(rows):
        r = _finite(select(consistency, measure, method, row.group))
        if len(r):
            mixed = row.group[1] != row.group[2]
            box(axis, r, y, "#8f959c" if mixed else colours[row.group[1]], random)
    axis.set_ylim(len(rows) - 0.4, -0.6)


def _interval_bars(
    axis: Axes, intervals: pd.DataFrame, rows: list[GroupRow], measure: str, method: str
) -> None:
    """Draw the interval of each median as a thick line below its box."""
    for y, row in enumerate(rows):
        found = select(intervals, measure, method, row.group)
        if len(found) and np.isfinite(float(found.iloc[0]["low"])):
            limits = (float(found.iloc[0]["low"]), float(found.iloc[0]["high"]))
            axis.plot(limits, (y + 0.42, y + 0.42), color=style.INK, linewidth=2.0,
                      solid_capstyle="butt")  # fmt: skip


def _finite(rows: pd.DataFrame) -> np.ndarray:
    r = rows["r"].to_numpy(float)
    return r[np.isfinite(r)]


def box(axis: Axes, r: np.ndarray, y: int, colour: str, random: np.random.Generator) -> None:
    """Draw a box (from 5 values on) and, up to 60 values, the values themselves."""
    if len(r) >= 5:
        axis.boxplot(
            [r], positions=[y], orientation="horizontal", widths=0.62, patch_artist=True,
            showfliers=len(r) > 60, manage_ticks=False,
            boxprops={"facecolor": colour, "alpha": 0.45, "linewidth": 0.6},
            medianprops={"color": style.INK, "linewidth": 1.4},
            whiskerprops={"linewidth": 0.6}, capprops={"linewidth": 0.6},
            flierprops={"marker": ".", "markersize": 2, "markeredgecolor": style.MUTED},
        )  # fmt: skip
    if len(r) <= 60:
        jitter = random.uniform(-0.2, 0.2, len(r)) if len(r) > 1 else np.zeros(1)
        axis.scatter(r, y + jitter, s=5, color=colour, edgecolors="white", linewidths=0.2, zorder=3)


def _row_labels(axis: Axes, rows: list[GroupRow], colours: dict[str, str]) -> None:
    """Label rows with group names, counts, and a square in each group's colour."""
    texts = []
    for row in rows:
        category, *names = row.group
        first, second = (style.short(value_label(category, name), 18) for name in names)
        pair = first if first == second else f"{first} × {second}"
        texts.append(f"{pair} ({row.n_pairs:,})")
    axis.set_yticks(range(len(rows)), texts)
    axis.tick_params(axis="y", pad=16)
    place = blended_transform_factory(axis.transAxes, axis.transData)
    for y, row in enumerate(rows):
        for k, name in enumerate(row.group[1:]):
            axis.annotate(
                "■", (0, y), xytext=(-14 + 6 * k, 0), xycoords=place, textcoords="offset points",
                ha="left", va="center", fontsize=7, color=colours.get(name, style.MUTED),
                annotation_clip=False,
            )  # fmt: skip


def describe(
    consistency: pd.DataFrame,
    models: pd.DataFrame,
    category: str,
    measures: Sequence[str],
    method: str = "pearson",
    intervals: pd.DataFrame | None = None,
) -> Description:
    """Say which pair of groups is the most and which the least consistent, per measure."""
    what = CATEGORY_LABELS.get(category, category)
    parts, title = [], f"Consistency by {what}: no pair of groups has an r"
    for measure in measures:
        rows = group_rows(consistency, category, measure, method)
        everything = _finite(select(consistency, measure, method, EVERYTHING))
        if not rows:
            continue
        top, low = rows[0], rows[-1]
        ungrouped = number(float(np.median(everything))) if len(everything) else "n/a"
        limits = [
            group_interval(intervals, measure, method, group)
            for group in (top.group, low.group, EVERYTHING)
        ]
        parts.append(
            f"{measure_label(measure)}: {group_label(top.group)} {number(top.median)}{limits[0]}, "
            f"{group_label(low.group)} {number(low.median)}{limits[1]}, ungrouped {ungrouped}"
            f"{limits[2]}"
        )
        if measure == measures[0]:
            title = f"Consistency by {what} ({measure_label(measure)}): median r "
            title += (
                f"from {number(low.median)} ({group_label(low.group)}) to {number(top.median)} "
                f"({group_label(top.group)})"
                if len(rows) > 1
                else f"{number(top.median)} ({group_label(top.group)})"
            )
    if not parts:
        return Description(title, f"{title} (at least 3 pairs of models are needed).", title)
    n = consistency[["dataset_1", "dataset_2"]].drop_duplicates().shape[0]
    caption = (
        f"{method.capitalize()} r of similarities over {count(n, 'data set pair')} for every pair "
        f"of groups by {what}, sorted by the median of {measure_label(measures[0])}; number of "
        f"model pairs in brackets. Band and dotted line: quartiles and median over all models. "
        f"Highest and lowest medians, and the ungrouped one: {'; '.join(parts)}. Data set pairs "
        f"share data sets, model pairs share models: the spread of a box is no standard error, and "
        f"the order of the boxes is no test (see the differences between groups)."
    )
    if intervals is not None and intervals["low"].notna().any():
        level = 100 * float(intervals["level"].iloc[0])
        caption += (
            f" Thick line below a box, and in brackets: {level:g} % interval of its median "
            f"(bootstrap over models and data sets; none for groups of fewer than six families)."
        )
    return Description(title, caption, f"Box plots. {caption}")
