"""The list of every figure, in the order of the report, each with its words.

Used by the figures stage (PNG, PDF and ``captions.json``) and, through these files, by the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from simcons.figures import (
    accuracy,
    category_boxes,
    consistency_matrix,
    dataset_scatter,
    gap_scatter,
    reliability,
    similarity_heatmaps,
    style,
)
from simcons.figures.inputs import CATEGORIES, Description, FigureInputs, check, measure_label
from simcons.files import write_json

PANELS_PER_ROW = 3


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


CONSISTENCY = "Does similarity carry over between data sets?"
GROUPS = "Which models are consistent?"
SIMILARITY = "How similar are the models?"
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
        *_consistency_figures(inputs),
        *_group_figures(inputs),
        *_similarity_figures(inputs),
        *_performance_figures(inputs),
        *_precision_figures(inputs),
    ]


def all_figures(inputs: FigureInputs) -> Iterator[tuple[str, Description, Figure]]:
    """Draw every figure: yields (name, words, figure), one at a time."""
    for entry in catalogue(inputs):
        yield entry.name, entry.description, entry.draw()


def _consistency_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    for measure, by_dataset in inputs.similarities.items():
        if len(by_dataset) >= 2:
            args = (by_dataset, inputs.models, inputs.datasets, measure)
            yield CatalogueEntry(
                f"scatter_{measure}",
                CONSISTENCY,
                measure,
                dataset_scatter.describe(*args),
                partial(dataset_scatter.draw, *args),
            )
    for measure in _measures(inputs):
        matrix_args = (inputs.consistency, inputs.datasets, measure)
        yield CatalogueEntry(
            f"consistency_{measure}",
            CONSISTENCY,
            measure,
            consistency_matrix.describe(*matrix_args),
            partial(consistency_matrix.draw, *matrix_args),
        )


def _measures(inputs: FigureInputs) -> list[str]:
    """Return the measures that have a consistency, in the order of the study."""
    have = set(inputs.consistency["measure"])
    return [measure for measure in inputs.similarities if measure in have]


def _group_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    measures = _measures(inputs)
    present = set(inputs.consistency["category"])
    for category in CATEGORIES:
        if category not in present or category not in inputs.models.columns:
            continue
        for start in range(0, len(measures), PANELS_PER_ROW):
            args = (
                inputs.consistency,
                inputs.models,
                category,
                measures[start : start + PANELS_PER_ROW],
            )
            suffix = f"_{start // PANELS_PER_ROW + 1}" if len(measures) > PANELS_PER_ROW else ""
            yield CatalogueEntry(
                f"boxes_{category}{suffix}",
                GROUPS,
                None,
                category_boxes.describe(*args),
                partial(category_boxes.draw, *args),
            )


def _similarity_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    for measure, by_dataset in inputs.similarities.items():
        args = (by_dataset, inputs.models, inputs.datasets, measure)
        for statistic in ("mean", "sd"):
            if statistic == "sd" and len(by_dataset) < 2:
                continue
            yield CatalogueEntry(
                f"similarity_{statistic}_{measure}",
                SIMILARITY,
                measure,
                similarity_heatmaps.describe_over_datasets(*args, statistic),
                partial(similarity_heatmaps.draw_over_datasets, *args, statistic),
            )
        yield CatalogueEntry(
            f"similarity_panels_{measure}",
            SIMILARITY,
            measure,
            similarity_heatmaps.describe_panels(*args),
            partial(similarity_heatmaps.draw_panels, *args),
        )


def _performance_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    if inputs.probes.empty:
        return
    probe_args = (inputs.probes, inputs.models, inputs.datasets)
    yield CatalogueEntry(
        "accuracy",
        PERFORMANCE,
        None,
        accuracy.describe(*probe_args),
        partial(accuracy.draw, *probe_args),
    )
    have = set(inputs.gap["measure"])
    for measure in inputs.similarities:
        if measure in have:
            args = (inputs.gap, inputs.models, inputs.datasets, measure)
            yield CatalogueEntry(
                f"gap_{measure}",
                PERFORMANCE,
                measure,
                gap_scatter.describe(*args),
                partial(gap_scatter.draw, *args),
            )


def _precision_figures(inputs: FigureInputs) -> Iterator[CatalogueEntry]:
    if inputs.similarities:
        args = (inputs.similarities, inputs.datasets)
        yield CatalogueEntry(
            "reliability",
            PRECISION,
            None,
            reliability.describe(*args),
            partial(reliability.draw, *args),
        )


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
