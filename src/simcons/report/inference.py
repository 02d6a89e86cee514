"""The report's tables of inference: tests, contrasts, range, ceilings, drivers and confounds.

Each takes the tables of the analysis and returns plain rows, none where the analysis was not
made. No HTML here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from simcons.catalog import CATEGORIES
from simcons.consistency import gap_by_domain, overlap_table
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import LEVEL, dataset_names, ordered_datasets
from simcons.figures.words import (
    AGAINST_LABELS,
    CATEGORY_LABELS,
    contrast_label,
    counted,
    group_label,
    interval,
    measure_label,
    predictor_label,
    value_label,
)
from simcons.report.tables import Cell, Table, cell

KEYS = ["measure", "category", "group_1", "group_2"]

Row = dict[str, Any]
Column = Callable[[Row], Cell]


def tables(inputs: FigureInputs, method: str = "pearson") -> list[Table]:
    """Return every table of inference that the study has, in the order of the page."""
    made = [
        contrast_table(inputs, method),
        stratified_table(inputs, method),
        mantel_table(inputs, method),
        ceiling_table(inputs, method),
        range_table(inputs),
        matched_table(inputs, method),
        partial_table(inputs, method),
        driver_table(inputs),
        anchor_table(inputs, method),
        overlap_of_categories(inputs),
        left_out_table(inputs),
    ]
    return [table.without_empty_columns() for table in made if table.rows]


def _table(
    name: str, title: str, columns: Mapping[str, Column], rows: Iterable[Row], note: str = ""
) -> Table:
    """Return a table: for every heading, what makes a cell of a row."""
    cells = [[make(row) for make in columns.values()] for row in rows]
    return Table(name, title, list(columns), cells, note)


def _rows(inputs: FigureInputs, name: str, method: str | None = None) -> list[Row]:
    """Return the rows of a table of the analysis, of one method if it has any."""
    table = inputs.table(name)
    return _records(table if method is None else table[table["method"] == method])


def _records(table: pd.DataFrame) -> list[Row]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _per_group(
    inputs: FigureInputs, name: str, method: str | None, digest: Callable[[pd.DataFrame], Row]
) -> list[Row]:
    """Return a row per measure and group, in the study's order: its names and a digest."""
    table = inputs.table(name)
    table = table if method is None else table[table["method"] == method]
    order = ["all", *CATEGORIES]
    measures = list(inputs.similarities)

    def place(key: tuple[str, ...]) -> tuple[int, int, tuple[str, ...]]:
        at = order.index(key[1]) if key[1] in order else len(order)
        return measures.index(key[0]), at, key[1:]

    parts = {tuple(map(str, key)): part for key, part in table.groupby(KEYS, sort=False)}
    return [
        {**dict(zip(KEYS, key, strict=True)), **digest(parts[key])}
        for key in sorted(parts, key=place)
    ]


def _measure(row: Row) -> Cell:
    return Cell(measure_label(row["measure"]))


def _category(name: str) -> Cell:
    return Cell("–" if name == "all" else CATEGORY_LABELS.get(name, name))


def _by(row: Row) -> Cell:
    return _category(row["category"])


def _group(row: Row) -> Cell:
    return Cell(group_label((row["category"], row["group_1"], row["group_2"])))


def _contrast(row: Row) -> Cell:
    return Cell(contrast_label(row["category"], row["group_1"], row["group_2"]))


def _interval(row: Row) -> Cell:
    return _limits(row["bca_low"], row["bca_high"], row.get("reason"))


# The columns that name a group: what most tables begin with.
_GROUP: dict[str, Column] = {"Measure": _measure, "By": _by, "Models": _group}


def _value(name: str, digits: int = 2) -> Column:
    return lambda row: cell(row[name], digits)


def _probability(name: str) -> Column:
    return lambda row: _p(row[name])


def _count(name: str) -> Column:
    return lambda row: Cell(f"{int(row[name]):,}", float(row[name]))


def _words(name: str) -> Column:
    """Return what shows a text; nothing where there is none."""
    return lambda row: Cell(row[name] if isinstance(row[name], str) else "")


def _p(value: float) -> Cell:
    if not np.isfinite(value):
        return Cell("n/a")
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", float(value))


