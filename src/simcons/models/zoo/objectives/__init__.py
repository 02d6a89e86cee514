"""The training objectives, a module each; a new one plugs in as one more module here.

A module ``NAME.py`` holds ``OPTIONS``, a literal dict of the objective's settings and their
defaults (read without importing the module, so that params are validated without torch), and
``Heads``, a subclass of `simcons.models.zoo.heads.Heads`: what the objective adds to the encoder,
and its loss. Its docstring cites the paper and the equation. Heads are thrown away after training.
"""

from __future__ import annotations

import ast
import pkgutil
from functools import cache
from pathlib import Path


@cache
def objective_names() -> tuple[str, ...]:
    """Return the names of the objectives, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


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
        match node:
            case (
                ast.AnnAssign(target=ast.Name(id="OPTIONS"), value=ast.Dict() as options)
                | ast.Assign(targets=[ast.Name(id="OPTIONS")], value=ast.Dict() as options)
            ):
                return dict(ast.literal_eval(options))
    raise ValueError(f"{path}: no literal OPTIONS")
