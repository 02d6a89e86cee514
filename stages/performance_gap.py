"""Relate the gap in probe accuracy between two models to their similarity."""

from __future__ import annotations

from simcons import stage
from simcons.paths import Paths


def main() -> None:
    """Write metrics/performance_gap.json and .csv."""
    study = stage.start()
    import pandas as pd

    from simcons.consistency import performance_gap, summarise_gap
    from simcons.files import write_csv, write_json
    from simcons.results import accuracies, read_probes, read_similarities

    paths = Paths()
    scores = accuracies(read_probes(study, paths))
    table = pd.concat(
        [
            performance_gap(by_dataset, scores, study.consistency.methods, measure=measure)
            for measure, by_dataset in read_similarities(study, paths).items()
        ],
        ignore_index=True,
    )
    write_json(paths.metrics / "performance_gap.json", summarise_gap(table))
    write_csv(paths.metrics / "performance_gap.csv", table)


if __name__ == "__main__":
    stage.script(main)
