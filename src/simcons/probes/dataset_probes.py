"""All probes of one data set: what is in the store is taken, the rest is trained or scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from simcons.core.errors import UserError
from simcons.core.files import sha256_file, sha256_json, write_parquet
from simcons.core.paths import SPLITS
from simcons.core.progress import progress
from simcons.core.store import Store, copy_out
from simcons.features import check_aligned, read_aligned
from simcons.features.feature_files import FeatureFile
from simcons.probes.agreement import probe_error_consistency
from simcons.probes.combine import fit_combination
from simcons.probes.linear import fit_linear_probe
from simcons.probes.protocol import Protocol
from simcons.probes.results import (
    RESULTS_FILE,
    ProbeResult,
    collect,
    load_probe,
    load_row,
    probe_folder,
    save_probe,
)
from simcons.probes.variants import parent_labels, score_variant

if TYPE_CHECKING:
    import pandas as pd

ERROR_CONSISTENCY_FILE = "error_consistency.parquet"


class Wanted(NamedTuple):
    """A probe that a data set needs: whose, by which parts it is found, and how it is made."""

    model: str
    seed: int
    parts: dict[str, Any]
    make: Callable[[], ProbeResult]


def run_probes(
    dataset: str,
    files: Mapping[str, Mapping[str, Path]],
    protocol: Protocol,
    store: Store,
    out: Path | None,
    *,
    threads: int,
) -> None:
    """Write ``out/MODEL/seed_S/`` for every model and seed of the protocol, and tables of all.

    The tables: ``results.parquet`` (a row per model and seed) and, of two models or more,
    ``error_consistency.parquet`` (a row per pair).

    Parameters
    ----------
    dataset
        The data set's name, for labels and progress.
    files
        By model id, the feature files by split (``train``, ``test``).
    protocol
        How to train and choose.
    store
        Where finished probes are kept.
    out
        The output folder; None: compute into the store alone.
    threads
        Number of threads, which decides the last bits of sums.

    Raises
    ------
    UserError
        If a file is missing, rows do not agree between models, or a probe cannot be trained.
    """
    for split in SPLITS:
        check_aligned({model: files[model][split] for model in files})

    def wanted() -> Iterator[Wanted]:
        for model in sorted(files):
            features = {s: FeatureFile.read_metadata(files[model][s])["parts"] for s in SPLITS}
            read = _reader(files[model])
            for seed in protocol.seeds:
                parts = probe_parts(model, features, protocol, seed, threads)
                yield Wanted(model, seed, parts, partial(_train, read, protocol, seed, model))

    _assemble(f"probe {dataset}", dataset, wanted(), len(files) * len(protocol.seeds), store, out)


def run_variant(
    dataset: str,
    parent: Path,
    files: Mapping[str, Path],
    classes: Sequence[int] | None,
    seeds: Sequence[int],
    store: Store,
    out: Path | None,
    *,
    threads: int,
) -> None:
    """Write what `run_probes` writes for a test-only data set, with the probes of its parent.

    Parameters
    ----------
    dataset
        The variant's name, for labels and progress.
    parent
        The folder of the parent's probes.
    files
        By model id, the variant's test features.
    classes
        The parent's labels that the variant has, ascending: the variant's label i is the parent's
        ``classes[i]``. None: labels are the parent's, and all of its classes compete.
    seeds
        Of the parent's probes.
    store, out, threads
        As for `run_probes`.

    Raises
    ------
    UserError
        If a probe or file is missing, or a label is none of the variant's or the parent's.
    """
    check_aligned(files)

    def wanted() -> Iterator[Wanted]:
        for model in sorted(files):
            features = FeatureFile.read_metadata(files[model])["parts"]
            read = _reader({"test": files[model]})
            for seed in seeds:
                trained = probe_folder(parent, model, seed)
                if not trained.is_dir():
                    raise UserError(
                        f"{trained}: no such probe; run `dvc repro probe@{parent.name}`"
                    )
                parts = variant_parts(model, features, trained, classes, threads)
                yield Wanted(model, seed, parts, partial(_score, read, trained, dataset, classes))

    _assemble(f"variant {dataset}", dataset, wanted(), len(files) * len(seeds), store, out)


def _reader(files: Mapping[str, Path]) -> Callable[[str], FeatureFile]:
    """Return what reads the feature file of a split, once and only when a probe must be made."""
    return cache(lambda split: FeatureFile.read(files[split]))


def _train(
    read: Callable[[str], FeatureFile], protocol: Protocol, seed: int, model: str
) -> ProbeResult:
    train, test = read("train"), read("test")
    return fit_linear_probe(
        train.features[:],
        train.targets,
        test.features[:],
        test.targets,
        protocol,
        seed,
        model=model,
    )


def _score(
    read: Callable[[str], FeatureFile], trained: Path, dataset: str, classes: Sequence[int] | None
) -> ProbeResult:
    file, probe = read("test"), load_probe(trained)
    labels = parent_labels(dataset, file.targets, classes)
    every = probe.classes if classes is None else classes
    return score_variant(probe, file.features[:], labels, classes=every)


def _assemble(
    title: str,
    dataset: str,
    wanted: Iterable[Wanted],
    count: int,
    store: Store,
    out: Path | None,
) -> None:
    """Put probes into the output folder, each as soon as it is there, and tables of all.

    The probes are read in turn for the tables: the logits of all can be many gigabytes.
    """
    folders = []
    with progress(title, count, "probes") as advance:
        for probe in wanted:
            stored = store.get("probes", probe.parts)
            if stored is None:
                label = f"{dataset}/{probe.model}/seed_{probe.seed}"
                save = partial(_save, probe.make())
                stored = store.put("probes", probe.parts, label, save)
            if out is not None:
                folders.append(probe_folder(out, probe.model, probe.seed))
                for file in sorted((stored / "probe").iterdir()):
                    copy_out(file, folders[-1] / file.name)
            advance(1)
    if out is None:
        return
    rows = collect(map(load_row, folders))
    write_parquet(out / RESULTS_FILE, rows)
    if rows["model"].nunique() > 1:
        agreement = probe_error_consistency(map(load_probe, folders))
        write_parquet(out / ERROR_CONSISTENCY_FILE, agreement)


def _save(result: ProbeResult, folder: Path) -> None:
    save_probe(result, folder / "probe")


def probe_parts(
    model: str, features: Mapping[str, Any], protocol: Protocol, seed: int, threads: int
) -> dict[str, Any]:
    """Return what decides a probe: its features' parts by split, protocol, seed and threads."""
    return {
        "features": sha256_json(dict(features)),
        "model": model,
        "protocol": protocol.identity(),
        "seed": seed,
        "threads": threads,
    }


