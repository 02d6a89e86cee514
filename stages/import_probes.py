"""Take published accuracies of linear probes on one data set."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main(dataset: str) -> None:
    """Write data/probes/DATASET/results.parquet and provenance.json."""
    study = stage.start()
    from simcons.core.files import read_json, write_json, write_parquet
    from simcons.imports.assemble import PROVENANCE, imported_probes

    paths = Paths()
    folder, out = paths.imported(study.imported.name, dataset), paths.probes(dataset)
    table = imported_probes(folder, list(study.model_specs()))
    write_json(out / PROVENANCE, read_json(folder / PROVENANCE))
    write_parquet(out / "results.parquet", table)


if __name__ == "__main__":
    stage.script(main)
