"""0 to 9 in matplotlib's fonts, coloured, with other characters cut off by the picture's edge.

Test fonts are of other families than train fonts, as in ``letters``.
"""

from __future__ import annotations

import string

import numpy as np
from PIL import Image

from simcons.datasets.builders import _draw as draw
from simcons.datasets.builders._common import SampledOptions, sampled
from simcons.datasets.builders._fonts import SPLIT_FAMILIES, faces_with, glyph
from simcons.datasets.shard_writer import LabelledImages

OPTIONS = SampledOptions
CLASSES = string.digits
_FRAME = 0.19  # share of the width, at either side, where distractors may show
_CLEAR = 2  # pixels between a distractor and the digit's area


def build(options: SampledOptions) -> LabelledImages:
    """Return the digits on coloured backgrounds, distractors at one or both sides."""
    size = options.size
    frame = round(_FRAME * size)

    def digit(label: int, split: str, rng: np.random.Generator) -> Image.Image:
        paper, colour = draw.contrasting_colours(rng, 0.35)
        picture = draw.background(rng, size, paper)
        face = str(rng.choice(faces_with(CLASSES[label], SPLIT_FAMILIES[split])))
        for side in (0, 1):
            if rng.random() < 0.75:
                other = glyph(face, CLASSES[rng.integers(10)])
                tint = np.clip(colour + rng.normal(0.0, 0.08, 3), 0.0, 1.0)
                picture = draw.blend(picture, _distractor(other, size, frame, side, rng), tint)
        inner = draw.random_affine(
            glyph(face, CLASSES[label]),
            size - 2 * frame,
            rng,
            scale=(0.8, 1.0),
            rotation=12,
            margin=0,
        )
        ink = np.zeros((size, size))
        drop = int(rng.integers(0, 2 * frame + 1))
        ink[drop : drop + size - 2 * frame, frame : size - frame] = inner
        return draw.finish(draw.blend(picture, ink, colour), rng, noise=0.06, blur=0.9)

    return sampled("printed_digits", CLASSES, options, digit)


def _distractor(
    ink: Image.Image, size: int, frame: int, side: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the ink (size, size) of a character of which the edge shows only a part.

    Parameters
    ----------
    ink
        The character.
    size, frame
        Width of the picture and of the strip in which it may show, in pixels.
    side
        0: left, 1: right.
    rng
        Generator.
    """
    height = int(rng.uniform(0.5, 0.7) * size)
    width = max(2, round(height * ink.width / ink.height))
    scaled = np.asarray(ink.resize((width, height), Image.Resampling.LANCZOS)) / 255.0
    shown = min(int(rng.integers(2, frame - _CLEAR + 1)), width - 1)
    top = int(rng.integers(0, size - height + 1))
    canvas = np.zeros((size, size))
    if side == 0:
        canvas[top : top + height, :shown] = scaled[:, width - shown :]
    else:
        canvas[top : top + height, size - shown :] = scaled[:, :shown]
    return canvas
