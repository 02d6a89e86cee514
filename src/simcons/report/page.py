"""Rendering the report: one HTML file without any reference to the network.

The page holds no date and no revision: the same inputs give the same bytes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files as resources
from pathlib import Path

import jinja2
from markupsafe import Markup
from PIL import Image, UnidentifiedImageError

from simcons.core.errors import UserError
from simcons.core.files import read_json
from simcons.figures.base import GROUPS
from simcons.figures.catalogue import not_drawn
from simcons.figures.schema import FigureInputs, check
from simcons.figures.words import count, measure_label
from simcons.report.answer import answer, headlines
from simcons.report.explore import explore_json
from simcons.report.inference import INFERENCE
from simcons.report.notices import result_warnings
from simcons.report.summary import SUMMARY
from simcons.report.tabulate import tables

PAPER = "https://arxiv.org/abs/2411.05561"


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Parameters
    ----------
    name
        Identifier and file name without suffix.
    section
        Heading under which it stands.
    title, caption, alt
        Its words.
    png
        The bytes of the PNG file.
    measure, measure_label
        The measure that it shows; None where it shows all or none.
    """

    name: str
    section: str
    title: str
    caption: str
    alt: str
    png: bytes
    measure: str | None = None
    measure_label: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        try:
            with Image.open(io.BytesIO(self.png), formats=["PNG"]) as image:
                return image.size
        except UnidentifiedImageError:
            message = f"figure {self.name}: not a PNG file; run the figures stage again"
            raise UserError(message) from None

    @property
    def source(self) -> str:
        """The picture as a data URL: lossless WebP, half the size of the PNG."""
        buffer = io.BytesIO()
        with Image.open(io.BytesIO(self.png)) as image:
            image.convert("RGB").save(buffer, "WEBP", lossless=True, quality=60, method=2)
        return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


@dataclass(frozen=True)
class ReportInputs:
    """Everything on the page.

    Parameters
    ----------
    figures
        The study's tables, as for the figures.
    pictures
        The drawn figures, in order (see `load_pictures`).
    study
        The study's name.
    params
        The params that were run, as YAML text.
    digests
        Digest of each input, by path.
    versions
        Version of each library that decides a number.
    warnings
        Further warnings of the stages (grid edges, models that did not learn, ...).
    """

    figures: FigureInputs
    pictures: Sequence[Picture] = ()
    study: str = "study"
    params: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def load_pictures(folder: Path) -> list[Picture]:
    """Read the figures that `simcons.figures.save_all` wrote.

    Raises
    ------
    UserError
        If ``captions.json`` or one of its pictures is missing.
    """
    pictures = []
    for words in read_json(folder / "captions.json"):
        path = folder / f"{words['name']}.png"
        try:
            png = path.read_bytes()
        except FileNotFoundError:
            raise UserError(f"{path}: no such figure; run the figures stage again") from None
        pictures.append(Picture(png=png, **words))
    return pictures


def sections(pictures: Sequence[Picture]) -> list[tuple[str, str, list[Picture]]]:
    """Group pictures by heading, in the order of first appearance: (id, heading, pictures)."""
    grouped: dict[str, list[Picture]] = {}
    for picture in pictures:
        grouped.setdefault(picture.section, []).append(picture)
    return [(f"section-{k}", name, part) for k, (name, part) in enumerate(grouped.items(), 1)]


def _asset(name: str) -> Markup:
    """Return a file of this package as it is: it is ours, not input."""
    return Markup((resources("simcons.report") / name).read_text(encoding="utf-8"))


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("simcons.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(inputs: ReportInputs) -> str:
    """Return the page as HTML text.

    Raises
    ------
    UserError
        If the tables do not fit each other, or a picture is no PNG.
    """
    check(inputs.figures)
    figures = inputs.figures
    measures = [(m, measure_label(m)) for m in figures.similarities]
    shown = {p.measure for p in inputs.pictures if p.measure is not None}
    present = {d for by_dataset in figures.similarities.values() for d in by_dataset}
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            study=inputs.study,
            paper=PAPER,
            n_models=count(len(figures.models), "model"),
            n_datasets=count(len(present), "data set"),
            measures=measures,
            switch=[entry for entry in measures if entry[0] in shown],
            method=figures.method.capitalize(),
            headlines=headlines(figures),
            answer=answer(figures),
            warnings=[*inputs.warnings, *result_warnings(figures)],
            sections=sections(inputs.pictures),
            notes={GROUPS: not_drawn(figures)},
            tables=tables(figures, {**SUMMARY, **INFERENCE}),
            params=inputs.params,
            digests=sorted(inputs.digests.items()),
            versions=sorted(inputs.versions.items()),
            explore=Markup(explore_json(figures)) if present else "",  # escaped there
            explore_script=_asset("explore.js"),
            css=_asset("page.css"),
            script=_asset("page.js"),
        )
        .rstrip()
        + "\n"
    )
