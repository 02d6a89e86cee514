"""Relate the gap in probe accuracy, error consistency and similarity of two models."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main() -> None:
    """Write metrics/performance_gap* (the CSV with intervals by a bootstrap over models)."""
    study = stage.start()
    from simcons.consistency import (
        Settings,
        relate_performance,
        relation_headline,
        summarise_relations,
    )
    from simcons.core.files import write_csv, write_json
    from simcons.study.results import (
        gap_inputs,
        read_error_consistency,
        read_probes,
        read_similarities,
    )

    paths = Paths()
    similarities, scores = gap_inputs(
        study, read_similarities(study, paths), read_probes(study, paths)
    )
    table = relate_performance(
        similarities,
        scores,
        read_error_consistency(study, paths),
        study.model_table(),
        Settings.of(study.consistency),
    )
    summary = summarise_relations(table)
    write_json(paths.metrics / "performance_gap_datasets.json", summary)
    small = relation_headline(summary, study.consistency.methods[0])
    write_json(paths.metrics / "performance_gap.json", small)
    write_csv(paths.metrics / "performance_gap.csv", table)


if __name__ == "__main__":
    stage.script(main)