def _limits(low: float, high: float, reason: object) -> Cell:
    text = interval(low, high).strip()
    why = reason if isinstance(reason, str) and reason else "not given"
    return Cell(text, float(low)) if text else Cell(f"none: {why}")


def contrast_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return the difference in consistency between every two groups, with interval and tests."""
    columns = {
        "Measure": _measure,
        "By": _by,
        "Contrast": _contrast,
        "First": _value("estimate_1"),
        "Second": _value("estimate_2"),
        "Difference": _value("difference"),
        "Interval": _interval,
        "p": _probability("p_permutation"),
        "p (Holm)": _probability("p_holm"),
        "Smallest possible p": _probability("smallest_p"),
        "p of the rank-sum test": _probability("p_rank_sum_bonferroni"),
    }
    note = (
        "Difference of the mean r over data set pairs within two groups. p: group labels permuted "
        "over families of models. The rank-sum test of the published study (Bonferroni-corrected) "
        "takes data set pairs for independent, which they are not: its p is too small."
    )
    rows = _rows(inputs, "contrasts", method)
    return _table("contrasts", "Contrasts between groups", columns, rows, note)


def stratified_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return the contrasts among models that are alike in other categories."""
    columns: dict[str, Column] = {
        "Measure": _measure,
        "Contrast": _contrast,
        "Within": lambda row: Cell(str(row["stratum"])),
        "Models": lambda row: Cell(f"{row['n_models_1']} and {row['n_models_2']}"),
        "Difference": _value("difference"),
        "p": _probability("p_permutation"),
        "p (Holm)": _probability("p_holm"),
        "Smallest possible p": _probability("smallest_p"),
        "Why none": _words("reason"),
    }
    note = "The same contrasts among models alike in the categories named, where both groups exist."
    rows = _rows(inputs, "stratified", method)
    return _table("stratified", "Contrasts, all else alike", columns, rows, note)


def mantel_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return, per group, how many data set pairs have an r above chance."""

    def digest(part: pd.DataFrame) -> Row:
        part = part[np.isfinite(part["r"].astype(float))].sort_values("r", kind="stable")
        found: Row = {"n": len(part), "above": int((part["p_max"] < LEVEL).sum())}
        if len(part):
            found |= {"lowest": part["r"].iloc[0], "p": part["p_max"].iloc[0]}
            found |= {"smallest_p": part["smallest_p"].max()}
        return found

    columns = _GROUP | {
        "Data set pairs": _count("n"),
        "Above chance": _count("above"),
        "Lowest r": _value("lowest"),
        "Its p": _probability("p"),
        "Smallest possible p": _probability("smallest_p"),
    }
    note = (
        "Mantel test: the models of one data set permuted, families as wholes; p corrected for all "
        "data set pairs of a group by the largest permuted r; above chance: p < 0.05."
    )
    rows = [row for row in _per_group(inputs, "mantel", method, digest) if row["n"]]
    return _table("mantel", "Is there any consistency?", columns, rows, note)


def ceiling_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return r beside what noise in the similarities would allow, per group."""

    def digest(part: pd.DataFrame) -> Row:
        done = part[part["r_corrected"].notna()]
        return {
            "r": part["r"].median(),
            "ceiling": part["ceiling"].median(),
            "r_done": done["r"].median(),
            "r_corrected": done["r_corrected"].median(),
            "n": len(done),
            "why": counted(part["reason"]),
        }

    columns = _GROUP | {
        "Median r": _value("r"),
        "Median ceiling": _value("ceiling", 3),
        "r of those corrected": _value("r_done"),
        "r corrected": _value("r_corrected"),
        "Pairs corrected": _count("n"),
        "Not corrected": _words("why"),
    }
    note = (
        "Ceiling: the root of the product of the reliabilities of the similarities of exactly "
        "these pairs of models on both data sets (split halves of the images, classes held fixed). "
        "Corrected: r over its ceiling; an estimate of its own, which may exceed 1."
    )
    rows = _per_group(inputs, "corrected", method, digest)
    return _table("ceilings", "Ceilings: what noise would allow", columns, rows, note)


