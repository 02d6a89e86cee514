"""What is recorded beside a data set's shards: ``manifest.json`` and ``index.parquet``.

The manifest holds where the images come from, counts, and the SHA-256 of every shard: for a large
public data set, which is never copied into the cache, it is the record. The index lists every
sample in shard order, so that a subset can be drawn without opening an archive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcons.catalog import DatasetSpec
from simcons.core.errors import UserError
from simcons.core.files import (
    read_json,
    read_parquet,
    sha256_file,
    sha256_json,
    sha256_lines,
    write_json,
    write_parquet,
)
from simcons.core.paths import SPLITS, Paths
from simcons.datasets.shards import (
    available_splits,
    iter_encoded,
    read_classnames,
    shard_paths,
)

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.json"
INDEX = "index.parquet"
INDEX_COLUMNS = ["split", "shard", "key", "target"]
_REMEDY = "make them with simcons.datasets.index_shards, or build or fetch the data set again"


def index_shards(
    folder: Path,
    spec: DatasetSpec,
    options: Mapping[str, Any] | None = None,
    *,
    external: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Read every shard's labels and write the index and the manifest of a data set.

    Also for folders in the CLIP-benchmark layout that came from elsewhere. Images are not decoded.

    Parameters
    ----------
    folder
        The data set: shards, ``nshards.txt`` per split, ``classnames.txt``.
    spec
        Its catalogue entry.
    options
        The options it was built with, if any.
    external
        As for `write_records`.

    Returns
    -------
    DataFrame
        The index: a row per sample, columns split, shard, key, target (int64), in shard order.

    Raises
    ------
    UserError
        If a shard, sample or label is damaged or missing (`simcons.datasets.iter_encoded`).
    """
    rows = [
        (split, sample.shard, sample.key, sample.target)
        for split in available_splits(folder)
        for sample in iter_encoded(folder, split)
    ]
    return write_records(folder, spec, options, rows, external=external)


