"""What a table of the report is, and how rows of values become cells. No HTML.

The words of each table stand in ``page_tables.yaml``; its rows come from `summary` and `inference`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from simcons.catalog import CATEGORIES
from simcons.core.files import read_yaml
from simcons.figures.schema import FigureInputs
from simcons.figures.words import (
    AGAINST_LABELS,
    category_label,
    contrast_label,
    group_label,
    interval,
    measure_label,
    number,
    predictor_label,
    value_label,
)

GROUP = ["measure", "category", "group_1", "group_2"]
P_VALUES = ("p", "smallest_p", "p_permutation", "p_holm", "p_bonferroni", "p_rank_sum_bonferroni")
# Of the numbers that are not shown with two.
DECIMALS = {"accuracy": 1, "effective_models": 1, "ceiling": 3, "median_absolute_difference": 3,
            "reliability": 3, "rmse": 3, "se_median": 3, "coefficient": 4}  # fmt: skip


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
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def numeric(self, k: int) -> bool:
        """Return whether column ``k`` holds numbers (then it is aligned right)."""
        return any(row[k].value is not None for row in self.rows)


Row = dict[str, Any]
Rows = Callable[[FigureInputs], list[Row]]


def tables(inputs: FigureInputs, sources: Mapping[str, Rows]) -> list[Table]:
    """Return the tables of a study that have rows, in the order of ``page_tables.yaml``.

    Parameters
    ----------
    inputs
        The study.
    sources
        By table, what makes its rows. A row may lack a field, and hold a finished `Cell` in one.
    """
    made = []
    for name, words in read_yaml(Path(__file__).with_name("page_tables.yaml")).items():
        rows = sources[name](inputs)
        columns = [
            (heading, [cell(row, field) for row in rows])
            for heading, field in _columns(inputs, words["columns"])
        ]
        columns = [(heading, cells) for heading, cells in columns if any(c.text for c in cells)]
        headings = [heading for heading, _ in columns]
        across = list(zip(*(cells for _, cells in columns), strict=True))
        made.append(Table(name, words["title"], headings, across, words.get("note", "")))
    return [table for table in made if table.rows]


def _columns(inputs: FigureInputs, columns: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield heading and field of each column."""
    for heading, field in (pair for column in columns for pair in column.items()):
        if field == "every_measure":
            yield from ((measure_label(measure), measure) for measure in inputs.similarities)
        else:
            yield heading, field


def cell(row: Row, field: str) -> Cell:
    """Return what is shown of a row's field: its label, or its value by what it is."""
    if field in _LABELS:
        return Cell(_LABELS[field](row))
    if field == "interval":
        return _interval(row)
    value = row.get(field, "")
    if isinstance(value, Cell):
        return value
    if isinstance(value, str) or field == "reason":
        return Cell(value if isinstance(value, str) else "")
    finite = value is not None and bool(np.isfinite(value))
    if field.startswith("n_"):
        text = f"{int(value):,}"
    elif field in P_VALUES and finite:
        text = "< 0.001" if value < 0.001 else f"{value:.3f}"
    else:
        text = number(value, DECIMALS.get(field, 2))
    return Cell(text, float(value) if finite else None)


def _interval(row: Row) -> Cell:
    """Return an interval, or why there is none."""
    if "bca_low" not in row:
        return Cell("")
    if text := interval(row["bca_low"], row["bca_high"]).strip():
        return Cell(text, float(row["bca_low"]))
    reason = row.get("reason")
    return Cell(f"none: {reason}" if isinstance(reason, str) and reason else "not given")


def _measure(row: Row) -> str:
    errors = row["measure"] == "error_consistency"  # which stands beside the measures
    return AGAINST_LABELS[row["measure"]].capitalize() if errors else measure_label(row["measure"])


def _category(name: str) -> str:
    return "–" if name == "all" else category_label(name)


def _group(row: Row) -> str:
    group = (row["category"], row["group_1"], row["group_2"])
    return group_label(group) if row["group_1"] else "–"


def _values(category: str, *names: str) -> Callable[[Row], str]:
    """Return what names values of the category that a row names."""
    return lambda row: " and ".join(value_label(row[category], str(row[name])) for name in names)


_LABELS: dict[str, Callable[[Row], str]] = {
    "measure": _measure,
    "category": lambda row: _category(row["category"]),
    "group": _group,
    "contrast": lambda row: contrast_label(row["category"], row["group_1"], row["group_2"]),
    "both_groups": _values("category", "group_1", "group_2"),
    "both_sizes": lambda row: f"{row['n_models_1']} and {row['n_models_2']}",
    "both_categories": lambda row: " and ".join(_category(row[f"category_{k}"]) for k in (1, 2)),
    "reweighted": _values("category", "reweighted"),
    "value_1": _values("category_1", "value_1"),
    "value_2": _values("category_2", "value_2"),
    "predictor": lambda row: predictor_label(row["predictor"]),
    "against": lambda row: AGAINST_LABELS[row["against"]],
}


def records(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a table."""
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def by_group(table: pd.DataFrame) -> dict[tuple[str, ...], pd.DataFrame]:
    """Return the rows of each measure and group."""
    return {tuple(map(str, key)): part for key, part in table.groupby(GROUP, sort=False)}


def medians(part: pd.DataFrame) -> Row:
    """Return the median of every column of numbers; the page shows those that it has words for."""
    return {str(name): part[name].median() for name in part.select_dtypes("number")}


def per_group(
    inputs: FigureInputs, table: pd.DataFrame, digest: Callable[[pd.DataFrame], Row]
) -> list[Row]:
    """Return a row per measure and group, in the study's order: their names and a digest."""
    categories, measures = ["all", *CATEGORIES], list(inputs.similarities)

    def rank(key: tuple[str, ...]) -> tuple[int, int, tuple[str, ...]]:
        known = key[1] in categories
        at = categories.index(key[1]) if known else len(categories)
        return measures.index(key[0]), at, key[1:]

    parts = by_group(inputs.of_method(table))
    return [dict(zip(GROUP, key, strict=True)) | digest(parts[key])
            for key in sorted(parts, key=rank)]  # fmt: skip
