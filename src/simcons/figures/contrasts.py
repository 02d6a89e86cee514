"""Is one group more consistent than another? Differences with intervals and permutation tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.catalog import CATEGORIES
from simcons.figures import layout, style
from simcons.figures.base import GROUPS, Entry, StudyFigure, chunks
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import LEVEL
from simcons.figures.words import (
    Description,
    Group,
    category_label,
    contrast_label,
    interval,
    measure_label,
    number,
    p_is,
)


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure for every three measures that have contrasts."""
    table = inputs.of_method(inputs.table("contrasts"))
    for suffix, some in chunks(inputs.measures(table)):
        yield Entry(f"contrasts{suffix}", GROUPS, None, Contrasts(table, some, inputs.method))


@dataclass(frozen=True)
class Contrasts(StudyFigure):
    """A row per contrast and a panel per measure: difference of mean r with its interval.

    ``contrasts`` holds one method.
    """

    contrasts: pd.DataFrame
    measures: Sequence[str]
    method: str = "pearson"

    def rows(self) -> list[Group]:
        """Return the contrasts, ordered by category, then group."""
        rows = self.contrasts[["category", "group_1", "group_2"]]
        found = {(str(c), str(a), str(b)) for c, a, b in rows.itertuples(index=False)}
        known = [c for c in CATEGORIES if c in {row[0] for row in found}]
        order = known + sorted({row[0] for row in found} - set(known))
        return sorted(found, key=lambda row: (order.index(row[0]), row[1:]))

    def of_measure(self, measure: str) -> pd.DataFrame:
        """Return the table of a measure, indexed by contrast."""
        rows = self.contrasts[self.contrasts["measure"] == measure]
        return rows.set_index(["category", "group_1", "group_2"])

    def paint(self) -> Figure:
        """Draw the panels on one scale."""
        rows = self.rows()
        figure = self.canvas(0.19 * max(len(rows), 4) + 1.15)
        axes = layout.measure_panels(figure, self.measures)
        colours = style.category_colours("measure", self.measures)
        for axis, measure in zip(axes, self.measures, strict=True):
            _panel(axis, self.of_measure(measure), rows, colours[measure])
            layout.row_axis(axis, measure_label(measure))
        labels = [contrast_label(*row, limit=16) for row in rows]
        layout.name_rows(axes[0], labels, least=3, fontsize=6.5)
        axes[len(axes) // 2].set_xlabel(
            f"difference of mean {self.method.capitalize()} r over data set pairs"
        )
        handles = [
            layout.marker_handle("p < 0.05 after Holm", style.INK, "o"),
            layout.marker_handle("p ≥ 0.05", style.INK, "o", hollow=True),
            layout.marker_handle("too few families for p < 0.05", style.INK, "x"),
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=3)
        return figure

    def describe(self) -> Description:
        """Say which contrasts remain after correction, and the largest difference."""
        rows = self.rows()
        if not rows:
            return Description.only(
                "Contrasts between groups: no two groups have three pairs of models each."
            )
        parts, remaining = [], []
        for measure in self.measures:
            part = self.of_measure(measure)
            testable = part[part["smallest_p"] < LEVEL]
            n_clear = int((testable["p_holm"] < LEVEL).sum())
            remaining.append(f"{n_clear} of {len(testable)} that can be tested")
            words = remaining[-1]
            if len(part):
                largest = part.loc[part["difference"].abs().sort_values(ascending=False).index[0]]
                category, one, two = (str(name) for name in largest.name)
                words += (
                    f", the largest {contrast_label(category, one, two)} "
                    f"{number(largest['difference'])}"
                    f"{interval(largest['bca_low'], largest['bca_high'])} "
                    f"({p_is(float(largest['p_holm']))})"
                )
            parts.append(f"{measure_label(measure)}: {words}")
        title = (
            f"Differences in consistency between groups ({measure_label(self.measures[0])}): "
            f"{remaining[0]} remain after correction"
        )
        whole = ", ".join(dict.fromkeys(category_label(category) for category, _, _ in rows))
        caption = (
            f"Difference of the mean {self.method.capitalize()} r over data set pairs within two "
            f"groups (by {whole}); line: interval by a bootstrap over models and data sets, where "
            f"each group has six families and the study eight data sets. p: group labels permuted "
            f"over families, Holm-corrected. Differences that remain: {'; '.join(parts)}. Groups "
            f"differ in more than their label; see the contrasts within strata and the overlap of "
            f"categories."
        )
        return Description(title, caption, f"Points with lines, a row per contrast. {caption}")


def _panel(axis: Axes, part: pd.DataFrame, rows: list[Group], colour: str) -> None:
    axis.axvline(0, color=style.MUTED, linewidth=0.8, zorder=0)
    for y, row in enumerate(rows):
        if y and row[0] != rows[y - 1][0]:
            axis.axhline(y - 0.5, color=style.GRID, linewidth=0.8)
        if row not in part.index:
            continue
        entry: Any = part.loc[row]  # type: ignore[index]
        if np.isfinite(entry["bca_low"]):
            axis.hlines(y, entry["bca_low"], entry["bca_high"], color=colour, linewidth=1.4)
        if entry["smallest_p"] >= LEVEL:
            axis.scatter([entry["difference"]], [y], s=14, marker="x", color=colour, linewidths=1)
            continue
        face = colour if entry["p_holm"] < LEVEL else "white"
        axis.scatter([entry["difference"]], [y], s=16, facecolors=face, edgecolors=colour,
                     linewidths=1, zorder=3)  # fmt: skip
