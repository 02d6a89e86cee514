"""Where stages' work is done: here, or on a cluster.

Where a job runs must not change a result, so it is no param: it comes from the environment,
``SIMCONS_EXECUTOR``.
"""

from __future__ import annotations

import os
import shutil
import sys

from simcons.core.errors import UserError, did_you_mean

RESOURCES = ("light", "cpu", "gpu")
EXECUTORS = ("local", "slurm")
SUBMITTER_GONE = 75  # exit code: what started this is gone (sysexits' "temporary failure")


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
