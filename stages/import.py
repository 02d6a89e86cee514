"""Take published similarities on one data set, in place of computed ones."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main(dataset: str) -> None:
    """Write data/similarity/DATASET."""
    study = stage.start()
    from simcons.imports.assemble import imported_similarity
    from simcons.similarity import write_similarity

    paths = Paths()
    folder = paths.imported(study.imported.name, dataset)
    models = list(study.model_specs())
    result = imported_similarity(folder, models, study.similarity.measures)
    write_similarity(paths.similarity(dataset), result)


if __name__ == "__main__":
    stage.script(main)
