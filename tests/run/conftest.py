"""The small pipeline, new for every test."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_pipeline import Pipeline


@pytest.fixture(scope="session")
def unused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline to copy."""
    return Pipeline(tmp_path_factory.mktemp("pipeline") / "unused").root


@pytest.fixture
def pipeline(unused: Path, tmp_path: Path) -> Pipeline:
    """A pipeline that nobody has run."""
    return Pipeline(tmp_path / "a pipeline", like=unused)
