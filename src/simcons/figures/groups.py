"""Groups of models in tidy tables: which rows are theirs, and what they are called."""

from __future__ import annotations

import pandas as pd

from simcons.figures import style
from simcons.figures.inputs import interval, value_label

Group = tuple[str, str, str]  # category, group_1, group_2
EVERYTHING: Group = ("all", "all", "all")


def select(
    table: pd.DataFrame, measure: str, method: str | None, group: Group = EVERYTHING
) -> pd.DataFrame:
    """Return the rows of one measure, method and group pair (in either order of the groups).

    Some tables are of no method: None.
    """
    category, first, second = group
    rows = table[(table["measure"] == measure) & (table["category"] == category)]
    rows = rows if method is None else rows[rows["method"] == method]
    if category == "all":
        return rows
    forward = (rows["group_1"] == first) & (rows["group_2"] == second)
    backward = (rows["group_1"] == second) & (rows["group_2"] == first)
    return rows[forward | backward]


def group_interval(
    intervals: pd.DataFrame | None, measure: str, method: str, group: Group = EVERYTHING
) -> str:
    """Return " [0.61, 0.80]", the interval of a group's median r, or nothing."""
    if intervals is None:
        return ""
    rows = select(intervals, measure, method, group)
    return interval(float(rows["low"].iloc[0]), float(rows["high"].iloc[0])) if len(rows) else ""


def group_label(group: Group) -> str:
    """Return the words for a group pair."""
    category, first, second = group
    if category == "all":
        return "all models"
    first, second = value_label(category, first), value_label(category, second)
    return f"within {first}" if first == second else f"{first} × {second}"


def group_order(table: pd.DataFrame, category: str = "objective") -> list[Group]:
    """Return all models, then the pairs within each value of a category, that a table has."""
    rows = table[(table["category"] == category) & (table["group_1"] == table["group_2"])]
    inside = [(category, name, name) for name in style.ordered(set(rows["group_1"]))]
    return [EVERYTHING, *inside] if (table["category"] == "all").any() else inside


def counted(reasons: pd.Series) -> str:
    """Return how often each reason occurs: "biased measure: 1; no split halves: 3"."""
    counts = reasons[reasons != ""].value_counts().sort_index()
    return "; ".join(f"{reason}: {n}" for reason, n in counts.items())
