"""Mathematical and typographic symbols of the DejaVu, STIX and Computer Modern fonts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from simcons.datasets.builders import _draw as draw
from simcons.datasets.builders._common import SampledOptions, sampled
from simcons.datasets.builders._fonts import faces_with, glyph
from simcons.datasets.shard_writer import LabelledImages

OPTIONS = SampledOptions
_UNICODE_FAMILIES = ("DejaVu Sans", "DejaVu Sans Mono", "DejaVu Serif", "STIX")


class Symbol(NamedTuple):
    """A class: its name, its character, and the code under which Computer Modern has it."""

    name: str
    char: str
    cm_face: str
    cm_code: int


SYMBOLS: tuple[Symbol, ...] = (
    Symbol("ampersand", "&", "cmr10", 0x26),
    Symbol("aleph", "ℵ", "cmsy10", 0x40),
    Symbol("approximately", "≈", "cmsy10", 0xBC),
    Symbol("at", "@", "cmr10", 0x40),
    Symbol("circled plus", "⊕", "cmsy10", 0xA9),
    Symbol("club", "♣", "cmsy10", 0x7C),
    Symbol("dagger", "†", "cmsy10", 0x79),
    Symbol("double dagger", "‡", "cmsy10", 0x7A),
    Symbol("dollar", "$", "cmr10", 0x24),
    Symbol("element of", "∈", "cmsy10", 0x32),
    Symbol("empty set", "∅", "cmsy10", 0x3B),
    Symbol("exists", "∃", "cmsy10", 0x39),
    Symbol("flat", "♭", "cmmi10", 0x5B),
    Symbol("for all", "∀", "cmsy10", 0x38),
    Symbol("hash", "#", "cmr10", 0x23),
    Symbol("identical", "≡", "cmsy10", 0xB4),
    Symbol("infinity", "∞", "cmsy10", 0x31),
    Symbol("integral", "∫", "cmsy10", 0x73),
    Symbol("intersection", "∩", "cmsy10", 0x5C),
    Symbol("less or equal", "≤", "cmsy10", 0x2219),
    Symbol("nabla", "∇", "cmsy10", 0x72),
    Symbol("natural", "♮", "cmmi10", 0x5C),
    Symbol("paragraph", "¶", "cmsy10", 0x7B),
    Symbol("partial", "∂", "cmmi10", 0x40),
    Symbol("percent", "%", "cmr10", 0x25),
    Symbol("plus minus", "±", "cmsy10", 0xA7),
    Symbol("product", "∏", "cmex10", 0x51),
    Symbol("proportional", "∝", "cmsy10", 0x2F),
    Symbol("section", "§", "cmsy10", 0x78),
    Symbol("sum", "∑", "cmex10", 0x50),
)


def build(options: SampledOptions) -> LabelledImages:
    """Return the symbols, coloured, on coloured backgrounds, rotated by up to 15 degrees."""

    def symbol(label: int, split: str, rng: np.random.Generator) -> Image.Image:
        chosen = SYMBOLS[label]
        inks = [(face, chosen.char) for face in faces_with(chosen.char, _UNICODE_FAMILIES)]
        inks.append((chosen.cm_face, chr(chosen.cm_code)))
        face, char = inks[rng.integers(len(inks))]
        ink = draw.random_affine(
            glyph(face, char), options.size, rng, scale=(0.5, 0.85), rotation=15
        )
        paper, colour = draw.contrasting_colours(rng, 0.35)
        sheet = draw.background(rng, options.size, paper)
        return draw.finish(draw.blend(sheet, ink, colour), rng, noise=0.06, blur=1.0)

    return sampled("symbols", [symbol.name for symbol in SYMBOLS], options, symbol)
