"""Linear probes: how well a linear classifier on a model's features does, and its test logits.

`fit_linear_probe` runs one protocol (`Protocol`) on arrays; nothing here knows of data sets or
stages. Torch is only imported when a probe is fitted: validating params or reading results is
light.
"""

from __future__ import annotations

import importlib
from typing import Any

from simcons.probes.agreement import error_consistency, probe_error_consistency
from simcons.probes.protocol import Protocol, WeightDecays
from simcons.probes.results import (
    ProbeResult,
    Trial,
    collect,
    load_probe,
    load_row,
    save_probe,
)

__all__ = [
    "ProbeResult",
    "Protocol",
    "Trial",
    "WeightDecays",
    "collect",
    "ensemble",
    "error_consistency",
    "fit_combination",
    "fit_linear_probe",
    "load_probe",
    "load_row",
    "probe_error_consistency",
    "save_probe",
    "score_variant",
]

_NEED_TORCH = {
    "ensemble": "simcons.probes.combine",
    "fit_combination": "simcons.probes.combine",
    "fit_linear_probe": "simcons.probes.linear",
    "score_variant": "simcons.probes.variants",
}


def __getattr__(name: str) -> Any:
    if name in _NEED_TORCH:
        return getattr(importlib.import_module(_NEED_TORCH[name]), name)
    raise AttributeError(f"module 'simcons.probes' has no attribute {name!r}")
