"""Write the report: one self-contained HTML page."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main() -> None:
    """Write metrics/report/index.html."""
    study = stage.start()
    from simcons.core.files import write_text
    from simcons.report import ReportInputs, load_pictures, render
    from simcons.study.results import (
        feature_warnings,
        figure_inputs,
        import_warnings,
        input_digests,
        library_versions,
        probe_warnings,
        zoo_warnings,
    )

    paths = Paths()
    inputs = figure_inputs(study, paths)
    page = render(
        ReportInputs(
            figures=inputs,
            pictures=load_pictures(paths.figures),
            study=study.study,
            params=paths.params.read_text(encoding="utf-8"),
            digests=input_digests(study, paths),
            versions=library_versions(),
            warnings=[
                *import_warnings(study),
                *feature_warnings(study),
                *zoo_warnings(paths),
                *probe_warnings(inputs.probes),
            ],
            method=study.consistency.methods[0],
        )
    )
    write_text(paths.report, page)


if __name__ == "__main__":
    stage.script(main)
