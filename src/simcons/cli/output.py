"""What the commands print: tables that fit a terminal and a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """Print a table; numbers are right-aligned. In a pipe lines are not cut."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    cells = [list(row) for row in rows]
    table = Table(title=title or None, title_justify="left", box=None, header_style="bold")
    for i, name in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[i], int | float) for row in cells)
        table.add_column(
            name, justify="right" if numeric else "left", no_wrap=not console.is_terminal
        )
    for row in cells:
        table.add_row(*(Text(f"{v:,}" if isinstance(v, int) else str(v)) for v in row))
    if not console.is_terminal:
        console = Console(
            width=console.measure(table, options=console.options.update(width=10_000)).maximum
        )
    console.print(table)
