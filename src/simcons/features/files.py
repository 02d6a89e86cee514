"""Feature files: one model's features on one split, with labels and sample keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from simcons.core.arrays import Rows, tensor_rows
from simcons.core.errors import UserError
from simcons.core.files import atomic, sha256_lines

# One key only: safetensors writes several in random order, so the bytes would change.
METADATA_KEY = "simcons"


@dataclass(frozen=True)
class FeatureFile:
    """One model's features on one split of a data set.

    Attributes
    ----------
    features
        float32, (n, d), **not** normalised: normalising is a choice of whoever reads them. An
        array, or rows that are read from the file when asked for.
    targets
        int64, (n,), class labels.
    keys
        The samples' keys, in row order.
    metadata
        What made the file: fingerprint parts, versions, and ``keys_digest``.
    """

    features: Rows
    targets: npt.NDArray[np.int64]
    keys: list[str]
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def keys_digest(self) -> str:
        """SHA-256 of the ordered keys: equal for files whose rows are the same images."""
        return sha256_lines(self.keys)

    def write(self, path: Path, *, storage: str = "float32") -> None:
        """Write atomically; equal contents have equal bytes.

        Parameters
        ----------
        path
            The file.
        storage
            ``float32``, or ``float16`` for half the space: 11 bits of precision, recorded in the
            metadata.

        Raises
        ------
        UserError
            If the lengths differ.
        """
        if not len(self.features) == len(self.targets) == len(self.keys):
            raise UserError(
                f"{path}: {len(self.features)} rows of features, {len(self.targets)} targets, "
                f"{len(self.keys)} keys"
            )
        metadata = {**self.metadata, "keys_digest": self.keys_digest}
        if storage != "float32":
            metadata["storage"] = storage
        tensors: dict[str, npt.NDArray[Any]] = {
            "features": np.ascontiguousarray(self.features, dtype=storage),
            "targets": np.ascontiguousarray(self.targets, dtype=np.int64),
            "keys": _encode(self.keys),
        }
        text = json.dumps(metadata, sort_keys=True)
        with atomic(path) as part:
            part.write_bytes(save(tensors, metadata={METADATA_KEY: text}))

    @staticmethod
    def read_metadata(path: Path | str) -> dict[str, Any]:
        """Return a feature file's metadata without reading its arrays.

        Raises
        ------
        UserError
            As `read`.
        """
        with _opened(Path(path)) as (_, metadata):
            return metadata

    @classmethod
    def read(cls, path: Path | str, *, lazy: bool = False) -> FeatureFile:
        """Read a feature file; features are float32 unless they stay in it as they are stored.

        Parameters
        ----------
        path
            As `write` wrote it.
        lazy
            Leave the features in the file; rows are read when asked for.

        Raises
        ------
        UserError
            If the file is missing, damaged or not a feature file.
        """
        path = Path(path)
        with _opened(path) as (file, metadata):
            targets, keys = file.get_tensor("targets"), _decode(file.get_tensor("keys"))
            features: Rows
            if lazy:
                features = tensor_rows(path)
            else:
                features = file.get_tensor("features").astype(np.float32, copy=False)
        if sha256_lines(keys) != metadata.get("keys_digest"):
            raise UserError(f"{path}: its sample keys do not match its own digest")
        return cls(features, targets, keys, metadata)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Open a feature file: its tensors and its metadata, or an error for people."""
    if not path.is_file():
        raise UserError(f"{path}: no such feature file")
    try:
        with safe_open(path, framework="numpy") as file:
            yield file, json.loads((file.metadata() or {})[METADATA_KEY])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UserError(f"{path}: not a readable feature file ({error})") from None


def check_aligned(files: Mapping[str, Path]) -> str:
    """Check that the rows of several models' files are the same images, by their metadata alone.

    The features of all models can be far more than the memory holds, so readers check here first
    and then read one file at a time.

    Parameters
    ----------
    files
        Path by model id.

    Returns
    -------
    str
        The digest of the ordered keys.

    Raises
    ------
    UserError
        If a file is missing, or two files have other images or another order.
    """
    digests = {
        model: FeatureFile.read_metadata(path).get("keys_digest")
        for model, path in sorted(files.items())
    }
    first = next(iter(digests))
    for model, digest in digests.items():
        if digest != digests[first]:
            ours, theirs = (FeatureFile.read(files[m], lazy=True).keys for m in (first, model))
            raise UserError(
                f"{files[model]}: its rows are not the images of {files[first]} "
                f"({_first_difference(ours, theirs)}); "
                f"extract both models' features from the same data set"
            )
    return str(digests[first])


def read_aligned(files: Mapping[str, Path]) -> dict[str, FeatureFile]:
    """Read the feature files of several models on one split, their rows being the same images.

    Raises
    ------
    UserError
        As `check_aligned`, or if a file is damaged.
    """
    check_aligned(files)
    return {model: FeatureFile.read(path) for model, path in sorted(files.items())}


def _first_difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    if len(ours) != len(theirs):
        return f"{len(theirs)} rows against {len(ours)}"
    row = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
    return f"row {row} is '{theirs[row]}' against '{ours[row]}'"


def _encode(keys: Sequence[str]) -> npt.NDArray[np.uint8]:
    encoded = [key.encode() for key in keys]
    width = max(map(len, encoded), default=1) or 1
    return np.array(encoded, dtype=f"S{width}").view(np.uint8).reshape(len(keys), width)


def _decode(encoded: npt.NDArray[np.uint8]) -> list[str]:
    n, width = encoded.shape
    return [k.decode() for k in np.ascontiguousarray(encoded).view(f"S{width}").reshape(n).tolist()]
