"""`simcons exec RESOURCE -- COMMAND`: where a stage's command runs.

Where a job runs must not change a result, so it is no param: it comes from the environment,
``SIMCONS_EXECUTOR``. ``local`` (the default) runs the command here, ``slurm`` submits it to a
cluster and waits for it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from typing import NoReturn

from simcons.errors import UserError, did_you_mean

RESOURCES = ("light", "cpu", "gpu")
EXECUTORS = ("local", "slurm")
SUBMITTER_GONE = 75  # exit code: what started this is gone (sysexits' "temporary failure")


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
    if resource not in RESOURCES:
        raise UserError(f"unknown resource '{resource}': {did_you_mean(resource, RESOURCES)}")
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


def executor() -> str:
    """Return where stages' work is done, which SIMCONS_EXECUTOR says.

    Raises
    ------
    UserError
        If it says something else than one of EXECUTORS.
    """
    name = os.environ.get("SIMCONS_EXECUTOR", "local")
    if name not in EXECUTORS:
        raise UserError(f"SIMCONS_EXECUTOR is '{name}': {did_you_mean(name, EXECUTORS)}")
    return name


def program(name: str) -> str:
    """Return the path of a program; ``python`` is the interpreter that runs simcons.

    Raises
    ------
    UserError
        If there is none of this name.
    """
    path = sys.executable if name == "python" else shutil.which(name)
    if path is None:
        raise UserError(f"no program '{name}' on the PATH")
    return path
