"""`simcons exec RESOURCE -- COMMAND`: where a stage's command runs.

Where a job runs must not change a result, so it is no param: it comes from the environment,
``SIMCONS_EXECUTOR``. ``local`` (the default) runs the command here.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from simcons.errors import UserError, did_you_mean

RESOURCES = ("light", "cpu", "gpu")
EXECUTORS = ("local",)


def execute(resource: str, command: Sequence[str]) -> NoReturn:
    """Run a command in place of this process, so that signals reach it and nothing is left over.

    Parameters
    ----------
    resource
        What the command needs, one of `RESOURCES`; only a cluster tells them apart.
    command
        Program and arguments; ``python`` is the interpreter that runs simcons.

    Raises
    ------
    UserError
        If the resource, the executor or the program does not exist.
    """
    if resource not in RESOURCES:
        raise UserError(f"unknown resource '{resource}': {did_you_mean(resource, RESOURCES)}")
    executor = os.environ.get("SIMCONS_EXECUTOR", "local")
    if executor not in EXECUTORS:
        raise UserError(f"SIMCONS_EXECUTOR is '{executor}': {did_you_mean(executor, EXECUTORS)}")
    if not command:
        raise UserError("nothing to run: simcons exec RESOURCE -- COMMAND ...")
    program = sys.executable if command[0] == "python" else shutil.which(command[0])
    if program is None:
        raise UserError(f"no program '{command[0]}' on the PATH")
    sys.stdout.flush()
    os.execv(Path(program), [command[0], *command[1:]])
