"""Is there any consistency? r of every data set pair, and whether it exceeds permuted models'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.groups import EVERYTHING, Group, group_label, group_order, select
from simcons.figures.inputs import LEVEL, Description, count, measure_label, number


class MantelRow(NamedTuple):
    """A group's tests under one measure: r (E,), whether each is above chance, the smallest p."""

    group: Group
    r: np.ndarray
    above: np.ndarray
    smallest_p: float

    @property
    def possible(self) -> bool:
        """Whether there are enough families for a p below the level."""
        return self.smallest_p < LEVEL

    @property
    def verdict(self) -> str:
        """Return "27 of 28", or why nothing can be said."""
        if not self.possible:
            return f"no test: p cannot be below {self.smallest_p:.2g}"
        return f"{int(self.above.sum())} of {len(self.r)}"


def tests(mantel: pd.DataFrame, measure: str, method: str, groups: list[Group]) -> list[MantelRow]:
    """Return the tests of each group, in the order given; r that are undefined are left out."""
    found = []
    for group in groups:
        rows = select(mantel, measure, method, group)
        rows = rows[np.isfinite(rows["r"].astype(float))]
        least = float(rows["smallest_p"].max()) if len(rows) else float("nan")
        above = rows["p_max"].to_numpy(float) < LEVEL
        found.append(MantelRow(group, rows["r"].to_numpy(float), above, least))
    return found


@style.styled
def draw(
    mantel: pd.DataFrame, models: pd.DataFrame, measures: Sequence[str], method: str = "pearson"
) -> Figure:
    """Draw r of every data set pair, a row per group and a panel per measure.

    Filled: above chance after correction for all data set pairs; hollow: not; grey crosses: too few
    families for any test.
    """
    groups = group_order(mantel)
    title = describe(mantel, models, measures, method).title
    height = 0.34 * max(len(groups), 3) + 1.15
    figure = style.new_figure(style.FULL_WIDTH, height, style.wrap_title(title, style.FULL_WIDTH))
    axes = figure.subplots(1, len(measures), squeeze=False, sharex=True, sharey=True)[0]
    colours = style.category_colours("objective", models["objective"].astype(str))
    for axis, measure in zip(axes, measures, strict=True):
        for y, row in enumerate(tests(mantel, measure, method, groups)):
            colour = style.INK if row.group == EVERYTHING else colours[row.group[1]]
            _points(axis, row, y, colour)
        axis.axvline(0, color=style.MUTED, linewidth=0.8, zorder=0)
        layout.row_axis(axis, measure_label(measure))
    axes[0].set_yticks(range(len(groups)), [style.short(group_label(g), 26) for g in groups])
    axes[0].set_ylim(max(len(groups), 3) - 0.4, -0.6)
    layout.limits_of_r(axes)
    middle = axes[len(axes) // 2]
    middle.set_xlabel(f"{method.capitalize()} r, a mark per data set pair")
    handles = [
        layout.marker_handle("above chance (p < 0.05, all pairs of data sets corrected for)",
                             style.INK, "o"),
        layout.marker_handle("p ≥ 0.05", style.INK, "o", hollow=True),
        layout.marker_handle("too few families to test", style.MUTED, "x"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower left", ncols=3)
    return figure


def _points(axis: Axes, row: MantelRow, y: int, colour: str) -> None:
    jitter = np.random.default_rng(0).uniform(-0.26, 0.26, len(row.r))
    size = 9 if len(row.r) <= 60 else 4
    if not row.possible:
        axis.scatter(row.r, y + jitter, s=size, marker="x", linewidths=0.6, color=style.MUTED)
        return
    above = row.above
    axis.scatter(row.r[above], y + jitter[above], s=size, color=colour, linewidths=0.6)
    axis.scatter(
        row.r[~above], y + jitter[~above], s=size, facecolors="none", edgecolors=colour,
        linewidths=0.6,
    )  # fmt: skip


def describe(
    mantel: pd.DataFrame, models: pd.DataFrame, measures: Sequence[str], method: str = "pearson"
) -> Description:
    """Say how many data set pairs are above chance, per measure and group."""
    groups = group_order(mantel)
    first = tests(mantel, measures[0], method, groups[:1])[0] if groups else None
    if first is None or not len(first.r):
        text = "Is there any consistency? No permutation test could be made."
        return Description(text, text, text)
    n = count(len(first.r), "data set pair")
    title = f"Any consistency at all? {measure_label(measures[0])}: "
    title += f"above chance on {int(first.above.sum())} of {n}" if first.possible else first.verdict
    parts = []
    for measure in measures:
        words = [
            f"{group_label(row.group)} {row.verdict}"
            for row in tests(mantel, measure, method, groups)
            if len(row.r)
        ]
        parts.append(f"{measure_label(measure)}: {', '.join(words)}")
    caption = (
        f"{method.capitalize()} r of similarities between two data sets, and whether it exceeds "
        f"those with the models of one data set exchanged (Mantel test, families exchanged as "
        f"wholes; smallest possible p over all models {number(first.smallest_p, 4)}). Above chance "
        f"at 5 %, corrected for all {n} by the largest permuted r: {'; '.join(parts)}. Groups with "
        f"few families cannot reach 5 %."
    )
    return Description(title, caption, f"Rows of points. {caption}")
