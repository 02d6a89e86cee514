"""Draw the training images on which similarity is measured."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main(dataset: str) -> None:
    """Write data/subsets/DATASET.json."""
    study = stage.start()
    from simcons.datasets import write_subset

    study.dataset_spec(dataset)
    paths = Paths()
    write_subset(
        paths.subset(dataset),
        paths.dataset(dataset),
        dataset=dataset,
        max_samples=study.subset.max_samples,
        seed=study.subset.seed,
    )


if __name__ == "__main__":
    stage.script(main)
