"""Progress of long work: bars on a terminal, lines with rate and ETA in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Advance = Callable[[float], None]
LOG_EVERY_SECONDS = 10.0


def progress(description: str, total: float, unit: str = "it") -> AbstractContextManager[Advance]:
    """Show progress on standard error while the block runs; it calls ``advance(amount)``.

    Parameters
    ----------
    description
        What is being done, such as ``"features digits/train"``.
    total
        The amount of work, in units.
    unit
        The unit's name, such as ``"images"``; the rate is shown per second.
    """
    return (_bar if sys.stderr.isatty() else _lines)(description, total, unit)


@contextmanager
def _bar(description: str, total: float, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed or 0.0
            return Text(f"{task.completed:,.0f}/{task.total or 0:,.0f} {unit} {speed:,.1f}/s")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(description, total=total)
        yield lambda amount: bars.update(task, advance=amount)


@contextmanager
def _lines(description: str, total: float, unit: str) -> Iterator[Advance]:
    start = last = time.monotonic()
    done = 0.0

    def advance(amount: float) -> None:
        nonlocal done, last
        done += amount
        now = time.monotonic()
        if now - last < LOG_EVERY_SECONDS:
            return
        last = now
        rate = done / (now - start)
        eta = (total - done) / rate if rate else float("inf")
        say(f"{description}: {done:,.0f}/{total:,.0f} {unit}, {rate:,.1f}/s, ETA {eta:,.0f} s")

    yield advance
    seconds = time.monotonic() - start
    rate = done / seconds if seconds else 0.0
    say(f"{description}: {done:,.0f} {unit} in {seconds:,.1f} s ({rate:,.1f}/s)")


def say(line: str) -> None:
    """Print a line for people, on standard error."""
    print(line, file=sys.stderr, flush=True)
