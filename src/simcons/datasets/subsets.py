"""Drawing rows by class: train and test rows, and the training images that similarity is of."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simcons.core.errors import UserError
from simcons.core.files import read_json, sha256_lines, write_json
from simcons.datasets.manifest import read_index


@dataclass(frozen=True)
class Subset:
    """Rows of a split, as read from a subset file.

    Parameters
    ----------
    indices
        (n,) int64, sorted positions in the split's index and feature files.
    keys_digest
        `simcons.core.files.sha256_lines` of *all* keys of the split in order: equal to that of
        every feature file to which the indices apply. It, the seed and the size asked for are None
        of a subset that was imported without them.
    """

    dataset: str
    split: str
    seed: int | None
    max_samples: int | None
    indices: NDArray[np.int64]
    keys_digest: str | None

    def write(self, path: Path) -> None:
        """Write it as JSON, atomically."""
        write_json(path, {**vars(self), "indices": self.indices.tolist(), "n": len(self.indices)})


def balanced_subset(targets: ArrayLike, max_samples: int, seed: int) -> NDArray[np.int64]:
    """Draw a class-balanced subset, without replacement.

    The whole set, if it is no larger than ``max_samples``. Otherwise ceil(max_samples / classes)
    of each class, of a smaller class all it has (Ciernik et al. 2025, section 4): so a few more
    than ``max_samples`` may come out (10,000 of 102 classes give 10,098).

    Parameters
    ----------
    targets
        (n,) integer labels; classes are the values that occur.
    max_samples
        The nominal size, at least 1.
    seed
        Of the draw.

    Returns
    -------
    ndarray
        (k,) int64, sorted.

    Raises
    ------
    UserError
        If ``max_samples`` is below 1 or there are no targets.
    """
    labels = np.asarray(targets)
    if max_samples < 1:
        raise UserError(f"subset.max_samples: got {max_samples}, allowed: 1 or more")
    if labels.ndim != 1 or labels.size == 0:
        raise UserError(f"subset: expected a non-empty list of labels, got shape {labels.shape}")
    if labels.size <= max_samples:
        return np.arange(labels.size, dtype=np.int64)
    classes = np.unique(labels)
    per_class = -(-max_samples // classes.size)
    rng = np.random.default_rng(seed)
    drawn = []
    for label in classes:
        rows = np.flatnonzero(labels == label)
        drawn.append(rng.choice(rows, min(per_class, rows.size), replace=False))
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def split_by_class(
    targets: ArrayLike, test_fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows at random into train and test, each class by the same share.

    Parameters
    ----------
    targets
        (n,) labels.
    test_fraction
        The share of each class that goes to the test, rounded; at least one image of each class
        goes to either split.
    seed
        Of the draw.

    Returns
    -------
    tuple
        Train and test rows, each sorted.

    Raises
    ------
    UserError
        If a class has fewer than two images.
    """
    labels = np.asarray(targets)
    rng = np.random.default_rng(seed)
    test = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if rows.size < 2:
            raise UserError(f"class {label} has one image, too few to split")
        n_test = int(np.clip(round(test_fraction * rows.size), 1, rows.size - 1))
        test.append(rng.choice(rows, n_test, replace=False))
    test_rows = np.sort(np.concatenate(test)).astype(np.int64)
    return np.setdiff1d(np.arange(labels.size, dtype=np.int64), test_rows), test_rows


def write_subset(
    path: Path, folder: Path, *, dataset: str, max_samples: int, seed: int, split: str = "train"
) -> Subset:
    """Draw the subset of a data set's split by its index and write it as JSON.

    Parameters
    ----------
    path
        The file to write.
    folder
        The data set.
    dataset
        Its name, for the record.
    max_samples, seed
        As in `balanced_subset`.
    split
        The split to draw from.

    Raises
    ------
    UserError
        If the data set has no index or not that split.
    """
    index = read_index(folder)
    rows = index[index["split"] == split]
    if rows.empty:
        raise UserError(f"data set {folder}: the index has no split '{split}'")
    indices = balanced_subset(rows["target"].to_numpy(), max_samples, seed)
    digest = sha256_lines(rows["key"].tolist())
    subset = Subset(dataset, split, seed, max_samples, indices, digest)
    subset.write(path)
    return subset


def read_subset(path: Path) -> Subset:
    """Read a subset file.

    Raises
    ------
    UserError
        If it is missing, lacks a key, or its indices are not sorted, distinct and non-negative.
    """
    record: Any = read_json(path)
    wanted = {field.name for field in fields(Subset)}
    if not isinstance(record, dict) or (missing := sorted({*wanted, "n"} - record.keys())):
        lacking = ", ".join(missing) if isinstance(record, dict) else "everything"
        raise UserError(f"{path}: no subset file (it lacks {lacking})")
    values = record["indices"]
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise UserError(f"{path}: indices must be a list of integers")
    indices = np.asarray(values, dtype=np.int64)
    ordered = len(values) > 0 and indices[0] >= 0 and bool(np.all(np.diff(indices) > 0))
    if not ordered or len(values) != record["n"]:
        raise UserError(f"{path}: indices must be {record['n']} sorted, distinct row numbers")
    return Subset(**{**{name: record[name] for name in wanted}, "indices": indices})
