"""The report's tables of inference: tests, contrasts, range, ceilings, drivers and confounds.

Each takes the tables of the analysis and returns plain rows, or None where the analysis was not
made. No HTML here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from simcons.consistency import gap_by_domain, overlap_table
from simcons.figures.consistency_matrix import Group, group_label
from simcons.figures.drivers import predictor_label
from simcons.figures.inputs import (
    CATEGORIES,
    CATEGORY_LABELS,
    FigureInputs,
    dataset_names,
    interval,
    measure_label,
    ordered_datasets,
)
from simcons.figures.mantel import LEVEL
from simcons.figures.relations import LABELS
from simcons.report.tables import Cell, Table, cell

KEYS = ["measure", "category", "group_1", "group_2"]


def tables(inputs: FigureInputs, method: str = "pearson") -> list[Table]:
    """Return every table of inference that the study has, in the order of the page."""
    made: list[Table | None] = [
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
    return [table.without_empty_columns() for table in made if table is not None and table.rows]


def _rows(inputs: FigureInputs, name: str, method: str | None) -> pd.DataFrame:
    table = inputs.table(name)
    return table if method is None else table[table["method"] == method]


def _by_group(
    inputs: FigureInputs, table: pd.DataFrame
) -> Iterator[tuple[list[Cell], pd.DataFrame]]:
    """Yield the leading cells (measure, category, models) and the rows of every group."""
    order = ["all", *CATEGORIES]
    parts = {tuple(map(str, key)): part for key, part in table.groupby(KEYS, sort=False)}
    measures = list(inputs.similarities)

    def place(key: tuple[str, ...]) -> tuple[int, int, tuple[str, ...]]:
        at = order.index(key[1]) if key[1] in order else len(order)
        return measures.index(key[0]), at, key[1:]

    for key in sorted(parts, key=place):
        group: Group = (key[1], key[2], key[3])
        yield [Cell(measure_label(key[0])), _category(key[1]), Cell(group_label(group))], parts[key]


def _category(name: str) -> Cell:
    return Cell("–" if name == "all" else CATEGORY_LABELS.get(name, name))


def _p(value: float) -> Cell:
    if not np.isfinite(value):
        return Cell("n/a")
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", float(value))


def _limits(low: float, high: float, reason: object) -> Cell:
    text = interval(low, high).strip()
    return Cell(text, float(low)) if text else Cell(f"none: {_text(reason) or 'not given'}")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: float) -> Cell:
    return Cell(f"{int(value):,}", float(value))


def _each(table: pd.DataFrame, make: Callable[[dict[str, Any]], list[Cell]]) -> list[list[Cell]]:
    return [make({str(k): v for k, v in row.items()}) for row in table.to_dict("records")]


def contrast_table(inputs: FigureInputs, method: str = "pearson") -> Table | None:
    """Return the difference in consistency between every two groups, with interval and tests."""

    def row(r: dict[str, Any]) -> list[Cell]:
        return [
            Cell(measure_label(r["measure"])),
            _category(r["category"]),
            Cell(f"{r['group_1']} − {r['group_2']}"),
            *(cell(r[name]) for name in ("estimate_1", "estimate_2", "difference")),
            _limits(r["bca_low"], r["bca_high"], r["reason"]),
            *(_p(r[name]) for name in ("p_permutation", "p_holm", "smallest_p")),
            _p(r["p_rank_sum_bonferroni"]),
        ]

    columns = ["Measure", "By", "Contrast", "First", "Second", "Difference", "Interval", "p",
               "p (Holm)", "Smallest possible p", "p of the rank-sum test"]  # fmt: skip
    note = (
        "Difference of the mean r over data set pairs within two groups. p: group labels permuted "
        "over families of models. The rank-sum test of the published study (Bonferroni-corrected) "
        "takes data set pairs for independent, which they are not: its p is too small."
    )
    return Table("contrasts", "Contrasts between groups", columns,
                 _each(_rows(inputs, "contrasts", method), row), note)  # fmt: skip


def stratified_table(inputs: FigureInputs, method: str = "pearson") -> Table | None:
    """Return the contrasts among models that are alike in other categories."""

    def row(r: dict[str, Any]) -> list[Cell]:
        return [
            Cell(measure_label(r["measure"])),
            Cell(f"{r['group_1']} − {r['group_2']}"),
            Cell(str(r["stratum"])),
            Cell(f"{r['n_models_1']} and {r['n_models_2']}"),
            cell(r["difference"]),
            *(_p(r[name]) for name in ("p_permutation", "p_holm", "smallest_p")),
            Cell(_text(r["reason"])),
        ]

    columns = ["Measure", "Contrast", "Within", "Models", "Difference", "p", "p (Holm)",
               "Smallest possible p", "Why none"]  # fmt: skip
    note = "The same contrasts among models alike in the categories named, where both groups exist."
    return Table("stratified", "Contrasts, all else alike", columns,
                 _each(_rows(inputs, "stratified", method), row), note)  # fmt: skip


def mantel_table(inputs: FigureInputs, method: str = "pearson") -> Table | None:
    """Return, per group, how many data set pairs have an r above chance."""
    rows = []
    for head, part in _by_group(inputs, _rows(inputs, "mantel", method)):
        part = part[np.isfinite(part["r"].astype(float))]
        if part.empty:
            continue
        above = int((part["p_max"] < LEVEL).sum())
        worst = part.sort_values("r", kind="stable").iloc[0]
        rows.append([*head, _whole(len(part)), _whole(above), cell(worst["r"]), _p(worst["p_max"]),
                     _p(part["smallest_p"].max())])  # fmt: skip
    columns = ["Measure", "By", "Models", "Data set pairs", "Above chance", "Lowest r", "Its p",
               "Smallest possible p"]  # fmt: skip
    note = (
        "Mantel test: the models of one data set permuted, families as wholes; p corrected for all "
        "data set pairs of a group by the largest permuted r; above chance: p < 0.05."
    )
    return Table("mantel", "Is there any consistency?", columns, rows, note)


def ceiling_table(inputs: FigureInputs, method: str = "pearson") -> Table | None:
    """Return r beside what noise in the similarities would allow, per group."""
    rows = []
    for head, part in _by_group(inputs, _rows(inputs, "corrected", method)):
        done = part[part["r_corrected"].notna()]
        counts = part.loc[part["reason"] != "", "reason"].value_counts().sort_index()
        why = "; ".join(f"{reason}: {n}" for reason, n in counts.items())
        rows.append([*head, cell(part["r"].median()), cell(part["ceiling"].median()),
                     cell(done["r"].median()), cell(done["r_corrected"].median()),
                     _whole(len(done)), Cell(why)])  # fmt: skip
    columns = ["Measure", "By", "Models", "Median r", "Median ceiling", "r of those corrected",
               "r corrected", "Pairs corrected", "Not corrected"]  # fmt: skip
    note = (
        "Ceiling: the root of the product of the reliabilities of the similarities of exactly "
        "these pairs of models on both data sets (split halves of the images, classes held fixed). "
        "Corrected: r over its ceiling; an estimate of its own, which may exceed 1."
    )
    return Table("ceilings", "Ceilings: what noise would allow", columns, rows, note)


def range_table(inputs: FigureInputs) -> Table | None:
    """Return r beside spread and companions, per group."""
    spreads = {
        tuple(map(str, key)): float(part["sd"].mean())
        for key, part in inputs.table("spread").groupby(KEYS, sort=False)
    }
    rows = []
    labels = {measure_label(m): m for m in inputs.similarities}
    for head, part in _by_group(inputs, inputs.table("companions")):
        first = part.iloc[0]
        key = (labels[head[0].text], *(str(first[name]) for name in KEYS[1:]))
        rmse = (part["rmse_2_given_1"] + part["rmse_1_given_2"]) / 2
        rows.append([*head, cell(spreads.get(key, np.nan)),
                     *(cell(part[name].median()) for name in
                       ("r", "thorndike_1", "thorndike_2", "concordance")),
                     cell(rmse.median(), 3), cell(part["median_absolute_difference"].median(), 3),
                     ])  # fmt: skip
    columns = ["Measure", "By", "Models", "SD", "Median r", "Corrected to the first's range",
               "To the second's", "Concordance", "Error of prediction",
               "Median difference"]  # fmt: skip
    note = (
        "A narrow range of similarities alone lowers r. SD: of the similarities within the group, "
        "mean over data sets; all else: medians over data set pairs. Corrected r (Thorndike's case "
        "2) is a sensitivity check: it assumes that the group was selected on similarity. Error: "
        "root mean square error of predicting one data set from the other."
    )
    return Table("range", "Spread, and companions of r", columns, rows, note)


def matched_table(inputs: FigureInputs, method: str = "pearson") -> Table | None:
    """Return r of two groups before and after reweighting the wider one to the narrower."""

    def row(r: dict[str, Any]) -> list[Cell]:
        return [
            Cell(measure_label(r["measure"])),
            _category(r["category"]),
            Cell(f"{r['group_1']} and {r['group_2']}"),
            *(cell(r[name]) for name in ("spread_1", "spread_2", "r_1", "r_2")),
            Cell(str(r["reweighted"])),
            cell(r["effective_models"], 1),
            *(cell(r[name]) for name in ("r_1_matched", "r_2_matched")),
            Cell(_text(r["reason"])),
        ]

    columns = ["Measure", "By", "Groups", "Spread 1", "Spread 2", "r 1", "r 2", "Reweighted",
               "Effective models", "r 1 matched", "r 2 matched", "Why none"]  # fmt: skip
    note = "Mean r of two groups, and with the wider one's models reweighted to the same spread."
    return Table("matched", "Groups of the same spread", columns,
                 _each(_rows(inputs, "spread_matched", method), row), note)  # fmt: skip


def partial_table(inputs: FigureInputs, method: str = "pearson") -> Table | None:
    """Return the median r with other properties of the models held fixed, per group."""
    rows = []
    for head, part in _by_group(inputs, _rows(inputs, "partial", method)):
        held = [CATEGORY_LABELS.get(c, c) for c in str(part["given"].iloc[0]).split(", ")]
        rows.append([*head, Cell(", ".join(held)), cell(part["r_partial"].median())])
    columns = ["Measure", "By", "Models", "Held fixed", "Median partial r"]
    return Table("partial", "r with properties of the models held fixed", columns, rows)


def driver_table(inputs: FigureInputs) -> Table | None:
    """Return the regression of a pair's change of rank on the categories that it shares."""

    def row(r: dict[str, Any]) -> list[Cell]:
        return [
            Cell(measure_label(r["measure"])),
            Cell(predictor_label(r["predictor"])),
            _whole(r["n_shared"]),
            cell(r["coefficient"], 4),
            cell(r["t"]),
            *(_p(r[name]) for name in ("p", "p_holm")),
            cell(r["r_squared"]),
            Cell(_text(r["reason"])),
        ]

    columns = ["Measure", "Predictor", "Pairs that share it", "Coefficient", "t", "p", "p (Holm)",
               "R² of all", "Why none"]  # fmt: skip
    note = (
        "Standard deviation over data sets of a pair's rank (0 to 1) on whether its models share "
        "each category; p by permuting models (MRQAP). Negative: pairs that share it keep their "
        "rank."
    )
    return Table("drivers", "What drives consistency", columns,
                 _each(inputs.table("drivers"), row), note)  # fmt: skip


