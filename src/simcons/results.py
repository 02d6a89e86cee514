"""Reading a study's results: the one loader that aggregate stages share.

They read exactly the data sets and models of the study, never a glob; a missing one stops them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simcons.errors import UserError
from simcons.files import read_csv, read_json, read_parquet, sha256_file
from simcons.params import Study
from simcons.paths import Paths
from simcons.study import refuse_leftovers

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from simcons.figures import FigureInputs
    from simcons.similarity import SimilarityMatrix


def subset_features(
    study: Study, paths: Paths, dataset: str
) -> tuple[dict[str, npt.NDArray[np.float32]], npt.NDArray[np.int64]]:
    """Return every model's features on the subset's training images.

    Returns
    -------
    features : dict
        Array (n, d) by model id; rows are the same images in all.
    labels : ndarray
        Class labels (n,).

    Raises
    ------
    UserError
        If a file is missing, or the files' or the subset's images differ.
    """
    from simcons.datasets import read_subset
    from simcons.features import read_aligned

    study.dataset_spec(dataset)
    subset = read_subset(paths.subset(dataset))
    files = read_aligned(
        {model: paths.feature_file(dataset, model, "train") for model in study.model_specs()}
    )
    first = next(iter(files.values()))
    if first.keys_digest != subset.keys_digest:
        raise UserError(
            f"{paths.subset(dataset)} was drawn from other images than {paths.features(dataset)} "
            f"holds; run `dvc repro subset@{dataset} features@{dataset}`"
        )
    features = {model: file.features[subset.indices] for model, file in files.items()}
    return features, first.targets[subset.indices]


def read_similarities(study: Study, paths: Paths) -> dict[str, dict[str, SimilarityMatrix]]:
    """Return the similarity matrices of the study: measure, then data set (sorted).

    Raises
    ------
    UserError
        If one is missing or has other models than the study, or data/ holds other studies' results.
    """
    from simcons.similarity import read_similarity

    refuse_leftovers(study, paths)
    models = sorted(study.model_specs())
    found: dict[str, dict[str, SimilarityMatrix]] = {m: {} for m in study.similarity.measures}
    for dataset in sorted(study.datasets):
        folder = paths.similarity(dataset)
        for measure, matrix in read_similarity(folder, study.similarity.measures).items():
            if sorted(matrix.models) != models:
                odd = sorted(set(matrix.models) ^ set(models))
                raise UserError(
                    f"{folder}: its models are not the study's ({', '.join(odd[:5])}); "
                    f"run `dvc repro similarity@{dataset}`"
                )
            found[measure][dataset] = matrix
    return found


def read_all_replicates(study: Study, paths: Paths) -> dict[str, pd.DataFrame]:
    """Return the replicates of the similarities of the study, by data set (sorted)."""
    from simcons.similarity import read_replicates

    return {name: read_replicates(paths.similarity(name)) for name in sorted(study.datasets)}


def read_probes(study: Study, paths: Paths) -> pd.DataFrame:
    """Return the probes of the study, a row per data set, model and seed.

    Raises
    ------
    UserError
        If a data set's results are missing or lack a model or seed.
    """
    import pandas as pd

    refuse_leftovers(study, paths)
    wanted = {(model, seed) for model in study.model_specs() for seed in study.probe.seeds}
    tables = []
    for dataset in sorted(study.datasets):
        path = paths.probes(dataset) / "results.parquet"
        table = read_parquet(path)
        lacking = wanted - set(zip(table["model"], table["seed"], strict=True))
        if lacking:
            model, seed = min(lacking)
            raise UserError(
                f"{path}: no probe of model '{model}', seed {seed}; run `dvc repro probe@{dataset}`"
            )
        table.insert(0, "dataset", dataset)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def read_error_consistency(study: Study, paths: Paths) -> pd.DataFrame:
    """Return the error consistency of every pair of models on every data set of the study.

    Returns
    -------
    DataFrame
        ``dataset, model_1, model_2, value, standard_error``; NaN where it is undefined.

    Raises
    ------
    UserError
        If a data set's table is missing or has other models than the study.
    """
    import pandas as pd

    models = set(study.model_specs())
    tables = []
    for dataset in sorted(study.datasets):
        path = paths.probes(dataset) / "error_consistency.parquet"
        table = read_parquet(path)
        odd = sorted(models ^ {*table["model_1"], *table["model_2"]})
        if odd:
            raise UserError(
                f"{path}: its models are not the study's ({', '.join(odd[:5])}); "
                f"run `dvc repro probe@{dataset}`"
            )
        table.insert(0, "dataset", dataset)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def accuracies(probes: pd.DataFrame) -> pd.DataFrame:
    """Return top-1 accuracy averaged over seeds: columns dataset, model, accuracy."""
    mean = probes.groupby(["dataset", "model"], sort=True)["top1"].mean()
    return mean.rename("accuracy").reset_index()


def figure_inputs(study: Study, paths: Paths) -> FigureInputs:
    """Return everything that figures and report are drawn from.

    Raises
    ------
    UserError
        As `read_similarities` and `read_probes`; also if the consistency table is missing.
    """
    import pandas as pd

    from simcons.consistency import gap_pairs, with_agreement
    from simcons.figures import FigureInputs
    from simcons.figures.inputs import median_intervals

    similarities = read_similarities(study, paths)
    probes, agreement = read_probes(study, paths), read_error_consistency(study, paths)
    scores = accuracies(probes)
    tables = {name: read_parquet(paths.consistency / f"{name}.parquet") for name in analyses(study)}
    gaps = [gap_pairs(by, scores, measure=measure) for measure, by in similarities.items()]
    anchors = {"anchors": tables.pop("anchors")} if "anchors" in tables else {}
    return FigureInputs(
        similarities=similarities,
        models=study.model_table(),
        datasets=_with_sizes(study, paths),
        consistency=tables.pop("consistency"),
        gap=with_agreement(pd.concat(gaps, ignore_index=True), agreement),
        probes=probes,
        intervals=median_intervals(tables.pop("intervals"), study.consistency.confidence),
        relations=read_csv(paths.metrics / "performance_gap.csv"),
        analysis=tables,
        **anchors,
    )


def analyses(study: Study) -> list[str]:
    """Return the names of the tables in data/consistency that figures and report are made from."""
    wanted = study.consistency
    names = ["companions", "consistency", "contrasts", "corrected", "intervals", "left_out"]
    names += ["mantel", "spread", "spread_matched"]
    names += ["drivers"] if wanted.categories else []
    names += ["partial"] if wanted.given else []
    names += ["stratified"] if wanted.contrast and wanted.strata else []
    names += ["anchors", "anchor_rank_sums"] if wanted.anchors else []
    return sorted(names)


def _with_sizes(study: Study, paths: Paths) -> pd.DataFrame:
    """Return the table of data sets with the images that similarity was measured on.

    Data sets that are one entry of the catalogue, with other options, are of one ``series``.
    """
    from simcons.similarity.tables import read_header

    specs = study.dataset_specs()
    sizes = [read_header(paths.similarity(name))["n_images"] for name in specs]
    ids = [spec.id for spec in specs.values()]
    return study.dataset_table().loc[list(specs)].assign(series=ids, n_images=sizes)


def input_digests(study: Study, paths: Paths) -> dict[str, str]:
    """Return the SHA-256 of each file that the report is made from, by path."""
    files = [paths.consistency / f"{name}.parquet" for name in analyses(study)]
    files += [paths.metrics / "performance_gap.csv"]
    for dataset in sorted(study.datasets):
        folder = paths.similarity(dataset)
        files += [folder / "matrix.json"]
        files += [folder / f"{measure}.parquet" for measure in study.similarity.measures]
        names = ("results.parquet", "error_consistency.parquet")
        files += [paths.probes(dataset) / name for name in names]
    return {file.relative_to(paths.root).as_posix(): sha256_file(file) for file in files}


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide a number."""
    from importlib.metadata import version

    names = ("numpy", "pandas", "scikit-learn", "scipy", "simcons", "timm", "torch", "torchvision")
    return {name: version(name) for name in names}


def probe_warnings(probes: pd.DataFrame) -> list[str]:
    """Return a sentence for each setting that probes chose on the edge of its grid."""
    found = []
    for setting in ("learning_rate", "weight_decay"):
        edge = probes[probes[f"{setting}_on_edge"]]
        if len(edge):
            counts = edge.groupby("dataset", sort=True).size()
            where = ", ".join(f"{dataset} {n}" for dataset, n in counts.items())
            found.append(
                f"{len(edge)} of {len(probes)} probes chose a {setting.replace('_', ' ')} on "
                f"the edge of its grid; a better one may lie outside ({where})."
            )
    return found


def zoo_warnings(paths: Paths) -> list[str]:
    """Return a sentence if models that the pipeline trained have not learned."""
    summary = read_json(paths.metrics / "zoo.json")
    names = summary["not_learned"]
    if not names:
        return []
    return [
        f"{len(names)} of the {summary['n_models']} models trained here have not learned: their "
        f"linear probes on {', '.join(summary['held_out'])}, which no model was trained on, do not "
        f"beat those of their untrained controls by {100 * summary['margin']:.0f} points: "
        f"{', '.join(names)}."
    ]
