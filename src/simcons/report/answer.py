"""The report's answer: the headline numbers, and sentences with those of the first measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simcons.figures.relations import relation_rows
from simcons.figures.schema import FigureInputs
from simcons.figures.selection import EVERYTHING, LEVEL, Group, finite_r, select
from simcons.figures.words import (
    AGAINST_LABELS,
    count,
    interval,
    measure_label,
    number,
)


@dataclass(frozen=True)
class Headline:
    """Median r of one measure: the number, and the words around it."""

    measure: str
    median: str
    spread: str


def _r(inputs: FigureInputs, measure: str, group: Group = EVERYTHING) -> np.ndarray:
    """Return the defined r of a group, a data set pair each."""
    return finite_r(select(inputs.consistency, measure, inputs.method, group))


def _measures(inputs: FigureInputs) -> list[str]:
    """Return the measures with a defined r over all models, in the order of the study."""
    return [measure for measure in inputs.similarities if len(_r(inputs, measure))]


def _interval(inputs: FigureInputs, measure: str, group: Group = EVERYTHING) -> str:
    """Return "95 % interval 0.61 to 0.80" for the median r of a group; nothing if not given."""
    rows = select(inputs.intervals, measure, inputs.method, group)
    if rows.empty or not np.isfinite(float(rows.iloc[0]["low"])):
        return ""
    row = rows.iloc[0]
    return f"{100 * row['level']:g} % interval {number(row['low'])} to {number(row['high'])}"


def headlines(inputs: FigureInputs) -> list[Headline]:
    """Return, per measure, the median over data set pairs of r over all pairs of models."""
    found = []
    for measure in _measures(inputs):
        r = _r(inputs, measure)
        q1, median, q3 = np.quantile(r, [0.25, 0.5, 0.75])
        spread = f"quartiles {number(q1)} to {number(q3)} over {count(len(r), 'data set pair')}"
        limits = _interval(inputs, measure)
        words = f"{limits}; {spread}" if limits else spread
        found.append(Headline(measure_label(measure), number(median), words))
    return found


def answer(inputs: FigureInputs) -> list[str]:
    """Return the answer in sentences, with the numbers of the first measure."""
    measures = _measures(inputs)
    if not measures:
        return ["No correlation between data sets could be computed: the study needs at least two "
                "data sets and three models."]  # fmt: skip
    measure = measures[0]
    r = _r(inputs, measure)
    median = float(np.median(r))
    shared = f"{100 * median**2:.0f} %" if median > 0 else "none"
    limits = _interval(inputs, measure)
    sentences = [
        f"Similarities of two models on one data set correlate with those on another with a median "
        f"r of {number(median)} ({measure_label(measure)}, {count(len(r), 'data set pair')}"
        f"{f'; {limits}' if limits else ''}; lowest {number(float(r.min()))}, highest "
        f"{number(float(r.max()))}). Put as r²: similarity on one data set accounts for {shared} "
        f"of the variance between pairs of models on another.",
        _groups(inputs, measure),
        _differences(inputs, measure),
        _noise(inputs, measure),
        _performance(inputs, measure),
    ]
    return [text for text in sentences if text]


def _groups(inputs: FigureInputs, measure: str) -> str:
    """Say the median r within each training objective, highest first."""
    medians = {}
    for name in sorted(set(inputs.models["objective"].astype(str))):
        r = _r(inputs, measure, ("objective", name, name))
        if len(r):
            medians[name] = float(np.median(r))
    if len(medians) < 2:
        return ""
    listed = []
    for name in sorted(medians, key=lambda name: (-medians[name], name)):
        limits = _interval(inputs, measure, ("objective", name, name))
        listed.append(f"{name} {number(medians[name])}" + (f" ({limits})" if limits else ""))
    return (
        f"Within a training objective the median r is: {', '.join(listed)}. Groups differ in the "
        f"spread of their similarities, and a narrow spread alone lowers r."
    )


def _differences(inputs: FigureInputs, measure: str) -> str:
    """Say which differences between objectives remain after correction."""
    table = inputs.of_method(inputs.table("contrasts"))
    chosen = table[(table["measure"] == measure) & (table["category"] == "objective")]
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


def _noise(inputs: FigureInputs, measure: str) -> str:
    """Say whether there is any consistency, and how much of what is missing noise explains."""
    sentences = []
    tests = select(inputs.table("mantel"), measure, inputs.method, EVERYTHING)
    tests = tests[np.isfinite(tests["r"].astype(float))]
    if len(tests):
        above = int((tests["p_max"] < LEVEL).sum())
        sentences.append(
            f"r is above chance for {above} of {count(len(tests), 'data set pair')} (Mantel test)."
        )
    corrected = select(inputs.table("corrected"), measure, inputs.method, EVERYTHING)
    ceiling = float(corrected["ceiling"].median()) if len(corrected) else float("nan")
    if np.isfinite(ceiling):
        sentences.append(
            f"The noise of measuring similarity on so many images would allow a median r of "
            f"{number(ceiling, 3)}; what r lacks to that is a difference between the data sets."
        )
    return " ".join(sentences)


def _performance(inputs: FigureInputs, measure: str) -> str:
    """Say how similarity correlates with the gap in accuracy, and with error consistency."""
    parts = []
    for against, what in AGAINST_LABELS.items():
        rows = relation_rows(inputs.relations, measure, against, inputs.method)
        r = rows["r"].astype(float).dropna()
        if len(r):
            parts.append(
                f"with the {what} of two models with a median r of {number(float(r.median()))} "
                f"({number(float(r.min()))} to {number(float(r.max()))} over data sets)"
            )
    return f"Similarity correlates {', and '.join(parts)}." if parts else ""
