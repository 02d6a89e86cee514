"""From a catalogue entry to a data set's folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from simcons.datasets.builders import Item, run_builder
from simcons.datasets.manifest import DatasetDescription, write_records
from simcons.datasets.writing import SAMPLES_PER_SHARD, write_split
from simcons.errors import UserError
from simcons.files import atomic, write_text
from simcons.progress import Advance, progress


def build_dataset(
    spec: DatasetDescription,
    options: Mapping[str, Any],
    out: Path,
    *,
    samples_per_shard: int = SAMPLES_PER_SHARD,
) -> None:
    """Build a data set as shards with index and manifest; ``out`` appears only when complete.

    Parameters
    ----------
    spec
        The catalogue entry; its source must be ``"builder"`` and its id names the builder.
    options
        All of the builder's options (the catalogue's, with those of the study on top).
    out
        The data set's folder; one that exists is replaced.
    samples_per_shard
        Samples in each shard but the last.

    Raises
    ------
    UserError
        If there is no such builder, or an option is unknown, missing or out of range.
    """
    if spec.source != "builder":
        raise UserError(f"data set '{spec.id}' cannot be built: its source is '{spec.source}'")
    built = run_builder(spec.id, options)
    total = built.n_train + built.n_test
    rows: list[tuple[str, int, str, int]] = []
    with atomic(out) as part, progress(f"dataset {spec.id}", total, "images") as advance:
        for split, items in (("train", built.train), ("test", built.test)):
            written = write_split(part / split, _counted(items, advance), samples_per_shard)
            rows.extend((split, *row) for row in written)
        write_text(part / "classnames.txt", "".join(f"{name}\n" for name in built.classnames))
        write_records(part, spec, options, rows)


def _counted(items: Iterable[Item], advance: Advance) -> Iterator[Item]:
    for item in items:
        yield item
        advance(1)
