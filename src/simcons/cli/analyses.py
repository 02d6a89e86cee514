"""`simcons similarity`, `layers`, `probe`, `consistency`, `place`: the library from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simcons.cli.output import print_table
from simcons.core.errors import UserError, known

if TYPE_CHECKING:
    import pandas as pd

SPLIT = Annotated[str, typer.Option(help="Which split of MODEL/SPLIT.safetensors.")]
NORMALIZE = Annotated[bool, typer.Option(help="Scale each image's features to unit length first.")]


def similarity(
    features: Annotated[Path, typer.Argument(help="Folder of MODEL.npy or feature files.")],
    out: Annotated[Path, typer.Option(help="Folder to write the tables to.")],
    measures: Annotated[
        str, typer.Option(help="Names of measures, separated by commas.")
    ] = "cka_linear",
    split: SPLIT = "train",
    subset: Annotated[
        Path | None, typer.Option(help="Subset file: only these rows (data/subsets/NAME.json).")
    ] = None,
    normalize: NORMALIZE = True,
    n_blocks: Annotated[int, typer.Option(help="Random blocks, for standard errors.")] = 20,
    block_seed: Annotated[int, typer.Option(help="Decides the blocks.")] = 0,
    memory_gb: Annotated[float, typer.Option(help="Memory budget.")] = 4.0,
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, ...")] = "cpu",
) -> None:
    """Compute similarities between all pairs of models of a folder of features.

    Example: simcons similarity data/features/digits --measures cka_linear,cka_rbf_0.4 --out sims
    """
    from simcons.similarity import compute_similarity, write_similarity
    from simcons.similarity.feature_rows import read_features, rows_of

    names = _names(measures)
    arrays = read_features(features, split)
    if subset is not None:
        arrays = rows_of(arrays, subset)
    result = compute_similarity(
        arrays,
        names,
        normalize=normalize,
        n_blocks=n_blocks,
        block_seed=block_seed,
        memory_gb=memory_gb,
        device=device,
    )
    write_similarity(out, result)
    for name in names:
        typer.echo(f"wrote {out / name}.parquet ({len(result[name].models)} models)")


def layers(
    first: Annotated[Path, typer.Argument(help="Folder of LAYER.npy or feature files.")],
    second: Annotated[
        Path | None, typer.Argument(help="The other model's; default: the same.")
    ] = None,
    measure: Annotated[str, typer.Option(help="Name of a measure.")] = "cka_linear",
    out: Annotated[Path | None, typer.Option(help="CSV file to write the map to.")] = None,
    split: SPLIT = "train",
    normalize: NORMALIZE = True,
) -> None:
    """Print the layer x layer similarity map of one model, or of two, on the same images."""
    from simcons.core.files import write_csv
    from simcons.similarity import layer_map
    from simcons.similarity.feature_rows import read_features

    others = None if second is None else read_features(second, split)
    table = layer_map(read_features(first, split), others, measure=measure, normalize=normalize)
    rows = [(row[0], *(f"{value:.3f}" for value in row[1:])) for row in table.itertuples()]
    print_table(["layer", *table.columns], rows)
    if out is not None:
        write_csv(out, table.rename_axis("layer").reset_index())


def probe(
    dataset: Annotated[str, typer.Argument(help="A data set of the study.")],
    models: Annotated[str, typer.Option(help="Ids of models, separated by commas.")],
    combine: Annotated[str, typer.Option(help="concat, concat_pca or ensemble.")] = "concat",
) -> None:
    """Train linear probes on several models together, from the study's features."""
    from simcons.core.paths import SPLITS, Paths
    from simcons.study import stage

    study, paths = stage.start(), Paths()
    study.dataset_spec(dataset)
    names = _names(models)
    for name in names:
        known("model", name, study.model_specs(), key=f"study '{study.study}'")
    if len(names) < 2:
        raise UserError(f"--models: got {models!r}; name two models or more, such as a,b")
    from simcons.probes.dataset_probes import run_combination

    files = {m: {s: paths.feature_file(dataset, m, s) for s in SPLITS} for m in names}
    table = run_combination(files, study.probe, combine)
    columns = ["seed", "top1", "mean_per_class_recall", "learning_rate", "weight_decay"]
    rows = [
        (int(r[0]), *(f"{v:.4g}" for v in r[1:])) for r in table[columns].itertuples(index=False)
    ]
    print_table(columns, rows, title=f"{combine} of {', '.join(names)} on {dataset}")


def consistency(
    first: Annotated[
        str | None, typer.Option(help="The first model set, by rule; default: all models.")
    ] = None,
    second: Annotated[
        str | None, typer.Option(help="The second; default: the same as the first.")
    ] = None,
    method: Annotated[str, typer.Option(help="pearson, spearman or kendall.")] = "pearson",
    table: Annotated[bool, typer.Option(help="Print every pair of data sets.")] = False,
) -> None:
    """Print the consistency of any two model sets of the study.

    A rule: terms between commas, each category=value, or an id with * and ?; a minus takes out.

    Example: simcons consistency --first "objective=Supervised,-efficientnet_lite0"
    """
    from simcons.consistency import consistency as between
    from simcons.consistency import select_models
    from simcons.core.paths import Paths
    from simcons.study import stage
    from simcons.study.results import read_similarities

    study, paths = stage.start(), Paths()
    models = study.model_table()
    a = select_models(models, first)
    b = a if second is None else select_models(models, second)
    found = {
        measure: between(by_dataset, a, b, method)
        for measure, by_dataset in read_similarities(study, paths).items()
    }
    typer.echo(f"{len(a)} x {len(b)} models, {method} r over their pairs, between data sets")
    rows = []
    for measure, r in found.items():
        q1, median, q3 = r["r"].quantile([0.25, 0.5, 0.75])
        pairs = int(r["n_pairs"].iloc[0])
        rows.append((measure, pairs, len(r), f"{median:.3f}", f"{q1:.3f}", f"{q3:.3f}"))
    columns = ["measure", "model pairs", "data set pairs", "median r", "q1", "q3"]
    print_table(columns, rows)
    if table:
        for measure, r in found.items():
            cells = [(*row[:2], f"{row[2]:.3f}") for row in r.itertuples(index=False)]
            print_table(["data set 1", "data set 2", "r"], cells, title=measure)


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


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
