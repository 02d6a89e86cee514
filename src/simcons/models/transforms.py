"""How an image becomes a model's input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tvf

from simcons.catalog import TransformSpec

if TYPE_CHECKING:
    from PIL.Image import Image

# From a PIL RGB image to one input (3, height, width), float32.
ImageTransform = Callable[["Image"], torch.Tensor]


@dataclass(frozen=True)
class Transform:
    """Resize, crop, scale to [0, 1] and normalise one RGB image.

    Models whose specs are equal share the result, so an image is transformed once for them.
    """

    spec: TransformSpec

    def __call__(self, image: Image) -> torch.Tensor:
        """Return the input (3, height, width), float32, of a PIL RGB image."""
        spec = self.spec
        size = [spec.resize, spec.resize] if spec.mode == "squash" else [spec.resize]
        resized = tvf.resize(image, size, InterpolationMode(spec.interpolation), antialias=True)
        if spec.crop is not None:
            resized = tvf.center_crop(resized, [spec.crop, spec.crop])
        tensor = tvf.to_dtype(tvf.pil_to_tensor(resized), torch.float32, scale=True)
        return tvf.normalize(tensor, list(spec.mean), list(spec.std))