def anchor_table(inputs: FigureInputs, method: str = "pearson") -> Table | None:
    """Return the rank-sum tests between single anchor models."""

    def row(r: dict[str, Any]) -> list[Cell]:
        names = [Cell(str(r["anchor_1"])), Cell(str(r["anchor_2"]))]
        medians = [cell(r[name]) for name in ("median_1", "median_2")]
        return [Cell(measure_label(r["measure"])), *names, *medians, _p(r["p_bonferroni"])]

    columns = ["Measure", "Anchor", "Other anchor", "Median r", "Other's", "p of the rank-sum test"]
    note = "As in the published study; it takes data set pairs for independent: its p is too small."
    return Table("anchors", "Single anchor models against each other", columns,
                 _each(_rows(inputs, "anchor_rank_sums", method), row), note)  # fmt: skip


def overlap_of_categories(inputs: FigureInputs) -> Table | None:
    """Return how many models have each combination of values of two categories."""
    have = [c for c in CATEGORIES if c in inputs.models.columns]

    def row(r: dict[str, Any]) -> list[Cell]:
        one, two = (CATEGORY_LABELS.get(r[f"category_{k}"], r[f"category_{k}"]) for k in (1, 2))
        return [
            Cell(f"{one} and {two}"), Cell(str(r["value_1"])), Cell(str(r["value_2"])),
            _whole(r["n_models"]), _whole(r["n_families"]), cell(r["cramers_v"]),
        ]  # fmt: skip

    columns = ["Categories", "Value", "Other value", "Models", "Families", "Cramér's V"]
    note = (
        "Where two categories go together (V near 1), a difference by one is a difference by the "
        "other; combinations with no model cannot be compared."
    )
    return Table("confounds", "Which categories overlap", columns,
                 _each(overlap_table(inputs.models, have), row), note)  # fmt: skip


