"""Do similarities depend on how many images they are measured on?

For data sets that are the same images in different numbers (one entry of the catalogue with other
options): similarities on few images against those on the most.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from simcons.consistency import Settings, relation_intervals
from simcons.figures import layout, style
from simcons.figures.inputs import (
    Description,
    Similarities,
    count,
    dataset_names,
    interval,
    measure_label,
    number,
    pair_index,
    pair_values,
)

ByMeasure = Mapping[str, Mapping[str, Similarities]]
N_BOOTSTRAP = 1000


def series(datasets: pd.DataFrame) -> dict[str, list[str]]:
    """Return the data sets of each series of different sizes, smallest first.

    Parameters
    ----------
    datasets
        Indexed by id; columns ``series`` (data sets of one series are the same images) and
        ``n_images`` (on which similarity was measured). Without these there is no series.
    """
    if not {"series", "n_images"} <= set(datasets.columns):
        return {}
    found = {}
    sized = datasets[datasets["n_images"].notna()]
    for name, part in sized.groupby("series", sort=True):
        if part["n_images"].nunique() > 1:
            ordered = part.rename_axis("id").reset_index().sort_values(["n_images", "id"])
            found[str(name)] = [str(d) for d in ordered["id"]]
    return found


def sensitivity_table(
    similarities: ByMeasure, models: pd.DataFrame, datasets: pd.DataFrame, members: list[str]
) -> pd.DataFrame:
    """Return how similarities on each member of a series compare with those on the largest.

    Returns
    -------
    DataFrame
        ``measure, dataset, n_images, r`` (Pearson, over pairs of models, with the largest) with
        ``low, high`` (95 %, bootstrap over models, where there are six families), ``median``
        similarity, ``standard_error`` (median over pairs) and ``shift`` (mean difference from the
        largest).
    """
    parts = []
    for measure, by_dataset in similarities.items():
        present = [d for d in members if d in by_dataset]
        if len(present) < 2:
            continue
        largest = by_dataset[present[-1]]
        pairs = pd.concat([_pairs(by_dataset[d], largest, d) for d in present])
        settings = Settings(methods=["pearson"], n_bootstrap=N_BOOTSTRAP)
        found = relation_intervals(pairs, "value", "reference", models, settings)
        found = found.set_index("dataset")
        for d in present:
            own = pairs[pairs["dataset"] == d]
            error = by_dataset[d].standard_error
            rows = None if error is None else np.asarray(error)[pair_index(len(largest.models))]
            last = d == present[-1]  # with itself: 1, and no estimate
            parts.append(
                {
                    "measure": measure,
                    "dataset": d,
                    "n_images": int(datasets["n_images"][d]),
                    "r": float(found["r"][d]),
                    "low": np.nan if last else float(found["bca_low"][d]),
                    "high": np.nan if last else float(found["bca_high"][d]),
                    "median": float(own["value"].median()),
                    "standard_error": np.nan if rows is None else float(np.nanmedian(rows)),
                    "shift": float((own["value"] - own["reference"]).mean()),
                }
            )
    return pd.DataFrame(parts)


def _pairs(matrix: Similarities, largest: Similarities, dataset: str) -> pd.DataFrame:
    first, second = pair_index(len(matrix.models))
    ids = np.array(matrix.models, dtype=object)
    values = {"value": pair_values(matrix), "reference": pair_values(largest)}
    return pd.DataFrame(
        {"dataset": dataset, "model_1": ids[first], "model_2": ids[second], **values}
    )


@style.styled
def draw(
    similarities: ByMeasure, models: pd.DataFrame, datasets: pd.DataFrame, members: list[str]
) -> Figure:
    """Draw r with the largest (left) and the median similarity (right) against images."""
    table = sensitivity_table(similarities, models, datasets, members)
    title = _describe(table, datasets, members).title
    figure = style.new_figure(style.FULL_WIDTH, 2.7, style.wrap_title(title, style.FULL_WIDTH))
    left, right = figure.subplots(1, 2)
    measures = list(dict.fromkeys(table["measure"]))
    colours, markers = style.category_colours("measure", measures), style.category_markers(measures)
    for k, measure in enumerate(measures):
        part = table[table["measure"] == measure]
        # Side by side: equal numbers of images would hide each other's bars.
        x = part["n_images"] * 1.04 ** (k - (len(measures) - 1) / 2)
        look = {"color": colours[measure], "marker": markers[measure], "markersize": 3.5}
        left.plot(x, part["r"], linewidth=0.8, **look)
        left.vlines(x, part["low"], part["high"], color=colours[measure], linewidth=1.0)
        right.plot(x, part["median"], linewidth=0.8, **look)
        spread = part["standard_error"]
        right.vlines(x, part["median"] - spread, part["median"] + spread,
                     color=colours[measure], linewidth=1.0)  # fmt: skip
    left.set_ylabel("r with the largest set", fontsize=7)
    right.set_ylabel("median similarity ± standard error", fontsize=7)
    for axis in (left, right):
        _axis(axis, sorted(set(table["n_images"])))
    layout.measure_legend(figure, measures, colours, markers)
    return figure


def _axis(axis: Axes, sizes: list[int]) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xticks(sizes, [f"{n:,}" for n in sizes], rotation=30, ha="right",
                    rotation_mode="anchor")  # fmt: skip
    axis.set_xlabel("images")
    axis.grid()


def describe(
    similarities: ByMeasure, models: pd.DataFrame, datasets: pd.DataFrame, members: list[str]
) -> Description:
    """Say r of the smallest with the largest, and by how much its similarities are off."""
    return _describe(sensitivity_table(similarities, models, datasets, members), datasets, members)


def _describe(table: pd.DataFrame, datasets: pd.DataFrame, members: list[str]) -> Description:
    name = dataset_names(datasets)[members[-1]]
    most = int(datasets["n_images"][members[-1]])
    parts = []
    for measure, part in table.groupby("measure", sort=False):
        each = [
            f"{row['n_images']:,}: r {number(row['r'], 3)}{interval(row['low'], row['high'])}, "
            f"difference {number(row['shift'], 3)}"
            for row in part.iloc[:-1].to_dict("records")
        ]
        parts.append(f"{measure_label(str(measure))}: {'; '.join(each)}")
    first = table.iloc[0]
    title = (
        f"{name}: similarities on {first['n_images']:,} images correlate with those on {most:,} "
        f"with r = {number(first['r'])} ({measure_label(str(first['measure']))})"
    )
    caption = (
        f"Similarities of all pairs of models on {name}, measured on "
        f"{count(len(members), 'number')} of images. Left: Pearson r over pairs of models with the "
        f"similarities on {most:,} images (bars: 95 % intervals by a bootstrap over models). "
        f"Right: median similarity and the median standard error. By number of images, with the "
        f"mean difference from {most:,}: {'. '.join(parts)}. Smaller sets are drawn from the same "
        f"images, so that r is not that of independent samples."
    )
    return Description(title, caption, f"Two line plots. {caption}")
