"""What the report of a finished study is made from, read from its files."""

from __future__ import annotations

from importlib.metadata import version

from simcons.core.files import sha256_file
from simcons.core.paths import Paths
from simcons.figures.from_study import analyses, figure_inputs
from simcons.report.notices import study_warnings
from simcons.report.page import ReportInputs, load_pictures
from simcons.study.params import Study
from simcons.study.results import predicted

# The libraries that decide a number.
LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "simcons", "timm", "torch", "torchvision")


def report_inputs(study: Study, paths: Paths) -> ReportInputs:
    """Return everything on the page of a study whose figures are drawn.

    Raises
    ------
    UserError
        As `simcons.figures.from_study.figure_inputs`; also if a figure is missing.
    """
    figures = figure_inputs(study, paths)
    return ReportInputs(
        figures=figures,
        pictures=load_pictures(paths.figures),
        study=study.study,
        params=paths.params.read_text(encoding="utf-8"),
        digests=input_digests(study, paths),
        versions=library_versions(),
        warnings=study_warnings(study, paths, figures.probes),
    )


def input_digests(study: Study, paths: Paths) -> dict[str, str]:
    """Return the SHA-256 of each file that the report is made from, by path."""
    files = [paths.consistency / f"{name}.parquet" for name in analyses(study)]
    files += [paths.metrics / "performance_gap.csv"]
    for dataset in study.measured():
        names = ["matrix.json", *(f"{measure}.parquet" for measure in study.similarity.measures)]
        files += [paths.similarity(dataset) / name for name in names]
    files += [paths.probes(d) / "results.parquet" for d in [*study.probed(), *study.variants]]
    files += [paths.probes(d) / "error_consistency.parquet" for d in predicted(study)]
    return {file.relative_to(paths.root).as_posix(): sha256_file(file) for file in files}


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide a number."""
    return {name: version(name) for name in LIBRARIES}
