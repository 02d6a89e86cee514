"""What a table of the report is: rows of cells, each a text and the number that it sorts by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from simcons.figures.words import number


@dataclass(frozen=True)
class Cell:
    """A table cell: what is shown, and the number that it sorts by (None for text)."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Parameters
    ----------
    name
        Identifier in the page.
    title
        Caption of the table.
    columns
        Headings.
    rows
        Rows of cells, as long as ``columns``.
    note
        A sentence below the caption.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]] = field(default_factory=list)
    note: str = ""

    def numeric(self, k: int) -> bool:
        """Return whether column ``k`` holds numbers (then it is aligned right)."""
        return any(row[k].value is not None for row in self.rows)

    def without_empty_columns(self) -> Table:
        """Return the table without columns that have no text in any row."""
        kept = [k for k in range(len(self.columns)) if any(row[k].text for row in self.rows)]
        columns = [self.columns[k] for k in kept]
        return replace(self, columns=columns, rows=[[row[k] for k in kept] for row in self.rows])


def cell(value: float, digits: int = 2) -> Cell:
    """Return a number as a cell; NaN is shown as "n/a" and sorts last."""
    finite = value is not None and bool(np.isfinite(value))
    return Cell(number(value, digits), float(value) if finite else None)
