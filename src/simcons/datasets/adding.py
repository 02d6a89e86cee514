"""Adding a data set of the user's own to ``own/datasets.yaml``."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simcons.catalog import DatasetSpec, dataset_specs
from simcons.catalog.datasets import refuse_by_name
from simcons.catalog.lookup import checked_spec
from simcons.core.errors import UserError
from simcons.core.files import read_yaml, write_text
from simcons.core.paths import Paths, folder_name
from simcons.datasets.building import labelled_images
from simcons.datasets.shards import available_splits, read_classnames, shard_paths


def add_dataset(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """Check a data set's entry, look at its images, and append it to ``own/datasets.yaml``.

    Parameters
    ----------
    name
        The data set's id, of ``[a-z0-9_]``.
    entry
        The keys of `DatasetSpec`.

    Returns
    -------
    dict
        What was found, by split and for the classes; empty of a data set that is still to be
        fetched.

    Raises
    ------
    UserError
        If the name is taken or not allowed, a key is wrong, or there are no such images. Nothing
        is written then.
    """
    if folder_name(name) != name or not name:
        raise UserError(f"'{name}' names a folder and a stage; call it '{folder_name(name)}'")
    if name in dataset_specs():
        raise UserError(f"there is a data set '{name}' already; take another name")
    refuse_by_name(str(entry.get("repository") or name))
    spec = checked_spec(DatasetSpec, name, dict(entry), where="the new data set")
    for key in ("parent", "variant_of"):
        other = getattr(spec, key)
        if other is not None and other not in dataset_specs():
            raise UserError(f"data set '{name}': {key}: there is no data set '{other}'")
    found = look_at(spec)
    _append(Paths().own_datasets, name, entry)
    return found


def look_at(spec: DatasetSpec) -> dict[str, str]:
    """Return the numbers of classes and of images (or shards) per split, without decoding any."""
    if spec.source in ("image_folder", "csv", "python"):
        images = labelled_images(spec, spec.options)
        counts = {split: f"{n:,} images" for split, (n, _) in images.splits.items()}
        return {"classes": f"{len(images.classnames):,}", **counts}
    if spec.source == "shards":
        folder = Path(spec.path or "").expanduser()
        names = read_classnames(folder)
        counts = {s: f"{len(shard_paths(folder, s)):,} shards" for s in available_splits(folder)}
        return {"classes": f"{len(names):,}", **counts}
    return {}


def _append(path: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Add an entry at the end of the file; comments and entries there stay as they are."""
    from ruamel.yaml import YAML

    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump({name: dict(entry)}, stream)
    text = f"{before.rstrip()}\n\n{stream.getvalue()}".lstrip("\n")
    is_map = isinstance((read_yaml(path) or {}) if before else {}, dict)
    if not is_map or YAML(typ="safe").load(stream.getvalue()) != {name: dict(entry)}:
        raise UserError(f"{path}: cannot add to it; write the entry by hand")
    write_text(path, text)
