"""All probes of one data set: what is in the store is taken, the rest is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcons.arrays import Array
from simcons.features import read_aligned
from simcons.features.files import FeatureFile
from simcons.files import sha256_json, write_parquet
from simcons.probes.agreement import probe_error_consistency
from simcons.probes.combine import fit_combination
from simcons.probes.linear import fit_linear_probe
from simcons.probes.protocol import Protocol
from simcons.probes.results import (
    RESULTS_FILE,
    collect,
    load_probe,
    load_row,
    probe_folder,
    save_probe,
)
from simcons.progress import progress
from simcons.store import Store, place

if TYPE_CHECKING:
    import pandas as pd

ERROR_CONSISTENCY_FILE = "error_consistency.parquet"


def run_probes(
    dataset: str,
    files: Mapping[str, Mapping[str, Path]],
    protocol: Protocol,
    store: Store,
    out: Path,
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
        The output folder.
    threads
        Number of threads, which decides the last bits of sums.

    Raises
    ------
    UserError
        If a file is missing, rows do not agree between models, or a probe cannot be trained.
    """
    splits = {
        split: read_aligned({model: files[model][split] for model in files})
        for split in ("train", "test")
    }
    folders = []
    with progress(f"probe {dataset}", len(files) * len(protocol.seeds), "probes") as advance:
        for model in sorted(files):
            train, test = splits["train"][model], splits["test"][model]
            arrays = cache(partial(_arrays, train, test))  # read once for all seeds, if at all
            for seed in protocol.seeds:
                parts = _parts(model, train, test, protocol, seed, threads)
                label = f"{dataset}/{model}/seed_{seed}"
                finished = _finished(parts, label, model, arrays, protocol, seed, store)
                folder = probe_folder(out, model, seed)
                for file in sorted(finished.iterdir()):
                    place(file, folder / file.name)
                folders.append(folder)
                advance(1)
    write_parquet(out / RESULTS_FILE, collect(map(load_row, folders)))
    if len(files) > 1:
        # One probe at a time: the logits of all can be many gigabytes.
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


def _parts(
    model: str,
    train: FeatureFile,
    test: FeatureFile,
    protocol: Protocol,
    seed: int,
    threads: int,
) -> dict[str, Any]:
    features = {"train": train.metadata["parts"], "test": test.metadata["parts"]}
    return probe_parts(model, features, protocol, seed, threads)


def _arrays(train: FeatureFile, test: FeatureFile) -> tuple[Array, Array, Array, Array]:
    """Read features (n, d) and targets (n,) of both splits into memory."""
    return train.features[:], train.targets, test.features[:], test.targets


def _finished(
    parts: dict[str, Any],
    label: str,
    model: str,
    arrays: Callable[[], tuple[Array, Array, Array, Array]],
    protocol: Protocol,
    seed: int,
    store: Store,
) -> Path:
    """Return the folder of one probe in the store, trained now if it is not there."""
    found = store.get("probes", parts)
    if found is None:
        result = fit_linear_probe(*arrays(), protocol, seed, model=model)
        found = store.put(
            "probes", parts, label, lambda folder: save_probe(result, folder / "probe")
        )
    return found / "probe"
