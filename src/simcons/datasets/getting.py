"""From a catalogue entry to a data set's folder, whatever its source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simcons.catalog import DatasetSpec
from simcons.datasets.building import write_images
from simcons.datasets.derived import derive_dataset
from simcons.datasets.external import fetch, write_external_records
from simcons.datasets.shard_writer import SAMPLES_PER_SHARD


def build_dataset(
    spec: DatasetSpec,
    options: Mapping[str, Any],
    out: Path,
    *,
    samples_per_shard: int = SAMPLES_PER_SHARD,
) -> None:
    """Build or get a data set; ``out`` appears only when complete.

    ``out`` holds shards, index and manifest; of a data set that is external or derived, the record
    alone (see `simcons.datasets.external`).

    Parameters
    ----------
    spec
        The catalogue entry.
    options
        All of its options (the catalogue's, with those of the study on top).
    out
        The data set's folder; one that exists is replaced.
    samples_per_shard
        Samples in each shard but the last, of shards that are written here.

    Raises
    ------
    UserError
        If the images cannot be had, one is damaged, or an option is not allowed.
    """
    if spec.source == "derived":
        derive_dataset(spec, options, out)
    elif spec.external:
        write_external_records(fetch(spec, options), out)
    else:
        write_images(spec, options, out, samples_per_shard=samples_per_shard)
