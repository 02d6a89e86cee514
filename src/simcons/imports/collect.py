"""Read a folder of published results; say what was taken, and what was left and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simcons.catalog import model_specs
from simcons.core.errors import UserError
from simcons.imports.csv_tables import read_accuracy_table, read_similarity_table
from simcons.imports.matrices import Matrix, read_matrix, unknown_model
from simcons.imports.published_files import (
    MAIN_PROBE,
    Left,
    PublishedFile,
    measure_name,
    published_files,
)
from simcons.imports.published_probes import read_result


@dataclass
class Published:
    """What a folder of published results holds, checked and in our names.

    Attributes
    ----------
    folder
        Where it was read from.
    matrices
        By (data set, measure).
    probes
        Per data set a row per model and seed (`simcons.imports.published_probes.probe_table`).
    subsets, features
        Files to convert.
    sources
        Per data set the files that were taken, by path below the folder.
    left
        What was not taken.
    """

    folder: Path
    matrices: dict[tuple[str, str], Matrix] = field(default_factory=dict)
    probes: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    subsets: list[PublishedFile] = field(default_factory=list)
    features: list[PublishedFile] = field(default_factory=list)
    sources: dict[str, dict[str, Path]] = field(default_factory=lambda: defaultdict(dict))
    left: list[Left] = field(default_factory=list)

    def datasets(self) -> list[str]:
        """Return every data set of which there is a similarity, a probe or a subset, sorted."""
        subsets = (file.dataset for file in self.subsets)
        return sorted({*(dataset for dataset, _ in self.matrices), *self.probes, *subsets})


def read_published(folder: Path) -> Published:
    """Read a folder in the authors' layout.

    Raises
    ------
    UserError
        If there is no such folder, or it holds nothing of the layout.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    found = Published(folder)
    other: Counter[str] = Counter()
    # The tables last: they fill gaps, and are compared with what the single files say.
    for file in sorted(published_files(folder), key=lambda file: file.kind.endswith("_table")):
        if file.kind == "other":
            other[Path(file.name).parent.as_posix()] += 1
        elif file.kind in _READERS:
            try:
                _READERS[file.kind](found, file)
            except UserError as error:
                found.left.append(file.left(error))
    for parent, count in sorted(other.items()):
        files = "1 file" if count == 1 else f"{count} files"
        found.left.append(Left(f"{parent}: {files}", "not part of the published layout"))
    if not (found.matrices or found.probes or found.features):
        reasons = "".join(f"\n  {left.what}: {left.why}" for left in found.left[:20])
        raise UserError(f"{folder}: nothing in it could be imported{reasons}")
    return found


def _take_matrix(found: Published, file: PublishedFile) -> None:
    place = (file.dataset, measure_name(file.says["measure"]))
    if place in found.matrices:
        raise UserError(f"{place[1]} on {place[0]} was taken from another folder already")
    matrix = read_matrix(file.path)
    found.matrices[place] = matrix
    ids = file.path.with_name("model_ids.txt")
    sources = found.sources[place[0]]
    sources |= {file.name: file.path, ids.relative_to(found.folder).as_posix(): ids}
    found.left += [Left(ids.relative_to(found.folder).as_posix(), why) for why in matrix.unknown]


def _take_probe(found: Published, file: PublishedFile) -> None:
    if tuple(file.says["settings"].split("/")) != MAIN_PROBE:
        raise UserError(f"another setting than the main results' ({'/'.join(MAIN_PROBE)})")
    dataset, model = file.dataset, file.says["model"]
    if model not in model_specs():
        raise UserError(unknown_model(model))
    row = {"model": model, "seed": int(file.says["seed"]), **read_result(file.path)}
    if any((r["model"], r["seed"]) == (model, row["seed"]) for r in found.probes[dataset]):
        raise UserError(f"seed {row['seed']} of '{model}' on {dataset} was taken already")
    found.probes[dataset].append(row)
    found.sources[dataset][file.name] = file.path


def _take_subset(found: Published, file: PublishedFile) -> None:
    found.sources[file.dataset][file.name] = file.path
    found.subsets.append(file)


def _take_similarity_table(found: Published, file: PublishedFile) -> None:
    matrices, left = read_similarity_table(file.path)
    found.left += left
    for place, matrix in sorted(matrices.items()):
        dataset, measure = place
        found.sources[dataset][file.name] = file.path
        if place not in found.matrices:
            found.matrices[place] = matrix
            found.left += [Left(file.name, why) for why in matrix.unknown]
            continue
        difference = _difference(found.matrices[place], matrix)
        if difference > 1e-4:
            found.left.append(
                Left(
                    f"{file.name}: {measure} on {dataset}",
                    f"differs from similarity_matrix.pt by up to {difference:.2g}, which was taken",
                )
            )


def _difference(first: Matrix, second: Matrix) -> float:
    """Return the largest difference between two matrices on their common models."""
    import pandas as pd

    one, two = (pd.DataFrame(m.values, m.models, m.models) for m in (first, second))
    return float(np.nanmax((one - two).abs().to_numpy(), initial=0.0))


def _take_accuracy_table(found: Published, file: PublishedFile) -> None:
    accuracies, left = read_accuracy_table(file.path)
    found.left += left
    single = {dataset: {row["model"] for row in rows} for dataset, rows in found.probes.items()}
    for (dataset, model), value in sorted(accuracies.items()):
        if model not in model_specs():
            found.left.append(Left(f"{file.name}: {dataset}", unknown_model(model)))
        elif model not in single.get(dataset, ()):
            found.probes[dataset].append({"model": model, "top1": value})
            found.sources[dataset][file.name] = file.path


_READERS: dict[str, Callable[[Published, PublishedFile], None]] = {
    "matrix": _take_matrix,
    "probe": _take_probe,
    "subset": _take_subset,
    "features": lambda found, file: found.features.append(file),
    "similarity_table": _take_similarity_table,
    "accuracy_table": _take_accuracy_table,
}
