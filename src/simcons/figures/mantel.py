"""Is there any consistency? r of every data set pair, and whether it exceeds permuted models'."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import CONSISTENCY, Entry, StudyFigure, chunks
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import EVERYTHING, LEVEL, group_order, select
from simcons.figures.words import (
    Description,
    Group,
    count,
    group_label,
    measure_label,
    number,
    short,
)


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure for every three measures that were tested."""
    table = inputs.table("mantel")
    for suffix, some in chunks(inputs.measures(table)):
        figure = Mantel(table, inputs.models, some, inputs.method)
        yield Entry(f"mantel{suffix}", CONSISTENCY, None, figure)


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


@dataclass(frozen=True)
class Mantel(StudyFigure):
    """r of every data set pair, a row per group and a panel per measure.

    Filled: above chance after correction for all data set pairs; hollow: not; grey crosses: too few
    families for any test.
    """

    mantel: pd.DataFrame
    models: pd.DataFrame
    measures: Sequence[str]
    method: str = "pearson"

    def tests(self, measure: str) -> list[MantelRow]:
        """Return the tests of each group; r that are undefined are left out."""
        found = []
        for group in group_order(self.mantel):
            rows = select(self.mantel, measure, self.method, group)
            rows = rows[np.isfinite(rows["r"].astype(float))]
            least = float(rows["smallest_p"].max()) if len(rows) else float("nan")
            above = rows["p_max"].to_numpy(float) < LEVEL
            found.append(MantelRow(group, rows["r"].to_numpy(float), above, least))
        return found

    def paint(self) -> Figure:
        """Draw the panels on one scale."""
        groups = group_order(self.mantel)
        figure = self.canvas(0.34 * max(len(groups), 3) + 1.15)
        axes = layout.measure_panels(figure, self.measures)
        colours = style.category_colours("objective", self.models["objective"])
        for axis, measure in zip(axes, self.measures, strict=True):
            for y, row in enumerate(self.tests(measure)):
                colour = style.INK if row.group == EVERYTHING else colours[row.group[1]]
                _points(axis, row, y, colour)
            axis.axvline(0, color=style.MUTED, linewidth=0.8, zorder=0)
            layout.row_axis(axis, measure_label(measure))
        layout.name_rows(axes[0], [short(group_label(group), 26) for group in groups], least=3)
        layout.limits_of_r(axes)
        axes[len(axes) // 2].set_xlabel(f"{self.method.capitalize()} r, a mark per data set pair")
        above = "above chance (p < 0.05, all pairs of data sets corrected for)"
        handles = [
            layout.marker_handle(above, style.INK, "o"),
            layout.marker_handle("p ≥ 0.05", style.INK, "o", hollow=True),
            layout.marker_handle("too few families to test", style.MUTED, "x"),
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=3)
        return figure

    def describe(self) -> Description:
        """Say how many data set pairs are above chance, per measure and group."""
        tests = {measure: self.tests(measure) for measure in self.measures}
        first = next(iter(tests[self.measures[0]]), None)
        if first is None or not len(first.r):
            return Description.only("Is there any consistency? No permutation test could be made.")
        n = count(len(first.r), "data set pair")
        title = f"Any consistency at all? {measure_label(self.measures[0])}: " + (
            f"above chance on {int(first.above.sum())} of {n}" if first.possible else first.verdict
        )
        parts = []
        for measure, rows in tests.items():
            words = [f"{group_label(row.group)} {row.verdict}" for row in rows if len(row.r)]
            parts.append(f"{measure_label(measure)}: {', '.join(words)}")
        caption = (
            f"{self.method.capitalize()} r of similarities between two data sets, and whether it "
            f"exceeds those with the models of one data set exchanged (Mantel test, families "
            f"exchanged as wholes; smallest possible p over all models "
            f"{number(first.smallest_p, 4)}). Above chance at 5 %, corrected for all {n} by the "
            f"largest permuted r: {'; '.join(parts)}. Groups with few families cannot reach 5 %."
        )
        return Description(title, caption, f"Rows of points. {caption}")


def _points(axis: Axes, row: MantelRow, y: int, colour: str) -> None:
    jitter = np.random.default_rng(0).uniform(-0.26, 0.26, len(row.r))
    size = 9 if len(row.r) <= 60 else 4
    if not row.possible:
        axis.scatter(row.r, y + jitter, s=size, marker="x", linewidths=0.6, color=style.MUTED)
        return
    above = row.above
    axis.scatter(row.r[above], y + jitter[above], s=size, color=colour, linewidths=0.6)
    axis.scatter(row.r[~above], y + jitter[~above], s=size, facecolors="none", edgecolors=colour,
                 linewidths=0.6)  # fmt: skip
