"""Is one group more consistent than another? Differences with intervals and permutation tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.inputs import (
    CATEGORIES,
    CATEGORY_LABELS,
    LEVEL,
    Description,
    interval,
    measure_label,
    number,
    p_is,
    value_label,
)

Contrast = tuple[str, str, str]  # category, group_1, group_2


def contrast_rows(contrasts: pd.DataFrame, method: str = "pearson") -> list[Contrast]:
    """Return the contrasts, ordered by category, then group."""
    rows = contrasts.loc[contrasts["method"] == method, ["category", "group_1", "group_2"]]
    found = {(str(c), str(a), str(b)) for c, a, b in rows.itertuples(index=False)}
    known = [c for c in CATEGORIES if c in {row[0] for row in found}]
    order = known + sorted({row[0] for row in found} - set(known))
    return sorted(found, key=lambda row: (order.index(row[0]), row[1:]))


def contrast_label(category: str, group_1: str, group_2: str, limit: int = 40) -> str:
    """Return "Supervised − VICReg"."""
    names = (style.short(value_label(category, name), limit) for name in (group_1, group_2))
    return " − ".join(names)


def _part(contrasts: pd.DataFrame, measure: str, method: str) -> pd.DataFrame:
    rows = contrasts[(contrasts["measure"] == measure) & (contrasts["method"] == method)]
    return rows.set_index(["category", "group_1", "group_2"])


@style.styled
def draw(contrasts: pd.DataFrame, measures: Sequence[str], method: str = "pearson") -> Figure:
    """Draw a row per contrast and a panel per measure: difference of mean r with its interval."""
    rows = contrast_rows(contrasts, method)
    title = describe(contrasts, measures, method).title
    height = 0.19 * max(len(rows), 4) + 1.15
    figure = style.new_figure(style.FULL_WIDTH, height, style.wrap_title(title, style.FULL_WIDTH))
    axes = figure.subplots(1, len(measures), squeeze=False, sharex=True, sharey=True)[0]
    colours = style.category_colours("measure", measures)
    for axis, measure in zip(axes, measures, strict=True):
        _panel(axis, _part(contrasts, measure, method), rows, colours[measure])
        layout.row_axis(axis, measure_label(measure))
    labels = [contrast_label(*row, limit=16) for row in rows]
    axes[0].set_yticks(range(len(rows)), labels, fontsize=6.5)
    axes[0].set_ylim(max(len(rows), 3) - 0.4, -0.6)
    middle = axes[len(axes) // 2]
    middle.set_xlabel(f"difference of mean {method.capitalize()} r over data set pairs")
    handles = [
        layout.marker_handle("p < 0.05 after Holm", style.INK, "o"),
        layout.marker_handle("p ≥ 0.05", style.INK, "o", hollow=True),
        layout.marker_handle("too few families for p < 0.05", style.INK, "x"),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=3)
    return figure


def _panel(axis: Axes, part: pd.DataFrame, rows: list[Contrast], colour: str) -> None:
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


def describe(
    contrasts: pd.DataFrame, measures: Sequence[str], method: str = "pearson"
) -> Description:
    """Say which contrasts remain after correction, and the largest difference with its interval."""
    rows = contrast_rows(contrasts, method)
    if not rows:
        text = "Contrasts between groups: no two groups have three pairs of models each."
        return Description(text, text, text)
    parts = []
    clear = n_testable = 0
    for measure in measures:
        part = _part(contrasts, measure, method)
        testable = part[part["smallest_p"] < LEVEL]
        sure = testable[testable["p_holm"] < LEVEL]
        if measure == measures[0]:
            clear, n_testable = len(sure), len(testable)
        words = f"{len(sure)} of {len(testable)} that can be tested"
        if len(part):
            largest = part.loc[part["difference"].abs().sort_values(ascending=False).index[0]]
            category, one, two = (str(part) for part in largest.name)
            name = contrast_label(category, one, two)
            words += (
                f", the largest {name} {number(largest['difference'])}"
                f"{interval(largest['bca_low'], largest['bca_high'])} "
                f"({p_is(float(largest['p_holm']))})"
            )
        parts.append(f"{measure_label(measure)}: {words}")
    title = (
        f"Differences in consistency between groups ({measure_label(measures[0])}): {clear} of "
        f"{n_testable} that can be tested remain after correction"
    )
    whole = ", ".join(dict.fromkeys(CATEGORY_LABELS.get(c, c) for c, _, _ in rows))
    caption = (
        f"Difference of the mean {method.capitalize()} r over data set pairs within two groups (by "
        f"{whole}); line: interval by a bootstrap over models and data sets, where each group has "
        f"six families and the study eight data sets. p: group labels permuted over families, "
        f"Holm-corrected. Differences that remain: {'; '.join(parts)}. Groups differ in more than "
        f"their label; see the contrasts within strata and the overlap of categories."
    )
    return Description(title, caption, f"Points with lines, a row per contrast. {caption}")
