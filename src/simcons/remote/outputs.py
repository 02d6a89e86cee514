"""Which outputs and files the targets of `simcons push` and `simcons pull` mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from simcons.core.errors import UserError, did_you_mean
from simcons.core.files import read_json

if TYPE_CHECKING:
    from dvc.output import Output as DvcOutput
    from dvc.repo import Repo
    from dvc.stage import Stage
    from dvc_data.hashfile.db import HashFileDB


@dataclass(frozen=True)
class File:
    """One object: a file of an output, or the list of the files of an output that is a folder.

    Attributes
    ----------
    stage
        The stage that makes it, as in `dvc repro STAGE`.
    path
        Relative to the repository's root.
    oid
        DVC's id of the content: its MD5, with ``.dir`` appended for a list.
    """

    stage: str
    path: str
    oid: str


@dataclass(frozen=True)
class Output:
    """An output that dvc.lock records, or a part of it.

    Attributes
    ----------
    stage, path, oid
        As of `File`; ``oid`` ends with ``.dir`` if the output is a folder.
    size
        Bytes of the whole output as recorded, if they are.
    part
        The part that is asked for, relative to ``path``; empty for all of it.
    """

    stage: str
    path: str
    oid: str
    size: int | None
    part: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether the output is a folder."""
        return self.oid.endswith(".dir")

    @property
    def target(self) -> str:
        """What is asked for, relative to the repository's root."""
        return f"{self.path}/{self.part}" if self.part else self.path


def select(repo: Repo, targets: Sequence[str], remote: str) -> tuple[list[Output], list[str]]:
    """Return the outputs that the targets mean, in the order of dvc.yaml.

    Parameters
    ----------
    repo
        The DVC repository.
    targets
        Each a stage (``similarity@digits``), a family of stages (``similarity``), or a path: of an
        output, of a folder of outputs or inside an output. None means all.
    remote
        Name of the remote in use.

    Returns
    -------
    outputs : list of Output
        Those that a remote holds (git holds others, and some are not to be pushed).
    unknown : list of str
        Stages with such outputs that dvc.lock does not record: nobody has run them.

    Raises
    ------
    UserError
        If a target means nothing, is held by git or has not been run.
    """
    found: dict[tuple[str, str], Output] = {}
    unknown: dict[str, None] = {}
    wanted = [_relative(repo, target) for target in targets]
    met: dict[str, set[str]] = {target: set() for target in wanted}
    for stage in repo.index.stages:
        address = _address(repo, stage)
        for out in stage.outs:
            path = PurePosixPath(Path(out.fspath).relative_to(repo.root_dir).as_posix())
            parts = {t: _part(t, address, path) for t in wanted}
            meant = {t: part for t, part in parts.items() if part is not None}
            if wanted and not meant:
                continue
            state = _state(out, remote)
            for target in meant:
                met[target].add(state)
            if state == "unknown":
                unknown[address] = None
            if state != "stored":
                continue
            size = out.meta.size if out.meta else None
            for part in sorted(set(meant.values())) or [""]:
                output = Output(address, str(path), out.hash_info.value, size, part)
                found[output.path, part] = output
    for target, states in met.items():
        if "stored" not in states:
            raise UserError(_nothing(repo, target, states))
    return _without_parts_of_wholes(found), list(unknown)


def _address(repo: Repo, stage: Stage) -> str:
    """Return a stage's name as seen from the root; DVC's own is as seen from the current folder."""
    file = Path(stage.path).relative_to(repo.root_dir).as_posix()
    name = getattr(stage, "name", None)
    if name is None:
        return file
    return str(name) if file == "dvc.yaml" else f"{file}:{name}"


def _relative(repo: Repo, target: str) -> str:
    """Return a path as relative to the root; a stage's name as it is."""
    path = (Path.cwd() / target).absolute()
    root = Path(repo.root_dir)
    if "@" in target or not path.is_relative_to(root) or path == root:
        return target
    return PurePosixPath(path.relative_to(root).as_posix()).as_posix()


def _part(target: str, stage: str, path: PurePosixPath) -> str | None:
    if target in (stage, stage.split("@")[0]):
        return ""
    asked = PurePosixPath(target)
    if path.is_relative_to(asked):
        return ""
    return str(asked.relative_to(path)) if asked.is_relative_to(path) else None


def _state(out: DvcOutput, remote: str) -> str:
    if not out.use_cache:
        return "git"
    if not out.can_push:
        return "kept"
    if out.hash_info is None or not out.hash_info.value:
        return "unknown"
    if out.remote and out.remote != remote:
        raise UserError(f"{out}: has a remote of its own ('{out.remote}'); use dvc itself for it")
    return "stored"


def _nothing(repo: Repo, target: str, states: set[str]) -> str:
    if "unknown" in states:
        return f"'{target}' is not in dvc.lock: nobody has run it yet; `dvc repro {target}` does"
    if "kept" in states:
        return f"'{target}' is in no remote (`push: false` in dvc.yaml)"
    if "git" in states:
        return f"'{target}': git holds its outputs, there is nothing to move"
    names = {_address(repo, stage) for stage in repo.index.stages}
    families = {name.split("@")[0] for name in names}
    near = did_you_mean(target, names | families)
    listed = ", ".join(sorted(families))
    return (
        f"'{target}' is no stage, family of stages or path of an output: "
        f"{near.split('Allowed:')[0]}Families: {listed}"
    )


def _without_parts_of_wholes(found: dict[tuple[str, str], Output]) -> list[Output]:
    return [o for (path, part), o in found.items() if not part or (path, "") not in found]


def files_of(output: Output, cache: HashFileDB) -> list[File]:
    """Return the files of an output; its list, if it is a folder, must be in the cache.

    A list is JSON in which each entry has a ``relpath`` and an ``md5``, as DVC documents it.

    Raises
    ------
    UserError
        If the part that is asked for does not exist in the output.
    """
    if not output.is_folder:
        return [File(output.stage, output.path, output.oid)]
    listed = read_json(Path(cache.oid_to_path(output.oid)))
    part = PurePosixPath(output.part)
    files = [
        File(output.stage, f"{output.path}/{entry['relpath']}", entry["md5"])
        for entry in listed
        if PurePosixPath(entry["relpath"]).is_relative_to(part)
    ]
    if not files and output.part:
        names = {"/".join(entry["relpath"].split("/")[: len(part.parts)]) for entry in listed}
        raise UserError(f"{output.path} has no '{output.part}': {did_you_mean(output.part, names)}")
    return files


def list_of(output: Output) -> File:
    """Return the object that lists the files of an output that is a folder."""
    return File(output.stage, f"{output.path} (the list of its files)", output.oid)


def named(files: Iterable[File], why: str, show: int = 10) -> list[str]:
    """Return a line for each file, with what is wrong with it; of many, the first and a count."""
    lines = [f"  {f.stage}: {f.path} {why}" for f in sorted(files, key=lambda f: f.path)]
    more = [f"  ... and {len(lines) - show} more"] if len(lines) > show else []
    return lines[:show] + more
