"""The list of every figure, in the order of the report.

Used by the figures stage (PNG, PDF and ``captions.json``) and, through these files, by the report.
A new figure is a module with a function `figures`, and its line here.
"""

from __future__ import annotations

from pathlib import Path

from simcons.catalog import CATEGORIES
from simcons.consistency.correlation import RESAMPLED_METHODS
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
    mantel,
    measures_compared,
    pair_counts,
    range_restriction,
    relations,
    reliability,
    sensitivity,
    similarity_heatmaps,
    similarity_levels,
    style,
)
from simcons.figures.base import Entry
from simcons.figures.schema import FigureInputs, check
from simcons.figures.selection import varying
from simcons.figures.words import category_label, count, measure_label, value_label

FIGURES = (
    similarity_heatmaps.figures,
    measures_compared.similarity_figures,
    embeddings.figures,
    dataset_scatter.figures,
    mantel.figures,
    ceilings.figures,
    category_boxes.figures,
    pair_counts.figures,
    contrasts.figures,
    range_restriction.figures,
    drivers.figures,
    anchors.figures,
    consistency_matrix.figures,
    measures_compared.consistency_figures,
    accuracy.figures,
    gap_scatter.figures,
    relations.figures,
    reliability.figures,
    similarity_levels.figures,
    sensitivity.figures,
)


def catalogue(inputs: FigureInputs) -> list[Entry]:
    """Return every figure of a study, in the order of the report, without drawing it.

    Raises
    ------
    UserError
        If the inputs do not fit each other (see `simcons.figures.schema.check`).
    """
    check(inputs)
    return [entry for figures in FIGURES for entry in figures(inputs)]


def not_drawn(inputs: FigureInputs) -> list[str]:
    """Return, in words, which figures a study does not have, and why."""
    alike = [
        c for c in CATEGORIES if c in inputs.models.columns and c not in varying(inputs.models)
    ]
    found = [
        f"No figure by {category_label(category)}: all {count(len(inputs.models), 'model')} are "
        f"of one value ({value_label(category, str(inputs.models[category].iloc[0]))})."
        for category in alike
    ]
    if inputs.method not in RESAMPLED_METHODS:
        found.append(
            f"No intervals, tests or ceilings: {inputs.method.capitalize()} r is given as a point "
            f"estimate only."
        )
    return found


def save_all(inputs: FigureInputs, folder: Path) -> list[str]:
    """Write every figure as PNG and PDF, and ``captions.json``; return the names in order.

    ``captions.json`` is a list, in the order of the report, of name, section, measure (id and
    label), title, caption and alt text.
    """
    words = []
    for entry in catalogue(inputs):
        style.save(entry.figure.draw(), folder, entry.name)
        words.append(
            {
                "name": entry.name,
                "section": entry.section,
                "measure": entry.measure,
                "measure_label": measure_label(entry.measure) if entry.measure else None,
                **entry.figure.description._asdict(),
            }
        )
    write_json(folder / "captions.json", words)
    return [str(word["name"]) for word in words]