def range_table(inputs: FigureInputs) -> Table:
    """Return r beside spread and companions, per group."""
    spreads = {
        tuple(map(str, key)): float(part["sd"].mean())
        for key, part in inputs.table("spread").groupby(KEYS, sort=False)
    }

    def digest(part: pd.DataFrame) -> Row:
        rmse = (part["rmse_2_given_1"] + part["rmse_1_given_2"]) / 2
        key = tuple(str(part[name].iloc[0]) for name in KEYS)
        names = ("r", "thorndike_1", "thorndike_2", "concordance", "median_absolute_difference")
        medians = {name: part[name].median() for name in names}
        return {"sd": spreads.get(key, np.nan), "rmse": rmse.median(), **medians}

    columns = _GROUP | {
        "SD": _value("sd"),
        "Median r": _value("r"),
        "Corrected to the first's range": _value("thorndike_1"),
        "To the second's": _value("thorndike_2"),
        "Concordance": _value("concordance"),
        "Error of prediction": _value("rmse", 3),
        "Median difference": _value("median_absolute_difference", 3),
    }
    note = (
        "A narrow range of similarities alone lowers r. SD: of the similarities within the group, "
        "mean over data sets; all else: medians over data set pairs. Corrected r (Thorndike's case "
        "2) is a sensitivity check: it assumes that the group was selected on similarity. Error: "
        "root mean square error of predicting one data set from the other."
    )
    rows = _per_group(inputs, "companions", None, digest)
    return _table("range", "Spread, and companions of r", columns, rows, note)


def matched_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return r of two groups before and after reweighting the wider one to the narrower."""
    columns: dict[str, Column] = {
        "Measure": _measure,
        "By": _by,
        "Groups": lambda row: Cell(
            " and ".join(value_label(row["category"], row[f"group_{k}"]) for k in (1, 2))
        ),
        "Spread 1": _value("spread_1"),
        "Spread 2": _value("spread_2"),
        "r 1": _value("r_1"),
        "r 2": _value("r_2"),
        "Reweighted": lambda row: Cell(value_label(row["category"], str(row["reweighted"]))),
        "Effective models": _value("effective_models", 1),
        "r 1 matched": _value("r_1_matched"),
        "r 2 matched": _value("r_2_matched"),
        "Why none": _words("reason"),
    }
    note = "Mean r of two groups, and with the wider one's models reweighted to the same spread."
    rows = _rows(inputs, "spread_matched", method)
    return _table("matched", "Groups of the same spread", columns, rows, note)


def partial_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return the median r with other properties of the models held fixed, per group."""

    def digest(part: pd.DataFrame) -> Row:
        held = (CATEGORY_LABELS.get(c, c) for c in str(part["given"].iloc[0]).split(", "))
        return {"held": ", ".join(held), "r": part["r_partial"].median()}

    columns = _GROUP | {"Held fixed": _words("held"), "Median partial r": _value("r")}
    rows = _per_group(inputs, "partial", method, digest)
    return _table("partial", "r with properties of the models held fixed", columns, rows)


def driver_table(inputs: FigureInputs) -> Table:
    """Return the regression of a pair's change of rank on the categories that it shares."""
    columns: dict[str, Column] = {
        "Measure": _measure,
        "Predictor": lambda row: Cell(predictor_label(row["predictor"])),
        "Pairs that share it": _count("n_shared"),
        "Coefficient": _value("coefficient", 4),
        "t": _value("t"),
        "p": _probability("p"),
        "p (Holm)": _probability("p_holm"),
        "R² of all": _value("r_squared"),
        "Why none": _words("reason"),
    }
    note = (
        "Standard deviation over data sets of a pair's rank (0 to 1) on whether its models share "
        "each category; p by permuting models (MRQAP). Negative: pairs that share it keep their "
        "rank."
    )
    return _table("drivers", "What drives consistency", columns, _rows(inputs, "drivers"), note)


