"""`simcons place`: where one model sits among those of the study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcons.cli.output import print_table

if TYPE_CHECKING:
    import pandas as pd


def place(
    model: Annotated[str, typer.Argument(help="Of the study or the catalogue, or your own.")],
    features: Annotated[
        Path | None, typer.Option(help="Folder with its DATASET/MODEL.npy or .../train.safetensors")
    ] = None,
    measure: Annotated[str | None, typer.Option(help="Default: the study's first.")] = None,
    nearest: Annotated[int, typer.Option(min=1, help="How many models to print.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables, as CSV.")] = None,
) -> None:
    """Print where a model sits among those of the study, without running the study again.

    A model of the catalogue that is not in the study has its features extracted first.

    Example: simcons place untrained_resnet10t
    """
    from simcons.core.files import write_csv
    from simcons.core.paths import Paths
    from simcons.study import stage
    from simcons.study.placing import place_model

    study, paths = stage.start(), Paths()
    chosen = measure or study.similarity.measures[0]
    found = place_model(study, paths, model, chosen, features)
    level = f"{100 * study.consistency.confidence:g} %"
    typer.echo(f"{model} among {len(found.nearest)} models on {len(study.datasets)} data sets")
    _print_nearest(found.nearest.head(nearest), chosen, level)
    _print_consistency(found.consistency)
    _print_groups(found.groups, level)
    reasons = sorted({*found.nearest["reason"]} - {""})
    if reasons:
        typer.echo(f"no intervals: {'; '.join(reasons)}")
    if out is not None:
        for name in ("nearest", "consistency", "groups"):
            write_csv(out / f"{name}.csv", getattr(found, name))


def _print_nearest(table: pd.DataFrame, measure: str, level: str) -> None:
    rows = [
        (r["model"], _number(r["similarity"]), _interval(r), f"{r['mean_rank']:.1f}",
         f"{r['best_rank']:.0f} to {r['worst_rank']:.0f}", f"{100 * r['share_nearest']:.0f} %")
        for r in table.to_dict("records")
    ]  # fmt: skip
    columns = ["nearest models", measure, level, "mean rank", "ranks", "in the nearest five"]
    print_table(columns, rows)


def _print_consistency(table: pd.DataFrame) -> None:
    rows = [
        (r["method"], *(_number(r[c]) for c in ("median", "q1", "q3", "typical_median")))
        for r in table.to_dict("records")
    ]
    print_table(["r between data sets", "median", "q1", "q3", "the study's models"], rows)


def _print_groups(table: pd.DataFrame, level: str) -> None:
    rows = [
        (r["category"], r["value"], int(r["n_models"]), _number(r["similarity"]), _interval(r),
         _number(r["member_similarity"]),
         "" if r["percentile"] != r["percentile"] else f"{100 * r['percentile']:.0f} %")
        for r in table.to_dict("records")
    ]  # fmt: skip
    columns = ["category", "group", "models", "similarity to it", level, "between its members"]
    print_table([*columns, "members less alike"], rows)


def _number(value: float) -> str:
    return "n/a" if value != value else f"{value:.3f}"


def _interval(row: dict[Any, Any]) -> str:
    return f"{row['bca_low']:.3f} to {row['bca_high']:.3f}" if row["available"] else "none"
