"""Extract every model's features on one data set, in one pass over its shards."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.core.store import Store
from simcons.study import stage


def main(dataset: str) -> None:
    """Write data/features/DATASET/MODEL/SPLIT.safetensors.

    With SIMCONS_MODEL_GROUP=k/n fill the store with the k-th of n parts of the models alone.
    """
    study = stage.start()
    from simcons.features.extraction import extract
    from simcons.study.active import refuse_leftovers
    from simcons.study.parts import model_part

    study.dataset_spec(dataset)
    paths = Paths()
    refuse_leftovers(study, paths, ["zoo"])
    specs = study.model_specs()
    part = model_part({model: spec.params or 0 for model, spec in specs.items()})
    extract(
        paths.dataset(dataset),
        specs if part is None else {model: specs[model] for model in part},
        Store(paths.store),
        paths.features(dataset) if part is None else None,
        threads=study.numerics.threads,
        precision=study.features.precision,
        storage=study.features.storage,
    )


if __name__ == "__main__":
    stage.script(main)
