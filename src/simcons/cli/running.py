"""`simcons run`, and `simcons store ...`: running the stages, and what they have finished."""

from __future__ import annotations

from typing import Annotated

import typer

from simcons.cli.output import print_table
from simcons.core.paths import Paths
from simcons.core.store import Store
from simcons.run.executor import executor
from simcons.study.params import load_study
from simcons.study.stage import share_cores

store = typer.Typer(
    help="The store of finished features, probes and weights.", no_args_is_help=True
)


@store.command("list")
def list_() -> None:
    """List what is in the store."""
    found = Store(Paths().store)
    entries = list(found.entries())
    print_table(
        ["kind", "label", "MB", "fingerprint"],
        [(e.kind, e.label, round(e.n_bytes / 1e6, 2), e.fingerprint[:12]) for e in entries],
    )
    total = sum(e.n_bytes for e in entries) / 1e6
    typer.echo(f"{len(entries)} entries, {total:,.1f} MB in {found.root}")


@store.command()
def prune(
    everything: Annotated[
        bool, typer.Option("--all", help="Remove what the active study uses, too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be removed.")] = False,
) -> None:
    """Remove what the active study does not use; it costs time, never correctness."""
    from simcons.study.inventory import used_fingerprints

    paths = Paths()
    found = Store(paths.store)
    keep = set() if everything else used_fingerprints(load_study(), paths)
    doomed = [e for e in found.entries() if e.fingerprint not in keep]
    removed = doomed if dry_run else found.prune(keep)
    for entry in removed:
        typer.echo(f"{'would remove' if dry_run else 'removed'} {entry.kind} {entry.label}")
    typer.echo(f"{len(removed)} entries, {sum(e.n_bytes for e in removed) / 1e6:,.1f} MB")


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
