"""What a figure of a study is: one object that gives the words and the drawing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import style
from simcons.figures.schema import ByDataset, FigureInputs
from simcons.figures.selection import dataset_names, ordered_datasets, stack
from simcons.figures.words import Description, measure_label

PANELS_PER_ROW = 3

# The headings of the report.
SIMILARITY = "How similar are the models?"
CONSISTENCY = "Does similarity carry over between data sets?"
GROUPS = "Which models are consistent?"
DATASETS = "Between which data sets?"
PERFORMANCE = "Does similarity go with performance?"
PRECISION = "How precise are the similarities?"


@dataclass(frozen=True)
class StudyFigure(ABC):
    """A figure: what it shows of a study's inputs; it describes that, and draws it.

    The title of the drawing is that of the words, so that both come from the same numbers.
    """

    inputs: FigureInputs

    @abstractmethod
    def describe(self) -> Description:
        """Return title, caption and alternative text, each with the numbers that are seen."""

    @abstractmethod
    def paint(self) -> Figure:
        """Make the drawing; `draw` calls it under the style of all figures."""

    @cached_property
    def description(self) -> Description:
        """The words, made once."""
        return self.describe()

    @style.styled
    def draw(self) -> Figure:
        """Return the drawing, whatever the caller's matplotlib settings are."""
        return self.paint()

    def canvas(self, height: float, width: float = style.FULL_WIDTH) -> Figure:
        """Return an empty figure (inches) under this one's title."""
        return style.new_figure(width, height, style.wrap_title(self.description.title, width))

    @property
    def models(self) -> pd.DataFrame:
        """The models, by id."""
        return self.inputs.models

    @property
    def method(self) -> str:
        """The study's main correlation."""
        return self.inputs.method

    @property
    def method_label(self) -> str:
        """The main correlation's name for people."""
        return self.method.capitalize()

    @cached_property
    def names(self) -> dict[str, str]:
        """The display name of each data set."""
        return dataset_names(self.inputs.datasets)

    def ordered(self, present: Iterable[str]) -> list[str]:
        """Return the ids of the present data sets, by domain, then name."""
        return ordered_datasets(self.inputs.datasets, present)

    def looks(self, category: str = "objective") -> tuple[dict[str, str], dict[str, str]]:
        """Return the colours and the markers of a category's values."""
        return style.looks(category, self.models[category])


@dataclass(frozen=True)
class MeasuresFigure(StudyFigure):
    """A figure of a few measures side by side; at most three read well."""

    measures: Sequence[str]


@dataclass(frozen=True)
class SimilarityFigure(StudyFigure):
    """A figure of the similarities under one measure, on every data set."""

    measure: str

    @property
    def by_dataset(self) -> ByDataset:
        """The similarity matrix of each data set."""
        return self.inputs.similarities[self.measure]

    @cached_property
    def order(self) -> list[str]:
        """The data sets, by domain."""
        return self.ordered(self.by_dataset)

    @property
    def ids(self) -> list[str]:
        """The models, in the order of the matrices' rows."""
        return list(self.by_dataset[self.order[0]].models)

    @property
    def label(self) -> str:
        """The measure's name for people."""
        return measure_label(self.measure)

    @cached_property
    def matrices(self) -> np.ndarray:
        """Symmetric similarities in the order of data sets, (D, m, m)."""
        return stack(self.by_dataset, self.order)


class Entry(NamedTuple):
    """A figure in its place: file name without suffix, heading of the report, what it shows.

    ``measure`` is None where several or none are shown.
    """

    name: str
    section: str
    measure: str | None
    figure: StudyFigure


def by_three(
    name: str,
    section: str,
    figure: Callable[[FigureInputs, Sequence[str]], StudyFigure],
    inputs: FigureInputs,
    table: pd.DataFrame,
) -> Iterator[Entry]:
    """Yield a figure for every three measures that a table has of the main correlation."""
    measures = inputs.measures(table)
    for start in range(0, len(measures), PANELS_PER_ROW):
        many = len(measures) > PANELS_PER_ROW
        suffix = f"_{start // PANELS_PER_ROW + 1}" if many else ""
        some = measures[start : start + PANELS_PER_ROW]
        yield Entry(f"{name}{suffix}", section, None, figure(inputs, some))
