"""What every script in stages/ shares: params checked, threads fixed, errors for people.

A stage is a function of its arguments; `script` turns it into a command.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from simcons.core.errors import UserError
from simcons.core.files import read_yaml
from simcons.core.paths import Paths

if TYPE_CHECKING:
    from simcons.study.params import Study

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def limit_threads(threads: int, environ: MutableMapping[str, str] = os.environ) -> None:
    """Fix the threads of every numerical library; call it before NumPy or torch is imported."""
    for name in THREAD_VARIABLES:
        environ[name] = str(threads)


def share_cores(jobs: int, threads: int, environ: MutableMapping[str, str] = os.environ) -> None:
    """Let idle threads of stages that run side by side sleep, if there are more than cores.

    By default they spin for a while, on the cores that others need: two trainings with two threads
    each took 74 s on two cores, and 18 s with threads that sleep (9.5 s and 15 s for one alone).
    """
    if jobs > 1 and jobs * threads > (os.cpu_count() or 1):
        environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def start() -> Study:
    """Load and validate the study and fix the threads; every stage begins with it."""
    values = read_yaml(Paths().params)
    numerics = values.get("numerics") if isinstance(values, dict) else None
    threads = numerics.get("threads") if isinstance(numerics, dict) else None
    # Before validation, which imports NumPy: its BLAS reads the variables when it is loaded.
    limit_threads(threads if isinstance(threads, int) and threads > 0 else 2)
    from simcons.study.params import load_study

    return load_study()


def script(main: Callable[..., Any]) -> None:
    """Run a stage's function as a command; its arguments are the command's."""
    # By default Python looks for garbage after every 700 new objects. Nearly all of those made by
    # imports and by figures stay: rarer searches save a quarter of the time of both.
    gc.set_threshold(50_000)
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    run(app)


def run(command: Callable[..., Any]) -> None:
    """Run a typer command or app; a UserError is printed alone, with exit code 2.

    A full disk is one line too (exit code 1): what was being written is gone, what was there before
    is whole, and finished results are in the store.
    """
    try:
        command()
    except UserError as error:
        fail(str(error), 2)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        what = f"{os.strerror(error.errno)}: {error.filename or 'while writing'}"
        fail(f"{what}; free space or rights are needed, then run the same command again", 1)


def fail(message: str, code: int) -> None:
    """Print one message and leave."""
    print(f"error: {message}", file=sys.stderr, flush=True)
    sys.exit(code)
