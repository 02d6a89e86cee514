"""What a figure of a study is: one object that gives the words and the drawing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from simcons.figures import style
from simcons.figures.schema import ByDataset
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
    """A figure: it holds what it shows, describes it, and draws it.

    The title of the drawing is that of the words, so that both come from the same numbers.
    """

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


@dataclass(frozen=True)
class SimilarityFigure(StudyFigure):
    """A figure of the similarities under one measure, on every data set."""

    by_dataset: ByDataset
    models: pd.DataFrame
    datasets: pd.DataFrame
    measure: str

    @cached_property
    def order(self) -> list[str]:
        """The data sets, by domain."""
        return ordered_datasets(self.datasets, self.by_dataset)

    @cached_property
    def names(self) -> dict[str, str]:
        """The display name of each data set."""
        return dataset_names(self.datasets)

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

    @property
    def description(self) -> Description:
        """Title, caption and alternative text."""
        return self.figure.description

    def draw(self) -> Figure:
        """Return the drawing."""
        return self.figure.draw()


def chunks(measures: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield at most three measures at a time, with a suffix for the file's name."""
    for start in range(0, len(measures), PANELS_PER_ROW):
        many = len(measures) > PANELS_PER_ROW
        suffix = f"_{start // PANELS_PER_ROW + 1}" if many else ""
        yield suffix, list(measures[start : start + PANELS_PER_ROW])
