"""One model of the zoo: taken from the store, or trained and put there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simcons.core.files import write_csv
from simcons.core.store import Store, copy_out
from simcons.datasets import manifest_digest
from simcons.models.zoo.data import load_training_data
from simcons.models.zoo.spec import ZooSpec
from simcons.models.zoo.training import train
from simcons.models.zoo.weights import save

WEIGHTS_FILE = "weights.safetensors"
CURVE_FILE = "curve.csv"


def zoo_parts(spec: ZooSpec, datasets: Mapping[str, Path], threads: int) -> dict[str, Any]:
    """Return what decides a zoo model's weights: its spec, its training images, the threads."""
    digests = {name: manifest_digest(folder) for name, folder in sorted(datasets.items())}
    return {
        "spec": spec.model_dump(mode="json"),
        "options": spec.all_options,
        "datasets": digests,
        "threads": threads,
    }


def run_zoo(
    name: str,
    spec: ZooSpec,
    datasets: Mapping[str, Path],
    store: Store,
    *,
    weights: Path,
    curve: Path,
    threads: int,
) -> None:
    """Write a model's weights and training curve, training it if the store does not have it.

    Parameters
    ----------
    name
        The model's id.
    spec
        What to train.
    datasets
        Folders of the training sets, by name.
    store
        Where finished models are kept.
    weights, curve
        The files to write.
    threads
        Number of threads.

    Raises
    ------
    UserError
        If a training set is missing or damaged.
    """
    parts = zoo_parts(spec, datasets, threads)

    def write(folder: Path) -> None:
        data = load_training_data(datasets, spec) if spec.trained else None
        model = train(spec, data, threads=threads, name=f"zoo {name}")
        save(folder / WEIGHTS_FILE, model, spec)
        write_csv(folder / CURVE_FILE, model.curve)

    folder = store.get("zoo", parts) or store.put("zoo", parts, name, write)
    copy_out(folder / WEIGHTS_FILE, weights)
    copy_out(folder / CURVE_FILE, curve)
