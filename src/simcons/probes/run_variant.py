"""Scores of a test-only data set with the probes of its parent: one pass, one model at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simcons.core.errors import UserError
from simcons.core.files import sha256_file, sha256_json
from simcons.core.store import Store
from simcons.features import FeatureFile, check_aligned
from simcons.probes.results import load_probe, probe_folder
from simcons.probes.run import assemble, put_probe
from simcons.probes.variants import score_variant


def run_variant(
    dataset: str,
    parent: Path,
    files: Mapping[str, Path],
    classes: Sequence[int] | None,
    seeds: Sequence[int],
    store: Store,
    out: Path | None,
    *,
    threads: int,
) -> None:
    """Write what `simcons.probes.run.run_probes` writes, with nothing trained.

    Parameters
    ----------
    dataset
        The variant's name, for labels and progress.
    parent
        The folder of the parent's probes.
    files
        By model id, the variant's test features.
    classes
        The parent's labels that the variant has, ascending: the variant's label i is the parent's
        ``classes[i]``. None: labels are the parent's, and all of its classes compete.
    seeds
        Of the parent's probes.
    store
        Where finished scores are kept.
    out
        The output folder; None: compute into the store alone.
    threads
        Number of threads, which decides the last bits of sums.

    Raises
    ------
    UserError
        If a probe or file is missing, or a label is none of the variant's or the parent's.
    """
    check_aligned(files)
    finished = (
        (model, seed, folder)
        for model in sorted(files)
        for seed, folder in _finished(
            dataset, parent, model, files[model], classes, seeds, store, threads
        )
    )
    assemble(f"variant {dataset}", finished, out, sorted(files), seeds)


def _finished(
    dataset: str,
    parent: Path,
    model: str,
    features: Path,
    classes: Sequence[int] | None,
    seeds: Sequence[int],
    store: Store,
    threads: int,
) -> Iterator[tuple[int, Path]]:
    """Yield each seed and its scores' folder in the store, made now if they are not there.

    Features are read only if scores must be made.
    """
    made_of = FeatureFile.read_metadata(features)["parts"]
    file: FeatureFile | None = None
    for seed in seeds:
        trained = probe_folder(parent, model, seed)
        if not trained.is_dir():
            raise UserError(f"{trained}: no such probe; run `dvc repro probe@{parent.name}`")
        parts = variant_parts(model, made_of, trained, classes, threads)
        found = store.get("probes", parts)
        if found is None:
            file = file or FeatureFile.read(features)
            probe = load_probe(trained)
            result = score_variant(
                probe,
                file.features[:],
                parent_labels(dataset, file.targets, classes),
                classes=probe.classes if classes is None else classes,
            )
            found = put_probe(store, parts, f"{dataset}/{model}/seed_{seed}", result)
        yield seed, found / "probe"


def variant_parts(
    model: str,
    features: Mapping[str, Any],
    trained: Path,
    classes: Sequence[int] | None,
    threads: int,
) -> dict[str, Any]:
    """Return what decides a variant's scores: its features' parts, the probe's files, classes."""
    return {
        "variant_features": sha256_json(dict(features)),
        "model": model,
        "probe": {file.name: sha256_file(file) for file in sorted(trained.iterdir())},
        "classes": None if classes is None else list(classes),
        "threads": threads,
    }


def parent_labels(dataset: str, targets: np.ndarray, classes: Sequence[int] | None) -> np.ndarray:
    """Return a variant's labels (n,) in the parent's numbering.

    Raises
    ------
    UserError
        If a label is beyond the variant's classes.
    """
    if classes is None:
        return targets
    largest = int(targets.max(initial=0))
    if largest >= len(classes):
        raise UserError(
            f"data set '{dataset}': label {largest}, but the catalogue lists {len(classes)} "
            f"classes for it (variant_classes.yaml); its labels must number those from 0"
        )
    return np.asarray(classes, dtype=np.int64)[targets]
