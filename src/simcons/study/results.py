"""Reading a study's results: the one loader that aggregate stages share.

They read exactly the data sets and models of the study, never a glob; a missing one stops them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from simcons.core.errors import UserError
from simcons.core.files import read_csv, read_json, read_parquet, sha256_file
from simcons.core.paths import Paths
from simcons.study.active import refuse_leftovers
from simcons.study.params import Study

if TYPE_CHECKING:
    import pandas as pd

    from simcons.figures import FigureInputs
    from simcons.similarity import SimilarityMatrix


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
    for dataset in study.measured():
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

    return {name: read_replicates(paths.similarity(name)) for name in study.measured()}


def read_all_chance(study: Study, paths: Paths) -> dict[str, pd.DataFrame]:
    """Return the similarities of shuffled images, by data set (sorted); empty if there are none."""
    from simcons.similarity import read_chance

    return {name: read_chance(paths.similarity(name)) for name in study.measured()}


def read_probes(study: Study, paths: Paths, datasets: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the probes of the study, a row per data set, model and seed; no rows without probes.

    Parameters
    ----------
    study, paths
        The study.
    datasets
        Those that were probed by default; the study's variants can be read in the same way.

    Raises
    ------
    UserError
        If a data set's results are missing or lack a model or, unless imported, a seed.
    """
    import pandas as pd

    from simcons.probes.results import row_columns

    refuse_leftovers(study, paths)
    wanted = study.probed() if datasets is None else datasets
    tables = [_probes_of(study, paths, dataset) for dataset in wanted]
    if not tables:
        return pd.DataFrame(columns=["dataset", *row_columns()])
    return pd.concat(tables, ignore_index=True)


def _probes_of(study: Study, paths: Paths, dataset: str) -> pd.DataFrame:
    path = paths.probes(dataset) / "results.parquet"
    table = read_parquet(path)
    models = study.model_specs()
    if dataset in study.imported.probes:  # with whatever seeds were published, or none named
        absent = sorted(set(models) - set(table["model"]))
        lacking = f"model '{absent[0]}'; run `dvc repro import_probes@{dataset}`" if absent else ""
    else:
        wanted = {(model, seed) for model in models for seed in study.probe.seeds}
        rows = sorted(wanted - set(zip(table["model"], table["seed"], strict=True)))
        lacking = "model '{}', seed {}".format(*rows[0]) if rows else ""
        stage = "variant" if dataset in study.variants else "probe"
        lacking += f"; run `dvc repro {stage}@{dataset}`" if rows else ""
    if lacking:
        raise UserError(f"{path}: no probe of {lacking}")
    table.insert(0, "dataset", dataset)
    return table


