"""Similarity on one data set against similarity on another, a point per pair of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from simcons.figures import layout, style
from simcons.figures.inputs import (
    Description,
    Similarities,
    count,
    dataset_names,
    measure_label,
    number,
    ordered_datasets,
    pair_index,
    pair_values,
    pearson,
)


def typical_pairs(
    by_dataset: Mapping[str, Similarities], datasets: pd.DataFrame
) -> list[tuple[str, str]]:
    """Return the data set pairs with the highest, the median and the lowest r over all pairs.

    Fewer than three data set pairs: all there are. Ties are broken by the order of data sets.
    """
    order = ordered_datasets(datasets, by_dataset)
    scored = []
    for i, first in enumerate(order):
        for second in order[i + 1 :]:
            r = pearson(pair_values(by_dataset[first]), pair_values(by_dataset[second]))
            scored.append((r if np.isfinite(r) else -2.0, first, second))
    scored.sort(key=lambda entry: -entry[0])
    picked = sorted({0, len(scored) // 2, len(scored) - 1}) if scored else []
    return [(scored[k][1], scored[k][2]) for k in picked]


def within_groups(ids: list[str], models: pd.DataFrame, category: str) -> dict[str, np.ndarray]:
    """Return, for each category value, which unordered pairs lie within it, (n_pairs,) bool."""
    values = models.loc[ids, category].astype(str).to_numpy()
    first, second = pair_index(len(ids))
    same = values[first] == values[second]
    return {name: same & (values[first] == name) for name in sorted(set(values))}


def correlations(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    pair: tuple[str, str],
    category: str = "objective",
) -> dict[str, tuple[float, int]]:
    """Return Pearson's r and the number of model pairs, for all pairs and within each group."""
    x, y = (pair_values(by_dataset[dataset]) for dataset in pair)
    found = {"all pairs": (pearson(x, y), len(x))}
    for name, chosen in within_groups(by_dataset[pair[0]].models, models, category).items():
        found[name] = (pearson(x[chosen], y[chosen]), int(chosen.sum()))
    return found


@style.styled
def draw(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    pairs: Sequence[tuple[str, str]] | None = None,
    category: str = "objective",
) -> Figure:
    """Draw a panel for each data set pair (`typical_pairs` by default), r in the legend below."""
    chosen = typical_pairs(by_dataset, datasets) if pairs is None else list(pairs)
    title = describe(by_dataset, models, datasets, measure, chosen, category).title
    n_entries = 1 + models[category].nunique()
    n_panels = max(len(chosen), 1)
    width = min(style.FULL_WIDTH, 2.6 * n_panels + 0.4)
    title = style.wrap_title(title, width)
    height = width / n_panels + 0.135 * n_entries + 0.35 + 0.15 * title.count("\n")
    figure = style.new_figure(width, height, title)
    axes = layout.panel_grid(figure, n_panels, n_panels)
    if not chosen:
        layout.say_absent(axes[0], "Needs two data sets.")
    for axis, pair in zip(axes, chosen, strict=False):
        _panel(axis, by_dataset, models, dataset_names(datasets), pair, category)
    return figure


def _panel(
    axis: Axes,
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    names: dict[str, str],
    pair: tuple[str, str],
    category: str,
) -> None:
    x, y = (pair_values(by_dataset[dataset]) for dataset in pair)
    colours = style.category_colours(category, models[category].astype(str))
    markers = style.category_markers(models[category].astype(str))
    groups = within_groups(by_dataset[pair[0]].models, models, category)
    layout.grouped_points(axis, x, y, groups, colours, markers)
    _same_limits(axis, x, y)
    axis.set_xlabel(style.clipped(names[pair[0]], 26))
    axis.set_ylabel(style.clipped(names[pair[1]], 26))
    r = correlations(by_dataset, models, pair, category)
    handles = [_entry("all pairs", *r["all pairs"], style.NEUTRAL, "o")]
    present = [name for name in groups if r[name][1]]
    handles += [_entry(name, *r[name], colours[name], markers[name]) for name in present]
    # Below the axis label by a length in inches, which does not change with the panel's size.
    below = axis.transAxes + ScaledTranslation(-0.2, -0.4, axis.figure.dpi_scale_trans)
    axis.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, 0), fontsize=6.5,
                bbox_transform=below, labelspacing=0.25, borderaxespad=0)  # fmt: skip
    axis.set_anchor("N")


def _entry(name: str, r: float, n: int, colour: str, marker: str) -> Line2D:
    text = f"{style.short(name, 18)}: r = {number(r)} ({n:,})"
    return layout.marker_handle(text, colour, marker)


def _same_limits(axis: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Give both axes one range and draw the diagonal, where both similarities are equal."""
    both = np.concatenate([x, y])
    both = both[np.isfinite(both)]
    low, high = (both.min(), both.max()) if len(both) else (0.0, 1.0)
    margin = 0.05 * max(high - low, 0.02)
    limits = (low - margin, high + margin)
    axis.set(xlim=limits, ylim=limits, aspect="equal")
    axis.plot(limits, limits, color=style.GRID, linewidth=0.8, zorder=0)


def describe(
    by_dataset: Mapping[str, Similarities],
    models: pd.DataFrame,
    datasets: pd.DataFrame,
    measure: str,
    pairs: Sequence[tuple[str, str]] | None = None,
    category: str = "objective",
) -> Description:
    """Say r of every data set pair shown, over all pairs and within each objective."""
    chosen = typical_pairs(by_dataset, datasets) if pairs is None else list(pairs)
    label, names = measure_label(measure), dataset_names(datasets)
    if not chosen:
        text = f"{label}: a comparison over data sets needs two data sets."
        return Description(text, text, text)
    parts, over_all = [], []
    for pair in chosen:
        r = correlations(by_dataset, models, pair, category)
        over_all.append(r["all pairs"][0])
        inside = ", ".join(
            f"{name} {number(value)}" for name, (value, _) in r.items() if name != "all pairs"
        )
        parts.append(
            f"{names[pair[0]]} against {names[pair[1]]}: r = {number(r['all pairs'][0])} over "
            f"{count(r['all pairs'][1], 'pair')} of models (within {inside})"
        )
    typical = len(chosen) == 3 and chosen == typical_pairs(by_dataset, datasets)
    places = (" (highest)", " (median)", " (lowest)") if typical else ("",) * len(chosen)
    title = f"{label}: similarity on one data set against another, r = " + ", ".join(
        f"{number(r)}{place}" for r, place in zip(over_all, places, strict=True)
    )
    caption = (
        f"A point is a pair of models; coloured where both share the objective. {'. '.join(parts)}."
        " Numbers in brackets in the legend count pairs of models; r needs at least 3."
    )
    if typical:
        caption += " Shown: the data set pairs with the highest, the median and the lowest r."
    return Description(title, caption, f"Scatter plots. {caption}")
