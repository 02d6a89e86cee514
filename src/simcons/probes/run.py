"""All probes of one data set: what is in the store is taken, the rest is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcons.core.files import sha256_json, write_parquet
from simcons.core.progress import progress
from simcons.core.store import Store, copy_out
from simcons.features import check_aligned, read_aligned
from simcons.features.files import FeatureFile
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

if TYPE_CHECKING:
    import pandas as pd

ERROR_CONSISTENCY_FILE = "error_consistency.parquet"


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
    for split in ("train", "test"):
        check_aligned({model: files[model][split] for model in files})
    finished = (
        (model, seed, folder)
        for model in sorted(files)
        for seed, folder in _finished(dataset, model, files[model], protocol, store, threads)
    )
    assemble(f"probe {dataset}", finished, out, sorted(files), protocol.seeds)


def assemble(
    title: str,
    finished: Iterable[tuple[str, int, Path]],
    out: Path | None,
    models: Sequence[str],
    seeds: Sequence[int],
) -> None:
    """Put finished probes into the output folder, with the tables of all.

    The probes are read in turn for the tables: the logits of all can be many gigabytes.

    Parameters
    ----------
    title
        Of the progress.
    finished
        Model, seed and folder in the store, one after another as they are finished.
    out
        The output folder; None: they stay in the store alone.
    models, seeds
        Those of ``finished``.
    """
    folders = []
    with progress(title, len(models) * len(seeds), "probes") as advance:
        for model, seed, stored in finished:
            if out is not None:
                folders.append(probe_folder(out, model, seed))
                for file in sorted(stored.iterdir()):
                    copy_out(file, folders[-1] / file.name)
            advance(1)
    if out is None:
        return
    write_parquet(out / RESULTS_FILE, collect(map(load_row, folders)))
    if len(models) > 1:
        agreement = probe_error_consistency(map(load_probe, folders))
        write_parquet(out / ERROR_CONSISTENCY_FILE, agreement)


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
    train, test = (read_aligned({m: files[m][s] for m in files}) for s in ("train", "test"))
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


def _finished(
    dataset: str,
    model: str,
    files: Mapping[str, Path],
    protocol: Protocol,
    store: Store,
    threads: int,
) -> Iterator[tuple[int, Path]]:
    """Yield each seed and its probe's folder in the store, trained now if it is not there.

    Features are read only if a probe must be trained.
    """
    features = {
        split: FeatureFile.read_metadata(files[split])["parts"] for split in ("train", "test")
    }
    read: dict[str, FeatureFile] = {}
    for seed in protocol.seeds:
        parts = probe_parts(model, features, protocol, seed, threads)
        found = store.get("probes", parts)
        if found is None:
            read = read or {split: FeatureFile.read(path) for split, path in files.items()}
            train, test = read["train"], read["test"]
            result = fit_linear_probe(
                train.features[:],
                train.targets,
                test.features[:],
                test.targets,
                protocol,
                seed,
                model=model,
            )
            found = put_probe(store, parts, f"{dataset}/{model}/seed_{seed}", result)
        yield seed, found / "probe"


def put_probe(store: Store, parts: Mapping[str, Any], label: str, result: ProbeResult) -> Path:
    """Store a probe and return the entry's folder."""
    return store.put("probes", parts, label, lambda folder: save_probe(result, folder / "probe"))
