"""The extraction loop: one pass over a data set's shards feeding every model.

Each image is decoded once, and transformed once for all models that share a transform. A model's
features on one split are a result in the store; while a split is under way, each finished chunk (at
most `CHUNK_SIZE` images of a shard) of each model is one too, so a kill loses at most one chunk.
Batches never span shards, so a value does not depend on which models or shards were there already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from simcons.catalog import ModelSpec
from simcons.core.errors import UserError
from simcons.core.files import sha256_json
from simcons.core.paths import SPLITS
from simcons.core.progress import progress
from simcons.core.store import Store, copy_out
from simcons.datasets import ensure_shards, manifest_digest, read_index, split_counts
from simcons.features.batches import Batch, Plan, read_batches
from simcons.features.device import Runner, make_runner, n_workers
from simcons.features.files import FeatureFile
from simcons.models.extractor import Extractor, at_layer, fingerprint_parts, load
from simcons.models.transforms import ImageTransform

if TYPE_CHECKING:
    import pandas as pd

# A multiple of every batch size, so that chunks and batches end together.
CHUNK_SIZE = 4096
FILE_NAME = "features.safetensors"
Chunk = tuple[int, int]  # shard, place in it of the first sample


@dataclass(frozen=True)
class _Job:
    """One model's features on one split: what decides them, and what to call them."""

    model: str
    split: str
    parts: dict[str, Any]
    label: str
    storage: str

    def chunk_parts(self, chunk: Chunk) -> dict[str, Any]:
        return {**self.parts, "shard": chunk[0], "start": chunk[1]}

    def put(self, store: Store, file: FeatureFile, chunk: Chunk | None = None) -> None:
        """Store the features of the split, or of one of its chunks."""
        parts, label = self.parts, self.label
        if chunk is not None:
            parts, label = self.chunk_parts(chunk), f"{label}/{chunk[0]}.{chunk[1]}"
        store.put(
            "features", parts, label, lambda f: file.write(f / FILE_NAME, storage=self.storage)
        )


def feature_parts(
    spec: ModelSpec,
    dataset_digest: str,
    split: str,
    threads: int,
    *,
    precision: str = "float32",
    storage: str = "float32",
) -> dict[str, Any]:
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
    precision, storage
        Of the forward pass and of the file; named only where they are not float32, so that
        features from before there was a choice are found.
    """
    chosen = {"precision": precision, "storage": storage}
    return {
        "dataset": dataset_digest,
        "split": split,
        "model": fingerprint_parts(spec),
        "threads": threads,
        **{name: value for name, value in chosen.items() if value != "float32"},
    }


def extract(
    dataset: Path,
    specs: Mapping[str, ModelSpec],
    store: Store,
    out: Path | None,
    *,
    threads: int,
    splits: Sequence[str] | None = None,
    precision: str = "float32",
    storage: str = "float32",
) -> None:
    """Write ``out/MODEL/SPLIT.safetensors`` for every model and split, computing what is missing.

    Parameters
    ----------
    dataset
        The data set's folder.
    specs
        Models by id.
    store
        Where finished features are kept.
    out
        The output folder; None: compute into the store alone.
    threads
        Number of threads, which decides the last bits of sums.
    splits
        Which splits; by default those that the data set has.
    precision
        Of the forward pass: ``float32``, ``bfloat16`` or ``float16`` (mixed).
    storage
        Of the files: ``float32`` or ``float16``.

    Raises
    ------
    UserError
        If a shard or an image is damaged, or a model cannot be loaded or does not fit the device.
    """
    torch.set_num_threads(threads)
    index = read_index(dataset)
    digest = manifest_digest(dataset)
    here = split_counts(dataset)
    for split in splits or [split for split in SPLITS if split in here]:
        rows = index[index["split"] == split]
        jobs = []
        for model, spec in sorted(specs.items()):
            chosen = {"precision": precision, "storage": storage}
            parts = feature_parts(spec, digest, split, threads, **chosen)
            jobs.append(_Job(model, split, parts, f"{dataset.name}/{model}/{split}", storage))
        missing = [job for job in jobs if store.get("features", job.parts) is None]
        if missing:
            ensure_shards(dataset)
            _compute(dataset, rows, missing, specs, store, make_runner(precision), threads)
        if out is None:
            continue
        for job in jobs:
            folder = store.get("features", job.parts, verify=False)
            if folder is None:
                raise UserError(f"features of {job.label} vanished from the store {store.root}")
            copy_out(folder / FILE_NAME, out / job.model / f"{split}.safetensors")


def _compute(
    dataset: Path,
    rows: pd.DataFrame,
    jobs: Sequence[_Job],
    specs: Mapping[str, ModelSpec],
    store: Store,
    runner: Runner,
    threads: int,
) -> None:
    """Run the missing models over the chunks of one split, then join each model's chunks."""
    shards = rows["shard"].unique().tolist()
    keys = {int(shard): rows.loc[rows["shard"] == shard, "key"].tolist() for shard in shards}
    chunks = [(s, start) for s in sorted(keys) for start in range(0, len(keys[s]), CHUNK_SIZE)]
    todo = {
        chunk: [j for j in jobs if store.get("features", j.chunk_parts(chunk)) is None]
        for chunk in chunks
    }
    wanted = sorted({job.model for missing in todo.values() for job in missing})
    extractors = _load({model: specs[model] for model in wanted}, runner)
    by_transform: dict[ImageTransform, list[str]] = defaultdict(list)
    for model, extractor in extractors.items():
        by_transform[extractor.transform].append(model)
    models_of = list(by_transform.values())
    wanted_of = {
        chunk: [i for i, group in enumerate(models_of) if any(j.model in group for j in missing)]
        for chunk, missing in todo.items()
        if missing
    }
    plan = Plan(
        dataset, jobs[0].split, keys, wanted_of, list(by_transform), runner.batch_size, CHUNK_SIZE
    )
    amount = sum(
        len(missing) * min(CHUNK_SIZE, len(keys[shard]) - start)
        for (shard, start), missing in todo.items()
    )
    title = f"features {dataset.name}/{plan.split} ({len(wanted)} models)"
    with progress(title, amount, "image x model") as advance:
        batches: list[Batch] = []
        outputs: dict[str, list[npt.NDArray[np.float32]]] = defaultdict(list)
        workers = n_workers(runner, threads)
        for batch in read_batches(plan, workers=workers, pin=runner.device.type == "cuda"):
            chunk = (batch.shard, batch.start - batch.start % CHUNK_SIZE)
            missing = {job.model: job for job in todo[chunk]}
            _forward(batch, models_of, missing, extractors, runner, outputs)
            advance(len(batch.keys) * len(missing))
            batches.append(Batch(batch.shard, batch.start, batch.keys, batch.targets, {}))
            done = batch.start + len(batch.keys)
            if done % CHUNK_SIZE == 0 or done == len(keys[batch.shard]):
                for model, job in missing.items():
                    job.put(store, _chunk_file(job, batches, outputs[model]), chunk)
                batches, outputs = [], defaultdict(list)
    for job in jobs:
        _join(job, chunks, len(rows), store, specs[job.model], runner)
        for chunk in chunks:
            store.drop("features", job.chunk_parts(chunk))


