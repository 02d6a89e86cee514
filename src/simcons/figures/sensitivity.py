"""Do similarities depend on how many images they are measured on?

For data sets that are the same images in different numbers (one entry of the catalogue with other
options): similarities on few images against those on the most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from simcons.consistency import relation_intervals
from simcons.figures import layout, style
from simcons.figures.base import PRECISION, Entry, StudyFigure
from simcons.figures.schema import ByDataset, FigureInputs, Similarities
from simcons.figures.selection import dataset_names, pair_index, pair_values
from simcons.figures.words import Description, count, interval, measure_label, number

N_BOOTSTRAP = 1000


def figures(inputs: FigureInputs) -> Iterator[Entry]:
    """Yield a figure per series of data sets."""
    for name, members in series(inputs.datasets).items():
        figure = Sensitivity(
            inputs.similarities, inputs.models, inputs.datasets, members, inputs.method
        )
        yield Entry(f"sensitivity_{name}", PRECISION, None, figure)


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


@dataclass(frozen=True)
class Sensitivity(StudyFigure):
    """r with the largest set (left) and the median similarity (right) against images."""

    similarities: Mapping[str, ByDataset]
    models: pd.DataFrame
    datasets: pd.DataFrame
    members: list[str]
    method: str = "pearson"

    @cached_property
    def table(self) -> pd.DataFrame:
        """How similarities on each member of the series compare with those on the largest.

        Columns ``measure, dataset, n_images, r`` (over pairs of models, with the largest) with
        ``low, high`` (95 %, bootstrap over models, where there are six families), ``median``
        similarity, ``standard_error`` (median over pairs) and ``shift`` (mean difference from the
        largest).
        """
        parts = []
        for measure, by_dataset in self.similarities.items():
            present = [d for d in self.members if d in by_dataset]
            if len(present) >= 2:
                parts += [
                    {"measure": measure, "n_images": int(self.datasets["n_images"][d]), **row}
                    for d, row in self._compare(by_dataset, present).items()
                ]
        return pd.DataFrame(parts)

    def _compare(self, by_dataset: ByDataset, present: list[str]) -> dict[str, dict[str, Any]]:
        largest = by_dataset[present[-1]]
        pairs = {d: _pairs(by_dataset[d], largest, d) for d in present}
        found = relation_intervals(
            pd.concat(list(pairs.values())), "value", "reference", self.models, [self.method],
            n_bootstrap=N_BOOTSTRAP,
        ).set_index("dataset")  # fmt: skip
        rows = {}
        for d, own in pairs.items():
            error = by_dataset[d].standard_error
            errors = None if error is None else np.asarray(error)[pair_index(len(largest.models))]
            last = d == present[-1]  # with itself: 1, and no estimate
            rows[d] = {
                "dataset": d,
                "r": float(found["r"][d]),
                "low": np.nan if last else float(found["bca_low"][d]),
                "high": np.nan if last else float(found["bca_high"][d]),
                "median": float(own["value"].median()),
                "standard_error": np.nan if errors is None else float(np.nanmedian(errors)),
                "shift": float((own["value"] - own["reference"]).mean()),
            }
        return rows

    def paint(self) -> Figure:
        """Draw both panels, a line per measure."""
        figure = self.canvas(2.7)
        left, right = figure.subplots(1, 2)
        measures = list(dict.fromkeys(self.table["measure"]))
        colours, markers = style.looks("measure", measures)
        for k, measure in enumerate(measures):
            part = self.table[self.table["measure"] == measure]
            # Side by side: equal numbers of images would hide each other's bars.
            x = part["n_images"] * 1.04 ** (k - (len(measures) - 1) / 2)
            look: dict[str, Any] = {"color": colours[measure], "marker": markers[measure],
                                    "markersize": 3.5, "linewidth": 0.8}  # fmt: skip
            left.plot(x, part["r"], **look)
            left.vlines(x, part["low"], part["high"], color=colours[measure], linewidth=1.0)
            right.plot(x, part["median"], **look)
            spread = part["standard_error"]
            right.vlines(x, part["median"] - spread, part["median"] + spread,
                         color=colours[measure], linewidth=1.0)  # fmt: skip
        left.set_ylabel("r with the largest set", fontsize=7)
        right.set_ylabel("median similarity ± standard error", fontsize=7)
        for axis in (left, right):
            _axis(axis, sorted(set(self.table["n_images"])))
        layout.measure_legend(figure, measures, colours, markers)
        return figure

    def describe(self) -> Description:
        """Say r of the smallest with the largest, and by how much its similarities are off."""
        name = dataset_names(self.datasets)[self.members[-1]]
        most = int(self.datasets["n_images"][self.members[-1]])
        parts = []
        for measure, part in self.table.groupby("measure", sort=False):
            each = [
                f"{row['n_images']:,}: r {number(row['r'], 3)}{interval(row['low'], row['high'])}, "
                f"difference {number(row['shift'], 3)}"
                for row in part.iloc[:-1].to_dict("records")
            ]
            parts.append(f"{measure_label(str(measure))}: {'; '.join(each)}")
        first = self.table.iloc[0]
        title = (
            f"{name}: similarities on {first['n_images']:,} images correlate with those on "
            f"{most:,} with r = {number(first['r'])} ({measure_label(str(first['measure']))})"
        )
        caption = (
            f"Similarities of all pairs of models on {name}, measured on "
            f"{count(len(self.members), 'number')} of images. Left: {self.method.capitalize()} r "
            f"over pairs of models with the similarities on {most:,} images (bars: 95 % intervals "
            f"by a bootstrap over models). Right: median similarity and the median standard error. "
            f"By number of images, with the mean difference from {most:,}: {'. '.join(parts)}. "
            f"Smaller sets are drawn from the same images, so that r is not that of independent "
            f"samples."
        )
        return Description(title, caption, f"Two line plots. {caption}")


def _pairs(matrix: Similarities, largest: Similarities, dataset: str) -> pd.DataFrame:
    first, second = pair_index(len(matrix.models))
    ids = np.array(matrix.models, dtype=object)
    values = {"value": pair_values(matrix), "reference": pair_values(largest)}
    return pd.DataFrame(
        {"dataset": dataset, "model_1": ids[first], "model_2": ids[second], **values}
    )


def _axis(axis: Axes, sizes: list[int]) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xticks(sizes, [f"{n:,}" for n in sizes], rotation=30, ha="right",
                    rotation_mode="anchor")  # fmt: skip
    axis.set_xlabel("images")
    axis.grid()
