"""Consistency: how well similarities on one data set tell those on another.

For model sets A and B and a data set D, s(D) is the vector of similarities over the unordered
pairs {a in A, b in B, a != b}; the consistency between D1 and D2 is the correlation of s(D1) with
s(D2) (Ciernik et al. 2025, section 3). Point estimates only; intervals and tests lie beside.
"""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simcons.consistency.correlation import check_method, correlation_matrix, is_constant
from simcons.consistency.pairs import (
    Floats,
    PairIndex,
    Stack,
    membership,
    pair_index,
    pair_vectors,
    stack,
)
from simcons.core.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

MIN_PAIRS = 3
ALL = "all"
_DIGITS = 6

LEFT_OUT_COLUMNS = [
    "category",
    "group_1",
    "group_2",
    "n_models_1",
    "n_models_2",
    "n_pairs",
    "reason",
]


@dataclass(frozen=True)
class Group:
    """Two model sets whose pairs are analysed together.

    Attributes
    ----------
    category
        The model table's column, or ``all``.
    group_1, group_2
        The two values of the category (equal: pairs within one value).
    first, second
        Masks (m,) over the stack's models.
    """

    category: str
    group_1: str
    group_2: str
    first: NDArray[np.bool_]
    second: NDArray[np.bool_]

    @property
    def pairs(self) -> PairIndex:
        """The group's unordered pairs."""
        return pair_index(self.first, self.second)

    def describe(self) -> dict[str, Any]:
        """Return the group's names, as columns of a table."""
        return {"category": self.category, "group_1": self.group_1, "group_2": self.group_2}


