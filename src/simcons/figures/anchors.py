"""Single anchor models: is one model's similarity to all others the same on every data set?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.category_boxes import box
from simcons.figures.inputs import (
    CATEGORY_LABELS,
    Description,
    count,
    measure_label,
    number,
    r_is,
)


def medians(anchors: pd.DataFrame, measure: str, method: str = "pearson") -> pd.Series:
    """Return the median r over data set pairs of each anchor, highest first."""
    rows = anchors[(anchors["measure"] == measure) & (anchors["method"] == method)]
    found = rows.groupby("anchor")["r"].median().dropna()
    return found.loc[sorted(found.index, key=lambda name: (-found[name], str(name)))]


def quartiles(anchors: pd.DataFrame, measure: str, anchor: str, method: str) -> tuple[float, float]:
    """Return the quartiles of r over data set pairs of an anchor."""
    rows = anchors[(anchors["measure"] == measure) & (anchors["method"] == method)]
    q1, q3 = rows.loc[rows["anchor"] == anchor, "r"].quantile([0.25, 0.75])
    return float(q1), float(q3)


@style.styled
def draw(
    anchors: pd.DataFrame,
    models: pd.DataFrame,
    measures: Sequence[str],
    method: str = "pearson",
    category: str = "objective",
) -> Figure:
    """Draw a box per anchor (rows) and measure (panels), sorted by the first measure's median."""
    order = list(medians(anchors, measures[0], method).index)
    title = describe(anchors, models, measures, method).title
    figure = style.new_figure(
        style.FULL_WIDTH, 0.26 * len(order) + 1.5, style.wrap_title(title, 7.0)
    )
    axes = figure.subplots(1, len(measures), squeeze=False, sharex=True, sharey=True)[0]
    colours = style.category_colours(category, models[category].astype(str))
    random = np.random.default_rng(0)
    for axis, measure in zip(axes, measures, strict=True):
        rows = anchors[(anchors["measure"] == measure) & (anchors["method"] == method)]
        for y, name in enumerate(order):
            r = rows.loc[rows["anchor"] == name, "r"].to_numpy(float)
            r = r[np.isfinite(r)]
            if len(r):
                box(axis, r, y, colours[str(models.at[name, category])], random)
        layout.row_axis(axis, measure_label(measure))
    axes[0].set_yticks(range(len(order)), [style.short(str(name), 32) for name in order])
    axes[0].set_ylim(len(order) - 0.4, -0.6)
    layout.limits_of_r(axes)
    axes[len(axes) // 2].set_xlabel(f"{method.capitalize()} r over data set pairs")
    shown = sorted({str(models.at[name, category]) for name in order})
    layout.category_legend(
        figure, {name: colours[name] for name in shown}, CATEGORY_LABELS.get(category, category)
    )
    return figure


def describe(
    anchors: pd.DataFrame,
    models: pd.DataFrame,
    measures: Sequence[str],
    method: str = "pearson",
) -> Description:
    """Say median and quartiles of every anchor under the first measure.

    Which anchor is highest is not called a finding: data set pairs share data sets, so that no
    test between single models is valid here.
    """
    found = medians(anchors, measures[0], method)
    if found.empty:
        text = "Single anchor models: no r is available."
        return Description(text, text, text)
    label = measure_label(measures[0])
    limits = {str(name): quartiles(anchors, measures[0], str(name), method) for name in found.index}
    listed = ", ".join(
        f"{name} {number(value)} ({number(limits[str(name)][0])} to {number(limits[str(name)][1])})"
        for name, value in found.items()
    )
    top, low = str(found.index[0]), str(found.index[-1])
    if len(found) == 1:
        q1, q3 = limits[top]
        title = (
            f"{label}, similarities of {style.short(top)} to all other models: median "
            f"{r_is(float(found.iloc[0]))}, quartiles {number(q1)} and {number(q3)}"
        )
    else:
        title = (
            f"{label}, similarities of single models to all others: median r from "
            f"{number(float(found.iloc[-1]))} ({style.short(low)}) to "
            f"{number(float(found.iloc[0]))} ({style.short(top)})"
        )
    caption = (
        f"{method.capitalize()} r over data set pairs of a model's similarities to all others, for "
        f"{count(len(found), 'anchor model')}. Medians (and quartiles), {label}: {listed}. Data "
        f"set pairs share data sets: the spread of a box is no standard error, and the order of "
        f"single models no test."
    )
    return Description(title, caption, f"Box plots. {caption}")
