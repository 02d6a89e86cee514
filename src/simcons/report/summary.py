"""The numbers of the report: headline, tables and warnings, computed from the tidy tables.

No HTML here: what comes out are plain rows of text and numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simcons.catalog import CATEGORIES
from simcons.figures.relations import relation_rows
from simcons.figures.reliability import precision_table
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import (
    EVERYTHING,
    LEVEL,
    Group,
    dataset_names,
    ordered_datasets,
    pair_values,
    select,
)
from simcons.figures.words import (
    AGAINST_LABELS,
    CATEGORY_LABELS,
    count,
    group_label,
    interval,
    measure_label,
    number,
)
from simcons.report.tables import Cell, Table, cell
from simcons.similarity import SimilarityMatrix

LOW_RELIABILITY = 0.8


@dataclass(frozen=True)
class Headline:
    """Median r of one measure: the number, and the words around it."""

    measure: str
    median: str
    spread: str


def _r(inputs: FigureInputs, measure: str, method: str, group: Group) -> np.ndarray:
    r = select(inputs.consistency, measure, method, group)["r"].to_numpy(float)
    return r[np.isfinite(r)]


def measures_of(inputs: FigureInputs, method: str = "pearson") -> list[str]:
    """Return the measures that have a consistency, in the order of the study."""
    rows = inputs.consistency[inputs.consistency["method"] == method]
    have = set(rows["measure"])
    return [measure for measure in inputs.similarities if measure in have]


def interval_text(intervals: pd.DataFrame, measure: str, method: str, group: Group) -> str | None:
    """Return "95 % interval 0.61 to 0.80" for the median r of a group, or None if not given."""
    rows = select(intervals, measure, method, group)
    if rows.empty or not np.isfinite(float(rows.iloc[0]["low"])):
        return None
    row = rows.iloc[0]
    return f"{100 * row['level']:g} % interval {number(row['low'])} to {number(row['high'])}"


def headlines(inputs: FigureInputs, method: str = "pearson") -> list[Headline]:
    """Return, per measure, the median over data set pairs of r over all pairs of models."""
    found = []
    for measure in measures_of(inputs, method):
        r = _r(inputs, measure, method, EVERYTHING)
        if not len(r):
            continue
        q1, median, q3 = np.quantile(r, [0.25, 0.5, 0.75])
        interval = interval_text(inputs.intervals, measure, method, EVERYTHING)
        spread = f"{interval}; " if interval else ""
        spread += f"quartiles {number(q1)} to {number(q3)} over {count(len(r), 'data set pair')}"
        found.append(Headline(measure_label(measure), number(median), spread))
    return found


def answer(inputs: FigureInputs, method: str = "pearson") -> list[str]:
    """Return the answer in sentences, with the numbers of the first measure."""
    measures = measures_of(inputs, method)
    r = _r(inputs, measures[0], method, EVERYTHING) if measures else np.array([])
    if not len(r):
        return ["No correlation between data sets could be computed: the study needs at least two "
                "data sets and three models."]  # fmt: skip
    measure, median = measures[0], float(np.median(r))
    shared = f"{100 * median**2:.0f} %" if median > 0 else "none"
    limits = interval_text(inputs.intervals, measure, method, EVERYTHING)
    sentences = [
        f"Similarities of two models on one data set correlate with those on another with a median "
        f"r of {number(median)} ({measure_label(measure)}, {count(len(r), 'data set pair')}"
        f"{f'; {limits}' if limits else ''}; lowest {number(float(r.min()))}, highest "
        f"{number(float(r.max()))}). Put as r²: similarity on one data set accounts for {shared} "
        f"of the variance between pairs of models on another."
    ]
    found = (
        _groups_in_words(inputs, measure, method),
        _differences_in_words(inputs, measure, method),
        _noise_in_words(inputs, measure, method),
        _performance_in_words(inputs, measure, method),
    )
    return sentences + [text for text in found if text]


def _groups_in_words(inputs: FigureInputs, measure: str, method: str) -> str:
    within = within_objective(inputs, measure, method)
    if len(within) < 2:
        return ""
    listed = []
    for name, value in within:
        limits = interval_text(inputs.intervals, measure, method, ("objective", name, name))
        listed.append(f"{name} {number(value)}" + (f" ({limits})" if limits else ""))
    return (
        f"Within a training objective the median r is: {', '.join(listed)}. Groups differ in the "
        f"spread of their similarities, and a narrow spread alone lowers r."
    )


def _differences_in_words(inputs: FigureInputs, measure: str, method: str) -> str:
    """Say which differences between objectives remain after correction."""
    table = inputs.table("contrasts")
    chosen = table[
        (table["measure"] == measure)
        & (table["method"] == method)
        & (table["category"] == "objective")
    ]
    if chosen.empty:
        return ""
    clear = chosen[chosen["p_holm"] < LEVEL]
    n = len(chosen)
    text = f"Of {count(n, 'difference')} between objectives, {len(clear) or 'none'} remain"
    text += "s" if len(clear) < 2 else ""
    text += " when the groups' labels are permuted and all contrasts corrected for"
    if len(clear):
        named = [
            f"{row['group_1']} − {row['group_2']} {number(row['difference'])}"
            f"{interval(row['bca_low'], row['bca_high'])}"
            for row in clear.to_dict("records")
        ]
        text += f": {', '.join(named)}"
    untestable = int((chosen["smallest_p"] >= LEVEL).sum())
    if untestable:
        text += (
            f"; {untestable} {'is' if untestable == 1 else 'are'} between groups too small to test"
        )
    return f"{text}."


def _noise_in_words(inputs: FigureInputs, measure: str, method: str) -> str:
    """Say whether there is any consistency, and how much of what is missing noise explains."""
    sentences = []
    tests = select(inputs.table("mantel"), measure, method, EVERYTHING)
    tests = tests[np.isfinite(tests["r"].astype(float))]
    if len(tests):
        above = int((tests["p_max"] < LEVEL).sum())
        sentences.append(
            f"r is above chance for {above} of {count(len(tests), 'data set pair')} (Mantel test)."
        )
    corrected = select(inputs.table("corrected"), measure, method, EVERYTHING)
    ceiling = float(corrected["ceiling"].median()) if len(corrected) else float("nan")
    if np.isfinite(ceiling):
        sentences.append(
            f"The noise of measuring similarity on so many images would allow a median r of "
            f"{number(ceiling, 3)}; what r lacks to that is a difference between the data sets."
        )
    return " ".join(sentences)


def _performance_in_words(inputs: FigureInputs, measure: str, method: str) -> str:
    parts = []
    for against, what in AGAINST_LABELS.items():
        rows = relation_rows(inputs.relations, measure, against, method)
        r = rows["r"].astype(float).dropna()
        if len(r):
            parts.append(
                f"with the {what} of two models with a median r of {number(float(r.median()))} "
                f"({number(float(r.min()))} to {number(float(r.max()))} over data sets)"
            )
    return f"Similarity correlates {', and '.join(parts)}." if parts else ""


def within_objective(
    inputs: FigureInputs, measure: str, method: str = "pearson"
) -> list[tuple[str, float]]:
    """Return the median r within each training objective, highest first."""
    found = []
    for name in sorted(set(inputs.models["objective"].astype(str))):
        r = _r(inputs, measure, method, ("objective", name, name))
        if len(r):
            found.append((name, float(np.median(r))))
    return sorted(found, key=lambda entry: (-entry[1], entry[0]))


def _groups(inputs: FigureInputs) -> list[Group]:
    """Return all, then every pair of groups by category."""
    rows = inputs.consistency[["category", "group_1", "group_2"]].drop_duplicates()
    order = ["all", *CATEGORIES, *sorted(set(map(str, rows["category"])) - {"all", *CATEGORIES})]
    groups = [(str(c), str(a), str(b)) for c, a, b in rows.itertuples(index=False)]
    return sorted(groups, key=lambda group: (order.index(group[0]), group[1:]))


def group_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return r over data set pairs for every measure and pair of groups, a row each."""
    columns = ["Measure", "By", "Models", "Pairs of models", "Data set pairs", "Median r",
               "First quartile", "Third quartile"]  # fmt: skip
    with_interval = not inputs.intervals.empty
    table = inputs.consistency[inputs.consistency["method"] == method]
    keys = ["measure", "category", "group_1", "group_2"]
    parts = {tuple(map(str, key)): part for key, part in table.groupby(keys, sort=False)}
    rows = []
    for measure in measures_of(inputs, method):
        for group in _groups(inputs):
            row = _group_row(measure, group, parts.get((measure, *group), table.iloc[:0]))
            if with_interval:
                row.append(_interval_cell(inputs.intervals, measure, method, group))
            rows.append(row)
    return Table("groups", "Consistency of every pair of groups",
                 [*columns, "Interval of the median"] if with_interval else columns, rows,
                 "Median and quartiles of r over data set pairs.")  # fmt: skip


