"""The miniature study, run once a session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from miniature import Clone, make_clone


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The miniature study, run once; tests copy it and leave it as it is."""
    clone = make_clone(tmp_path_factory.mktemp("mini") / "study")
    clone.dvc("repro")
    clone.commit("results")
    return clone


@pytest.fixture
def study(finished: Clone, tmp_path: Path) -> Clone:
    """A copy of the finished miniature study, with its cache and store."""
    shutil.copytree(finished.root, tmp_path / "study", symlinks=True)
    return Clone(tmp_path / "study")
