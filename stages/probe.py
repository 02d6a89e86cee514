"""Train a linear probe per model and seed on one data set."""

from __future__ import annotations

from simcons import stage
from simcons.paths import Paths
from simcons.store import Store


def main(dataset: str) -> None:
    """Write data/probes/DATASET."""
    study = stage.start()
    from simcons.probes.run import run_probes

    study.dataset_spec(dataset)
    paths = Paths()
    files = {
        model: {split: paths.feature_file(dataset, model, split) for split in ("train", "test")}
        for model in study.model_specs()
    }
    run_probes(
        dataset,
        files,
        study.probe,
        Store(paths.store),
        paths.probes(dataset),
        threads=study.numerics.threads,
    )


if __name__ == "__main__":
    stage.script(main)