def _interval_cell(intervals: pd.DataFrame, measure: str, method: str, group: Group) -> Cell:
    """Return the interval, or why there is none."""
    rows = select(intervals, measure, method, group)
    if len(rows) and np.isfinite(float(rows.iloc[0]["low"])):
        low, high = float(rows.iloc[0]["low"]), float(rows.iloc[0]["high"])
        return Cell(interval(low, high).strip(), low)
    reason = rows.iloc[0].get("reason") if len(rows) else None
    return Cell(f"none: {reason}" if isinstance(reason, str) and reason else "not given")


def _group_row(measure: str, group: Group, rows: pd.DataFrame) -> list[Cell]:
    r = rows["r"].to_numpy(float)
    r = r[np.isfinite(r)]
    n_pairs = int(rows["n_pairs"].max()) if len(rows) else 0
    q1, median, q3 = np.quantile(r, [0.25, 0.5, 0.75]) if len(r) else [float("nan")] * 3
    by = "–" if group[0] == "all" else CATEGORY_LABELS.get(group[0], group[0])
    counts = [Cell(f"{n_pairs:,}", n_pairs), Cell(f"{len(r):,}", len(r))]
    words = [Cell(measure_label(measure)), Cell(by), Cell(group_label(group))]
    return [*words, *counts, cell(median), cell(q1), cell(q3)]


