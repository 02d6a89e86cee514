"""A study's results as a folder to publish: tidy tables, square matrices, a datasheet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from simcons.catalog import CATEGORIES
from simcons.core.errors import UserError
from simcons.core.files import atomic, read_parquet, sha256_file, write_parquet, write_text
from simcons.core.paths import Paths
from simcons.similarity import SimilarityMatrix, lookup
from simcons.study.params import Study
from simcons.study.results import read_probes, read_similarities

DATASHEET = "README.md"
_TITLE = "# Export of the study "
_MODEL_COLUMNS = (*CATEGORIES, "architecture", "train_data", "params", "feature_dim")

_DESCRIPTIONS = {
    "similarities.parquet": (
        "A row per measure, data set and pair of models (each unordered pair once; both orders for "
        "a measure that is not symmetric).",
        {
            "measure": "name of the similarity measure",
            "dataset": "data set on whose images it was measured",
            "model_1, model_2": "ids of the models",
            "value": "the similarity; larger is more similar",
            "standard_error": "jackknife over random blocks of images; missing: no estimate",
            "published": "true: taken from published results, not computed here",
            "<category>_1, <category>_2": "categories of the two models",
        },
    ),
    "accuracies.parquet": (
        "A row per data set, model and seed: linear probes on the models' features.",
        {
            "dataset, model, seed": "what was probed; a missing seed: not published",
            "trained_on": "data set of the probe: another for a variant with a test split only",
            "top1, top5, mean_per_class_recall": "on the test split, shares; missing: not defined",
            "top1_low, top1_high": "95 % bootstrap interval over test images",
            "learning_rate, weight_decay": "the setting chosen on validation images",
            "published": "true: taken from published results, not computed here",
            "<category>": "categories of the model",
        },
    ),
    "consistency.parquet": (
        "A row per measure, correlation, group of models and pair of data sets.",
        {
            "measure, method": "similarity measure; correlation over pairs of models",
            "category, group_1, group_2": "the two groups of models; 'all': every model",
            "dataset_1, dataset_2": "the data sets whose similarities are correlated",
            "r": "consistency; missing: undefined (no spread)",
            "n_pairs": "pairs of models",
            "shares_images": "whether the two data sets hold the same images",
        },
    ),
    "models.parquet": ("A row per model.", {"model": "id; then its categories and facts"}),
    "datasets.parquet": ("A row per data set.", {"dataset": "id; then name, domain, licence"}),
}
_PROBE_COLUMNS = (
    "dataset", "trained_on", "model", "seed", "top1", "top5", "mean_per_class_recall", "top1_low",
    "top1_high", "learning_rate", "weight_decay",
)  # fmt: skip


def export(study: Study, paths: Paths, folder: Path) -> list[str]:
    """Write a study's results into a folder; the same results give the same bytes.

    Parameters
    ----------
    study, paths
        The study, finished up to its consistency and probes.
    folder
        Must not exist, be empty, or hold an earlier export, which is then replaced.

    Returns
    -------
    list of str
        The files written, below the folder.

    Raises
    ------
    UserError
        If the folder holds anything else, or a result is missing.
    """
    _check_target(folder)
    similarities = read_similarities(study, paths)
    probes = read_probes(study, paths, sorted([*study.probed(), *study.variants]))
    models = study.model_table()
    tables = {
        "similarities.parquet": similarity_table(study, similarities, models),
        "accuracies.parquet": accuracy_table(study, probes, models),
        "consistency.parquet": read_parquet(paths.consistency / "consistency.parquet"),
        "models.parquet": models[list(_MODEL_COLUMNS)].reset_index(),
        "datasets.parquet": study.dataset_table().reset_index(),
    }
    tables = {name: table for name, table in tables.items() if len(table)}
    with atomic(folder) as part:
        part.mkdir()
        for name, table in tables.items():
            write_parquet(part / name, table)
        for measure, by_dataset in similarities.items():
            for dataset, matrix in by_dataset.items():
                write_text(part / f"matrices/{measure}/{dataset}.csv", matrix_csv(matrix))
        write_text(part / DATASHEET, datasheet(study, tables, part))
        return sorted(p.relative_to(part).as_posix() for p in part.rglob("*") if p.is_file())


def _check_target(folder: Path) -> None:
    if folder.is_file():
        raise UserError(f"{folder} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()):
        sheet = folder / DATASHEET
        if not sheet.is_file() or not sheet.read_text(encoding="utf-8").startswith(_TITLE):
            raise UserError(f"{folder} holds something that is no export; name another folder")


def similarity_table(
    study: Study, similarities: dict[str, dict[str, SimilarityMatrix]], models: pd.DataFrame
) -> pd.DataFrame:
    """Return every similarity as a row, with the categories of both models."""
    parts = [
        matrix.pairs(ordered=not lookup(measure).measure.symmetric).assign(
            measure=measure, dataset=dataset, published=dataset in study.imported.similarity
        )
        for measure, by_dataset in similarities.items()
        for dataset, matrix in by_dataset.items()
    ]
    columns = ["measure", "dataset", "model_1", "model_2", "value", "standard_error", "published"]
    return _with_categories(pd.concat(parts, ignore_index=True)[columns], models, ("_1", "_2"))


def accuracy_table(study: Study, probes: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Return every probe's accuracies as a row, with the model's categories."""
    table = probes.assign(trained_on=probes["dataset"].replace(study.variants))
    table = table[list(_PROBE_COLUMNS)]
    table = table.assign(published=table["dataset"].isin(study.imported.probes))
    return _with_categories(table, models)


