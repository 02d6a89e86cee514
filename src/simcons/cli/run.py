"""`simcons run`."""

from __future__ import annotations

from typing import Annotated

import typer

from simcons.core.paths import Paths
from simcons.run.executor import executor
from simcons.study.params import load_study
from simcons.study.stage import share_cores


def run(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Stages, with what they need (default: all).")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages at a time.")] = 2,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", "-k", help="After a failure, run what can be run.")
    ] = False,
) -> None:
    """Bring the stages up to date, independent ones side by side; then audit with `dvc repro`.

    With SIMCONS_EXECUTOR=slurm the stages' work is done on the cluster that slurm.yaml describes.
    """
    from simcons.run.runner import run as run_stages

    study = load_study() if Paths().params.is_file() else None
    if study is not None and executor() == "local":
        share_cores(jobs, study.numerics.threads)
    code = run_stages(targets or (), jobs=jobs, keep_going=keep_going)
    if code:
        raise typer.Exit(code)
