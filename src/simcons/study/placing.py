"""Placing one model among those of a study: its features found, compared and ranked.

Nothing of the study is computed again. A model of the study is taken out of its similarity
matrices; of another one only its own features, and its similarities to the study's models, are
computed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from simcons.catalog import model_spec
from simcons.catalog import model_specs as catalogue_models
from simcons.consistency import Analysis, Placement, Settings, place
from simcons.core.arrays import Rows
from simcons.core.errors import UserError, did_you_mean, known
from simcons.core.files import readable
from simcons.core.paths import Paths
from simcons.core.store import Store
from simcons.datasets import Subset, read_subset
from simcons.features import FeatureFile
from simcons.similarity import SimilarityMatrix, similarity_to_others
from simcons.study.params import Study
from simcons.study.results import read_similarities
from simcons.study.subset import subset_features


def place_model(
    study: Study, paths: Paths, model: str, measure: str, features: Path | None = None
) -> Placement:
    """Place a model among those of the study, by one measure.

    Parameters
    ----------
    study, paths
        A finished study.
    model
        One of its models, which is compared with the others; or a model of the catalogue, whose
        features are extracted (into the store) where they are not there yet; or, with ``features``,
        any name.
    measure
        One of the study's.
    features
        A folder with the model's features on every data set of the study:
        ``DATASET/MODEL/train.safetensors`` or ``DATASET/MODEL.npy``, a row per training image in
        the order of the data set's shards.

    Raises
    ------
    UserError
        If the model or measure is unknown, or features are missing or of other images.
    """
    known("measure", measure, study.similarity.measures, key=f"study '{study.study}'")
    matrices = read_similarities(study, paths)[measure]
    if features is None and model in study.model_specs():
        matrices, new = _taken_out(matrices, model)
    else:
        if model in study.model_specs():
            raise UserError(f"'{model}' is a model of the study; give the new one another name")
        new = _compared(study, paths, model, measure, features)
    settings = Settings.of(study.consistency)
    settings = dataclasses.replace(settings, methods=settings.resampled or ["pearson"])
    return place(Analysis.of(matrices, study.model_table(), settings, measure), new)


def _taken_out(
    matrices: dict[str, SimilarityMatrix], model: str
) -> tuple[dict[str, SimilarityMatrix], pd.DataFrame]:
    """Return the matrices without a model, and its similarities to the others."""
    rest, parts = {}, []
    for dataset, matrix in matrices.items():
        others = [other for other in matrix.models if other != model]
        rest[dataset] = matrix.select(others)
        i, at = matrix.index(model), [matrix.index(other) for other in others]
        values = 0.5 * (matrix.values[i, at] + matrix.values[at, i])
        parts.append(pd.DataFrame({"dataset": dataset, "model": others, "value": values}))
    return rest, pd.concat(parts, ignore_index=True)


def _compared(
    study: Study, paths: Paths, model: str, measure: str, folder: Path | None
) -> pd.DataFrame:
    """Return the similarities of a model from elsewhere to every model, on every data set."""
    parts = []
    for dataset in study.measured():
        subset = read_subset(paths.subset(dataset))
        if folder is None:
            rows = _rows(_extracted(study, paths, model, dataset), subset)
        else:
            rows = _found(folder, model, dataset, subset)
        features, _ = subset_features(study, paths, dataset)

        def read(other: str, features: Mapping[str, Rows] = features) -> npt.NDArray[np.float32]:
            return np.asarray(features[other][:], dtype=np.float32)

        table = similarity_to_others(
            rows,
            sorted(features),
            read,
            [measure],
            normalize=study.similarity.normalize,
            memory_gb=study.similarity.memory_gb,
        )
        parts.append(table.drop(columns="measure").assign(dataset=dataset))
    return pd.concat(parts, ignore_index=True)


def _rows(path: Path, subset: Subset) -> npt.NDArray[np.float32]:
    """Return a model's features on the subset's images, or refuse other images."""
    file = FeatureFile.read(path, lazy=True)
    if file.keys_digest != subset.keys_digest:
        raise UserError(
            f"{path}: its rows are not the training images of data set '{subset.dataset}'; "
            f"extract the features from the study's own shards"
        )
    return np.asarray(file.features[subset.indices], dtype=np.float32)


def _found(folder: Path, model: str, dataset: str, subset: Subset) -> npt.NDArray[np.float32]:
    """Return the features of a folder that somebody else made, on the subset's images."""
    file, array = folder / dataset / model / "train.safetensors", folder / dataset / f"{model}.npy"
    if file.is_file():
        return _rows(file, subset)
    if not array.is_file():
        raise UserError(f"no features of '{model}' on '{dataset}': neither {file} nor {array}")
    with readable(array, "not a readable array", ValueError, EOFError, OSError):
        values = np.load(array, mmap_mode="r", allow_pickle=False)
    needed = int(subset.indices.max()) + 1
    if values.ndim != 2 or len(values) < needed:
        raise UserError(
            f"{array}: got an array of shape {values.shape}; needed: a row per training image of "
            f"'{dataset}', at least {needed}"
        )
    return np.asarray(values[subset.indices], dtype=np.float32)


def _extracted(study: Study, paths: Paths, model: str, dataset: str) -> Path:
    """Return the feature file of a model of the catalogue, extracted now if it is not stored."""
    if model not in catalogue_models():
        known = {*study.model_specs(), *catalogue_models()}
        raise UserError(
            f"no model '{model}' in the study or the catalogue: {did_you_mean(model, known)}; "
            f"for a model of your own give its features with --features FOLDER"
        )
    from simcons.features.extraction import extract

    out = paths.placed(dataset)
    extract(
        paths.dataset(dataset),
        {model: model_spec(model)},
        Store(paths.store),
        out,
        threads=study.numerics.threads,
        splits=["train"],
        precision=study.features.precision,
        storage=study.features.storage,
    )
    return out / model / "train.safetensors"
