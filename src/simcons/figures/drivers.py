"""What goes with a pair of models keeping its rank from data set to data set (MRQAP)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import GROUPS, Entry, StudyFigure, chunks
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import LEVEL
from simcons.figures.words import Description, measure_label, number, p_is, predictor_label


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure for every three measures."""
    table = inputs.table("drivers")
    for suffix, some in chunks(inputs.measures(table)):
        yield Entry(f"drivers{suffix}", GROUPS, None, Drivers(table, some))


@dataclass(frozen=True)
class Drivers(StudyFigure):
    """The coefficient of every predictor, a mark per measure; filled where p < .05.

    Predictors without a coefficient have no row (the caption says why); p values stand in a column
    of their own.
    """

    drivers: pd.DataFrame
    measures: Sequence[str]

    def paint(self) -> Figure:
        """Draw a row per predictor."""
        estimated = self.drivers[np.isfinite(self.drivers["coefficient"].astype(float))]
        predictors = list(dict.fromkeys(estimated["predictor"]))
        row = 0.13 * len(self.measures) + 0.12  # inches
        figure = self.canvas(row * max(len(predictors), 2) + 1.15)
        axis = figure.subplots()
        axis.axvline(0, color=style.MUTED, linewidth=0.8)
        colours, markers = style.looks("measure", self.measures)
        for k, measure in enumerate(self.measures):
            part = estimated[estimated["measure"] == measure]
            for predictor, coefficient, p in zip(
                part["predictor"], part["coefficient"], part["p_holm"], strict=True
            ):
                place = predictors.index(predictor) + layout.apart(k, len(self.measures), 0.7)
                axis.hlines(place, 0, coefficient, color=colours[measure], linewidth=1.2)
                face = colours[measure] if p < LEVEL else "white"
                axis.plot([coefficient], [place], marker=markers[measure], markersize=4.5,
                          color=colours[measure], markerfacecolor=face)  # fmt: skip
                axis.text(1.02, place, p_is(float(p)), transform=axis.get_yaxis_transform(),
                          fontsize=6.5, va="center_baseline", color=style.INK)  # fmt: skip
        axis.margins(x=0.05)
        layout.name_rows(axis, [predictor_label(p) for p in predictors])
        axis.set_xlabel("change of the standard deviation of a pair's rank over data sets")
        layout.row_axis(axis)
        layout.measure_legend(figure, self.measures, colours, markers)
        return figure

    def describe(self) -> Description:
        """Say every coefficient and its p value, and what the predictors explain together."""
        parts, steady = [], []
        for measure in self.measures:
            part = self.drivers[self.drivers["measure"] == measure]
            words = []
            for row in part.to_dict("records"):
                name = predictor_label(row["predictor"])
                if not np.isfinite(row["coefficient"]):
                    words.append(f"{name} n/a ({row['reason']})")
                    continue
                p = p_is(float(row["p_holm"]))
                words.append(f"{name} {number(row['coefficient'], 3)} ({p})")
                if measure == self.measures[0] and row["p_holm"] < LEVEL:
                    steady.append(f"{name}, {'less' if row['coefficient'] < 0 else 'more'}")
            explained = float(part["r_squared"].iloc[0]) if len(part) else float("nan")
            parts.append(f"{measure_label(measure)} (R² {number(explained)}): {', '.join(words)}")
        title = f"Which pairs of models change their rank ({measure_label(self.measures[0])}): "
        title += "; ".join(steady) if steady else "no shared category stands out"
        caption = (
            f"Regression, over all pairs of models, of the standard deviation over data sets of a "
            f"pair's rank (scaled to 0 to 1) on whether its models share each category. Negative: "
            f"pairs that share it keep their rank. p by permuting models (MRQAP, families "
            f"exchanged as wholes), Holm-corrected; filled: below 5 %. {'; '.join(parts)}. Ranks "
            f"near either end can change less, so that how alike two models are plays a part."
        )
        return Description(title, caption, f"Points, a row per category. {caption}")
