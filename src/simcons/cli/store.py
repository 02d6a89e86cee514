"""`simcons store ...`."""

from __future__ import annotations

from typing import Annotated

import typer

from simcons.cli.output import print_table
from simcons.core.paths import Paths
from simcons.core.store import Store
from simcons.study.params import load_study

app = typer.Typer(help="The store of finished features, probes and weights.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List what is in the store."""
    store = Store(Paths().store)
    entries = list(store.entries())
    print_table(
        ["kind", "label", "MB", "fingerprint"],
        [(e.kind, e.label, round(e.n_bytes / 1e6, 2), e.fingerprint[:12]) for e in entries],
    )
    total = sum(e.n_bytes for e in entries) / 1e6
    typer.echo(f"{len(entries)} entries, {total:,.1f} MB in {store.root}")


@app.command()
def prune(
    everything: Annotated[
        bool, typer.Option("--all", help="Remove what the active study uses, too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be removed.")] = False,
) -> None:
    """Remove what the active study does not use; it costs time, never correctness."""
    from simcons.study.inventory import used_fingerprints

    paths = Paths()
    store = Store(paths.store)
    keep = set() if everything else used_fingerprints(load_study(), paths)
    doomed = [e for e in store.entries() if e.fingerprint not in keep]
    removed = doomed if dry_run else store.prune(keep)
    for entry in removed:
        typer.echo(f"{'would remove' if dry_run else 'removed'} {entry.kind} {entry.label}")
    typer.echo(f"{len(removed)} entries, {sum(e.n_bytes for e in removed) / 1e6:,.1f} MB")
