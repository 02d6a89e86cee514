"""Writing a data set's images as shards: the demo's builders, and a user's own images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from simcons.catalog import DatasetSpec
from simcons.core.errors import UserError
from simcons.core.files import atomic, write_text
from simcons.core.progress import Advance, progress
from simcons.datasets.builders import run_builder
from simcons.datasets.manifest import write_records
from simcons.datasets.own_images import from_csv, from_image_folder, from_python
from simcons.datasets.shard_writer import SAMPLES_PER_SHARD, Labelled, LabelledImages, write_split


def write_images(
    spec: DatasetSpec,
    options: Mapping[str, Any],
    out: Path,
    *,
    samples_per_shard: int = SAMPLES_PER_SHARD,
    external: Mapping[str, Any] | None = None,
) -> None:
    """Write a data set's images as shards with index and manifest; ``out`` appears when complete.

    Parameters
    ----------
    spec
        The catalogue entry, of a source that gives images (not shards).
    options
        All of its options (the catalogue's, with those of the study on top).
    out
        The data set's folder; one that exists is replaced.
    samples_per_shard
        Samples in each shard but the last.
    external
        As for `write_records`.

    Raises
    ------
    UserError
        If there is no such source, an image is damaged, or an option is not allowed.
    """
    images = labelled_images(spec, options)
    total = sum(n for n, _ in images.splits.values())
    rows: list[tuple[str, int, str, int]] = []
    with atomic(out) as part, progress(f"dataset {spec.id}", total, "images") as advance:
        for split, (_, items) in images.splits.items():
            written = write_split(part / split, _counted(items, advance), samples_per_shard)
            rows.extend((split, *row) for row in written)
        write_text(part / "classnames.txt", "".join(f"{name}\n" for name in images.classnames))
        write_records(part, spec, options, rows, external=external)


def labelled_images(spec: DatasetSpec, options: Mapping[str, Any]) -> LabelledImages:
    """Return the images of a data set that has its images from a builder or from the user."""
    path = Path(spec.path or "").expanduser()
    if spec.source == "builder":
        return run_builder(spec.id, options)
    if spec.source == "image_folder":
        return from_image_folder(spec.id, path, options)
    if spec.source == "csv":
        return from_csv(spec.id, path, options)
    if spec.source == "python":
        return from_python(spec.id, str(spec.function), options)
    raise UserError(f"data set '{spec.id}' cannot be built: its source is '{spec.source}'")


def _counted(items: Iterable[Labelled], advance: Advance) -> Iterator[Labelled]:
    for item in items:
        yield item
        advance(1)
