"""Data sets of the Hugging Face hub, in the CLIP-benchmark layout: downloaded and checked.

``huggingface_hub`` does the transfer, with the token of ``HF_TOKEN`` (or ``hf auth login``), from
the address ``HF_ENDPOINT``. Here are: partial files that outlive a kill (the library's own do not)
and are resumed by range, retries with growing pauses, errors for people, the check of SHA-256.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from simcons.errors import UserError
from simcons.files import sha256_file, write_text
from simcons.progress import progress

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

ATTEMPTS = 6
PAUSE_SECONDS = 2.0  # before the second attempt; doubled each time
_SCRATCH = ".download"  # keeps partial files from one run to the next
_COMMIT = "commit.txt"  # of which all files in the folder are
_TYPES_WITHOUT_CLASSES = ("retrieval", "multilabel", "multi-label", "image_caption_selection")
Result = TypeVar("Result")


def download_shards(
    repository: str,
    splits: Sequence[str],
    folder: Path,
    *,
    revision: str | None = None,
    sha256: Mapping[str, str] | None = None,
) -> str:
    """Download a data set's shards, class names and shard counts; what is there is not fetched.

    Parameters
    ----------
    repository
        The dataset repository, such as ``clip-benchmark/wds_fer2013``.
    splits
        Which splits to fetch.
    folder
        Where to put them: ``train/0.tar``, ...
    revision
        Branch, tag or commit; ``main`` by default.
    sha256
        Expected SHA-256 by file; of the others the hub's own record is checked.

    Returns
    -------
    str
        The commit that the files are of.

    Raises
    ------
    UserError
        If the set is gated, missing, of another kind (retrieval, multi-label), or a file cannot be
        had or has another SHA-256.
    """
    known = dict(sha256 or {})
    commit = _Remote(repository, revision or "main").metadata("classnames.txt").commit_hash
    if commit is None:
        raise UserError(f"data set '{repository}': the server names no commit; is it a hub?")
    remote = _Remote(repository, commit)
    _refuse_other_kinds(remote, folder)
    marker = folder / _COMMIT
    same = marker.is_file() and marker.read_text(encoding="utf-8").strip() == commit
    remote.get("classnames.txt", folder)
    files = []
    for split in splits:
        remote.get(f"{split}/nshards.txt", folder)
        files += [f"{split}/{number}.tar" for number in range(_n_shards(folder, split))]
    with progress(f"download {repository}", len(files), "files") as advance:
        for file in files:
            # A file that came with another commit, or by hand, may be another.
            if not (same and (folder / file).is_file()):
                remote.get(file, folder, known.get(file))
            advance(1)
    write_text(marker, f"{commit}\n")
    shutil.rmtree(folder / _SCRATCH, ignore_errors=True)
    return commit


def _refuse_other_kinds(remote: _Remote, folder: Path) -> None:
    """Read ``dataset_type.txt``, which CLIP-benchmark's sets that are no classification have."""
    if not remote.has("dataset_type.txt"):
        return
    remote.get("dataset_type.txt", folder)
    kind = (folder / "dataset_type.txt").read_text(encoding="utf-8").strip().lower()
    if kind in _TYPES_WITHOUT_CLASSES:
        raise UserError(
            f"data set '{remote.repository}' is refused: its dataset_type.txt says '{kind}'; "
            f"similarity and probes need exactly one class per image"
        )


def _n_shards(folder: Path, split: str) -> int:
    text = (folder / split / "nshards.txt").read_text(encoding="utf-8").strip()
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) == 0:
        raise UserError(f"{folder / split / 'nshards.txt'}: no positive number: {text[:20]!r}")
    return int(text)


