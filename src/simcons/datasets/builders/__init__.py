"""The builders of the demo data sets: images from, or rendered from, installable packages.

A data set is one module here, named by its catalogue id, with

- ``OPTIONS``: the model of its options (`SampledOptions`, `SplitOptions` or its own), and
- ``build(options) -> LabelledImages``.

Nothing else has to be told of a new module but the catalogue (``catalog/datasets.yaml``, which
holds the options' values). What several builders need is in the modules that begin with ``_``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from simcons.core.errors import known
from simcons.core.validation import validated
from simcons.datasets.shard_writer import LabelledImages


def builder_names() -> list[str]:
    """Return the names of all builders."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in modules if not name.startswith("_"))


def run_builder(name: str, options: Mapping[str, Any]) -> LabelledImages:
    """Build a data set's images with the builder of that name.

    Raises
    ------
    UserError
        If there is no such builder, or an option is unknown, missing or out of range.
    """
    known("data set", name, builder_names(), key="builder")
    module = importlib.import_module(f"{__name__}.{name}")
    where = f"data set '{name}'"
    return module.build(validated(module.OPTIONS, dict(options), where=where, key="options"))
