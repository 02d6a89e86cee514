"""Augmentations of a batch as tensor operations, every random number from a given generator.

A crop is one `grid_sample` for the batch; saturation, hue and greyscale are one 3 x 3 colour matrix
per image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from simcons.models.zoo.spec import Augmentations

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G, B in brightness (ITU-R BT.601)."""


def augment(
    images: Tensor, flippable: Tensor, how: Augmentations, generator: torch.Generator
) -> Tensor:
    """Return an augmented copy of a batch.

    Parameters
    ----------
    images
        (n, 3, s, s) in [0, 1].
    flippable
        (n,) bool: which images may be mirrored.
    how
        What to do, how strongly.
    generator
        Source of every random choice.

    Returns
    -------
    Tensor
        (n, 3, s, s) in [0, 1].
    """
    images = _geometry(images, flippable, how, generator)
    images = _colour(images, how, generator)
    if how.tint or how.invert:
        images = _channels(images, how, generator)
    if how.blur:
        chosen = _uniform(len(images), 0, 1, generator) < how.blur
        images = torch.where(chosen.view(-1, 1, 1, 1), _blurred(images), images)
    if how.noise:
        images = images + how.noise * torch.randn(images.shape, generator=generator)
    return images.clamp(0, 1)


def crop_boxes(
    n: int, min_area: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw boxes for random resized crops (Szegedy et al. 2015, arXiv 1409.4842, section 6).

    The area is uniform in [min_area, 1], the logarithm of width / height uniform in
    +-log(4/3), the place uniform among those inside the image; a side longer than the image is cut.

    Returns
    -------
    width, height, x, y
        (n,) each, as shares of the image (1: the whole side); x and y are offsets of the box's
        centre from the image's, so a box reaches from x - width / 2 to x + width / 2.
    """
    area = _uniform(n, min_area, 1, generator)
    aspect = _uniform(n, -math.log(4 / 3), math.log(4 / 3), generator).exp()
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    x = (1 - width) * _uniform(n, -0.5, 0.5, generator)
    y = (1 - height) * _uniform(n, -0.5, 0.5, generator)
    return width, height, x, y


def _geometry(
    images: Tensor, flippable: Tensor, how: Augmentations, generator: torch.Generator
) -> Tensor:
    n = len(images)
    mirrored = flippable & (_uniform(n, 0, 1, generator) < 0.5)
    if how.crop_min_area == 1 and not how.rotation_degrees:
        return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
    width, height, x, y = _whole(n)
    if how.crop_min_area < 1:
        width, height, x, y = crop_boxes(n, how.crop_min_area, generator)
    limit = math.radians(how.rotation_degrees)
    angle = _uniform(n, -limit, limit, generator)
    width = torch.where(mirrored, -width, width)
    # affine_grid takes output coordinates in [-1, 1] to input coordinates in [-1, 1].
    across = torch.stack([width * angle.cos(), -height * angle.sin(), 2 * x], 1)
    down = torch.stack([width * angle.sin(), height * angle.cos(), 2 * y], 1)
    grid = functional.affine_grid(
        torch.stack([across, down], 1), list(images.shape), align_corners=False
    )
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _whole(n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return torch.ones(n), torch.ones(n), torch.zeros(n), torch.zeros(n)


def colour_matrices(saturation: Tensor, hue: Tensor) -> Tensor:
    """Return the colour matrices (n, 3, 3) that scale saturation and turn the hue.

    Around the grey axis, brightness (`LUMA`) fixed: with L the projection on grey,
    M = L + saturation * R(hue) (I - L). Saturation 0 is greyscale; saturation 1 with hue 0 the
    identity. R turns the colour plane by ``hue`` (radians).
    """
    grey = torch.tensor(LUMA).expand(3, 3)
    root = 1 / math.sqrt(3)
    cross = torch.tensor([[0.0, -root, root], [root, 0.0, -root], [-root, root, 0.0]])
    cos, sin = hue.cos().view(-1, 1, 1), hue.sin().view(-1, 1, 1)
    turn = cos * torch.eye(3) + (1 - cos) / 3 + sin * cross
    colour = torch.eye(3) - grey
    return grey + saturation.view(-1, 1, 1) * (colour @ turn @ colour)


def _colour(images: Tensor, how: Augmentations, generator: torch.Generator) -> Tensor:
    n = len(images)
    saturation = _uniform(n, 1 - how.saturation, 1 + how.saturation, generator)
    limit = math.radians(how.hue_degrees)
    hue = _uniform(n, -limit, limit, generator)
    grey = _uniform(n, 0, 1, generator) < how.grayscale
    brightness = _uniform(n, 1 - how.brightness, 1 + how.brightness, generator).view(-1, 1, 1, 1)
    contrast = _uniform(n, 1 - how.contrast, 1 + how.contrast, generator).view(-1, 1, 1, 1)
    if how.saturation or how.hue_degrees or how.grayscale:
        matrices = colour_matrices(saturation.masked_fill(grey, 0), hue)
        images = (matrices @ images.flatten(2)).view(images.shape)
    if how.brightness or how.contrast:
        mean = images.mean((1, 2, 3), keepdim=True)
        images = brightness * (contrast * (images - mean) + mean)
    return images.clamp(0, 1)


def _channels(images: Tensor, how: Augmentations, generator: torch.Generator) -> Tensor:
    """Tint and invert channels: x -> 1/2 + gain * (x - 1/2) + offset, the gain's sign random."""
    n = 3 * len(images)
    gain = _uniform(n, 1 - how.tint, 1, generator)
    gain = torch.where(_uniform(n, 0, 1, generator) < how.invert, -gain, gain)
    # What the gain leaves free of [0, 1] is where the offset may go.
    offset = (1 - gain.abs()) * _uniform(n, -0.5, 0.5, generator)
    return 0.5 + gain.view(-1, 3, 1, 1) * (images - 0.5) + offset.view(-1, 3, 1, 1)


def _blurred(images: Tensor) -> Tensor:
    """Return images blurred by the binomial kernel [1 2 1]^2 / 16, edges repeated."""
    line = torch.tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line).expand(3, 1, 3, 3)
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, kernel, groups=3)


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=generator)