def left_out_table(inputs: FigureInputs) -> Table | None:
    """Return the groups without an r, and why; the same for all measures are listed once."""
    table = inputs.table("left_out")
    names = ["category", "group_1", "group_2", "n_models_1", "n_models_2", "n_pairs", "reason"]
    measures = table.groupby(names, sort=False)["measure"].agg(list).reset_index()

    def row(r: dict[str, Any]) -> list[Cell]:
        every = len(r["measure"]) == len(inputs.similarities)
        shown = "all" if every else ", ".join(measure_label(m) for m in r["measure"])
        group = group_label((r["category"], r["group_1"], r["group_2"]))
        return [Cell(shown), _category(r["category"]), Cell(group if r["group_1"] else "–"),
                _whole(r["n_pairs"]), Cell(str(r["reason"]))]  # fmt: skip

    columns = ["Measure", "By", "Models", "Pairs of models", "Reason"]
    return Table("left-out", "What is left out", columns, _each(measures, row))


def relation_table(inputs: FigureInputs, method: str = "pearson") -> Table | None:
    """Return r per data set of similarity, gap in accuracy and error consistency."""
    table = _relations(inputs, method)
    order = {d: k for k, d in enumerate(ordered_datasets(inputs.datasets, table["dataset"]))}
    table = table.assign(place=table["dataset"].map(order))
    table = table.sort_values(["against", "place"], kind="stable")
    names = dataset_names(inputs.datasets)

    def row(r: dict[str, Any]) -> list[Cell]:
        return [
            *_related(r), Cell(names[r["dataset"]]),
            Cell(str(inputs.datasets.at[r["dataset"], "domain"])), cell(r["r"]),
            _limits(r["bca_low"], r["bca_high"], r.get("reason")), _whole(r["n_pairs"]),
            _whole(r["n_left_out"]),
        ]  # fmt: skip

    columns = ["Of", "With", "Data set", "Domain", "r", "Interval", "Pairs of models",
               "Left out"]  # fmt: skip
    note = (
        "Over pairs of models; intervals by a bootstrap over models. Left out: pairs without a "
        "defined error consistency (both right, or both wrong, on every image)."
    )
    return Table("gap", "Similarity, gap in accuracy and error consistency", columns,
                 _each(table, row), note)  # fmt: skip


