"""The rows of the report's tables of inference: tests, range, ceilings, drivers and confounds.

Each comes from a table of the analysis, of the study's main correlation.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from simcons.catalog import CATEGORIES
from simcons.consistency import overlap_table
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import LEVEL
from simcons.figures.words import category_label, counted, measure_label
from simcons.report.tabulate import GROUP, Row, Rows, by_group, medians, per_group, records


def _as_it_is(name: str) -> Rows:
    return lambda inputs: records(inputs.of_method(inputs.table(name)))


def _mantel(inputs: FigureInputs) -> list[Row]:
    """Count, per group, the data set pairs with an r above chance."""

    def digest(part: pd.DataFrame) -> Row:
        part = part[np.isfinite(part["r"].astype(float))].sort_values("r", kind="stable")
        if part.empty:
            return {"n_tests": 0}
        counts = {"n_tests": len(part), "n_above": int((part["p_max"] < LEVEL).sum())}
        lowest = {"lowest": part["r"].iloc[0], "p": part["p_max"].iloc[0]}
        return counts | lowest | {"smallest_p": part["smallest_p"].max()}

    rows = per_group(inputs, inputs.table("mantel"), digest)
    return [row for row in rows if row["n_tests"]]


def _ceilings(inputs: FigureInputs) -> list[Row]:
    """Put r beside what noise in the similarities would allow, per group."""

    def digest(part: pd.DataFrame) -> Row:
        done = part[part["r_corrected"].notna()]
        counts = {"n_corrected": len(done), "reason": counted(part["reason"])}
        return medians(part) | counts | {"r_uncorrected": done["r"].median()}

    return per_group(inputs, inputs.table("corrected"), digest)


def _range(inputs: FigureInputs) -> list[Row]:
    """Put r beside spread and companions, per group."""

    def digest(part: pd.DataFrame) -> Row:
        rmse = (part["rmse_2_given_1"] + part["rmse_1_given_2"]) / 2
        return medians(part) | {"rmse": rmse.median()}

    spreads = by_group(inputs.table("spread"))
    rows = per_group(inputs, inputs.table("companions"), digest)
    return [row | {"sd": spreads[tuple(row[key] for key in GROUP)]["sd"].mean()} for row in rows]


def _partial(inputs: FigureInputs) -> list[Row]:
    """Give the median r with other properties of the models held fixed, per group."""

    def digest(part: pd.DataFrame) -> Row:
        given = (category_label(c) for c in str(part["given"].iloc[0]).split(", "))
        return {"given": ", ".join(given), "r": part["r_partial"].median()}

    return per_group(inputs, inputs.table("partial"), digest)


def _confounds(inputs: FigureInputs) -> list[Row]:
    """Count the models that have each combination of values of two categories."""
    have = [category for category in CATEGORIES if category in inputs.models.columns]
    return records(overlap_table(inputs.models, have))


def _left_out(inputs: FigureInputs) -> list[Row]:
    """List the groups without an r, and why; the same for all measures once."""
    names = ["category", "group_1", "group_2", "n_models_1", "n_models_2", "n_pairs", "reason"]
    table = inputs.table("left_out").groupby(names, sort=False)["measure"].agg(list).reset_index()
    every = len(inputs.similarities)
    named = [
        "all" if len(measures) == every else ", ".join(map(measure_label, measures))
        for measures in table["measure"]
    ]
    return records(table.assign(measures=named))


INFERENCE: dict[str, Rows] = {
    "contrasts": _as_it_is("contrasts"),
    "stratified": _as_it_is("stratified"),
    "mantel": _mantel,
    "ceilings": _ceilings,
    "range": _range,
    "matched": _as_it_is("spread_matched"),
    "partial": _partial,
    "drivers": _as_it_is("drivers"),
    "anchors": _as_it_is("anchor_rank_sums"),
    "confounds": _confounds,
    "left-out": _left_out,
}