def write_records(
    folder: Path,
    spec: DatasetSpec,
    options: Mapping[str, Any] | None,
    rows: Sequence[tuple[str, int, str, int]],
    *,
    external: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Write index and manifest of the shards in a folder, whose samples are known already.

    Parameters
    ----------
    folder, spec, options
        As for `index_shards`.
    rows
        (split, shard, key, target) of every sample, in shard order.
    external
        Of shards that are no output of DVC: ``folder``, the name of theirs (`shards_folder`), and
        where they come from. Their sizes are recorded, too.
    """
    import pandas as pd

    index = pd.DataFrame(rows, columns=INDEX_COLUMNS).astype({"shard": "int64", "target": "int64"})
    shards = {}
    for split in available_splits(folder):
        counts = index.loc[index["split"] == split, "shard"].value_counts()
        shards[split] = [
            {"file": path.name, "n": int(counts.get(number, 0)), "sha256": sha256_file(path)}
            | ({} if external is None else {"bytes": path.stat().st_size})
            for number, path in enumerate(shard_paths(folder, split))
        ]
    extra = {} if external is None else {"external": dict(external)}
    _write(folder, spec, options, index, shards, extra)
    return index


def write_selection(
    folder: Path,
    spec: DatasetSpec,
    options: Mapping[str, Any] | None,
    rows: pd.DataFrame,
    parent: Mapping[str, Any],
) -> None:
    """Write index and manifest of a data set that is a selection of another's samples.

    Parameters
    ----------
    folder, spec, options
        As for `index_shards`.
    rows
        The index: columns split, shard, key, target; shards are the parent's, labels its own.
    parent
        The parent's manifest.
    """
    shards = {}
    for split in sorted(rows["split"].unique(), key=SPLITS.index):
        counts = rows.loc[rows["split"] == split, "shard"].value_counts()
        shards[split] = [
            {**record, "n": int(counts[number])}
            for number, record in enumerate(parent["shards"][split])
            if number in counts.index
        ]
    samples = zip(rows["split"], rows["key"], rows["target"], strict=True)
    lines = [f"{split} {key} {target}" for split, key, target in samples]
    extra = {"external": parent["external"], "selection": sha256_lines(lines)}
    _write(folder, spec, options, rows, shards, extra)


def _write(
    folder: Path,
    spec: DatasetSpec,
    options: Mapping[str, Any] | None,
    index: pd.DataFrame,
    shards: Mapping[str, list[dict[str, Any]]],
    extra: Mapping[str, Any],
) -> None:
    n_classes = len(read_classnames(folder))
    manifest = {
        **{key: getattr(spec, key) for key in ("id", "name", "domain", "source", "license")},
        "options": dict(options or {}),
        "n_classes": n_classes,
        "counts": {split: _counts(index, split, n_classes) for split in shards},
        "shards": shards,
        **extra,
    }
    write_parquet(folder / INDEX, index)
    write_json(folder / MANIFEST, manifest)


def _counts(index: pd.DataFrame, split: str, n_classes: int) -> dict[str, Any]:
    targets = index.loc[index["split"] == split, "target"]
    per_class = targets.value_counts().reindex(range(n_classes), fill_value=0)
    return {"n": len(targets), "per_class": [int(count) for count in per_class]}


def shards_folder(folder: Path) -> Path:
    """Return where a data set's shards lie: in its folder, or outside DVC's outputs.

    Raises
    ------
    UserError
        If there is no manifest, or it names no folder.
    """
    external = read_manifest(folder).get("external")
    if external is None:
        return folder
    name = external.get("folder") if isinstance(external, dict) else None
    if not isinstance(name, str) or re.fullmatch(r"[a-z0-9_]+", name) is None:
        raise UserError(f"{folder / MANIFEST}: external.folder is {name!r}, expected a data set")
    return Paths().shards / name


def read_index(folder: Path) -> pd.DataFrame:
    """Return the index of a data set: split, shard, key, target, in shard order.

    Raises
    ------
    UserError
        If there is none, or its columns are others.
    """
    path = folder / INDEX
    if not path.is_file():
        raise UserError(f"data set {folder}: no {INDEX}; {_REMEDY}")
    index = read_parquet(path)
    if list(index.columns) != INDEX_COLUMNS:
        raise UserError(f"{path}: columns {list(index.columns)}, expected {INDEX_COLUMNS}")
    return index


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a data set.

    Raises
    ------
    UserError
        If there is none, or it lacks what a manifest must have.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(f"data set {folder}: no {MANIFEST}; {_REMEDY}")
    manifest = read_json(path)
    if not isinstance(manifest, dict) or not {"counts", "shards"} <= manifest.keys():
        raise UserError(f"{path}: no manifest of a data set (it lacks 'counts' or 'shards')")
    return manifest


def split_counts(folder: Path) -> dict[str, int]:
    """Return the number of samples per split, from the manifest."""
    return {split: int(count["n"]) for split, count in read_manifest(folder)["counts"].items()}


def manifest_digest(folder: Path) -> str:
    """Return a SHA-256 that identifies the data set's content: samples, labels, order.

    It is a hash of the shards' hashes, and of a derived data set's samples and labels, alone: a
    corrected licence or description does not make features stale.
    """
    manifest = read_manifest(folder)
    if "selection" in manifest:
        return sha256_json([manifest["shards"], manifest["selection"]])
    return sha256_json(manifest["shards"])


def verify(folder: Path) -> None:
    """Compare every shard's SHA-256 with the manifest.

    Raises
    ------
    UserError
        If shards are missing, too many, or differ. The message names the shard.
    """
    manifest, place = read_manifest(folder), shards_folder(folder)
    recorded = manifest["shards"]
    if "selection" not in manifest and sorted(recorded) != sorted(available_splits(place)):
        raise UserError(f"data set {folder}: splits differ from {MANIFEST} ({sorted(recorded)})")
    for split, records in recorded.items():
        paths = {path.name: path for path in shard_paths(place, split)}
        if "selection" not in manifest and len(paths) != len(records):
            raise UserError(
                f"data set {folder}: {len(paths)} {split} shards, {MANIFEST} has {len(records)}"
            )
        for record in records:
            path = paths.get(record["file"], place / split / record["file"])
            if not path.is_file() or sha256_file(path) != record["sha256"]:
                raise UserError(
                    f"{path}: SHA-256 differs from {MANIFEST}; build or fetch the data set again"
                )
