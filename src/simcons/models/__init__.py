"""Models: from a catalogue entry to a function from images to features.

One module per source (``source_timm`` and so on), each with three functions:

- ``transform(spec)``: how an image becomes an input, without loading weights (None: only ``build``
  knows);
- ``identity(spec)``: JSON-able facts that decide the weights, without loading them;
- ``build(spec)``: the network, from a batch to its pooled representation; or, where the transform
  comes with it, (network, transform).

Those with architectures of their own also have ``whole(spec)``: the whole architecture, head and
text tower included, without weights. `readout` reads a network at any of its layers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simcons.models.extractor import Extractor, fingerprint_parts, load

__all__ = ["Extractor", "fingerprint_parts", "load"]


def __getattr__(name: str) -> Any:
    # Torch loads on first use: params are validated with `simcons.models.zoo.spec` alone.
    if name in __all__:
        return getattr(importlib.import_module("simcons.models.extractor"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
