"""Data sets that are another's images under other labels: BREEDS, coarse labels, subsets.

A derived data set holds no image of its own: its index names samples of the parent's shards, with
labels of its own. Keys are the parent's, in the parent's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simcons.catalog import DatasetSpec, dataset_spec, superclass_table
from simcons.core.errors import UserError
from simcons.core.files import atomic, write_text
from simcons.core.paths import SPLITS
from simcons.datasets.external import fetch
from simcons.datasets.manifest import (
    read_index,
    read_manifest,
    write_selection,
)
from simcons.datasets.shards import read_classnames

if TYPE_CHECKING:
    import pandas as pd


def derive_dataset(spec: DatasetSpec, options: Mapping[str, Any], out: Path) -> None:
    """Write the record of a derived data set; the parent's shards are fetched if need be.

    The parent has the catalogue's options, whatever a study says of it.

    Parameters
    ----------
    spec
        The catalogue entry, of source ``derived``.
    options
        All of its options.
    out
        DVC's output.

    Raises
    ------
    UserError
        If the parent cannot be had or lacks a class, or an option is not allowed.
    """
    parent = dataset_spec(spec.parent or "")
    if parent.source == "derived":
        raise UserError(f"data set '{spec.id}': its parent '{parent.id}' is derived itself")
    folder = fetch(parent, parent.options)
    index, names = read_index(folder), read_classnames(folder)
    if spec.rule == "superclasses":
        rows, names = by_superclass(spec.id, index, names, superclass_table(spec.id))
    else:
        rows = per_class(spec.id, index, **options)
    if rows.empty:
        raise UserError(f"data set '{spec.id}': no image of '{parent.id}' is in it")
    with atomic(out) as part:
        part.mkdir()
        write_text(part / "classnames.txt", "".join(f"{name}\n" for name in names))
        write_selection(part, spec, options, rows, read_manifest(folder))


def by_superclass(
    name: str, index: pd.DataFrame, classnames: list[str], table: list[dict[str, Any]]
) -> tuple[pd.DataFrame, list[str]]:
    """Relabel samples by superclass; those of no superclass of their split are left out.

    Parameters
    ----------
    name
        The data set's name, for errors.
    index
        The parent's: split, shard, key, target.
    classnames
        The parent's class names.
    table
        By superclass: the parent's labels in ``train`` and in ``test``, and ``name`` or None.

    Returns
    -------
    rows : DataFrame
        As the index, in its order, with the superclasses' labels.
    names : list of str
        The superclasses' names; one without a name is named by its classes.
    """
    largest = max(label for row in table for split in SPLITS for label in row[split])
    if largest >= len(classnames):
        raise UserError(
            f"data set '{name}': its superclasses name class {largest}, but the parent has "
            f"{len(classnames)} classes"
        )
    new = index["target"].astype("int64").copy()
    new[:] = -1
    for split in SPLITS:
        labels = np.full(len(classnames), -1, dtype=np.int64)
        for label, row in enumerate(table):
            labels[row[split]] = label
        of_split = index["split"] == split
        new[of_split] = labels[index.loc[of_split, "target"]]
    rows = index.assign(target=new)[new >= 0].reset_index(drop=True)
    names = [
        row.get("name") or ", ".join(classnames[c] for c in sorted({*row["train"], *row["test"]}))
        for row in table
    ]
    return rows, names


def per_class(
    name: str,
    index: pd.DataFrame,
    *,
    per_class: int | None,
    test_per_class: int | None,
    seed: int,
) -> pd.DataFrame:
    """Draw so many samples of each class, without replacement; a class with fewer gives all.

    A smaller draw is part of a larger one of the same seed.

    Parameters
    ----------
    name
        The data set's name, for errors.
    index
        The parent's: split, shard, key, target.
    per_class, test_per_class
        Of the train and the test split; None: all.
    seed
        Of the draw.

    Returns
    -------
    DataFrame
        The chosen rows, in the order of the index.
    """
    kept = []
    for place, (split, wanted) in enumerate(zip(SPLITS, (per_class, test_per_class), strict=True)):
        option = "per_class" if split == "train" else "test_per_class"
        if wanted is not None and (type(wanted) is not int or wanted < 1):
            raise UserError(
                f"data set '{name}': option '{option}' is {wanted!r}, allowed: a whole number of "
                f"1 or more, or null for all"
            )
        targets = index.loc[index["split"] == split, "target"]
        for label, rows in targets.groupby(targets):
            order = np.random.default_rng([seed, place, int(label)]).permutation(len(rows))
            kept.append(rows.index.to_numpy()[order[:wanted]])
    return index.loc[np.sort(np.concatenate(kept))].reset_index(drop=True)
