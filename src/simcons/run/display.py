"""What a run looks like: one live table on a terminal, lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from simcons.core.progress import say

if TYPE_CHECKING:
    from rich.console import RenderableType

# Name, state, note of each stage; and the counts.
Rows = Sequence[tuple[str, str, str]]
Show = Callable[[Rows, str], None]
LOG_EVERY_SECONDS = 30.0
_COLOURS = {"running": "cyan", "failed": "red", "done": "green", "blocked": "red"}
_FIRST = ("failed", "running", "queued", "blocked", "waiting", "done")


@contextmanager
def display() -> Iterator[Show]:
    """Show the stages on standard error while the block runs; it calls ``show(rows, counts)``."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        with Live(console=console, refresh_per_second=4) as live:
            yield lambda rows, counts: live.update(table(rows, counts, console.height - 4))
    else:
        yield _Lines()


def table(rows: Rows, counts: str, height: int) -> RenderableType:
    """Return a table of the stages that matter most now, and the counts below."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, header_style="bold")
    for name in ("stage", "state", "progress"):
        grid.add_column(name, no_wrap=True, overflow="ellipsis")
    urgent = sorted(rows, key=lambda row: _FIRST.index(row[1]))
    shown = {row[0] for row in urgent[: max(height, 3)]}
    for name, state, note in rows:
        if name in shown:
            grid.add_row(name, Text(state, style=_COLOURS.get(state, "")), Text(note))
    hidden = len(rows) - len(shown)
    return Group(grid, Text(counts + (f" ({hidden} not shown)" if hidden else "")))


class _Lines:
    """A line for each change of state, and now and then what the running stages say."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._said = time.monotonic()

    def __call__(self, rows: Rows, counts: str) -> None:
        changed = [row for row in rows if self._states.get(row[0], "waiting") != row[1]]
        for name, state, note in changed:
            self._states[name] = state
            if note or state not in ("queued", "done"):
                say(f"{name}: {state}{f' ({note})' if note else ''}")
        now = time.monotonic()
        if now - self._said >= LOG_EVERY_SECONDS:
            self._said = now
            for name, state, note in rows:
                if state == "running":
                    say(f"{name}: {note}")
            say(counts)
