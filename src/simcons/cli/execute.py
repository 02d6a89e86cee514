"""`simcons exec RESOURCE -- COMMAND`: a stage's command, run here or submitted to a cluster."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from simcons.core.errors import UserError, known
from simcons.run.executor import RESOURCES, executor, program

# The command's own options are none of ours.
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def command(
    context: typer.Context,
    resource: Annotated[str, typer.Argument(help="What it needs: light, cpu or gpu.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run, or be submitted.")
    ] = False,
) -> None:
    """Run a stage's command where SIMCONS_EXECUTOR says (default: here).

    Example: simcons exec cpu -- python stages/similarity.py digits
    """
    execute(resource, context.args, dry_run=dry_run)


def execute(resource: str, command: Sequence[str], *, dry_run: bool = False) -> NoReturn:
    """Run a command where SIMCONS_EXECUTOR says, and leave with its exit code.

    Locally it takes the place of this process, so that signals reach it and nothing is left over.

    Parameters
    ----------
    resource
        What the command needs, one of `RESOURCES`; only a cluster tells them apart.
    command
        Program and arguments; ``python`` is the interpreter that runs simcons.
    dry_run
        Only print what would run.

    Raises
    ------
    UserError
        If the resource, the executor or the program does not exist, or the cluster refuses the job.
    """
    known("resource", resource, RESOURCES)
    where = executor()
    if not command:
        raise UserError("nothing to run: simcons exec RESOURCE -- COMMAND ...")
    if where == "slurm":
        from simcons import slurm

        if dry_run:
            print(slurm.dry_run(resource, command), end="")
            sys.exit(0)
        sys.exit(slurm.run(resource, command))
    path = program(command[0])
    if dry_run:
        print(shlex.join([path, *command[1:]]))
        sys.exit(0)
    sys.stdout.flush()
    # Its whole path as its name: Python looks a bare one up on the PATH, to find its packages.
    os.execv(path, [path, *command[1:]])
