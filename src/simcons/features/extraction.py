"""The extraction loop: one pass over a data set's shards feeding every model.

Each image is decoded once, and transformed once for all models that share a transform. A model's
features on one split are a result in the store; while a split is under way, each finished shard of
each model is one too (kind ``features``, label ``.../shard``), so a kill loses at most one shard.
Batches never span shards, so a value does not depend on which models or shards were there already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from simcons.catalog import ModelSpec
from simcons.datasets import Sample, iter_samples, manifest_digest, read_index
from simcons.errors import UserError
from simcons.features.files import FeatureFile
from simcons.models.extractor import Extractor, fingerprint_parts, load
from simcons.models.transforms import ImageTransform
from simcons.paths import SPLITS
from simcons.progress import Advance, progress
from simcons.store import Store, place

if TYPE_CHECKING:
    import pandas as pd

BATCH_SIZE = 64
FILE_NAME = "features.safetensors"


@dataclass(frozen=True)
class _Job:
    """One model's features on one split: what decides them, and what to call them."""

    model: str
    split: str
    parts: dict[str, Any]
    label: str

    def shard_parts(self, shard: int) -> dict[str, Any]:
        return {**self.parts, "shard": shard}


def feature_parts(spec: ModelSpec, dataset_digest: str, split: str, threads: int) -> dict[str, Any]:
    """Return what decides a model's features on one split of a data set.

    Parameters
    ----------
    spec
        The model.
    dataset_digest
        Identifies the data set's content.
    split
        ``train`` or ``test``.
    threads
        Number of threads, which decides the last bits of sums.
    """
    model = fingerprint_parts(spec)
    return {"dataset": dataset_digest, "split": split, "model": model, "threads": threads}


def extract(
    dataset: Path,
    specs: Mapping[str, ModelSpec],
    store: Store,
    out: Path,
    *,
    threads: int,
    splits: Sequence[str] = SPLITS,
) -> None:
    """Write ``out/MODEL/SPLIT.safetensors`` for every model and split, computing what is missing.

    Parameters
    ----------
    dataset
        The data set's folder of shards.
    specs
        Models by id.
    store
        Where finished features are kept.
    out
        The output folder.
    threads
        Number of threads, which decides the last bits of sums.
    splits
        Which splits.

    Raises
    ------
    UserError
        If a shard or an image is damaged, or a model cannot be loaded.
    """
    torch.set_num_threads(threads)
    index = read_index(dataset)
    digest = manifest_digest(dataset)
    for split in splits:
        rows = index[index["split"] == split]
        jobs = [
            _Job(
                model,
                split,
                feature_parts(spec, digest, split, threads),
                f"{dataset.name}/{model}/{split}",
            )
            for model, spec in sorted(specs.items())
        ]
        missing = [job for job in jobs if store.get("features", job.parts) is None]
        if missing:
            _compute(dataset, rows, missing, specs, store)
        for job in jobs:
            folder = store.get("features", job.parts, verify=False)
            if folder is None:
                raise UserError(f"features of {job.label} vanished from the store {store.root}")
            place(folder / FILE_NAME, out / job.model / f"{split}.safetensors")


def _compute(
    dataset: Path,
    rows: pd.DataFrame,
    jobs: Sequence[_Job],
    specs: Mapping[str, ModelSpec],
    store: Store,
) -> None:
    """Run the missing models over the shards of one split, then join each model's shards."""
    shard_numbers = sorted(rows["shard"].unique().tolist())
    todo = {
        shard: [j for j in jobs if store.get("features", j.shard_parts(shard)) is None]
        for shard in shard_numbers
    }
    wanted = sorted({job.model for missing in todo.values() for job in missing})
    extractors = {model: load(specs[model]) for model in wanted}
    split = jobs[0].split
    amount = sum(len(todo[s]) * int((rows["shard"] == s).sum()) for s in shard_numbers)
    title = f"features {dataset.name}/{split} ({len(wanted)} models)"
    with progress(title, amount, "image x model") as advance:
        for shard in shard_numbers:
            missing = {job.model: job for job in todo[shard]}
            if not missing:
                continue
            chosen = {model: extractors[model] for model in missing}
            files = _extract_shard(dataset, split, shard, chosen, advance)
            _check_keys(dataset, rows, split, shard, files)
            for model, job in missing.items():
                _put(store, job.shard_parts(shard), f"{job.label}/{shard}", files[model])
    for job in jobs:
        _join(job, shard_numbers, store, specs[job.model])


def _check_keys(
    dataset: Path, rows: pd.DataFrame, split: str, shard: int, files: Mapping[str, FeatureFile]
) -> None:
    """Refuse a shard whose samples are not those of the index, which subsets are drawn from."""
    indexed = rows.loc[rows["shard"] == shard, "key"].tolist()
    if any(file.keys != indexed for file in files.values()):
        raise UserError(
            f"data set {dataset}: {split}/{shard}.tar holds other samples than the index says; "
            f"run `dvc repro dataset@{dataset.name}`"
        )


def _extract_shard(
    dataset: Path, split: str, shard: int, extractors: Mapping[str, Extractor], advance: Advance
) -> dict[str, FeatureFile]:
    """Return each model's features on one shard."""
    by_transform: dict[ImageTransform, list[str]] = defaultdict(list)
    for model, extractor in extractors.items():
        by_transform[extractor.transform].append(model)
    outputs: dict[str, list[npt.NDArray[np.float32]]] = {model: [] for model in extractors}
    keys: list[str] = []
    targets: list[int] = []
    for batch in _batches(iter_samples(dataset, split, shard), BATCH_SIZE):
        keys += [sample.key for sample in batch]
        targets += [sample.target for sample in batch]
        for transform, models in by_transform.items():
            inputs = torch.stack([transform(sample.image) for sample in batch])
            for model in models:
                outputs[model].append(extractors[model].forward(inputs).numpy())
        advance(len(batch) * len(extractors))
    labels = np.array(targets, dtype=np.int64)
    return {m: FeatureFile(np.concatenate(out), labels, keys) for m, out in outputs.items()}


def _batches(samples: Iterator[Sample], size: int) -> Iterator[list[Sample]]:
    batch: list[Sample] = []
    for sample in samples:
        batch.append(sample)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _join(job: _Job, shard_numbers: Sequence[int], store: Store, spec: ModelSpec) -> None:
    """Join a model's shards to the features of the split, and drop the shards."""
    folders = [store.get("features", job.shard_parts(shard)) for shard in shard_numbers]
    if any(folder is None for folder in folders):
        raise UserError(f"shards of {job.label} vanished from the store {store.root}")
    files = [FeatureFile.read(folder / FILE_NAME) for folder in folders if folder is not None]
    whole = FeatureFile(
        features=np.concatenate([f.features for f in files]),
        targets=np.concatenate([f.targets for f in files]),
        keys=[key for f in files for key in f.keys],
        metadata={"parts": job.parts, "model": spec.id, "versions": library_versions()},
    )
    _put(store, job.parts, job.label, whole)
    for shard in shard_numbers:
        store.drop("features", job.shard_parts(shard))


def _put(store: Store, parts: Mapping[str, Any], label: str, file: FeatureFile) -> None:
    store.put("features", parts, label, lambda folder: file.write(folder / FILE_NAME))


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that compute features: recorded, not hashed."""
    from importlib.metadata import version

    names = ("numpy", "open_clip_torch", "pillow", "safetensors", "timm", "torch", "torchvision")
    return {name: version(name) for name in names}
