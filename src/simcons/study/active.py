"""The active study: choosing it, and clearing away what belongs to others or to none."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from simcons.core.errors import UserError, known
from simcons.core.files import atomic, read_yaml, write_text
from simcons.core.paths import Paths
from simcons.study.params import Study, load_study

# Folders of data/ that hold one output per data set, or per model trained here.
FOLDERS = ("datasets", "features", "subsets", "similarity", "probes", "zoo")


def study_names(paths: Paths) -> list[str]:
    """Return the names of the ready-made studies."""
    return sorted(path.stem for path in paths.studies.glob("*.yaml"))


def active_study(paths: Paths) -> str | None:
    """Return the name of the ready-made study whose file equals params.yaml, if one does."""
    if not paths.params.is_file():
        return None
    active = paths.params.read_bytes()
    same = (n for n in study_names(paths) if paths.study_file(n).read_bytes() == active)
    return next(same, None)


def study_path(name: str, paths: Paths) -> Path:
    """Return the file of a ready-made study.

    Raises
    ------
    UserError
        If there is no such study.
    """
    return paths.study_file(known("study", name, study_names(paths)))


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
    results that are none of the study's. Training curves that git tracks go too, but only those of
    zoo models that no study has: another study's are wanted again when it is used.

    Returns
    -------
    list of Path
        What was moved.
    """
    curves = [c for c in sorted(paths.curves.glob("*.csv")) if c.stem not in study.zoo]
    if curves:
        wanted = names_of_all_studies(study, paths)
        curves = [curve for curve in curves if curve.stem not in wanted]
    moved = leftovers(study, paths) + curves
    for item in moved:
        target = paths.leftovers / item.relative_to(paths.root if item in curves else paths.data)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        item.replace(target)
    return moved


def names_of_all_studies(study: Study, paths: Paths) -> set[str]:
    """Return the names of data sets and zoo models of the study and of the ready-made ones."""
    studies = [study, *(load_study(paths.study_file(name)) for name in study_names(paths))]
    return {name for each in studies for name in (*each.names(), *each.zoo)}


def forget_stages(study: Study, paths: Paths, stages: Collection[str]) -> list[str]:
    """Take the stages that no study has out of dvc.lock; its other bytes stay as they are.

    The stages of a ready-made study that is not the active one are kept: with them a clone can
    switch to it and pull its results.

    Parameters
    ----------
    study, paths
        The active study, and where dvc.lock lies.
    stages
        Names of the stages that dvc.yaml and params.yaml have.

    Returns
    -------
    list of str
        The stages that were taken out, in the order of the file.
    """
    from ruamel.yaml import YAML

    recorded = (read_yaml(paths.dvc_lock) or {}).get("stages") or {}
    gone = [name for name in recorded if name not in stages]
    if gone:
        wanted = names_of_all_studies(study, paths)
        gone = [name for name in gone if name.partition("@")[2] not in wanted]
    if not gone:
        return []
    text = paths.dvc_lock.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    (entries,) = [v for k, v in YAML(typ="safe").compose(text).value if k.value == "stages"]
    # Entries from the last on: the lines of those before keep their numbers.
    end = entries.end_mark.line
    for key, _ in reversed(entries.value):
        if key.value in gone:
            del lines[key.start_mark.line : end]
        end = key.start_mark.line
    if len(gone) == len(recorded):
        paths.dvc_lock.unlink()
    else:
        write_text(paths.dvc_lock, "".join(lines))
    return gone


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
