"""Data sets whose images are no output of DVC: large public ones, and a user's own folders.

Their shards lie below ``SIMCONS_DATASETS`` (default ``.simcons/datasets``), a folder per data set,
shared by studies and never in DVC's cache or remotes. DVC's output holds the record alone: the
index of samples, class names, and the manifest with each shard's SHA-256 and where it is from. So
a fresh clone can pull everything, and fetches the shards only if a feature must be computed.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simcons.catalog import DatasetSpec, dataset_spec, dataset_splits
from simcons.core.errors import UserError
from simcons.core.files import atomic, read_json, write_json
from simcons.core.paths import Paths
from simcons.datasets.building import write_images
from simcons.datasets.hub import download_shards
from simcons.datasets.manifest import (
    INDEX,
    MANIFEST,
    index_shards,
    read_manifest,
    shards_folder,
)
from simcons.datasets.shards import available_splits, read_classnames, shard_paths

RECORDS = (MANIFEST, INDEX, "classnames.txt")
_STATE = "source.json"  # what the folder was made from, and its files' sizes and times


def fetch(spec: DatasetSpec, options: Mapping[str, Any], *, revision: str | None = None) -> Path:
    """Return the folder of a data set's shards, made or completed now if need be.

    Parameters
    ----------
    spec
        The catalogue entry; of any source but ``derived``.
    options
        All of its options.
    revision
        Of a hub's data set: the commit to take instead of the entry's.

    Raises
    ------
    UserError
        If the shards cannot be had or are damaged.
    """
    folder = Paths().shards / spec.id
    revision = revision or spec.revision
    wanted = {
        "source": spec.model_dump(mode="json", include=_DECIDING),
        "options": dict(options),
        "revision": revision,
    }
    with _lock(folder):
        if _is_complete(folder, wanted):
            return folder
        if spec.source == "hub":
            _from_hub(spec, folder, revision)
        elif spec.source == "shards":
            _from_folder(spec, folder)
        else:
            write_images(spec, options, folder, external={"folder": spec.id})
        write_json(folder / _STATE, {**wanted, "files": _stamps(folder)})
    return folder


_DECIDING = {"source", "repository", "path", "function", "variant_of"}


def _from_hub(spec: DatasetSpec, folder: Path, revision: str | None) -> None:
    assert spec.repository is not None
    commit = download_shards(
        spec.repository,
        dataset_splits(spec),
        folder,
        revision=revision,
        sha256=spec.sha256,
    )
    external = {"folder": spec.id, "repository": spec.repository, "revision": commit}
    index_shards(folder, spec, external=external)


def _from_folder(spec: DatasetSpec, folder: Path) -> None:
    """Link a local folder's splits; index and manifest are written beside the links."""
    source = Path(spec.path or "").expanduser().resolve()
    splits = [split for split in dataset_splits(spec) if split in available_splits(source)]
    folder.mkdir(parents=True, exist_ok=True)
    for split in splits:
        shard_paths(source, split)  # stops here if a shard is missing
        (folder / split).unlink(missing_ok=True)
        (folder / split).symlink_to(source / split, target_is_directory=True)
    read_classnames(source)  # stops here if there are none
    with atomic(folder / "classnames.txt") as part:
        shutil.copyfile(source / "classnames.txt", part)
    index_shards(folder, spec, external={"folder": spec.id})


def _is_complete(folder: Path, wanted: Mapping[str, Any]) -> bool:
    if not (folder / _STATE).is_file() or not all((folder / name).is_file() for name in RECORDS):
        return False
    return bool(read_json(folder / _STATE) == {**wanted, "files": _stamps(folder)})


def _stamps(folder: Path) -> dict[str, list[int]]:
    """Return size and time of each shard: a changed one is read again."""
    files = sorted(folder.glob("*/*.tar"))
    stats = {file.relative_to(folder).as_posix(): file.stat() for file in files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def write_external_records(folder: Path, out: Path) -> None:
    """Write the record of the data set whose shards lie in ``folder`` to DVC's output ``out``."""
    with atomic(out) as part:
        part.mkdir()
        for name in RECORDS:
            shutil.copyfile(folder / name, part / name)


def ensure_shards(record: Path) -> None:
    """Make sure that the shards of a data set are here, and are those of its record.

    On a fresh clone the record was pulled and the shards were not: they are fetched now.

    Raises
    ------
    UserError
        If they cannot be had, or are others than the record says.
    """
    manifest = read_manifest(record)
    external = manifest.get("external")
    if external is None:
        return
    folder = shards_folder(record)
    spec = dataset_spec(external["folder"])
    if not (folder / MANIFEST).is_file() or not (folder / _STATE).is_file():
        fetch(spec, spec.options, revision=external.get("revision"))
    here = read_manifest(folder)["shards"]
    for split, shards in manifest["shards"].items():
        known = {shard["file"]: shard for shard in here.get(split, [])}
        for shard in shards:
            found = known.get(shard["file"])
            if found is None or found["sha256"] != shard["sha256"]:
                what = "is missing" if found is None else "has another SHA-256"
                raise UserError(
                    f"{folder / split / shard['file']} {what}, says the record of data set "
                    f"{record}; run `dvc repro --force dataset@{record.name}` to take what is there"
                )
            path = folder / split / shard["file"]
            size = path.stat().st_size if path.is_file() else 0
            if size != shard["bytes"]:
                raise UserError(
                    f"{path}: {size} bytes, the record says {shard['bytes']}; delete {folder} and "
                    f"run `dvc repro --force dataset@{record.name}`"
                )


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keep two stages from filling one folder: derived data sets share their parent's."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
