"""Data sets: build them as WebDataset shards, read them strictly, draw subsets.

The format and the reader are in ``shards``, the writer in ``writing``, index and manifest in
``manifest``, subsets in ``subsets``; each demo data set is a module in ``builders``.
"""

from __future__ import annotations

from simcons.datasets.building import build_dataset
from simcons.datasets.manifest import (
    index_shards,
    manifest_digest,
    read_index,
    read_manifest,
    split_counts,
    verify,
)
from simcons.datasets.shards import (
    EncodedSample,
    Sample,
    decode,
    iter_encoded,
    iter_samples,
    read_classnames,
    shard_paths,
)
from simcons.datasets.subsets import Subset, balanced_subset, read_subset, write_subset
from simcons.datasets.writing import ShardWriter, write_split

__all__ = [
    "EncodedSample",
    "Sample",
    "ShardWriter",
    "Subset",
    "balanced_subset",
    "build_dataset",
    "decode",
    "index_shards",
    "iter_encoded",
    "iter_samples",
    "manifest_digest",
    "read_classnames",
    "read_index",
    "read_manifest",
    "read_subset",
    "shard_paths",
    "split_counts",
    "verify",
    "write_split",
    "write_subset",
]