def pair_table(inputs: FigureInputs, method: str = "pearson") -> Table:
    """Return r over all models for every data set pair, a column per measure."""
    measures, names = measures_of(inputs, method), dataset_names(inputs.datasets)
    columns = ["Data set", "Data set", *(measure_label(measure) for measure in measures)]
    wide: dict[tuple[str, str], dict[str, float]] = {}
    for measure in measures:
        part = select(inputs.consistency, measure, method, EVERYTHING)
        for first, second, r in zip(part["dataset_1"], part["dataset_2"], part["r"], strict=True):
            wide.setdefault((str(first), str(second)), {})[measure] = float(r)
    rows = [
        [Cell(names[a]), Cell(names[b]), *(cell(r.get(m, float("nan"))) for m in measures)]
        for (a, b), r in sorted(wide.items())
    ]
    flags = _shared_pairs(inputs)
    if flags:
        columns.append("Share images")
        for row, pair in zip(rows, sorted(wide), strict=True):
            row.append(Cell("yes" if pair in flags else "no"))
    return Table("pairs", "r between every two data sets, all models", columns, rows)


def _shared_pairs(inputs: FigureInputs) -> set[tuple[str, str]]:
    """Return the pairs of data sets that share images."""
    table = inputs.consistency
    if "shares_images" not in table.columns:
        return set()
    shared = table[table["shares_images"].astype(bool)]
    return set(zip(shared["dataset_1"].astype(str), shared["dataset_2"].astype(str), strict=True))


def model_table(inputs: FigureInputs) -> Table:
    """Return the models with their categories and mean accuracy."""
    have = [category for category in CATEGORIES if category in inputs.models.columns]
    columns = ["Model", *(CATEGORY_LABELS[category].capitalize() for category in have)]
    accuracy = inputs.probes.groupby("model")["top1"].mean() if len(inputs.probes) else None
    if accuracy is not None:
        columns.append("Mean accuracy (%)")
    rows = []
    for model, entry in inputs.models.iterrows():
        row = [Cell(str(model)), *(Cell(_text(entry[category])) for category in have)]
        if accuracy is not None:
            row.append(cell(100 * accuracy.get(model, float("nan")), 1))
        rows.append(row)
    return Table("models", "Models", columns, rows)


def _text(value: object) -> str:
    return "–" if value is None or value != value else str(value)


