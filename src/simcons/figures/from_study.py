"""What the figures of a finished study are drawn from, read from its files."""

from __future__ import annotations

import pandas as pd

from simcons.consistency import gap_pairs, with_agreement
from simcons.core.files import read_csv, read_parquet
from simcons.core.paths import Paths
from simcons.figures.schema import GAP_COLUMNS, FigureInputs, empty, median_intervals
from simcons.similarity.folders import read_header
from simcons.study.params import Study
from simcons.study.results import (
    gap_inputs,
    read_error_consistency,
    read_probes,
    read_similarities,
)


def figure_inputs(study: Study, paths: Paths) -> FigureInputs:
    """Return everything that figures and report are drawn from.

    Raises
    ------
    UserError
        As `read_similarities` and `read_probes`; also if the consistency table is missing.
    """
    similarities = read_similarities(study, paths)
    probes = read_probes(study, paths)
    with_accuracy, scores = gap_inputs(study, similarities, probes)
    tables = {name: read_parquet(paths.consistency / f"{name}.parquet") for name in analyses(study)}
    gaps = [gap_pairs(by, scores, measure=measure) for measure, by in with_accuracy.items()]
    gap = pd.concat(gaps, ignore_index=True) if gaps else empty(GAP_COLUMNS)
    anchors = {"anchors": tables.pop("anchors")} if "anchors" in tables else {}
    return FigureInputs(
        similarities=similarities,
        models=study.model_table(),
        datasets=_with_sizes(study, paths),
        consistency=tables.pop("consistency"),
        gap=with_agreement(gap, read_error_consistency(study, paths)) if gaps else gap,
        probes=probes,
        variants=read_probes(study, paths, sorted(study.variants)),
        intervals=median_intervals(tables.pop("intervals"), study.consistency.confidence),
        relations=read_csv(paths.metrics / "performance_gap.csv"),
        analysis=tables,
        method=study.consistency.methods[0],
        **anchors,
    )


def analyses(study: Study) -> list[str]:
    """Return the names of the tables in data/consistency that figures and report are made from."""
    wanted = study.consistency
    names = ["companions", "consistency", "contrasts", "corrected", "intervals", "left_out"]
    names += ["levels", "mantel", "spread", "spread_matched"]
    names += ["drivers"] if wanted.categories else []
    names += ["partial"] if wanted.given else []
    names += ["stratified"] if wanted.contrast and wanted.strata else []
    names += ["anchors", "anchor_rank_sums"] if wanted.anchors else []
    return sorted(names)


def _with_sizes(study: Study, paths: Paths) -> pd.DataFrame:
    """Return the table of data sets with the number of images that similarity was measured on.

    Missing where it was imported. Data sets that are one entry of the catalogue, with other
    options, are of one ``series``.
    """
    ids = {name: spec.id for name, spec in study.dataset_specs().items()}
    sizes = {name: read_header(paths.similarity(name)).get("n_images") for name in study.measured()}
    table = study.dataset_table()
    return table.assign(
        series=[ids[name] for name in table.index],
        n_images=pd.array([sizes.get(name) for name in table.index], dtype="Int64"),
    )
