"""The folder ``own`` of the repository, where a user's Python modules lie."""

from __future__ import annotations

import importlib
import sys

from simcons.core.paths import Paths


def make_importable() -> None:
    """Let ``import`` find the modules in ``own``."""
    # At the end: a file of the user's shadows no installed package.
    own = str(Paths().own.resolve())
    if own not in sys.path:
        sys.path.append(own)
        importlib.invalidate_caches()
