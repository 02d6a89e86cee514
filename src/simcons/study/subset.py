"""The features on which a study measures similarity: those of a data set's subset of images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simcons.core.arrays import SelectedRows
from simcons.core.errors import UserError
from simcons.core.paths import Paths
from simcons.datasets import read_subset
from simcons.features import FeatureFile, check_aligned
from simcons.study.params import Study


def subset_features(
    study: Study, paths: Paths, dataset: str
) -> tuple[dict[str, SelectedRows], npt.NDArray[np.int64]]:
    """Return every model's features on the subset's training images, read when asked for.

    Returns
    -------
    features : dict
        Array (n, d) by model id; rows are the same images in all.
    labels : ndarray
        Class labels (n,).

    Raises
    ------
    UserError
        If a file is missing, or the files' or the subset's images differ.
    """
    study.dataset_spec(dataset)
    subset = read_subset(paths.subset(dataset))
    files = {model: paths.feature_file(dataset, model, "train") for model in study.model_specs()}
    if check_aligned(files) != subset.keys_digest:
        raise UserError(
            f"{paths.subset(dataset)} was drawn from other images than {paths.features(dataset)} "
            f"holds; run `dvc repro subset@{dataset} features@{dataset}`"
        )
    features = {}
    for model, path in files.items():
        file = FeatureFile.read(path, lazy=True)  # all features can be more than the memory
        features[model] = SelectedRows(file.features, subset.indices)
        labels = file.targets[subset.indices]
    return features, labels