def variant_parts(
    model: str,
    features: Mapping[str, Any],
    trained: Path,
    classes: Sequence[int] | None,
    threads: int,
) -> dict[str, Any]:
    """Return what decides a variant's scores: its features' parts, the probe's files, classes."""
    return {
        "variant_features": sha256_json(dict(features)),
        "model": model,
        "probe": {file.name: sha256_file(file) for file in sorted(trained.iterdir())},
        "classes": None if classes is None else list(classes),
        "threads": threads,
    }


def run_combination(
    files: Mapping[str, Mapping[str, Path]], protocol: Protocol, how: str
) -> pd.DataFrame:
    """Fit one probe per seed on several models of a data set together.

    Parameters
    ----------
    files
        By model id, the feature files by split (``train``, ``test``), of the models to combine.
    protocol
        How to train and choose; its seeds are run.
    how
        ``concat``, ``concat_pca`` or ``ensemble``; see `simcons.probes.fit_combination`.

    Returns
    -------
    DataFrame
        A row per seed, as in ``results.parquet``.
    """
    train, test = (read_aligned({m: files[m][s] for m in files}) for s in SPLITS)
    first = min(files)
    return collect(
        fit_combination(
            {m: file.features[:] for m, file in train.items()},
            train[first].targets,
            {m: file.features[:] for m, file in test.items()},
            test[first].targets,
            protocol,
            seed,
            how,
        )
        for seed in protocol.seeds
    )
