"""Build or get one data set as WebDataset shards."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main(dataset: str) -> None:
    """Write data/datasets/DATASET."""
    study = stage.start()
    from simcons.datasets import build_dataset

    spec = study.dataset_spec(dataset)
    build_dataset(spec, spec.options, Paths().dataset(dataset))


if __name__ == "__main__":
    stage.script(main)
