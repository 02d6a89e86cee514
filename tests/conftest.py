"""Order of the tests: those of the pipeline take minutes and share one finished study."""

from __future__ import annotations

from pathlib import Path

import pytest

PIPELINE = Path(__file__).parent / "pipeline"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the pipeline's tests first, in one worker, so that the study is run once."""
    slow = [item for item in items if PIPELINE in item.path.parents]
    for item in slow:
        item.add_marker(pytest.mark.xdist_group("pipeline"))
    items[:] = slow + [item for item in items if item not in set(slow)]
