"""Mean against standard deviation over data sets per pair of models, also after transforms.

Similarities are bounded by 1, so a high mean leaves little room for spread; the transforms stretch
the range near the bound (tan) or measure it as an angle (arccos), or press it together (tanh).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure

from simcons.figures import layout, style
from simcons.figures.base import SimilarityFigure
from simcons.figures.selection import correlation, pair_values, within_groups
from simcons.figures.words import Description, count, number, r_is

TRANSFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "similarity": lambda s: s,
    "tan": np.tan,
    "tanh": np.tanh,
    "arccos": lambda s: np.arccos(np.clip(s, -1.0, 1.0)),
}


@dataclass(frozen=True)
class MeanSpread(SimilarityFigure):
    """A panel per transform, a point per pair of models; needs two data sets."""

    method: str = "pearson"

    @cached_property
    def moments(self) -> dict[str, np.ndarray]:
        """Mean and standard deviation over data sets per transform, (2, n_pairs)."""
        values = np.stack([pair_values(self.by_dataset[dataset]) for dataset in self.order])
        found = {}
        for name, transform in TRANSFORMS.items():
            transformed = transform(values)
            found[name] = np.stack([transformed.mean(axis=0), transformed.std(axis=0, ddof=1)])
        return found

    @cached_property
    def r(self) -> dict[str, float]:
        """The correlation of mean and standard deviation per transform."""
        return {name: correlation(x, y, self.method) for name, (x, y) in self.moments.items()}

    def paint(self) -> Figure:
        """Draw the panels side by side."""
        figure = self.canvas(2.65)
        axes = layout.panel_grid(figure, len(self.moments), len(self.moments))
        groups = within_groups(self.ids, self.models, "objective")
        looks = style.looks("objective", self.models["objective"])
        for axis, (name, (mean, sd)) in zip(axes, self.moments.items(), strict=True):
            layout.grouped_points(axis, mean, sd, groups, looks)
            label = "s" if name == "similarity" else f"{name}(s)"
            axis.set_xlabel(f"mean of {label}", fontsize=7)
            axis.set_title(f"{label}: r = {number(self.r[name])}", fontsize=7.5)
            axis.set_ylim(bottom=0)
        axes[0].set_ylabel("standard deviation", fontsize=7)
        layout.pair_legend(figure, looks[0])
        return figure

    def describe(self) -> Description:
        """Say how spread goes with mean, per transform."""
        title = f"{self.label}: spread over data sets against mean, {r_is(self.r['similarity'])}"
        listed = ", ".join(f"{name} {number(value)}" for name, value in self.r.items())
        caption = (
            f"Standard deviation over {count(len(self.order), 'data set')} against mean of "
            f"{self.label}; a point is a pair of models. {self.method.capitalize()} r of mean and "
            f"standard deviation, also after transforms of s: {listed}. A similarity near its "
            f"bound of 1 can vary little."
        )
        return Description(title, caption, f"Scatter plots. {caption}")