def anchor_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return the rank-sum tests between single anchor models."""
    columns: dict[str, Column] = {
        "Measure": _measure,
        "Anchor": _words("anchor_1"),
        "Other anchor": _words("anchor_2"),
        "Median r": _value("median_1"),
        "Other's": _value("median_2"),
        "p of the rank-sum test": _probability("p_bonferroni"),
    }
    note = "As in the published study; it takes data set pairs for independent: its p is too small."
    rows = _rows(inputs, "anchor_rank_sums", method)
    return _table("anchors", "Single anchor models against each other", columns, rows, note)


def overlap_of_categories(inputs: FigureInputs) -> Table:
    """Return how many models have each combination of values of two categories."""
    have = [c for c in CATEGORIES if c in inputs.models.columns]

    def value(k: int) -> Column:
        return lambda row: Cell(value_label(row[f"category_{k}"], str(row[f"value_{k}"])))

    columns: dict[str, Column] = {
        "Categories": lambda row: Cell(
            f"{_category(row['category_1']).text} and {_category(row['category_2']).text}"
        ),
        "Value": value(1),
        "Other value": value(2),
        "Models": _count("n_models"),
        "Families": _count("n_families"),
        "Cramér's V": _value("cramers_v"),
    }
    note = (
        "Where two categories go together (V near 1), a difference by one is a difference by the "
        "other; combinations with no model cannot be compared."
    )
    rows = _records(overlap_table(inputs.models, have))
    return _table("confounds", "Which categories overlap", columns, rows, note)


def left_out_table(inputs: FigureInputs) -> Table:
    """Return the groups without an r, and why; the same for all measures are listed once."""
    table = inputs.table("left_out")
    names = ["category", "group_1", "group_2", "n_models_1", "n_models_2", "n_pairs", "reason"]
    rows = _records(table.groupby(names, sort=False)["measure"].agg(list).reset_index())

    def measures(row: Row) -> Cell:
        every = len(row["measure"]) == len(inputs.similarities)
        return Cell("all" if every else ", ".join(measure_label(m) for m in row["measure"]))

    columns: dict[str, Column] = {
        "Measure": measures,
        "By": _by,
        "Models": lambda row: _group(row) if row["group_1"] else Cell("–"),
        "Pairs of models": _count("n_pairs"),
        "Reason": _words("reason"),
    }
    return _table("left-out", "What is left out", columns, rows)


def relation_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return r per data set of similarity, gap in accuracy and error consistency."""
    table = _relations(inputs, method)
    order = {d: k for k, d in enumerate(ordered_datasets(inputs.datasets, table["dataset"]))}
    table = table.assign(place=table["dataset"].map(order))
    table = table.sort_values(["against", "place"], kind="stable")
    names = dataset_names(inputs.datasets)
    columns: dict[str, Column] = {
        **_RELATED,
        "Data set": lambda row: Cell(names[row["dataset"]]),
        "Domain": lambda row: Cell(str(inputs.datasets.at[row["dataset"], "domain"])),
        "r": _value("r"),
        "Interval": _interval,
        "Pairs of models": _count("n_pairs"),
        "Left out": _count("n_left_out"),
    }
    note = (
        "Over pairs of models; intervals by a bootstrap over models. Left out: pairs without a "
        "defined error consistency (both right, or both wrong, on every image)."
    )
    title = "Similarity, gap in accuracy and error consistency"
    return _table("gap", title, columns, _records(table), note)


def domain_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return the quartiles of the same r over the data sets of each domain."""
    domains = {str(dataset): str(name) for dataset, name in inputs.datasets["domain"].items()}
    table = gap_by_domain(_relations(inputs, method), domains)
    columns: dict[str, Column] = {
        **_RELATED,
        "Domain": _words("domain"),
        "Median r": _value("median"),
        "Lower quartile": _value("q1"),
        "Upper quartile": _value("q3"),
        "Data sets": _count("n_datasets"),
        "Without an r": _count("n_undefined"),
    }
    title = "The same by domain of the data sets"
    return _table("gap-by-domain", title, columns, _records(table)).without_empty_columns()


def _relations(inputs: FigureInputs, method: str) -> pd.DataFrame:
    return inputs.relations[inputs.relations["method"] == method]


def _related(row: Row) -> Cell:
    errors = row["measure"] == "error_consistency"
    return Cell(AGAINST_LABELS["error_consistency"].capitalize()) if errors else _measure(row)


# What is related to what.
_RELATED: dict[str, Column] = {
    "Of": _related,
    "With": lambda row: Cell(AGAINST_LABELS[row["against"]]),
}