@dataclass(frozen=True)
class ConsistencyTables:
    """Results of `by_category`.

    Attributes
    ----------
    table
        ``[measure,] category, group_1, group_2, method, dataset_1, dataset_2, r, n_pairs``; r is
        NaN where it is undefined (and then listed in ``left_out``).
    left_out
        ``[measure,] category, group_1, group_2, n_models_1, n_models_2, n_pairs, reason``.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame


def consistency(
    similarities: Mapping[str, SimilarityMatrix],
    first: Iterable[str] | None = None,
    second: Iterable[str] | None = None,
    method: str = "pearson",
) -> pd.DataFrame:
    """Return the consistency of two model sets between all pairs of data sets.

    Parameters
    ----------
    similarities
        A similarity matrix per data set.
    first, second
        Model ids of the two sets (None: all models); they may overlap. Pairs are unordered and
        unique, a model is never paired with itself.
    method
        ``pearson``, ``spearman`` or ``kendall``.

    Returns
    -------
    DataFrame
        A row per data set pair: ``dataset_1, dataset_2, r, n_pairs``, sorted. r is NaN, with a
        warning that names the data set, where the similarities do not vary.

    Raises
    ------
    UserError
        With fewer than two data sets or three model pairs, an unknown method, or a model that is
        missing from a data set.
    """
    check_method(method)
    sets = [None if s is None else list(s) for s in (first, second)]
    wanted = None if None in sets else [model for s in sets if s is not None for model in s]
    lined_up = stack(similarities, wanted)
    _need_two(lined_up)
    pairs = pair_index(*(membership(lined_up.models, s) for s in sets))
    if len(pairs) < MIN_PAIRS:
        raise UserError(
            f"consistency: the two model sets have {len(pairs)} model pair(s); "
            f"a correlation needs at least {MIN_PAIRS}"
        )
    vectors = pair_vectors(lined_up.values, pairs)
    constant = _constant_datasets(lined_up, vectors)
    if constant:
        warnings.warn(f"r is undefined: {_constant_reason(constant)}", stacklevel=2)
    return _rows(lined_up.datasets, correlation_matrix(vectors, method), len(pairs))


def by_category(
    similarities: Mapping[str, SimilarityMatrix],
    models: pd.DataFrame,
    categories: Sequence[str],
    methods: Sequence[str] = ("pearson", "spearman"),
    min_pairs: int = MIN_PAIRS,
    *,
    measure: str | None = None,
) -> ConsistencyTables:
    """Return the consistency for all models and for every pair of values of each category.

    Parameters
    ----------
    similarities
        A similarity matrix per data set.
    models
        Model table indexed by id with a column per category; it may hold further models.
    categories
        Columns of ``models``.
    methods
        Correlations.
    min_pairs
        Groups with fewer model pairs are left out, and listed; at least 3.
    measure
        If given, a column ``measure`` with this value comes first in both tables.

    Raises
    ------
    UserError
        For an unknown category or method, a model that is not in the table or is missing from a
        data set, or ``min_pairs`` below 3.
    """
    if min_pairs < MIN_PAIRS:
        raise UserError(
            f"consistency.min_pairs: got {min_pairs}; a correlation needs at least {MIN_PAIRS}"
        )
    for method in methods:
        check_method(method)
    lined_up = stack(similarities)
    _need_two(lined_up)
    table = []
    left_out = [*unlabelled(lined_up.models, models, categories)]
    for group in groups(lined_up.models, models, categories):
        rows, problems = _analyse(lined_up, group, methods, min_pairs)
        table.extend(rows)
        left_out.extend(problems)
    columns = [*["category", "group_1", "group_2", "method"], "dataset_1", "dataset_2"]
    result = pd.concat(table, ignore_index=True) if table else pd.DataFrame()
    return ConsistencyTables(
        with_measure(result.reindex(columns=[*columns, "r", "n_pairs"]), measure),
        with_measure(pd.DataFrame(left_out, columns=LEFT_OUT_COLUMNS), measure),
    )


def groups(models: list[str], table: pd.DataFrame, categories: Sequence[str]) -> list[Group]:
    """Return the group of all models and, per category, every unordered pair of its values.

    Parameters
    ----------
    models
        Ids, in the order of the masks.
    table
        Model table indexed by id.
    categories
        Its columns to use. Models without a value are in no group of that category.
    """
    everyone = np.ones(len(models), dtype=bool)
    found = [Group(ALL, ALL, ALL, everyone, everyone)]
    for category in categories:
        labels = category_values(models, table, category)
        values = sorted({v for v in labels if v is not None})
        masks = {v: np.array([label == v for label in labels], dtype=bool) for v in values}
        found += [
            Group(category, a, b, masks[a], masks[b])
            for a, b in itertools.combinations_with_replacement(values, 2)
        ]
    return found


def category_values(models: list[str], table: pd.DataFrame, category: str) -> list[str | None]:
    """Return each model's value of a category as text, None where it has none.

    Raises
    ------
    UserError
        For an unknown category or a model that the table lacks.
    """
    if category not in table.columns:
        raise UserError(
            f"unknown category {category!r}; {did_you_mean(category, map(str, table.columns))}"
        )
    missing = [model for model in models if model not in table.index]
    if missing:
        raise UserError(
            f"the model table has no row for {len(missing)} model(s) with similarities: "
            f"{', '.join(missing[:8])}; add them to the catalogue"
        )
    return [None if pd.isna(v) else str(v) for v in table.loc[models, category]]


def unlabelled(
    models: list[str], table: pd.DataFrame, categories: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a row of the left-out list per category that some models have no value of."""
    rows = []
    for category in categories:
        labels = category_values(models, table, category)
        without = [m for m, label in zip(models, labels, strict=True) if label is None]
        if without:
            reason = f"no value of {category}: {', '.join(without)}"
            rows.append(_left_out(category, "", "", len(without), len(without), 0, reason))
    return rows


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """Return the small, stable digest for ``metrics/consistency_groups.json``.

    Parameters
    ----------
    table
        The table of `by_category`, with or without a column ``measure`` (several measures may be
        concatenated).

    Returns
    -------
    dict
        ``{measure: {method: {"all": {...}, category: {"value_1__value_2": {...}}}}}`` with
        ``median, q1, q3`` of r over data set pairs (6 decimals, None where undefined),
        ``n_dataset_pairs`` with a defined r, ``n_undefined`` and ``n_model_pairs``. Keys hold
        letters, digits and ``_`` only.
    """
    data = table if "measure" in table.columns else table.assign(measure="similarity")
    result: dict[str, Any] = {}
    names = ["measure", "method", "category", "group_1", "group_2"]
    for (measure, method, category, one, two), part in data.groupby(names, sort=True):
        place = result.setdefault(key(measure), {}).setdefault(key(method), {})
        digest = {**quartiles(part["r"]), "n_model_pairs": int(part["n_pairs"].iloc[0])}
        if category == ALL:
            place[ALL] = digest
        else:
            put(place.setdefault(key(category), {}), f"{key(one)}__{key(two)}", digest)
    return result


