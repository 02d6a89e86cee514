"""Trained models of the zoo: on disk, and in the store.

On disk: a safetensors file with the encoder alone and one metadata key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from simcons.core.errors import UserError
from simcons.core.files import atomic, write_csv
from simcons.core.store import Store, copy_out
from simcons.datasets import manifest_digest
from simcons.models.zoo.architectures import Encoder
from simcons.models.zoo.data import load_training_data
from simcons.models.zoo.spec import ZooSpec
from simcons.models.zoo.training import TrainedModel, build_encoder, train

METADATA_KEY = "simcons"
WEIGHTS_FILE = "weights.safetensors"
CURVE_FILE = "curve.csv"
_SHAPE_FIELDS = ("architecture", "width", "image_size", "objective", "seed")


def save(path: Path, model: TrainedModel, spec: ZooSpec, **extra: Any) -> None:
    """Write weights atomically; equal models give equal bytes.

    Parameters
    ----------
    path
        The safetensors file.
    model, spec
        What was trained, and as what.
    extra
        Further JSON-able values for the metadata, such as a fingerprint.
    """
    text = json.dumps({**extra, "spec": spec.model_dump(mode="json")}, sort_keys=True)
    with atomic(path) as part:
        part.write_bytes(to_bytes(model.state_dict, metadata={METADATA_KEY: text}))


def load_encoder(path: Path, spec: ZooSpec) -> Encoder:
    """Read an encoder, in evaluation mode.

    Raises
    ------
    UserError
        If the file is missing, broken, or holds a model of another spec.
    """
    encoder = build_encoder(spec)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run `dvc repro` to train the model") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: not readable as safetensors weights ({error})") from None
    held, wanted = metadata.get("spec", {}), spec.model_dump(mode="json")
    for field in _SHAPE_FIELDS:
        if held.get(field) != wanted[field]:
            raise UserError(
                f"{path}: holds a model with {field} {held.get(field)!r}, the study asks for "
                f"{wanted[field]!r}; run `dvc repro` to train it again"
            )
    encoder.load_state_dict(state)
    return encoder.eval()


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