def read_error_consistency(study: Study, paths: Paths) -> pd.DataFrame:
    """Return the error consistency of every pair of models, where the study trains probes.

    Published probes hold no predictions; their data sets have no rows. A data set that takes its
    accuracy from another (``consistency.accuracy_from``) takes this from there too.

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
    tables = {}
    for dataset in _predicted(study):
        path = paths.probes(dataset) / "error_consistency.parquet"
        table = read_parquet(path)
        odd = sorted(models ^ {*table["model_1"], *table["model_2"]})
        if odd:
            raise UserError(
                f"{path}: its models are not the study's ({', '.join(odd[:5])}); "
                f"run `dvc repro probe@{dataset}`"
            )
        table.insert(0, "dataset", dataset)
        tables[dataset] = table
    borrowed = {
        name: tables[other].assign(dataset=name)
        for name, other in sorted(study.consistency.accuracy_from.items())
        if other in tables
    }
    columns = ["dataset", "model_1", "model_2", "value", "standard_error"]
    everything = [*tables.values(), *borrowed.values()]
    return pd.concat(everything or [pd.DataFrame(columns=columns)], ignore_index=True)


def _predicted(study: Study) -> list[str]:
    """Return the data sets on which this study trains probes, and so has their predictions."""
    return [name for name in study.probed() if name not in study.imported.probes]


def accuracies(probes: pd.DataFrame) -> pd.DataFrame:
    """Return top-1 accuracy averaged over seeds: columns dataset, model, accuracy."""
    mean = probes.groupby(["dataset", "model"], sort=True)["top1"].mean()
    return mean.rename("accuracy").reset_index()


def gap_inputs(
    study: Study, similarities: Mapping[str, Mapping[str, SimilarityMatrix]], probes: pd.DataFrame
) -> tuple[dict[str, dict[str, SimilarityMatrix]], pd.DataFrame]:
    """Return what the gap in accuracy is computed from.

    Returns
    -------
    similarities : dict
        Measure, then data set: those whose accuracies are known, their own or another's
        (``consistency.accuracy_from``). A measure without any is not there.
    accuracies : DataFrame
        Columns dataset, model, accuracy, for these data sets.
    """
    import pandas as pd

    scores = accuracies(probes)
    borrowed = [
        scores[scores["dataset"] == other].assign(dataset=name)
        for name, other in sorted(study.consistency.accuracy_from.items())
    ]
    scores = pd.concat([scores, *borrowed], ignore_index=True)
    known = set(scores["dataset"])
    chosen = {
        measure: {name: matrix for name, matrix in by_dataset.items() if name in known}
        for measure, by_dataset in similarities.items()
    }
    return {measure: by for measure, by in chosen.items() if by}, scores


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
    from simcons.figures.schema import GAP_COLUMNS, empty, median_intervals

    similarities = read_similarities(study, paths)
    probes = read_probes(study, paths)
    with_accuracy, scores = gap_inputs(study, similarities, probes)
    tables = {name: read_parquet(paths.consistency / f"{name}.parquet") for name in analyses(study)}
    gaps = [gap_pairs(by, scores, measure=measure) for measure, by in with_accuracy.items()]
    gap = pd.concat(gaps, ignore_index=True) if gaps else empty(GAP_COLUMNS)
    anchors = {"anchors": tables.pop("anchors")} if "anchors" in tables else {}
    return FigureInputs(
        similarities=similarities,
        models=study.model_table(),
        datasets=_with_sizes(study, paths),
        consistency=tables.pop("consistency"),
        gap=with_agreement(gap, read_error_consistency(study, paths)) if gaps else gap,
        probes=probes,
        variants=read_probes(study, paths, sorted(study.variants)),
        intervals=median_intervals(tables.pop("intervals"), study.consistency.confidence),
        relations=read_csv(paths.metrics / "performance_gap.csv"),
        analysis=tables,
        method=study.consistency.methods[0],
        **anchors,
    )


def analyses(study: Study) -> list[str]:
    """Return the names of the tables in data/consistency that figures and report are made from."""
    wanted = study.consistency
    names = ["companions", "consistency", "contrasts", "corrected", "intervals", "left_out"]
    names += ["levels", "mantel", "spread", "spread_matched"]
    names += ["drivers"] if wanted.categories else []
    names += ["partial"] if wanted.given else []
    names += ["stratified"] if wanted.contrast and wanted.strata else []
    names += ["anchors", "anchor_rank_sums"] if wanted.anchors else []
    return sorted(names)


def _with_sizes(study: Study, paths: Paths) -> pd.DataFrame:
    """Return the table of data sets with the number of images that similarity was measured on.

    Missing where it was imported. Data sets that are one entry of the catalogue, with other
    options, are of one ``series``.
    """
    import pandas as pd

    from simcons.similarity.folders import read_header

    ids = {name: spec.id for name, spec in study.dataset_specs().items()}
    sizes = {name: read_header(paths.similarity(name)).get("n_images") for name in study.measured()}
    table = study.dataset_table()
    return table.assign(
        series=[ids[name] for name in table.index],
        n_images=pd.array([sizes.get(name) for name in table.index], dtype="Int64"),
    )


def input_digests(study: Study, paths: Paths) -> dict[str, str]:
    """Return the SHA-256 of each file that the report is made from, by path."""
    files = [paths.consistency / f"{name}.parquet" for name in analyses(study)]
    files += [paths.metrics / "performance_gap.csv"]
    for dataset in study.names():
        folder = paths.similarity(dataset)
        if dataset in study.measured():
            files += [folder / "matrix.json"]
            files += [folder / f"{measure}.parquet" for measure in study.similarity.measures]
        if dataset in study.probed() or dataset in study.variants:
            files += [paths.probes(dataset) / "results.parquet"]
        if dataset in _predicted(study):
            files += [paths.probes(dataset) / "error_consistency.parquet"]
    return {file.relative_to(paths.root).as_posix(): sha256_file(file) for file in files}


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide a number."""
    from importlib.metadata import version

    names = ("numpy", "pandas", "scikit-learn", "scipy", "simcons", "timm", "torch", "torchvision")
    return {name: version(name) for name in names}


def feature_warnings(study: Study) -> list[str]:
    """Return a sentence if features are not single precision throughout."""
    wanted = study.features
    found = []
    if wanted.precision != "float32":
        found.append(f"Features were computed in mixed precision ({wanted.precision}).")
    if wanted.storage != "float32":
        found.append(
            f"Features were stored as {wanted.storage}, which keeps 11 bits of each number."
        )
    return found


def probe_warnings(probes: pd.DataFrame) -> list[str]:
    """Return a sentence for each setting that probes chose on the edge of its grid.

    Published probes do not say whether they did; they are not counted.
    """
    found = []
    for setting in ("learning_rate", "weight_decay"):
        known = probes[probes[f"{setting}_on_edge"].notna()]
        edge = known[known[f"{setting}_on_edge"].astype(bool)]
        if len(edge):
            counts = edge.groupby("dataset", sort=True).size()
            where = ", ".join(f"{dataset} {n}" for dataset, n in counts.items())
            found.append(
                f"{len(edge)} of {len(known)} probes chose a {setting.replace('_', ' ')} on "
                f"the edge of its grid; a better one may lie outside ({where})."
            )
    return found


def import_warnings(study: Study) -> list[str]:
    """Return a sentence if results were taken from published ones."""
    given = study.imported
    if not (given.similarity or given.probes):
        return []
    return [
        f"Published results, not computed here (imports/{given.name}): the similarities on "
        f"{len(given.similarity)} of {len(study.measured())} data sets and the accuracies on "
        f"{len(given.probes)} of {len(study.probed())}. Their standard errors and reliabilities "
        f"were not published, so none are given."
    ]


def zoo_warnings(paths: Paths) -> list[str]:
    """Return a sentence if models that the pipeline trained have not learned."""
    summary = read_json(paths.metrics / "zoo_models.json")
    names = summary["not_learned"]
    if not names:
        return []
    return [
        f"{len(names)} of the {summary['n_models']} models trained here have not learned: their "
        f"linear probes on {', '.join(summary['held_out'])}, which no model was trained on, do not "
        f"beat those of their untrained controls by {100 * summary['margin']:.0f} points: "
        f"{', '.join(names)}."
    ]
