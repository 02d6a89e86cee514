"""Models: from a catalogue entry to a function from images to features.

One module per source (`timm`, `open_clip`, `pixels`, `zoo`), each with three functions:

- ``transform(spec)``: how an image becomes an input, without loading weights;
- ``identity(spec)``: JSON-able facts that decide the weights, without loading them;
- ``build(spec)``: the module, in evaluation mode, from a batch to features (n, feature_dim).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simcons.models.extractor import Extractor, fingerprint_parts, load
    from simcons.models.transforms import Transform

__all__ = ["Extractor", "Transform", "fingerprint_parts", "load"]


def __getattr__(name: str) -> Any:
    # Torch loads on first use: params are validated with `simcons.models.zoo.spec` alone.
    if name == "Transform":
        from simcons.models.transforms import Transform

        return Transform
    if name in __all__:
        from simcons.models import extractor

        return getattr(extractor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
