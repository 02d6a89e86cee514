"""r over data set pairs for every pair of categories, against the ungrouped quartiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from simcons.figures import layout, style
from simcons.figures.base import GROUPS, Entry, MeasuresFigure, by_three
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import EVERYTHING, Group, finite_r, group_limits, select, varying
from simcons.figures.words import (
    Description,
    category_label,
    count,
    group_label,
    interval,
    measure_label,
    number,
    short,
    value_label,
)


class GroupRow(NamedTuple):
    """One row of the box plot: a pair of groups and its number of model pairs."""

    group: Group
    n_pairs: int
    median: float


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure per category, for every three measures."""
    by_category = [
        list(by_three(f"boxes_{c}", GROUPS, partial(CategoryBoxes, category=c), inputs,
                      inputs.consistency))
        for c in compared(inputs)
    ]  # fmt: skip
    for entries in zip(*by_category, strict=True):
        yield from entries


def compared(inputs: FigureInputs) -> list[str]:
    """Return the categories of the consistency that tell groups apart."""
    have = set(inputs.consistency["category"])
    return [category for category in varying(inputs.models) if category in have]


def group_rows(
    consistency: pd.DataFrame, category: str, measure: str, method: str = "pearson"
) -> list[GroupRow]:
    """Return the group pairs of a category that have an r, sorted by median r, highest first."""
    rows = consistency.query("measure == @measure and method == @method and category == @category")
    found = []
    for (first, second), part in rows.groupby(["group_1", "group_2"], sort=True):
        r = finite_r(part)
        if len(r):
            group = (category, str(first), str(second))
            found.append(GroupRow(group, int(part["n_pairs"].max()), float(np.median(r))))
    return sorted(found, key=lambda row: (-row.median, row.group))


@dataclass(frozen=True)
class CategoryBoxes(MeasuresFigure):
    """Boxes for the group pairs (rows), a panel per measure (at most three read well).

    Rows are sorted by the median r of the first measure; a dotted line is the ungrouped median,
    the band its quartiles. Where there is an interval of a median, it is a line below the box.
    """

    category: str

    @cached_property
    def intervals(self) -> pd.DataFrame:
        """The intervals of the main correlation's medians."""
        return self.inputs.of_method(self.inputs.intervals)

    def rows(self, measure: str) -> list[GroupRow]:
        """Return the rows of the box plot under a measure."""
        return group_rows(self.inputs.consistency, self.category, measure, self.method)

    def r(self, measure: str, group: Group) -> np.ndarray:
        """Return r over data set pairs of a group, where it is defined."""
        return finite_r(select(self.inputs.consistency, measure, self.method, group))

    def paint(self) -> Figure:
        """Draw the panels on one scale."""
        rows = self.rows(self.measures[0])
        figure = self.canvas(max(0.29 * len(rows) + 1.2, 1.9))
        axes = layout.measure_panels(figure, self.measures)
        if not rows:
            what = category_label(self.category)
            layout.say_absent(axes[0], f"No pair of groups by {what} has three pairs of models.")
            for axis in axes[1:]:
                axis.remove()
            return figure
        colours = self.looks(self.category)[0]
        for axis, measure in zip(axes, self.measures, strict=True):
            self._panel(axis, rows, measure, colours)
            layout.row_axis(axis, measure_label(measure))
        layout.limits_of_r(axes)
        _row_labels(axes[0], rows, colours)
        figure.supxlabel(f"{self.method_label} r over data set pairs", fontsize=8)
        return figure

    def _panel(
        self, axis: Axes, rows: list[GroupRow], measure: str, colours: dict[str, str]
    ) -> None:
        everything = self.r(measure, EVERYTHING)
        if len(everything):
            q1, median, q3 = np.quantile(everything, [0.25, 0.5, 0.75])
            axis.axvspan(q1, q3, color="#efefef", linewidth=0, zorder=0)
            axis.axvline(median, color=style.MUTED, linestyle=":", linewidth=1.0, zorder=1)
        random = np.random.default_rng(0)
        for y, row in enumerate(rows):
            r = self.r(measure, row.group)
            if len(r):
                mixed = row.group[1] != row.group[2]
                layout.box(axis, r, y, "#8f959c" if mixed else colours[row.group[1]], random)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        for y, row in enumerate(rows):
            limits = group_limits(self.intervals, measure, self.method, row.group)
            if np.isfinite(limits[0]):
                axis.plot(limits, (y + 0.42, y + 0.42), color=style.INK, linewidth=2.0,
                          solid_capstyle="butt")  # fmt: skip

    def describe(self) -> Description:
        """Say which pair of groups is the most and which the least consistent, per measure."""
        what = category_label(self.category)
        parts, title = [], f"Consistency by {what}: no pair of groups has an r"
        for measure in self.measures:
            rows = self.rows(measure)
            everything = self.r(measure, EVERYTHING)
            if not rows:
                continue
            top, low = rows[0], rows[-1]
            ungrouped = number(float(np.median(everything))) if len(everything) else "n/a"
            limits = [
                interval(*group_limits(self.intervals, measure, self.method, group))
                for group in (top.group, low.group, EVERYTHING)
            ]
            parts.append(
                f"{measure_label(measure)}: {group_label(top.group)} {number(top.median)}"
                f"{limits[0]}, {group_label(low.group)} {number(low.median)}{limits[1]}, ungrouped "
                f"{ungrouped}{limits[2]}"
            )
            if measure == self.measures[0]:
                highest = f"{number(top.median)} ({group_label(top.group)})"
                lowest = f"{number(low.median)} ({group_label(low.group)})"
                title = f"Consistency by {what} ({measure_label(measure)}): median r "
                title += f"from {lowest} to {highest}" if len(rows) > 1 else highest
        if not parts:
            return Description(title, f"{title} (at least 3 pairs of models are needed).", title)
        n = self.inputs.consistency[["dataset_1", "dataset_2"]].drop_duplicates().shape[0]
        caption = (
            f"{self.method_label} r of similarities over {count(n, 'data set pair')} for "
            f"every pair of groups by {what}, sorted by the median of "
            f"{measure_label(self.measures[0])}; number of model pairs in brackets. Band and "
            f"dotted line: quartiles and median over all models. Highest and lowest medians, and "
            f"the ungrouped one: {'; '.join(parts)}. Data set pairs share data sets, model pairs "
            f"share models: the spread of a box is no standard error, and the order of the boxes "
            f"is no test (see the differences between groups)."
        )
        if self.intervals["low"].notna().any():
            level = 100 * float(self.intervals["level"].iloc[0])
            caption += (
                f" Thick line below a box, and in brackets: {level:g} % interval of its median "
                f"(bootstrap over models and data sets; none for groups of fewer than six "
                f"families)."
            )
        return Description(title, caption, f"Box plots. {caption}")


def _row_labels(axis: Axes, rows: list[GroupRow], colours: dict[str, str]) -> None:
    """Label rows with group names, counts, and a square in each group's colour."""
    texts = []
    for row in rows:
        category, *names = row.group
        first, second = (short(value_label(category, name), 18) for name in names)
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
