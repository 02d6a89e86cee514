"""Linear probes: how well a linear classifier on a model's features does, and its test logits.

`fit_linear_probe` runs one protocol (`Protocol`) on arrays; nothing here knows of data sets or
stages. Torch is only imported when a probe is fitted: validating params or reading results is
light.
"""

from __future__ import annotations

from typing import Any

from simcons.probes.protocol import Protocol, WeightDecays
from simcons.probes.results import (
    ProbeResult,
    Trial,
    collect,
    load_probe,
    load_row,
    save_probe,
    write_probes,
)

__all__ = [
    "ProbeResult",
    "Protocol",
    "Trial",
    "WeightDecays",
    "collect",
    "fit_linear_probe",
    "load_probe",
    "load_row",
    "save_probe",
    "write_probes",
]


def __getattr__(name: str) -> Any:
    if name == "fit_linear_probe":
        from simcons.probes.linear import fit_linear_probe

        return fit_linear_probe
    raise AttributeError(f"module 'simcons.probes' has no attribute {name!r}")
