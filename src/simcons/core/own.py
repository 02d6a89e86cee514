"""The folder ``own`` of the repository, where a user's Python modules lie."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from simcons.core.errors import UserError, did_you_mean
from simcons.core.paths import Paths


def module_file(name: str) -> Path | None:
    """Return the file of a module in ``own`` or of an installed one; None if there is none."""
    # At the end: a file of the user's shadows no installed package.
    own = str(Paths().own.resolve())
    if own not in sys.path:
        sys.path.append(own)
        importlib.invalidate_caches()
    try:
        found = find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(found.origin) if found is not None and found.origin else None


def own_function(where: str, name: str) -> Callable[..., Any]:
    """Return the function ``package.module:function``, of a module in ``own`` or an installed one.

    Parameters
    ----------
    where
        Whose function it is, for messages: ``model 'mine'``.
    name
        Module and function.

    Raises
    ------
    UserError
        If there is no such module or function, or the module's code fails.
    """
    module_name, _, attribute = name.partition(":")
    if module_file(module_name) is None:
        raise UserError(
            f"{where}: {name} cannot be imported: there is no Python module '{module_name}', "
            f"neither in {Paths().own}/ nor installed"
        )
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a user's code: anything may come
        raise UserError(f"{where}: {module_name} failed: {said(error)}") from error
    function = getattr(module, attribute, None)
    if not callable(function):
        known = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
        raise UserError(
            f"{where}: {name} cannot be imported: '{module_name}' has no function '{attribute}': "
            f"{did_you_mean(attribute, known)}"
        )
    return function


def said(error: Exception) -> str:
    """Return what an exception of the user's code says, and where."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})"
