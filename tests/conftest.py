"""Order of the tests: those of the pipeline take minutes and share finished studies."""

from __future__ import annotations

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

PIPELINE = Path(__file__).parent / "pipeline"


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the pipeline's tests first, those of one study in one worker: it is run once."""
    slow = [item for item in items if PIPELINE in item.path.parents]
    for item in slow:
        shared = "finished" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("miniature" if shared else item.path.stem))
    items[:] = slow + [item for item in items if item not in set(slow)]
