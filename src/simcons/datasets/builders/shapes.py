"""Coloured shapes on varied backgrounds; the class is the shape.

Colour, size, place, rotation, proportions, background and clutter vary within a class.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from simcons.datasets.builders import _draw as draw
from simcons.datasets.builders._common import SampledOptions, sampled
from simcons.datasets.builders._draw import Array
from simcons.datasets.shard_writer import LabelledImages

OPTIONS = SampledOptions
Outline = Callable[[np.random.Generator], list[Array]]
_INK_PIXELS = 128


def _ngon(corners: int) -> Array:
    angles = 2 * math.pi * (np.arange(corners) / corners) - math.pi / 2
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _disc(radius: float = 1.0, x: float = 0.0) -> Array:
    return radius * _ngon(72) + np.array([x, 0.0])


def _ring(rng: np.random.Generator) -> list[Array]:
    return [_disc(), _disc(rng.uniform(0.45, 0.75))]


def _crescent(rng: np.random.Generator) -> list[Array]:
    shift = rng.uniform(0.4, 0.6)
    return [_disc(), _disc(0.9, shift)]


def _semicircle(rng: np.random.Generator) -> list[Array]:
    angles = np.linspace(0, math.pi, 37)
    return [np.stack([np.cos(angles), np.sin(angles)], axis=1)]


def _rectangle(rng: np.random.Generator) -> list[Array]:
    half = rng.uniform(0.3, 0.6)
    return [np.array([[-1, -half], [1, -half], [1, half], [-1, half]])]


def _star(rng: np.random.Generator) -> list[Array]:
    points = _ngon(10)
    points[1::2] *= rng.uniform(0.38, 0.5)
    return [points]


def _cross(rng: np.random.Generator) -> list[Array]:
    arm = rng.uniform(0.2, 0.38)
    corner = np.array([[-arm, -1.0], [arm, -1.0], [arm, -arm]])
    quarter = np.array([[0, -1], [1, 0]])
    return [np.concatenate([corner @ np.linalg.matrix_power(quarter, k).T for k in range(4)])]


def _arrow(rng: np.random.Generator) -> list[Array]:
    shaft, head = rng.uniform(0.12, 0.25), rng.uniform(0.5, 0.75)
    neck = rng.uniform(0.0, 0.3)
    upper = np.array([[-1, shaft], [neck, shaft], [neck, head], [1, 0]])
    return [np.concatenate([upper, (upper * [1, -1])[::-1]])]


def _heart(rng: np.random.Generator) -> list[Array]:
    t = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return [np.stack([x, y], axis=1) / 17]


SHAPES: dict[str, Outline] = {
    "arrow": _arrow,
    "circle": lambda rng: [_disc()],
    "crescent": _crescent,
    "cross": _cross,
    "heart": _heart,
    "pentagon": lambda rng: [_ngon(5)],
    "rectangle": _rectangle,
    "ring": _ring,
    "semicircle": _semicircle,
    "square": lambda rng: [_ngon(4)],
    "star": _star,
    "triangle": lambda rng: [_ngon(3)],
}


def shape_ink(outlines: list[Array]) -> Image.Image:
    """Return the ink of a shape, cropped: the first outline filled, the others cut out.

    Parameters
    ----------
    outlines
        Polygons (k, 2) in the unit square about 0.
    """
    ink = Image.new("L", (_INK_PIXELS, _INK_PIXELS))
    pen = ImageDraw.Draw(ink)
    for number, outline in enumerate(outlines):
        points = [(float(x), float(y)) for x, y in (outline * 0.49 + 0.5) * _INK_PIXELS]
        pen.polygon(points, fill=0 if number else 255)
    return ink.crop(ink.getbbox())


def _clutter(picture: Array, rng: np.random.Generator) -> Array:
    """Draw a few thin lines and specks of other colours behind the shape."""
    size = picture.shape[0]
    for _ in range(int(rng.integers(0, 7))):
        sheet = Image.new("L", (size, size))
        pen = ImageDraw.Draw(sheet)
        x, y, x2, y2 = rng.uniform(0, size, 4)
        if rng.random() < 0.5:
            pen.line([(x, y), (x2, y2)], fill=255, width=1)
        else:
            radius = rng.uniform(1.0, 2.5)
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
        picture = draw.blend(picture, np.asarray(sheet) / 255.0, rng.uniform(0, 1, 3))
    return picture


def build(options: SampledOptions) -> LabelledImages:
    """Return the shapes at any rotation, in front of clutter."""
    outlines = list(SHAPES.values())

    def shape(label: int, split: str, rng: np.random.Generator) -> Image.Image:
        ink = draw.random_affine(
            shape_ink(outlines[label](rng)),
            options.size,
            rng,
            scale=(0.25, 0.75),
            rotation=180,
            shear=0.08,
            stretch=0.08,
        )
        paper, colour = draw.contrasting_colours(rng, 0.25)
        picture = _clutter(draw.background(rng, options.size, paper, 0.2), rng)
        return draw.finish(draw.blend(picture, ink, colour), rng, noise=0.1, blur=0.8)

    return sampled("shapes", list(SHAPES), options, shape)
