"""The miniature study, run once a session, in whichever worker asks first."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from miniature import Clone, make_clone


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The miniature study, run once for all workers; tests copy it and leave it as it is."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a folder of its own in the session's
        folder = folder.parent
    root, done = folder / "miniature" / "study", folder / "miniature.done"
    with FileLock(folder / "miniature.lock"):
        if not done.exists():
            clone = make_clone(root)
            clone.dvc("repro")
            clone.commit("results")
            done.touch()
    return Clone(root)


@pytest.fixture
def study(finished: Clone, tmp_path: Path) -> Clone:
    """A copy of the finished miniature study, with its cache and store."""
    shutil.copytree(finished.root, tmp_path / "study", symlinks=True)
    return Clone(tmp_path / "study")
