"""`simcons export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    folder: Annotated[Path, typer.Argument(help="Folder to make; an earlier export is replaced.")],
) -> None:
    """Write the study's results as tidy tables and matrices with a datasheet, to publish them.

    Example: simcons export ../results
    """
    from simcons.core.paths import Paths
    from simcons.study.export import export as write
    from simcons.study.params import load_study

    written = write(load_study(), Paths(), folder)
    tables = [name for name in written if "/" not in name]
    typer.echo(f"wrote {', '.join(tables)} and {len(written) - len(tables)} matrices to {folder}")
