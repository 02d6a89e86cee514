"""One attempt to push or pull, in a process of its own, which can be killed if it hangs.

The request is one line of JSON on standard input. What happens is told in lines of JSON on
standard output: ``moved`` (bytes have moved), ``plan`` (so many objects will), ``arrived`` (so many
did), and last ``done``, ``refused`` (a `UserError`) or ``failed`` (a `TransferError`).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dvc.data_cloud import Remote
from dvc.exceptions import CheckoutError, DvcException, NotDvcRepoError
from dvc.lock import LockError
from dvc.repo import Repo

from simcons.core.errors import UserError
from simcons.remote.diagnosis import TransferError, diagnose
from simcons.remote.objects import (
    cached_sizes,
    connect,
    drop_damaged,
    move,
    probe,
    sizes,
    url,
)
from simcons.remote.outputs import File, Output, files_of, list_of, named, select
from simcons.remote.report import Report


class Attempt:
    """One attempt: the repository, the remote and what the targets mean.

    Parameters
    ----------
    repo
        The DVC repository.
    request
        ``action`` (push or pull), ``targets``, ``remote`` and ``force``.
    report
        Where events go.
    """

    def __init__(self, repo: Repo, request: dict[str, Any], report: Report) -> None:
        self.repo, self.report, self.force = repo, report, request["force"]
        pushing = request["action"] == "push"
        self.remote: Remote = connect(repo, request["remote"])
        self.where = url(self.remote)
        self.cache = repo.cache.local
        self.outputs, self.unknown = select(repo, request["targets"], self.remote.name)
        if pushing:
            probe(self.remote, may_list=True)
        self.absent: set[File] = set()
        self.damaged: set[File] = set()
        self.came: list[str] = []
        lists = {o.oid: list_of(o) for o in self.outputs if o.is_folder}
        # A clone need not have the list of what it never made or pulled.
        self._fetch(lists, [oid for oid in lists if oid not in cached_sizes(self.cache, lists)])
        without = self.absent | self.damaged
        self.files = {o: files_of(o, self.cache) for o in self.outputs if list_of(o) not in without}
        self.by_oid = {f.oid: f for files in self.files.values() for f in files}
        self.lists = {oid: file for oid, file in lists.items() if file not in without}

    def _fetch(self, files: dict[str, File], oids: Iterable[str]) -> None:
        """Bring objects into the cache; note those that are not in the remote, or damaged there."""
        todo = sorted(oids)
        if todo:
            probe(self.remote, may_list=False)
        absent, damaged = move(self.remote.odb, self.cache, todo, self.remote, self.report)
        self.absent |= {files[oid] for oid in absent}
        self.damaged |= {files[oid] for oid in damaged}
        self.came += set(todo).difference(absent, damaged)

    def push(self) -> dict[str, Any]:
        """Send what the remote lacks or has in another size; then look at all that was sent."""
        oids = [*sorted(self.by_oid), *sorted(self.lists)]
        here = cached_sizes(self.cache, oids)
        there = sizes(self.remote, oids, self.report)
        lost = {f for oid, f in self.by_oid.items() if oid not in here and oid not in there}
        # DVC takes the presence of a list for the presence of its files: it goes last, or not at
        # all if one of them is lost.
        unlisted = {o.oid for o, files in self.files.items() if lost.intersection(files)}
        todo = [o for o in oids if o in here and here[o] != there.get(o) and o not in unlisted]
        self.report("plan", total=len(todo))
        for of_lists in (False, True):
            part = [oid for oid in todo if oid.endswith(".dir") == of_lists]
            move(self.cache, self.remote.odb, part, self.remote, self.report)
        arrived = sizes(self.remote, todo, self.report)
        names = self.by_oid | self.lists
        left = [names[oid] for oid in todo if arrived.get(oid) != here[oid]]
        if left:
            lines = named(left, "is missing or has another size there")
            head = f"{len(left)} of {len(todo)} objects did not reach {self.where}:"
            raise TransferError("\n".join([head, *lines]), retry=True)
        lost |= self.absent | self.damaged
        if lost:
            lines = named(lost, "is neither in this clone's cache nor, whole, in the remote")
            head = f"{len(lost)} files cannot be pushed; all others are there:"
            raise TransferError("\n".join([head, *lines, "`dvc repro STAGE` makes them again"]))
        replaced = sum(oid in there for oid in todo)
        return self._result(todo, [here[oid] for oid in todo], replaced)

    def pull(self) -> dict[str, Any]:
        """Fetch what the cache lacks, check it, and put whole outputs into the workspace."""
        self._drop_truncated()
        here = cached_sizes(self.cache, self.by_oid)
        todo = [oid for oid in self.by_oid if oid not in here]
        self.report("plan", total=len(todo))
        self._fetch(self.by_oid, todo)
        bad = self.absent | self.damaged
        oids = {f.oid for f in bad}
        whole = [o for o, files in self.files.items() if all(f.oid not in oids for f in files)]
        with self.report.busy():
            self._put_into_workspace(whole)
        if bad:
            lines = [
                f"{len(bad)} files could not be pulled; {len(whole)} outputs came whole:",
                *named(self.absent, f"is not in {self.where}"),
                *named(self.damaged, f"is damaged in {self.where}"),
                "whoever has them can `simcons push` again, which replaces what is missing or "
                "truncated there; `dvc repro STAGE` makes them here",
            ]
            raise TransferError("\n".join(lines))
        return self._result(self.came, cached_sizes(self.cache, self.came).values())

    def _result(
        self, moved: list[str], n_bytes: Iterable[int], replaced: int = 0
    ) -> dict[str, Any]:
        return {
            "objects": len(self.by_oid) + len(self.lists),
            "moved": len(moved),
            "n_bytes": sum(n_bytes),
            "replaced": replaced,
            "where": self.where,
            "unknown": self.unknown,
        }

    def _drop_truncated(self) -> None:
        """Look closer at cached outputs whose files do not add up to the recorded size.

        A plain `dvc pull` takes a truncated object into the cache, and trusts it from then on.
        """
        here = cached_sizes(self.cache, self.by_oid)
        for output, files in self.files.items():
            oids = [f.oid for f in files]
            if output.size is None or output.part or not all(oid in here for oid in oids):
                continue
            if sum(here[oid] for oid in oids) != output.size:
                with self.report.busy():
                    drop_damaged(self.cache, set(oids))

    def _check_out(self, outputs: list[Output]) -> None:
        if not outputs:
            return
        root = Path(self.repo.root_dir)
        self.repo.drop_data_index()
        try:
            self.repo.checkout(targets=[str(root / o.target) for o in outputs], force=self.force)
        except LockError:
            raise TransferError(
                "another dvc command is running in this clone; all is in the cache: run this "
                "again when that one is done"
            ) from None
        except CheckoutError as error:
            free = shutil.disk_usage(root).free / 1e6
            raise TransferError(
                f"all is in the cache, but could not be put into the workspace, whose disk has "
                f"{free:,.1f} MB free: {', '.join(error.target_infos)}; see to it and run the same "
                f"command again"
            ) from None
        except DvcException as error:
            if "without confirmation" not in str(error):
                raise
            raise UserError(
                "these files were changed here and are not in the cache; `--force` replaces them: "
                + ", ".join(str(error).splitlines()[1:])
            ) from None

    def _put_into_workspace(self, outputs: list[Output]) -> None:
        self._check_out(outputs)
        wrong = self._wrong_in_workspace(outputs)
        if wrong:
            # A plain `dvc pull` has put truncated files here, and noted that they are right.
            for file in wrong:
                (Path(self.repo.root_dir) / file.path).unlink(missing_ok=True)
            self._check_out(outputs)
            wrong = self._wrong_in_workspace(outputs)
        if wrong:
            lines = named(wrong, "is not whole in the workspace")
            head = f"{len(wrong)} files did not come:"
            raise TransferError("\n".join([head, *lines]), retry=True)

    def _wrong_in_workspace(self, outputs: list[Output]) -> list[File]:
        root = Path(self.repo.root_dir)
        in_cache = cached_sizes(self.cache, self.by_oid)
        files = [f for output in outputs for f in self.files[output]]
        return [f for f in files if _size(root / f.path) != in_cache[f.oid]]


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def main() -> None:
    """Read the request, do it, tell how it went."""
    # DVC prints to standard output, where events go.
    report = Report(os.dup(1))
    os.dup2(2, 1)
    request = json.loads(sys.stdin.readline())
    root = request["root"]
    try:
        try:
            with Repo(root) as repo:
                attempt = Attempt(repo, request, report)
                result = attempt.push() if request["action"] == "push" else attempt.pull()
        except NotDvcRepoError:
            raise UserError(f"{root} is not a DVC repository; run this in a clone") from None
        except DvcException as error:
            raise UserError(f"DVC: {error}") from error
        except OSError as error:
            raise diagnose(error, request["remote"] or "default", "", root) from error
        report("done", **result)
    except UserError as error:
        report("refused", message=str(error))
    except TransferError as error:
        report("failed", message=str(error), retry=error.retry)


if __name__ == "__main__":
    main()
