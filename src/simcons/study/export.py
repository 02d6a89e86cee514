"""A study's results as a folder to publish: tidy tables, square matrices, a datasheet."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pandas as pd

from simcons.catalog import CATEGORIES
from simcons.core.errors import UserError
from simcons.core.files import atomic, read_parquet, sha256_file, write_parquet, write_text
from simcons.core.paths import Paths
from simcons.similarity import SimilarityMatrix, lookup
from simcons.study.params import Study
from simcons.study.results import read_probes, read_similarities

DATASHEET = "README.md"
_TITLE = "# Export of the study "  # how a datasheet begins
_MODEL_COLUMNS = (*CATEGORIES, "architecture", "train_data", "params", "feature_dim")

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
        "similarities": similarity_table(study, similarities, models),
        "accuracies": accuracy_table(study, probes, models),
        "consistency": read_parquet(paths.consistency / "consistency.parquet"),
        "models": models[list(_MODEL_COLUMNS)].reset_index(),
        "datasets": study.dataset_table().reset_index(),
    }
    tables = {name: table for name, table in tables.items() if len(table)}
    with atomic(folder) as part:
        part.mkdir()
        for name, table in tables.items():
            write_parquet(part / f"{name}.parquet", table)
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
    table = pd.DataFrame(matrix.values, matrix.models, matrix.models)
    return table.to_csv(index_label="model", float_format="%.9g", na_rep="nan", lineterminator="\n")


def datasheet(study: Study, tables: dict[str, pd.DataFrame], folder: Path) -> str:
    """Return what the folder holds, how it was made, its columns, licences and digests."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("simcons.study", ""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return environment.get_template("datasheet.md.j2").render(
        study=study,
        rows={name: f"{len(table):,}" for name, table in tables.items()},
        digests=[(path.relative_to(folder).as_posix(), sha256_file(path)) for path in files],
    )
