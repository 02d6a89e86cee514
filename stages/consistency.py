"""Measure how consistent similarities are from one data set to the next."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main() -> None:
    """Write a table per analysis to data/consistency, and metrics/consistency*."""
    study = stage.start()
    from simcons.consistency import (
        Settings,
        analyse,
        headline,
        level_table,
        summarise,
        summarise_intervals,
    )
    from simcons.core.files import merged, write_csv, write_json, write_parquet
    from simcons.similarity import read_chance, read_replicates
    from simcons.study.results import read_similarities

    paths = Paths()
    similarities = read_similarities(study, paths)
    folders = {name: paths.similarity(name) for name in study.measured()}
    models = study.model_table()
    tables = analyse(
        similarities,
        models,
        Settings.of(study.consistency),
        replicates={name: read_replicates(folder) for name, folder in folders.items()},
        threads=study.numerics.threads,
    )
    chance = {name: read_chance(folder) for name, folder in folders.items()}
    tables["levels"] = level_table(similarities, chance, models["family"])
    for name, table in tables.items():
        write_parquet(paths.consistency / f"{name}.parquet", table)
    points = tables["consistency"]
    summary = merged(summarise(points), summarise_intervals(tables["intervals"]))
    write_json(paths.metrics / "consistency_groups.json", summary)
    small = headline(summary, study.consistency.methods[0])
    write_json(paths.metrics / "consistency.json", small)
    write_csv(paths.metrics / "consistency.csv", points[points["category"] == "all"])


if __name__ == "__main__":
    stage.script(main)
