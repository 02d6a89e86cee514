"""What is known of each architecture of the zoo without building it. No torch."""

from __future__ import annotations

from typing import NamedTuple

STRIDE = 8
"""Every architecture reduces the image by this factor; an image size must be a multiple of it."""


class Size(NamedTuple):
    """An architecture's own base width, and what follows from it.

    Attributes
    ----------
    width
        The base width where a spec gives none.
    dims_per_width
        Feature dimension per unit of base width.
    params
        Parameters at the architecture's own width.
    """

    width: int
    dims_per_width: int
    params: int


ARCHITECTURES = {
    "conv_plain": Size(24, 3, 136_008),
    "conv_small": Size(16, 4, 97_680),
    "conv_wide": Size(24, 4, 219_096),
    "vit_small": Size(64, 1, 91_792),
    "vit_wide": Size(96, 1, 204_120),
}
"""By name; `simcons.models.zoo.architectures` builds them."""
