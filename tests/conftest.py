"""Order of the tests: those of the pipeline take minutes and share finished studies."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest

# Two workers with two threads each on two cores: threads that spin while they wait would take the
# cores from those that work (tests of training and extraction take seven times as long).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Started in the background of a shell, the tests ignore Ctrl-C, and so would all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Millions of objects come with torch and live to the end: to look through them for garbage as
# often as Python does by default takes a fifth of the time of imports and figures.
gc.set_threshold(50_000)

PIPELINE = Path(__file__).parent / "pipeline"


def group(item: pytest.Item) -> str:
    """Name the tests that share a worker: a file's, or those that build on one finished study."""
    uses = set(getattr(item, "fixturenames", ()))
    if PIPELINE not in item.path.parents or "finished" not in uses:
        return item.path.stem
    return "from the miniature" if uses & {"again", "zooless"} else "miniature"


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the pipeline's groups first: they take longest."""
    order = ["miniature", "test_import_pipeline", "from the miniature"]
    place = {name: i for i, name in enumerate(order)}
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    items.sort(key=lambda item: place.get(group(item), len(order)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Count what the tests import as lasting: no search for garbage looks at it again."""
    gc.freeze()
