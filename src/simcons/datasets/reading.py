"""Reading a data set by its index, wherever its shards lie and whoever's they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from simcons.core.errors import UserError
from simcons.datasets.external import ensure_shards
from simcons.datasets.manifest import INDEX, read_index, read_manifest, shards_folder
from simcons.datasets.shards import EncodedSample, Sample, decode, iter_encoded


def iter_stored(folder: Path, split: str, shard: int | None = None) -> Iterator[EncodedSample]:
    """Yield the samples of a split, or of one of its shards, in the order of the index.

    Parameters
    ----------
    folder
        The data set; of an external one, its record.
    split
        ``"train"`` or ``"test"``.
    shard
        The number of one shard; all shards by default.

    Raises
    ------
    UserError
        As `iter_encoded`, and if a derived data set's sample is not in its parent's shard.
    """
    if "selection" not in read_manifest(folder):
        yield from iter_encoded(shards_folder(folder), split, shard)
        return
    chosen = _selection(folder, split, (folder / INDEX).stat().st_mtime_ns)
    for number in sorted(chosen) if shard is None else [shard]:
        target_of = dict(chosen.get(number, {}))
        for sample in iter_encoded(shards_folder(folder), split, number):
            if sample.key in target_of:
                yield dataclasses.replace(sample, target=target_of.pop(sample.key))
        if target_of:
            raise UserError(
                f"data set {folder}: sample '{min(target_of)}' is not in "
                f"{shards_folder(folder)}/{split}/{number}.tar; "
                f"run `dvc repro --force dataset@{folder.name}`"
            )


@lru_cache(maxsize=2)
def _selection(folder: Path, split: str, _version: int) -> dict[int, dict[str, int]]:
    """Return by shard the label of each key of a derived data set's split."""
    rows = read_index(folder).query("split == @split")
    return {
        int(group["shard"].iloc[0]): dict(zip(group["key"], group["target"].tolist(), strict=True))
        for _, group in rows.groupby("shard")
    }


def iter_samples(folder: Path, split: str, shard: int | None = None) -> Iterator[Sample]:
    """Yield the decoded samples of a split, or of one of its shards, in the order of the index.

    Raises
    ------
    UserError
        As `iter_stored`, if an image cannot be decoded, or an external data set cannot be had.
    """
    ensure_shards(folder)
    for sample in iter_stored(folder, split, shard):
        yield Sample(sample.key, decode(sample, f"{folder}/{split}"), sample.target)
