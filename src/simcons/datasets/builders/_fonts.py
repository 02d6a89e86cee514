"""The fonts that matplotlib ships, and glyphs drawn from them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from simcons.core.errors import UserError
from simcons.datasets.builders._common import package_file

# Faces with Latin letters and digits. Left out: faces of symbols only (STIX sizes, cmex10), cmsy10
# and cmmi10, whose codes of letters and digits hold other glyphs or old-style figures, and
# LastResort, which has a box for everything.
FAMILIES: dict[str, tuple[str, ...]] = {
    "DejaVu Sans": (
        "DejaVuSans",
        "DejaVuSans-Bold",
        "DejaVuSans-Oblique",
        "DejaVuSans-BoldOblique",
    ),
    "DejaVu Sans Mono": (
        "DejaVuSansMono",
        "DejaVuSansMono-Bold",
        "DejaVuSansMono-Oblique",
        "DejaVuSansMono-BoldOblique",
    ),
    "DejaVu Serif": (
        "DejaVuSerif",
        "DejaVuSerif-Bold",
        "DejaVuSerif-Italic",
        "DejaVuSerif-BoldItalic",
    ),
    "STIX": ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    "Computer Modern": ("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10"),
}
# Whole families are held out, not faces: bold and regular of one family are nearly alike.
SPLIT_FAMILIES: dict[str, tuple[str, ...]] = {
    "train": ("DejaVu Sans Mono", "DejaVu Serif", "STIX"),
    "test": ("DejaVu Sans", "Computer Modern"),
}
_GLYPH_PIXELS = 96


def font_file(face: str) -> Path:
    """Return the path of a face's file."""
    return package_file("matplotlib", "mpl-data", "fonts", "ttf", f"{face}.ttf")


@cache
def _codes(face: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(font_file(face))).get_charmap())


def has_glyph(face: str, char: str) -> bool:
    """Say whether a face has a glyph of its own for a character."""
    return ord(char) in _codes(face)


@cache
def faces_with(char: str, families: tuple[str, ...]) -> tuple[str, ...]:
    """Return the faces of some families that have a character.

    Raises
    ------
    UserError
        If none has it.
    """
    faces = tuple(face for family in families for face in FAMILIES[family] if has_glyph(face, char))
    if not faces:
        raise UserError(f"no font of {', '.join(families)} has the character {char!r}")
    return faces


@cache
def glyph(face: str, char: str) -> Image.Image:
    """Return a character's ink: 8-bit grey, 255 is ink, cropped to the glyph."""
    # Basic layout: the other one needs a library that is not on every machine.
    font = ImageFont.truetype(
        str(font_file(face)), _GLYPH_PIXELS, layout_engine=ImageFont.Layout.BASIC
    )
    canvas = Image.new("L", (4 * _GLYPH_PIXELS, 4 * _GLYPH_PIXELS))
    pen = ImageDraw.Draw(canvas)
    pen.text((_GLYPH_PIXELS, 2 * _GLYPH_PIXELS), char, fill=255, font=font, anchor="ls")
    box = canvas.getbbox()
    if box is None:
        raise UserError(f"font {face}: the glyph of {char!r} has no ink")
    return canvas.crop(box)