def _forward(
    batch: Batch,
    models_of: Sequence[Sequence[str]],
    missing: Mapping[str, _Job],
    extractors: Mapping[str, Extractor],
    runner: Runner,
    outputs: dict[str, list[npt.NDArray[np.float32]]],
) -> None:
    """Append the features of one batch to each missing model's outputs.

    A network that several models read at different layers runs once.
    """
    for transform, inputs in batch.inputs.items():
        uploaded = runner.upload(inputs)
        by_network: dict[int, list[str]] = defaultdict(list)
        for model in models_of[transform]:
            if model in missing:
                module = extractors[model].module
                by_network[id(getattr(module, "network", module))].append(model)
        for models in by_network.values():
            features = runner.forward([extractors[model] for model in models], uploaded)
            for model, rows in zip(models, features, strict=True):
                outputs[model].append(rows.numpy())


def _load(specs: Mapping[str, ModelSpec], runner: Runner) -> dict[str, Extractor]:
    """Load models; those that differ in their layer alone share a network."""
    loaded: dict[str, Extractor] = {}
    found = {}
    for model, spec in specs.items():
        parts = fingerprint_parts(spec)
        key = sha256_json({name: parts[name] for name in parts if name not in ("layer", "token")})
        if key in loaded:
            found[model] = at_layer(loaded[key], spec)
        else:
            found[model] = loaded[key] = runner.prepare(load(spec))
    return found


def _chunk_file(
    job: _Job, batches: Sequence[Batch], outputs: Sequence[npt.NDArray[np.float32]]
) -> FeatureFile:
    features = np.concatenate(outputs)
    largest = float(np.abs(features).max(initial=0.0))
    if job.storage == "float16" and largest > float(np.finfo(np.float16).max):
        raise UserError(
            f"features of {job.label} reach {largest:.3g}, which float16 cannot hold; set "
            f"features.storage to float32"
        )
    targets = np.array([t for batch in batches for t in batch.targets], dtype=np.int64)
    return FeatureFile(features, targets, [key for batch in batches for key in batch.keys])


def _join(
    job: _Job,
    chunks: Sequence[Chunk],
    n: int,
    store: Store,
    spec: ModelSpec,
    runner: Runner,
) -> None:
    """Join a model's chunks to the features of the split.

    Another process that computes the same may have been first, and have dropped the chunks.
    """
    features = np.empty((n, spec.feature_dim), dtype=np.float32)
    targets = np.empty(n, dtype=np.int64)
    keys: list[str] = []
    for chunk in chunks:
        folder = store.get("features", job.chunk_parts(chunk))
        if folder is None and store.get("features", job.parts) is not None:
            return
        if folder is None:
            raise UserError(f"chunks of {job.label} vanished from the store {store.root}")
        file = FeatureFile.read(folder / FILE_NAME)
        rows = slice(len(keys), len(keys) + len(file.keys))
        features[rows], targets[rows] = file.features[:], file.targets
        keys += file.keys
    metadata = {"parts": job.parts, "model": spec.id, "versions": library_versions()}
    if (device := runner.describe()) is not None:
        metadata["device"] = device
    job.put(store, FeatureFile(features, targets, keys, metadata))


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that compute features: recorded, not hashed."""
    from importlib.metadata import version

    names = ("numpy", "open_clip_torch", "pillow", "safetensors", "timm", "torch", "torchvision")
    return {name: version(name) for name in names}