def quartiles(r: pd.Series, count: str = "n_dataset_pairs") -> dict[str, float | int | None]:
    """Return median and quartiles (6 decimals; None if there is no value) and counts."""
    values = r.dropna().to_numpy(dtype=np.float64)
    q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75]) if len(values) else (None,) * 3
    return {
        "median": rounded(median),
        "q1": rounded(q1),
        "q3": rounded(q3),
        count: len(values),
        "n_undefined": int(r.isna().sum()),
    }


def rounded(value: float | None) -> float | None:
    """Round for a metrics file; None for what is absent or not a finite number."""
    return None if value is None or not np.isfinite(value) else round(float(value), _DIGITS)


def key(name: object) -> str:
    """Return a metrics key: letters, digits and ``_`` (`dvc metrics` splits names on dots)."""
    return re.sub(r"[^A-Za-z0-9]+", "_", str(name)).strip("_")


def put(place: dict[str, Any], name: str, value: Any) -> None:
    """Add a metrics entry; two names that differ in punctuation alone are refused."""
    if name in place:
        raise UserError(
            f"two names become the same metrics key {name!r}; rename one of them so that they "
            "differ in letters or digits"
        )
    place[name] = value


def with_measure(table: pd.DataFrame, measure: str | None) -> pd.DataFrame:
    """Put a constant column ``measure`` first, if one is given."""
    if measure is not None:
        table.insert(0, "measure", measure)
    return table


def dataset_pairs(datasets: list[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the two index arrays of all unordered data set pairs, in sorted order."""
    return np.triu_indices(len(datasets), k=1)


def _analyse(
    lined_up: Stack, group: Group, methods: Sequence[str], min_pairs: int
) -> tuple[list[pd.DataFrame], list[dict[str, Any]]]:
    """Return a group's rows and what has to be said about it."""
    pairs = group.pairs
    sizes = (int(group.first.sum()), int(group.second.sum()), len(pairs))
    names = (group.category, group.group_1, group.group_2)
    if len(pairs) < min_pairs:
        reason = f"{len(pairs)} model pair(s), fewer than {min_pairs}"
        return [], [_left_out(*names, *sizes, reason)]
    vectors = pair_vectors(lined_up.values, pairs)
    rows = []
    for method in methods:
        part = _rows(lined_up.datasets, correlation_matrix(vectors, method), len(pairs))
        rows.append(part.assign(**group.describe(), method=method))
    constant = _constant_datasets(lined_up, vectors)
    problems = [_left_out(*names, *sizes, _constant_reason(constant))] if constant else []
    return rows, problems


def _rows(datasets: list[str], r: Floats, n_pairs: int) -> pd.DataFrame:
    """Return the upper triangle of a (D, D) matrix as a table."""
    one, two = dataset_pairs(datasets)
    names = np.array(datasets, dtype=object)
    return pd.DataFrame(
        {"dataset_1": names[one], "dataset_2": names[two], "r": r[one, two], "n_pairs": n_pairs}
    )


def _left_out(
    category: str, one: str, two: str, n_1: int, n_2: int, n_pairs: int, reason: str
) -> dict[str, Any]:
    return dict(zip(LEFT_OUT_COLUMNS, (category, one, two, n_1, n_2, n_pairs, reason), strict=True))


def _constant_datasets(lined_up: Stack, vectors: Floats) -> list[str]:
    flags = is_constant(vectors)
    return [d for d, constant in zip(lined_up.datasets, flags, strict=True) if constant]


def _constant_reason(datasets: list[str]) -> str:
    return f"the similarities of all model pairs are equal on {', '.join(datasets)}"


def _need_two(lined_up: Stack) -> None:
    if len(lined_up.datasets) < 2:
        raise UserError(
            f"consistency needs at least two data sets, got {', '.join(lined_up.datasets)} alone"
        )