class _Remote:
    """A dataset repository at one revision."""

    def __init__(self, repository: str, revision: str) -> None:
        self.repository = repository
        self.revision = revision
        self.endpoint = os.environ.get("HF_ENDPOINT") or None

    def metadata(self, file: str) -> HfFileMetadata:
        """Return a file's commit, entity tag (of a large file its SHA-256) and size."""
        from huggingface_hub import get_hf_file_metadata, get_token

        return self._try(
            file,
            lambda: get_hf_file_metadata(
                self._url(file), token=get_token(), endpoint=self.endpoint
            ),
        )

    def has(self, file: str) -> bool:
        try:
            self.metadata(file)
        except _NoSuchFileError:
            return False
        return True

    def get(self, file: str, folder: Path, sha256: str | None = None) -> None:
        """Download a file; the folder never holds one that is incomplete or has another hash."""
        metadata = self.metadata(file)
        tag = metadata.etag or ""
        wanted = sha256 or (tag if re.fullmatch(r"[0-9a-f]{64}", tag) else None)
        target = folder / file
        if wanted and target.is_file() and sha256_file(target) == wanted:
            return
        part = folder / _SCRATCH / f"{self.revision}-{file.replace('/', '-')}"
        part.parent.mkdir(parents=True, exist_ok=True)
        for attempt in (1, 2):
            self._try(file, lambda: self._transfer(file, part, metadata.size))
            digest = sha256_file(part) if wanted else None
            if digest == wanted:
                break
            part.unlink()  # a partial file of an earlier run may have been damaged: once more
            if attempt == 2:
                raise UserError(
                    f"{self._place(file)}: SHA-256 is {digest}, expected {wanted}; the file was "
                    f"changed on the hub or on the way (twice), nothing was kept"
                )
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)

    def _transfer(self, file: str, part: Path, size: int | None) -> None:
        """Append to the partial file what it lacks."""
        from huggingface_hub import get_token
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers

        if size is not None and part.is_file() and part.stat().st_size > size:
            part.unlink()  # it can be no beginning of the file
        with part.open("ab") as stream, _quiet():
            http_get(
                self._url(file),
                stream,
                resume_size=stream.tell(),
                headers=build_hf_headers(token=get_token()),
                expected_size=size,
            )

    def _url(self, file: str) -> str:
        from huggingface_hub import hf_hub_url

        return hf_hub_url(
            self.repository,
            file,
            repo_type="dataset",
            revision=self.revision,
            endpoint=self.endpoint,
        )

    def _try(self, file: str, action: Callable[[], Result]) -> Result:
        """Call ``action``; again, after growing pauses, while the failure may pass."""
        for attempt in range(ATTEMPTS):
            try:
                return action()
            except Exception as error:
                self._explain(file, error)
                if not _may_pass(error):
                    raise
                if attempt + 1 == ATTEMPTS:
                    raise UserError(
                        f"{self._place(file)}: {ATTEMPTS} attempts failed, the last with "
                        f"{type(error).__name__}: {_first_line(error)}; what was downloaded is "
                        f"kept: run the same command again"
                    ) from error
                time.sleep(PAUSE_SECONDS * 2**attempt)
        raise AssertionError("unreachable")

    def _explain(self, file: str, error: Exception) -> None:
        """Raise an error for people if the failure will not pass."""
        from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

        if isinstance(error, RevisionNotFoundError):
            raise UserError(f"{self._place(file)}: no such revision") from None
        if isinstance(error, EntryNotFoundError) and _status(error) == 404:
            raise _NoSuchFileError(
                f"{self._place(file)}: no such file; the repository must have the CLIP-benchmark "
                f"layout (classnames.txt, SPLIT/nshards.txt, SPLIT/0.tar)"
            ) from None
        status = _status(error)
        if status in (401, 403):
            raise UserError(
                f"{self._place(file)}: access refused ({status}). The data set is gated or "
                f"private, or there is none of that name: accept its terms at "
                f"https://huggingface.co/datasets/{self.repository} with your account, then set "
                f"HF_TOKEN to a token of that account that may read it"
            ) from None
        if status == 404:
            raise UserError(
                f"{self._place(file)}: no such data set on the hub (404); check 'repository'"
            ) from None

    def _place(self, file: str) -> str:
        return f"data set '{self.repository}', {file} at {self.revision}"


class _NoSuchFileError(UserError):
    """The repository is there and the file is not."""


def _status(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _may_pass(error: Exception) -> bool:
    """Whether trying again may help: lost connections, timeouts, 408, 429 and 5xx."""
    status = _status(error)
    if status is not None:
        return status in (408, 429) or status >= 500
    # Connections that end early come as the HTTP library's errors or as OSError (short files).
    return isinstance(error, OSError) or type(error).__module__.startswith("httpx")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:200]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library's own bars and advice: progress is shown by file."""
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
        logging,
    )

    before, verbosity = are_progress_bars_disabled(), logging.get_verbosity()
    disable_progress_bars()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if not before:
            enable_progress_bars()
