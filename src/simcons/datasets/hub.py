"""Data sets of the Hugging Face hub, in the CLIP-benchmark layout: downloaded and checked.

``huggingface_hub`` knows addresses, the token (``HF_TOKEN`` or ``hf auth login``; the hub's address
is ``HF_ENDPOINT``) and the record of each file; ``simcons.core.download`` does the transfer, since
the library's own partial files do not outlive a kill. Here are the layout and errors for people.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simcons.core.download import download
from simcons.core.errors import UserError
from simcons.core.files import sha256_file, write_text
from simcons.core.progress import progress
from simcons.datasets.shards import n_shards

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

_SCRATCH = ".download"  # keeps partial files from one run to the next
_COMMIT = "commit.txt"  # of which all files in the folder are
_TYPES_WITHOUT_CLASSES = ("retrieval", "multilabel", "multi-label", "image_caption_selection")


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
        files += [f"{split}/{number}.tar" for number in range(n_shards(folder, split))]
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
    try:
        remote.get("dataset_type.txt", folder)
    except _NoSuchFileError:
        return
    kind = (folder / "dataset_type.txt").read_text(encoding="utf-8").strip().lower()
    if kind in _TYPES_WITHOUT_CLASSES:
        raise UserError(
            f"data set '{remote.repository}' is refused: its dataset_type.txt says '{kind}'; "
            f"similarity and probes need exactly one class per image"
        )


class _Remote:
    """A dataset repository at one revision."""

    def __init__(self, repository: str, revision: str) -> None:
        self.repository = repository
        self.revision = revision
        self.endpoint = os.environ.get("HF_ENDPOINT") or None

    def metadata(self, file: str) -> HfFileMetadata:
        """Return a file's commit, entity tag (of a large file its SHA-256) and size."""
        from huggingface_hub import get_hf_file_metadata

        try:
            return get_hf_file_metadata(
                self._url(file), endpoint=self.endpoint, retry_on_errors=True
            )
        except Exception as error:  # which HTTP library it uses is its own affair
            raise self._explained(file, error) from None

    def get(self, file: str, folder: Path, sha256: str | None = None) -> None:
        """Download a file; the folder never holds one that is incomplete or has another hash."""
        from huggingface_hub.utils import build_hf_headers

        tag = self.metadata(file).etag or ""
        wanted = sha256 or (tag if re.fullmatch(r"[0-9a-f]{64}", tag) else None)
        target = folder / file
        if wanted and target.is_file() and sha256_file(target) == wanted:
            return
        whole = folder / _SCRATCH / f"{self.revision}-{file.replace('/', '-')}"
        download(
            self._url(file),
            whole,
            sha256=wanted,
            headers=build_hf_headers(),
            what=self._place(file),
            show=False,
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        whole.replace(target)

    def _url(self, file: str) -> str:
        from huggingface_hub import hf_hub_url

        return hf_hub_url(
            self.repository,
            file,
            repo_type="dataset",
            revision=self.revision,
            endpoint=self.endpoint,
        )

    def _explained(self, file: str, error: Exception) -> UserError:
        """Return an error for people."""
        from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

        if isinstance(error, RevisionNotFoundError):
            return UserError(f"{self._place(file)}: no such revision")
        if isinstance(error, EntryNotFoundError):
            return _NoSuchFileError(
                f"{self._place(file)}: no such file; the repository must have the CLIP-benchmark "
                f"layout (classnames.txt, SPLIT/nshards.txt, SPLIT/0.tar)"
            )
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            return UserError(
                f"{self._place(file)}: access refused ({status}). The data set is gated or "
                f"private, or there is none of that name: accept its terms at "
                f"https://huggingface.co/datasets/{self.repository} with your account, then set "
                f"HF_TOKEN to a token of that account that may read it"
            )
        if status == 404:
            return UserError(
                f"{self._place(file)}: no such data set on the hub (404); check 'repository'"
            )
        first = (str(error).strip().splitlines() or ["no message"])[0][:200]
        return UserError(
            f"{self._place(file)}: cannot be had ({type(error).__name__}: {first}); what was "
            f"downloaded is kept: run the same command again"
        )

    def _place(self, file: str) -> str:
        return f"data set '{self.repository}', {file} at {self.revision}"


class _NoSuchFileError(UserError):
    """The repository is there and the file is not."""
