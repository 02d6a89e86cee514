"""The list of every figure, in the order of the report, each with its words.

Used by the figures stage (PNG, PDF and ``captions.json``) and, through these files, by the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from simcons.core.files import write_json
from simcons.figures import (
    accuracy,
    anchors,
    category_boxes,
    ceilings,
    consistency_matrix,
    contrasts,
    dataset_scatter,
    drivers,
    embeddings,
    gap_scatter,
    levels,
    mantel,
    mean_spread,
    measures_compared,
    pair_counts,
    range_restriction,
    relations,
    reliability,
    sensitivity,
    similarity_heatmaps,
    style,
)
from simcons.figures.groups import EVERYTHING
from simcons.figures.inputs import (
    CATEGORIES,
    CATEGORY_LABELS,
    Description,
    FigureInputs,
    check,
    count,
    measure_label,
    value_label,
    varying,
)

PANELS_PER_ROW = 3
RELATION_FIGURES = {"gap": "gap_correlations", "error_consistency": "error_correlations"}


@dataclass(frozen=True)
class CatalogueEntry:
    """A figure that can be drawn: its file name, where it belongs, its words.

    Parameters
    ----------
    name
        File name without suffix.
    section
        Heading of the report under which it stands.
    measure
        The measure that it shows, or None where it shows several or none.
    description
        Title, caption and alt text.
    draw
        Draws the figure.
    """

    name: str
    section: str
    measure: str | None
    description: Description
    draw: Callable[[], Figure]


SIMILARITY = "How similar are the models?"
CONSISTENCY = "Does similarity carry over between data sets?"
GROUPS = "Which models are consistent?"
DATASETS = "Between which data sets?"
PERFORMANCE = "Does similarity go with performance?"
PRECISION = "How precise are the similarities?"


def catalogue(inputs: FigureInputs) -> list[CatalogueEntry]:
    """Return every figure of a study, in the order of the report, without drawing it.

    Raises
    ------
    UserError
        If the inputs do not fit each other (see `simcons.figures.inputs.check`).
    """
    check(inputs)
    return [
        *_similarity_figures(inputs),
        *_embedding_figures(inputs),
        *_scatter_figures(inputs),
        *_group_figures(inputs),
        *_dataset_figures(inputs),
        *_performance_figures(inputs),
        *_precision_figures(inputs),
    ]


def not_drawn(inputs: FigureInputs) -> list[str]:
    """Return, in words, which figures a study does not have for want of anything to compare."""
    alike = [
        c for c in CATEGORIES if c in inputs.models.columns and c not in varying(inputs.models)
    ]
    return [
        f"No figure by {CATEGORY_LABELS[category]}: all {count(len(inputs.models), 'model')} are "
        f"of one value ({value_label(category, str(inputs.models[category].iloc[0]))})."
        for category in alike
    ]


def _entry(
    name: str,
    section: str,
    measure: str | None,
    module: Any,
    *args: Any,
    draw: str = "draw",
    describe: str = "describe",
) -> CatalogueEntry:
    """Return the entry of a module whose two functions take the same arguments."""
    return CatalogueEntry(
        name,
        section,
        measure,
        getattr(module, describe)(*args),
        partial(getattr(module, draw), *args),
    )


def _measures(inputs: FigureInputs) -> list[str]:
    """Return the measures that have a consistency, in the order of the study."""
    return _measures_in(inputs, inputs.consistency)


def _similarity_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    for measure, by_dataset in inputs.similarities.items():
        args = (by_dataset, inputs.models, inputs.datasets, measure)
        for statistic in ("mean", "sd"):
            if statistic == "sd" and len(by_dataset) < 2:
                continue
            yield _entry(
                f"similarity_{statistic}_{measure}", SIMILARITY, measure, similarity_heatmaps,
                *args, statistic, draw="draw_over_datasets", describe="describe_over_datasets",
            )  # fmt: skip
        yield _entry(
            f"similarity_panels_{measure}", SIMILARITY, measure, similarity_heatmaps, *args,
            draw="draw_panels", describe="describe_panels",
        )  # fmt: skip
        if len(by_dataset) >= 2:
            yield _entry(f"mean_spread_{measure}", SIMILARITY, measure, mean_spread, *args)
    if len(inputs.similarities) >= 2:
        yield _entry(
            "measures", SIMILARITY, None, measures_compared, inputs.similarities, inputs.models,
            inputs.datasets, draw="draw_similarities", describe="describe_similarities",
        )  # fmt: skip


def _embedding_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    """Maps of the models under the study's first measure."""
    for measure, by_dataset in list(inputs.similarities.items())[:1]:
        if min(len(matrix.models) for matrix in by_dataset.values()) < 4:
            return
        args = (by_dataset, inputs.models, inputs.datasets, measure)
        for category in varying(inputs.models):
            yield _entry(f"mds_{category}", SIMILARITY, measure, embeddings, *args, category, "mds")
        yield _entry("tsne_objective", SIMILARITY, measure, embeddings, *args, "objective", "tsne")


def _scatter_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    for measure, by_dataset in inputs.similarities.items():
        if len(by_dataset) >= 2:
            yield _entry(
                f"scatter_{measure}", CONSISTENCY, measure, dataset_scatter,
                by_dataset, inputs.models, inputs.datasets, measure,
            )  # fmt: skip
    for suffix, some in _chunks(_measures_in(inputs, inputs.table("mantel"))):
        yield _entry(
            f"mantel{suffix}", CONSISTENCY, None, mantel, inputs.table("mantel"), inputs.models,
            some,
        )  # fmt: skip
    table = inputs.table("corrected")
    have = ceilings.measures_with_ceilings(table)
    for suffix, some in _chunks([measure for measure in inputs.similarities if measure in have]):
        yield _entry(f"ceilings{suffix}", CONSISTENCY, None, ceilings, table, inputs.models, some)