def domain_table(inputs: FigureInputs, method: str = "pearson") -> Table | None:
    """Return the quartiles of the same r over the data sets of each domain."""
    domains = {str(dataset): str(name) for dataset, name in inputs.datasets["domain"].items()}
    table = gap_by_domain(_relations(inputs, method), domains)

    def row(r: dict[str, Any]) -> list[Cell]:
        return [
            *_related(r), Cell(r["domain"]), cell(r["median"]), cell(r["q1"]), cell(r["q3"]),
            _whole(r["n_datasets"]), _whole(r["n_undefined"]),
        ]  # fmt: skip

    columns = ["Of", "With", "Domain", "Median r", "Lower quartile", "Upper quartile",
               "Data sets", "Without an r"]  # fmt: skip
    return Table("gap-by-domain", "The same by domain of the data sets", columns,
                 _each(table, row)).without_empty_columns()  # fmt: skip


def _relations(inputs: FigureInputs, method: str) -> pd.DataFrame:
    return inputs.relations[inputs.relations["method"] == method]


def _related(r: dict[str, Any]) -> list[Cell]:
    """Return the cells that say what is related to what."""
    what = LABELS["error_consistency"].capitalize()
    first = what if r["measure"] == "error_consistency" else measure_label(r["measure"])
    return [Cell(first), Cell(LABELS[r["against"]])]
