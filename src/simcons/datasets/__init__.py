"""Data sets: get or build them as WebDataset shards, read them strictly, draw subsets.

The format and its reader are in ``shards``, the writer in ``shard_writer``, index and manifest in
``manifest``, subsets in ``subsets``. Where data sets come from: ``builders`` (a module per demo
data set), ``own_images``, ``hub``, ``derived``; ``external`` keeps large ones out of DVC;
``getting`` chooses by source, and ``reading`` reads them all alike.
"""

from __future__ import annotations

from simcons.datasets.external import ensure_shards
from simcons.datasets.getting import build_dataset
from simcons.datasets.manifest import (
    index_shards,
    manifest_digest,
    read_index,
    read_manifest,
    split_counts,
    verify,
)
from simcons.datasets.reading import iter_samples, iter_stored
from simcons.datasets.shard_writer import write_split
from simcons.datasets.shards import (
    EncodedSample,
    decode,
    iter_encoded,
    read_classnames,
)
from simcons.datasets.subsets import Subset, read_subset, write_subset

__all__ = [
    "EncodedSample",
    "Subset",
    "build_dataset",
    "decode",
    "ensure_shards",
    "index_shards",
    "iter_encoded",
    "iter_samples",
    "iter_stored",
    "manifest_digest",
    "read_classnames",
    "read_index",
    "read_manifest",
    "read_subset",
    "split_counts",
    "verify",
    "write_split",
    "write_subset",
]
