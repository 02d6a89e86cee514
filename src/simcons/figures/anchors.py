"""Single anchor models: is one model's similarity to all others the same on every data set?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import GROUPS, Entry, StudyFigure, chunks
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import finite_r
from simcons.figures.words import (
    Description,
    category_label,
    count,
    measure_label,
    number,
    r_is,
    short,
)


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure for every three measures that have anchors."""
    for suffix, some in chunks(inputs.measures(inputs.anchors)):
        figure = Anchors(inputs.anchors, inputs.models, some, inputs.method)
        yield Entry(f"anchors{suffix}", GROUPS, None, figure)


@dataclass(frozen=True)
class Anchors(StudyFigure):
    """A box per anchor (rows) and measure (panels), sorted by the first measure's median."""

    anchors: pd.DataFrame
    models: pd.DataFrame
    measures: Sequence[str]
    method: str = "pearson"

    def rows(self, measure: str) -> pd.DataFrame:
        """Return the anchors' r under a measure."""
        chosen = self.anchors["method"] == self.method
        return self.anchors[chosen & (self.anchors["measure"] == measure)]

    def quartiles(self) -> pd.DataFrame:
        """Return the quartiles of r over data set pairs under the first measure, highest first.

        Indexed by anchor, columns q1, median and q3.
        """
        r = self.rows(self.measures[0]).groupby("anchor")["r"]
        quartiles = {"q1": r.quantile(0.25), "median": r.median(), "q3": r.quantile(0.75)}
        found = pd.DataFrame(quartiles).dropna()
        return found.loc[sorted(found.index, key=lambda name: (-found["median"][name], str(name)))]

    def paint(self) -> Figure:
        """Draw the boxes in the colour of the anchor's objective."""
        order = list(self.quartiles().index)
        figure = self.canvas(0.26 * len(order) + 1.5)
        axes = layout.measure_panels(figure, self.measures)
        colours = style.category_colours("objective", self.models["objective"])
        random = np.random.default_rng(0)
        for axis, measure in zip(axes, self.measures, strict=True):
            rows = self.rows(measure)
            for y, name in enumerate(order):
                r = finite_r(rows[rows["anchor"] == name])
                if len(r):
                    colour = colours[str(self.models.at[name, "objective"])]
                    layout.box(axis, r, y, colour, random)
            layout.row_axis(axis, measure_label(measure))
        layout.name_rows(axes[0], [short(str(name), 32) for name in order])
        layout.limits_of_r(axes)
        axes[len(axes) // 2].set_xlabel(f"{self.method.capitalize()} r over data set pairs")
        shown = sorted({str(self.models.at[name, "objective"]) for name in order})
        used = {name: colours[name] for name in shown}
        layout.category_legend(figure, used, category_label("objective"))
        return figure

    def describe(self) -> Description:
        """Say median and quartiles of every anchor under the first measure.

        Which anchor is highest is not called a finding: data set pairs share data sets, so that no
        test between single models is valid here.
        """
        found = self.quartiles()
        if found.empty:
            return Description.only("Single anchor models: no r is available.")
        label = measure_label(self.measures[0])
        listed = ", ".join(
            f"{name} {number(median)} ({number(q1)} to {number(q3)})"
            for name, q1, median, q3 in found.itertuples()
        )
        (top, q1, highest, q3), (low, _, lowest, _) = (
            next(end.itertuples()) for end in (found.iloc[:1], found.iloc[-1:])
        )
        if len(found) == 1:
            title = (
                f"{label}, similarities of {short(str(top))} to all other models: median "
                f"{r_is(highest)}, quartiles {number(q1)} and {number(q3)}"
            )
        else:
            title = (
                f"{label}, similarities of single models to all others: median r from "
                f"{number(lowest)} ({short(str(low))}) to {number(highest)} ({short(str(top))})"
            )
        caption = (
            f"{self.method.capitalize()} r over data set pairs of a model's similarities to all "
            f"others, for {count(len(found), 'anchor model')}. Medians (and quartiles), {label}: "
            f"{listed}. Data set pairs share data sets: the spread of a box is no standard error, "
            f"and the order of single models no test."
        )
        return Description(title, caption, f"Box plots. {caption}")
