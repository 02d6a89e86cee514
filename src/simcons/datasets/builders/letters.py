"""A to Z in the fonts that matplotlib ships, grey on grey; test fonts are of other families."""

from __future__ import annotations

import string

import numpy as np
from PIL import Image

from simcons.datasets.builders import _draw as draw
from simcons.datasets.builders._common import SampledOptions, sampled
from simcons.datasets.builders._fonts import SPLIT_FAMILIES, faces_with, glyph
from simcons.datasets.shard_writer import LabelledImages

OPTIONS = SampledOptions
CLASSES = string.ascii_uppercase


def build(options: SampledOptions) -> LabelledImages:
    """Return the letters with small random affine changes, blur and noise."""

    def letter(label: int, split: str, rng: np.random.Generator) -> Image.Image:
        char = CLASSES[label]
        face = str(rng.choice(faces_with(char, SPLIT_FAMILIES[split])))
        ink = draw.random_affine(
            glyph(face, char), options.size, rng, scale=(0.55, 0.85), rotation=10
        )
        paper, dark = rng.uniform(0.65, 1.0), rng.uniform(0.0, 0.35)
        if rng.random() < 0.2:
            paper, dark = dark, paper
        sheet = draw.background(rng, options.size, np.full(3, paper))
        grey = draw.blend(sheet, ink, np.full(3, dark)).mean(axis=2)
        return draw.finish(grey, rng, noise=0.06, blur=0.8)

    return sampled("letters", CLASSES, options, letter)
