"""Versions of the code that decides values, and fingerprints of results.

A finished result in the store is found again by its fingerprint: a hash of everything that decides
its values. Code decides values too, but hashing source text would throw results away at every
comment; so each kind of result has a version here, bumped by hand whenever a change to its deciding
modules can change a value. `tests/test_numerics.py` keeps a hash of those modules' syntax trees and
fails when they change, so that nobody forgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simcons.core.files import sha256_json

NUMERICS_VERSION: dict[str, int] = {"features": 1, "probes": 1, "zoo": 1}

# Modules (below src/simcons) whose code decides the values of each kind of result.
DECIDING_MODULES: dict[str, tuple[str, ...]] = {
    "features": (
        "datasets/reading.py",
        "datasets/shards.py",
        "features/batches.py",
        "features/device.py",
        "features/extraction.py",
        "models/extractor.py",
        "models/readout.py",
        "models/source_open_clip.py",
        "models/source_pixels.py",
        "models/source_python.py",
        "models/source_timm.py",
        "models/source_torchvision.py",
        "models/source_transformers.py",
        "models/source_zoo.py",
        "models/transforms.py",
        "models/weights.py",
        "models/zoo/architectures.py",
    ),
    "probes": (
        "probes/batched.py",
        "probes/knn.py",
        "probes/lbfgs.py",
        "probes/linear.py",
        "probes/metrics.py",
        "probes/problem.py",
        "probes/protocol.py",
        "probes/results.py",
        "probes/ridge.py",
        "probes/splits.py",
        "probes/sweep.py",
    ),
    "zoo": (
        "models/zoo/architectures.py",
        "models/zoo/augment.py",
        "models/zoo/data.py",
        "models/zoo/heads.py",
        "models/zoo/objectives",
        "models/zoo/training.py",
    ),
}


def fingerprint(kind: str, parts: Mapping[str, Any]) -> str:
    """Return the fingerprint (hex) of a result from the parts that decide it.

    Parameters
    ----------
    kind
        The kind of result, a key of `NUMERICS_VERSION`.
    parts
        JSON-able values: digests of inputs, specs, params.
    """
    return sha256_json({**parts, "kind": kind, "numerics_version": NUMERICS_VERSION[kind]})
