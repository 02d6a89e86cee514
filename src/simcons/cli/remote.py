"""`simcons push` and `simcons pull`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from simcons.study import stage

if TYPE_CHECKING:
    from simcons.remote import Summary

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        help="Families of stages (similarity), stages (similarity@digits) or paths; default: all.",
        show_default=False,
    ),
]
Remote = Annotated[str | None, typer.Option("--remote", "-r", help="DVC remote; default: core's.")]
TimeLimit = Annotated[
    float, typer.Option(help="Seconds without a byte moved after which an attempt is stopped.")
]
Retries = Annotated[int, typer.Option(help="Attempts after the first.")]


def push(
    targets: Targets = None,
    remote: Remote = None,
    time_limit: TimeLimit = 120.0,
    retries: Retries = 3,
) -> None:
    """Push outputs to a DVC remote and check that all arrived.

    Each object is then in the remote with the right size; what was missing or truncated there is
    sent again. A dead server ends in an error, never in a command that hangs.
    """
    from simcons.remote import Limits, TransferError
    from simcons.remote import push as push_outputs

    try:
        summary = push_outputs(targets or (), remote=remote, limits=Limits(time_limit, retries))
    except TransferError as error:
        stage.fail(str(error), 1)
    else:
        again = f", {summary.replaced} of them in place of damaged ones" * bool(summary.replaced)
        _tell(summary, f"pushed {_amount(summary)}{again}; all {summary.objects:,} are there")


def pull(
    targets: Targets = None,
    remote: Remote = None,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace files that were changed here.")
    ] = False,
    time_limit: TimeLimit = 120.0,
    retries: Retries = 3,
) -> None:
    """Pull outputs from a DVC remote and check the content of all that came.

    `simcons pull similarity` fetches the similarities of the study's data sets, and nothing else.
    """
    from simcons.remote import Limits, TransferError
    from simcons.remote import pull as pull_outputs

    limits = Limits(time_limit, retries)
    try:
        summary = pull_outputs(targets or (), remote=remote, limits=limits, force=force)
    except TransferError as error:
        stage.fail(str(error), 1)
    else:
        _tell(summary, f"pulled {_amount(summary)}; all {summary.objects:,} are here, and whole")


def _amount(summary: Summary) -> str:
    return f"{summary.moved:,} objects ({summary.n_bytes / 1e6:,.2f} MB)"


def _tell(summary: Summary, text: str) -> None:
    typer.echo(f"{summary.where}: {text}")
    if summary.unknown:
        few = ", ".join(summary.unknown[:5]) + ", ..." * (len(summary.unknown) > 5)
        typer.echo(f"not in dvc.lock (nobody has run them): {len(summary.unknown)} stages ({few})")
