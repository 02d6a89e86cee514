"""Digests of tables: the small, stable JSON of ``metrics/``, by which runs are compared.

Numbers are rounded to 6 decimals, None where there is none. Keys hold letters, digits and ``_``
only, since `dvc metrics` splits names on dots.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from simcons.consistency.analysis import ALL
from simcons.core.errors import UserError

_DIGITS = 6
_GROUP = ["measure", "method", "category", "group_1", "group_2"]


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """Return the digest of `by_category` for ``metrics/consistency_groups.json``.

    Parameters
    ----------
    table
        With or without a column ``measure`` (several measures may be concatenated).

    Returns
    -------
    dict
        ``{measure: {method: {"all": {...}, category: {"value_1__value_2": {...}}}}}`` with
        ``median, q1, q3`` of r over data set pairs, ``n_dataset_pairs`` with a defined r,
        ``n_undefined`` and ``n_model_pairs``.
    """
    data = table if "measure" in table.columns else table.assign(measure="similarity")
    result: dict[str, Any] = {}
    for names, part in data.groupby(_GROUP, sort=True):
        n_pairs = int(part["n_pairs"].iloc[0])
        _insert(result, names, {**quartiles(part["r"]), "n_model_pairs": n_pairs})
    return result


def summarise_intervals(table: pd.DataFrame) -> dict[str, Any]:
    """Return the digest of `consistency_intervals` for ``metrics/consistency_groups.json``.

    The median over data set pairs with the BCa interval over models and data sets, all data set
    pairs included.

    Returns
    -------
    dict
        ``{measure: {method: {category: {"value_1__value_2": {low, high, available}}}}}``,
        ``all`` without the inner level; limits are None where unavailable.
    """
    chosen = table[
        (table["statistic"] == "median") & (table["scheme"] == "both") & table["overlapping"]
    ]
    result: dict[str, Any] = {}
    for row in chosen.sort_values(["measure", "method"], kind="stable").to_dict("records"):
        digest: dict[str, Any] = {"low": rounded(row["bca_low"]), "high": rounded(row["bca_high"])}
        digest["available"] = bool(row["available"])
        _insert(result, [row[name] for name in _GROUP], digest)
    return result


def headline(summary: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return the few numbers of ``metrics/consistency.json``, by which runs are compared.

    Parameters
    ----------
    summary
        The digests of `summarise` and `summarise_intervals` in one: of every group.
    method
        The correlation to take; the study's first.

    Returns
    -------
    dict
        ``{measure: {r, low, high, within: {objective: r}}}``: median r over data set pairs of all
        models with its BCa interval over models and data sets (None where there is none), and
        within each objective.
    """
    result: dict[str, Any] = {}
    for measure, by_method in summary.items():
        groups = by_method.get(key(method), {})
        everything = groups.get(ALL, {})
        within: dict[str, Any] = {}
        for name, digest in groups.get("objective", {}).items():
            one, _, two = name.partition("__")
            if one == two:
                within[one] = digest["median"]
        limits = {name: everything.get(name) for name in ("low", "high")}
        result[measure] = {"r": everything.get("median"), **limits, "within": within}
    return result


def summarise_gap(table: pd.DataFrame) -> dict[str, Any]:
    """Return the digest of r per data set for ``metrics/performance_gap_datasets.json``.

    Returns
    -------
    dict
        ``{measure: {method: {median, q1, q3, n_datasets, n_undefined, datasets: {name: r}}}}``,
        6 decimals, None where r is undefined.
    """
    result: dict[str, Any] = {}
    for (measure, method), part in table.groupby(["measure", "method"], sort=True):
        each: dict[str, Any] = {}
        for dataset, r in zip(part["dataset"], part["r"], strict=True):
            put(each, key(dataset), rounded(r))
        digest = {**quartiles(part["r"], "n_datasets"), "datasets": each}
        put(result.setdefault(key(measure), {}), key(method), digest)
    return result


def summarise_relations(table: pd.DataFrame) -> dict[str, Any]:
    """Return the digest of `relate_performance` for ``metrics/performance_gap_datasets.json``.

    Returns
    -------
    dict
        ``{against: {measure: ...}}`` as of `summarise_gap`.
    """
    return {
        str(against): summarise_gap(part) for against, part in table.groupby("against", sort=True)
    }


def relation_headline(summary: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return the few numbers of ``metrics/performance_gap.json``, by which runs are compared.

    Parameters
    ----------
    summary
        The digest of `summarise_relations`.
    method
        The correlation to take; the study's first.

    Returns
    -------
    dict
        ``{against: {measure: r}}``: the median over data sets, of one method.
    """
    return {
        against: {measure: digest[key(method)]["median"] for measure, digest in by_measure.items()}
        for against, by_measure in summary.items()
    }


def gap_by_domain(table: pd.DataFrame, domains: Mapping[str, str]) -> pd.DataFrame:
    """Return the quartiles of r over the data sets of each domain, from `relate_performance`.

    Returns
    -------
    DataFrame
        ``measure, against, method, domain, median, q1, q3, n_datasets, n_undefined``.

    Raises
    ------
    UserError
        If a data set has no domain.
    """
    missing = sorted(set(table["dataset"]) - set(domains))
    if missing:
        raise UserError(f"no domain is known for the data set(s) {', '.join(missing)}")
    names = ["measure", "against", "method", "domain"]
    data = table.assign(domain=table["dataset"].map(dict(domains)))
    return pd.DataFrame(
        [
            {**dict(zip(names, place, strict=True)), **quartiles(part["r"], "n_datasets")}
            for place, part in data.groupby(names, sort=True)
        ]
    )


def _insert(result: dict[str, Any], names: Sequence[object], digest: dict[str, Any]) -> None:
    """Put the digest of a group where its measure, method, category and two values say."""
    measure, method, category, one, two = map(key, names)
    place = result.setdefault(measure, {}).setdefault(method, {})
    if category == ALL:
        place[ALL] = digest
    else:
        put(place.setdefault(category, {}), f"{one}__{two}", digest)


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