def _with_categories(
    table: pd.DataFrame, models: pd.DataFrame, suffixes: tuple[str, ...] = ("",)
) -> pd.DataFrame:
    """Return the table with the categories of its models, a column ``model`` for each suffix."""
    return table.assign(
        **{
            f"{category}{suffix}": models[category].reindex(table[f"model{suffix}"]).to_numpy()
            for category in CATEGORIES
            for suffix in suffixes
        }
    )


def matrix_csv(matrix: SimilarityMatrix) -> str:
    """Return a square matrix as CSV, 9 significant digits; rows and columns are model ids."""
    lines = [",".join(["model", *matrix.models])]
    for name, row in zip(matrix.models, matrix.values, strict=True):
        lines.append(",".join([name, *(f"{value:.9g}" for value in row)]))
    return "\n".join(lines) + "\n"


def datasheet(study: Study, tables: dict[str, pd.DataFrame], folder: Path) -> str:
    """Return what the folder holds, how it was made, its columns, licences and digests."""
    names = study.names()
    computed = [n for n in study.similarity_datasets if n in names]
    how = [
        f"Similarities between {len(study.model_specs())} vision models on "
        f"{len(study.measured())} data sets ({', '.join(study.similarity.measures)}), accuracies "
        f"of linear probes on {len(study.probed())}, and the consistency of the similarities "
        f"between data sets. Follows Ciernik et al., *Objective drives the consistency of "
        f"representational similarity across datasets* (ICML 2025, arXiv 2411.05561)."
    ]
    if computed:
        how.append(
            f"Computed by simcons on {len(computed)} data sets: at most "
            f"{study.subset.max_samples:,} training images each, balanced over classes; features "
            f"{'scaled to unit length' if study.similarity.normalize else 'as they are'}; "
            f"standard errors from {study.similarity.n_blocks} random blocks of images."
        )
    if study.imported.similarity or study.imported.probes:
        how.append(
            f"Taken from the published intermediate results of the study: similarities on "
            f"{len(study.imported.similarity)} data sets, accuracies on "
            f"{len(study.imported.probes)} (column `published`). These have no standard errors."
        )
    lines = [f"{_TITLE}{study.study}", "", *"\n\n".join(how).split("\n"), "", "## Files", ""]
    for name, table in tables.items():
        about, columns = _DESCRIPTIONS[name]
        lines += [f"### {name}", "", f"{about} {len(table):,} rows.", ""]
        lines += [f"- `{column}`: {meaning}" for column, meaning in columns.items()]
        lines.append("")
    lines += [
        "### matrices/MEASURE/DATASET.csv",
        "",
        "The same similarities as square matrices, rows and columns by model id, ones on the "
        "diagonal.",
        "",
        "## Licence",
        "",
        "The tables: MIT, as simcons. The images, which are not here, have the licences of their "
        "data sets:",
        "",
    ]
    lines += [f"- {spec.name}: {spec.license}" for spec in study.dataset_specs().values()]
    lines += ["", "## Digests (SHA-256)", ""]
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    lines += [f"    {sha256_file(p)}  {p.relative_to(folder).as_posix()}" for p in files]
    return "\n".join(lines) + "\n"
