"""Studies: choosing one, showing it, and clearing away what belongs to another."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from simcons.core.errors import UserError, did_you_mean
from simcons.core.files import atomic
from simcons.core.paths import Paths
from simcons.study.params import Study, load_study

# Folders of data/ that hold one output per data set, or per model trained here.
_PER_DATASET = ("datasets", "features", "subsets", "similarity", "probes")
FOLDERS = (*_PER_DATASET, "zoo")


def study_names(paths: Paths) -> list[str]:
    """Return the names of the ready-made studies."""
    return sorted(path.stem for path in paths.studies.glob("*.yaml"))


def active_study(paths: Paths) -> str | None:
    """Return the name of the ready-made study whose file equals params.yaml, if one does."""
    if not paths.params.is_file():
        return None
    active = paths.params.read_bytes()
    for name in study_names(paths):
        if (paths.studies / f"{name}.yaml").read_bytes() == active:
            return name
    return None


def study_path(name: str, paths: Paths) -> Path:
    """Return the file of a ready-made study.

    Raises
    ------
    UserError
        If there is no such study.
    """
    names = study_names(paths)
    if name not in names:
        raise UserError(f"unknown study '{name}': {did_you_mean(name, names)}")
    return paths.study_file(name)


def use_study(name: str, paths: Paths) -> list[Path]:
    """Make a ready-made study the active one and tidy data/.

    Returns
    -------
    list of Path
        What `tidy` moved.

    Raises
    ------
    UserError
        If there is no such study, or it does not validate; params.yaml is then as it was.
    """
    source = study_path(name, paths)
    study = load_study(source)
    with atomic(paths.params) as part:
        shutil.copyfile(source, part)
    return tidy(study, paths)


def _kept(study: Study, folder: str) -> Collection[str]:
    """Return what may lie in a folder of data/."""
    roles = {
        "zoo": study.zoo,
        "subsets": study.similarity_datasets,
        "similarity": study.measured(),
        "probes": [*study.probed(), *study.variants],
    }
    return roles.get(folder, study.datasets)


def leftovers(study: Study, paths: Paths, folders: Sequence[str] = FOLDERS) -> list[Path]:
    """Return outputs below data/ that belong to no data set or zoo model of the study, sorted."""
    return [
        item
        for folder in folders
        for item in sorted((paths.data / folder).glob("[!.]*"))
        if item.name.removesuffix(".json") not in _kept(study, folder)
    ]


def tidy(study: Study, paths: Paths) -> list[Path]:
    """Move leftovers of other studies out of data/, into ``.simcons/leftovers``.

    The stages that read a whole folder (consistency, gap, figures) would otherwise depend on
    results that are none of the study's.

    Returns
    -------
    list of Path
        What was moved.
    """
    moved = leftovers(study, paths)
    for item in moved:
        target = paths.leftovers / item.relative_to(paths.data)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        item.replace(target)
    return moved


def refuse_leftovers(study: Study, paths: Paths, folders: Sequence[str] = FOLDERS) -> None:
    """Stop a stage that depends on whole folders of data/ holding other studies' results.

    Raises
    ------
    UserError
        If there are any.
    """
    found = leftovers(study, paths, folders)
    if found:
        raise UserError(
            f"{found[0]} belongs to no data set or zoo model of study '{study.study}'"
            + (f" (nor are {len(found) - 1} more)" if len(found) > 1 else "")
            + "; run `simcons study tidy`, which moves such folders to .simcons/leftovers"
        )
