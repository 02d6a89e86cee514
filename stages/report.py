"""Write the report: one self-contained HTML page."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main() -> None:
    """Write metrics/report/index.html."""
    study = stage.start()
    from simcons.core.files import write_text
    from simcons.report import render
    from simcons.report.from_study import report_inputs

    paths = Paths()
    write_text(paths.report, render(report_inputs(study, paths)))


if __name__ == "__main__":
    stage.script(main)
