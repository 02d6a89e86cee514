"""What goes with a pair of models keeping its rank from data set to data set (MRQAP)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.inputs import CATEGORY_LABELS, LEVEL, Description, measure_label, number, p_is


def predictor_label(predictor: str) -> str:
    """Return "same training objective" for ``same objective``."""
    category = predictor.removeprefix("same ")
    return f"same {CATEGORY_LABELS.get(category, category)}"


@style.styled
def draw(drivers: pd.DataFrame, measures: Sequence[str]) -> Figure:
    """Draw the coefficient of every predictor, a mark per measure; filled where p < .05.

    Predictors without a coefficient have no row (the caption says why); p values stand in a column
    of their own.
    """
    title = describe(drivers, measures).title
    estimated = drivers[np.isfinite(drivers["coefficient"].astype(float))]
    predictors = list(dict.fromkeys(estimated["predictor"]))
    row = 0.13 * len(measures) + 0.12  # inches
    figure = style.new_figure(
        style.FULL_WIDTH, row * max(len(predictors), 2) + 1.15,
        style.wrap_title(title, style.FULL_WIDTH),
    )  # fmt: skip
    axis = figure.subplots()
    axis.axvline(0, color=style.MUTED, linewidth=0.8)
    colours, markers = style.category_colours("measure", measures), style.category_markers(measures)
    for k, measure in enumerate(measures):
        part = estimated[estimated["measure"] == measure]
        for predictor, coefficient, p in zip(
            part["predictor"], part["coefficient"], part["p_holm"], strict=True
        ):
            place = predictors.index(predictor) + layout.apart(k, len(measures), 0.7)
            axis.hlines(place, 0, coefficient, color=colours[measure], linewidth=1.2)
            face = colours[measure] if p < LEVEL else "white"
            axis.plot([coefficient], [place], marker=markers[measure], markersize=4.5,
                      color=colours[measure], markerfacecolor=face)  # fmt: skip
            axis.text(1.02, place, p_is(float(p)), transform=axis.get_yaxis_transform(),
                      fontsize=6.5, va="center_baseline", color=style.INK)  # fmt: skip
    axis.margins(x=0.05)
    axis.set_yticks(range(len(predictors)), [predictor_label(p) for p in predictors])
    axis.set_ylim(len(predictors) - 0.4, -0.6)
    axis.set_xlabel("change of the standard deviation of a pair's rank over data sets")
    layout.row_axis(axis)
    layout.measure_legend(figure, measures, colours, markers)
    return figure


def describe(drivers: pd.DataFrame, measures: Sequence[str]) -> Description:
    """Say every coefficient and its p value, and what the predictors explain together."""
    parts = []
    steady: list[str] = []
    for measure in measures:
        part = drivers[drivers["measure"] == measure]
        words = []
        for row in part.to_dict("records"):
            name = predictor_label(row["predictor"])
            if not np.isfinite(row["coefficient"]):
                words.append(f"{name} n/a ({row['reason']})")
                continue
            words.append(f"{name} {number(row['coefficient'], 3)} ({p_is(float(row['p_holm']))})")
            if measure == measures[0] and row["p_holm"] < LEVEL:
                steady.append(f"{name}, {'less' if row['coefficient'] < 0 else 'more'}")
        explained = float(part["r_squared"].iloc[0]) if len(part) else float("nan")
        parts.append(f"{measure_label(measure)} (R² {number(explained)}): {', '.join(words)}")
    title = f"Which pairs of models change their rank ({measure_label(measures[0])}): "
    title += "; ".join(steady) if steady else "no shared category stands out"
    caption = (
        f"Regression, over all pairs of models, of the standard deviation over data sets of a "
        f"pair's rank (scaled to 0 to 1) on whether its models share each category. Negative: "
        f"pairs that share it keep their rank. p by permuting models (MRQAP, families exchanged as "
        f"wholes), Holm-corrected; filled: below 5 %. {'; '.join(parts)}. Ranks near either end "
        f"can change less, so that how alike two models are plays a part."
    )
    return Description(title, caption, f"Points, a row per category. {caption}")
