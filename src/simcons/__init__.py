"""simcons: is the similarity of two vision models consistent across data sets?

Importing this package imports nothing heavy: every subpackage (``simcons.similarity``,
``simcons.features``, ...) is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__version__ = "0.1.0"

# The rooms of the package, lowest first: a module imports only from its own room and from those
# before it, and a test holds every module to that.
ROOMS = (
    "core",
    "catalog",
    "datasets",
    "models",
    "features",
    "similarity",
    "probes",
    "consistency",
    "imports",
    "study",
    "figures",
    "report",
    "run",
    "slurm",
    "remote",
    "cli",
)


def __getattr__(name: str) -> ModuleType:
    if name in ROOMS:
        return importlib.import_module(f"simcons.{name}")
    raise AttributeError(f"module 'simcons' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *ROOMS])