def dataset_table(inputs: FigureInputs) -> Table:
    """Return, per measure and data set: median similarity, its precision, mean accuracy."""
    columns = ["Data set", "Domain", "Measure", "Median similarity", "Standard error",
               "Reliability"]  # fmt: skip
    names, precision = dataset_names(inputs.datasets), precision_table(inputs.similarities)
    accuracy = inputs.probes.groupby("dataset")["top1"].mean() if len(inputs.probes) else None
    if accuracy is not None:
        columns.append("Mean accuracy (%)")
    rows = []
    for measure, by_dataset in inputs.similarities.items():
        for dataset in ordered_datasets(inputs.datasets, by_dataset):
            row = [Cell(names[dataset]), Cell(str(inputs.datasets.at[dataset, "domain"])),
                   Cell(measure_label(measure)),
                   *_precision_cells(by_dataset[dataset], precision, measure, dataset)]  # fmt: skip
            if accuracy is not None:
                row.append(cell(100 * accuracy.get(dataset, float("nan")), 1))
            rows.append(row)
    return Table("datasets", "Data sets", columns, rows,
                 "Medians over pairs of models; “n/a”: no estimate.")  # fmt: skip


def _precision_cells(
    matrix: SimilarityMatrix, precision: pd.DataFrame, measure: str, dataset: str
) -> list[Cell]:
    values = pair_values(matrix)
    values = values[np.isfinite(values)]
    row = precision[(precision["measure"] == measure) & (precision["dataset"] == dataset)].iloc[0]
    median = float(np.median(values)) if len(values) else float("nan")
    return [cell(median), cell(float(row["se_median"]), 3), cell(float(row["reliability"]), 3)]


def warnings(inputs: FigureInputs) -> list[str]:
    """Return what a reader must know before believing the numbers."""
    found = []
    names = dataset_names(inputs.datasets)
    table = precision_table(inputs.similarities)
    for measure, part in table.groupby("measure", sort=False):
        low = part[part["reliability"] < LOW_RELIABILITY].sort_values("reliability", kind="stable")
        if len(low):
            listed = ", ".join(
                f"{names[str(d)]} ({number(v)})"
                for d, v in zip(low["dataset"], low["reliability"], strict=True)
            )
            found.append(
                f"{measure_label(str(measure))}: reliability below {LOW_RELIABILITY:g} on "
                f"{listed}; r with these data sets is attenuated."
            )
        if part["se_median"].isna().all():
            found.append(f"{measure_label(str(measure))}: no standard errors are available.")
    undefined = int(inputs.consistency["r"].isna().sum())
    if undefined:
        found.append(
            f"{count(undefined, 'correlation')} could not be computed (no spread, or fewer than 3 "
            f"pairs of models) and {'is' if undefined == 1 else 'are'} left out of the medians."
        )
    found += _overlap_warnings(inputs)
    found += _interval_warnings(inputs)
    return found


def _overlap_warnings(inputs: FigureInputs) -> list[str]:
    """Say which data sets share images, and what r is without their pairs."""
    table = inputs.consistency
    if "shares_images" not in table.columns or not table["shares_images"].astype(bool).any():
        return []
    everything = table[(table["category"] == "all") & (table["method"] == table["method"].iloc[0])]
    everything = everything[everything["measure"] == everything["measure"].iloc[0]]
    shared = everything["shares_images"].astype(bool)
    names = dataset_names(inputs.datasets)
    involved = sorted({names[d] for c in ("dataset_1", "dataset_2") for d in everything[shared][c]})
    return [
        f"{count(int(shared.sum()), 'data set pair')} of {len(shared)} share images "
        f"({', '.join(involved)}), so that their r is not that of independent images. Without them "
        f"the median r is {number(float(everything.loc[~shared, 'r'].median()))} instead of "
        f"{number(float(everything['r'].median()))} "
        f"({measure_label(str(everything['measure'].iloc[0]))})."
    ]


def _interval_warnings(inputs: FigureInputs) -> list[str]:
    """Say that there are no intervals, or why some are missing."""
    if inputs.intervals["low"].notna().any():
        return []
    text = "No intervals are given"
    if "reason" in inputs.intervals.columns:
        reasons = sorted({r for r in inputs.intervals["reason"] if isinstance(r, str) and r})
        text += f" ({'; '.join(reasons)})" if reasons else ""
    return [
        f"{text}. Pairs of models share models and pairs of data sets share data sets, so the "
        "quartiles shown are no standard error."
    ]