def _measures_in(inputs: FigureInputs, table: pd.DataFrame) -> list[str]:
    """Return the measures that a table has, in the order of the study."""
    have = set(table["measure"])
    return [measure for measure in inputs.similarities if measure in have]


def _group_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    measures = _measures(inputs)
    present = [c for c in varying(inputs.models) if c in set(inputs.consistency["category"])]
    intervals = None if inputs.intervals.empty else inputs.intervals
    for suffix, some in _chunks(measures):
        for category in present:
            yield _entry(
                f"boxes_{category}{suffix}", GROUPS, None, category_boxes,
                inputs.consistency, inputs.models, category, some, "pearson", intervals,
            )  # fmt: skip
    if present:
        yield _entry("pair_counts", GROUPS, None, pair_counts, inputs.models, present)
    yield from _inference_figures(inputs)
    for suffix, some in _chunks(_measures_in(inputs, inputs.anchors)):
        yield _entry(f"anchors{suffix}", GROUPS, None, anchors, inputs.anchors, inputs.models, some)


def _inference_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    """Is a difference between groups more than chance, range, or what goes with the group?"""
    table = inputs.table("contrasts")
    for suffix, some in _chunks(_measures_in(inputs, table)):
        yield _entry(f"contrasts{suffix}", GROUPS, None, contrasts, table, some)
    spreads, companions = inputs.table("spread"), inputs.table("companions")
    for measure in _measures_in(inputs, spreads):
        yield CatalogueEntry(
            f"range_{measure}",
            GROUPS,
            measure,
            range_restriction.describe(spreads, companions, measure),
            partial(range_restriction.draw, spreads, companions, inputs.models, measure),
        )
    table = inputs.table("drivers")
    for suffix, some in _chunks(_measures_in(inputs, table)):
        yield _entry(f"drivers{suffix}", GROUPS, None, drivers, table, some)


def _chunks(measures: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield at most three measures at a time, with a suffix for the file's name."""
    for start in range(0, len(measures), PANELS_PER_ROW):
        many = len(measures) > PANELS_PER_ROW
        suffix = f"_{start // PANELS_PER_ROW + 1}" if many else ""
        yield suffix, measures[start : start + PANELS_PER_ROW]


def _dataset_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    measures = _measures(inputs)
    for measure in measures:
        args = (inputs.consistency, inputs.datasets, measure, "pearson")
        name = f"consistency_{measure}"
        yield _entry(
            name, DATASETS, measure, consistency_matrix, *args, EVERYTHING, inputs.intervals
        )
        rows = category_boxes.group_rows(inputs.consistency, "objective", measure)
        for which, row in zip(("highest", "lowest"), (rows[0], rows[-1]) if len(rows) > 1 else (),
                              strict=False):  # fmt: skip
            name = f"consistency_{which}_{measure}"
            yield _entry(
                name, DATASETS, measure, consistency_matrix, *args, row.group, inputs.intervals
            )
    if len(measures) >= 2:
        yield _entry(
            "local_global", DATASETS, None, measures_compared, inputs.consistency, measures,
            draw="draw_consistency", describe="describe_consistency",
        )  # fmt: skip


def _performance_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    if inputs.probes.empty:
        return
    yield _entry(
        "accuracy", PERFORMANCE, None, accuracy, inputs.probes, inputs.models, inputs.datasets,
        inputs.variants,
    )  # fmt: skip
    measures = [m for m in inputs.similarities if m in set(inputs.gap["measure"])]
    for measure in measures:
        yield _entry(
            f"gap_{measure}", PERFORMANCE, measure, gap_scatter,
            inputs.gap, inputs.models, inputs.datasets, measure,
        )  # fmt: skip
    for against, name in RELATION_FIGURES.items():
        rows = inputs.relations[inputs.relations["against"] == against]
        some = _measures_in(inputs, rows)
        if some:
            yield _entry(
                name, PERFORMANCE, None, relations, inputs.relations, inputs.datasets, some, against
            )


def _precision_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    if inputs.similarities:
        yield _entry(
            "reliability", PRECISION, None, reliability, inputs.similarities, inputs.datasets
        )
    have = set(inputs.table("levels")["measure"])
    for suffix, some in _chunks([measure for measure in inputs.similarities if measure in have]):
        args = (inputs.table("levels"), inputs.datasets, some)
        yield _entry(f"levels{suffix}", PRECISION, None, levels, *args)
    for name, members in sensitivity.series(inputs.datasets).items():
        yield _entry(
            f"sensitivity_{name}", PRECISION, None, sensitivity, inputs.similarities,
            inputs.models, inputs.datasets, members,
        )  # fmt: skip


def save_all(inputs: FigureInputs, folder: Path) -> list[str]:
    """Write every figure as PNG and PDF, and ``captions.json``; return the names in order.

    ``captions.json`` is a list, in the order of the report, of name, section, measure (id and
    label), title, caption and alt text.
    """
    words = []
    for entry in catalogue(inputs):
        style.save(entry.draw(), folder, entry.name)
        words.append(
            {
                "name": entry.name,
                "section": entry.section,
                "measure": entry.measure,
                "measure_label": measure_label(entry.measure) if entry.measure else None,
                **entry.description._asdict(),
            }
        )
    write_json(folder / "captions.json", words)
    return [str(word["name"]) for word in words]
