"""Train one model of the zoo from scratch."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.core.store import Store
from simcons.study import stage


def main(model: str) -> None:
    """Write data/zoo/MODEL and metrics/zoo/MODEL.csv."""
    study = stage.start()
    from simcons.models.zoo.trained import run_zoo
    from simcons.study.active import refuse_leftovers

    paths = Paths()
    spec = study.zoo_spec(model)
    refuse_leftovers(study, paths, ["datasets"])
    run_zoo(
        model,
        spec,
        {name: paths.dataset(name) for name in spec.training_sets},
        Store(paths.store),
        weights=paths.zoo_weights(model),
        curve=paths.curves / f"{model}.csv",
        threads=study.numerics.threads,
    )


if __name__ == "__main__":
    stage.script(main)
