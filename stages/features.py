"""Extract every model's features on one data set, in one pass over its shards."""

from __future__ import annotations

from simcons import stage
from simcons.paths import Paths
from simcons.store import Store


def main(dataset: str) -> None:
    """Write data/features/DATASET/MODEL/SPLIT.safetensors."""
    study = stage.start()
    from simcons.features import extract
    from simcons.study import refuse_leftovers

    study.dataset_spec(dataset)
    paths = Paths()
    refuse_leftovers(study, paths, ["zoo"])
    extract(
        paths.dataset(dataset),
        study.model_specs(),
        Store(paths.store),
        paths.features(dataset),
        threads=study.numerics.threads,
    )


if __name__ == "__main__":
    stage.script(main)
