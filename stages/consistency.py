"""Measure how consistent similarities are from one data set to the next."""

from __future__ import annotations

from simcons import stage
from simcons.paths import Paths


def main() -> None:
    """Write data/consistency and metrics/consistency.json and .csv."""
    study = stage.start()
    import pandas as pd

    from simcons.consistency import by_category, summarise
    from simcons.files import write_csv, write_json, write_parquet
    from simcons.results import read_similarities

    paths, wanted, models = Paths(), study.consistency, study.model_table()
    results = [
        by_category(
            by_dataset,
            models,
            wanted.categories,
            wanted.methods,
            wanted.min_pairs,
            measure=measure,
        )
        for measure, by_dataset in read_similarities(study, paths).items()
    ]
    table = pd.concat([r.table for r in results], ignore_index=True)
    left_out = pd.concat([r.left_out for r in results], ignore_index=True)
    write_parquet(paths.consistency / "consistency.parquet", table)
    write_parquet(paths.consistency / "left_out.parquet", left_out)
    write_json(paths.metrics / "consistency.json", summarise(table))
    write_csv(paths.metrics / "consistency.csv", table[table["category"] == "all"])


if __name__ == "__main__":
    stage.script(main)
