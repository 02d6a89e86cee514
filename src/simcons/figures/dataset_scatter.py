"""Similarity on one data set against similarity on another, a point per pair of models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from simcons.figures import layout, style
from simcons.figures.base import CONSISTENCY, Entry, SimilarityFigure
from simcons.figures.schema import ByDataset, FigureInputs
from simcons.figures.selection import correlation, pair_values, within_groups
from simcons.figures.words import Description, clipped, count, number, short

ALL = "all pairs"


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure per measure that has two data sets."""
    for measure, by_dataset in inputs.similarities.items():
        if len(by_dataset) >= 2:
            figure = Scatter(by_dataset, inputs.models, inputs.datasets, measure, inputs.method)
            yield Entry(f"scatter_{measure}", CONSISTENCY, measure, figure)


def correlations(
    by_dataset: ByDataset, models: pd.DataFrame, pair: tuple[str, str], method: str = "pearson"
) -> dict[str, tuple[float, int]]:
    """Return r and the number of model pairs, for all pairs and within each objective."""
    x, y = (pair_values(by_dataset[dataset]) for dataset in pair)
    found = {ALL: (correlation(x, y, method), len(x))}
    for name, chosen in within_groups(by_dataset[pair[0]].models, models, "objective").items():
        found[name] = (correlation(x[chosen], y[chosen], method), int(chosen.sum()))
    return found


@dataclass(frozen=True)
class Scatter(SimilarityFigure):
    """A panel for each of the `pairs` of data sets, r in the legend below."""

    method: str = "pearson"

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """The data set pairs with the highest, the median and the lowest r over all pairs.

        Fewer than three data set pairs: all there are. Ties are broken by the order of data sets.
        """
        values = {dataset: pair_values(self.by_dataset[dataset]) for dataset in self.order}
        scored = []
        for i, first in enumerate(self.order):
            for second in self.order[i + 1 :]:
                r = correlation(values[first], values[second], self.method)
                scored.append((r if np.isfinite(r) else -2.0, first, second))
        scored.sort(key=lambda entry: -entry[0])
        picked = sorted({0, len(scored) // 2, len(scored) - 1}) if scored else []
        return [(scored[k][1], scored[k][2]) for k in picked]

    def paint(self) -> Figure:
        """Draw the panels side by side."""
        n_panels = max(len(self.pairs), 1)
        width = min(style.FULL_WIDTH, 2.6 * n_panels + 0.4)
        n_breaks = style.wrap_title(self.description.title, width).count("\n")
        n_entries = 1 + self.models["objective"].nunique()
        figure = self.canvas(width / n_panels + 0.135 * n_entries + 0.35 + 0.15 * n_breaks, width)
        axes = layout.panel_grid(figure, n_panels, n_panels)
        if not self.pairs:
            layout.say_absent(axes[0], "Needs two data sets.")
        for axis, pair in zip(axes, self.pairs, strict=False):
            self._panel(axis, pair)
        return figure

    def _panel(self, axis: Axes, pair: tuple[str, str]) -> None:
        x, y = (pair_values(self.by_dataset[dataset]) for dataset in pair)
        looks = colours, markers = style.looks("objective", self.models["objective"])
        groups = within_groups(self.by_dataset[pair[0]].models, self.models, "objective")
        layout.grouped_points(axis, x, y, groups, looks)
        _same_limits(axis, x, y)
        axis.set_xlabel(clipped(self.names[pair[0]]))
        axis.set_ylabel(clipped(self.names[pair[1]]))
        r = correlations(self.by_dataset, self.models, pair, self.method)
        handles = [_handle(ALL, *r[ALL], style.NEUTRAL, "o")]
        present = [name for name in groups if r[name][1]]
        handles += [_handle(name, *r[name], colours[name], markers[name]) for name in present]
        # Below the axis label by a length in inches, which does not change with the panel's size.
        below = axis.transAxes + ScaledTranslation(-0.2, -0.4, axis.figure.dpi_scale_trans)
        axis.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, 0), fontsize=6.5,
                    bbox_transform=below, labelspacing=0.25, borderaxespad=0)  # fmt: skip
        axis.set_anchor("N")

    def describe(self) -> Description:
        """Say r of every data set pair shown, over all pairs and within each objective."""
        if not self.pairs:
            return Description.only(
                f"{self.label}: a comparison over data sets needs two data sets."
            )
        parts, over_all = [], []
        for pair in self.pairs:
            r = correlations(self.by_dataset, self.models, pair, self.method)
            everything, n_pairs = r.pop(ALL)
            over_all.append(everything)
            inside = ", ".join(f"{name} {number(value)}" for name, (value, _) in r.items())
            parts.append(
                f"{self.names[pair[0]]} against {self.names[pair[1]]}: r = {number(everything)} "
                f"over {count(n_pairs, 'pair')} of models (within {inside})"
            )
        typical = len(self.pairs) == 3
        places = (" (highest)", " (median)", " (lowest)") if typical else ("",) * len(self.pairs)
        title = f"{self.label}: similarity on one data set against another, r = " + ", ".join(
            f"{number(r)}{place}" for r, place in zip(over_all, places, strict=True)
        )
        caption = (
            f"A point is a pair of models; coloured where both share the objective. "
            f"{'. '.join(parts)}. Numbers in brackets in the legend count pairs of models; r needs "
            f"at least 3."
        )
        if typical:
            caption += " Shown: the data set pairs with the highest, the median and the lowest r."
        return Description(title, caption, f"Scatter plots. {caption}")


def _handle(name: str, r: float, n: int, colour: str, marker: str) -> Line2D:
    return layout.marker_handle(f"{short(name, 18)}: r = {number(r)} ({n:,})", colour, marker)


def _same_limits(axis: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Give both axes one range and draw the diagonal, where both similarities are equal."""
    both = np.concatenate([x, y])
    both = both[np.isfinite(both)]
    low, high = (both.min(), both.max()) if len(both) else (0.0, 1.0)
    margin = 0.05 * max(high - low, 0.02)
    limits = (low - margin, high + margin)
    axis.set(xlim=limits, ylim=limits, aspect="equal")
    axis.plot(limits, limits, color=style.GRID, linewidth=0.8, zorder=0)
