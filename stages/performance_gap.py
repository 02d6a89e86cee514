"""Relate the gap in probe accuracy between two models to their similarity."""

from __future__ import annotations

from simcons import stage
from simcons.paths import Paths

KEYS = ["measure", "dataset", "method"]
LIMITS = ["bca_low", "bca_high", "available", "reason"]


def main() -> None:
    """Write metrics/performance_gap.json and .csv (with intervals by a bootstrap over models)."""
    study = stage.start()
    import pandas as pd

    from simcons.consistency import gap_intervals, performance_gap, summarise_gap
    from simcons.consistency.weighted import RESAMPLED_METHODS
    from simcons.files import write_csv, write_json
    from simcons.results import gap_inputs, read_probes, read_similarities

    paths, wanted, models = Paths(), study.consistency, study.model_table()
    similarities, scores = gap_inputs(
        study, read_similarities(study, paths), read_probes(study, paths)
    )
    resampled = [method for method in wanted.methods if method in RESAMPLED_METHODS]
    # Without probes: no rows, but the same columns.
    tables = [pd.DataFrame(columns=[*KEYS, "r", "n_pairs"])]
    limits = [pd.DataFrame(columns=[*KEYS, *LIMITS])]
    for measure, by_dataset in similarities.items():
        tables.append(performance_gap(by_dataset, scores, wanted.methods, measure=measure))
        limits.append(
            gap_intervals(
                by_dataset,
                scores,
                models,
                resampled,
                n_bootstrap=wanted.n_bootstrap,
                confidence=wanted.confidence,
                seed=wanted.seed,
                measure=measure,
            )[[*KEYS, *LIMITS]]
        )
    table = pd.concat(tables[1:] or tables, ignore_index=True)
    intervals = pd.concat(limits[1:] or limits, ignore_index=True)
    write_json(paths.metrics / "performance_gap.json", summarise_gap(table))
    write_csv(paths.metrics / "performance_gap.csv", table.merge(intervals, on=KEYS, how="left"))


if __name__ == "__main__":
    stage.script(main)
