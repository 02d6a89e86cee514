"""The training objectives, a module each; a new one plugs in as one more module here.

A module ``NAME.py`` holds ``OPTIONS``, a literal dict of the objective's settings and their
defaults (read without importing the module, so that params are validated without torch), and
``Heads``, a subclass of `simcons.models.zoo.objectives.base.Heads`: what the objective adds to the
encoder, and its loss. Its docstring cites the paper and the equation. Heads are thrown away after
training.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simcons.models.zoo.objectives.base import Heads

_NOT_OBJECTIVES = {"base"}


@cache
def objective_names() -> tuple[str, ...]:
    """Return the names of the objectives, sorted."""
    found = {module.name for module in pkgutil.iter_modules(__path__)}
    return tuple(sorted(found - _NOT_OBJECTIVES))


@cache
def default_options(name: str) -> dict[str, float]:
    """Return an objective's settings with their defaults, without importing its module.

    Raises
    ------
    ValueError
        If the module has no literal ``OPTIONS``.
    """
    path = Path(__path__[0]) / f"{name}.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            target, value = node.target.id, node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            target, value = node.targets[0].id, node.value
        else:
            continue
        if target == "OPTIONS" and value is not None:
            return dict(ast.literal_eval(value))
    raise ValueError(f"{path}: no literal OPTIONS")


def heads_class(name: str) -> type[Heads]:
    """Return the class that holds an objective's heads and loss (imports torch)."""
    found: type[Heads] = importlib.import_module(f"{__name__}.{name}").Heads
    return found
