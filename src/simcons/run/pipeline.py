"""What DVC knows of the pipeline: which stages are stale, missing or done.

`dvc repro --dry --allow-missing` cannot judge a stage that depends on a folder of other stages'
outputs, so `stale_stages` compares what git tracks (commands, params, code) with dvc.lock, and
needs no data.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simcons.core.errors import UserError, did_you_mean
from simcons.core.files import atomic, read_yaml

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import PipelineStage


@dataclass(frozen=True)
class StageState:
    """A stage and what is to say of it.

    Attributes
    ----------
    name
        As in `dvc repro NAME`.
    state
        ``done``, ``stale`` (an input changed), ``missing`` (an output is not here) or ``busy``
        (another DVC command holds it).
    reasons
        What changed.
    """

    name: str
    state: str
    reasons: tuple[str, ...] = ()


def _stages(repo: Repo) -> list[PipelineStage]:
    from dvc.stage import PipelineStage

    found = [s for s in repo.index.stages if isinstance(s, PipelineStage)]
    if not found:
        raise UserError(f"{repo.root_dir}/dvc.yaml holds no stages")
    return found


@contextmanager
def _open(root: Path) -> Iterator[Repo]:
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    try:
        with Repo(str(root)) as repo:
            yield repo
    except NotDvcRepoError:
        raise UserError(f"{root.resolve()} is not a DVC repository; run this in a clone") from None
    except DvcException as error:
        raise UserError(f"DVC cannot read {root.resolve()}: {error}") from None


def stale_stages(root: Path = Path()) -> tuple[int, list[StageState]]:
    """Compare every stage's command, params and code with dvc.lock, without any data.

    Returns
    -------
    n_stages : int
        Number of stages in dvc.yaml.
    stale : list of StageState
        The stages that differ, with what differs.
    """
    with _open(root) as repo:
        stages = _stages(repo)
        # Not stages' outputs alone: imported results are DVC's too, by a .dvc file that git tracks.
        made = {str(out.fspath): out for stage in repo.index.stages for out in stage.outs}
        stale = []
        for stage in stages:
            reasons = tuple(_differences(stage, made))
            if reasons:
                stale.append(StageState(stage.addressing, "stale", reasons))
        return len(stages), stale


def _differences(stage: PipelineStage, made: dict[str, Any]) -> Iterator[str]:
    if stage.cmd_changed:
        yield "command changed"
    for out in stage.outs:
        if out.hash_info is None or not out.hash_info.value:
            yield f"{out} not in dvc.lock"
    for dep in stage.deps:
        path = str(dep.fspath)
        if path in made:
            # An output of another stage: both records in dvc.lock must name the same content.
            if dep.hash_info != made[path].hash_info:
                yield f"{dep} is recorded with another hash than its own stage's output"
        elif not any(out.startswith(f"{path}/") or path.startswith(f"{out}/") for out in made):
            yield from _changes(dep.workspace_status())


def _changes(status: Any, *where: str) -> Iterator[str]:
    """Yield what DVC says in nested maps and lists, a line for each change."""
    if isinstance(status, dict):
        for name, change in sorted(status.items()):
            yield from _changes(change, *where, name)
    elif isinstance(status, list):
        for change in status:
            yield from _changes(change, *where)
    else:
        yield f"{': '.join(where)} {status}".lstrip()


def stage_states(root: Path = Path()) -> list[StageState]:
    """Return every stage's state in the workspace, in dvc.yaml's order."""
    from dvc.lock import LockError

    with _open(root) as repo:
        states = []
        for stage in _stages(repo):
            name = stage.addressing
            missing = tuple(str(out) for out in stage.outs if not Path(out.fspath).exists())
            try:
                with repo.lock:
                    changes = stage.status(check_updates=True).get(name, [])
            except LockError as error:
                states.append(StageState(name, "busy", (str(error).split(",")[0],)))
                continue
            state = "missing" if missing else "stale" if changes else "done"
            states.append(StageState(name, state, missing or tuple(_changes(changes))))
        return states


def remove_outputs(name: str, root: Path = Path()) -> None:
    """Remove a stage's outputs from the workspace, as DVC does before it runs the stage.

    It takes no lock: it is for the stage's own command, for which DVC holds one on the outputs.

    Parameters
    ----------
    name
        As in `dvc repro NAME`.
    root
        The repository's root.
    """
    with _open(root) as repo:
        for stage in _stages(repo):
            if stage.addressing == name:
                for out in stage.outs:
                    if not out.persist:
                        out.remove(ignore_remove=False)


@dataclass(frozen=True)
class Step:
    """A stage and the stages that it depends on.

    Attributes
    ----------
    name
        As in `dvc repro NAME`.
    needs
        Names of the stages whose outputs it reads.
    """

    name: str
    needs: frozenset[str]


def steps(targets: Sequence[str] = (), root: Path = Path()) -> list[Step]:
    """Return the stages that `dvc repro TARGETS` would look at, in its order.

    Parameters
    ----------
    targets
        Stages to make, with what they depend on; all by default.
    root
        The repository's root.

    Raises
    ------
    UserError
        If a target is no stage.
    """
    with _open(root) as repo:
        known = {stage.addressing: stage for stage in _stages(repo)}
        for target in targets:
            if target not in known:
                raise UserError(f"no stage '{target}': {did_you_mean(target, known)}")
        graph = repo.index.graph
        found: dict[str, Step] = {}

        def visit(stage: PipelineStage) -> None:
            # DVC takes what a frozen stage depends on for up to date.
            before = [] if stage.frozen else list(graph.successors(stage))
            for other in before:
                if other.addressing not in found:
                    visit(other)
            needs = frozenset(other.addressing for other in before if other.addressing in known)
            found[stage.addressing] = Step(stage.addressing, needs)

        for name in targets or known:
            if name not in found:
                visit(known[name])
        return [step for name, step in found.items() if name in known]


def order_lock(names: Sequence[str], root: Path = Path()) -> None:
    """Bring the stages of dvc.lock into an order, others after them.

    DVC appends a stage to dvc.lock when it is first done, so the order would otherwise tell which
    of the stages that ran side by side was quicker.

    Parameters
    ----------
    names
        Stages in the order wanted.
    root
        The repository's root.
    """
    from ruamel.yaml import YAML

    path, yaml = root / "dvc.lock", YAML()  # as DVC writes it
    with _open(root) as repo, repo.lock:
        present = lock_names(root)
        wanted = [n for n in names if n in present] + [n for n in present if n not in set(names)]
        if wanted != present:
            lock = yaml.load(path)
            lock["stages"] = {name: lock["stages"][name] for name in wanted}
            with atomic(path) as part:
                yaml.dump(lock, part)


def lock_names(root: Path = Path()) -> list[str]:
    """Return the names of the stages in dvc.lock, in its order."""
    path = root / "dvc.lock"
    return list(read_yaml(path).get("stages") or {}) if path.is_file() else []
