"""Versions of the code that decides values, and fingerprints of results.

A finished result in the store is found again by its fingerprint: a hash of everything that decides
its values. Code decides values too, but hashing source text would throw results away at every
comment; so each kind of result has a version here, bumped by hand whenever a change of the code
that decides it can change a value. Which code that is, the imports of its stage tell; the tests
keep a hash of its syntax trees and fail when it changes, so that nobody forgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simcons.core.files import sha256_json

NUMERICS_VERSION: dict[str, int] = {"features": 1, "probes": 1, "zoo": 1}


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
