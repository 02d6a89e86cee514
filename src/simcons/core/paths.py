"""Where everything lies. No other module builds a path inside the repository.

Paths are relative to the current folder unless a root is given: stages run in the repository's
root, as DVC does, and `dvc exp run --queue` runs them in a copy of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

SPLITS = ("train", "test")


def folder_name(dataset_id: str) -> str:
    """Return the folder and stage name of a data set id (``wds/vtab/cifar10`` has slashes)."""
    return dataset_id.replace("/", "_").replace("-", "_").lower()


class _Below:
    """A fixed place below the root of `Paths`."""

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    def __get__(self, paths: Paths, kind: type[Paths]) -> Path:
        return paths.root.joinpath(*self.parts)


@dataclass(frozen=True)
class Paths:
    """The repository's folders and files.

    Parameters
    ----------
    root
        The repository's root; the current folder by default.
    """

    root: Path = field(default_factory=Path)

    #: The active study.
    params = _Below("params.yaml")
    #: What DVC recorded of each stage.
    dvc_lock = _Below("dvc.lock")
    #: The folder of ready-made studies.
    studies = _Below("studies")
    #: What the user adds: models, data sets, Python modules.
    own = _Below("own")
    #: The user's own models, written like the catalogue's.
    own_models = _Below("own", "models.yaml")
    #: The user's own data sets, written like the catalogue's.
    own_datasets = _Below("own", "datasets.yaml")
    #: DVC outputs, never in git.
    data = _Below("data")
    #: Tables of the consistency analysis.
    consistency = _Below("data", "consistency")
    #: Small results that git tracks.
    metrics = _Below("metrics")
    #: Training curves of the models that the pipeline trains, a file each.
    curves = _Below("metrics", "zoo")
    #: Every figure, as PNG and PDF.
    figures = _Below("metrics", "figures")
    #: The self-contained HTML page.
    report = _Below("metrics", "report", "index.html")
    #: Where `simcons study tidy` puts outputs of data sets that the study has no more.
    leftovers = _Below(".simcons", "leftovers")
    #: Scripts, logs and exit codes of SLURM jobs.
    slurm = _Below(".simcons", "slurm")
    #: State and logs of `simcons run`.
    run = _Below(".simcons", "run")

    def study_file(self, name: str) -> Path:
        """A ready-made study."""
        return self.studies / f"{name}.yaml"

    def imports(self, name: str) -> Path:
        """Published results in our formats, a folder per data set."""
        return self.root / "imports" / name

    def imported(self, name: str | None, dataset: str) -> Path:
        """Published results on one data set."""
        return self.imports(str(name)) / dataset

    def dataset(self, name: str) -> Path:
        """Shards, index and manifest of a data set."""
        return self.data / "datasets" / name

    def zoo(self, model: str) -> Path:
        """Weights of a model trained by the pipeline."""
        return self.data / "zoo" / model

    def zoo_weights(self, model: str) -> Path:
        """Weights file of a model trained by the pipeline."""
        return self.zoo(model) / "weights.safetensors"

    def features(self, name: str) -> Path:
        """Features of every model on a data set."""
        return self.data / "features" / name

    def feature_file(self, name: str, model: str, split: str) -> Path:
        """Features of one model on one split of a data set."""
        return self.features(name) / model / f"{split}.safetensors"

    def subset(self, name: str) -> Path:
        """The training images on which similarity is measured."""
        return self.data / "subsets" / f"{name}.json"

    def similarity(self, name: str) -> Path:
        """Similarity matrices of a data set."""
        return self.data / "similarity" / name

    def probes(self, name: str) -> Path:
        """Linear probes of every model on a data set."""
        return self.data / "probes" / name

    def placed(self, name: str) -> Path:
        """Features on a data set of models that are not the study's (`simcons place`)."""
        return self.root / ".simcons" / "placed" / name

    @property
    def slurm_settings(self) -> Path:
        """What the stages ask of a SLURM cluster; an experiment's copy may lack it."""
        here = self.root / "slurm.yaml"
        return here if here.is_file() else self._origin / "slurm.yaml"

    @property
    def store(self) -> Path:
        """The content-addressed store (``SIMCONS_STORE``, default ``.simcons/store``)."""
        return self._shared("SIMCONS_STORE", "store")

    @property
    def shards(self) -> Path:
        """Shards outside DVC's outputs (``SIMCONS_DATASETS``, default ``.simcons/datasets``)."""
        return self._shared("SIMCONS_DATASETS", "datasets")

    def _shared(self, variable: str, name: str) -> Path:
        """Return a folder that experiments share with the repository they were made from.

        `dvc exp run --queue` and `--temp` work in a copy below ``.dvc/tmp/exps``: with a folder of
        its own, its finished work and downloads would be lost.
        """
        chosen = os.environ.get(variable)
        if chosen:
            return Path(chosen).expanduser()
        return self._origin / ".simcons" / name

    @property
    def _origin(self) -> Path:
        """The repository that a copy of `dvc exp run` was made from; else this one."""
        root = self.root.resolve()
        for parent in root.parents:
            if parent.parts[-3:] == (".dvc", "tmp", "exps"):
                return parent.parents[2]
        return root
