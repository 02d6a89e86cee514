"""Moving objects between DVC's cache and a remote, and looking at what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from fsspec.callbacks import Callback

from simcons.core.errors import UserError, known
from simcons.remote.diagnosis import diagnose, is_absent, s3_code
from simcons.remote.report import Report

if TYPE_CHECKING:
    from dvc.data_cloud import Remote
    from dvc.repo import Repo
    from dvc_data.hashfile.db import HashFileDB

# So many objects are moved before their errors are looked at: a dead server is noticed early.
BATCH = 256
# So many objects are asked for one by one; for more the remote is listed.
FEW = 500
CONNECT_SECONDS = 10
SECRETS = {"access_key_id", "secret_access_key", "session_token", "password", "sse_customer_key"}


def connect(repo: Repo, name: str | None) -> Remote:
    """Return a remote, with a limit on the time to connect.

    Raises
    ------
    UserError
        If there is no such remote, or it keeps files in another way than by content.
    """
    from dvc.config import ConfigError

    remotes = repo.config["remote"]
    name = name or repo.config["core"].get("remote")
    if not name:
        raise UserError(
            "no DVC remote is configured; `dvc remote add --default NAME s3://BUCKET/PREFIX` "
            "adds one (README, Share results)"
        )
    known("remote", name, remotes)
    _refuse_secrets_in_git(repo, name)
    if str(remotes[name].get("url", "")).startswith("s3:"):
        remotes[name].setdefault("connect_timeout", CONNECT_SECONDS)
    try:
        remote = repo.cloud.get_remote(name)
    except ConfigError as error:
        raise UserError(f"remote '{name}': {error}") from None
    if remote.worktree or remote.fs.version_aware:
        raise UserError(
            f"remote '{name}' keeps versions in the cloud; use `dvc push` and `dvc pull`"
        )
    return remote


def _refuse_secrets_in_git(repo: Repo, name: str) -> None:
    tracked = repo.config.load_one("repo").get("remote", {}).get(name, {})
    found = sorted(SECRETS & tracked.keys())
    if found:
        raise UserError(
            f"remote '{name}': {', '.join(found)} is in .dvc/config, which git tracks; take it out "
            f"with `dvc remote modify --unset {name} {found[0]}`, set it with `--local`, and if it "
            f"was committed, replace it where it was issued"
        )


def url(remote: Remote) -> str:
    """Return where a remote is, for messages."""
    return str(remote.fs.unstrip_protocol(remote.path))


def probe(remote: Remote, *, may_list: bool) -> None:
    """Ask the remote something small, so that a wrong key, bucket or endpoint is seen at once.

    Parameters
    ----------
    remote
        The remote.
    may_list
        Whether the right to list the bucket is needed; reading works without it.

    Raises
    ------
    UserError, TransferError
        As `diagnose` says.
    """
    if remote.fs.protocol != "s3":
        return
    bucket = remote.path.lstrip("/").split("/")[0]
    try:
        remote.fs.fs.call_s3("list_objects_v2", Bucket=bucket, MaxKeys=1)
    except Exception as error:
        if not may_list and s3_code(error) == "AccessDenied":
            return
        raise _problem(error, remote, remote.path) from error


def sizes(remote: Remote, oids: Sequence[str], report: Report) -> dict[str, int]:
    """Return the size in bytes of each object that is in the remote now."""
    odb = remote.odb
    odb.fs.fs.invalidate_cache()
    try:
        if len(oids) <= FEW or not odb.fs.fs.async_impl:
            paths = [odb.oid_to_path(oid) for oid in oids]
            infos = odb.fs.info(paths, callback=Beat(report), return_exceptions=True)
            for info in infos:
                if isinstance(info, BaseException) and not is_absent(info):
                    raise info
            pairs = zip(oids, infos, strict=True)
            return {oid: i["size"] for oid, i in pairs if not isinstance(i, BaseException)}
        wanted = set(oids)
        listed = odb.fs.fs.find(odb.path, detail=True)
        found = {"".join(path.split("/")[-2:]): info["size"] for path, info in listed.items()}
        return {oid: size for oid, size in found.items() if oid in wanted}
    except Exception as error:
        raise _problem(error, remote, remote.path) from error


def cached_sizes(cache: HashFileDB, oids: Iterable[str]) -> dict[str, int]:
    """Return the size of each object in the cache, after DVC dropped what it finds damaged."""
    there = cache.oids_exist(list(oids))
    return {oid: Path(cache.oid_to_path(oid)).stat().st_size for oid in there}


def drop_damaged(cache: HashFileDB, oids: Iterable[str]) -> list[str]:
    """Hash objects of the cache and remove those that are not what their name says.

    DVC trusts a read-only file in its cache, so a truncated one stays until somebody looks.
    """
    dropped = []
    for oid in oids:
        path = Path(cache.oid_to_path(oid))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        if digest != oid.removesuffix(".dir"):
            path.unlink()
            dropped.append(oid)
    return dropped


def move(
    source: HashFileDB, target: HashFileDB, oids: Sequence[str], remote: Remote, report: Report
) -> tuple[list[str], list[str]]:
    """Copy objects; each that comes into the cache is hashed.

    Parameters
    ----------
    source, target
        Where from and where to.
    oids
        What; those of files before those of lists of files.
    remote
        The remote that one of the two belongs to.
    report
        Is told whenever bytes have moved and objects are through.

    Returns
    -------
    absent : list of str
        What is not in the source.
    damaged : list of str
        What came into the cache with another content than its name says; it was removed.

    Raises
    ------
    UserError, TransferError
        On any other error, as `diagnose` says, after the batch in which it arose.
    """
    absent: list[str] = []
    damaged: list[str] = []
    into_cache = target != remote.odb
    for start in range(0, len(oids), BATCH):
        batch = list(oids[start : start + BATCH])
        errors: dict[str, BaseException] = {}
        with ExitStack() as hashing:
            # What came is hashed when all of it is through, which is silent.
            after = (lambda: hashing.enter_context(report.busy())) if into_cache else None
            try:
                target.add(
                    [source.oid_to_path(oid) for oid in batch],
                    source.fs,
                    batch,
                    check_exists=False,
                    verify=into_cache,
                    batch_size=remote.fs.jobs,
                    callback=Beat(report, len(batch), after),
                    on_error=errors.__setitem__,
                )
            except FileNotFoundError as error:
                # A batch of one: DVC renames what did not come.
                errors.setdefault(batch[0], error)
            except Exception as error:
                raise _problem(error, remote, target.path) from error
        for oid, failure in errors.items():
            if not is_absent(failure):
                raise _problem(failure, remote, target.path) from failure
            absent.append(oid)
        if into_cache:
            came = [oid for oid in batch if oid not in errors]
            damaged += [oid for oid in came if not Path(target.oid_to_path(oid)).is_file()]
    return absent, damaged


def _problem(error: BaseException, remote: Remote, folder: str) -> Exception:
    return diagnose(error, remote.name, url(remote), str(folder))


class Beat(Callback):
    """Tells that bytes have moved, how many objects are through, and when all are.

    Parameters
    ----------
    report
        Is told; of objects only if their number is given.
    n_objects
        How many there are.
    after
        Called when all are through.
    """

    def __init__(
        self, report: Report, n_objects: int = 0, after: Callable[[], object] | None = None
    ) -> None:
        super().__init__()
        self._report, self._left, self._after = report, n_objects, after
        self._counted = n_objects > 0

    def relative_update(self, inc: int = 1) -> None:
        """Count objects."""
        self._report.moved()
        if self._counted:
            self._report.arrived(inc)
            self._left -= inc
            if self._left == 0 and self._after:
                self._after()

    def branched(self, path_1: str, path_2: str, **kwargs: object) -> Callback:
        """Return the callback for the bytes of one object."""
        return Callback(hooks={"moved": lambda *_: self._report.moved()})
